"""The ledger in numbers, kept in step: what changed since it was last looked at is judged anew, and nothing else.
Standard library only.

It says what `ledger.tally(ledger.standings(…))` says, of however many lessons, with every report to the screen.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping

from theta_tui.store import retention as ledger
from theta_tui.store.active import question
from theta_tui.store.past import Past
from theta_tui.store.records import Finding
from theta_tui.store.standing import NAMED, State, Tally
from theta_tui.store.state import Lesson, Story

ANSWERS: frozenset[State] = frozenset({"kept", "fading", "lost", "unasked"})
"""The states of lessons that the model is to know."""

WEAK: frozenset[State] = frozenset({"fading", "lost"})

STATES: tuple[State, ...] = ("kept", "fading", "lost", "unasked", "superseded", "withdrawn", "failed")
"""The states by their numbers in a past."""


class Book:
    """The states of the lessons of a story, with what asking `found`, which its owner changes; `touch` says where."""

    def __init__(self, found: Mapping[int, Finding]) -> None:
        self._found = found
        self._changed: list[int] = []
        self._log: list[int] | None = None
        self._read = 0
        self._begin(0, None)

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

    def state(self, story: Story, seq: int) -> State:
        """How lesson `seq` stands."""
        self._catch_up(story)
        state = self._state(seq)
        if state is None:
            raise KeyError(seq)
        return state

    def states(self, story: Story) -> dict[int, State]:
        """Of the lessons that came, or changed, since the past of the story: those that may stand in another way."""
        self._catch_up(story)
        return self._states

    @property
    def fresh(self) -> frozenset[int]:
        """The answers that were measured, or asked, since anything moved."""
        return frozenset(self._fresh)

    def _begin(self, moved: int, past: Past | None) -> None:
        self._moved = moved
        self._past = past
        self._states: dict[int, State] = {}  # but for those that are as the past has them
        self._numbers: dict[State, list[int]] = {}
        self._fresh: set[int] = set()
        self._holding: dict[str, Lesson] = {}
        if past is not None:
            self._fresh.update(past.columns["fresh"])
            for number, state in enumerate(past.columns["state"], 1):
                self._numbers.setdefault(STATES[state], []).append(number)

    def _state(self, seq: int) -> State | None:
        found = self._states.get(seq)
        if found is None and self._past is not None:
            number = self._past.number_of(seq)
            found = STATES[self._past.columns["state"][number - 1]] if number else None
        return found

    def _catch_up(self, story: Story) -> None:
        log, moved = story.touched, story.moved
        if log is self._log and moved >= self._moved:
            changed: Iterable[int] = dict.fromkeys([*log[self._read :], *self._changed])
        elif (past := story.known) is not None and moved >= past.figures.moved:
            # Another story, or what came since its past changed.
            self._begin(past.figures.moved, past)
            changed = dict.fromkeys([*(lesson.seq for lesson in story.lessons.more), *log, *self._found])
        else:
            # Its past changed; or what had moved last did not, so that older findings hold again.
            self._begin(moved, None)
            changed = (lesson.seq for lesson in story.lessons)
        if moved > self._moved:
            # How those stand that nothing was found of since is as it was, but it is not sure any more.
            self._moved = moved
            self._fresh = {seq for seq in self._fresh if seq in self._found or _known_by(story.lesson(seq)) >= moved}
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
        if now is not None and (before is None or before.exchange.reply != now.exchange.reply):
            # Where it is not known which one held, any of them may stand in another way.
            replies = None if before is None else (before.exchange.reply, now.exchange.reply)
            for other in group:
                if other is not lesson and (replies is None or other.exchange.reply in replies):
                    self._set_down(other, now)
        self._set_down(lesson, now or lesson)

    def _set_down(self, lesson: Lesson, current: Lesson) -> None:
        seq, number = lesson.seq, lesson.number
        state, fresh = ledger.stand(lesson, current, self._found.get(seq), self._moved)
        if fresh and state in ANSWERS:
            self._fresh.add(seq)
        else:
            self._fresh.discard(seq)
        was = self._state(seq)
        if was == state:
            return
        if was is not None:
            numbers = self._numbers[was]
            del numbers[bisect_left(numbers, number)]
        self._states[seq] = state
        insort(self._numbers.setdefault(state, []), number)


def _known_by(lesson: Lesson) -> int:
    """The record by which a lesson that was measured, or asked, was so last."""
    return lesson.asked[-1].seq if lesson.asked else lesson.seq
