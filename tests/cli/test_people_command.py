"""`theta --who`, `people`, `accept` and `decline`: the same without an engine and through one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Theta
from theta_tui.base.config import load_settings
from theta_tui.engine.client import Connection
from theta_tui.engine.host import Host
from theta_tui.session.session import Session
from theta_tui.store.store import Store


@pytest.fixture(params=["alone", "through an engine"])
def anyhow(theta: Theta, home: Path, request: pytest.FixtureRequest) -> Iterator[Theta]:
    if request.param == "alone":
        yield theta
        return
    host = Host(load_settings({}), lambda settings: Session(Store.open(settings)))
    host.start(lambda _: None)
    while Connection.to(home) is None:
        time.sleep(0.01)
    yield theta
    host.request_stop()
    assert host.join(60)


def test_people_teach_propose_and_are_taken_back_by_name(
    anyhow: Theta, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theta = anyhow
    theta("prompt", "mine")
    monkeypatch.setenv("THETA_WHO", "Ada")
    offered = theta("prompt", "hers", "--json").json
    taught = theta("teach", "2", "--json").json
    assert (taught["who"], taught["lesson"], taught["prompt"]) == ("Ada", 1, "hers")
    assert taught["reply"] == offered["candidates"][1]["text"]
    monkeypatch.delenv("THETA_WHO")
    assert theta("history", "--json").json["waiting"] == "mine"
    refused = theta("undo")
    assert (refused.code, "you have taught none" in refused.err) == (3, True)

    assert theta("people", "Ada", "propose").lines == ["what Ada teaches waits for the owner from now on"]
    for reply in ("yes", "no"):
        proposed = theta("--who", "Ada", "teach", "--for", "is it so?", reply, "--json").json
        assert (proposed["who"], proposed["reply"], "lesson" in proposed) == ("Ada", reply, False)
    listed = theta("people", "--json").json
    assert listed["people"] == [{"who": "Ada", "may": "propose", "lessons": 1, "proposals": 2}]
    assert [(one["proposal"], one["reply"]) for one in listed["proposals"]] == [(1, "yes"), (2, "no")]
    assert theta("accept", "1", "--json").json["who"] == "Ada"
    assert theta("decline", "2").lines == ["proposal 2 of Ada is declined"]
    assert theta("accept", "2").code == 3

    assert theta("--who", "Ada", "people", "Ada", "hold").code == 2
    assert theta("--who", "Ada", "quiz").code == (2 if (home / "engine.sock").exists() else 0)
    assert theta("people", "Ada", "hold").code == 0
    held = theta("--who", "Ada", "teach", "--for", "a", "b")
    assert (held.code, "does not let you teach" in held.err) == (1, True)
    rows = theta("lessons", "--json").json["lessons"]
    assert [(row["who"], row["reply"]) for row in rows] == [("Ada", taught["reply"]), ("Ada", "yes")]
    assert "conversation 2 of Ada, 'hers': 1 turn" in theta("history", "--all").lines
    assert theta("--who", "Ada", "undo", "--json").json["undone"] == 2
    assert theta("withdraw", "1", "--json").json["withdrawn"] == 1


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("people Bob hold", 3, "nobody but you was here yet"),
        ("people Bob", 2, "teach, propose, hold"),
        ("people Bob sing", 2, "teach, propose, hold"),
        ("accept x", 2, "not the number of a proposal"),
        ("decline 1", 3, "none does"),
        ("--who Ada undo", 3, "nothing to undo"),
    ],
)
def test_a_mistake_is_told(theta: Theta, line: str, code: int, words: str) -> None:
    ran = theta(*line.split())
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err


def test_merged_lessons_of_a_person_stay_theirs(anyhow: Theta, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    anyhow("teach", "--for", "who?", "Me.", "--home", other)
    anyhow("teach", "--for", "where?", "There.", "--home", other, "--who", "Ada")
    assert "  Ada: where? → There." in anyhow("merge", other, "--dry-run").lines
    pairs = anyhow("merge", other, "--dry-run", "--json").json["pairs"]
    assert [pair.get("who") for pair in pairs] == [None, "Ada"]
    assert anyhow("merge", other, "--yes", "--json").json["lessons"] == [1, 2]
    assert [lesson["who"] for lesson in anyhow("lessons", "--json").json["lessons"]] == ["", "Ada"]
    assert [one["who"] for one in anyhow("people", "--json").json["people"]] == ["Ada"]
    assert anyhow("undo", "--json").json["lessons"] == [1, 2]
