"""A lesson that was not said after all its steps goes on in idle time: exactly, once, and never in anybody's way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.session.conftest import Open, opened
from tests.support.sessions import PAIRS, same, state
from theta_tui.base.config import Settings
from theta_tui.learning.learner import Result
from theta_tui.learning.recipes import RECIPES
from theta_tui.session import unfinished
from theta_tui.session.session import Session
from theta_tui.store.records import Learned

STEPS = 2


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lesson gets too few steps to be said, and enough in idle time."""
    monkeypatch.setitem(RECIPES, "default", replace(RECIPES["default"], max_steps=STEPS, margin=2.0))
    monkeypatch.setattr(unfinished, "LONGER", 40)


def rest(session: Session, interrupted: Callable[[], bool] = lambda: False) -> int:
    """Do what is to do in idle time; the slices that it took."""
    return sum(1 for _ in session.idle(interrupted))


def outcomes(session: Session) -> list[tuple[int, bool]]:
    return [(entry.record.of, entry.record.outcome.learned) for entry in session.store.journal.entries
            if isinstance(entry.record, Learned)]  # fmt: skip


def test_it_is_said_then_and_told(start: Open) -> None:
    session = start()
    taught = session.teach(*PAIRS[0])
    assert not taught.learned
    rest(session)
    [lesson] = session.store.state.active
    assert lesson.outcome is not None
    assert lesson.outcome.learned
    assert lesson.outcome.steps > STEPS
    assert lesson.outcome.losses[: STEPS + 1] == taught.losses
    assert outcomes(session) == [(lesson.seq, False), (lesson.seq, True)]
    assert session.ask(PAIRS[0][0], with_context=False).reply == PAIRS[0][1]
    assert any("#1 is learned now" in text for text in session.store.take_notices())
    assert session.learner.step == session.store.state.step
    assert rest(session) <= 1  # nothing is left to learn
    assert len(outcomes(session)) == 2
    session.close()


@pytest.mark.parametrize("saved", [True, False])
def test_the_next_start_has_it_to_the_bit(start: Open, settings: Settings, saved: bool) -> None:
    session = start()
    session.teach(*PAIRS[0])
    session.teach(*PAIRS[1])
    session.save()  # with both as they are now
    rest(session)
    before = state(session)
    session.close()
    if not saved:
        for folder in settings.home.glob("checkpoints/step-*"):
            if folder != min(settings.home.glob("checkpoints/step-*"), key=lambda path: path.stat().st_mtime):
                for path in folder.iterdir():
                    path.unlink()
                folder.rmdir()
    again = start()
    assert same(before, again)
    again.replay.from_base_model(lambda at, of: None)
    assert same(before, again)
    again.close()


def test_a_command_ends_it_and_nothing_has_changed(start: Open) -> None:
    session = start()
    session.teach(*PAIRS[0])
    before, journal = state(session), session.store.journal.last_seq
    asked = iter([False] * (STEPS + 2))
    rest(session, lambda: next(asked, True))
    assert same(before, session)
    assert session.store.journal.last_seq == journal
    rest(session)
    assert session.store.state.active[0].outcome.learned  # type: ignore[union-attr]
    session.close()


def test_undo_and_redo_are_exact_around_it(start: Open) -> None:
    session = start()
    session.teach(*PAIRS[0])
    session.teach(*PAIRS[1])
    rest(session)
    both = state(session)
    session.undo()
    alone = state(session)
    session.redo()
    assert same(both, session)
    session.undo()
    assert same(alone, session)
    session.close()


def test_where_it_cannot_be_said_it_is_not_tried_for_ever(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "LONGER", 2)
    monkeypatch.setitem(RECIPES, "default", replace(RECIPES["default"], max_steps=1, margin=50.0))
    session = start()
    session.teach(*PAIRS[0])
    rest(session)
    rest(session)
    assert [learned for _, learned in outcomes(session)].count(False) <= 2
    assert unfinished.unfinished(session.store.state, True) == []
    session.close()


def test_a_lesson_that_is_always_on_does_not_go_on(settings: Settings) -> None:
    session = opened(replace(settings, recipe="classic"))
    assert not session.teach(*PAIRS[0]).learned
    rest(session)
    assert len(outcomes(session)) == 1
    session.close()


def test_a_lesson_before_one_that_is_always_on_stays_as_it_is(start: Open, settings: Settings) -> None:
    session = start()
    session.teach(*PAIRS[0])
    session.settings = replace(session.settings, recipe="classic")
    session.teach(*PAIRS[1])  # it moves the weights that the first one was learned on
    session.settings = replace(session.settings, recipe="default")
    session.teach(*PAIRS[2])
    rest(session)
    assert [one.outcome.learned for one in session.store.state.active if one.outcome] == [False, False, True]
    before = state(session)
    session.close()
    again = start()
    assert same(before, again)
    again.close()


def test_what_cannot_be_computed_in_idle_time_costs_no_lesson(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_number(*_: object, **__: object) -> Result:
        return Result(1.0, 1.0, 0.1, 0.1, 0, False, skipped="the gradient was nan")

    session = start()
    session.teach(*PAIRS[0])
    before, journal = state(session), session.store.journal.last_seq
    with monkeypatch.context() as broken:
        broken.setattr(unfinished, "learn", no_number)
        rest(session)
    assert same(before, session)
    assert session.store.journal.last_seq == journal
    rest(session)
    [lesson] = session.store.state.active
    assert lesson.outcome is not None
    assert lesson.outcome.learned
    session.close()
