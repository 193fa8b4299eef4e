"""A lesson in the weights that all replies share: its rows, their loss, and what is known of the pair alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from theta_tui.base.errors import TeachError
from theta_tui.learning.loss import Preference
from theta_tui.learning.optimizer import Look
from theta_tui.learning.passes import Pass, Passes
from theta_tui.learning.recall import label_positions, nll_and_margin, recalled

if TYPE_CHECKING:
    from theta_tui.learning.recipes import Recipe
    from theta_tui.model.chat_template import Example
    from theta_tui.model.language_model import LanguageModel


@dataclass(frozen=True, slots=True)
class Row:
    """One text that a step is taken on: labels of the loss and, for the proof, of the reply alone."""

    loss: Example
    reply: Example


def row(lm: LanguageModel, prompt: str, reply: str, recipe: Recipe, at: float, *, ended: bool = True) -> Row:
    """The row of a pair at the instant `at`; `ended`: with the end token. Raises TeachError where it is blank or does
    not fit the window."""
    return Row(
        lm.encode_lesson((), prompt, reply, loss=recipe.loss, at=at, ended=ended),
        lm.encode_lesson((), prompt, reply, at=at, ended=ended),
    )


def fitting(
    lm: LanguageModel, lessons: Sequence[tuple[str, str, float]], recipe: Recipe, *, ended: bool = True
) -> Iterator[Row]:
    """Rows of (prompt, reply, instant) that are learned beside a lesson, without those that do not fit the window."""
    for prompt, reply, at in lessons:
        with suppress(TeachError):
            yield row(lm, prompt, reply, recipe, at, ended=ended)


class SharedLesson:
    """`rows` are learned, the pair itself first; `unpicked` were offered beside it, and their preference weighs
    `listwise`. `upper`: only the weights that picks move are moved."""

    def __init__(
        self, passes: Passes, upper: bool, rows: Sequence[Row], unpicked: Sequence[Row], listwise: float
    ) -> None:
        every, device = [*rows, *unpicked], passes.lm.device
        positions = [label_positions(one.loss.labels) for one in every]
        ids = [one.loss.input_ids for one in every]
        self.reading: Pass = passes.over(ids, [at for at, _ in positions], upper=upper)
        """Over all rows, at the positions where the loss is taken."""
        self._counts = [len(tokens) for _, tokens in positions]
        self._labels = torch.tensor([token for _, tokens in positions for token in tokens], device=device)
        said = set(label_positions(rows[0].reply.labels)[0])
        self._reply = torch.tensor([at for at, place in enumerate(positions[0][0]) if place in said], device=device)
        """Those of the pair's positions that are its reply's."""
        self._learned, self._listwise = len(rows), listwise
        self._preference = Preference()

    def look(self) -> Look:
        every, leads = (
            found.split(self._counts) for found in nll_and_margin(self.reading.logits().float(), self._labels)
        )
        losses = [some.mean() for some in every]
        recall = recalled(every[0][self._reply], leads[0][self._reply])
        loss = losses[0] if self._learned == 1 else torch.stack(losses[: self._learned]).mean()
        if len(losses) > self._learned:
            loss = loss + self._listwise * self._preference([losses[0], *losses[self._learned :]])
        return Look(loss, float(losses[0].detach()), recall, recall.margin)
