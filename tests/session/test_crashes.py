"""Undo, redo, withdraw and rebuild are exact to the bit, also where every process on the way was killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from msgspec import structs

from tests.faults.forking import Forks
from tests.session.crashing import home_settings
from tests.support.sessions import same, state
from theta_tui.session import rebuild as rebuilding
from theta_tui.session.session import Session
from theta_tui.store import context
from theta_tui.store.journal import Journal
from theta_tui.store.records import (
    Begin,
    ContextImported,
    ConversationOpened,
    ConversationStarted,
    Exchange,
    Learned,
)
from theta_tui.store.store import Store


def never_taught(record: Store, path: Path) -> None:
    """Write the journal of a home in which the lessons that do not count now had never been taught."""
    journal, places = Journal.open(path), dict[int, int]()
    live = {lesson.seq for lesson in record.state.active}
    for entry in record.journal.entries:
        match entry.record:
            case Exchange() as said if entry.seq in live:
                turn = None if said.turn is None else (places.get(said.turn[0], said.turn[0]), said.turn[1])
                said = structs.replace(said, replaces=places.get(said.replaces or 0), turn=turn)
                places[entry.seq] = journal.append(said).seq
            case Learned(of=of) as learned if of in live:
                journal.append(structs.replace(learned, of=places[of]))
            case Begin() | ConversationStarted() | ConversationOpened() | ContextImported() as kept:
                journal.append(kept)
    journal.close()


@pytest.mark.slow  # without kills: test_taking_back; what a kill leaves: test_session, test_unfinished, test_engine
@pytest.mark.parametrize(
    ("lessons", "seed", "recipes"),
    [
        (7, 6, "default,classic"),
        (50, 2, "default"),
        (50, 3, "default,default,classic"),
        (30, 4, "default,adamw"),
    ],
)
def test_undo_and_rebuild_are_bit_equal_over_many_lessons_with_crashes_in_between(
    forks: Forks,
    tmp_path: Path,
    model: Path,
    lessons: int,
    seed: int,
    recipes: str,
) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    given = tmp_path / "home", model, seed, lessons, recipes
    life = forks.fork("tests.session.crashing:run", *given, environment=cache)
    done, killed = life.hear(600)
    assert done, killed
    assert killed.total() >= lessons // 7, killed
    life.close()

    torch.set_num_threads(1)
    settings = home_settings(tmp_path / "home", str(model))
    session = Session(Store.open(settings))
    session.load()
    record = session.store
    assert len(record.state.lessons) >= lessons
    assert record.state.withdrawn
    assert session.learner.step == record.state.step
    came_back = state(session)
    conversation = settings.context_path.read_bytes()
    assert conversation == context.render(record.state.history)
    assert not [notice for notice in record.take_notices() if "exact" in notice]

    other = replace(settings, home=tmp_path / "other")
    other.home.mkdir()
    never_taught(record, other.home / "journal.jsonl")
    fresh = Session(Store.open(other))
    fresh.load()
    assert same(came_back, fresh)
    assert context.render(fresh.store.state.history) == conversation
    fresh.close()

    session.replay.from_base_model(lambda at, of: None)
    assert same(came_back, session)
    session.close()

    record = Store.open(settings)
    done = rebuilding.rebuild(record)
    assert (done.exact, done.why) == (True, "")
    record.close()
