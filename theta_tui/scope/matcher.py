"""Whether two messages ask the same: a small transformer over the words of both, in NumPy.

It was trained on wordings that were written for it (scope/training.py), and it ships with Theta: it is the same for
every model, and nothing has to be measured or learned when a model is new.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from theta_tui.errors import ModelError
from theta_tui.scope.features import MARKS, PAD, SPECIAL, Message, Reader, overlap, pair
from theta_tui.scope.words import asked_alike, same_persons

FILE = "matcher.safetensors"
SECOND = 42
"""The place that the first word behind the divider has; the first message begins at 0."""

CLOSE, HALF = 6.0, 0.6
"""What the network says is raised where two messages share most of their words by weight (a cosine above HALF) and
lowered elsewhere. It learned from wordings that avoid each other's words; what people ask mostly does not. At a score
of 1, .96 of the development suite's paraphrases are found and .6 % of everyday messages, by the network alone .93 and
1.2 %; by the cosine alone, at .7, .92 and none. Another question word takes the raise away."""

ANOTHER = 4.0
"""By how much it is lowered where the two are about other persons: your name is not mine. Those words are too common to
weigh, and the network alone lets "What is your name?" pass for "What is my name?"."""

Array = np.ndarray


class Matcher:
    """Scores of pairs of messages. Immutable; raises ModelError where its file cannot be used."""

    def __init__(self, path: Path) -> None:
        try:
            with safe_open(str(path), framework="numpy") as stored:
                self._parts: dict[str, Array] = {
                    name: stored.get_tensor(name).astype(np.float32)
                    for name in stored.keys()  # noqa: SIM118 (not a dict)
                }
                about = stored.metadata() or {}
        except (OSError, SafetensorError, ValueError) as error:
            raise ModelError(f"{path} cannot be read ({error}); install Theta again") from None
        self.reader = Reader(about["vocabulary"].split("\n"), self._parts["rarity"].tolist())
        self._layers, self._heads = int(about["layers"]), int(about["heads"])

    def scores(self, keys: Sequence[Message], query: Message) -> list[float]:
        """For each of `keys`, how surely it asks what `query` asks: about log-odds."""
        ids, marks, places, shared = batch([(key, query) for key in keys])
        scores = self._forward(ids, marks, places, shared)
        return [
            float(score) + _raised(key, query, float(cosine))
            for key, score, cosine in zip(keys, scores, shared[:, 0], strict=True)
        ]

    def vector(self, message: Message) -> Array:
        """[size] of length 1: the sum of its known words' vectors, rare ones weighing more; for finding alone."""
        words = self._parts["word.weight"][[index for index in set(message.ids) if index >= SPECIAL]]
        found: Array = words.sum(0)
        return found / max(float(np.linalg.norm(found)), 1e-6)

    def _forward(self, ids: Array, marks: Array, places: Array, shared: Array) -> Array:
        part = self._parts
        x = part["word.weight"][ids] + part["mark.weight"][marks] + part["pos.weight"][places]
        rows, longest, size = x.shape
        hidden = np.where(ids == PAD, np.float32(-1e9), np.float32(0))
        for layer in range(self._layers):
            y = self._linear(f"qkv.{layer}", _normed(x, part[f"n1.{layer}.weight"], part[f"n1.{layer}.bias"]))
            queries, keys, values = (
                some.reshape(rows, longest, self._heads, -1).transpose(0, 2, 1, 3) for some in np.split(y, 3, axis=-1)
            )
            weights = queries @ keys.transpose(0, 1, 3, 2) / math.sqrt(size // self._heads) + hidden[:, None, None]
            weights = np.exp(weights - weights.max(-1, keepdims=True))
            seen = weights / weights.sum(-1, keepdims=True) @ values
            x = x + self._linear(f"o.{layer}", seen.transpose(0, 2, 1, 3).reshape(rows, longest, size))
            y = self._linear(f"up.{layer}", _normed(x, part[f"n2.{layer}.weight"], part[f"n2.{layer}.bias"]))
            x = x + self._linear(f"down.{layer}", _gelu(y))
        x = _normed(x, part["nf.weight"], part["nf.bias"])
        most = (x + hidden[..., None]).max(1)
        found: Array = self._linear("out", _gelu(self._linear("h", np.concatenate([x[:, 0], most, shared], -1))))
        return found[:, 0]

    def _linear(self, name: str, x: Array) -> Array:
        found: Array = x @ self._parts[f"{name}.weight"].T + self._parts[f"{name}.bias"]
        return found


def _raised(key: Message, query: Message, cosine: float) -> float:
    """What is added to the network's score, see CLOSE and ANOTHER."""
    raised = CLOSE * (cosine - HALF)
    if not asked_alike(key.known, query.known):
        raised = min(raised, 0.0)
    return raised if same_persons(key.known, query.known) else raised - ANOTHER


def batch(pairs: Sequence[tuple[Message, Message]]) -> tuple[Array, Array, Array, Array]:
    """Ids, marks and places [pairs, longest], and what each pair shares [pairs, 4]."""
    read = [pair(*both) for both in pairs]
    longest = max(len(ids) for ids, _, _ in read)
    ids, marks, places = (np.full((len(pairs), longest), PAD) for _ in range(3))
    for row, (some, shown, divider) in enumerate(read):
        size = len(some)
        ids[row, :size], marks[row, :size] = some, shown
        marks[row, divider:size] += MARKS
        places[row, :divider] = np.arange(divider)
        places[row, divider:size] = SECOND + np.arange(size - divider)
    return ids, marks, places, np.array([overlap(*both) for both in pairs], np.float32)


@cache
def shipped() -> Matcher:
    """The matcher that comes with Theta."""
    from theta_tui.mind.model_files import assets_dir

    return Matcher(assets_dir() / "scope" / FILE)


def _normed(x: Array, weight: Array, bias: Array) -> Array:
    x = x - x.mean(-1, keepdims=True)
    found: Array = x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-5)) * weight + bias
    return found


def _gelu(x: Array) -> Array:
    """By the tanh formula (Hendrycks & Gimpel 2016)."""
    found: Array = (
        np.float32(0.5) * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)))
    )
    return found
