"""Whatever way Theta is left, and whatever it is doing: the terminal is as it was, and nothing that was taught is lost.

Each way meets a worker that is idle, in the middle of a step, and in the middle of a checkpoint. Where it stands is
made certain by a gate inside the step, which opens once Theta was asked to leave; no sleep decides anything.
"""

from __future__ import annotations

import json
import signal
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults import scenes
from tests.faults.terminal import AT_FIRST, Start, Terminal, modes
from theta_tui.base.config import Settings
from theta_tui.store.store import Store

pytest_plugins = ["tests.faults.fixtures"]

SECONDS = 5.0
"""The bound that Theta promises."""
BUSY = 4
"""How many times slower a machine that others use too may be."""


@dataclass(frozen=True)
class Way:
    """A way of leaving: what is done, the exit code, and whether the terminal is there afterwards."""

    do: Callable[[Terminal], None]
    code: int
    stays: bool = True


def kill(*numbers: signal.Signals) -> Callable[[Terminal], None]:
    def do(app: Terminal) -> None:
        for number in numbers:
            app.signal(number)

    return do


def type_in(*keys: str) -> Callable[[Terminal], None]:
    def do(app: Terminal) -> None:
        for key in keys:
            app.press(key)

    return do


def close_window(app: Terminal) -> None:
    app.close_window()


def kill_the_shell(app: Terminal) -> None:
    import os

    os.kill(app.shell, signal.SIGKILL)


def interrupt_twice(app: Terminal) -> None:
    app.press("\x03")
    app.see("press ctrl+c again to leave")
    app.press("\x03")


def stop(app: Terminal) -> None:
    """Ctrl-Z: the shell has the terminal as it was."""
    app.press("\x1a")
    app.stopped()
    app.drain()
    assert modes(app.raw) == (AT_FIRST, 0)
    assert termios.tcgetattr(app.slave) == app.attributes


def stop_and_come_back(app: Terminal) -> None:
    stop(app)
    drawn = len(app.raw)
    app.foreground()
    while b"\x1b[?1004h" not in app.raw[drawn:]:  # asked for once the terminal is raw: before, ^q means "go on" to it
        app.read()
    app.see("θ theta")
    app.press("\x11")


def stopped_from_outside(app: Terminal) -> None:
    """By a debugger, or whoever needs the machine: nothing is put back before, and everything is there afterwards."""
    app.signal(signal.SIGSTOP)
    app.stopped()
    drawn = len(app.raw)
    app.signal(signal.SIGCONT)
    while b"\x1b[?1004h" not in app.raw[drawn:]:  # asked for once the terminal is raw: before, ^q means "go on" to it
        app.read()
    app.press("\x11")


def stop_and_be_killed(app: Terminal) -> None:
    stop(app)
    app.signal(signal.SIGTERM)
    app.foreground()


WAYS = {
    "SIGINT": Way(kill(signal.SIGINT), 130),
    "SIGTERM": Way(kill(signal.SIGTERM), 143),
    "SIGHUP": Way(kill(signal.SIGHUP), 129),
    "SIGQUIT": Way(kill(signal.SIGQUIT), 131),
    "SIGTERM twice": Way(kill(signal.SIGTERM, signal.SIGTERM), 143),
    "closed window": Way(close_window, 129, stays=False),
    "killed shell": Way(kill_the_shell, 129, stays=False),
    "ctrl+c twice": Way(interrupt_twice, 0),
    "ctrl+q": Way(type_in("\x11"), 0),
    "/quit": Way(type_in("/quit\r"), 0),
    "ctrl+z, fg, ctrl+q": Way(stop_and_come_back, 0),
    "SIGSTOP, SIGCONT, ctrl+q": Way(stopped_from_outside, 0),
    "ctrl+z, SIGTERM": Way(stop_and_be_killed, 143),
}
STATES = ("idle", "in a step", "saving")
ALIKE = {"SIGHUP", "SIGQUIT", "SIGTERM twice", "killed shell", "/quit", "ctrl+z, SIGTERM"}
"""Ways that another one is much like."""


