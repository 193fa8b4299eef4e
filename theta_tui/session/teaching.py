"""Teaches one lesson of the journal to the model, the first time and at every replay.

All that a lesson depends on is in the journal: its recipe, its place there, the lessons before it. So a replay changes
the same weights in the same way. Needs torch only to teach.
"""

from __future__ import annotations

import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from theta_tui.base.errors import TeachError
from theta_tui.learning.recipes import RECIPES, Recipe
from theta_tui.store import retention
from theta_tui.store.records import Outcome
from theta_tui.store.state import Lesson, State

if TYPE_CHECKING:
    from theta_tui.learning.learner import Learner, Result
    from theta_tui.model.language_model import LanguageModel


def learn(learner: Learner, state: State, lesson: Lesson, recipe: Recipe, **hooks: Any) -> Result:
    """Teach `lesson` of `state` by `recipe`, seeded by its place in the journal, under the persona of that place; with
    an outcome already, in the steps that it took. Hooks: `progress`, `should_stop`, `should_end`."""
    with learner.lm.chat.speaking_as(lesson.persona):
        return _learn(learner, state, lesson, recipe, **hooks)


def _learn(learner: Learner, state: State, lesson: Lesson, recipe: Recipe, **hooks: Any) -> Result:
    exchange = lesson.exchange
    assert exchange.kind != "none"
    steps = lesson.outcome.steps if lesson.outcome else None
    picked = exchange.kind == "pick"
    if exchange.meant is not None:
        return _meant(learner, lesson)
    if picked and any(one.care for one in exchange.candidates if one.index == exchange.pick):
        return _skipped("a caring reply is said, and is no taste to learn")
    if recipe.method == "module" and not picked:
        return learner.learn_module(
            lesson.seq,
            exchange.prompt,
            exchange.reply,
            recipe,
            at=lesson.at,
            steps=steps,
            variants=exchange.variants,
            **hooks,
        )
    if recipe.method == "module" and not learner.takes_signs("pick", recipe):
        recipe = RECIPES["adamw"]
    return learner.learn(
        "pick" if picked else "correction",
        exchange.prompt,
        exchange.reply,
        recipe,
        seed=lesson.seq,
        steps=steps,
        variants=exchange.variants,
        others=[
            item.text for item in exchange.candidates if picked and item.lesson is None and item.text != exchange.reply
        ],
        past=earlier_answers(state, lesson, recipe.rehearse),
        at=lesson.at,
        ended=not exchange.cut,
        **hooks,
    )


def _skipped(why: str) -> Result:
    from theta_tui.learning.learner import Result

    nan = float("nan")
    return Result(nan, nan, nan, nan, 0, False, skipped=why)


def learn_afresh(learner: Learner, state: State, lesson: Lesson, recipe: Recipe) -> Outcome:
    """Teach a lesson of the past to this model as if it were new (its `outcome` is None). A lesson that does not fit
    the model is skipped, with the reason."""
    started = time.perf_counter()
    said = lesson.exchange
    with learner.lm.chat.speaking_as(lesson.persona):
        why = unfit(learner.lm, said.prompt, said.reply, lesson.at)
    if why is not None:
        return outcome(learner, state, lesson, _skipped(why), 0.0)
    result = learn(learner, state, lesson, recipe)
    return outcome(learner, state, lesson, result, time.perf_counter() - started)


def unfit(model: LanguageModel, prompt: str, reply: str, at: float) -> str | None:
    """Why this pair, taught at time `at`, does not fit the model; None if it does."""
    try:
        model.encode_lesson((), prompt, reply, at=at)
    except TeachError as error:
        return str(error)
    return None


def outcome(learner: Learner, state: State, lesson: Lesson, result: Result, seconds: float) -> Outcome:
    """The result of `lesson` as the journal's outcome."""
    meant = state.find(lesson.exchange.meant or 0)
    return Outcome(
        lesson=lesson.number,
        kind=lesson.exchange.kind,
        prompt=lesson.exchange.prompt,
        reply=lesson.exchange.reply,
        loss_before=result.loss_before,
        loss_after=result.loss_after,
        p_before=result.p_before,
        p_after=result.p_after,
        steps=result.steps,
        step=learner.step,
        learned=result.learned,
        seconds=seconds,
        losses=tuple(round(loss, 4) for loss in result.losses),
        skipped=result.skipped,
        meant=meant.number if meant is not None else None,
    )


def earlier_answers(state: State, lesson: Lesson, count: int) -> list[tuple[str, str, float]]:
    """Some of the answers that held when `lesson` was taught, as (prompt, reply, time taught). A replay gets the same
    ones."""
    if not count:
        return []
    # Those that were cut are left out: they have no end to rehearse.
    held = retention.newest(one for one in state.active if one.seq < lesson.seq and not one.exchange.cut)
    for wording in (lesson.exchange.prompt, *lesson.exchange.variants):
        held.pop(retention.question(wording), None)
    pairs = [(earlier.exchange.prompt, earlier.exchange.reply, earlier.at) for earlier in held.values()]
    return random.Random(len(pairs)).sample(pairs, min(count, len(pairs)))


def _meant(learner: Learner, pick: Lesson) -> Result:
    """The outcome of picking the marked reply, which adds the prompt to the scope of its lesson. No weights change,
    because the reply would leak into the weights that all replies share."""
    from theta_tui.learning import recall
    from theta_tui.learning.learner import Result

    said, known = pick.exchange, pick.outcome
    if known is not None:
        return Result(known.loss_before, known.loss_after, known.p_before, known.p_after, 0, known.learned)
    mark = said.mark
    assert mark is not None
    assert mark.lesson is not None
    module = learner.modules.get(mark.lesson)
    score = partial(recall.score, learner.lm, (), said.prompt, said.reply, at=pick.at, ended=not said.cut)
    now = score(module=module)
    before = now if mark.sure else score()
    return Result(before.loss, now.loss, before.p, now.p, 0, now.says)
