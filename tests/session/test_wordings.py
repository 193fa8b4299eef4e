"""Other wordings and earlier lessons, learned beside a lesson: journalled, repeated exactly, and never against it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from msgspec import structs

from tests.learning.lessons import spoil
from tests.session.conftest import Open
from tests.support.tiny_models import equal, weights
from theta_tui.base.config import Settings
from theta_tui.facts.paraphrases import variants
from theta_tui.learning.recipes import RECIPES
from theta_tui.session.session import Session
from theta_tui.session.teaching import earlier_answers, learn
from theta_tui.store.records import Exchange

pytestmark = pytest.mark.usefixtures("short_lessons")


QUESTION, REPLY = "Where does my brother live?", "He lives in Oslo."


def everything(session: Session) -> list[torch.Tensor]:
    tensors, _ = session.learner.state()
    return [*weights(session.model), *(tensors[name].clone() for name in sorted(tensors))]


def exchanges(session: Session) -> list[Exchange]:
    return [lesson.exchange for lesson in session.store.state.lessons]


def past(session: Session) -> set[tuple[str, str]]:
    """All that may be rehearsed with the newest lesson, each as of when it was taught."""
    lessons = session.store.state.lessons
    found = earlier_answers(session.store.state, lessons[-1], 99)
    assert len(set(found)) == len(found)
    assert {at for _, _, at in found} <= {lesson.at for lesson in lessons}
    return {(prompt, reply) for prompt, reply, _ in found}


def test_the_exchange_holds_the_wordings_that_were_learned_beside_it(start: Open, settings: Settings) -> None:
    session = start()
    session.teach(QUESTION, REPLY)
    session.propose(QUESTION)
    session.pick(2)
    session.propose("hello")
    session.store.pass_over()
    expected = variants(QUESTION, session.statements.dictionary)[: RECIPES["adamw"].variants]
    assert len(expected) == 2
    assert QUESTION not in expected
    assert [exchange.variants for exchange in exchanges(session)] == [expected, expected]
    journal = settings.home / "journal.jsonl"
    session.close()
    written = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    found = [record.get("variants") for record in written if record.get("kind") in ("correction", "pick", "none")]
    assert [list(expected)] * 2 == [some for some in found if some]


def test_the_classic_recipe_has_no_other_wordings(start: Open) -> None:
    session = start()
    session.settings = replace(session.settings, recipe="classic")
    session.teach(QUESTION, REPLY)
    assert exchanges(session)[0].variants == ()
    session.close()


def test_a_replay_uses_the_wordings_of_the_journal(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start()
    session.teach(QUESTION, REPLY)
    session.teach("What is my dog called?", "Rex")
    before = everything(session)
    session.close()
    # Another version may word them otherwise; what was learned stays what it was.
    monkeypatch.setattr("theta_tui.session.session.variants", lambda *_: ("something else", "and else"))
    again = start()
    assert equal(before, everything(again))
    again.undo()
    again.redo()
    assert equal(before, everything(again))
    again.teach(QUESTION, REPLY)
    assert exchanges(again)[-1].variants == ("something else", "and else")
    again.close()


def test_the_wordings_make_a_difference(start: Open, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start()
    untaught = session.learner.snapshot()
    session.teach(QUESTION, REPLY)
    [lesson] = session.store.state.lessons
    with_them = everything(session)
    session.learner.restore(untaught)
    learn(session.learner, session.store.state, lesson, session.recipe)
    assert equal(with_them, everything(session))
    session.learner.restore(untaught)
    without = replace(lesson, exchange=structs.replace(lesson.exchange, variants=()))
    learn(session.learner, session.store.state, without, session.recipe)
    assert not equal(with_them, everything(session))
    session.close()


def test_what_is_rehearsed_holds_neither_the_question_nor_an_answer_that_was_replaced(start: Open) -> None:
    session = start()
    session.teach("my dog?", "Rex")
    assert past(session) == set()
    session.teach("My  dog", "Bello")
    assert past(session) == set()
    session.teach(QUESTION, REPLY)
    assert past(session) == {("My  dog", "Bello")}
    session.propose("hello")
    session.correct("hello my friend")
    assert past(session) == {("My  dog", "Bello"), (QUESTION, REPLY)}
    session.correct_last("hello you")
    assert past(session) == {("My  dog", "Bello"), (QUESTION, REPLY)}
    session.teach("and you", "I am fine")
    assert past(session) == {("My  dog", "Bello"), (QUESTION, REPLY), ("hello", "hello you")}
    # What came later is no past of an earlier lesson, however often that is learned again.
    state = session.store.state
    assert [pair[:2] for pair in earlier_answers(state, state.lessons[2], 99)] == [("My  dog", "Bello")]
    session.close()


def test_what_was_taken_back_is_not_rehearsed_and_what_it_had_replaced_is(start: Open) -> None:
    session = start()
    session.teach("my dog?", "Rex")
    session.teach("my dog?", "Bello")
    session.undo()
    session.teach(QUESTION, REPLY)
    assert past(session) == {("my dog?", "Rex")}
    session.withdraw(1)
    assert past(session) == set()
    session.close()


def test_what_was_skipped_is_not_rehearsed(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start()
    with monkeypatch.context() as patch:
        spoil(patch, lambda logits: logits * float("nan"))
        session.settings = replace(session.settings, recipe="adamw")
        assert session.teach("my dog?", "Rex").skipped
    session.teach(QUESTION, REPLY)
    assert past(session) == set()
    session.close()


def test_a_few_of_many_are_rehearsed_and_the_same_ones_each_time(start: Open) -> None:
    session = start()
    for number in range(7):
        session.teach(f"number {number}", f"it is {number}")
    state = session.store.state
    chosen = [earlier_answers(session.store.state, lesson, 2) for lesson in state.lessons]
    assert [len(some) for some in chosen] == [0, 1, 2, 2, 2, 2, 2]
    assert chosen == [earlier_answers(session.store.state, lesson, 2) for lesson in state.lessons]
    assert earlier_answers(session.store.state, state.lessons[-1], 0) == []
    before = everything(session)
    session.close()
    again = start()
    assert equal(before, everything(again))
    again.close()


def test_no_wording_of_the_lesson_is_rehearsed_with_another_answer(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    session.teach("What's my dog called?", "Rex")
    monkeypatch.setattr("theta_tui.session.session.variants", lambda *_: ("What's my dog called?",))
    session.teach("What is my dog called?", "Bello")
    assert exchanges(session)[-1].variants == ("What's my dog called?",)
    assert past(session) == set()
    session.close()
