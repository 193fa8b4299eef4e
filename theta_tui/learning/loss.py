"""Losses of lessons beside the plain one: a margin over every rival, and the preference that a pick tells."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def margin_loss(
    logits: torch.Tensor, labels: torch.Tensor, losses: torch.Tensor, leads: torch.Tensor, margin: float
) -> torch.Tensor:
    """A scalar loss at which each of `labels` [n] leads its rivals by `margin` nats. `losses` and `leads` [n] are those
    of `logits` [n, V] (`recall.nll_and_margin`)."""
    # The hinge keeps pushing where a token is the likeliest already, but not by enough.
    said = logits.gather(1, labels[:, None])[:, 0]
    return losses.mean() + functional.relu(margin + 1 - leads + said.detach() - said).mean()


class Preference:
    """−log softmax of the chosen reply among all that were offered, over how much likelier each has become since the
    lesson began, in nats a token (the top-1 term of Plackett–Luce).

    At first its slope is the chosen one's loss against the mean of all. So what was not picked is not punished for
    being good language, only for becoming likelier than its peers.
    """

    def __init__(self) -> None:
        self._before: torch.Tensor | None = None

    def __call__(self, losses: Sequence[torch.Tensor]) -> torch.Tensor:
        """`losses` are scalars in nats a token, the chosen one's first. The first call sets where the lesson began."""
        now = -torch.stack(list(losses))
        if self._before is None:
            self._before = now.detach()
        return -(now - self._before).log_softmax(0)[0]
