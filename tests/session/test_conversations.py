"""Several conversations of one home: each goes on where it was left, and what was taught is shared by all."""

from __future__ import annotations

import pytest

from tests.session.conftest import Open
from tests.session.test_said import say
from tests.session.test_session import PAIRS, answer, same, state
from theta_tui.base.errors import PromptError
from theta_tui.session.session import Session
from theta_tui.store.records import Exchange, Said

pytestmark = pytest.mark.usefixtures("short_lessons")


def prompts(session: Session) -> list[str]:
    return [turn.prompt for turn in session.store.state.turns]


def context(session: Session) -> str:
    return session.settings.context_path.read_text("utf-8")


def test_a_conversation_that_is_opened_goes_on_and_is_the_conversation_file(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    store = session.store
    store.begin_conversation()
    say(session, "what now?")
    taught, second = state(session), context(session)
    assert store.open_conversation(1).number == 1
    assert (prompts(session), context(session).count("<|user|>")) == ([PAIRS[0][0]], 1)
    say(session, "and then?")
    assert prompts(session) == [PAIRS[0][0], "and then?"]
    assert same(taught, session)
    session.close()
    again = start()
    assert (again.store.state.open.number, prompts(again)) == (1, [PAIRS[0][0], "and then?"])
    again.store.open_conversation(2)
    assert context(again) == second
    assert [notice for notice in again.store.take_notices() if "by hand" in notice] == []
    again.close()


def test_records_name_their_conversation_once_there_is_more_than_one(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    session.store.begin_conversation()
    say(session, "what now?")
    session.teach("outside", "of any")
    records = [entry.record for entry in session.store.journal.entries]
    ids = [record.conversation_id for record in records if isinstance(record, (Exchange, Said))]
    assert ids == [None, 2, None]
    session.close()


def test_a_conversation_file_that_a_person_edited_is_the_open_conversation_and_no_other(start: Open) -> None:
    session = start()
    say(session, "one")
    session.store.begin_conversation()
    say(session, "two")
    session.close()
    session.settings.context_path.write_text("<|user|> mine <|assistant|> yes\n", "utf-8")
    again = start()
    assert prompts(again) == ["mine"]
    again.store.open_conversation(1)
    assert prompts(again) == ["one"]
    again.close()


def test_a_lesson_is_taken_back_in_its_own_conversation_and_its_prompt_waits_only_there(start: Open) -> None:
    session = start()
    session.propose("hello")
    session.pick(2)
    session.store.begin_conversation()
    say(session, "what now?")
    session.undo()
    assert session.pending is None, "answered in this conversation it would stand in the wrong one"
    assert prompts(session) == ["what now?"]
    session.store.open_conversation(1)
    assert prompts(session) == []
    session.redo()
    assert prompts(session) == ["hello"]
    session.undo()
    assert session.pending is not None
    session.close()


def test_an_older_turn_is_corrected_in_its_place_and_given_back(start: Open) -> None:
    session = start()
    first = say(session, "what now?")
    say(session, "and then?")
    before = state(session)
    outcome = session.correct_turn(1, "tell me more", prompt="what now?")
    assert (outcome.prompt, outcome.reply) == ("what now?", "tell me more")
    assert [turn.reply for turn in session.store.state.turns][:1] == ["tell me more"]
    assert prompts(session) == ["what now?", "and then?"]
    assert session.store.state.lessons[0].context == ()
    session.close()
    again = start()
    assert prompts(again) == ["what now?", "and then?"]
    again.undo()
    assert [turn.reply for turn in again.store.state.turns][:1] == [first]
    assert same(before, again)
    for number, prompt, why in ((3, None, "1 to 2"), (0, None, "1 to 2"), (1, "and then?", "another one now")):
        with pytest.raises(PromptError, match=why):
            again.correct_turn(number, "no", prompt=prompt)
    again.close()


def test_deleting_hides_and_forgets_nothing(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    store, taught = session.store, state(session)
    store.rename_conversation(1, "  the \x1b first  ")
    assert store.state.open.name == "the ␛ first"
    store.delete_conversation(1)
    assert (store.state.open.number, prompts(session)) == (2, [])
    assert [talk.deleted for talk in store.state.conversations] == [True, False]
    assert same(taught, session)
    with pytest.raises(PromptError, match="brings it back"):
        store.delete_conversation(1)
    with pytest.raises(PromptError, match="there are 1 to 2"):
        store.open_conversation(3)
    assert store.open_conversation(1).deleted is False
    assert prompts(session) == [PAIRS[0][0]]
    session.close()
