"""The clock of the screen, which a test can stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` is for durations (the grace period), `now` is Unix time (ages). Both in seconds."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time


def ago(seconds: float) -> str:
    """An age in words: `0:41`, `12:05`, `3 h`, `2 d`."""
    whole = max(0, int(seconds))
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 2 * 86400:
        return f"{whole // 3600} h"
    return f"{whole // 86400} d"
