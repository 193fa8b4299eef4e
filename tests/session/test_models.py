"""The models that have a name, as the app lists them, and what to type for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from theta_tui.base.config import Settings
from theta_tui.base.errors import UsageError
from theta_tui.model import catalogue
from theta_tui.session import models


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("THETA_HOME", str(tmp_path / "usual"))
    return tmp_path / "cache"


def test_all_that_have_a_name_are_listed_here_or_not_with_sizes(tmp_path: Path) -> None:
    made = catalogue.conversions() / "0123"
    made.mkdir(parents=True)
    (made / "config.json").write_text("{}")
    catalogue.write_source(made, file="/tmp/some model.gguf")
    rows = models.listed(100)
    assert [row.name for row in rows] == [*catalogue.entries(), "/tmp/some model.gguf"]
    assert (rows[0].here, rows[1].here, rows[-1].here) == (True, False, True)
    assert rows[1].size.endswith(" to fetch")
    assert "fetch" not in rows[0].size
    assert len(models.listed(2)) == 2


def test_what_to_type_names_the_home_where_it_is_not_the_usual_one(tmp_path: Path) -> None:
    said = models.how_to("smollm2", Settings(home=tmp_path / "usual", model="default"))
    assert "`theta rebuild --model smollm2`" in said
    assert "`theta --home DIR --model smollm2`" in said
    assert said.endswith(" are fetched first")
    said = models.how_to("smollm2", Settings(home=tmp_path / "my home", model="default"))
    assert f"`theta --home '{tmp_path / 'my home'}' rebuild --model smollm2`" in said
    assert models.how_to("default", Settings(model="default")) == "default is the model of this home"
    with pytest.raises(UsageError, match="no model called nobody"):
        models.how_to("nobody", Settings(model="default"))
