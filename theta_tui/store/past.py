"""A story up to some record of its journal, as columns of numbers: what a long history is begun from. Standard library
only.

Nothing in it is text. What was said, and what came of a lesson, is read from the journal when somebody asks, so that
opening costs what the columns are long: some 150 bytes a lesson.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, TypeVar

from theta_tui.base.errors import JournalError
from theta_tui.store.entry import Entry
from theta_tui.store.history import NOTHING, History, Said
from theta_tui.store.lesson import Lesson, Measured
from theta_tui.store.prefix import Prefix
from theta_tui.store.records import Begin, ContextImported, Exchange, Failure, Kind, Learned, Outcome, Rebuilt

R = TypeVar("R")

RECENT = 512
"""Records that are kept once they were read: what was said in one is asked for with what came of it."""

COLUMNS = {
    # a lesson a row
    "seq": "I", "kind": "B", "withdrawn": "B", "learned_by": "I", "recipe_by": "I", "failed_by": "I", "context": "I",
    "learned": "B", "loss_before": "d", "loss_after": "d", "p_before": "d", "p_after": "d", "seconds": "d",
    "state": "B", "askings": "B",
    # what asking found, lesson after lesson
    "asked_by": "I", "asked_at": "d", "asked_p": "d", "asked_says": "B",
    # a turn of a conversation a row: the turn before, its record, the place in that, how many turns it is up to there
    "before": "I", "source": "I", "place": "I", "count": "I",
    # the conversation; what took the place of what
    "said": "I", "replacing": "I", "replaced": "I",
    # numbers of lessons, in order; of those on a question: its checksum, then the number
    "live": "I", "begun": "I", "questions": "Q",
    # records of picks with a marked reply; records of lessons, and when each was last said for sure
    "marked": "I", "saying": "I", "said_at": "d",
    # records
    "fresh": "I", "change": "B", "changed": "I",
}  # fmt: skip
"""The type code of each column (module array)."""

KINDS: tuple[Kind, ...] = ("pick", "correction", "statement")
CHANGES = ("exchange", "withdraw", "restore", "rebuilt")
"""What can be undone, or puts an end to redoing."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers that a story keeps: see Story for those of the same name."""

    begin: Begin | None = None
    rebuilt: int = 0
    refolded: int = 0
    steps: int = 0
    moved: int = 0


class _Stored(History):
    """A conversation whose turns are read when somebody looks."""

    __slots__ = ("_past", "number")

    def __init__(self, past: Past, number: int) -> None:
        self._past = past
        self.number = number
        self._count = past.columns["count"][number - 1]
        self.source = past.columns["source"][number - 1]

    def __getattr__(self, name: str) -> Any:
        # Only where the attribute is not set.
        if name == "_before":
            self._before = self._past.dialogue(self._past.columns["before"][self.number - 1])
            return self._before
        if name == "_said":
            self._said = self._past.said(self.number)
            return self._said
        raise AttributeError(name)


