"""Replies of a completion: several at once, written side by side, that end at a stop text and know their tokens.

Unlike `generate.propose`, which looks at whole replies and tries again, they can be shown as they grow. They are kept
apart as they are drawn: rows with the same tokens so far take different ones next, as soon as there is another that
sampling might draw. So the first is an ordinary sample, and each other one differs from those before it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch

from theta_tui.model.generate import DRAWN, Row, Task, seeded, write
from theta_tui.model.sampling import Sampling, draw, probabilities

if TYPE_CHECKING:
    from theta_tui.model.language_model import LanguageModel
    from theta_tui.model.modules import LessonModule

SHARES = (DRAWN, 0.002, 0.0002)
"""The share of the likeliest token's probability that another one must have, for a row to leave the others with it.
Rows that have come out alike are written again with the next share."""

Measured = tuple[int, float, tuple[tuple[int, float], ...]]
"""A token, its log-probability in nats, and the likeliest tokens at its place with theirs."""


class Choice(Row):
    """A reply under way that ends in front of the first of the texts `stop`. `measured` has each of its tokens, with
    the `alternatives` likeliest, if that is not None."""

    def __init__(
        self,
        lm: LanguageModel,
        *,
        stop: Sequence[str] = (),
        alternatives: int | None = None,
        module: LessonModule | None = None,
    ) -> None:
        super().__init__(lm, greedy=module is not None, module=module, taught=module is not None)
        self._stop = stop
        self._alternatives = alternatives
        self._kept: str | None = None
        self.measured: list[Measured] = []

    def add(self, token: int, logprobs: torch.Tensor) -> None:
        before = len(self.ids)
        super().add(token, logprobs)
        if len(self.ids) == before:
            return
        if self._alternatives is not None:
            values, tokens = logprobs.topk(min(self._alternatives, len(logprobs)))
            others = tuple(zip(tokens.tolist(), values.tolist(), strict=True))
            self.measured.append((token, float(logprobs[token]), others))
        if self._stop and (found := [at for stop in self._stop if (at := self.text.find(stop)) >= 0]):
            self._kept = self.text[: min(found)]
            self.ended = self.done = True

    @property
    def said(self) -> str:
        """Its text, without the stop text and what came with it."""
        return self.text if self._kept is None else self._kept

    @property
    def settled(self) -> str:
        """Its text without an end that might still become a stop text."""
        said = self.said
        if self.done:
            return said
        held = (size for stop in self._stop for size in range(1, len(stop)) if said.endswith(stop[:size]))
        return said[: len(said) - max(held, default=0)]


def complete(
    lm: LanguageModel,
    ids: Sequence[int],
    sampling: Sampling,
    *,
    seed: int | None,
    module: LessonModule | None = None,
    stop: Sequence[str] = (),
    alternatives: int | None = None,
    report: Callable[[Sequence[Choice]], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Choice] | None:
    """`sampling.count` replies to the conversation `ids`, which differ as far as the model can; None once `cancelled()`
    is true. The same `seed` gives the same replies.

    `report` gets all of them at every token. What of them is `alone` stays; one that has come out as an earlier one is
    written again. With a `module`, the first is the greedy reply with the module on, and the others are written
    without it.
    """

    def fresh(number: int) -> Choice:
        return Choice(lm, stop=stop, alternatives=alternatives, module=module if number == 0 else None)

    generator, rows = seeded(seed), [fresh(number) for number in range(sampling.count)]
    limit, again = max(1, min(sampling.max_tokens, lm.window - len(ids))), list(range(len(rows)))
    for share in SHARES:
        others = [row for number, row in enumerate(rows) if number not in again]
        for number in again:
            rows[number] = fresh(number)
        task = Task(
            ids, [rows[number] for number in again], (sampling, sampling), limit, generator, cancelled,
            lambda _: report(rows), partial(apart, share=share, others=others),
        )  # fmt: skip
        write(lm, task)
        if not task.ran:
            return None
        again = [number for number in again if not alone(rows, number)]
        if not again:
            break
    return rows


def alone(rows: Sequence[Choice], number: int) -> bool:
    """Whether no earlier one begins with, or is, what row `number` has so far."""
    own = rows[number].ids
    return all(other.ids[: len(own)] != own for other in rows[:number])


def apart(
    rows: list[Row],
    logprobs: torch.Tensor,
    sampling: Sampling,
    generator: torch.Generator,
    *,
    share: float = SHARES[0],
    others: Sequence[Row] = (),
) -> list[int]:
    """The next token of each row: another one for each of those that are the same so far, and than the finished
    `others` took there, if there is one of at least this `share` of the likeliest."""
    likeliest = logprobs.argmax(-1).tolist()
    tokens = likeliest[:] if sampling.temperature <= 0 else draw(logprobs, sampling, generator)
    taken: dict[tuple[int, ...], set[int]] = defaultdict(set)
    length = len(rows[0].ids)
    for row in others:
        taken[tuple(row.ids[:length])].update(row.ids[length : length + 1] or row.closing)
    for number, row in enumerate(rows):
        if row.greedy:
            tokens[number] = likeliest[number]
        same = taken[tuple(row.ids)]
        if tokens[number] in same:
            other = _another(row, logprobs[number], same, sampling, generator, share)
            tokens[number] = tokens[number] if other is None else other
        same.add(tokens[number])
    return tokens


def _another(
    row: Row, logprobs: torch.Tensor, taken: set[int], sampling: Sampling, generator: torch.Generator, share: float
) -> int | None:
    """A token that is not `taken`, drawn from those of at least this `share` of the likeliest. No reply begins with its
    end."""
    left = logprobs.clone()
    left[[*taken, *(() if row.ids else row.closing)]] = -math.inf
    left[logprobs < logprobs.max() + math.log(share)] = -math.inf
    if not left.isfinite().any():
        return None
    if sampling.temperature <= 0:
        return int(left.argmax())
    return int(torch.multinomial(probabilities(left[None], sampling), 1, generator=generator)[0, 0])
