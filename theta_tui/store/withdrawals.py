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
        record = entry.record
        if isinstance(record, Exchange):  # first: most records are none of the others
            if record.batch in self.batches and record.kind != "none":
                self.batches[record.batch].append(entry.seq)
        elif isinstance(record, Withdraw):
            if record.of in self.batches:
                self._together[record.of] = tuple(self.batches[record.of])
            elif record.of < entry.seq:
                self._alone.add(record.of)
        elif isinstance(record, Restore):
            self._alone.discard(record.of)
            self._together.pop(record.of, None)
        elif isinstance(record, Imported):
            self.batches[entry.seq] = []

    @property
    def gone(self) -> set[int]:
        """The records that are taken back now."""
        return self._alone.union(*self._together.values())
