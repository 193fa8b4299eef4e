"""The lessons that count, kept in step with a story: nothing here is counted anew with every lesson. Standard library
only.

Whoever changes a lesson takes it out before and puts it in again afterwards.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from typing import TYPE_CHECKING

from theta_tui.text import normalised

if TYPE_CHECKING:
    from theta_tui.lessons.story import Lesson


def question(prompt: str) -> str:
    """What two prompts are the same question by: case, white space and outer punctuation folded."""
    return normalised(prompt) or prompt


class Live:
    """`lessons` count, in order; `drifting` are those of them that reported how far the model was from its foundation.
    `steps` is the number of optimizer steps they took."""

    def __init__(self, lessons: Iterable[Lesson] = ()) -> None:
        self.lessons: list[Lesson] = []
        self.drifting: list[Lesson] = []
        self.steps = 0
        self._about: dict[str, list[Lesson]] | None = None
        for lesson in lessons:
            self.put(lesson)

    def put(self, lesson: Lesson) -> None:
        """`lesson` is as it is now; it is not in here."""
        if not lesson.moves:
            return
        _insert(self.lessons, lesson)
        if self._about is not None:
            _insert(self._about.setdefault(question(lesson.exchange.prompt), []), lesson)
        if lesson.outcome is not None:
            self.steps += lesson.outcome.steps
            if _drift(lesson) is not None:
                _insert(self.drifting, lesson)

    def take(self, lesson: Lesson) -> None:
        """`lesson` is about to change."""
        if not _remove(self.lessons, lesson):
            return
        if self._about is not None:
            _remove(self._about[question(lesson.exchange.prompt)], lesson)
        if lesson.outcome is not None:
            self.steps -= lesson.outcome.steps
            _remove(self.drifting, lesson)

    def about(self, prompt: str) -> list[Lesson]:
        """The lessons on the question that `prompt` asks, in order. The index is made when it is first asked for."""
        if self._about is None:
            self._about = {}
            for lesson in self.lessons:
                self._about.setdefault(question(lesson.exchange.prompt), []).append(lesson)
        return self._about.get(question(prompt), [])


def _drift(lesson: Lesson) -> float | None:
    drift = lesson.outcome.drift if lesson.outcome is not None else None
    return drift if drift is not None and math.isfinite(drift) else None


def _insert(lessons: list[Lesson], lesson: Lesson) -> None:
    if not lessons or lessons[-1].seq < lesson.seq:
        lessons.append(lesson)
    else:
        lessons.insert(bisect_left(lessons, lesson.seq, key=_seq), lesson)


def _remove(lessons: list[Lesson], lesson: Lesson) -> bool:
    if lessons and lessons[-1] is lesson:
        lessons.pop()
        return True
    at = bisect_left(lessons, lesson.seq, key=_seq)
    if at < len(lessons) and lessons[at] is lesson:
        del lessons[at]
        return True
    return False


def _seq(lesson: Lesson) -> int:
    return lesson.seq
