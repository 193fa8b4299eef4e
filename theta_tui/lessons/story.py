"""What the journal says, folded: the conversation, the lessons, the losses. Standard library only.

The fold ignores what is withdrawn, wherever it stands, so a lesson taken back is as if it had never been taught: its
turn is gone and no later lesson saw it. Restored, it stands where it stood.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from theta_tui.lessons.journal import Entry
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

Dialogue = tuple[tuple[str, str], ...]
"""(prompt, reply) turns, oldest first."""


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
    """The fold of a journal. `add` takes one more record, `of` folds them all."""

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
        self._by_seq: dict[int, Lesson] = {}
        self._replaced: dict[int, Turn] = {}
        self._entries: list[Entry] = []

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Story:
        story = cls()
        story._entries = list(entries)
        gone, then = withdrawn(entries), set[int]()
        for entry in entries:
            _take_back(entry, then)
            of_its_time = isinstance(entry.record, (Asked, Consolidated))
            if of_its_time and any(seq in story._by_seq for seq in then ^ gone):
                continue  # the model of that time had learned other lessons than this story's has up to there
            story._step(entry, withdrawn=entry.seq in gone)
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
                self._learned(learned.of, learned.outcome, learned.machine)
            case Rebuilt() as rebuilt:
                self._rebuilt(entry.seq, rebuilt)
            case Withdraw(of=of) | Restore(of=of) if self.live and self.live[-1].seq > of:
                self.refolded = entry.seq
            case Consolidated() as done:
                self.consolidations.append(Consolidation(entry.seq, done))
            case Fresh():
                self._begin_conversation([])
            case Brought(turns=turns):
                self._begin_conversation([Turn(entry.seq, prompt, reply, "brought") for prompt, reply in turns])
            case Failure(message=message, of=int(of)) if of in self._by_seq:
                self._by_seq[of].failed = message
                self._drop_turn(of)
            case Asked(results=results):
                for seq, p, says in results:
                    if seq in self._by_seq:
                        found = self._by_seq[seq].asked
                        found.append(Measured(entry.seq, entry.at, p, says))
                        del found[:-ASKINGS_KEPT]

    @property
    def dialogue(self) -> Dialogue:
        """The conversation as the model is shown it."""
        return tuple((turn.prompt, turn.reply) for turn in self.turns)

    @property
    def live(self) -> list[Lesson]:
        """The lessons that count, in order."""
        return [lesson for lesson in self.lessons if lesson.moves]

    @property
    def moves(self) -> list[Lesson | Consolidation]:
        """All that the weights are made of, in order."""
        return sorted([*self.live, *self.consolidations], key=lambda move: move.seq)

    @property
    def moved(self) -> int:
        """The newest record since which the weights are as they are."""
        moves = self.moves
        return max(moves[-1].seq if moves else 0, self.refolded)

    @property
    def last(self) -> Lesson | None:
        """The newest lesson that can be taken back."""
        return next((lesson for lesson in reversed(self.lessons) if lesson.moves and lesson.outcome), None)

    @property
    def step(self) -> int:
        """Optimizer steps in the weights that this story stands for."""
        idle = sum(move.done.steps for move in self.consolidations)
        return idle + sum(lesson.outcome.steps for lesson in self.live if lesson.outcome)

    @property
    def withdrawn(self) -> list[int]:
        """The seqs of the lessons that are taken back, in order."""
        return [lesson.seq for lesson in self.lessons if lesson.withdrawn]

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

    def losses(self, most: int) -> tuple[float, ...]:
        """The last `most` losses seen in lessons that count, finite ones only."""
        found: list[float] = []
        for lesson in reversed(self.lessons):
            if lesson.moves and lesson.outcome:
                outcome = lesson.outcome
                series = outcome.losses or (outcome.loss_before, outcome.loss_after)
                found.extend(loss for loss in reversed(series) if math.isfinite(loss))
            if len(found) >= most:
                break
        return tuple(reversed(found[:most]))

    def _exchange(self, seq: int, at: float, exchange: Exchange, withdrawn: bool) -> None:
        place = self._place(exchange.replaces)
        if not exchange.conversation:
            context: Dialogue = ()
        else:
            context = self.dialogue if place is None else self.dialogue[:place]
        lesson = Lesson(len(self.lessons) + 1, seq, at, exchange, context, withdrawn=withdrawn, recipe=exchange.recipe)
        self.lessons.append(lesson)
        self._by_seq[seq] = lesson
        if withdrawn or not exchange.conversation:
            return
        kind = "pick" if exchange.kind == "pick" else "correction"
        turn = Turn(seq, exchange.prompt, exchange.reply, kind, exchange.pick)  # type: ignore[arg-type]
        if place is None:
            self.turns.append(turn)
        else:
            self._replaced[seq] = self.turns[place]
            self.turns[place] = turn

    def _learned(self, of: int, outcome: Outcome, machine: str) -> None:
        lesson = self._by_seq[of]
        lesson.outcome, lesson.machine = outcome, machine
        for at, turn in enumerate(self.turns):
            if turn.seq == of:
                self.turns[at] = replace(turn, outcome=outcome)
        for by, turn in self._replaced.items():
            if turn.seq == of:
                self._replaced[by] = replace(turn, outcome=outcome)

    def _rebuilt(self, seq: int, rebuilt: Rebuilt) -> None:
        self.begin = Begin(rebuilt.model, rebuilt.fingerprint, rebuilt.version, rebuilt.lora)
        self.rebuilt, self.refolded = seq, 0
        self.consolidations.clear()
        for lesson in self.lessons:
            lesson.asked.clear()
        for of, outcome in rebuilt.outcomes:
            if of in self._by_seq:
                lesson = self._by_seq[of]
                lesson.recipe = rebuilt.recipe
                said = lesson.exchange
                full = replace(outcome, lesson=lesson.number, kind=said.kind, prompt=said.prompt, reply=said.reply)
                self._learned(of, full, rebuilt.machine)

    def _drop_turn(self, of: int) -> None:
        """Take the turn of exchange `of` out; one that it had replaced comes back."""
        place = self._place(of)
        if place is not None:
            before = self._replaced.pop(of, None)
            self.turns[place : place + 1] = [before] if before else []

    def _place(self, seq: int | None) -> int | None:
        """Where the turn of record `seq` stands in the conversation: the last one, where a file brought several."""
        if seq is None:
            return None
        return next((at for at in range(len(self.turns) - 1, -1, -1) if self.turns[at].seq == seq), None)

    def _begin_conversation(self, turns: list[Turn]) -> None:
        self.turns = turns
        self._replaced.clear()


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
