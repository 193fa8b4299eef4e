"""A program in a pseudo-terminal, and when what it draws arrives: for measuring, with little in between."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

import pyte

_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[P_^X][^\x1b]*\x1b\\|[@-Z\\-_=>])")


def fed(drawn: bytes) -> bytes:
    """`drawn` as pyte can take it: without the private queries of the start, which it does not know."""
    return drawn.replace(b"\x1b[>1u", b"").replace(b"\x1b[<u", b"")


class Drawn:
    """The program under way. `began` is when it was started, on the clock of `time.perf_counter`."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], columns: int = 120, rows: int = 36
    ) -> None:
        self.began = time.perf_counter()
        self.child, self.descriptor = pty.fork()
        if self.child == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(command[0], list(command), dict(environment))
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._unseen = b""

    def read(self, seconds: float) -> bytes:
        """What was drawn within `seconds`, as soon as there is anything; empty where nothing was, or it has ended."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.descriptor, 1 << 16)
        except OSError:
            return b""
        self._unseen += data
        return data

    def until(self, what: bytes, seconds: float = 60.0) -> float:
        """Wait for `what` to be drawn; how long ago the program was started then. Raises TimeoutError."""
        seen = b""
        while time.perf_counter() - self.began < seconds:
            seen += self.read(0.5)
            if what in _ESCAPES.sub(b"", seen):
                return time.perf_counter() - self.began
        raise TimeoutError(f"{what!r} was not drawn in {seconds} s:\n{self.text}")

    @property
    def text(self) -> str:
        """What a person sees now."""
        self._stream.feed(fed(self._unseen))
        self._unseen = b""
        return "\n".join(self.screen.display)

    def press(self, key: str, seconds: float = 5.0) -> float:
        """Type a character that is nowhere on the screen yet; the seconds until it is drawn."""
        began = time.perf_counter()
        os.write(self.descriptor, key.encode())
        seen = b""
        while time.perf_counter() - began < seconds:
            seen += self.read(0.5)
            if key.encode() in _ESCAPES.sub(b"", seen):
                return time.perf_counter() - began
        raise TimeoutError(f"{key!r} was not drawn in {seconds} s:\n{self.text}")

    def end(self, key: bytes = b"\x11") -> resource.struct_rusage:
        """Press `key`, wait for the end (10 s, then it is killed), and what it all took."""
        os.write(self.descriptor, key)
        deadline = time.monotonic() + 10
        while True:
            self.read(0.05)
            found, _, usage = os.wait4(self.child, os.WNOHANG)
            if found:
                os.close(self.descriptor)
                return usage
            if time.monotonic() > deadline:
                os.kill(self.child, signal.SIGKILL)
                deadline += 10
