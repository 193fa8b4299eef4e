"""One conversation of a home: its turns in order, and the place of each. No model, no files.

A turn keeps its place when it is corrected, and gets it back when the correction is taken back. Histories and turns are
kept beside each other: the model is shown the one, and a person the other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Mapping

from theta_tui.base.text import shortened
from theta_tui.store.beside import Besides
from theta_tui.store.history import NOTHING, History
from theta_tui.store.lesson import Lesson
from theta_tui.store.records import Place, Turn, TurnKind
from theta_tui.store.report import ConversationRow

Placed = tuple[str, str, int, Place]
"""Prompt, reply, record and place of a turn."""

TITLE = 60
"""The most characters of the first words of a conversation."""


class Conversation:
    """Conversation `number` of the person `who` ("": the owner), begun at Unix time `at`. `lessons` (by record) and the
    records in `spoken` and `cut` say of a turn what it is; they belong to the state and grow with it."""

    def __init__(
        self,
        number: int,
        at: float,
        lessons: Mapping[int, Lesson],
        spoken: Container[int],
        cut: Container[int],
        who: str = "",
    ) -> None:
        self.number = number
        self.who = who
        self.began_at = at
        self.used_at = at
        """Unix time of the newest turn."""
        self.name: str | None = None
        self.deleted = False
        self.turns: list[Turn] = []
        """The conversation as a person reads it back."""
        self.besides = Besides()
        """What happened beside its turns."""
        self.places: list[Place] = []
        """The place of each turn."""
        self._lessons = lessons
        self._spoken = spoken
        self._cut = cut
        self._said: list[History] = []  # the history up to and including each turn
        self._where: dict[int, int] = {}  # record → the index of its (last) turn
        self._replaced: dict[int, History] = {}  # record → the turn that its own replaced, with its history

    @property
    def history(self) -> History:
        """The conversation as the model is shown it."""
        return self.before(len(self._said))

    def before(self, index: int) -> History:
        """The history before the turn at `index`."""
        return self._said[index - 1] if index else NOTHING

    @property
    def title(self) -> str:
        """Its name, else its first words; "" while it has neither."""
        return self.name or (shortened(self.turns[0].prompt, TITLE) if self.turns else "")

    def row(self, *, is_open: bool) -> ConversationRow:
        return ConversationRow(
            self.number, self.title, self.name is not None, len(self.turns), self.began_at, self.used_at,
            is_open, self.deleted, self.who,
        )  # fmt: skip

    def slot(self, seq: int, replaces: int | None, turn: Place | None) -> tuple[int, bool, Place]:
        """(index, whether a turn is there, place) for the turn of record `seq`, which corrects the one at the place
        `turn`, or else the last one of record `replaces`. Where a turn was that is gone, it comes instead; a record
        that corrects nothing comes last."""
        if turn is None and replaces is not None:
            found = self._where.get(replaces)
            turn = (replaces, 0) if found is None else self.places[found]
        if turn is None or turn[0] >= seq:
            return len(self._said), False, (seq, 0)
        index = bisect_left(self.places, turn)
        return index, index < len(self.places) and self.places[index] == turn, turn

    def append(self, prompt: str, reply: str, source: int, place: Place, at: float) -> None:
        """Add a turn of record `source` at the end."""
        self._used(at)
        self._append(prompt, reply, source, place)

    def put(self, index: int, taken: bool, turn: Placed, at: float) -> None:
        """Put `turn` at `index`, in place of the one there if it is `taken`."""
        self._used(at)
        if taken:
            self._replaced[turn[2]] = self._said[index]
        if index == len(self._said):
            self._append(*turn)
        else:
            self._splice(index, int(taken), turn)

    def drop(self, source: int) -> None:
        """Remove the turn of record `source`, if there is one, and bring back the one that it had replaced."""
        index = self._where.get(source)
        if index is None:
            return
        before = self._replaced.pop(source, None)
        if before is None:
            self._splice(index, 1)
        else:
            self._splice(index, 1, (*before.said, before.source, self.places[index]))

    def restart(self) -> None:
        """Forget all turns."""
        self.turns, self.places, self._said, self._where, self._replaced = [], [], [], {}, {}
        self.besides = Besides()

    def refresh(self, source: int | None = None) -> None:
        """Read the turn of record `source` anew, or all of them: outcomes have changed."""
        if source is None:
            self.turns = [self._turn(said) for said in self._said]
        elif (index := self._where.get(source)) is not None:
            self.turns[index] = self._turn(self._said[index])

    def _used(self, at: float) -> None:
        self.began_at, self.used_at = self.began_at or at, max(self.used_at, at)

    def _append(self, prompt: str, reply: str, source: int, place: Place) -> None:
        self._where[source] = len(self._said)
        said = self.history.then(prompt, reply, source)
        self._said.append(said)
        self.places.append(place)
        self.turns.append(self._turn(said))

    def _splice(self, index: int, out: int, *turns: Placed) -> None:
        """Replace `out` turns at `index` by `turns`. Those behind are appended again, on the history that is new."""
        there = list(zip(self._said[index:], self.places[index:], strict=True))
        for said, _ in there:
            self._where.pop(said.source, None)
        # Turns of one ContextImported share its number; the last one left keeps the index.
        source, at = there[0][1][0], index - 1
        while at >= 0 and self.places[at][0] == source and source not in self._where:
            if self._said[at].source == source:
                self._where[source] = at
            at -= 1
        del self._said[index:], self.places[index:], self.turns[index:]
        for turn in (*turns, *((*said.said, said.source, place) for said, place in there[out:])):
            self._append(*turn)

    def _turn(self, said: History) -> Turn:
        """The newest turn of `said`."""
        lesson = self._lessons.get(said.source)
        kind: TurnKind
        if lesson is None:
            kind = "said" if said.source in self._spoken else "brought"
            return Turn(said.source, *said.said, kind, cut=said.source in self._cut)
        exchange = lesson.exchange
        kind = "pick" if exchange.kind == "pick" else "correction"
        return Turn(lesson.seq, exchange.prompt, exchange.reply, kind, exchange.pick, lesson.outcome, exchange.cut)
