"""Lessons that are always on beside lessons with weights of their own, in one home: exact to the bit either way."""

from __future__ import annotations

import pytest

from tests.session.conftest import Open
from tests.support.sessions import PAIRS, same, state
from theta_tui.learning.recipes import RECIPES
from theta_tui.session.session import Session

pytestmark = pytest.mark.usefixtures("short_lessons")


def teach_always_on(session: Session, prompt: str, reply: str) -> None:
    session.own_recipe = RECIPES["adamw"]
    session.teach(prompt, reply)
    session.own_recipe = None


@pytest.mark.parametrize("saved", [True, False])
def test_a_lesson_with_weights_of_its_own_comes_back_beneath_one_that_is_always_on(start: Open, saved: bool) -> None:
    session = start()
    session.teach(*PAIRS[0])
    if saved:
        session.save()
    teach_always_on(session, *PAIRS[1])
    session.teach(*PAIRS[2])
    before = state(session)
    session.withdraw(1)
    session.close()
    again = start()
    again.redo()
    assert same(before, again)
    again.close()
    assert same(before, start())


def test_a_checkpoint_without_a_lesson_beneath_one_that_is_always_on_is_not_used_for_both(start: Open) -> None:
    session = start()
    session.teach(*PAIRS[0])
    teach_always_on(session, *PAIRS[1])
    before = state(session)
    session.withdraw(1)
    session.save()
    session.redo()
    assert same(before, session)
    session.close()
    again = start()
    assert same(before, again)
    again.close()