def brought_to(
    start: Start, state: str, released: str = "leaving", leave_seconds: float | None = None, **how: object
) -> Terminal:
    """Theta with one lesson behind it, or in the middle of it, or of its checkpoint."""
    target = {"idle": None, "in a step": scenes.STEP, "saving": scenes.SAVE, "loading": scenes.LOAD}[state]
    if target is None:
        how |= {"scene": "tests.faults.scenes:unhurried"}
    else:
        how |= {"scene": "tests.faults.scenes:gate", "scene_with": [target, released, "gate", leave_seconds]}
    app = start(**how)
    if state == "loading":
        app.at("gate")
        app.see("θ theta")
        return app
    app.see("idle")
    app.propose("hello")
    app.correct("My name.")
    if state == "in a step":
        app.at("gate")
        return app
    app.see("1 lesson")
    app.see("idle")  # ctrl+c in the lesson's last moment stops nothing, and says nothing
    if state == "saving":
        app.press("\x13")
        app.at("gate")
    return app


def assert_left(app: Terminal, way: Way, began: float) -> None:
    code, ended = app.leave()
    assert code == way.code
    assert ended - began < BUSY * SECONDS
    assert app.left_behind() == []
    if way.stays:
        app.drain()
        assert modes(app.raw) == (AT_FIRST, 0)
        assert termios.tcgetattr(app.slave) == app.attributes
        assert app.raw.rindex(b"\x1b[?1049l") > app.raw.rindex(b"\x1b[?1049h")


def taught(home: Path) -> list[str]:
    """The kinds of the journal's records, but for what was asked afterwards to compare; whoever opens the home finds it
    in order, and free."""
    record = Store.open(Settings(home=home, lock_wait=0))
    try:
        assert record.read_only is None
        assert record.take_notices() == []
        assert len(record.state.lessons) <= 1
        kinds = [type(entry.record).__name__ for entry in record.journal.entries]
        return [kind for kind in kinds if kind != "Compared"]
    finally:
        record.close()


def assert_counted_once(start: Start, home: Path) -> None:
    """A lesson that was begun is learned at the latest by the next start, and only once."""
    quiz = start("quiz", "--json")
    code, _ = quiz.leave()
    quiz.drain()
    assert code == 0, quiz.raw
    told = next(line for line in quiz.raw.splitlines() if line.startswith(b"{"))
    assert json.loads(told)["live"] == 1
    kinds = [json.loads(line)["type"] for line in (home / "journal.jsonl").read_text().splitlines()]
    assert kinds.count("exchange") == kinds.count("learned") == 1


@pytest.mark.parametrize(
    ("way", "state"),
    [
        pytest.param(
            way, state, id=f"{way}, {state}",
            marks=() if STATES[number % 3] == state and way not in ALIKE else pytest.mark.slow,
        )
        for number, way in enumerate(WAYS)
        for state in STATES
    ],
)  # fmt: skip
def test_the_terminal_is_as_it_was_and_no_lesson_is_lost(start: Start, home: Path, way: str, state: str) -> None:
    app = brought_to(start, state)
    began = time.monotonic()
    WAYS[way].do(app)
    assert_left(app, WAYS[way], began)
    kinds = taught(home)
    assert kinds[:2] == ["Begin", "Exchange"]
    if way != "SIGTERM twice":  # which does not wait
        assert kinds == ["Begin", "Exchange", "Learned"]
        assert [path.name for path in (home / "checkpoints").iterdir()] == ["step-1"]
    assert_counted_once(start, home)


@pytest.mark.parametrize(
    ("way", "state", "leave_seconds"),
    [
        pytest.param("SIGTERM", "in a step", 0.5, id="SIGTERM-in a step-soon"),
        pytest.param("SIGTERM", "in a step", None, id="SIGTERM-in a step", marks=pytest.mark.slow),
        pytest.param("ctrl+q", "saving", None, id="ctrl+q-saving", marks=pytest.mark.slow),
        pytest.param("closed window", "in a step", None, id="closed window-in a step", marks=pytest.mark.slow),
        pytest.param("killed shell", "saving", None, id="killed shell-saving", marks=pytest.mark.slow),
        pytest.param("ctrl+q", "loading", None, id="ctrl+q-loading"),
        pytest.param("SIGTERM", "loading", None, id="SIGTERM-loading", marks=pytest.mark.slow),
    ],
)
def test_a_machine_that_never_comes_back_is_left_all_the_same(
    start: Start, home: Path, way: str, state: str, leave_seconds: float | None
) -> None:
    """`leave_seconds`: how long it is waited for, where that is not what Theta waits."""
    app = brought_to(start, state, "never", leave_seconds)
    began = time.monotonic()
    WAYS[way].do(app)
    assert_left(app, WAYS[way], began)
    assert taught(home) == ([] if state == "loading" else ["Begin", "Exchange"] + ["Learned"] * (state == "saving"))
    if state != "loading":
        assert_counted_once(start, home)


