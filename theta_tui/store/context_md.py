"""Keeps context.md on disk in step: appends when the conversation only grew, else replaces the file. Standard library
only.

A mark beside the journal records how Theta last left the file: digest, length and path. The file is appended to first
and the mark written after, so a crash leaves one of three: the file as marked, that plus part of the next turns, or
that plus all of them. Anything else is an edit by a person.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from theta_tui.base.errors import HomeError
from theta_tui.base.files import write_all, write_atomically
from theta_tui.store import context
from theta_tui.store.history import History

Stamp = tuple[int, int, int, int]


class ContextFile:
    """The file at `path`, whose mark is at `mark`."""

    def __init__(self, path: Path, mark: Path) -> None:
        self.path = path
        self.mark = mark
        self._held: History | None = None  # what the file says, if known
        self._stamp: Stamp | None = None
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, history: History) -> None:
        """Bring the file in step with `history`. Raises HomeError; the next call then writes it whole."""
        held, self._held = self._held, None
        ours = held is not None and self._stamp is not None and self._stamp == self._stamp_now()
        more = history.since(held) if held is not None and ours else None
        if more is None:
            data = context.render(history)
            write_atomically(self.path, data)
            self._digest, self._size = hashlib.sha256(data), len(data)
        elif more:
            data = context.render(more)
            self._append(data)
            self._digest.update(data)
            self._size += len(data)
        if more is None or more:
            self._write_mark()
        self._held, self._stamp = history, self._stamp_now()

    def adopt(self, data: bytes, history: History) -> None:
        """Take the file, which was read as `data`, for what `history` says."""
        self._digest, self._size = hashlib.sha256(data), len(data)
        if self._read_mark() != self._mark():
            self._write_mark()
        self._held, self._stamp = history, self._stamp_now()

    def left_behind(self, data: bytes, expected: bytes) -> bool:
        """Whether `data`, which differs from `expected` (the journal's text), is what a crash of Theta left behind."""
        known, _, path = self._read_mark().partition(" ")
        digest, _, length = known.partition(":")
        size = int(length) if length.isdecimal() else len(data)
        marked = data[:size]
        if path != str(self.path) or context.digest(marked) != digest:
            return False
        # A file that grew while the power went may end in zeros.
        rest = data[size:].rstrip(b"\0")
        return len(data) == size or expected.startswith(marked + rest)

    def _append(self, data: bytes) -> None:
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, self._size)
                raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise HomeError(f"{self.path} cannot be written ({error.strerror})") from error

    def _stamp_now(self) -> Stamp | None:
        """A stamp that changes when anybody else writes to the file."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _mark(self) -> str:
        return f"{self._digest.hexdigest()}:{self._size} {self.path}"

    def _write_mark(self) -> None:
        write_atomically(self.mark, f"{self._mark()}\n".encode())

    def _read_mark(self) -> str:
        try:
            return self.mark.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""
