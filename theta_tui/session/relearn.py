"""Learns all lessons of a home anew: on another model, in another way, or because this version cannot repeat them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from theta_tui import __version__
from theta_tui.learning.recipes import is_outdated
from theta_tui.session.teaching import learn_afresh
from theta_tui.store.records import Outcome, Rebuilt
from theta_tui.store.state import State
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from theta_tui.learning.learner import Learner
    from theta_tui.learning.recipes import Recipe
    from theta_tui.model.language_model import LanguageModel


def must_relearn(store: Store, position: int) -> bool:
    """Whether a lesson after record `position`, or the one that redo brings back, was learned in a way that this
    version no longer has."""
    state = store.state
    back = [state.undone] if state.undone else []
    return any(is_outdated(lesson.recipe) for lesson in [*state.active_after(position), *back])


def relearn(
    store: Store,
    learner: Learner,
    recipe: Recipe,
    on_lesson: Callable[[int, int], None],
) -> tuple[tuple[int, Outcome], ...]:
    """Learn every lesson that counts with `recipe`, as if it were taught now, on a model that knows none of them.
    Returns the outcomes by record; nothing is journalled."""
    state = _blank(store, recipe)
    lessons = [lesson for lesson in state.lessons if not lesson.withdrawn and lesson.failed is None]
    with store.assuming(state):
        for at, lesson in enumerate(lessons, 1):
            on_lesson(at, len(lessons))
            state.learned(lesson.seq, learn_afresh(learner, state, lesson, recipe), None)
    return tuple((lesson.seq, lesson.outcome) for lesson in lessons if lesson.outcome)


def rebuilt(
    model: LanguageModel, name: str, found: str, recipe: Recipe, outcomes: tuple[tuple[int, Outcome], ...]
) -> Rebuilt:
    """The record of a relearning."""
    short = tuple((seq, replace(outcome, prompt="", reply="", losses=())) for seq, outcome in outcomes)
    return Rebuilt(name, found, __version__, model.machine(), recipe.as_dict(), short, model.lora_rank)


def _blank(store: Store, recipe: Recipe) -> State:
    """The state with nothing learned yet, filled in lesson by lesson: so each lesson sees the new outcomes of those
    before it, as it will whenever it is replayed."""
    state = State.of(store.journal.entries)
    for lesson in state.lessons:
        state.learned(lesson.seq, None, None)
        lesson.recipe = recipe.as_dict()
    return state
