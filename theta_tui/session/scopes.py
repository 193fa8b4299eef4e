"""Decides which lesson with weights of its own answers a prompt. Keeps the scopes of a home's lessons in step with its
store.

A scope comes from what was taught and from later picks (store/meant.py), so the journal has all of it. Each decision
updates only what changed since the last one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from theta_tui.base.text import shortened
from theta_tui.facts.grammar import sentence, swap, words
from theta_tui.facts.own_questions import ABOUT_ITSELF
from theta_tui.learning.scope.decision import NOWHERE, Decision
from theta_tui.store import meant, retention
from theta_tui.store.meant import Said
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from theta_tui.learning.scope.index import Scopes
    from theta_tui.store.state import Lesson, State


class LessonScopes:
    """The scopes of the lessons of `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scopes: Scopes | None = None
        self._picks: dict[int, dict[int, Said]] = {}  # see meant.picks
        self._log: list[int] | None = None
        self._read = 0

    def decide(self, prompt: str, lessons: AbstractSet[int], before: str | None = None) -> Decision:
        """Which of `lessons` (records of those with weights of their own) answers `prompt`, if any.

        `before` is the prompt of the turn before. Raises ModelError if the matcher cannot be read.
        """
        return self.of(lessons).decide(prompt, before) if lessons else NOWHERE

    def of(self, lessons: AbstractSet[int]) -> Scopes:
        """The up-to-date scopes of `lessons`. The first call reads the prompts of all of them."""
        if self._scopes is None:
            from theta_tui.learning.scope.index import Scopes
            from theta_tui.learning.scope.matcher import shipped

            self._scopes = Scopes(shipped())
        state, known = self._store.state, self._scopes.lessons
        changed = self._changed(state)
        for seq in known - lessons:
            self._scopes.drop(seq)
        for seq in sorted((lessons - known) | (lessons & changed)):
            lesson = state.lesson(seq)
            said = self._picks.get(seq, {})
            scope = meant.scope(lesson.exchange, [said[pick] for pick in sorted(said)])
            self._scopes.put(seq, scope.wordings, not_these=scope.not_these, before=lesson.context.asked)
        return self._scopes

    def changes(self, lesson: Lesson, answered: Decision, lessons: AbstractSet[int]) -> list[str]:
        """One sentence for each thing that the new `lesson` changes besides its own reply. `answered` was the decision
        for its prompt before, and `lessons` are those with weights of their own by now."""
        asked = self._stray(lesson, lessons)
        stray = f"#{lesson.number} answers '{asked}' too; pick another reply there to stop that"
        found = _change(self._store.state, lesson, answered), stray if asked is not None else None
        return [text for text in found if text is not None]

    def _stray(self, lesson: Lesson, lessons: AbstractSet[int]) -> str | None:
        """A question that `lesson` answers although it is about something else: a question about the model, or the
        lesson's own with the persons swapped ("What is your name?" for "What is my name?"). None if there is none."""
        prompt = lesson.exchange.prompt
        about_the_model = not _ADDRESSED.isdisjoint(word.lower() for word in words(prompt))
        if about_the_model or lesson.seq not in lessons or not retention.has_scope(lesson):
            return None
        scopes = self.of(lessons)
        for question in scopes.near(lesson.seq, (sentence(swap(words(prompt)), "?"), *ABOUT_ITSELF)):
            found = scopes.decide(question)
            if found.sure and found.lesson == lesson.seq and found.score < math.inf:
                return question
        return None

    def _changed(self, state: State) -> set[int]:
        """The lessons whose picks changed since the last call."""
        log = state.touched
        if log is not self._log:
            # The past has changed, if only by a withdrawal.
            before, self._picks = self._picks, meant.picks(state)
            self._log, self._read = log, len(log)
            return {seq for seq in before.keys() | self._picks.keys() if before.get(seq) != self._picks.get(seq)}
        changed: set[int] = set()
        for seq in dict.fromkeys(log[self._read :]):
            if (found := meant.said_by(state.lesson(seq))) is None:
                continue
            lesson, said = found
            about = self._picks.setdefault(lesson, {})
            if about.get(seq) == said:
                continue
            changed.add(lesson)
            if said is None:
                del about[seq]
            else:
                about[seq] = said
        self._read = len(log)
        return changed


Decide = Callable[[str, str | None], Decision]
"""Decides for a prompt and the prompt before it."""


def _change(state: State, lesson: Lesson, answered: Decision) -> str | None:
    """One sentence about the earlier answer that `lesson` replaces, unless the person just corrected it, or about the
    lesson whose scope its prompt has left. `answered` was the decision for its prompt before."""
    said, prompt = lesson.exchange, shortened(lesson.exchange.prompt)
    if not lesson.moves or said.meant is not None:
        return None
    mark = said.mark if said.kind == "pick" else None
    if mark is not None and mark.lesson is not None:
        return f"#{state.lesson(mark.lesson).number} no longer answers '{prompt}'" if mark.sure else None
    earlier = (other for other in retention.superseded_by(state, lesson) if other.exchange.meant is None)
    replaced = {other.number for other in earlier if other.seq != said.replaces}
    other = state.lesson(answered.lesson) if answered.sure and answered.lesson is not None else None
    if other is not None and (said.kind == "pick" or other.seq == said.replaces or other.exchange.reply == said.reply):
        other = None
    if other is not None and answered.score == math.inf:  # word for word the newest lesson answers
        replaced.add(other.number)
    if not replaced and other is None:
        return None
    kept = f"; #{other.number} keeps its own wordings" if other is not None else ""
    instead = f" instead of {retention.named(sorted(replaced))}" if replaced else kept
    return f"#{lesson.number} answers '{prompt}' from now on{instead}"


_ADDRESSED = frozenset({"you", "your", "yours", "yourself"})


def reached(state: State, lesson: Lesson, decide: Decide) -> float:
    """The share of a lesson's wordings for which its reply is chosen; 1 if it has no scope."""
    wordings = lesson.exchange.variants
    if not retention.has_scope(lesson):
        return 1.0
    found = [decide(text, lesson.context.asked) for text in wordings]
    replies = [state.lesson(one.lesson).exchange.reply for one in found if one.sure and one.lesson is not None]
    return (1 + replies.count(lesson.exchange.reply)) / (1 + len(wordings))
