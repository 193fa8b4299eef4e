"""The ledger in numbers, kept in step: what changed since it was last looked at is judged anew, and nothing else.
Standard library only.

It says what `ledger.tally(ledger.standings(…))` says, of however many lessons, with every report to the screen.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping

from theta_tui.lessons import ledger
from theta_tui.lessons.ledger import NAMED, State, Tally
from theta_tui.lessons.live import question
from theta_tui.lessons.records import Finding
from theta_tui.lessons.story import Lesson, Story

ANSWERS: frozenset[State] = frozenset({"kept", "fading", "lost", "unasked"})
"""The states of lessons that the model is to know."""


class Book:
    """The states of the lessons of a story, with what asking `found`, which its owner changes; `touch` says where."""

    def __init__(self, found: Mapping[int, Finding]) -> None:
        self._found = found
        self._changed: list[int] = []
        self._log: list[int] | None = None
        self._read = 0
        self._begin(0)

    def touch(self, seqs: Iterable[int]) -> None:
        """What was found of these lessons is another thing now, or gone."""
        self._changed.extend(seqs)

    def tally(self, story: Story) -> Tally:
        self._catch_up(story)
        sizes = {state: len(numbers) for state, numbers in self._numbers.items()}
        kept, fading, lost, unasked = (sizes.get(state, 0) for state in ("kept", "fading", "lost", "unasked"))
        live = kept + fading + lost + unasked
        return Tally(
            live=live,
            kept=kept,
            fading=fading,
            lost=lost,
            unasked=unasked,
            stale=live - len(self._fresh),
            superseded=sizes.get("superseded", 0),
            withdrawn=sizes.get("withdrawn", 0),
            fading_first=tuple(self._numbers.get("fading", ())[:NAMED]),
            lost_first=tuple(self._numbers.get("lost", ())[:NAMED]),
        )

    def weak(self, story: Story) -> int:
        """How many of what is to be known by heart are fading or lost."""
        self._catch_up(story)
        return len(self._weak)

    def state(self, story: Story, seq: int) -> State:
        """How lesson `seq` stands."""
        self._catch_up(story)
        return self._states[seq]

    def _begin(self, moved: int) -> None:
        self._moved = moved
        self._states: dict[int, State] = {}
        self._numbers: dict[State, list[int]] = {}
        self._fresh: set[int] = set()
        """The answers that were measured, or asked, since anything moved."""
        self._weak: set[int] = set()
        self._holding: dict[str, Lesson] = {}

    def _catch_up(self, story: Story) -> None:
        log, moved = story.touched, story.moved
        if log is not self._log or moved < self._moved:
            # Another story, or its past changed; or what had moved last did not, so that older findings hold again.
            self._begin(moved)
            changed: Iterable[int] = (lesson.seq for lesson in story.lessons)
        else:
            changed = dict.fromkeys([*log[self._read :], *self._changed])
            if moved > self._moved:
                changed = dict.fromkeys([*changed, *self._fresh])
                self._moved = moved
        self._log, self._read = log, len(log)
        self._changed.clear()
        for seq in changed:
            self._judge(story, story.lesson(seq))

    def _judge(self, story: Story, lesson: Lesson) -> None:
        """Set `lesson` down as it stands now, and those whose answer it brings up or puts away."""
        about = question(lesson.exchange.prompt)
        group = story.about(lesson.exchange.prompt)
        before, now = self._holding.get(about), group[-1] if group else None
        if now is not None:
            self._holding[about] = now
        else:
            self._holding.pop(about, None)
        if before is not None and now is not None and before.exchange.reply != now.exchange.reply:
            replies = (before.exchange.reply, now.exchange.reply)
            for other in group:
                if other.exchange.reply in replies and other is not lesson:
                    self._set_down(other, now)
        self._set_down(lesson, now or lesson)

    def _set_down(self, lesson: Lesson, current: Lesson) -> None:
        seq, number = lesson.seq, lesson.number
        state, fresh = ledger.stand(lesson, current, self._found.get(seq), self._moved)
        if fresh and state in ANSWERS:
            self._fresh.add(seq)
        else:
            self._fresh.discard(seq)
        if state in {"fading", "lost"} and ledger.by_heart(lesson.exchange):
            self._weak.add(seq)
        else:
            self._weak.discard(seq)
        was = self._states.get(seq)
        if was == state:
            return
        if was is not None:
            numbers = self._numbers[was]
            del numbers[bisect_left(numbers, number)]
        self._states[seq] = state
        insort(self._numbers.setdefault(state, []), number)
