"""How much memory this machine has. Standard library only."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CONTAINER = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says how much a container may use, in its second and its first way."""


def total_memory() -> int | None:
    """Bytes of memory: the machine's, or what a container is allowed of it. None where nobody says."""
    found: list[int] = []
    with suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in CONTAINER:
        with suppress(ValueError, OSError):  # ValueError: "max"
            found.append(int(path.read_text("ascii")))
    return min((size for size in found if size > 0), default=None)


def shown(size: float) -> str:
    """A number of bytes for people: 98 MB, 3.4 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
