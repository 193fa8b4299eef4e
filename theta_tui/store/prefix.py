"""The records at the beginning of a journal that are known to be good, and are read one at a time. Standard library
only.

Reading a record takes a thirtieth of a millisecond, and most of a long history nobody asks for. What stands here was
checked as a whole when the journal was opened, and each record's own checksum is checked again when it is read.
"""

from __future__ import annotations

import os
import weakref
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path

from theta_tui.base.errors import JournalError
from theta_tui.store.codec import BadLineError, NewerError, checksum, decode
from theta_tui.store.entry import Entry

CHUNK = 1 << 18
"""Bytes that are checked at a time: with more, what was read does not stay in the processor's cache."""


class Prefix:
    """The first records of the journal at `path`: where each begins, `size` bytes in all, with CRC-32 `crc`.

    Raises OSError where the file cannot be opened.
    """

    def __init__(self, path: Path, offsets: array[int], size: int, crc: int) -> None:
        self.path = path
        self.offsets = offsets
        self.size = size
        self.crc = crc
        self.damaged: str | None = None
        """What was found wrong with a record when it was read: the file was good when it was opened."""
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return len(self.offsets)

    def holds(self) -> bool:
        """Whether the file still says what it said when this was written down: one bit of it tells."""
        at = crc = 0
        while at < self.size:
            data = os.pread(self._file, min(CHUNK, self.size - at), at)
            if not data:
                return False
            crc = zlib.crc32(data, crc)
            at += len(data)
        return crc == self.crc

    def entry(self, seq: int) -> Entry:
        """Record `seq`, from 1 to the length. Raises JournalError where it is damaged."""
        offset = self.offsets[seq - 1]
        end = self.offsets[seq] if seq < len(self.offsets) else self.size
        line = os.pread(self._file, end - offset, offset)
        try:
            found, at, record = decode(line)
            if found != seq:
                raise BadLineError(f"its number is {found} where {seq} was due")
        except (BadLineError, NewerError) as error:
            self.damaged = f"it was damaged at byte {offset} of {self.path} since it was opened ({error})"
            raise JournalError(f"the journal cannot be read: {self.damaged}; start again") from None
        return Entry(seq, at, record, offset, checksum(line))

    def entries(self) -> Iterator[Entry]:
        """All of them, in order."""
        return map(self.entry, range(1, len(self) + 1))
