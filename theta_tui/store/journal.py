"""The journal: append-only, checksummed, fsynced. It is the truth; everything else is derived from it.

A power loss can tear the last line only. That record was never acknowledged, so its bytes are set aside in a separate
file and the rest is used. A bad line anywhere else is damage: the journal is read up to it and opened read-only, and
`read_only` names the byte offset.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from theta_tui.base.errors import HomeError, JournalError
from theta_tui.base.files import fsync_folder, write_all
from theta_tui.base.gc import gc_paused
from theta_tui.base.text import plural
from theta_tui.store.codec import MAX_LINE, BadLineError, NewerError, checksum, decode, encode, heads
from theta_tui.store.records import Entry as Entry
from theta_tui.store.records import Record


class Journal:
    """An open journal. `entries` are all good records; `notices` describe what was found and repaired.

    `read_only` says why nothing can be appended (None: it can), `damaged` why part of the file could not be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry] = []
        self.notices: list[str] = []
        self.read_only: str | None = None
        self.damaged: str | None = None
        self._size = 0
        self._descriptor: int | None = None

    @classmethod
    def read(cls, path: Path) -> Journal:
        """Open for reading: needs no lock, changes nothing, and ignores a last line that is still being written."""
        journal = cls(path)
        journal._load()
        journal.read_only = journal.read_only or "it was opened for reading"
        return journal

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open for writing; the caller holds the home's lock. Raises HomeError if the file cannot be used."""
        journal = cls(path)
        tail = journal._load()
        if journal.read_only is None:
            if tail:
                journal._set_aside(tail)
            try:
                journal._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
                if journal._size == 0:
                    fsync_folder(path.parent)
            except OSError as error:
                raise HomeError(f"the journal {path} cannot be written ({error.strerror})") from None
        return journal

    @property
    def last_seq(self) -> int:
        return len(self.entries)

    @property
    def size(self) -> int:
        """The bytes that the good records take."""
        return self._size

    def checksum(self, seq: int) -> str | None:
        """The checksum of record `seq`; None if there is no such record (0: before the first)."""
        return self.entries[seq - 1].checksum if 0 < seq <= len(self.entries) else None

    def require_writable(self) -> None:
        """Raise JournalError if nothing can be appended."""
        if self.read_only is not None or self._descriptor is None:
            raise JournalError(f"nothing can be taught: the journal is read-only because {self.read_only}")

    def append(self, record: Record) -> Entry:
        """Write a record and wait until it is on disk. On an error, restore the file and raise HomeError.

        After a failed fsync the content of the disk is unknown, and a second fsync may falsely report success. So the
        journal stays read-only until it is opened again.
        """
        self.require_writable()
        seq, at = self.last_seq + 1, time.time()
        line = encode(seq, at, record)
        if len(line) > MAX_LINE:  # it could never be read back
            raise JournalError(
                f"a record of {plural(len(line), 'byte')} does not fit the journal; at most {MAX_LINE:,} do"
            )
        entry = Entry(seq, at, record, self._size, checksum(line))
        assert self._descriptor is not None
        try:
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            write_all(self._descriptor, line)
        except BaseException as error:
            self._truncate(self._size)
            if not isinstance(error, OSError):
                raise
            raise HomeError(
                f"the journal {self.path} cannot be written ({error.strerror}); nothing was learned. "
                "Make room and try again"
            ) from error
        try:
            os.fsync(self._descriptor)
        except BaseException as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            self.read_only = f"a write to {self.path} failed ({why}); quit, check the disk, start again"
            if not isinstance(error, OSError):
                raise
            raise HomeError(f"the journal {self.path} may not be on disk ({error.strerror}); quit and check") from error
        self._size += len(line)
        self.entries.append(entry)
        return entry

    def roll_back(self, entry: Entry) -> None:
        """Remove the newest record, because what it announced was never acknowledged.

        If that fails, the journal becomes read-only, so that memory and disk cannot diverge.
        """
        if not self.entries or self.entries[-1] is not entry:
            raise ValueError("only the newest record can be rolled back")
        if self._truncate(entry.offset):
            self.entries.pop()
            self._size = entry.offset

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self.read_only = self.read_only or "it is closed"

    def _truncate(self, size: int) -> bool:
        assert self._descriptor is not None
        try:
            os.ftruncate(self._descriptor, size)
            os.fsync(self._descriptor)
        except (OSError, MemoryError) as error:
            why = getattr(error, "strerror", None) or "no memory"
            self.read_only = f"{self.path} could not be repaired after a failed write ({why}); start again"
            return False
        return True

    def _load(self) -> bytes:
        """Fill `entries`; returns the bytes of a torn tail (empty: none)."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise HomeError(f"the journal {self.path} cannot be read ({error.strerror})") from None
        with gc_paused():  # all that is read stays: scanning it again and again while it grows took 40 % of the time
            return self._decode(data)

    def _decode(self, data: bytes) -> bytes:
        for offset, line in _lines(data):
            try:
                seq, when, record = decode(line)
                if seq != self.last_seq + 1:
                    raise BadLineError(f"its number is {seq} where {self.last_seq + 1} was due")
            except NewerError as error:
                self.read_only = self.damaged = (
                    f"the record at byte {offset} is from a newer Theta ({error}); update Theta"
                )
                return b""
            except BadLineError as error:
                if offset + len(line) == len(data) and heads(line) <= 1:
                    return line
                self.read_only = self.damaged = (
                    f"it is damaged at byte {offset} of {self.path} ({error}); up to there it has "
                    f"{plural(len(self.entries), 'record')}. Bring the file back from a copy to go on"
                )
                return b""
            self.entries.append(Entry(seq, when, record, offset, checksum(line)))
            self._size = offset + len(line)
        return b""

    def _set_aside(self, tail: bytes) -> None:
        try:
            aside = self._free_name(tail)
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(tail)
                file.flush()
                os.fsync(file.fileno())
            fsync_folder(self.path.parent)
            descriptor = os.open(self.path, os.O_WRONLY)
            try:
                os.ftruncate(descriptor, self._size)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise HomeError(
                f"the journal {self.path} is cut off at its end, which cannot be repaired ({error.strerror})"
            ) from None
        self.notices.append(
            f"the last line of the journal was cut off before it was confirmed; it was set aside as {aside.name}"
        )

    def _free_name(self, tail: bytes) -> Path:
        """A name for the file that keeps `tail`. An earlier tail from the same offset is not overwritten."""
        first = aside = self.path.with_name(f"{self.path.name}.torn-{self._size}")
        number = 1
        while aside.exists() and aside.read_bytes() != tail:
            number += 1
            aside = first.with_name(f"{first.name}-{number}")
        return aside


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset, line with its newline), split on \\n only; the last line may lack the newline."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield start, data[start:end]
        start = end