class Past:
    """The story of the records of `prefix`. It never changes; what it hands out is its owner's."""

    def __init__(self, prefix: Prefix, figures: Figures, columns: dict[str, array[Any]]) -> None:
        self.prefix = prefix
        self.figures = figures
        self.columns = columns
        self._first_asked = array("I", accumulate(columns["askings"], initial=0))
        self._dialogues: dict[int, History] = {0: NOTHING}
        self._recent: dict[int, Entry] = {}
        self._rebuilds: dict[int, dict[int, Outcome]] = {}

    @property
    def last_seq(self) -> int:
        return len(self.prefix)

    @property
    def taught(self) -> int:
        """The number of lessons."""
        return len(self.columns["seq"])

    def number_of(self, seq: int) -> int:
        """The number of the lesson of record `seq`; 0 where that is none."""
        seqs = self.columns["seq"]
        at = bisect_left(seqs, seq)
        return at + 1 if at < len(seqs) and seqs[at] == seq else 0

    def seq_of(self, number: int) -> int:
        return int(self.columns["seq"][number - 1])

    def lesson(self, number: int) -> Lesson:
        """Lesson `number`; what it is about is read once somebody looks."""
        columns, at = self.columns, number - 1
        lesson: Lesson = Lesson.__new__(Lesson)
        lesson._past = self  # type: ignore[attr-defined]
        lesson.number = number
        lesson.seq = columns["seq"][at]
        lesson.withdrawn = bool(columns["withdrawn"][at])
        lesson.learned_by = columns["learned_by"][at]
        lesson.recipe_by = columns["recipe_by"][at]
        lesson.failed_by = columns["failed_by"][at]
        if not lesson.learned_by:
            lesson.outcome = lesson.machine = None
        if not lesson.failed_by:
            lesson.failed = None
        first, end = self._first_asked[at], self._first_asked[number]
        lesson.asked = [self._measured(at) for at in range(first, end)] if end > first else []
        return lesson

    def _measured(self, at: int) -> Measured:
        by, when, p, says = (self.columns[name][at] for name in ("asked_by", "asked_at", "asked_p", "asked_says"))
        return Measured(by, when, p, bool(says))

    def told(self, number: int, name: str) -> dict[str, Any]:
        """What is not a number of lesson `number`: `name`, and what stands beside it in the journal."""
        at = number - 1
        seq = self.columns["seq"][at]
        if name == "context":
            return {name: self.dialogue(self.columns["context"][at])}
        if name == "failed":
            return {name: self._record(self.columns["failed_by"][at], Failure).message}
        if name in {"outcome", "machine"}:
            outcome, machine = self._learned(seq, number, self.columns["learned_by"][at])
            return {"outcome": outcome, "machine": machine}
        by = self.columns["recipe_by"][at]
        exchange = self._record(seq, Exchange)
        if name == "recipe":
            return {name: self._record(by, Rebuilt).recipe if by else exchange.recipe}
        return {"exchange": exchange, "at": self._entry(seq).at}

    def asked(self, first: int, last: int) -> tuple[int, int]:
        """From where to where in its columns stands what asking lessons `first` to `last` found."""
        return (self._first_asked[first - 1], self._first_asked[last]) if first <= last else (0, 0)

    def dialogue(self, number: int) -> History:
        """The conversation whose newest turn is `number`; 0: nothing was said."""
        found = self._dialogues.get(number)
        if found is None:
            found = self._dialogues[number] = _Stored(self, number)
        return found

    def number_of_dialogue(self, dialogue: History) -> int | None:
        """The number of a conversation that `dialogue` handed out; None for any other."""
        return dialogue.number if isinstance(dialogue, _Stored) and dialogue._past is self else None

    def said(self, number: int) -> Said:
        """The turn `number`."""
        record = self._entry(self.columns["source"][number - 1]).record
        if isinstance(record, ContextImported):
            return record.turns[self.columns["place"][number - 1]]
        assert isinstance(record, Exchange)
        return record.prompt, record.reply

    def about(self, mark: int) -> list[int]:
        """The numbers of the lessons on the question with this checksum, in order; some may be on another."""
        questions = self.columns["questions"]
        first = bisect_left(questions, mark << 32)
        return [int(found & 0xFFFFFFFF) for found in questions[first : bisect_left(questions, (mark + 1) << 32)]]

    def _learned(self, seq: int, number: int, by: int) -> tuple[Outcome, str]:
        record = self._entry(by).record
        if isinstance(record, Learned):
            return record.outcome, record.machine
        rebuilt = self._record(by, Rebuilt)
        outcomes = self._rebuilds.get(by)
        if outcomes is None:
            outcomes = self._rebuilds[by] = dict(rebuilt.outcomes)
        said = self._record(seq, Exchange)
        full = replace(outcomes[seq], lesson=number, kind=said.kind, prompt=said.prompt, reply=said.reply)
        return full, rebuilt.machine

    def _record(self, seq: int, kind: type[R]) -> R:
        record = self._entry(seq).record
        if not isinstance(record, kind):
            raise JournalError(f"record {seq} of {self.prefix.path} is not what its index says; remove the index")
        return record

    def _entry(self, seq: int) -> Entry:
        found = self._recent.get(seq)
        if found is None:
            if len(self._recent) >= RECENT:
                self._recent.clear()
            found = self._recent[seq] = self.prefix.entry(seq)
        return found
