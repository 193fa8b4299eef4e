"""A command line that ran in this process, or in one that was forked: what it printed and what it exited with."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.faults.forking import Forks


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        values = json.loads(self.out)
        assert values["schema"] == 1
        return values

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Theta = Callable[..., Ran]


class Forked:
    """What `subprocess.Popen` is to a command that runs `theta` in the background."""

    def __init__(self, forks: Forks, command: list[str], *, stdout: IO[bytes], **_: Any) -> None:
        around = {name: value for name, value in os.environ.items() if name.startswith(("THETA_", "XDG_"))}
        assert command[:3] == [sys.executable, "-m", "theta_tui"]
        arguments = command[3:]
        self._forks = forks
        self.pid = forks.start("tests.cli.running:theta", [stdout.fileno()], arguments, environment=around)

    def poll(self) -> int | None:
        return self._forks.status(self.pid)


def theta(descriptors: list[int], arguments: list[str]) -> None:
    """Be `theta` with these arguments; what it prints goes into the file."""
    from theta_tui.cli import app

    for number in (1, 2):
        os.dup2(descriptors[0], number)
    sys.argv = ["theta", *arguments]
    app.main()


def files(home: Path) -> dict[str, bytes]:
    """Everything that a home keeps, but not who last held the lock."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name != "lock"
    }
