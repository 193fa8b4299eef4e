"""A window that changes its size all the time, while replies stream in: nothing breaks, and the last size is right."""

from __future__ import annotations

import random

import pytest

from tests.faults.terminal import AT_FIRST, Start, Terminal, modes

pytest_plugins = ["tests.faults.fixtures"]

SIZES = [(1, 1), (400, 200), (2, 1), (1, 50), (400, 1), (20, 5), (80, 24), (39, 11), (71, 17), (100, 30), (132, 43)]
LAST = (100, 32)


def storm(app: Terminal, times: int, rng: random.Random) -> None:
    for _ in range(times):
        app.resize(*rng.choice(SIZES))
        app.read(rng.choice((0.0, 0.0, 0.002, 0.01)))


def shown(app: Terminal) -> str:
    """What stands on the screen at the last size, once the replies are all there."""
    app.resize(*LAST)
    app.control.send(b".")
    app.at("drawn")
    app.drain()
    return app.text


def words(text: str) -> list[str]:
    return sorted(text.split())


@pytest.mark.slow  # tests/ui/test_layout.py tosses a screen without a terminal, and the third one here a real one
@pytest.mark.parametrize("times", [12, 400])
def test_a_storm_of_sizes_leaves_the_screen_as_if_there_had_been_none(start: Start, times: int) -> None:
    calm, tossed = (
        start(columns=LAST[0], rows=LAST[1], scene="tests.faults.hostile:streaming_on") for _ in range(2)
    )  # fmt: skip
    for app in (calm, tossed):
        app.at("streaming")
    storm(tossed, times, random.Random(7))
    right = shown(calm)
    assert "the end of reply 3" in right
    shown(tossed)
    # All of it, wherever a pane was scrolled to meanwhile.
    tossed.wait(lambda text: words(text) == words(right), f"the screen that nothing happened to:\n{right}")
    for app in (calm, tossed):
        app.control.send(b".")
        assert app.leave()[0] == 0
        app.drain()
        assert modes(app.raw) == (AT_FIRST, 0)


@pytest.mark.slow
def test_the_real_thing_bears_it_while_it_writes_and_learns(start: Start) -> None:
    rng = random.Random(3)
    app = start(environment_more={"THETA_MAX_TOKENS": "100", "THETA_RECIPE": "default"})
    app.see("idle")
    app.press("hello\r")
    storm(app, 60, rng)
    app.resize(*LAST)
    app.wait(lambda text: "─ five replies  " in text, "five replies")
    app.correct("My name.")
    storm(app, 60, rng)
    app.resize(*LAST)
    app.see("1 lesson")
    app.press("\x11")
    assert app.leave()[0] == 0


def test_the_picture_is_as_wide_as_the_terminal_whatever_the_environment_says(start: Start) -> None:
    """A shell may have exported the size of another moment."""
    app = start(columns=100, rows=30, environment_more={"COLUMNS": "60", "LINES": "20"})
    for columns in (100, 120, 72):
        app.resize(columns, 30)
        app.wait(lambda text, width=columns: "─" * (width - 20) in text, f"a line across {columns} columns")
    app.press("\x11")
    assert app.leave()[0] == 0


@pytest.mark.parametrize("told", [(0, 0), pytest.param((65535, 65535), marks=pytest.mark.slow)])
def test_a_size_that_cannot_be_is_taken_for_one_that_can(start: Start, told: tuple[int, int]) -> None:
    """By the system, or in the terminal's own stream."""
    app = start(columns=80, rows=24, modern=True)
    app.see("idle")
    for columns, rows in (told, (80, 24)):
        app._size(columns, rows)
        app.press(f"\x1b[48;{rows};{columns};0;0t")
    app.press("/help\r")
    app.see("esc close")
    app.press("\x1b\x11")
    assert app.leave()[0] == 0
