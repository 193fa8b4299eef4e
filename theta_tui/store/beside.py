"""What happened beside the turns of a conversation: messages without an answer, facts, lessons that were taken back. No
model, no files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from theta_tui.store.lesson import Lesson
from theta_tui.store.records import Beside, Exchange

TOLD_IN_A_ROW = 8
"""Lessons taught outside of the conversation that it tells one by one: more would hide what was said."""


class Happened(NamedTuple):
    """What a `Beside` is made of."""

    seq: int
    after: int
    exchange: Exchange
    withdrawn: bool
    more: int = 0

    @property
    def outside(self) -> bool:
        """Whether it is a lesson that no message of the conversation has to do with: one that counts, or of a file."""
        said = self.exchange
        own = said.batch is not None or (said.said is None and not self.withdrawn)
        return said.kind != "none" and not said.conversation and own

    def goes_with(self, other: Happened) -> bool:
        """Whether both are such lessons, in a row."""
        return self.outside and (self.after, self.withdrawn) == (other.after, other.withdrawn)


class Besides:
    """All of it, in order, told record by record."""

    def __init__(self) -> None:
        self._all: list[Happened] = []

    def told(self, lessons: Mapping[int, Lesson], most: int | None = None) -> tuple[Beside, ...]:
        """Oldest first: the last `most` of it."""
        found: list[Beside] = []
        for seq, after, exchange, _, more in self._all[-most:] if most else self._all:
            lesson = lessons.get(seq)
            if lesson is not None and lesson.failed is not None:
                continue  # as if it had never been begun
            gone, outcome = (lesson.withdrawn, lesson.outcome) if lesson is not None else (False, None)
            what = exchange.kind, exchange.prompt, exchange.reply, gone, outcome, exchange.said, more
            found.append(Beside(seq, after, *what))
        return tuple(found)

    def put(self, this: Happened) -> None:
        """Of many lessons taught outside in a row, the last are told one by one."""
        run = self._all[-TOLD_IN_A_ROW:]
        if len(run) == TOLD_IN_A_ROW and this.outside and all(one.goes_with(this) for one in run):
            self._all[-TOLD_IN_A_ROW : 2 - TOLD_IN_A_ROW] = [run[1]._replace(more=run[0].more + 1)]
        self._all.append(this)

    def answered(self, prompt: str, after: int, *this: Happened) -> None:
        """The facts that `prompt` stated while it waited come after its turn, when there are `after` turns, or after
        `this`, which happened to it beside the turns."""
        at = len(self._all)
        while at and self._all[at - 1].exchange.said == prompt:
            at -= 1
        self._all[at:] = [*this, *(one._replace(after=after) for one in self._all[at:])]