def test_a_terminal_that_goes_without_a_word_is_missed(start: Start, home: Path) -> None:
    app = start(scene="tests.faults.scenes:deaf")
    app.see("idle")
    app.propose("hello")
    app.correct("My name.")
    app.see("1 lesson")
    began = time.monotonic()
    close_window(app)
    assert_left(app, WAYS["closed window"], began)
    assert taught(home) == ["Begin", "Exchange", "Learned"]
    assert [path.name for path in (home / "checkpoints").iterdir()], "it was left without saving"


def test_a_second_signal_waits_for_nothing(start: Start, home: Path) -> None:
    """The first one would wait for a step that never ends, here without a bound."""
    app = brought_to(start, "in a step", "never", leave_seconds=1e6)
    app.signal(signal.SIGTERM)
    app.see("saving and leaving")
    app.signal(signal.SIGTERM)
    assert app.leave()[0] == 143
    app.drain()
    assert modes(app.raw) == (AT_FIRST, 0)
    assert taught(home) == ["Begin", "Exchange"]


@pytest.mark.parametrize(
    ("how", "number", "seconds"),
    [
        ("python", signal.SIGTERM, 0.3),
        ("a library", signal.SIGHUP, 0.3),
        pytest.param("a busy loop", signal.SIGTERM, 0.3, marks=pytest.mark.slow),
        pytest.param("swallowing", signal.SIGTERM, 0.3, marks=pytest.mark.slow),
        pytest.param("a busy loop", signal.SIGTERM, None, marks=pytest.mark.slow),
    ],
)
def test_a_screen_that_never_comes_back_is_left_all_the_same(
    start: Start, how: str, number: signal.Signals, seconds: float | None
) -> None:
    """Whatever the event loop does: it is not what ends the process in time, nor what puts the terminal back."""
    target = "theta_tui.ui.screens.teach:TeachScreen.apply"
    app = start(scene="tests.faults.scenes:stuck", scene_with=[target, how, seconds])
    app.at("stuck")
    began = time.monotonic()
    app.signal(number)
    assert_left(app, Way(kill(number), 128 + number), began)


def test_a_command_that_never_comes_back_is_left_all_the_same(start: Start) -> None:
    app = start("ask", "hello", scene="tests.faults.scenes:stuck", scene_with=[scenes.LOAD, "a library", 0.3])
    app.at("stuck")
    began = time.monotonic()
    app.signal(signal.SIGTERM)
    code, ended = app.leave()
    assert code == 143
    assert ended - began < BUSY * SECONDS


def test_a_second_app_shows_the_same_home_and_goes_on_when_the_first_leaves(start: Start) -> None:
    first = start()
    first.see("idle")
    second = start()
    second.see("idle")
    first.propose("hello")
    second.wait(lambda text: "─ five replies  " in text, "the same five replies")
    second.press("3")
    first.wait(lambda text: "✓ 3" in text, "the turn that the other one picked")
    first.press("\x11")
    assert first.leave()[0] == 0
    second.propose("who are you?")
    second.press("\x11")
    assert second.leave()[0] == 0


def test_one_ctrl_c_stops_the_writing_and_leaves_nothing(start: Start) -> None:
    app = start(scene="tests.faults.scenes:gate", scene_with=[scenes.WRITE, "cancelled"])
    app.see("idle")
    app.press("hello\r")
    app.at("gate")
    app.see("esc stops")
    app.press("\x03")
    app.wait(lambda text: "› hello" in text and "esc stops" not in text, "the prompt in the composer again")
    app.press("\x11")
    assert app.leave()[0] == 0


@pytest.mark.parametrize("way", ["ctrl+q", pytest.param("SIGTERM", marks=pytest.mark.slow), "ctrl+z, fg, ctrl+q"])
def test_what_a_modern_terminal_was_asked_for_is_taken_back_too(start: Start, way: str) -> None:
    """One that answers: it reports its size and the mouse's place in its own stream, in pixels."""
    app = brought_to(start, "idle", modern=True)
    WAYS[way].do(app)
    assert_left(app, WAYS[way], time.monotonic())
