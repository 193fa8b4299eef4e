"""The scopes of all lessons, and the decision that a prompt gets before a reply to it is written."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from theta_tui.scope.decision import NOWHERE, Decision
from theta_tui.scope.features import Message
from theta_tui.scope.leaning import leans
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


@dataclass(frozen=True, slots=True)
class _Lesson:
    """`before` counts where the lesson `leans` on it alone."""

    keys: tuple[_Key, ...]
    not_these: tuple[str, ...]
    leans: bool
    before: str | None


class Scopes:
    """Each lesson with the wordings that ask for it. A lesson with a higher number is newer."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._lessons: dict[int, _Lesson] = {}
        self._exact: dict[str, set[int]] = {}
        self._by_word: dict[str, set[_Key]] = {}
        self._order: list[_Key] = []
        self._places: dict[_Key, int] = {}
        self._vectors = np.zeros((0, 1), np.float32)

    @property
    def lessons(self) -> set[int]:
        return set(self._lessons)

    def put(
        self, lesson: int, wordings: Sequence[str], *, not_these: Sequence[str] = (), before: str | None = None
    ) -> None:
        """A lesson with the wordings of its prompt, the prompt itself first. Another one under this number goes.

        `not_these`: wordings that it is not meant for. `before`: the user's message of the turn before it.
        """
        self.drop(lesson)
        found = []
        for text in wordings:
            message = self._matcher.reader.read(text)
            found.append(_Key(lesson, text, message, self._matcher.vector(message), _length(message)))
            self._exact.setdefault(normal_form(text), set()).add(lesson)
            for root in message.weights:
                self._by_word.setdefault(root, set()).add(found[-1])
        hangs = bool(wordings) and leans(wordings[0])
        self._lessons[lesson] = _Lesson(tuple(found), tuple(not_these), hangs, before)
        self._order = []

    def drop(self, lesson: int) -> None:
        if lesson not in self._lessons:
            return
        for key in self._lessons.pop(lesson).keys:
            self._exact.get(normal_form(key.text), set()).discard(lesson)
            for root in key.message.weights:
                self._by_word.get(root, set()).discard(key)
        self._order = []

    def decide(self, prompt: str, before: str | None = None) -> Decision:
        """Which lesson answers `prompt`, if one does. `before`: the user's message of the turn before.

        A lesson whose prompt leans on the turn before it is in scope only where that turn matches as well. A prompt
        that leans matches a lesson that does not only word for word.
        """
        if not self._lessons:
            return NOWHERE
        exact = float("inf")
        for lesson in self._newest_first(prompt):
            if self._allowed(lesson, prompt, exact, before):
                return Decision(lesson, True, exact, prompt)
        query = self._matcher.reader.read(prompt)
        if not query.words:
            return NOWHERE
        keys = self._likeliest(query)
        scores = self._matcher.scores([key.message for key in keys], query)
        hangs = leans(prompt)
        for score, key in sorted(zip(scores, keys, strict=True), key=lambda pair: -pair[0]):
            if score < UNSURE:
                break
            # Of several lessons on one question the newest counts.
            for lesson in self._newest_first(key.text):
                if self._lessons[lesson].leans >= hangs and self._allowed(lesson, prompt, score, before):
                    return Decision(lesson, score >= SURE, score, key.text)
        return NOWHERE

    def _newest_first(self, wording: str) -> list[int]:
        """The lessons that have `wording`."""
        return sorted(self._exact.get(normal_form(wording), ()), reverse=True)

    def _allowed(self, lesson: int, prompt: str, score: float, before: str | None) -> bool:
        """Whether a lesson that matches `prompt` by `score` is not said not to be meant, and leans on no other turn."""
        held = self._lessons[lesson]
        if held.not_these and self._alike(prompt, held.not_these) >= score:
            return False
        if not held.leans or held.before == before:
            return True
        return held.before is not None and before is not None and self._alike(before, [held.before]) >= SURE

    def _alike(self, prompt: str, wordings: Sequence[str]) -> float:
        """How surely one of some wordings asks what `prompt` asks; infinite where it is the same."""
        if normal_form(prompt) in map(normal_form, wordings):
            return float("inf")
        read = self._matcher.reader.read
        query = read(prompt)
        return max(self._matcher.scores([read(text) for text in wordings], query)) if query.words else -float("inf")

    def _likeliest(self, query: Message) -> list[_Key]:
        """The keys that have most in common with `query`, by their words and by what those mean."""
        if not self._order:
            # In the order of the lessons, so that the same scopes score the same however they came about.
            self._order = [key for number in sorted(self._lessons) for key in self._lessons[number].keys]
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
