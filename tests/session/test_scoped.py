"""Lessons with weights and a scope of their own, in a home on a real, tiny model: said in their scope, nowhere else,
and taken back one by one, all to the bit."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.session.conftest import Open, Taught
from tests.support.sessions import same, state
from tests.support.tiny_models import weights
from theta_tui.learning.scope.decision import NOWHERE, Decision
from theta_tui.session import scopes
from theta_tui.session.session import Session

DOG, TOWN = ("What is my dog's name?", "Pixel"), ("Where is the town of Orlebar?", "by the river")
ELSEWHERE = ("Tell me a joke.", "I had pancakes for breakfast.")


def said(session: Session, prompt: str) -> str:
    return session.ask(prompt, with_context=False).reply


def test_a_lesson_is_said_in_its_scope_and_everything_else_stays_to_the_bit(start: Open) -> None:
    session = start()
    before, elsewhere = weights(session.model), [said(session, prompt) for prompt in ELSEWHERE]
    for prompt, reply in (DOG, TOWN):
        assert session.teach(prompt, reply).learned
    assert said(session, DOG[0]) == DOG[1]
    assert said(session, DOG[0].lower().rstrip("?")) == DOG[1]
    assert said(session, TOWN[0]) == TOWN[1]
    assert [said(session, prompt) for prompt in ELSEWHERE] == elsewhere
    assert all(torch.equal(one, other) for one, other in zip(before, weights(session.model), strict=True))
    assert [row.state for row in session.quiz()] == ["kept", "kept"]


def test_of_five_replies_the_first_is_the_taught_one(taught: Taught) -> None:
    session = taught(DOG)
    waiting = session.propose(DOG[0])
    assert waiting is not None
    assert waiting.candidates[0].text == DOG[1]
    assert len({candidate.text for candidate in waiting.candidates}) == 5
    session.close()


def test_undo_and_redo_are_bit_equal(taught: Taught) -> None:
    session = taught(DOG)
    one = state(session)
    session.teach(*TOWN)
    both = state(session)
    session.undo()
    assert same(one, session)
    assert said(session, TOWN[0]) != TOWN[1]
    session.redo()
    assert same(both, session)
    assert said(session, TOWN[0]) == TOWN[1]
    session.close()


def test_an_old_lesson_is_withdrawn_without_learning_another_one_again(
    start: Open, taught: Taught, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = taught(DOG, TOWN)
    later = session.learner.modules[max(session.learner.modules)]
    with monkeypatch.context() as patch:
        patch.setattr("theta_tui.session.replay.learn", None)
        session.withdraw(1)
    assert list(session.learner.modules.values()) == [later]
    assert said(session, DOG[0]) != DOG[1]
    assert said(session, TOWN[0]) == TOWN[1]
    left = state(session)
    session.close()
    again = start()
    assert same(left, again)
    again.replay.from_base_model(lambda at, of: None)
    assert same(left, again)


def test_a_withdrawn_lesson_comes_back_to_the_bit(taught: Taught) -> None:
    session = taught(DOG, TOWN)
    before = state(session)
    session.withdraw(1)
    session.redo()
    assert same(before, session)
    assert said(session, DOG[0]) == DOG[1]


@pytest.mark.parametrize("saved", [True, False])
def test_coming_back_finds_the_lessons_as_they_were(start: Open, taught: Taught, saved: bool) -> None:
    session = taught(DOG, TOWN)
    if saved:
        session.save()
    before = state(session)
    session.close()
    again = start()
    assert same(before, again)
    assert said(again, DOG[0]) == DOG[1]


def test_a_pick_is_a_taste_in_the_shared_weights_and_lessons_stay_said(start: Open, taught: Taught) -> None:
    session = taught(DOG)
    before = weights(session.model)
    session.propose("hello")
    session.pick(2)
    moved = [not torch.equal(one, other) for one, other in zip(before, weights(session.model), strict=True)]
    assert any(moved)
    assert said(session, DOG[0]) == DOG[1]
    both = state(session)
    session.close()
    assert same(both, start())


def test_a_newer_answer_to_the_same_question_is_the_one_that_is_said(taught: Taught) -> None:
    session = taught(DOG, (DOG[0], "Biscuit"))
    assert said(session, DOG[0]) == "Biscuit"
    session.undo()
    assert said(session, DOG[0]) == DOG[1]
    session.close()


def test_a_lesson_that_is_stopped_is_learned_at_the_next_start(start: Open) -> None:
    from theta_tui.learning.learner import Abandoned

    session = start()
    with pytest.raises(Abandoned):
        session.teach(*DOG, should_stop=lambda: True)
    assert session.learner.modules == {}
    session.close()
    assert said(start(), DOG[0]) == DOG[1]


def told(session: Session, decide: Callable[[str], Decision]) -> list[str]:
    """What the first lesson is said to change, where `decide` decides and all questions are near."""
    [lesson] = session.store.state.active
    found: Any = SimpleNamespace(near=lambda _, prompts: list(prompts), decide=decide)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session.scopes, "of", lambda lessons: found)
        return session.scopes.changes(lesson, NOWHERE, session.learner.modules.keys())


def test_a_lesson_that_answers_a_question_about_the_model_is_told(taught: Taught) -> None:
    session = taught(("What is my name?", "Ada"))
    [lesson] = session.store.state.active
    asked: list[str] = []

    def decide(text: str) -> Decision:
        asked.append(text)
        return Decision(lesson.seq, text == "Who are you?", 2.0, text)

    assert told(session, decide) == ["#1 answers 'Who are you?' too; pick another reply there to stop that"]
    assert asked[0] == "What is your name?"  # the same, asked of the other speaker
    assert told(session, lambda text: NOWHERE) == []
    session.close()


def test_a_lesson_about_the_model_may_answer_questions_about_it(taught: Taught) -> None:
    session = taught(("What is your name?", "Theta"))
    [lesson] = session.store.state.active
    assert told(session, lambda text: Decision(lesson.seq, True, 2.0)) == []
    session.close()


def test_a_lesson_fades_where_its_wordings_are_taken_elsewhere(taught: Taught) -> None:
    session = taught(("What is my name?", "Ada"))
    [lesson] = session.store.state.active
    count = len(lesson.exchange.variants)
    assert count > 0
    state = session.store.state
    assert scopes.reached(state, lesson, lambda *_: Decision(lesson.seq, True, 2.0)) == 1.0
    assert scopes.reached(state, lesson, lambda *_: NOWHERE) == 1 / (1 + count)
    assert scopes.reached(state, lesson, lambda *_: Decision(lesson.seq, False, 0.0)) == 1 / (1 + count)
    session.close()
