"""The scopes of all lessons, and the decision that a prompt gets before a reply to it is written."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from theta_tui.scope.decision import NOWHERE, Decision
from theta_tui.scope.features import Message
from theta_tui.scope.matcher import Matcher
from theta_tui.scope.words import normal_form

SURE = 1.0
"""The score from which a prompt is answered by the lesson."""

UNSURE = -0.5
"""The score from which one of the five replies is the lesson's."""

LOOKED_AT = 8
"""Keys, the likeliest by their words, that the matcher judges."""


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    lesson: int
    text: str
    message: Message
    vector: np.ndarray
    length: float


class Scopes:
    """Each lesson with the wordings that ask for it. A lesson with a higher number is newer."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._keys: dict[int, list[_Key]] = {}
        self._exact: dict[str, set[int]] = {}
        self._by_word: dict[str, set[_Key]] = {}
        self._order: list[_Key] = []
        self._places: dict[_Key, int] = {}
        self._vectors = np.zeros((0, 1), np.float32)

    @property
    def lessons(self) -> set[int]:
        return set(self._keys)

    def put(self, lesson: int, wordings: Sequence[str]) -> None:
        """A lesson with the wordings of its prompt. Another one under this number goes."""
        self.drop(lesson)
        found = []
        for text in wordings:
            message = self._matcher.reader.read(text)
            found.append(_Key(lesson, text, message, self._matcher.vector(message), _length(message)))
            self._exact.setdefault(normal_form(text), set()).add(lesson)
            for root in message.weights:
                self._by_word.setdefault(root, set()).add(found[-1])
        self._keys[lesson] = found
        self._order = []

    def drop(self, lesson: int) -> None:
        for key in self._keys.pop(lesson, ()):
            self._exact.get(normal_form(key.text), set()).discard(lesson)
            for root in key.message.weights:
                self._by_word.get(root, set()).discard(key)
            self._order = []

    def decide(self, prompt: str) -> Decision:
        """Which lesson answers `prompt`, if one does."""
        if not self._keys:
            return NOWHERE
        same = self._exact.get(normal_form(prompt))
        if same:
            return Decision(max(same), True, float("inf"), prompt)
        query = self._matcher.reader.read(prompt)
        if not query.words:
            return NOWHERE
        keys = self._likeliest(query)
        scores = self._matcher.scores([key.message for key in keys], query)
        score, at = max((score, at) for at, score in enumerate(scores))
        if score < UNSURE:
            return NOWHERE
        found = keys[at].text
        # Of several lessons on one question the newest counts.
        return Decision(max(self._exact[normal_form(found)]), score >= SURE, score, found)

    def _likeliest(self, query: Message) -> list[_Key]:
        """The keys that have most in common with `query`, by their words and by what those mean."""
        if not self._order:
            self._order = [key for keys in self._keys.values() for key in keys]
            self._vectors = np.stack([key.vector for key in self._order])
            self._places = {key: at for at, key in enumerate(self._order)}
        if len(self._order) <= LOOKED_AT:
            return self._order
        length = _length(query)
        shared: defaultdict[_Key, float] = defaultdict(float)
        for root, weight in query.weights.items():
            for key in self._by_word.get(root, ()):
                shared[key] += weight**2
        score = self._vectors @ self._matcher.vector(query)
        for key, weight in shared.items():
            score[self._places[key]] += weight / (length * key.length)
        return [self._order[at] for at in np.argpartition(-score, LOOKED_AT)[:LOOKED_AT]]


def _length(message: Message) -> float:
    return math.sqrt(sum(weight**2 for weight in message.weights.values())) or 1.0
