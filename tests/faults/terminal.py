"""A terminal around a real `theta`, down to its bytes: what was written, which modes are on, what a person sees."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyte

from tests.faults.forking import Forks

PATIENCE = 60.0

_MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_KITTY = re.compile(rb"\x1b\[([<>=])[\d;]*u")
# pyte draws these as text: queries, the keyboard protocol, and sequences for a terminal's title.
_UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=][\d;]*u|\x1b\[\?\d+\$p|\x1b\]777;[^\x07]*\x07")
_ANSWERS = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[?2048$p": b"\x1b[?2048;2$y"}

AT_FIRST = frozenset({7, 25})
"""Modes of a terminal that nobody touched: lines wrap, the cursor is shown."""


def modes(raw: bytes) -> tuple[frozenset[int], int]:
    """The private modes that are on after `raw`, and how deep the keyboard protocol's stack is."""
    on, depth = set(AT_FIRST), 0
    for found in _MODE.finditer(raw):
        numbers = {int(number) for number in found[1].split(b";")}
        on = on | numbers if found[2] == b"h" else on - numbers
    for found in _KITTY.finditer(raw):
        depth += {b">": 1, b"<": -1, b"=": 0}[found[1]]
    return frozenset(on), depth


class Program:
    """A `theta` under way below its shell. `pid` is its process, `shell` its parent and the leader of its session."""

    def __init__(
        self,
        forks: Forks,
        standard: Sequence[int],
        arguments: Sequence[str],
        environment: dict[str, str],
        *,
        terminal: bool,
        scene: str = "",
        scene_with: Sequence[Any] = (),
    ) -> None:
        self._forks = forks
        self._reports, theirs = os.pipe()
        self.control, control = socket.socketpair()
        self.control.settimeout(PATIENCE)
        request = {"arguments": list(arguments), "terminal": terminal, "scene": scene, "with": list(scene_with)}
        with control:
            at = [*standard, theirs, control.fileno()]
            self.shell = forks.start("tests.faults.shell:shell", at, request, environment=environment)
        os.close(theirs)
        self._buffer = b""
        self.pid = int(self._report()["job"])

    def _reported(self) -> dict[str, Any] | None:
        """What the shell tells next, if it told anything yet. Raises EOFError where it has gone."""
        while b"\n" not in self._buffer:
            if not select.select([self._reports], [], [], 0)[0]:
                return None
            data = os.read(self._reports, 4096)
            if not data:
                raise EOFError
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return dict(json.loads(line))

    def _report(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while (told := self._reported()) is None:
            assert time.monotonic() < deadline, "the shell tells nothing"
            self.idle()
        return told

    def idle(self) -> None:
        time.sleep(0.01)

    def stopped(self) -> None:
        """Wait until it is stopped as a job."""
        assert "stopped" in self._report()

    def foreground(self) -> None:
        """What `fg` does."""
        os.kill(self.shell, signal.SIGUSR1)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def at(self, gate: str) -> None:
        """Wait until it stands at `gate` (see `scenes`)."""
        deadline = time.monotonic() + PATIENCE
        while not select.select([self.control], [], [], 0)[0]:
            assert time.monotonic() < deadline, f"it never came to {gate}"
            self.idle()
        told = self.control.recv(64).decode()
        assert told == gate, told

    def leave(self) -> tuple[int, float]:
        """Wait for the end: the exit status as a shell has it (128 + n for a signal), and when (monotonic)."""
        try:
            while "code" not in (told := self._report()):
                pass
        except EOFError:  # the shell was killed: its parent reaps
            deadline = time.monotonic() + PATIENCE
            while (code := self._forks.status(self.pid)) is None:
                assert time.monotonic() < deadline, "theta goes on without a shell"
                self.idle()
            told = {"code": code, "at": time.monotonic()}
        code = int(told["code"])
        return (128 - code if code < 0 else code), float(told["at"])

    def left_behind(self) -> list[str]:
        """Processes of this session, its shell left out: what an ended `theta` should not leave."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                name, _, rest = stat.read_text().rpartition(")")
                fields = rest.split()
                if fields[3] == str(self.shell) and fields[0] != "Z" and stat.parent.name != str(self.shell):
                    found.append(name)
        return found

    def close(self) -> None:
        for process in (self.pid, self.shell):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.control.close()
        os.close(self._reports)


class Terminal(Program):
    """One on a terminal of its own, which is `modern` where it answers what it is asked."""

    def __init__(
        self,
        forks: Forks,
        arguments: Sequence[str],
        environment: dict[str, str],
        *,
        columns: int = 100,
        rows: int = 30,
        modern: bool = False,
        **more: Any,
    ) -> None:
        self.modern = modern
        self.master, self.slave = os.openpty()
        self._master_open = True
        self.raw = b""
        self._unseen = b""
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._size(columns, rows)
        self.attributes = termios.tcgetattr(self.slave)
        os.set_blocking(self.master, False)
        super().__init__(forks, [self.slave] * 3, arguments, environment, terminal=True, **more)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """What a person does to the window: the kernel tells the program."""
        self.read(0)
        self.text  # noqa: B018  # what was drawn until now was drawn at the old size
        self._size(columns, rows)
        self.screen.resize(rows, columns)

    def idle(self) -> None:
        self.read(0.01)

    def read(self, seconds: float = 0.05) -> bytes:
        """What is drawn within `seconds`, as soon as there is anything."""
        if not self._master_open:
            time.sleep(min(seconds, 0.01))
            return b""
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.master, 1 << 18)
        except OSError:
            return b""
        self.raw += data
        self._unseen += data
        if self.modern:
            for asked, answer in _ANSWERS.items():
                if asked in data:
                    os.write(self.master, answer)
        return data

    @property
    def text(self) -> str:
        """What a person sees now."""
        # The end may be a sequence that has not arrived whole.
        cut = self._unseen.rfind(b"\x1b")
        whole = len(self._unseen) if cut < 0 or len(self._unseen) - cut > 40 else cut
        self._stream.feed(_UNKNOWN_TO_PYTE.sub(b"", self._unseen[:whole]))
        self._unseen = self._unseen[whole:]
        return "\n".join(self.screen.display)

    def wait(self, condition: Callable[[str], bool], what: str) -> str:
        """The screen once `condition` holds of its text."""
        deadline = time.monotonic() + PATIENCE
        while not condition(self.text):
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self.text}"
            self.read()
        return self.text

    def see(self, words: str) -> str:
        return self.wait(lambda text: words in text, repr(words))

    def press(self, keys: str | bytes) -> None:
        """Type, however little of it the program takes at a time."""
        data = keys.encode() if isinstance(keys, str) else keys
        deadline = time.monotonic() + PATIENCE
        while data:
            assert time.monotonic() < deadline, "the program does not read what is typed"
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                self.read(0.005)

    def propose(self, prompt: str) -> None:
        """Say `prompt`, and wait for the five replies."""
        self.press(f"{prompt}\r")
        self.wait(lambda text: re.search("─ five replies  ", text) is not None and prompt in text, "five replies")

    def correct(self, reply: str) -> None:
        """Teach `reply` instead of the five; it is under way when this returns."""
        self.press("\x14")
        self.see("your own reply")
        self.press(f"{reply}\r")

    def drain(self) -> None:
        """Take in what is still on its way."""
        while self.read(0.05):
            pass

    def close_window(self) -> None:
        os.close(self.master)
        self._master_open = False

    def close(self) -> None:
        super().close()
        if self._master_open:
            self.close_window()
        os.close(self.slave)


Start = Callable[..., Terminal]
"""Starts `theta` in the home of a test (see `fixtures`)."""


def environment(home: Path) -> dict[str, str]:
    """What `theta` runs in: a home, and nothing of the person who runs the tests."""
    return {
        "THETA_HOME": str(home),
        "XDG_CONFIG_HOME": str(home.parent / "config"),
        "XDG_CACHE_HOME": str(home.parent / "cache"),
        "THETA_DEVICE": "cpu",
        "THETA_THREADS": "1",
        "THETA_MAX_TOKENS": "8",
        "THETA_SEED": "1",
        "THETA_GRACE": "0",
        "THETA_RECIPE": "classic",
        "THETA_IDLE": "0",
    }
