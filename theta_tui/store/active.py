"""The lessons that count, kept in step with a story: nothing here is counted anew with every lesson. Standard library
only.

Whoever changes a lesson takes it out before and puts it in again afterwards.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left, bisect_right

from theta_tui.base.text import normalised
from theta_tui.store.lesson import Lesson, Lessons, View
from theta_tui.store.past import Past


def question(prompt: str) -> str:
    """What two prompts are the same question by: case, white space and outer punctuation folded."""
    return normalised(prompt) or prompt


def mark(about: str) -> int:
    """A number of 32 bits that a question is looked up by; two may have the same."""
    return zlib.crc32(about.encode("utf-8", "surrogatepass"))


class Live:
    """Which of `lessons` count, in order, by their numbers. `steps` is the number of optimizer steps they took. It
    begins with those that counted in `past`."""

    def __init__(self, lessons: Lessons, past: Past | None = None) -> None:
        self._all = lessons
        self._past = past
        self.steps = past.figures.steps if past is not None else 0
        self._live, self._begun = (
            array("I", past.columns[name] if past is not None else ()) for name in ("live", "begun")
        )
        self.lessons: View[Lesson] = _Counting(lessons, self._live)
        self._about: dict[str, list[Lesson]] | None = None
        self._looked_up: set[str] = set()

    @property
    def begun(self) -> Lesson | None:
        """The first of them that has no outcome yet."""
        return self._all.numbered(self._begun[0]) if self._begun else None

    @property
    def newest(self) -> int:
        """The record of the last one; 0 where there is none."""
        return self._all.seq(self._live[-1]) if self._live else 0

    @property
    def numbers(self) -> dict[str, array[int]]:
        """The columns of a past: those that count, and those of them that have no outcome yet."""
        return {"live": self._live, "begun": self._begun}

    def after(self, position: int) -> list[Lesson]:
        """Those of records after `position`."""
        return self.lessons[len(self._live) - self.count_after(position) :]

    def count_after(self, position: int) -> int:
        """How many those are."""
        return len(self._live) - bisect_right(self._live, position, key=self._all.seq)

    def put(self, lesson: Lesson) -> None:
        """`lesson` is as it is now; it is not in here."""
        if not lesson.moves:
            return
        _insert(self._live, lesson.number)
        if self._about is not None:
            group = self._about.setdefault(question(lesson.exchange.prompt), [])
            group.insert(bisect_left(group, lesson.number, key=_number), lesson)
        if lesson.outcome is None:
            _insert(self._begun, lesson.number)
            return
        self.steps += lesson.outcome.steps

    def take(self, lesson: Lesson) -> None:
        """`lesson` is about to change."""
        if not _remove(self._live, lesson.number):
            return
        if self._about is not None:
            group = self._about.get(question(lesson.exchange.prompt), [])
            at = bisect_left(group, lesson.number, key=_number)
            if at < len(group) and group[at] is lesson:
                del group[at]
        if lesson.outcome is None:
            _remove(self._begun, lesson.number)
            return
        self.steps -= lesson.outcome.steps

    def about(self, prompt: str) -> list[Lesson]:
        """The lessons on the question that `prompt` asks, in order. Those since the past are sorted by it when this is
        first asked; those of the past are looked up, one question at a time."""
        about, earlier = question(prompt), self._past.taught if self._past is not None else 0
        if self._about is None:
            self._about = {}
            for number in self._live[bisect_right(self._live, earlier) :]:
                lesson = self._all.numbered(number)
                self._about.setdefault(question(lesson.exchange.prompt), []).append(lesson)
        if self._past is not None and about not in self._looked_up:
            self._looked_up.add(about)
            found = (self._all.numbered(number) for number in self._past.about(mark(about)))
            group = [lesson for lesson in found if lesson.moves and question(lesson.exchange.prompt) == about]
            group.extend(lesson for lesson in self._about.get(about, ()) if lesson.number > earlier)
            if group:
                self._about[about] = group
        return self._about.get(about, [])


class _Counting(View[Lesson]):
    def __init__(self, lessons: Lessons, numbers: array[int]) -> None:
        self._all = lessons
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def _at(self, index: int) -> Lesson:
        return self._all.numbered(self._numbers[index])


def _insert(numbers: array[int], number: int) -> None:
    if not numbers or numbers[-1] < number:
        numbers.append(number)
    else:
        numbers.insert(bisect_left(numbers, number), number)


def _remove(numbers: array[int], number: int) -> bool:
    at = len(numbers) - 1 if numbers and numbers[-1] == number else bisect_left(numbers, number)
    if at < len(numbers) and numbers[at] == number:
        numbers.pop(at)
        return True
    return False


def _number(lesson: Lesson) -> int:
    return lesson.number
