"""Runs background work in idle time, one slice at a time, so that a key press waits for one slice at most.

The work is any iterator that yields between slices. Imports neither torch nor textual.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SUPPLIES = Path("/sys/class/power_supply")


class IdleRunner:
    """Decides when idle work may run, and runs it. All from one thread.

    Work begins `after` seconds after the last `busy()`. Once the work is exhausted, none begins until the next
    `busy()`. None begins on battery.
    """

    def __init__(
        self,
        after: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_battery: Callable[[], bool] | None = None,
    ) -> None:
        self.after = after
        self._clock = clock
        self._on_battery = on_battery if on_battery is not None else running_on_battery
        self._busy_at = clock()
        self._done = False

    def busy(self) -> None:
        """A command was carried out: restart the wait, and look for work again afterwards."""
        self._busy_at = self._clock()
        self._done = False

    @property
    def wanted(self) -> bool:
        """Whether idle work may begin now."""
        return not self._done and self._clock() - self._busy_at >= self.after and not self._on_battery()

    def run(self, work: Iterator[None], interrupted: Callable[[], bool], after_slice: Callable[[], None]) -> bool:
        """Run slices of `work` until `interrupted` or exhausted; return whether exhausted. Work that raised is not
        started again before the next `busy()`, because it would raise again."""
        self._done = True
        while not interrupted():
            try:
                next(work)
            except StopIteration:
                return True
            after_slice()
        self._done = False
        return False


def running_on_battery(supplies: Path = SUPPLIES) -> bool:
    """Whether the machine is running on its own battery; False if unknown.

    On Linux this reads the kernel's files, because psutil takes the battery of a wireless mouse for the machine's.
    """
    if sys.platform == "darwin":
        import psutil

        battery = psutil.sensors_battery()
        return battery is not None and battery.power_plugged is False
    discharging = False
    try:
        for supply in sorted(supplies.iterdir()):
            kind, scope = _read(supply / "type"), _read(supply / "scope")
            if scope == "Device":
                continue  # a mouse
            if kind in {"Mains", "USB"} and _read(supply / "online") == "1":
                return False
            discharging |= kind == "Battery" and _read(supply / "status") == "Discharging"
    except OSError:
        return False
    return discharging


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
