"""What the journal says, folded: the conversation, the lessons, the losses. Standard library only.

The fold ignores what is withdrawn, wherever it stands, so a lesson taken back is as if it had never been taught: its
turn is gone and no later lesson saw it. Restored, it stands where it stood.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from theta_tui.lessons.dialogue import NOTHING, Dialogue
from theta_tui.lessons.journal import Entry
from theta_tui.lessons.live import Live
from theta_tui.lessons.records import (
    Asked,
    Begin,
    Brought,
    Consolidated,
    Exchange,
    Failure,
    Fresh,
    Learned,
    Outcome,
    Rebuilt,
    Restore,
    Turn,
    Withdraw,
)

ASKINGS_KEPT = 8
"""Results kept of one lesson: the newest is what counts, the others are gone back to when lessons are withdrawn."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How well the model knew a lesson when record `seq` was written, at Unix time `at`."""

    seq: int
    at: float
    p: float
    says: bool


@dataclass(frozen=True, slots=True)
class Consolidation:
    """Steps that were taken in idle time, by record `seq`."""

    seq: int
    done: Consolidated


@dataclass(slots=True)
class Lesson:
    """A pick or a correction. `context` is the conversation that stood before it when it was taught.

    `recipe` are the numbers that it is learned with: the exchange's, until a rebuild. `failed` says why nothing moved,
    where it could not be learned. `asked` is what asking it again found, newest last.
    """

    number: int
    seq: int
    at: float
    exchange: Exchange
    context: Dialogue
    outcome: Outcome | None = None
    machine: str | None = None
    withdrawn: bool = False
    failed: str | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    asked: list[Measured] = field(default_factory=list)

    @property
    def moves(self) -> bool:
        """Whether this lesson is part of the weights (or is to be, where it has no outcome yet)."""
        return not self.withdrawn and self.failed is None and (self.outcome is None or self.outcome.skipped is None)


