"""Lessons that fail or are refused leave everything as it was."""

from __future__ import annotations

import errno
import os

import pytest

from tests.support.sessions import PAIRS, Open, answer, break_steps, same, state
from theta_tui.base.errors import HomeError, TeachError
from theta_tui.learning.optimizer import NotFinite
from theta_tui.store.records import Failure

pytestmark = pytest.mark.usefixtures("short_lessons")


def test_a_lesson_whose_outcome_cannot_be_written_is_not_acknowledged(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    answer(session, *PAIRS[0])
    waiting = session.propose(PAIRS[1][0])
    before, seq = state(session), session.store.journal.last_seq
    real, calls = os.write, [0]

    def second_write_fails(descriptor: int, data: bytes) -> int:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    with monkeypatch.context() as full:
        full.setattr(os, "write", second_write_fails)
        with pytest.raises(HomeError, match="No space left"):
            session.correct(PAIRS[1][1])
    assert same(before, session)
    assert session.store.journal.last_seq == seq
    assert session.pending == waiting
    assert len(session.store.state.turns) == 1
    assert session.correct(PAIRS[1][1]).lesson == 2
    after = state(session)
    session.close()
    again = start()
    assert same(after, again)
    again.close()


def test_a_lesson_that_fails_leaves_everything_as_it_was_and_the_next_one_works(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    session.propose(PAIRS[0][0])
    before = state(session)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as broken:
        break_steps(broken, fails)
        with pytest.raises(TeachError, match="ran out of memory"):
            session.correct(PAIRS[0][1])
    assert same(before, session)
    assert isinstance(session.store.journal.entries[-1].record, Failure)
    assert session.store.state.turns == []
    outcome = session.correct(PAIRS[0][1])
    assert outcome.loss_after < outcome.loss_before
    after = state(session)
    session.close()
    again = start()
    assert same(after, again)
    again.close()


def test_a_lesson_that_fails_on_a_full_disk_is_as_if_it_had_never_begun(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    session.propose(PAIRS[0][0])
    before, seq, real = state(session), session.store.journal.last_seq, os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"type":"failure"' in bytes(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("out of luck")

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", full)
        break_steps(broken, fails)
        with pytest.raises(RuntimeError, match="out of luck"):
            session.correct(PAIRS[0][1])
    assert same(before, session)
    assert session.store.journal.last_seq == seq
    assert session.store.state.lessons == []
    session.close()
    again = start()
    assert same(before, again)
    again.close()


def test_a_lesson_that_is_not_finite_moves_nothing_and_is_told(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start()
    session.propose(PAIRS[0][0])
    before = state(session)

    def no_number(*_: object, **__: object) -> None:
        raise NotFinite("the gradient was nan")

    with monkeypatch.context() as broken:
        break_steps(broken, no_number)
        outcome = session.correct(PAIRS[0][1])
    assert outcome.skipped is not None
    assert same(before, session)
    assert session.store.state.active == []
    session.close()
    again = start()
    assert same(before, again)
    again.close()


@pytest.mark.parametrize("blank", ["", " \n\t", "\u200b\u2060", "\ufe0f"])
def test_a_blank_text_is_neither_asked_nor_taught(start: Open, blank: str) -> None:
    session = start()
    with pytest.raises(TeachError, match="the prompt is empty"):
        session.propose(blank)
    with pytest.raises(TeachError, match="the question is empty"):
        session.ask(blank)
    session.propose("hello")
    seq = session.store.journal.last_seq
    with pytest.raises(TeachError, match="is empty; nothing was learned"):
        session.correct(blank)
    assert session.store.journal.last_seq == seq
    session.close()


def test_what_cannot_be_stored_is_repaired_with_notice_before_it_is_taught(start: Open) -> None:
    session = start()
    session.propose("  hel\ud800lo\r\n ")
    assert any("replaced" in notice for notice in session.store.take_notices())
    session.correct("well\udfff met ")
    assert any("replaced" in notice for notice in session.store.take_notices())
    turn = session.store.state.turns[-1]
    assert (turn.prompt, turn.reply) == ("hel\ufffdlo", "well\ufffd met")
    session.close()


def test_a_reply_that_does_not_fit_is_refused_before_anything_is_written(start: Open) -> None:
    session = start()
    session.propose("hello")
    seq = session.store.journal.last_seq
    with pytest.raises(TeachError, match="too long"):
        session.correct("fox " * 500)
    assert session.store.journal.last_seq == seq
    assert session.pending is not None
    session.close()
