"""`theta chat --plain` in a real pseudo-terminal: through the engine, which it starts, and alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Terminal
from tests.support.tiny_models import make_wide
from theta_tui.engine.client import Connection

Start = Callable[..., Terminal]

PICK = "[1-5 or type response] >"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wide(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def tiny(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THETA_MODEL", str(model))


@pytest.fixture(autouse=True)
def ended(tmp_path: Path) -> Iterator[None]:
    """No engine outlives a test."""
    yield
    if (left := process(tmp_path)) is not None:
        os.kill(left, signal.SIGKILL)


def process(folder: Path) -> int | None:
    """The process of the engine, if one runs."""
    connection = Connection.to(folder / "home")
    if connection is None:
        return None
    with connection:
        return int(connection.about["pid"])


def said_hello(terminal: Start) -> Terminal:
    """A loop in which five replies to "hello" wait."""
    loop = terminal("chat", "--plain")
    loop.see("> ")
    loop.press("hello\r")
    loop.see(PICK)
    return loop


def test_it_starts_an_engine_both_of_two_loops_teach_and_ctrl_c_leaves_at_once(terminal: Start, tmp_path: Path) -> None:
    one = terminal("chat", "--plain")
    one.see("--- interactive training mode (type 'quit' to exit) ---")
    assert process(tmp_path) not in (None, one.child.pid)
    one.press("hello\r")
    one.see(PICK)
    other = terminal("chat", "--plain", "--who", "Ada")
    other.see(">")
    other.press("who are you?\r")
    other.see(PICK)
    other.press("I am Theta.\r")
    other.see("trained. (loss ")
    one.press("2\r")
    one.see("trained. (loss ")
    one.press("undo\r")
    one.see("/undo (take back your last lesson)?")
    one.press("y\r")
    one.wait(lambda text: text.count(PICK) == 2, "the five replies, offered again")
    one.press("\x03")
    assert one.leave() == 130
    other.press("\x04")
    assert other.leave() == 0
    assert process(tmp_path) is not None, "the engine goes on without them"


@pytest.mark.slow
def test_an_engine_that_was_killed_between_two_lines_is_replaced(terminal: Start, tmp_path: Path) -> None:
    loop = said_hello(terminal)
    before = process(tmp_path)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    loop.wait(lambda _: process(tmp_path) is None, "the end of the engine")
    loop.press("Hi!\r")
    loop.see("trained. (loss ")
    assert process(tmp_path) != before
    loop.press("quit\r")
    assert loop.leave() == 0


def test_an_engine_that_is_killed_in_the_middle_of_a_lesson_is_replaced(terminal: Start, tmp_path: Path) -> None:
    loop = said_hello(terminal)
    before = process(tmp_path)
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    loop.press("Hi!\r")
    loop.see("> Hi!")
    os.kill(before, signal.SIGKILL)
    loop.see("! the engine of this home has ended in the middle of this command")
    loop.wait(lambda text: text.count(PICK) == 2, "the five replies, offered once more")
    loop.press("Hi!\r")
    loop.see("trained. (loss ")
    loop.press("quit\r")
    assert loop.leave() == 0


@pytest.mark.slow
def test_with_the_engine_off_it_has_the_home_alone(
    terminal: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THETA_ENGINE", "off")
    loop = said_hello(terminal)
    loop.press("1\r")
    loop.see("trained. (loss ")
    assert process(tmp_path) is None
    monkeypatch.setenv("THETA_LOCK_WAIT", "0.1")
    assert terminal("chat", "--plain").leave() == 75
    loop.press("quit\r")
    assert loop.leave() == 0
