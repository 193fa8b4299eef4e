"""What the journal says, folded: the conversation, the lessons, the losses. Standard library only.

The fold ignores what was withdrawn, wherever it stands, so an undone lesson is as if it had never been taught: its
turn is gone and no later lesson saw it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from theta_tui.lessons.journal import Entry
from theta_tui.lessons.records import (
    Asked,
    Begin,
    Brought,
    Exchange,
    Failure,
    Fresh,
    Learned,
    Outcome,
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


@dataclass(slots=True)
class Lesson:
    """A pick or a correction. `context` is the conversation that stood before it when it was taught.

    `failed` says why nothing moved, where it could not be learned. `asked` is what asking it again found, newest last.
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
    asked: list[Measured] = field(default_factory=list)

    @property
    def moves(self) -> bool:
        """Whether this lesson is part of the weights (or is to be, where it has no outcome yet)."""
        return not self.withdrawn and self.failed is None and (self.outcome is None or self.outcome.skipped is None)


class Story:
    """The fold of a journal. `add` takes one more record, `of` folds them all."""

    def __init__(self) -> None:
        self.begin: Begin | None = None
        self.turns: list[Turn] = []
        self.lessons: list[Lesson] = []
        self.refolded = 0
        """The newest record that changed the weights otherwise than by adding or undoing the last lesson."""
        self._by_seq: dict[int, Lesson] = {}
        self._replaced: dict[int, Turn] = {}

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Story:
        withdrawn = {entry.record.of for entry in entries if isinstance(entry.record, Withdraw)}
        story = cls()
        for entry in entries:
            story.add(entry, withdrawn=entry.seq in withdrawn)
        return story

    def add(self, entry: Entry, *, withdrawn: bool = False) -> None:
        """Fold one more record in. `withdrawn` says of an exchange that a later record takes it back."""
        match entry.record:
            case Begin() as begin:
                self.begin = begin
            case Exchange() as exchange if exchange.kind != "none":
                self._exchange(entry.seq, entry.at, exchange, withdrawn)
            case Learned() as learned if learned.of in self._by_seq:
                self._learned(learned)
            case Withdraw(of=of) if of in self._by_seq:
                self._by_seq[of].withdrawn = True
                self._drop_turn(of)
                self._past_changed(of, entry.seq)
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
    def last(self) -> Lesson | None:
        """The newest lesson that can be taken back."""
        return next((lesson for lesson in reversed(self.lessons) if lesson.moves and lesson.outcome), None)

    def lesson(self, seq: int) -> Lesson:
        return self._by_seq[seq]

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
        lesson = Lesson(len(self.lessons) + 1, seq, at, exchange, context, withdrawn=withdrawn)
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

    def _learned(self, learned: Learned) -> None:
        lesson = self._by_seq[learned.of]
        lesson.outcome, lesson.machine = learned.outcome, learned.machine
        place = self._place(learned.of)
        if place is not None:
            self.turns[place] = replace(self.turns[place], outcome=learned.outcome)

    def _past_changed(self, of: int, seq: int) -> None:
        """Record `seq` took exchange `of` out of the weights: what was found since `of` was found of another model.

        Where lessons were taught since, they are learned again without it, and what they left is not known either.
        """
        if self.live and self.live[-1].seq > of:
            self.refolded = seq
        for lesson in self.lessons:
            while lesson.asked and lesson.asked[-1].seq > of:
                lesson.asked.pop()

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
