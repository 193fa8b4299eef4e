"""The matcher: scores whether two messages ask the same, by a small transformer over the words of both, in NumPy.

It was trained on wordings written for it (scope/training) and ships with Theta. It is the same for every model, so a
new model needs no measuring or training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from theta_tui.base.errors import ModelError
from theta_tui.learning.scope.features import MARKS, PAD, SPECIAL, Message, Reader, overlap, pair

FILE = "matcher.safetensors"
SECOND = 42
"""The position of the first word after the divider; the first message begins at 0."""

CLOSE, HALF = 6.0, 0.48
"""The network's score is raised if two messages share most of their words by weight (a cosine above HALF), and lowered
otherwise. The network learned from wordings that avoid each other's words; what people ask mostly does not. At a score
of 1, .98 of the development suite's paraphrases are found, and .5 % of everyday messages. With a CLOSE of 4 and as many
paraphrases found, .8 % to 2 % of everyday messages are; with the network alone, 5 %."""

OTHERWISE = 0.5
"""Another question word cancels the raise and costs this: "What are you up to today?" is not "How are you today?"."""

ANOTHER = 4.0
"""The score is lowered by this if the two are about different persons: your name is not mine. Those words are too
common to get weights, and the network alone takes "What is your name?" for "What is my name?"."""

Array = np.ndarray


class Matcher:
    """Scores pairs of messages. Immutable; raises ModelError if its file cannot be used."""

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
        self.size: int = self._parts["word.weight"].shape[1]
        """The size of a word's vector."""
        self._fold()

    def _fold(self) -> None:
        """Fold constants into the weights: the mean subtraction and the scales of the norms, and the scale of
        attention. The results are the same."""
        part = self._parts
        for name in ("word.weight", "mark.weight", "pos.weight"):
            part[f"{name}.centred"] = part[name] - part[name].mean(1, keepdims=True)
        for layer in range(self._layers):
            for name in (f"o.{layer}", f"down.{layer}"):
                for kind in ("weight", "bias"):
                    part[f"{name}.{kind}"] -= part[f"{name}.{kind}"].mean(0)
            for norm, name in ((f"n1.{layer}", f"qkv.{layer}"), (f"n2.{layer}", f"up.{layer}")):
                part[f"{name}.bias"] += part[f"{name}.weight"] @ part[f"{norm}.bias"]
                part[f"{name}.weight"] *= part[f"{norm}.weight"]
            for kind in ("weight", "bias"):
                part[f"qkv.{layer}.{kind}"][: self.size] /= math.sqrt(self.size // self._heads)
        for name in [name for name in part if name.endswith(".weight") and f"{name[:-6]}bias" in part]:
            part[name] = np.ascontiguousarray(part[name].T)

    def scores(self, keys: Sequence[Message], query: Message) -> list[float]:
        """For each of `keys`, a score (about log-odds) that it asks the same as `query`."""
        return self.scores_of([(key, query) for key in keys])

    def scores_of(self, pairs: Sequence[tuple[Message, Message]]) -> list[float]:
        """As `scores`, for pairs of a key and a query: one pass for all."""
        ids, marks, places, shared = batch(pairs)
        scores = self._forward(ids, marks, places, shared)
        return [
            float(score) + _raised(key, query, float(cosine))
            for (key, query), score, cosine in zip(pairs, scores, shared[:, 0], strict=True)
        ]

    def vectors(self, messages: Sequence[Message]) -> Array:
        """[messages, size], each of length 1: the sum of the known words' vectors, weighted by rarity. Used only to
        find candidates."""
        table = self._parts["word.weight"]
        found: Array = np.empty((len(messages), self.size), np.float32)
        for row, message in zip(found, messages, strict=True):
            table[[index for index in set(message.ids) if index >= SPECIAL]].sum(0, out=row)
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)
        return found

    def _forward(self, ids: Array, marks: Array, places: Array, shared: Array) -> Array:
        part = self._parts
        x = part["word.weight.centred"][ids] + part["mark.weight.centred"][marks] + part["pos.weight.centred"][places]
        rows, longest, size = x.shape
        heads = (rows, longest, 3, self._heads, size // self._heads)
        hidden = np.where(ids == PAD, np.float32(-1e9), np.float32(0))
        for layer in range(self._layers):
            queries, keys, values = self._linear(f"qkv.{layer}", _normed(x)).reshape(heads).transpose(2, 0, 3, 1, 4)
            weights = queries @ keys.transpose(0, 1, 3, 2)
            weights += hidden[:, None, None]
            weights -= weights.max(-1, keepdims=True)
            np.exp(weights, out=weights)
            weights /= weights.sum(-1, keepdims=True)
            seen = (weights @ values).transpose(0, 2, 1, 3).reshape(rows, longest, size)
            x += self._linear(f"o.{layer}", seen)
            x += self._linear(f"down.{layer}", _gelu(self._linear(f"up.{layer}", _normed(x))))
        x = _normed(x)
        x *= part["nf.weight"]
        x += part["nf.bias"]
        most = (x + hidden[..., None]).max(1)
        found: Array = self._linear("out", _gelu(self._linear("h", np.concatenate([x[:, 0], most, shared], -1))))
        return found[:, 0]

    def _linear(self, name: str, x: Array) -> Array:
        weight = self._parts[f"{name}.weight"]
        found: Array = x.reshape(-1, len(weight)) @ weight
        found += self._parts[f"{name}.bias"]
        return found.reshape(*x.shape[:-1], -1)


def _raised(key: Message, query: Message, cosine: float) -> float:
    """The amount added to the network's score, see CLOSE and ANOTHER."""
    raised = CLOSE * (cosine - HALF)
    if key.asked_with and query.asked_with and key.asked_with.isdisjoint(query.asked_with):
        raised = min(raised, 0.0) - OTHERWISE
    another = key.persons and query.persons and key.persons != query.persons
    return raised - ANOTHER if another else raised


def batch(pairs: Sequence[tuple[Message, Message]]) -> tuple[Array, Array, Array, Array]:
    """Ids, marks and positions [pairs, longest], and the overlaps [pairs, 4]."""
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
    from theta_tui.base.files import assets_dir

    return Matcher(assets_dir() / "scope" / FILE)


def _normed(x: Array) -> Array:
    """Layer norm of rows whose mean is 0."""
    squares = np.einsum("...i,...i->...", x, x)[..., None]
    found: Array = x / np.sqrt(squares / np.float32(x.shape[-1]) + np.float32(1e-5))
    return found


def _gelu(x: Array) -> Array:
    """The tanh approximation of GELU (Hendrycks & Gimpel 2016), written as x · sigmoid(2 · argument of tanh)."""
    inside = x * x
    inside *= np.float32(-2 * 0.7978845608 * 0.044715)
    inside -= np.float32(2 * 0.7978845608)
    inside *= x
    np.exp(np.minimum(inside, np.float32(80), out=inside), out=inside)
    inside += 1
    found: Array = x / inside
    return found
