"""A real terminal around the installed `theta`: a pseudo-terminal, a screen model, and patience instead of sleeps."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

PATIENCE = 90.0


class Terminal:
    """`theta` in a terminal of its own. `screen` is what a person would see."""

    def __init__(self, home: Path, arguments: list[str], columns: int, rows: int, shell: str) -> None:
        program = shutil.which("theta", path=str(Path(sys.executable).parent)) or shutil.which("theta")
        assert program, "theta is not installed"
        environment = {
            **os.environ,
            "THETA_HOME": str(home),
            "XDG_CONFIG_HOME": str(home.parent / "config"),
            "TERM": "xterm-256color",
            "TEXTUAL_ANIMATIONS": "none",
            "THETA_MAX_TOKENS": "16",
        }
        environment.pop("NO_COLOR", None)
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        line = shlex.join([program, *arguments])
        self.child = pexpect.spawn(
            "/bin/sh", ["-c", f"{shell} {line}"], env=environment, dimensions=(rows, columns), timeout=PATIENCE
        )

    def read(self, seconds: float = 0.1) -> None:
        """Take in what was drawn, waiting at most `seconds` for more."""
        try:
            data = self.child.read_nonblocking(1 << 16, seconds)
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            time.sleep(0.01)
            return
        self.raw += data
        # pyte does not know the private queries that a modern terminal is asked at the start.
        self._stream.feed(data.replace(b"\x1b[>1u", b"").replace(b"\x1b[<u", b""))

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def wait(self, condition: Callable[[str], bool], what: str) -> str:
        """The screen once `condition` holds of its text."""
        deadline = time.monotonic() + PATIENCE
        while not condition(self.text):
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self.text}"
            assert self.child.isalive() or not self._drained(), f"theta ended while waiting for {what}:\n{self.text}"
            self.read()
        return self.text

    def see(self, words: str) -> str:
        return self.wait(lambda text: words in text, repr(words))

    def press(self, keys: str) -> None:
        self.child.send(keys)

    def leave(self) -> int:
        """Wait for the end and give the exit code (128 + n for a signal that killed it)."""
        deadline = time.monotonic() + PATIENCE
        while self.child.isalive():
            assert time.monotonic() < deadline, f"theta did not end:\n{self.text}"
            self.read()
        self._drained()
        self.child.close()
        if self.child.signalstatus is not None:
            return 128 + int(self.child.signalstatus)
        return int(self.child.exitstatus)

    def _drained(self) -> bool:
        before = len(self.raw)
        self.read(0.2)
        return len(self.raw) == before


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Starts `theta` in a home of this test's own; what is still running at its end is killed."""
    started: list[Terminal] = []

    def start(*arguments: str, columns: int = 100, rows: int = 30, shell: str = "exec") -> Terminal:
        made = Terminal(tmp_path / "home", list(arguments), columns, rows, shell)
        started.append(made)
        return made

    yield start
    for made in started:
        made.child.close(force=True)
