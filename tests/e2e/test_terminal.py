"""The installed `theta` in a real pseudo-terminal, as a person would use it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pexpect
import pytest

from tests.e2e.conftest import Terminal
from theta_tui.base.config import Settings
from theta_tui.store.store import Store

Start = Callable[..., Terminal]

RESTORED = b"\x1b[?1049l"


def five_replies(text: str) -> bool:
    """Whether five replies wait to be picked from, each with its probability, and the grace period is over."""
    return len(re.findall(r"[1-5] +\S.* %", text)) >= 5 and bool(re.search(r"─ five replies  ", text))


def journal(home: Path) -> list[str]:
    path = home / "journal.jsonl"
    return [json.loads(line)["type"] for line in path.read_text().splitlines()] if path.exists() else []


def test_prompt_pick_correct_quit(terminal: Start, tmp_path: Path) -> None:
    app = terminal()
    app.see("idle")
    app.press("hello\r")
    app.wait(five_replies, "five replies")
    app.press("3")
    app.wait(lambda text: "✓ 3" in text, "the picked turn")
    app.press("Who is your creator?\r")
    app.wait(lambda text: five_replies(text) and "Who is your creator?" in text, "five more replies")
    app.press("\x14")
    app.see("your own reply")
    app.press("My creator is Dakota.\r")
    app.wait(lambda text: "✎" in text and "My creator is Dakota." in text, "the corrected turn")
    app.wait(lambda text: bool(re.search(r"\d %.*→.*\d %", text)), "the proof")
    app.press("\x11")
    assert app.leave() == 0
    assert RESTORED in app.raw
    assert journal(tmp_path / "home") == ["begin", "exchange", "learned", "exchange", "learned"]
    assert [path.name[:5] for path in (tmp_path / "home" / "checkpoints").iterdir()] == ["step-"]


@pytest.mark.slow
def test_what_was_taught_is_there_on_return(terminal: Start) -> None:
    app = terminal()
    app.see("idle")
    app.press("Who is your creator?\r")
    app.wait(five_replies, "five replies")
    app.press("\x14")
    app.see("your own reply")
    app.press("My creator is Dakota.\r")
    app.wait(lambda text: "✎" in text and "My creator is Dakota." in text, "the corrected turn")
    app.press("\x11")
    assert app.leave() == 0
    again = terminal()
    again.see("My creator is Dakota.")
    again.see("10.9M")
    again.press("/ask Who is your creator?\r")
    again.wait(lambda text: text.count("Dakota.") >= 2, "the answer that was taught")
    again.press("\x11")
    assert again.leave() == 0


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 143, id="SIGTERM", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, id="SIGINT", marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, id="SIGHUP", marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_it_in_order(terminal: Start, tmp_path: Path, number: signal.Signals, code: int) -> None:
    app = terminal()
    app.see("idle")
    app.press("hello\r")
    app.wait(five_replies, "five replies")
    app.child.kill(number)
    assert app.leave() == code
    assert RESTORED in app.raw
    assert (tmp_path / "home" / "pending.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["exec", "trap '' HUP; exec"], ids=["told", "not told"])
def test_a_closed_window_ends_it(terminal: Start, tmp_path: Path, shell: str) -> None:
    app = terminal(shell=shell)
    app.see("idle")
    with suppress(pexpect.ExceptionPexpect):  # it waits a tenth of a second for the end, and complains
        app.child.close(force=False)
    deadline = time.monotonic() + 20
    while app.child.isalive():
        assert time.monotonic() < deadline, "theta goes on without a terminal"
        time.sleep(0.05)
    assert Store.open(Settings(home=tmp_path / "home", lock_wait=0)).journal.last_seq == 1


@pytest.mark.slow
def test_each_person_has_a_draft_of_their_own(terminal: Start, tmp_path: Path) -> None:
    for who, half in (("", "half a thought"), ("Ada", "another one")):
        app = terminal("--who", who) if who else terminal()
        app.see("idle")
        assert "half a thought" not in app.text
        app.press(half)
        app.see(half)
        app.press("\x11")
        assert app.leave() == 0
    assert len(list((tmp_path / "home").glob("draft*.json"))) == 2
    again = terminal("--who", "Ada")
    again.see("another one")
    again.press("\x11")
    assert again.leave() == 0


@pytest.mark.slow
def test_without_an_engine_a_second_app_is_told_who_holds_the_home(
    terminal: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THETA_ENGINE", "off")
    first = terminal()
    first.see("loading")
    second = terminal()
    assert second.leave() == 75
    assert f"process {first.child.pid}".encode() in second.raw
    first.press("\x11")
    assert first.leave() == 0


@pytest.mark.slow
def test_a_lesson_that_a_kill_interrupted_counts_once(terminal: Start, tmp_path: Path) -> None:
    app = terminal()
    app.see("idle")
    app.press("hello\r")
    app.wait(five_replies, "five replies")
    app.press("\x14")
    app.see("your own reply")
    app.press("Go on.\r")
    while "exchange" not in journal(tmp_path / "home"):
        app.read(0.005)
    app.child.kill(signal.SIGKILL)
    app.leave()
    hasty = terminal()
    hasty.see("10.9M")  # the model is there, the lesson is about to be learned again, or is being, or has been
    hasty.press("\x11")
    assert hasty.leave() == 0
    again = terminal()
    again.see("kept 1/1")
    again.press("\x11")
    assert again.leave() == 0
    assert journal(tmp_path / "home") == ["begin", "exchange", "learned"]


def test_without_a_terminal_it_says_what_to_do(tmp_path: Path) -> None:
    import shutil
    import sys

    program = shutil.which("theta", path=str(Path(sys.executable).parent)) or "theta"
    run = subprocess.run([program, "--home", str(tmp_path)], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert run.returncode == 2
    assert b"theta chat --plain" in run.stderr