class Story:
    """The fold of a journal. `add` takes one more record, `of` folds them all.

    What it says is kept as the records come in, so that no answer costs more in a long journal; only what changes the
    past folds anew. The lists that it hands out are its own, to be read at once.
    """

    def __init__(self) -> None:
        self.begin: Begin | None = None
        """The model that the home belongs to: that of its first record, or of the last rebuild."""
        self.rebuilt = 0
        """The seq of the last rebuild; 0 where there was none."""
        self.turns: list[Turn] = []
        self.lessons: list[Lesson] = []
        self.consolidations: list[Consolidation] = []
        """Those that count: no lesson before them was taken back, or brought back, since."""
        self.refolded = 0
        """The newest withdrawal, or return, of a lesson before the last one: the lessons since are learned again, and
        what they left then is not what they leave now."""
        self.touched: list[int] = []
        """The seqs of the lessons that changed since this list began; another list where everything may have."""
        self.withdrawn: list[int] = []
        """The seqs of the lessons that are taken back, in order."""
        self._live = Live()
        self._idle_steps = 0
        self._by_seq: dict[int, Lesson] = {}
        self._said: list[Dialogue] = []  # up to each of the turns, with it
        self._where: dict[int, int] = {}  # record → the place of its (last) turn
        self._replaced: dict[int, Turn] = {}  # record → the turn whose place its own took
        self._replacing: dict[int, int] = {}  # the other way round
        self._entries: list[Entry] = []

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Story:
        story = cls()
        story._entries = list(entries)
        gone, then = withdrawn(entries), set[int]()
        differs = _first_lesson(entries, gone)
        for entry in entries:
            if isinstance(entry.record, (Withdraw, Restore)):
                _take_back(entry, then)
                differs = _first_lesson(entries, then ^ gone)
            elif isinstance(entry.record, (Asked, Consolidated)) and differs < entry.seq:
                continue  # the model of that time had learned other lessons than this story's has up to there
            story._step(entry, withdrawn=entry.seq in gone)
        story.touched = []
        return story

    def add(self, entry: Entry) -> None:
        """Fold one more record in; afterwards this is the story `of` all of them."""
        self._entries.append(entry)
        if isinstance(entry.record, (Withdraw, Restore)):
            # It changes the past: the conversation, and what the lessons since had seen of it.
            vars(self).update(vars(Story.of(self._entries)))
        else:
            self._step(entry, withdrawn=False)

    def _step(self, entry: Entry, *, withdrawn: bool) -> None:
        """Fold one record. `withdrawn` says of an exchange that later records take it back for good."""
        match entry.record:
            case Begin() as begin:
                self.begin = begin
            case Exchange() as exchange if exchange.kind != "none":
                self._exchange(entry.seq, entry.at, exchange, withdrawn)
            case Learned() as learned if learned.of in self._by_seq:
                self.learned(learned.of, learned.outcome, learned.machine)
            case Rebuilt() as rebuilt:
                self._rebuilt(entry.seq, rebuilt)
            case Withdraw(of=of) | Restore(of=of) if self.live and self.live[-1].seq > of:
                self.refolded = entry.seq
            case Consolidated() as done:
                self.consolidations.append(Consolidation(entry.seq, done))
                self._idle_steps += done.steps
            case Fresh():
                self._begin_conversation([])
            case Brought(turns=turns):
                self._begin_conversation([Turn(entry.seq, prompt, reply, "brought") for prompt, reply in turns])
            case Failure(message=message, of=int(of)) if of in self._by_seq:
                lesson = self._by_seq[of]
                self._live.take(lesson)
                lesson.failed = message
                self.touched.append(of)
                self._drop_turn(of)
            case Asked(results=results):
                for seq, p, says in results:
                    if seq in self._by_seq:
                        found = self._by_seq[seq].asked
                        found.append(Measured(entry.seq, entry.at, p, says))
                        del found[:-ASKINGS_KEPT]
                        self.touched.append(seq)

    @property
    def dialogue(self) -> Dialogue:
        """The conversation as the model is shown it."""
        return self._said[-1] if self._said else NOTHING

    @property
    def live(self) -> list[Lesson]:
        """The lessons that count, in order."""
        return self._live.lessons

    @property
    def moves(self) -> list[Lesson | Consolidation]:
        """All that the weights are made of, in order."""
        return sorted([*self.live, *self.consolidations], key=lambda move: move.seq)

    @property
    def moved(self) -> int:
        """The newest record since which the weights are as they are."""
        newest = (moves[-1].seq if moves else 0 for moves in (self.live, self.consolidations))
        return max(*newest, self.refolded)

    @property
    def last(self) -> Lesson | None:
        """The newest lesson that can be taken back."""
        return next((lesson for lesson in reversed(self.live) if lesson.outcome), None)

    @property
    def step(self) -> int:
        """Optimizer steps in the weights that this story stands for."""
        return self._idle_steps + self._live.steps

    @property
    def undone(self) -> Lesson | None:
        """The lesson that redo brings back: the last one taken back, while nothing was taught or rebuilt since.

        One that was never learned is not: it would have to be learned for the first time.
        """
        restored: list[int] = []
        for entry in reversed(self._entries):
            match entry.record:
                case Restore(of=of):
                    restored.append(of)
                case Withdraw(of=of) if of in restored:
                    restored.remove(of)
                case Withdraw(of=of) if of in self._by_seq and self._by_seq[of].withdrawn:
                    return self._by_seq[of] if self._by_seq[of].outcome else None
                case Exchange() if entry.seq in self._by_seq and self._by_seq[entry.seq].failed is None:
                    return None
                case Rebuilt():
                    return None
        return None

    def lesson(self, seq: int) -> Lesson:
        return self._by_seq[seq]

    def numbered(self, number: int) -> Lesson | None:
        """The lesson that a person knows by `number`."""
        return self.lessons[number - 1] if 1 <= number <= len(self.lessons) else None

    def about(self, prompt: str) -> list[Lesson]:
        """The lessons that count on the question that `prompt` asks, in order."""
        return self._live.about(prompt)

    def drifts(self, most: int) -> tuple[float, ...]:
        """The last `most` drifts from the foundation that lessons which count reported, in nats a token, oldest first,
        finite ones only."""
        found = (lesson.outcome.drift if lesson.outcome else None for lesson in self._live.drifting[-most:])
        return tuple(drift for drift in found if drift is not None)

    def losses(self, most: int) -> tuple[float, ...]:
        """The last `most` losses seen in lessons that count, finite ones only."""
        found: list[float] = []
        for lesson in reversed(self.live):
            if lesson.outcome:
                outcome = lesson.outcome
                series = outcome.losses or (outcome.loss_before, outcome.loss_after)
                found.extend(loss for loss in reversed(series) if math.isfinite(loss))
            if len(found) >= most:
                break
        return tuple(reversed(found[:most]))

    def learned(self, of: int, outcome: Outcome | None, machine: str | None) -> None:
        """Lesson `of` has another outcome. None: it is yet to be learned."""
        lesson = self._by_seq[of]
        self._live.take(lesson)
        lesson.outcome, lesson.machine = outcome, machine
        self._live.put(lesson)
        self.touched.append(of)
        self._show(of, outcome)

    def _exchange(self, seq: int, at: float, exchange: Exchange, withdrawn: bool) -> None:
        place = self._where.get(exchange.replaces) if exchange.replaces is not None else None
        if not exchange.conversation:
            context: Dialogue = NOTHING
        else:
            context = self._before(len(self.turns) if place is None else place)
        lesson = Lesson(len(self.lessons) + 1, seq, at, exchange, context, withdrawn=withdrawn, recipe=exchange.recipe)
        self.lessons.append(lesson)
        self._by_seq[seq] = lesson
        if withdrawn:
            self.withdrawn.append(seq)
            return
        self._live.put(lesson)
        self.touched.append(seq)
        if not exchange.conversation:
            return
        kind = "pick" if exchange.kind == "pick" else "correction"
        turn = Turn(seq, exchange.prompt, exchange.reply, kind, exchange.pick)  # type: ignore[arg-type]
        if place is None:
            self._append(turn)
        else:
            self._replaced[seq] = self.turns[place]
            self._replacing[self.turns[place].seq] = seq
            self._put(place, [turn])

    def _show(self, of: int, outcome: Outcome | None) -> None:
        """The turn of exchange `of` shows its outcome, where it stands in the conversation or may come back to it."""
        place = self._where.get(of)
        if place is not None:
            self.turns[place] = replace(self.turns[place], outcome=outcome)
        by = self._replacing.get(of)
        if by is not None:
            self._replaced[by] = replace(self._replaced[by], outcome=outcome)

    def _rebuilt(self, seq: int, rebuilt: Rebuilt) -> None:
        self.begin = Begin(rebuilt.model, rebuilt.fingerprint, rebuilt.version, rebuilt.lora)
        self.rebuilt, self.refolded, self._idle_steps = seq, 0, 0
        self.consolidations.clear()
        for lesson in self.lessons:
            lesson.asked.clear()
        for of, outcome in rebuilt.outcomes:
            if of in self._by_seq:
                lesson = self._by_seq[of]
                lesson.recipe = rebuilt.recipe
                said = lesson.exchange
                full = replace(outcome, lesson=lesson.number, kind=said.kind, prompt=said.prompt, reply=said.reply)
                lesson.outcome, lesson.machine = full, rebuilt.machine
                self._show(of, full)
        self._live = Live(self.lessons)
        self.touched = []

    # --- the conversation, and the place of each turn in it ---

    def _before(self, place: int) -> Dialogue:
        """What was said before the turn at `place`."""
        return self._said[place - 1] if place else NOTHING

    def _append(self, turn: Turn) -> None:
        self._where[turn.seq] = len(self.turns)
        self._said.append(self.dialogue.then(turn.prompt, turn.reply))
        self.turns.append(turn)

    def _put(self, place: int, turns: list[Turn]) -> None:
        """`turns` take the place of the one that is there. What follows it, mostly nothing, is told again."""
        following = [*turns, *self.turns[place + 1 :]]
        for turn in self.turns[place:]:
            self._where.pop(turn.seq, None)
            if turn.kind == "brought":  # others came with it, under the same number
                earlier = next((at for at in range(place - 1, -1, -1) if self.turns[at].seq == turn.seq), None)
                if earlier is not None:
                    self._where[turn.seq] = earlier
        del self.turns[place:], self._said[place:]
        for turn in following:
            self._append(turn)

    def _drop_turn(self, of: int) -> None:
        """Take the turn of exchange `of` out; one that it had replaced comes back."""
        place = self._where.get(of)
        if place is not None:
            before = self._replaced.pop(of, None)
            if before is not None:
                self._replacing.pop(before.seq, None)
            self._put(place, [before] if before else [])

    def _begin_conversation(self, turns: list[Turn]) -> None:
        self.turns = []
        self._said, self._where, self._replaced, self._replacing = [], {}, {}, {}
        for turn in turns:
            self._append(turn)


def withdrawn(entries: Sequence[Entry]) -> set[int]:
    """The seqs of the exchanges that are taken back once all of `entries` are read."""
    gone: set[int] = set()
    for entry in entries:
        _take_back(entry, gone)
    return gone


def _take_back(entry: Entry, gone: set[int]) -> None:
    match entry.record:
        case Withdraw(of=of) if of < entry.seq:
            gone.add(of)
        case Restore(of=of):
            gone.discard(of)


def _first_lesson(entries: Sequence[Entry], seqs: set[int]) -> float:
    """The least of `seqs` that is one of a lesson; infinity where none is."""
    return min((seq for seq in seqs if _is_lesson(entries, seq)), default=math.inf)


def _is_lesson(entries: Sequence[Entry], seq: int) -> bool:
    # A journal's entries are numbered without a gap; those of a part of one need not begin with the first.
    at = bisect_left(entries, seq, key=lambda entry: entry.seq)
    record = entries[at].record if at < len(entries) and entries[at].seq == seq else None
    return isinstance(record, Exchange) and record.kind != "none"
