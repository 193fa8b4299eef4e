"""The lessons that persons propose and the owner has not decided on. No model, no files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from theta_tui.store.records import Exchange
from theta_tui.store.report import ReportRow


@dataclass(frozen=True, slots=True)
class Proposed:
    """Proposal `number`, from 1 on, of record `seq`, made at Unix time `at`."""

    number: int
    seq: int
    at: float
    exchange: Exchange

    @property
    def row(self) -> ReportRow:
        """Its row in the list of lessons."""
        said = self.exchange
        before = said.first_offered
        return ReportRow(
            self.number, self.seq, said.kind, said.prompt, said.reply, self.at, "proposed", said_before=before,
            who=said.who,
        )  # fmt: skip


class Proposals:
    """All proposals ever made; iterating gives those that wait, in order."""

    def __init__(self) -> None:
        self._all: dict[int, Proposed] = {}
        self._waiting: dict[int, Proposed] = {}

    def __iter__(self) -> Iterator[Proposed]:
        return iter(self._waiting.values())

    def __len__(self) -> int:
        return len(self._waiting)

    def of(self, who: str) -> list[Proposed]:
        """Those of one person that wait."""
        return [one for one in self if one.exchange.who == who]

    def numbered(self, number: int) -> Proposed | None:
        """Proposal `number`, if it waits."""
        return next((one for one in self if one.number == number), None)

    def put(self, seq: int, at: float, exchange: Exchange) -> None:
        self._all[seq] = self._waiting[seq] = Proposed(len(self._all) + 1, seq, at, exchange)

    def settle(self, of: int | None) -> None:
        """The owner has decided on proposal `of`."""
        self._waiting.pop(of or 0, None)

    def reopen(self, of: int | None) -> None:
        """Proposal `of` was accepted, and could not be learned: it waits again."""
        if of in self._all:
            self._waiting = dict(sorted({**self._waiting, of: self._all[of]}.items()))
