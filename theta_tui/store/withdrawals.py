"""Which lessons are taken back: alone, or with the batch that they were imported in. Standard library only."""

from __future__ import annotations

from theta_tui.store.records import Entry, Exchange, Imported, Restore, Withdraw


class Withdrawals:
    """The withdrawals in force, told record by record with `add`."""

    def __init__(self) -> None:
        self.batches: dict[int, list[int]] = {}
        """The lessons of each batch so far, by the record of its Imported."""
        self._alone: set[int] = set()
        self._together: dict[int, tuple[int, ...]] = {}  # batch → the lessons that it had when it was taken back

    def add(self, entry: Entry) -> None:
        match entry.record:
            case Imported():
                self.batches[entry.seq] = []
            case Exchange(kind=kind, batch=int(batch)) if kind != "none" and batch in self.batches:
                self.batches[batch].append(entry.seq)
            case Withdraw(of=of) if of in self.batches:
                self._together[of] = tuple(self.batches[of])
            case Withdraw(of=of) if of < entry.seq:
                self._alone.add(of)
            case Restore(of=of):
                self._alone.discard(of)
                self._together.pop(of, None)
            case _:
                pass

    @property
    def gone(self) -> set[int]:
        """The records that are taken back now."""
        return self._alone.union(*self._together.values())
