"""The scopes of all lessons, and the decision which of them answers a prompt."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from theta_tui.facts.grammar import listed
from theta_tui.learning.scope.decision import NOWHERE, Decision
from theta_tui.learning.scope.features import Message, apart
from theta_tui.learning.scope.leaning import leans
from theta_tui.learning.scope.matcher import Matcher
from theta_tui.learning.scope.synonyms import asked_for, plainly
from theta_tui.learning.scope.telling import slip
from theta_tui.learning.scope.words import normal_form, stem

SURE = 1.0
"""From this score on, the lesson answers the prompt."""

UNSURE = -0.5
"""From this score on, one of the five replies is the lesson's."""

LIKELY = 0.9
"""The highest score of a key that names something else than the prompt."""

FRAME = frozenset(map(stem, listed("tell me do does did you know can could would i like to please whether ?")))
"""Stems of the words that frame a question."""

LOOKED_AT = 6
"""The matcher judges at most this many keys, those that share most with the prompt."""


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    lesson: int
    text: str
    message: Message
    first: Message
    """The lesson's prompt in the same form as this wording: as typed, or plain."""
    asked_for: str | None

    def repeats(self) -> bool:
        """Whether it has only words of the prompt and of a frame. Such a key counts word for word only, because it
        would ignore whatever it leaves out of the prompt."""
        return self.message.roots - FRAME <= self.first.roots

    def apart(self, query: Message, asked_for: str | None) -> bool:
        if self.asked_for is not None and asked_for is not None and self.asked_for != asked_for:
            return True
        # A wording may leave out what distinguishes the prompt. One with names of its own is judged by itself.
        shorter = self.message.names <= self.first.names
        return apart(self.message, query) or (shorter and apart(self.first, query))

    def one_of_several(self, others: Sequence[_Key], query: Message) -> bool:
        """Whether another key differs from this one only in a name that the prompt leaves out, as in "Where does Lena
        live?" if two people called Lena are known."""
        left_out = self.message.names - query.known
        if not left_out or any(slip(name, there) for name in left_out for there in query.names):
            return False
        rest = self.message.known - left_out
        beside = [other.message for other in others if other.message.known != self.message.known]
        return any(other.known - (other.names - query.known) == rest for other in beside)


@dataclass(frozen=True, slots=True)
class _Lesson:
    """`before` counts only if the lesson `leans` on it."""

    keys: tuple[_Key, ...]
    not_these: tuple[str, ...]
    leans: bool
    before: str | None


