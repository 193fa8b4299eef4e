"""The matcher for training: the same network as scope/matcher.py, in torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional

from theta_tui.learning.scope.features import MARKS, PAD, SPECIAL, UNKNOWN, Message
from theta_tui.learning.scope.matcher import SECOND, batch
from theta_tui.learning.scope.words import MOST

SIZE, INNER, LAYERS, HEADS = 64, 160, 2, 4
FORGOTTEN = 0.04
"""The share of words read as unknown during training. There is no other dropout: with a tenth of the activations
dropped the network did not even fit its training data (half of the pairs of wordings; area under the curve .78)."""

AT_ONCE = 64
"""Pairs per pass, of about equal length; without sorting by length most of a batch was padding."""


class Network(nn.Module):
    """`vectors` [words, n] are a sentence encoder's vectors of single words. They are frozen, and their projection is
    trained, so words that no wording has still mean something. Two outputs: log-odds that both messages ask the same,
    and the encoder's similarity of the two."""

    def __init__(self, vectors: torch.Tensor, rarity: torch.Tensor) -> None:
        super().__init__()
        self.rarity = rarity
        self._vectors = vectors * (rarity.clamp(1, 9) / 6)[:, None]
        *_, axes = torch.linalg.svd(vectors, full_matrices=False)
        self.special = nn.Parameter(torch.randn(SPECIAL, SIZE) * 0.2)
        self.project = nn.Parameter(axes[:SIZE] * (0.3 / (vectors @ axes[:SIZE].T).std()))
        self.delta = nn.Parameter(torch.zeros(len(vectors), SIZE))
        self.mark = nn.Embedding(2 * MARKS, SIZE)
        self.pos = nn.Embedding(SECOND + MOST + 2, SIZE)
        nn.init.normal_(self.mark.weight, std=0.1)
        nn.init.normal_(self.pos.weight, std=0.05)
        self.qkv, self.o = _linears(SIZE, 3 * SIZE), _linears(SIZE, SIZE)
        self.up, self.down = _linears(SIZE, INNER), _linears(INNER, SIZE)
        self.n1, self.n2 = (nn.ModuleList(nn.LayerNorm(SIZE) for _ in range(LAYERS)) for _ in range(2))
        self.nf = nn.LayerNorm(SIZE)
        self.h, self.out = nn.Linear(2 * SIZE + 4, SIZE), nn.Linear(SIZE, 2)

    def table(self) -> torch.Tensor:
        """[words and special ids, SIZE]"""
        return torch.cat([self.special, self._vectors @ self.project.T + self.delta])

    def start(self, table: torch.Tensor, rest: Mapping[str, torch.Tensor]) -> None:
        """Start from an earlier training: `table` [words and special ids, SIZE], for the same vocabulary."""
        with torch.no_grad():
            self.special.copy_(table[:SPECIAL])
            self.delta.copy_(table[SPECIAL:] - self._vectors @ self.project.T)
        self.load_state_dict(dict(rest), strict=False)

    def forward(self, pairs: Sequence[tuple[Message, Message]]) -> torch.Tensor:
        """[pairs, 2]"""
        by_length = sorted(range(len(pairs)), key=lambda at: len(pairs[at][0].ids) + len(pairs[at][1].ids))
        table = self.table()
        found = [
            self._scores([pairs[at] for at in by_length[start : start + AT_ONCE]], table)
            for start in range(0, len(pairs), AT_ONCE)
        ]
        return torch.cat(found)[torch.tensor(by_length).argsort()]

    def _scores(self, pairs: Sequence[tuple[Message, Message]], table: torch.Tensor) -> torch.Tensor:
        ids, marks, places, shared = map(torch.from_numpy, batch(pairs))
        if self.training:
            ids = ids.masked_fill((torch.rand(ids.shape) < FORGOTTEN) & (ids >= SPECIAL), UNKNOWN)
        hidden = ids == PAD
        x = functional.embedding(ids, table) + self.mark(marks) + self.pos(places)
        rows, longest, _ = x.shape
        bias = torch.zeros(rows, 1, 1, longest).masked_fill(hidden[:, None, None], -1e9)
        for layer in range(LAYERS):
            parts = self.qkv[layer](self.n1[layer](x)).chunk(3, -1)
            queries, keys, values = (part.view(rows, longest, HEADS, -1).transpose(1, 2) for part in parts)
            seen = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
            x = x + self.o[layer](seen.transpose(1, 2).reshape(rows, longest, SIZE))
            x = x + self.down[layer](functional.gelu(self.up[layer](self.n2[layer](x)), approximate="tanh"))
        x = self.nf(x)
        most = x.masked_fill(hidden[..., None], -1e9).amax(1)
        found = self.out(functional.gelu(self.h(torch.cat([x[:, 0], most, shared], -1)), approximate="tanh"))
        assert isinstance(found, torch.Tensor)
        return found

    def save(self, path: Path, vocabulary: Sequence[str]) -> None:
        """Write the matcher's file: 16 bits, with the projected word vectors."""
        left_out = {"special", "project", "delta"}
        parts = {name: part for name, part in self.state_dict().items() if name not in left_out}
        parts |= {"word.weight": self.table().detach(), "rarity": self.rarity}
        about = {"vocabulary": "\n".join(vocabulary), "layers": str(LAYERS), "heads": str(HEADS)}
        save_file({name: part.numpy().astype(np.float16) for name, part in parts.items()}, str(path), metadata=about)


def save_mean(one: Path, other: Path) -> None:
    """Overwrite `other` with the mean of two matchers, the second of which was trained on from the first.

    The mean finds more in new relations than the first, and keeps more of what the first got right than the second
    does (Wortsman et al. 2022, arXiv 2109.01903).
    """
    with safe_open(str(one), framework="numpy") as first, safe_open(str(other), framework="numpy") as second:
        about = second.metadata()
        both = {name: (first.get_tensor(name), second.get_tensor(name)) for name in second.keys()}  # noqa: SIM118
    means = {name: np.mean([part.astype(np.float32) for part in parts], 0) for name, parts in both.items()}
    save_file({name: part.astype(np.float16) for name, part in means.items()}, str(other), metadata=about)


def _linears(inside: int, outside: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(inside, outside) for _ in range(LAYERS))


def rate(step: int, steps: int) -> float:
    """The learning rate schedule: a linear warm-up of 200 steps, then a cosine decay."""
    return min(1.0, (step + 1) / 200) * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))
