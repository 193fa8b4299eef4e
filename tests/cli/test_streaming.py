"""The growing replies of `theta prompt`: shown on a terminal, gone before the result is printed, nowhere else."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from theta_tui.cli.streaming import streaming

HOSTILE = "a\x1b[2Jb\rc\n[red]d"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def call(**changes: Any) -> Any:
    return SimpleNamespace(json=False, settings=SimpleNamespace(quiet=False), stage=lambda _: None, **changes)


def test_the_replies_grow_in_their_places_and_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyte

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", Terminal())
    screen = pyte.Screen(40, 10)
    with streaming(call()) as show:
        assert show is not None
        show((("Hel", False), ("", False)))
        show((("Hello " * 20, True), (HOSTILE, False)))
    drawn = sys.stdout.getvalue().replace("\n", "\r\n")  # type: ignore[attr-defined]
    assert "\x1b[2J" not in drawn
    assert "[red]" in drawn
    written, _, _ = drawn.partition("\x1b[?25h")  # the cursor comes back
    pyte.Stream(screen).feed(written)
    assert screen.display[0].rstrip() == "1: " + "Hello " * 6 + "…"
    assert screen.display[1].startswith("2: a")
    screen.reset()
    pyte.Stream(screen).feed(drawn)
    assert not any(line.strip() for line in screen.display)


@pytest.mark.parametrize("terminal", ["no terminal", "dumb", "json"])
def test_programs_see_the_result_alone(monkeypatch: pytest.MonkeyPatch, terminal: str) -> None:
    monkeypatch.setenv("TERM", "dumb" if terminal == "dumb" else "xterm")
    monkeypatch.setattr(sys, "stdout", io.StringIO() if terminal == "no terminal" else Terminal())
    asked = call()
    asked.json = terminal == "json"
    with streaming(asked) as show:
        assert show is None
