"""Said, not taught: a turn of the conversation that no lesson is made of, and that every change of the past leaves."""

from __future__ import annotations

import pytest
from msgspec import structs

from tests.session.conftest import Open
from tests.session.test_session import PAIRS, answer, same, state
from theta_tui.base.errors import PromptError
from theta_tui.session.session import Session
from theta_tui.store import codec, pending
from theta_tui.store.journal import Journal
from theta_tui.store.records import Said
from theta_tui.store.store import Store

pytestmark = pytest.mark.usefixtures("short_lessons")


def say(session: Session, prompt: str) -> str:
    """Go on talking: `prompt` is answered by the first reply, which is returned."""
    waiting = session.propose(prompt)
    assert waiting is not None
    session.store.say(waiting.prompt_id)
    return waiting.candidates[0].text


def turns(session: Session) -> list[tuple[str, str, str]]:
    return [(turn.prompt, turn.reply, turn.kind) for turn in session.store.state.turns]


def test_it_stands_in_the_conversation_and_teaches_nothing(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    before = state(session)
    reply = say(session, "what now?")
    assert session.pending is None
    assert same(before, session)
    assert len(session.store.state.lessons) == 1
    assert turns(session) == [(*PAIRS[0], "correction"), ("what now?", reply, "said")]
    assert tuple(session.store.state.history) == (PAIRS[0], ("what now?", reply))
    said = session.settings.context_path.read_bytes()
    assert said.startswith(b"<|user|> who made you?")
    assert b"<|user|> what now?" in said
    session.close()
    again = start()
    assert same(before, again)
    assert again.settings.context_path.read_bytes() == said
    assert turns(again)[1] == ("what now?", reply, "said")
    assert not [notice for notice in again.store.take_notices() if "by hand" in notice]
    again.close()


def test_nothing_waits_then_and_a_stale_prompt_is_refused(start: Open) -> None:
    session = start()
    with pytest.raises(PromptError, match="no prompt waits"):
        session.store.say()
    session.propose("hello")
    with pytest.raises(PromptError, match="was answered or replaced"):
        session.store.say("beef")
    assert session.pending is not None
    session.close()


def test_a_lesson_before_it_is_undone_and_brought_back_around_it(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    reply = say(session, "what now?")
    before, conversation = state(session), session.settings.context_path.read_bytes()
    session.undo()
    assert turns(session) == [("what now?", reply, "said")]
    session.redo()
    assert same(before, session)
    assert session.settings.context_path.read_bytes() == conversation
    session.withdraw(1)
    assert turns(session) == [("what now?", reply, "said")]
    session.close()


def test_the_prompt_that_undo_offers_again_is_answered_once(start: Open) -> None:
    """Redo would put a second turn beside the one that was said."""
    session = start()
    session.propose("hello")
    session.pick(2)
    session.undo()
    assert session.pending is not None
    reply = session.pending.candidates[0].text
    session.store.say()
    assert turns(session) == [("hello", reply, "said")]
    assert session.store.state.undone is None
    session.close()
    again = start()
    assert again.store.state.undone is None
    again.close()


def test_a_better_reply_takes_its_place_and_gives_it_back_when_it_is_undone(start: Open) -> None:
    session = start()
    reply = say(session, "what now?")
    before = state(session)
    session.correct_last("tell me more")
    assert turns(session) == [("what now?", "tell me more", "correction")]
    assert [lesson.exchange.reply for lesson in session.store.state.active] == ["tell me more"]
    session.undo()
    assert turns(session) == [("what now?", reply, "said")]
    assert same(before, session)
    session.close()


def test_what_a_crash_left_waiting_although_it_was_said_does_not_wait(start: Open) -> None:
    session = start()
    waiting = session.propose("hello")
    assert waiting is not None
    session.store.say()
    pending.save(session.store.home.pending, waiting)
    session.close()
    again = start()
    assert again.pending is None
    assert len(turns(again)) == 1
    pending.save(again.store.home.pending, structs.replace(waiting, prompt_id="another"))
    again.close()
    other = start()
    assert other.pending is not None
    other.close()


def test_lessons_after_it_are_taught_as_if_it_had_been_said_by_hand(start: Open) -> None:
    session = start()
    say(session, "what now?")
    outcome = answer(session, *PAIRS[0])
    assert outcome.lesson == 1
    assert session.store.state.active[0].context.asked == "what now?"
    before = state(session)
    session.close()
    again = start()
    assert same(before, again)
    again.close()


def test_a_version_that_does_not_know_it_reads_the_journal_and_writes_nothing(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    say(session, "what now?")
    path, settings = session.store.home.journal, session.settings
    session.close()
    before = path.read_bytes()
    kept = codec._TYPES.pop("said")
    try:
        assert "newer" in (Journal.open(path).read_only or "")
        assert Store.read(settings).read_only is not None
    finally:
        codec._TYPES["said"] = kept
    assert path.read_bytes() == before
    assert isinstance(Journal.read(path).entries[-1].record, Said)
