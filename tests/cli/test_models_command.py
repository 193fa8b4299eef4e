"""`theta models`, and `--model` with a name of the catalogue or a GGUF file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.running import Theta
from tests.support.gguf_files import tiny as tiny
from tests.support.wheels import entry_of, make_wheel
from theta_tui.model import catalogue


@pytest.fixture
def named(tiny: Path, theta: Theta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Theta:
    """`theta`, whose catalogue has the model `tiny` in a registry of its own, and no hub."""
    found = entry_of(tiny)
    built_in = catalogue.entries()["default"]
    monkeypatch.setattr(catalogue, "entries", lambda: {"default": built_in, "tiny": found})
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    monkeypatch.delenv("THETA_MODEL")
    make_wheel(tmp_path / "shelf", tiny)
    return theta


@pytest.fixture
def at_a_terminal(named: Theta, monkeypatch: pytest.MonkeyPatch) -> Theta:
    """The same where a person sits."""
    from theta_tui.cli import models

    class Terminal:
        """Standard streams as `models` sees them."""

        @property
        def stdin(self) -> object:
            sys.stdin.isatty = lambda: True  # type: ignore[method-assign]
            return sys.stdin

        @property
        def stderr(self) -> object:
            sys.stderr.isatty = lambda: True  # type: ignore[method-assign]
            return sys.stderr

    monkeypatch.setattr(models, "sys", Terminal())
    return named


def test_models_are_listed_here_or_not(theta: Theta) -> None:
    listed = theta("models")
    assert listed.code == 0
    assert [line.split()[:2] for line in listed.lines[1:3]] == [["default", "here"], ["smollm2", "-"]]
    assert "269 MB to fetch" in listed.lines[2]
    rows = {row["name"]: row for row in theta("models", "--json").json["models"]}
    assert rows["default"]["here"]
    assert rows["default"]["window"] == 512
    assert not rows["smollm2"]["here"]
    assert rows["smollm2"]["license"] == "Apache-2.0"


def test_a_model_is_got_listed_and_removed(named: Theta) -> None:
    got = named("models", "get", "tiny")
    assert got.code == 0
    assert got.lines == [f"tiny is here: {catalogue.folder('tiny')} (0 MB)"]
    assert "getting tiny: A tiny model, 0M parameters" in got.err
    assert named("models", "get", "tiny", "--json").json["source"] == "registry"
    assert named("models").lines[2].startswith("tiny     here")
    removed = named("models", "remove", "tiny", "--json").json
    assert removed["removed"] == "tiny"
    assert removed["bytes"] > 100_000
    assert not catalogue.folder("tiny").exists()
    again = named("models", "remove", "tiny")
    assert (again.code, "nothing was removed" in again.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("get", "nix"), "there is no model called nix; these are: tiny"),
        (("get", "default"), "default is built in"),
        (("remove", "default"), "default is built in"),
        (("remove", "../.."), "there is no model called ../.."),
        (("get",), "get needs NAME"),
        (("fetch", "tiny"), "there is no command 'fetch'"),
    ],
)
def test_words_that_are_off_are_refused(named: Theta, words: tuple[str, ...], said: str) -> None:
    ran = named("models", *words)
    assert ran.code == 2
    assert said in ran.err


def test_a_missing_model_is_got_with_yes_and_used_offline_afterwards(named: Theta, home: Path) -> None:
    refused = named("prompt", "hello", "--model", "tiny")
    assert refused.code == 4
    assert "give --yes to get it, or use `theta models get tiny`" in refused.err
    assert "Apache-2.0" in refused.err
    assert json.loads(named("prompt", "hello", "--model", "tiny", "--json").err)["error"]["name"] == "model_missing"
    assert named("prompt", "hello", "--model", "tiny", "--yes").code == 0
    assert named("teach", "Good day.").code == 0  # the home knows its model
    answered = named("ask", "hello", "--offline")
    assert answered.code == 0
    begin = json.loads((home / "journal.jsonl").read_text().splitlines()[0])
    assert begin["model"] == "tiny"
    named("models", "remove", "tiny")
    gone = named("ask", "hello")
    assert gone.code == 4
    assert named("ask", "hello", "--yes").lines == answered.lines


@pytest.mark.parametrize(
    ("answer", "code"), [("\n", 0), pytest.param("y\n", 0, marks=pytest.mark.slow), ("n\n", 4), ("", 4)]
)
def test_on_a_terminal_it_is_asked_for_once(at_a_terminal: Theta, answer: str, code: int) -> None:
    ran = at_a_terminal("ask", "hello", "--model", "tiny", stdin=answer)
    assert ran.code == code
    assert ran.err.count("Get it? [Y/n]") == 1
    assert "0 MB from the package registry" in ran.err
    assert catalogue.here("tiny") == (code == 0)
    if code == 0:
        assert "Get it?" not in at_a_terminal("ask", "hello", stdin="").err


def test_what_cannot_be_had_is_named_with_the_way_by_hand(named: Theta, tmp_path: Path) -> None:
    ran = named("ask", "hello", "--model", "tiny", "--yes", "--offline")
    assert ran.code == 4
    assert "by hand: put the file that `pip download --no-deps tiny-model==1.2` gives" in ran.err


def test_a_gguf_file_is_talked_to_and_taught(theta: Theta, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THETA_MODEL")
    assert theta("prompt", "hello", "--model", str(tiny)).code == 0
    assert theta("teach", "Good day.").code == 0
    answered = theta("ask", "hello")
    assert answered.code == 0
    listed = theta("models").lines[-1]
    assert listed.startswith(f"{tiny}  here  ")
    assert theta("models", "remove", str(tiny)).code == 0
    assert tiny.is_file()  # what was made of it goes, and not the file
    assert theta("ask", "hello").lines == answered.lines  # made again, to the same bits


def test_a_gguf_file_that_cannot_be_used_is_named(theta: Theta, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.gguf").write_bytes(tiny.read_bytes()[:-1000])
    ran = theta("prompt", "hello", "--model", str(tmp_path / "cut.gguf"))
    assert ran.code == 4
    assert "cut.gguf is not a GGUF file that can be used: it is cut short" in ran.err
