"""What was said before a lesson and is said now: known, or asked afterwards, in a home on a real, tiny model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.session.conftest import Open
from theta_tui.model.decoding.protocol import SLICE
from theta_tui.session.comparing import compare
from theta_tui.session.session import Session
from theta_tui.store import retention
from theta_tui.store.records import Compared
from theta_tui.store.state import State

DOG = ("What is my dog's name?", "Pixel")


def compared(session: Session) -> list[Compared]:
    return [entry.record for entry in session.store.journal.entries if isinstance(entry.record, Compared)]


def test_what_was_said_before_a_fact_is_asked_after_it_and_kept(start: Open) -> None:
    session = start()
    before = session.ask(DOG[0], with_context=False).reply
    assert session.teach(*DOG).learned
    assert session.ask(DOG[0], with_context=False).reply == DOG[1] != before
    list(compare(session, 1))
    assert compared(session) == [Compared(2, before)], "what is said now was learned, and needs no asking"
    assert session.ask(DOG[0], with_context=False).reply == DOG[1], "the lesson is as it was"
    (row,) = session.review.rows()
    assert (row.said_before, row.says_now) == (before, DOG[1])
    list(compare(session, 1))
    assert len(compared(session)) == 1, "once is enough"
    session.close()
    again = State.of(session.store.journal.entries)
    assert retention.said_before(again.lessons[0]) == before


def test_an_earlier_answer_is_what_was_said_before(start: Open) -> None:
    session = start()
    session.teach(*DOG)
    session.teach(DOG[0], "Bella")
    list(compare(session, 2))
    assert [found.before for found in compared(session)] == [DOG[1]]
    session.close()


def test_nothing_is_asked_where_both_are_known(start: Open) -> None:
    session = start()
    waiting = session.propose("How are you?")
    assert waiting is not None
    assert session.correct("Fine!").learned
    assert list(compare(session, 1)) == []
    assert compared(session) == []
    (row,) = session.review.rows()
    assert (row.said_before, row.says_now) == (waiting.candidates[0].text, "Fine!")
    session.close()


def test_a_pick_that_is_not_said_yet_is_asked_what_is_said(start: Open) -> None:
    session = start()
    waiting = session.propose("How are you?")
    assert waiting is not None
    picked = session.pick(5)
    list(compare(session, 1))
    now = session.ask("How are you?", with_context=False).reply
    (row,) = session.review.rows()
    assert (row.said_before, row.says_now) == (waiting.candidates[0].text, now)
    assert [found.now for found in compared(session)] == ([] if picked.learned else [now])
    session.close()


def test_a_command_that_comes_ends_the_asking_and_nothing_is_kept(start: Open) -> None:
    session = start()
    session.teach(*DOG)
    work = compare(session, 1, lambda: True)
    next(work)
    work.close()
    assert compared(session) == []
    list(compare(session, 2))
    session.withdraw(1)
    list(compare(session, 1))
    assert compared(session) == [], "only the last lesson can be asked, and only while it counts"
    session.close()


def test_a_command_that_comes_waits_for_a_slice_of_the_conversation_at_most(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    for prompt in ("How are you?", "What is your name?", "Where do you live?"):
        assert session.propose(prompt) is not None
        session.correct("I am fine, thank you, and I have always lived in a small house by the sea.")
    assert session.propose("How are you?") is not None
    assert not session.pick(5).learned
    read: list[int] = []
    run = session.model.decoder.run  # type: ignore[attr-defined]

    def counted(tokens: list[int], *given: Any, last: bool, **more: Any) -> Any:
        read.extend([len(tokens)] * last)
        return run(tokens, *given, last=last, **more)

    monkeypatch.setattr(session.model.decoder, "run", counted)
    work = compare(session, 4, lambda: True)
    next(work)
    work.close()
    assert read == [SLICE]
    list(compare(session, 4))
    assert sum(read) > 2 * SLICE, "read to its end where nobody waits"
    session.close()


@pytest.mark.parametrize("says", [True, False])
def test_what_is_said_now_follows_the_last_review(start: Open, says: bool) -> None:
    session = start()
    session.teach(*DOG)
    lesson = session.store.state.lessons[0]
    assert retention.says_now(lesson, says) == (DOG[1] if says else None)
    lesson.says_now = "Bella"
    assert retention.says_now(lesson, says) == (DOG[1] if says else "Bella")
    lesson.says_now = DOG[1]
    assert retention.says_now(lesson, False) is None, "it said so once, and does not any more"
    session.close()
