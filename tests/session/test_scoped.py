"""Lessons with weights and a scope of their own, in a home on a real, tiny model: said in their scope, nowhere else,
and taken back one by one, all to the bit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.session.conftest import opened
from tests.session.test_session import same, state
from tests.support.tiny_models import weights
from theta_tui.base.config import Settings
from theta_tui.session.session import Teacher

Open = Callable[[], Teacher]
DOG, TOWN = ("What is my dog's name?", "Pixel"), ("Where is the town of Orlebar?", "by the river")
ELSEWHERE = ("Tell me a joke.", "I had pancakes for breakfast.")


@pytest.fixture
def start(settings: Settings) -> Open:
    return lambda: opened(settings)


def taught(start: Open, *pairs: tuple[str, str]) -> Teacher:
    teacher = start()
    for prompt, reply in pairs:
        assert teacher.teach(prompt, reply).learned
    return teacher


def said(teacher: Teacher, prompt: str) -> str:
    return teacher.ask(prompt, with_context=False).reply


def test_a_lesson_is_said_in_its_scope_and_everything_else_stays_to_the_bit(start: Open) -> None:
    teacher = start()
    before, elsewhere = weights(teacher.model), [said(teacher, prompt) for prompt in ELSEWHERE]
    for prompt, reply in (DOG, TOWN):
        assert teacher.teach(prompt, reply).learned
    assert said(teacher, DOG[0]) == DOG[1]
    assert said(teacher, DOG[0].lower().rstrip("?")) == DOG[1]
    assert said(teacher, TOWN[0]) == TOWN[1]
    assert [said(teacher, prompt) for prompt in ELSEWHERE] == elsewhere
    assert all(torch.equal(one, other) for one, other in zip(before, weights(teacher.model), strict=True))
    assert [standing.state for standing in teacher.quiz()] == ["kept", "kept"]


def test_of_five_replies_the_first_is_the_taught_one(start: Open) -> None:
    teacher = taught(start, DOG)
    waiting = teacher.propose(DOG[0])
    assert waiting is not None
    assert waiting.candidates[0].text == DOG[1]
    assert len({candidate.text for candidate in waiting.candidates}) == 5


def test_undo_and_redo_are_bit_equal(start: Open) -> None:
    teacher = taught(start, DOG)
    one = state(teacher)
    teacher.teach(*TOWN)
    both = state(teacher)
    teacher.undo()
    assert same(one, teacher)
    assert said(teacher, TOWN[0]) != TOWN[1]
    teacher.redo()
    assert same(both, teacher)
    assert said(teacher, TOWN[0]) == TOWN[1]


def test_an_old_lesson_is_withdrawn_without_learning_another_one_again(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = taught(start, DOG, TOWN)
    later = teacher.learner.modules[max(teacher.learner.modules)]
    with monkeypatch.context() as patch:
        patch.setattr("theta_tui.session.replay.learn", None)
        teacher.withdraw(1)
    assert list(teacher.learner.modules.values()) == [later]
    assert said(teacher, DOG[0]) != DOG[1]
    assert said(teacher, TOWN[0]) == TOWN[1]
    left = state(teacher)
    teacher.close()
    again = start()
    assert same(left, again)
    again.fold.from_foundation(lambda at, of: None)
    assert same(left, again)


def test_a_withdrawn_lesson_comes_back_to_the_bit(start: Open) -> None:
    teacher = taught(start, DOG, TOWN)
    before = state(teacher)
    teacher.withdraw(1)
    teacher.redo()
    assert same(before, teacher)
    assert said(teacher, DOG[0]) == DOG[1]


@pytest.mark.parametrize("saved", [True, False])
def test_coming_back_finds_the_lessons_as_they_were(start: Open, saved: bool) -> None:
    teacher = taught(start, DOG, TOWN)
    if saved:
        teacher.save()
    before = state(teacher)
    teacher.close()
    again = start()
    assert same(before, again)
    assert said(again, DOG[0]) == DOG[1]


def test_a_pick_is_a_taste_in_the_shared_weights_and_lessons_stay_said(start: Open) -> None:
    teacher = taught(start, DOG)
    before = weights(teacher.model)
    teacher.propose("hello")
    teacher.pick(2)
    moved = [not torch.equal(one, other) for one, other in zip(before, weights(teacher.model), strict=True)]
    assert any(moved)
    assert said(teacher, DOG[0]) == DOG[1]
    both = state(teacher)
    teacher.close()
    assert same(both, start())


def test_a_newer_answer_to_the_same_question_is_the_one_that_is_said(start: Open) -> None:
    teacher = taught(start, DOG, (DOG[0], "Biscuit"))
    assert said(teacher, DOG[0]) == "Biscuit"
    teacher.undo()
    assert said(teacher, DOG[0]) == DOG[1]


def test_a_lesson_that_is_stopped_is_learned_at_the_next_start(start: Open) -> None:
    from theta_tui.learning.learner import Abandoned

    teacher = start()
    with pytest.raises(Abandoned):
        teacher.teach(*DOG, should_stop=lambda: True)
    assert teacher.learner.modules == {}
    teacher.close()
    assert said(start(), DOG[0]) == DOG[1]
