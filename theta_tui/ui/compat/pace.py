"""Draws what a key changed as soon as it can be drawn.

Textual draws at the ticks of a clock, 60 a second. A frame that takes longer than a tick, which it does on a busy
machine, has the next one wait for the tick after the next, so that a key waited 33 ms for its turn.

Upstream: https://github.com/Textualize/textual/blob/v8.2.8/src/textual/timer.py (`Timer._run`), `screen.py`
(`Screen._update_timer`).
"""

from __future__ import annotations

from textual import screen

FRAMES = 240
"""Ticks a second. Only those at which something has changed draw. Key to repaint took 16 ms in the middle and 24 at the
99th percentile with 60 of them, and 3 and 13 with 240, on a machine with nothing else to do."""


def draw_sooner() -> None:
    """Use FRAMES for the screens that are made from now on."""
    screen.UPDATE_PERIOD = 1 / FRAMES  # type: ignore[misc]
