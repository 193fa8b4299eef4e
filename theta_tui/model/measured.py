"""What was measured on this machine once and is remembered in the person's cache. Losing it costs time alone.

No torch.
"""

from __future__ import annotations

import json
import platform
from contextlib import suppress
from typing import Any

from theta_tui.base.errors import HomeError
from theta_tui.base.files import cache_dir, make_folder, write_atomically

FILE = "measured.json"
MOST = 64
"""Entries that are kept of each kind."""
LEAST_TOKENS = 20
"""Tokens below which a speed is that of reading the prompt."""
CHANGE = 0.1
"""A speed is written again where it has changed by this share: not at every reply."""


def recall(kind: str) -> dict[str, Any]:
    """Everything that was measured of a kind on this machine, by key."""
    found = _read().get(f"{kind} {platform.node()}")
    return found if isinstance(found, dict) else {}


def remember(kind: str, key: str, value: object) -> None:
    """Keep what was measured. A cache that cannot be written is no error."""
    kept = {**recall(kind), key: value}
    for old in list(kept)[:-MOST]:
        del kept[old]
    values = _read() | {f"{kind} {platform.node()}": kept}
    with suppress(HomeError, OSError):
        make_folder(cache_dir())
        write_atomically(cache_dir() / FILE, json.dumps(values, indent=1).encode())


def speeds() -> dict[str, float]:
    """Tokens per second, five replies together, of each model that has written here."""
    return {name: float(speed) for name, speed in recall("speed").items() if isinstance(speed, (int, float))}


def note_speed(name: str, tokens: int, seconds: float) -> None:
    """The model `name` wrote so many tokens."""
    if tokens < LEAST_TOKENS or seconds <= 0:
        return
    speed, before = tokens / seconds, speeds().get(name)
    if before is None or abs(speed - before) > CHANGE * before:
        remember("speed", name, round(speed, 1))


def _read() -> dict[str, Any]:
    try:
        with (cache_dir() / FILE).open("rb") as stream:
            values = json.loads(stream.read(1 << 20))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
