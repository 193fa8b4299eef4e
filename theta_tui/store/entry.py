"""A record where it stands in the journal. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field

from theta_tui.store.records import Record


@dataclass(frozen=True, slots=True)
class Entry:
    """A record with its number (1, 2, 3 …), Unix time, where its line begins in the file, and its checksum. `total` is
    the CRC-32 of the file up to the end of the line, where that was counted."""

    seq: int
    at: float
    record: Record
    offset: int
    checksum: str
    total: int = field(default=0, compare=False)
