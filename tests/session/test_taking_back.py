"""Undo, redo and withdraw on a real, tiny model: exact to the bit, cancelled or failed without a trace."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.session.conftest import Open
from tests.support.sessions import PAIRS, answer, same, state
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError, PromptError
from theta_tui.learning.learner import Learner
from theta_tui.session.session import Session
from theta_tui.store.records import Restore, Withdraw

pytestmark = pytest.mark.usefixtures("short_lessons")


def equals_a_replay(session: Session) -> bool:
    """Whether the model is where a fold of the live lessons alone puts it; it stands there afterwards."""
    before = state(session)
    session.replay.from_base_model(lambda at, of: None)
    return same(before, session)


@pytest.fixture(params=["default", "adamw"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Lessons with weights of their own, and lessons that are always on."""
    return replace(settings, recipe=request.param)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seqs of the lessons that are learned from here on."""
    seqs: list[int] = []
    shared, own = Learner.learn, Learner.learn_module

    def learn(self: Learner, *arguments: object, **hooks: object) -> object:
        seqs.append(hooks["seed"])  # type: ignore[arg-type]
        return shared(self, *arguments, **hooks)  # type: ignore[arg-type]

    def learn_module(self: Learner, key: int, *arguments: object, **hooks: object) -> object:
        seqs.append(key)
        return own(self, key, *arguments, **hooks)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "learn", learn)
    monkeypatch.setattr(Learner, "learn_module", learn_module)
    return seqs


def test_redo_is_bit_equal_to_never_having_undone(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start()
    answer(session, *PAIRS[0])
    answer(session, *PAIRS[1])
    before, conversation = state(session), session.settings.context_path.read_bytes()
    learned = counted(monkeypatch)
    session.undo()
    assert session.pending is not None
    back = session.redo()
    assert back is not None
    assert back.exchange.prompt == PAIRS[1][0]
    assert same(before, session)
    assert learned == []  # from memory
    assert session.settings.context_path.read_bytes() == conversation
    assert session.pending is None  # the prompt that undo offered again is answered
    session.undo()
    session.close()
    again = start()
    again.redo()
    assert same(before, again)
    assert again.settings.context_path.read_bytes() == conversation
    assert equals_a_replay(again)
    again.close()


def test_undo_and_redo_go_back_and_forth_one_lesson_at_a_time(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start()
    states = [state(session)]
    for prompt, reply in PAIRS[:3]:
        answer(session, prompt, reply)
        states.append(state(session))
    learned = counted(monkeypatch)
    for at in (2, 1, 0):
        session.undo()
        assert same(states[at], session)
    for at in (1, 2, 3):
        session.redo()
        assert same(states[at], session)
    session.undo()
    assert same(states[2], session)
    assert learned == []
    session.redo()
    session.withdraw(2)
    session.redo()
    session.undo()
    assert same(states[2], session), "what was remembered while the second was out is forgotten"
    session.close()


def test_nothing_can_be_redone_once_another_lesson_was_taught(start: Open) -> None:
    session = start()
    with pytest.raises(PromptError, match="there is nothing to redo"):
        session.redo()
    answer(session, *PAIRS[0])
    session.undo()
    answer(session, *PAIRS[1])
    with pytest.raises(PromptError, match="there is nothing to redo"):
        session.redo()
    session.close()


@pytest.mark.parametrize(
    "saved",
    [None, pytest.param(1, marks=pytest.mark.slow), 3],
    ids=["from memory", "from a checkpoint before", "a checkpoint after"],
)
def test_a_lesson_taken_out_of_the_middle_is_as_if_it_had_never_been_taught(
    start: Open, saved: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    for count, (prompt, reply) in enumerate(PAIRS, 1):
        answer(session, prompt, reply)
        if count == saved:
            session.save()
    whole, conversation = state(session), session.settings.context_path.read_bytes()
    if saved:
        session.close()
        session = start()
    learned, stages = counted(monkeypatch), list[str]()
    gone = session.withdraw(2, stages.append)
    assert gone is not None
    assert (gone.number, gone.withdrawn) == (2, True)
    seqs = [lesson.seq for lesson in session.store.state.lessons]
    if session.recipe.method == "module":
        assert (learned, stages) == ([], [])
    else:
        assert learned == (seqs[2:] if saved != 3 else [seqs[0], *seqs[2:]])
        assert stages[-1] == f"withdrawing 2: learning again {len(learned)} of {len(learned)}"
    assert [turn.prompt for turn in session.store.state.turns] == [PAIRS[at][0] for at in (0, 2, 3)]
    assert session.pending is None
    without = state(session)
    assert equals_a_replay(session)
    session.save()
    session.close()
    again = start()
    assert same(without, again)
    again.redo()
    assert same(whole, again)
    assert again.settings.context_path.read_bytes() == conversation
    again.undo()
    assert equals_a_replay(again)
    again.close()


def test_what_is_taught_after_a_withdrawal_can_be_undone_and_comes_back(start: Open) -> None:
    session = start()
    for prompt, reply in PAIRS[:3]:
        answer(session, prompt, reply)
    session.withdraw(1)
    without = state(session)
    answer(session, *PAIRS[3])
    with_it = state(session)
    session.undo()
    assert same(without, session)
    session.redo()
    assert same(with_it, session)
    session.close()
    again = start()
    assert same(with_it, again)
    again.close()


def test_a_checkpoint_is_used_again_once_what_was_withdrawn_is_back(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    for prompt, reply in PAIRS:
        answer(session, prompt, reply)
    session.save()
    session.withdraw(1)
    own = session.recipe.method == "module"
    assert (session.saved_at is None, session.unsaved) == ((False, 0) if own else (True, 3))
    session.redo()
    assert (session.saved_at is not None, session.unsaved) == (True, 0)
    session.close()
    learned = counted(monkeypatch)
    start().close()
    assert learned == []


def after(count: int) -> Callable[[], bool]:
    """Cancels when it has been asked `count` times."""
    asked = [0]

    def cancelled() -> bool:
        asked[0] += 1
        return asked[0] > count

    return cancelled


@pytest.mark.parametrize("count", [0, 2, 4, *(pytest.param(count, marks=pytest.mark.slow) for count in (1, 3))])
def test_a_withdrawal_that_is_cancelled_leaves_everything_as_it_was(start: Open, count: int) -> None:
    session = start()
    session.settings = replace(session.settings, recipe="classic")  # one step each: cancelled between two lessons too
    for prompt, reply in PAIRS:
        answer(session, prompt, reply)
    session.save()
    before, seq = state(session), session.store.journal.last_seq
    saved_at = session.saved_at
    told = (session.store.state.turns, session.store.state.active)
    assert session.withdraw(1, cancelled=after(count)) is None
    assert same(before, session)
    assert (session.store.state.turns, session.store.state.active) == told
    assert (session.store.journal.last_seq, session.saved_at, session.unsaved) == (seq, saved_at, 0)
    session.undo()  # the states in memory are still good
    assert equals_a_replay(session)
    session.close()


@pytest.mark.parametrize("change", ["undo", "redo", "withdraw"])
def test_a_change_that_cannot_be_written_has_not_happened(
    start: Open, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    for prompt, reply in PAIRS[:3]:
        answer(session, prompt, reply)
    if change == "redo":
        session.undo()
    before, seq = state(session), session.store.journal.last_seq
    turns = list(session.store.state.turns)

    def act() -> None:
        session.withdraw(1) if change == "withdraw" else getattr(session, change)()

    def fails(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", fails)
        with pytest.raises(HomeError, match="No space left"):
            act()
    assert same(before, session)
    assert (session.store.journal.last_seq, session.store.state.turns) == (seq, turns)
    act()
    assert isinstance(session.store.journal.entries[-1].record, (Withdraw, Restore))
    assert equals_a_replay(session)
    session.close()


def test_what_cannot_be_withdrawn_is_said(start: Open) -> None:
    session = start()
    with pytest.raises(PromptError, match="no lesson 1: none was taught yet"):
        session.withdraw(1)
    answer(session, *PAIRS[0])
    for number in (0, -1, 2):
        with pytest.raises(PromptError, match=f"no lesson {number}: there is only lesson 1"):
            session.withdraw(number)
    session.withdraw(1)
    with pytest.raises(PromptError, match="withdrawn already"):
        session.withdraw(1)
    session.close()


def test_a_lesson_withdrawn_without_a_model_is_left_out_at_the_next_start(start: Open, settings: Settings) -> None:
    from theta_tui.store.store import Store

    session = start()
    for prompt, reply in PAIRS[:3]:
        answer(session, prompt, reply)
    session.save()
    session.withdraw(2)
    expected = state(session)
    session.redo()
    session.close()
    record = Store.open(settings)
    record.withdraw(record.to_withdraw(2))
    record.close()
    again = start()
    assert same(expected, again)
    again.close()
