"""Where the socket of a home is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "engine.sock"
LONGEST = 100
"""Bytes of a path that every system takes for a socket (Linux 107, macOS 103)."""


@contextmanager
def socket_path(home: Path) -> Iterator[str]:
    """A path of the home's socket that is short enough for the system. Raises OSError where there is none."""
    path = str(home / NAME)
    if len(os.fsencode(path)) <= LONGEST:
        yield path
        return
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        short = f"/proc/self/fd/{folder}/{NAME}"
        if not os.path.isdir(os.path.dirname(short)):
            raise OSError(f"{path} is too long for a socket")
        yield short
    finally:
        os.close(folder)
