"""Reviews: asks lessons again whether the model still knows them, and what the newest lesson cost. No torch here.

A review runs in slices of one forward pass, so its caller can stop between any two. Results are kept here and
journalled once per pass, if they add something to the journal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from theta_tui.base.text import plural
from theta_tui.store import retention
from theta_tui.store.records import Asked, Finding
from theta_tui.store.report import Holding, ReportRow, Tally
from theta_tui.store.state import Lesson
from theta_tui.store.store import Store

FIRST = 8
"""After a lesson, this many lessons are reviewed before its cost is reported; then again after all were reviewed."""

Score = Callable[[Lesson], Finding]


class Review:
    """The reviews of one home, on the model that `score` asks. `alarm` says which lessons the newest one damaged.

    `left` counts the lessons that the running review has still to ask, `changes` how often anything here changed.
    """

    def __init__(self, store: Store, score: Score) -> None:
        self.store = store
        self.score = score
        self.alarm: str | None = None
        self.left = 0
        self.changes = 0
        self._moves = 0
        self._found: dict[int, Finding] = {}
        self._found_at = 0.0
        self._told: tuple[int, ...] = ()
        self._verified: dict[int, int] = {}
        """Lesson → the newest lesson at the time of its last review, with earlier weights, in this session."""
        self._asked: dict[int, int] = {}
        """The same, with the present weights."""

    def rows(self, most: int | None = None) -> list[ReportRow]:
        """The report rows of all lessons, or of the last `most`, including results that are not journalled yet."""
        return retention.rows(self.store.state, self._found, self._found_at, most=most)

    def tally(self) -> Tally:
        """The summary of the report, including results that are not journalled yet."""
        return retention.tally(retention.judged(self.store.state, self._found))

    def slices(self) -> Iterator[None]:
        """Review every lesson not reviewed since the newest one was taught; yields after each.

        Ends at once if there is none.
        """
        if self.tally().stale:
            yield from self._ask(retention.due(self.store.state, self.rows()))
        self._look_for_recovery()
        self.settle()

    def ask_for(self, seconds: float) -> None:
        """Review lessons for about `seconds`, first those that the newest one most likely damaged."""
        begun = time.monotonic()
        for _ in self.slices():
            if time.monotonic() - begun >= seconds:
                break

    def quiz(self) -> Iterator[None]:
        """Review every live lesson, whenever it was last reviewed, and journal the results. A lesson taught or taken
        back meanwhile ends the quiz."""
        weights = self._weights()
        yield from self._ask(retention.active_answers(self.store.state))
        if self._weights() == weights:
            self.settle(always=True)

    def settle(self, *, always: bool = False) -> None:
        """Journal the results, if they are worth a record (or `always`). Called before the weights change.

        Raises HomeError if the record cannot be written.
        """
        results = tuple(self._found.values())
        state = self.store.state
        worth = always or any(retention.noticeable(state.lesson(found.seq), found) for found in results)
        if results and worth and self.store.read_only is None:
            self.store.append(Asked(results))
            self._found.clear()

    def moved(self) -> None:
        """The weights have changed: drop the results of the old weights, and the alarm."""
        self._verified.update(self._asked)
        self._asked.clear()
        self._found.clear()
        self.changes += 1
        self._moves += 1
        self._told = ()
        self.alarm = None
        self.left = 0

    def warn(self, text: str) -> None:
        """Raise the alarm. It lasts until the weights change again."""
        state = self.store.state
        last = state.last
        self.alarm = text
        self.changes += 1
        own = last is not None and last is state.own_last
        way = "" if last is None else f"; {'undo takes back' if own else 'withdraw takes out'} #{last.number}"
        self.store.notices.append(f"{text}{way}")

    def _ask(self, lessons: list[Lesson]) -> Iterator[None]:
        newest, weights = self._newest(), self._weights()
        try:
            for at, lesson in enumerate(lessons, 1):
                self.left = len(lessons) - at
                self._found[lesson.seq] = self.score(lesson)
                self._found_at = time.time()
                self.changes += 1
                self._asked[lesson.seq] = newest
                if at == FIRST or at == len(lessons):
                    self._look_for_damage()
                yield
                if self._weights() != weights:
                    return
        finally:
            self.left = 0

    def _state(self, lesson: Lesson) -> Holding:
        state = self.store.state
        return retention.status(lesson, retention.holding(state, lesson), self._found.get(lesson.seq), state.moved)[0]

    def _weights(self) -> tuple[int, int]:
        """A value that changes with the weights."""
        return self._newest(), self._moves

    def _newest(self) -> int:
        last = self.store.state.last
        return last.seq if last is not None else 0

    def _look_for_damage(self) -> None:
        """Raise the alarm if lessons that held before the newest one are lost now."""
        state = self.store.state
        newest = state.last
        if newest is None or state.relearned_at > newest.seq:
            return  # a lesson withdrawn since may have caused the loss
        damaged: list[Lesson] = []
        since = newest.seq
        for seq in sorted(self._found):
            lesson, found = state.lesson(seq), self._found[seq]
            known = retention.measured(lesson)
            answers = self._state(lesson) in retention.ANSWERS
            if not answers or known is None or lesson is newest or known.seq > newest.seq:
                continue
            before = retention.judge(lesson, known.p, known.says)
            if before in {"kept", "fading"} and retention.judge(lesson, found.p, found.says) == "lost":
                damaged.append(lesson)
                since = min(since, max(known.seq, self._verified.get(lesson.seq, 0)))
        numbers = tuple(lesson.number for lesson in damaged)
        if not damaged or numbers == self._told:
            return
        self._told = numbers
        suspects = [lesson for lesson in state.active if since < lesson.seq <= newest.seq]
        self.warn(cost(numbers, [lesson.number for lesson in suspects] or [newest.number]))

    def _look_for_recovery(self) -> None:
        """Cancel the alarm if the lessons that it named hold again."""
        state = self.store.state
        if self._told and not any(self._state(state.lessons[number - 1]) == "lost" for number in self._told):
            self.store.notices.append(
                f"{retention.named(self._told)} {'hold' if len(self._told) > 1 else 'holds'} again"
            )
            self.alarm, self._told = None, ()
            self.changes += 1


def cost(lost: tuple[int, ...], suspects: list[int]) -> str:
    """The cost of teaching, in words. With several `suspects` it is unknown which of them caused it."""
    taught = f"#{suspects[0]}" if len(suspects) == 1 else f"#{suspects[0]} to #{suspects[-1]}"
    return f"teaching {taught} cost {plural(len(lost), 'other')} ({retention.named(lost)})"
