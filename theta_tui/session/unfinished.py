"""Continues lessons in idle time that the model did not say after all their steps.

Such a lesson is learned anew with more steps. Its first steps are the same as before, so in effect it continues, and a
replay takes as many. Imports no torch itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from theta_tui.base.text import shortened
from theta_tui.learning.recipes import Recipe
from theta_tui.session.replay import is_always_on
from theta_tui.session.teaching import learn, outcome
from theta_tui.store import retention
from theta_tui.store.records import Learned

if TYPE_CHECKING:
    from theta_tui.session.session import Session
    from theta_tui.store.state import Lesson, State

LONGER = 4
"""A lesson may take this many times its recipe's steps in all. Of ten odd replies that the built-in model does not say
after 24 steps, those that it ever says are said by the 48th; the others, in scripts whose letters it never read, are
not said after 200."""


def unfinished(state: State, signs: bool) -> list[Lesson]:
    """The lessons whose answers hold, that are not said yet and have steps left. `signs` as in `is_always_on`.

    Lessons before one that is always on stay as they are: it moved the weights on which they would go on.
    """
    since = takewhile(lambda one: not is_always_on(one, signs), reversed(state.active))
    left = {one.seq for one in since if _has_steps_left(one)}
    return [one for one in retention.active_answers(state) if one.seq in left]


def _has_steps_left(lesson: Lesson) -> bool:
    result = lesson.outcome
    if result is None or result.learned or not retention.has_scope(lesson):
        return False
    return result.steps < LONGER * Recipe.from_dict(lesson.recipe).max_steps


def finish(session: Session, interrupted: Callable[[], bool]) -> Iterator[None]:
    """Continue unfinished lessons one after the other; yields after each. `interrupted` ends the current one without
    any change; it begins anew another time."""
    from theta_tui.learning.learner import Abandoned

    if session.store.read_only is not None:
        return
    for lesson in unfinished(session.store.state, bool(session.learner.signs.modules)):
        try:
            _go_on(session, lesson, interrupted)
        except Abandoned:
            return
        yield


def _go_on(session: Session, lesson: Lesson, interrupted: Callable[[], bool]) -> None:
    learner, store, begun = session.learner, session.store, time.perf_counter()
    recipe = Recipe.from_dict(lesson.recipe)
    longer = replace(recipe, max_steps=LONGER * recipe.max_steps)
    before = learner.snapshot()
    result = learn(learner, store.state, replace(lesson, outcome=None), longer, should_stop=interrupted)
    if result.skipped is not None:
        return  # nothing moved, and what it learned before still counts
    found = outcome(learner, store.state, lesson, result, time.perf_counter() - begun)
    try:
        session.review.settle()
        store.append(Learned(lesson.seq, found, session.model.machine()))
    except BaseException:
        learner.restore(before)
        raise
    learner.step = store.state.step
    session.replay.memory.clear()  # the snapshots have the lesson as it was
    session.review.moved()
    if found.learned:
        store.notices.append(f"#{lesson.number} is learned now: '{shortened(lesson.exchange.prompt)}'")
    if not learner.moved_shared:  # the checkpoint is small then, and no start has to learn the lesson again
        session.save()