class Scopes:
    """Each lesson with its wordings. A lesson with a higher number is newer."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._lessons: dict[int, _Lesson] = {}
        self._exact: dict[str, set[int]] = {}
        # Each key has an index. The next decision removes dropped keys from theirs.
        self._placed: list[_Key | None] = []
        self._dropped = False
        self._by_root: dict[str, array[int]] = {}
        self._vectors = np.zeros((0, matcher.size), np.float32)
        self._lengths = np.zeros(0, np.float32)

    @property
    def lessons(self) -> set[int]:
        return set(self._lessons)

    def put(
        self, lesson: int, wordings: Sequence[str], *, not_these: Sequence[str] = (), before: str | None = None
    ) -> None:
        """Add a lesson with the wordings of its prompt, the prompt itself first. Replaces a lesson of this number.

        `not_these`: wordings excluded from its scope. `before`: the user's message of the turn before it.
        """
        self.drop(lesson)
        read = self._matcher.reader.read
        plain = dict.fromkeys(map(plainly, wordings))
        ways = [(text, wordings[0]) for text in wordings]
        ways += [(text, plainly(wordings[0])) for text in plain if text not in wordings]
        wanted = asked_for(plainly(wordings[0])) if wordings else None
        keys = tuple(
            _Key(lesson, text, read(text), read(first), asked_for(plainly(text)) or wanted) for text, first in ways
        )
        for key in keys:
            self._exact.setdefault(key.message.form, set()).add(lesson)
        self._placed += [key for key in keys if key.message is key.first or not key.repeats()]
        hangs = bool(wordings) and leans(wordings[0])
        self._lessons[lesson] = _Lesson(keys, tuple(not_these), hangs, before)

    def drop(self, lesson: int) -> None:
        if lesson not in self._lessons:
            return
        for key in self._lessons.pop(lesson).keys:
            self._exact[key.message.form].discard(lesson)
        self._placed = [None if key is None or key.lesson == lesson else key for key in self._placed]
        self._dropped = True

    def decide(self, prompt: str, before: str | None = None) -> Decision:
        """Decide which lesson answers `prompt`, if any. `before`: the user's message of the turn before.

        A lesson whose prompt leans on the turn before it is in scope only if that turn matches too. A prompt that leans
        matches a lesson that does not lean word for word only.
        """
        found = self._decide(prompt, prompt, before)
        plain = plainly(prompt)
        if plain == prompt or found.score == math.inf:
            return found
        other = self._decide(plain, prompt, before)
        return max(found, other, key=lambda decision: (decision.sure, decision.score))

    def near(self, lesson: int, prompts: Sequence[str]) -> list[str]:
        """Those of `prompts` that `lesson` may answer without being asked word for word; `decide` says whether it does.
        One pass of the matcher for all of them, and two prompts of three never get there."""
        forms = {key.message.form for key in self._lessons[lesson].keys}
        pairs: list[tuple[Message, Message]] = []
        asked: list[str] = []
        for prompt in prompts:
            wanted = asked_for(plainly(prompt))
            for query in map(self._matcher.reader.read, {prompt, plainly(prompt)}):
                for key in self._likeliest(query) if query.words else ():
                    if key.message.form in forms and not key.apart(query, wanted):
                        pairs.append((key.message, query))
                        asked.append(prompt)
        scores = self._matcher.scores_of(pairs) if pairs else []
        # In another batch a score may differ in its last bits.
        close = {prompt for prompt, score in zip(asked, scores, strict=True) if score >= SURE - 0.01}
        return [prompt for prompt in prompts if prompt in close]

    def _decide(self, asked: str, prompt: str, before: str | None) -> Decision:
        """Decide for one form of the prompt; `prompt` is what was typed."""
        if not self._lessons:
            return NOWHERE
        exact = math.inf
        for lesson in self._newest_first(normal_form(asked)):
            if self._allowed(lesson, prompt, exact, before):
                return Decision(lesson, True, exact, asked)
        query = self._matcher.reader.read(asked)
        keys = self._likeliest(query) if query.words else []
        if not keys:
            return NOWHERE
        wanted = asked_for(plainly(prompt))
        scores = [
            min(score, LIKELY) if key.apart(query, wanted) else score
            for key, score in zip(keys, self._matcher.scores([key.message for key in keys], query), strict=True)
        ]
        hangs = leans(prompt)
        for score, key in sorted(zip(scores, keys, strict=True), key=lambda pair: -pair[0]):
            if score < UNSURE:
                break
            # Of several lessons on one question the newest counts.
            for lesson in self._newest_first(key.message.form):
                if self._lessons[lesson].leans >= hangs and self._allowed(lesson, prompt, score, before):
                    sure = score >= SURE and not key.one_of_several(keys, query)
                    return Decision(lesson, sure, score, key.text)
        return NOWHERE

    def _newest_first(self, form: str) -> list[int]:
        """The lessons that have a wording of this normal form."""
        return sorted(self._exact.get(form, ()), reverse=True)

    def _allowed(self, lesson: int, prompt: str, score: float, before: str | None) -> bool:
        """Whether a lesson that matches `prompt` by `score` does not exclude it, and does not lean on another turn."""
        held = self._lessons[lesson]
        if held.not_these and self._alike(prompt, held.not_these) >= score:
            return False
        if not held.leans or held.before == before:
            return True
        return held.before is not None and before is not None and self._alike(before, [held.before]) >= SURE

    def _alike(self, prompt: str, wordings: Sequence[str]) -> float:
        """The best score of `prompt` among some wordings; infinite if it is one of them."""
        if normal_form(prompt) in map(normal_form, wordings):
            return math.inf
        read = self._matcher.reader.read
        query = read(prompt)
        if not query.words:
            return -math.inf
        scores = zip(map(read, wordings), self._matcher.scores([read(text) for text in wordings], query), strict=True)
        return max(min(score, LIKELY) if apart(message, query) else score for message, score in scores)

    def _likeliest(self, query: Message) -> list[_Key]:
        """The keys that have most in common with `query`, by their words and by the words' vectors."""
        self._take_places()
        score = self._vectors @ self._matcher.vectors([query])[0]
        length = _length(query)
        for root, weight in query.weights.items():
            places = self._by_root.get(root)
            if places is not None:
                at = np.frombuffer(places, np.int32)
                score[at] += weight**2 / length / self._lengths[at]
        order = np.argpartition(-score, LOOKED_AT)[:LOOKED_AT] if len(score) > LOOKED_AT else range(len(score))
        found = [key for at in order if (key := self._placed[at]) is not None]
        # Not by their indices: equal scopes must score equally to the bit, however they came about.
        return sorted(found, key=lambda key: (key.lesson, key.text))

    def _take_places(self) -> None:
        """Remove dropped keys and read new ones."""
        known = len(self._vectors)
        if self._dropped:
            self._dropped = False
            kept = [at for at, key in enumerate(self._placed[:known]) if key is not None]
            self._vectors, self._lengths = self._vectors[kept], self._lengths[kept]
            self._placed = [key for key in self._placed if key is not None]
            self._by_root, known = {}, 0
        new = [key.message for key in self._placed[known:] if key is not None]
        for at, message in enumerate(new, known):
            for root, weight in message.weights.items():
                if weight:
                    self._by_root.setdefault(root, array("i")).append(at)
        unread = new[len(self._vectors) - known :]
        if unread:
            self._vectors = np.concatenate([self._vectors, self._matcher.vectors(unread)])
            self._lengths = np.append(self._lengths, np.array([_length(message) for message in unread], np.float32))


def _length(message: Message) -> float:
    return math.sqrt(message.size) or 1.0
