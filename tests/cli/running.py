"""A command line that ran in this process: what it printed and what it exited with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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


def files(home: Path) -> dict[str, bytes]:
    """Everything that a home keeps, but not who last held the lock."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name != "lock"
    }
