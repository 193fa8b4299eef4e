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

from theta_tui.mind.chat import IGNORE, Example
from theta_tui.mind.curvature import padded
from theta_tui.mind.recall import forward_batch, measure

if TYPE_CHECKING:
    from theta_tui.mind.language_model import LanguageModel
    from theta_tui.mind.natural import Natural
    from theta_tui.mind.recipes import Recipe


@dataclass(frozen=True, slots=True)
class Taught:
    """A lesson that the model is to know: all wordings of the prompt, and the reply."""

    prompts: tuple[str, ...]
    reply: str


@dataclass(frozen=True, slots=True)
class Loss:
    """What a step in idle time goes down: its `value`, and the `nats` that there are to be got rid of. `real` [rows,
    longest] tells tokens from padding."""

    value: torch.Tensor
    nats: float
    real: torch.Tensor


def loss(
    lm: LanguageModel, natural: Natural, lessons: Sequence[Taught], recipe: Recipe, seed: int, number: int
) -> Loss | None:
    """The loss of step `number` under `seed`; None where there is nothing to go by. To be called while `natural`
    watches: its last forward pass is the one that the loss comes of."""
    drawn = random.Random(f"{seed} {number}")
    taught = [_encoded(lm, lesson, drawn) for lesson in _in_turn(lessons, recipe.idle_lessons, seed, number)]
    anchors = _alike(natural.anchors, recipe.anchors, drawn)
    if not taught and not anchors:
        return None
    wanted: torch.Tensor | None = None
    if anchors:
        ids, own = padded(anchors)
        with torch.no_grad(), natural.reference():
            wanted = forward_batch(lm, ids)[own.to(lm.device)].float().log_softmax(-1)
    ids, real = padded([*(example.input_ids for example in taught), *anchors])
    logits = forward_batch(lm, ids)
    terms: list[torch.Tensor] = []
    nats = 0.0
    for row, example in zip(logits, taught, strict=False):
        size = len(example.input_ids)
        if measure(row[:size], example.labels).margin >= recipe.margin:
            continue
        labels = torch.tensor(example.labels[1:], device=row.device)
        terms.append(functional.cross_entropy(row[: size - 1].float(), labels, ignore_index=IGNORE))
        nats += max(float(terms[-1].detach()) - recipe.aim, 0.0)
    if wanted is not None:
        now = logits[len(taught) :][real[len(taught) :].to(lm.device)].float().log_softmax(-1)
        distance = functional.kl_div(now, wanted, reduction="sum", log_target=True) / len(now)
        terms.append(recipe.anchor_weight * distance)
        nats += float(terms[-1].detach())
    return Loss(torch.stack(terms).sum(), nats, real) if terms else None


def _encoded(lm: LanguageModel, lesson: Taught, drawn: random.Random) -> Example:
    return lm.encode_lesson((), drawn.choice(lesson.prompts), lesson.reply)


def _in_turn(lessons: Sequence[Taught], count: int, seed: int, number: int) -> list[Taught]:
    """The next `count` of the lessons, in an order of their own for each seed; none twice."""
    order = list(lessons)
    random.Random(f"{seed}").shuffle(order)
    return [order[(number * count + at) % len(order)] for at in range(min(count, len(order)))]


def _alike(anchors: Sequence[Sequence[int]], count: int, drawn: random.Random) -> list[Sequence[int]]:
    """`count` neighbours of anchors sorted by length: about equally long, so that little is padded."""
    start = drawn.randrange(max(1, len(anchors) - count + 1))
    return list(anchors[start : start + count])
