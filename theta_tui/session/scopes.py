"""Which lesson with weights of its own answers a prompt: the scopes of a home's lessons, kept in step with its store.

A scope is what was taught and what picks say of it since (store/meant.py), so all of it is in the journal. What
changed since the last prompt is looked at, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from theta_tui.base.text import shortened
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
        """Which of `lessons`, those with weights of their own by their records, answers `prompt`, if one does.

        `before` is the prompt of the turn before. Raises ModelError where the matcher cannot be read.
        """
        return self.of(lessons).decide(prompt, before) if lessons else NOWHERE

    def of(self, lessons: AbstractSet[int]) -> Scopes:
        """The scopes of `lessons`, as they are by now. The first call reads the prompts of all of them."""
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

    def _changed(self, state: State) -> set[int]:
        """The lessons of which picks say something else than when this was last asked."""
        log = state.touched
        if log is not self._log:
            # Its past is another one, be it by a withdrawal alone.
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


def change(state: State, lesson: Lesson, answered: Decision) -> str | None:
    """In one sentence, which earlier answer `lesson` replaces, unless the person just corrected it; or which lesson it
    is kept from. `answered` was decided of its prompt before."""
    said, prompt = lesson.exchange, shortened(lesson.exchange.prompt)
    if not lesson.moves or said.meant is not None:
        return None
    mark = said.mark if said.kind == "pick" else None
    if mark is not None and mark.lesson is not None:
        return f"#{state.lesson(mark.lesson).number} is not meant by '{prompt}'" if mark.sure else None
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
