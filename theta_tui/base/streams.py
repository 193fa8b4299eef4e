"""The standard streams: open, whoever started Theta; never a reason to end badly; and whether they can show a screen.

Imports next to nothing: this is what every way in does first, before a file can be opened.
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
"""Kinds of terminals (`TERM`) that have no cursor to move, or move it in no way that Textual knows."""


def open_standard_streams() -> None:
    """Make descriptors 0 to 2 and `sys.stdin`, `sys.stdout` and `sys.stderr` usable.

    Where one is closed the next file that is opened would get its number: what a library prints would be written
    into the journal. Such a one leads to the null device from here on, for child processes too.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
    sys.stdin = sys.__stdin__ = _stream(0, sys.stdin)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, sys.stdout)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, sys.stderr)  # type: ignore[misc]


def _stream(number: int, before: TextIO | None) -> io.TextIOWrapper[Any]:
    """Text on a descriptor, as Python makes it, in the encoding that was found for `before`."""
    raw = _Descriptor(number, "r" if number == 0 else "w", closefd=False)
    encoding = "utf-8" if before is None else before.encoding
    if number == 0:
        return io.TextIOWrapper(io.BufferedReader(raw), encoding)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, newline="\n", line_buffering=number == 2 or raw.isatty())


class _Descriptor(io.FileIO):
    """A standard stream's bytes. An error names the stream; what standard error cannot take is dropped.

    The descriptor may be shared with a program that has made it non-blocking: Python would raise, or lose what was not
    written. Here it waits.
    """

    def write(self, data: ReadableBuffer) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                written = super().write(left)
            except OSError as error:
                if self.fileno() == 2:
                    break  # nobody is left to be told
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
    """The same error, of the same type, with the stream's name where a file's name would be."""
    return OSError(error.errno, error.strerror, NAMES[number])


def stream_error(error: OSError) -> str | None:
    """What is wrong with standard input or output, in words; None where the error is another's."""
    if error.filename not in NAMES:
        return None
    done = "read" if error.filename == NAMES[0] else "written"
    return f"{error.filename} cannot be {done} ({error.strerror})"


def on_terminal() -> bool:
    """Whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def draws() -> bool:
    """Whether the terminal is one on which text can be put anywhere and taken away again."""
    return os.environ.get("TERM", "").strip().lower() not in CANNOT_DRAW


def watched() -> bool:
    """Whether a person sees on standard error what is under way, on a line that is written over again and again."""
    return sys.stderr.isatty() and draws()
