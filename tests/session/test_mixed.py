"""Lessons that are always on beside lessons with weights of their own, in one home: exact to the bit either way."""

from __future__ import annotations

import pytest

from tests.session.conftest import Open
from tests.session.test_session import PAIRS, same, state
from theta_tui.learning.recipes import RECIPES
from theta_tui.session.session import Teacher


def teach_always_on(teacher: Teacher, prompt: str, reply: str) -> None:
    teacher.own_recipe = RECIPES["adamw"]
    teacher.teach(prompt, reply)
    teacher.own_recipe = None


@pytest.mark.parametrize("saved", [True, False])
def test_a_lesson_with_weights_of_its_own_comes_back_beneath_one_that_is_always_on(start: Open, saved: bool) -> None:
    teacher = start()
    teacher.teach(*PAIRS[0])
    if saved:
        teacher.save()
    teach_always_on(teacher, *PAIRS[1])
    teacher.teach(*PAIRS[2])
    before = state(teacher)
    teacher.withdraw(1)
    teacher.close()
    again = start()
    again.redo()
    assert same(before, again)
    again.close()
    assert same(before, start())


def test_a_checkpoint_without_a_lesson_beneath_one_that_is_always_on_is_not_used_for_both(start: Open) -> None:
    teacher = start()
    teacher.teach(*PAIRS[0])
    teach_always_on(teacher, *PAIRS[1])
    before = state(teacher)
    teacher.withdraw(1)
    teacher.save()
    teacher.redo()
    assert same(before, teacher)
    teacher.close()
    again = start()
    assert same(before, again)
    again.close()
