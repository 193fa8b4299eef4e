"""Facts that a message states, taught beside the conversation, on a real, tiny model."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import structs

from tests.support.sessions import PAIRS, Open, answer, same, state
from theta_tui.base import config
from theta_tui.store.records import Exchange, Stated
from theta_tui.store.store import Store

pytestmark = pytest.mark.usefixtures("short_lessons")


def test_an_answer_that_is_replaced_is_named_but_not_where_the_person_just_corrected_it(start: Open) -> None:
    session = start()
    answer(session, "and you?", "I am fine")
    session.correct_last("so am I")
    assert not [notice for notice in session.store.take_notices() if "instead of" in notice]
    answer(session, "And you", "yes yes")
    assert session.store.take_notices() == ["#3 answers 'And you' from now on instead of #2"]
    session.close()


def test_a_statement_is_learned_beside_the_conversation(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    context = session.settings.context_path.read_bytes()
    waiting = session.propose("Your creator is Dakota.")
    assert waiting is not None
    assert waiting.statement == Stated("Who is your creator?", "My creator is Dakota.")
    outcome = session.state("Who is your creator?", "Dakota.", said=waiting.prompt)
    assert outcome.kind == "statement"
    assert outcome.steps > 1
    assert outcome.p_after > outcome.p_before
    assert session.settings.context_path.read_bytes() == context
    assert session.pending == structs.replace(waiting, statement=None)
    lesson = session.store.state.lessons[-1]
    assert lesson.exchange.said == "Your creator is Dakota."
    assert lesson.context == ()
    assert not lesson.exchange.conversation
    session.pick(2)
    assert session.pending is None
    assert len(session.store.state.turns) == 2
    before = state(session)
    session.close()
    again = start()
    assert same(before, again)
    again.close()


def test_a_statement_can_be_undone_and_is_then_offered_again(start: Open) -> None:
    session = start()
    before = state(session)
    waiting = session.propose("I live in Oslo.")
    assert waiting is not None
    assert waiting.statement is not None
    session.state(waiting.statement.prompt, waiting.statement.reply, said=waiting.prompt)
    session.undo()
    assert same(before, session)
    assert session.pending == waiting
    session.close()


def test_the_offered_statement_outlives_a_restart_and_other_replies(start: Open) -> None:
    session = start()
    waiting = session.propose("I live in Oslo.")
    session.close()
    again = start()
    assert again.pending == waiting
    others = again.propose("I live in Oslo.", again=True)
    assert waiting is not None
    assert others is not None
    assert others.statement == waiting.statement
    again.close()


def test_a_statement_learned_just_before_a_crash_is_not_offered_again(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    waiting = session.propose("I live in Oslo.")
    assert waiting is not None
    monkeypatch.setattr(Store, "append", _crash_after(Exchange, Store.append))
    with pytest.raises(KeyboardInterrupt):
        session.state("Where do I live?", "You live in Oslo.", said=waiting.prompt)
    monkeypatch.undo()
    session.close()
    again = start()
    assert again.pending == structs.replace(waiting, statement=None)
    assert again.store.state.lessons[-1].outcome is not None
    again.close()


def _crash_after(kind: type, append: Callable[..., object]) -> Callable[..., object]:
    """`append`, and then the end of the process, once a record of `kind` is on disk."""

    def crashing(self: Store, record: object) -> object:
        append(self, record)
        if isinstance(record, kind):
            raise KeyboardInterrupt
        raise AssertionError(record)

    return crashing


def test_statements_can_be_switched_off_and_know_the_question_before(start: Open) -> None:
    session = start()
    answer(session, "what day is it?", "Monday")
    right = session.propose("No, it's Friday.")
    assert right is not None
    assert right.statement == Stated("what day is it?", "It is Friday.")
    session.settings = config.change(session.settings, "statements", "off")
    without = session.propose("I live in Oslo.")
    assert without is not None
    assert without.statement is None
    session.close()
