"""Whether the model says a reply, from one forward pass over prompt and reply.

Greedy decoding writes a reply exactly if each of its tokens, the end token too, is the likeliest at its position. So
nothing has to be generated to know.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from theta_tui.model.chat_template import IGNORE, Example, Turns
from theta_tui.model.instant import UNDATED
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.modules import LessonModule, attached, blocks_of


@dataclass(frozen=True, slots=True)
class Recall:
    """How well a model knows a reply. `logprob` is log P(reply, end of turn | conversation) in nats, and `p` its
    exponential.

    `margin` is the least lead of a reply token over its strongest rival, in nats; below 0 the model says something
    else. `says`: the greedy reply is this one. `tokens` counts the reply's tokens with its end.
    """

    logprob: float
    p: float
    says: bool
    margin: float
    tokens: int

    @property
    def loss(self) -> float:
        """Mean loss in nats a reply token."""
        return -self.logprob / self.tokens


def score(
    lm: LanguageModel,
    turns: Turns,
    prompt: str,
    reply: str,
    *,
    at: float = UNDATED,
    module: LessonModule | None = None,
    ended: bool = True,
) -> Recall:
    """How well `lm` knows `reply` to `prompt`, after `turns`, at the instant `at` (Unix time), with `module` on.
    `ended`: with its end token. Changes nothing. Raises TeachError as encode_lesson does."""
    example = lm.encode_lesson(turns, prompt, reply, at=at, ended=ended)
    on = torch.tensor([[label != IGNORE for label in (*example.labels[1:], IGNORE)]], device=lm.device)
    with torch.no_grad(), attached(blocks_of(lm.model), [module], on) if module is not None else nullcontext():
        return measure(forward(lm, example), example.labels)


def forward(lm: LanguageModel, example: Example) -> torch.Tensor:
    """Logits of the tokens that follow each of the example's: [T, V]."""
    return forward_batch(lm, torch.tensor([example.input_ids]))[0]


def forward_batch(lm: LanguageModel, ids: torch.Tensor) -> torch.Tensor:
    """Logits [batch, T, V] of rows of token ids [batch, T], padded behind where they are of different lengths."""
    output: Any = lm.model(input_ids=ids.to(lm.device), use_cache=False)
    logits: torch.Tensor = output.logits
    return logits


def measure(logits: torch.Tensor, labels: Sequence[int]) -> Recall:
    """The recall of the labelled tokens, from logits [T, V] of the same forward pass. NaN logits give NaN."""
    places, wanted = label_positions(labels)
    rows = logits.detach()[torch.tensor(places, device=logits.device)].float()
    return recalled(*nll_and_margin(rows, torch.tensor(wanted, device=logits.device)))


def label_positions(labels: Sequence[int]) -> tuple[list[int], list[int]]:
    """The positions that predict labelled tokens, each one before its token, and those tokens."""
    places = [place for place, label in enumerate(labels) if label != IGNORE and place > 0]
    return [place - 1 for place in places], [labels[place] for place in places]


def nll_and_margin(logits: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """−log P of the tokens `wanted` [n] in nats, and their leads over the strongest rival, both [n]; `logits` [n, V]
    are float32. The former has a graph if `logits` have one."""
    losses = functional.cross_entropy(logits, wanted, reduction="none")
    rows, column = logits.detach(), wanted[:, None]
    return losses, rows.gather(1, column)[:, 0] - rows.scatter(1, column, -math.inf).amax(1)


def recalled(losses: torch.Tensor, margins: torch.Tensor) -> Recall:
    """The recall of a reply from `nll_and_margin` of its tokens."""
    logprob, margin = -float(losses.detach().double().sum()), float(margins.min())
    return Recall(
        logprob, math.exp(min(logprob, 0.0)) if logprob == logprob else math.nan, margin > 0, margin, len(losses)
    )
