"""Lessons of other homes: which are found, which answer counts, and that an undo takes all of them back."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.session.conftest import Open, opened
from theta_tui.base.config import Settings
from theta_tui.base.errors import ModelError, PromptError, UsageError
from theta_tui.session import importing
from theta_tui.session.merging import find
from theta_tui.session.people import names
from theta_tui.session.session import Session
from theta_tui.store.store import Store

pytestmark = pytest.mark.usefixtures("short_lessons")


def taught(settings: Settings, *pairs: tuple[str, str]) -> Path:
    """A home beside that of `settings`, in which `pairs` were taught."""
    path = settings.home.with_name(f"home-{len(list(settings.home.parent.iterdir()))}")
    session = opened(replace(settings, home=path))
    for prompt, reply in pairs:
        session.teach(prompt, reply)
    session.close()
    return path


def answers(session: Session) -> list[tuple[str, str]]:
    return [(one.exchange.prompt, one.exchange.reply) for one in session.store.state.active]


def test_of_two_answers_the_newer_counts_and_one_undo_takes_all_of_it_back(settings: Settings, start: Open) -> None:
    ada = taught(settings, ("who?", "Ada."), ("where?", "There."), ("when?", "Now."))
    session = start()
    session.teach("where?", "Here.")
    before = session.learner.snapshot()
    ben = taught(settings, ("Who", "Ben."), ("when", "now"))
    found = find(session.store, [ada, ben])
    assert [(pair.prompt, pair.reply, pair.place) for pair in found.pairs] == [
        ("when?", "Now.", f"{ada.name}: lesson 3"), ("Who", "Ben.", f"{ben.name}: lesson 1"),
    ]  # fmt: skip
    assert [(one.reply, one.of, one.older, one.older_of) for one in found.conflicts] == [
        ("Here.", "", "There.", ada.name), ("Ben.", ben.name, "Ada.", ada.name),
    ]  # fmt: skip
    assert found.notes == ("1 lesson taught already", "2 lessons with a newer answer elsewhere")
    importing.teach(session, found)
    assert answers(session) == [("where?", "Here."), ("when?", "Now."), ("Who", "Ben.")]
    assert find(session.store, [ada, ben]).pairs == ()
    session.undo()
    assert answers(session) == [("where?", "Here.")]
    after = session.learner.snapshot()
    assert before.modules.keys() == after.modules.keys()
    session.close()


def test_a_pick_stays_a_pick_with_the_replies_beside_it(settings: Settings, start: Open) -> None:
    other = opened(replace(settings, home=settings.home.with_name("other")))
    other.propose("hello")
    other.pick(2)
    picked = other.store.state.active[-1].exchange
    other.close()
    session = start()
    waiting = session.propose("something else")
    found = find(session.store, [settings.home.with_name("other")])
    importing.teach(session, found)
    exchange = session.store.state.active[-1].exchange
    assert (exchange.kind, exchange.pick, exchange.reply) == ("pick", 2, picked.reply)
    assert [one.text for one in exchange.candidates] == [one.text for one in picked.candidates]
    assert session.pending == waiting
    assert find(session.store, [settings.home.with_name("other")]).pairs == ()
    session.close()


def test_what_is_no_other_home_is_refused(settings: Settings, tmp_path: Path) -> None:
    store = Store.read(settings)
    with pytest.raises(ModelError, match="no home of Theta"):
        find(store, [tmp_path / "nowhere"])
    (tmp_path / "link").symlink_to(settings.home)
    for homes in ([settings.home], [tmp_path / "link"], [tmp_path / "x", Path(os.path.relpath(tmp_path / "x"))]):
        with pytest.raises(UsageError, match="given twice"):
            find(store, homes)


def test_a_lesson_of_a_person_stays_theirs_and_who_merges_can_undo_it(settings: Settings, start: Open) -> None:
    path = settings.home.with_name("other")
    other = opened(replace(settings, home=path))
    other.teach("who?", "Me.")
    with other.store.speaking("Ada"):
        other.propose("hello")
        other.pick(2)
        other.teach("where?", "There.")
    other.close()
    session = start()
    with session.store.speaking("Ben"):
        session.teach("when?", "Now.")
    importing.teach(session, find(session.store, [path]))
    assert sorted((one.exchange.prompt, one.who) for one in session.store.state.active) == [
        ("hello", "Ada"), ("when?", "Ben"), ("where?", "Ada"), ("who?", ""),
    ]  # fmt: skip
    assert names(session.store) == ["Ben", "Ada"]
    assert find(session.store, [path]).pairs == ()
    with session.store.speaking("Ada"), pytest.raises(PromptError, match="nothing to undo"):
        session.undo()  # she did not bring them here; she can withdraw each
    session.undo()
    assert answers(session) == [("when?", "Now.")]
    session.redo()
    session.undo()
    importing.teach(session, find(session.store, [path]))
    with pytest.raises(PromptError, match="nothing to redo"):
        session.redo()
    with session.store.speaking("Ada"):
        session.withdraw(next(one.number for one in session.store.state.active if one.who == "Ada"))
        session.redo()
    state = session.store.state
    session.close()
    again = Store.read(settings).state
    assert [(one.exchange.prompt, one.who) for one in again.active] == [
        (one.exchange.prompt, one.who) for one in state.active
    ]
