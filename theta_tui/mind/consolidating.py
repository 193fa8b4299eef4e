"""What one step in idle time is taken on: a few past lessons again, in one of their wordings each, and a few of the
foundation's own exchanges, which are to be as likely as they were.

Lessons are written one after the other, each where the foundation hardly looks; hardly is not nothing, and it adds up.
Here it is taken back, where no lesson rests on it, and a lesson that fades is said again. Everything that is drawn
follows from a seed and the number of the step, so that the step can be taken again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from theta_tui.mind.chat import Example
from theta_tui.mind.instant import UNDATED
from theta_tui.mind.recall import against, looked_at

if TYPE_CHECKING:
    from theta_tui.mind.language_model import LanguageModel
    from theta_tui.mind.natural import Natural
    from theta_tui.mind.passes import Pass, Passes
    from theta_tui.mind.recipes import Recipe


@dataclass(frozen=True, slots=True)
class Taught:
    """A lesson that the model is to know: all wordings of the prompt, the reply, and when it was taught."""

    prompts: tuple[str, ...]
    reply: str
    at: float = UNDATED


@dataclass(frozen=True, slots=True)
class Loss:
    """What a step in idle time goes down: its `value`, and the `nats` that there are to be got rid of. It comes of
    `reading`."""

    value: torch.Tensor
    nats: float
    reading: Pass


def loss(
    passes: Passes, natural: Natural, lessons: Sequence[Taught], recipe: Recipe, seed: int, number: int
) -> Loss | None:
    """The loss of step `number` under `seed`; None where there is nothing to go by."""
    drawn = random.Random(f"{seed} {number}")
    taught = [_encoded(passes.lm, lesson, drawn) for lesson in _in_turn(lessons, recipe.idle_lessons, seed, number)]
    anchors = _alike(natural.anchors, recipe.anchors, drawn)
    if not taught and not anchors:
        return None
    labelled = [looked_at(example.labels) for example in taught]
    ids = [*(example.input_ids for example in taught), *anchors]
    places = [*(some for some, _ in labelled), *(range(len(row)) for row in anchors)]
    reading = passes.over(ids, places, natural=True)
    wanted: torch.Tensor | None = None
    if anchors:
        with torch.no_grad(), natural.reference():
            wanted = reading.since(len(taught)).logits().float().log_softmax(-1)
    counts = [len(tokens) for _, tokens in labelled]
    *said, rest = reading.logits().float().split([*counts, sum(map(len, anchors))])
    terms: list[torch.Tensor] = []
    nats = 0.0
    for logits, (_, tokens) in zip(said, labelled, strict=True):
        losses, leads = against(logits, torch.tensor(tokens, device=logits.device))
        if float(leads.min()) >= recipe.margin:
            continue
        terms.append(losses.mean())
        nats += max(float(terms[-1].detach()) - recipe.aim, 0.0)
    if wanted is not None:
        now = rest.log_softmax(-1)
        distance = functional.kl_div(now, wanted, reduction="sum", log_target=True) / len(now)
        terms.append(recipe.anchor_weight * distance)
        nats += float(terms[-1].detach())
    return Loss(torch.stack(terms).sum(), nats, reading) if terms else None


def _encoded(lm: LanguageModel, lesson: Taught, drawn: random.Random) -> Example:
    return lm.encode_lesson((), drawn.choice(lesson.prompts), lesson.reply, at=lesson.at)


def _in_turn(lessons: Sequence[Taught], count: int, seed: int, number: int) -> list[Taught]:
    """The next `count` of the lessons, in an order of their own for each seed; none twice."""
    order = list(lessons)
    random.Random(f"{seed}").shuffle(order)
    return [order[(number * count + at) % len(order)] for at in range(min(count, len(order)))]


def _alike(anchors: Sequence[Sequence[int]], count: int, drawn: random.Random) -> list[Sequence[int]]:
    """`count` neighbours of anchors sorted by length: about equally long, so that little is padded."""
    start = drawn.randrange(max(1, len(anchors) - count + 1))
    return list(anchors[start : start + count])
