"""The standard streams: always open, never a reason to crash, and whether they can show a screen.

Imports very little: every entry point calls this first, before it opens a file.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

NAMES = ("standard input", "standard output", "standard error")
CANNOT_DRAW = frozenset({"", "dumb", "unknown", "emacs", "network", "dialup", "lpr", "printer", "vt52"})
"""Values of `TERM` without a cursor that Textual can move."""


def open_standard_streams() -> None:
    """Make descriptors 0 to 2 and `sys.stdin`, `sys.stdout` and `sys.stderr` usable.

    If one is closed, the next file that is opened gets its number, and what a library prints would go into the
    journal. So a closed one is opened on the null device, for child processes too.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest free number: this one
    sys.stdin = sys.__stdin__ = _stream(0, sys.stdin)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, sys.stdout)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, sys.stderr)  # type: ignore[misc]


def _stream(number: int, before: TextIO | None) -> io.TextIOWrapper[Any]:
    """A text stream on descriptor `number`, in the encoding of `before`."""
    raw = _Descriptor(number, "r" if number == 0 else "w", closefd=False)
    encoding = "utf-8" if before is None else before.encoding
    if number == 0:
        return io.TextIOWrapper(io.BufferedReader(raw), encoding)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, newline="\n", line_buffering=number == 2 or raw.isatty())


class _Descriptor(io.FileIO):
    """The bytes of a standard stream. Errors name the stream; what cannot be written to standard error is dropped.

    Another program may share the descriptor and have made it non-blocking. Python would raise, or lose output; this
    class waits.
    """

    def write(self, data: ReadableBuffer) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                written = super().write(left)
            except OSError as error:
                if self.fileno() == 2:
                    break  # there is nowhere to report it
                raise _named(error, self.fileno()) from None
            if written is None:
                with suppress(OSError, ValueError):
                    select.select([], [self.fileno()], [])
            else:
                left = left[written:]
        return size

    def readall(self) -> bytes:
        data, piece = bytearray(), bytearray(1 << 16)
        while read := self.readinto(piece):
            data += piece[:read]
        return bytes(data)

    def readinto(self, buffer: WriteableBuffer) -> int:
        try:
            while (read := super().readinto(buffer)) is None:
                select.select([self.fileno()], [], [])
        except OSError as error:
            raise _named(error, self.fileno()) from None
        return read


def _named(error: OSError, number: int) -> OSError:
    """The same error with the stream's name in place of a file name."""
    return OSError(error.errno, error.strerror, NAMES[number])


def stream_error(error: OSError) -> str | None:
    """A message if the error is one of the standard streams'; None otherwise."""
    if error.filename not in NAMES:
        return None
    done = "read" if error.filename == NAMES[0] else "written"
    return f"{error.filename} cannot be {done} ({error.strerror})"


def on_terminal() -> bool:
    """Whether standard input and output are both a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def can_draw() -> bool:
    """Whether the terminal can put text anywhere and take it away again."""
    return os.environ.get("TERM", "").strip().lower() not in CANNOT_DRAW


def shows_progress() -> bool:
    """Whether standard error is a terminal on which a progress line can be overwritten."""
    return sys.stderr.isatty() and can_draw()
