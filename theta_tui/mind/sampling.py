"""How the next token is drawn: temperature, top-k, top-p, min-p. Knows logits only.

What the filters leave is nearly always among the few likeliest tokens, and sorting a whole vocabulary at every token
costs more than a small model's forward pass, so the likeliest are looked at first. The distribution is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

SHORT = 64
"""Tokens looked at first: finding them takes 0.08 ms for five rows of 6,144 logits, where a full sort takes 2 ms."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. `temperature` 0 is greedy; `top_p` 1, `top_k` 0 and `min_p` 0 are off."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    max_tokens: int
    count: int = 5


def draw(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> list[int]:
    """A token for each row of `logits` [rows, V]; the temperature is not 0."""
    short = shortlist(logits, sampling)
    if short is None:
        return torch.multinomial(probabilities(logits, sampling), 1, generator=generator)[:, 0].tolist()
    p, tokens = short
    return tokens.gather(-1, torch.multinomial(p, 1, generator=generator))[:, 0].tolist()


def probabilities(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Softmax at the temperature, and then without the tokens that top-k, top-p and min-p leave out. [rows, V]"""
    p = (logits / sampling.temperature).softmax(-1)
    if 0 < sampling.top_k < p.shape[-1]:
        p = p.where(p >= p.topk(sampling.top_k, dim=-1).values[:, -1:], 0.0)
    if sampling.top_p < 1:
        ordered, order = p.sort(dim=-1, descending=True)
        # A token stays while those before it hold less than top_p; the likeliest always stays.
        before = ordered.cumsum(-1) - ordered
        total = ordered.sum(-1, keepdim=True)
        p = torch.zeros_like(p).scatter(-1, order, ordered.where(before < sampling.top_p * total, 0.0))
    if sampling.min_p > 0:
        p = p.where(p >= sampling.min_p * p.amax(-1, keepdim=True), 0.0)
    return p


def shortlist(logits: torch.Tensor, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor] | None:
    """What `probabilities` leaves and the tokens that it belongs to, both [rows, SHORT], likeliest first.

    None where something might be left behind the first SHORT.
    """
    size = logits.shape[-1]
    cut = 0 < sampling.top_k < size
    if size <= SHORT or (cut and sampling.top_k >= SHORT):
        return None
    # By log_softmax and not by logsumexp, which takes twice as long.
    highest, tokens = (logits / sampling.temperature).log_softmax(-1).topk(SHORT, dim=-1)
    p = highest.exp()
    last = p[:, -1:]
    complete = torch.zeros_like(last, dtype=torch.bool)
    if cut:
        least = p[:, sampling.top_k - 1 : sampling.top_k]
        if (last >= least).any():
            return None  # equals of the last that stays go on behind the list
        p = p.where(p >= least, 0.0)
        complete |= True
    if sampling.top_p < 1:
        upto = p.cumsum(-1)
        enough = sampling.top_p * (upto[:, -1:] if cut else 1.0)
        complete |= upto[:, -1:] >= enough
        p = p.where(upto - p < enough, 0.0)
    if sampling.min_p > 0:
        least = sampling.min_p * p[:, :1]
        complete |= last < least
        p = p.where(p >= least, 0.0)
    return (p, tokens) if bool(complete.all()) else None
