"""The installed `theta` in a real pseudo-terminal, as a person would use it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Terminal

Start = Callable[..., Terminal]

RESTORED = b"\x1b[?1049l"


def five_replies(text: str) -> bool:
    """Whether five replies stand there, each with its probability."""
    return len(re.findall(r"[1-5] +\S.* %", text)) >= 5


def journal(home: Path) -> list[str]:
    path = home / "journal.jsonl"
    return [json.loads(line)["type"] for line in path.read_text().splitlines()] if path.exists() else []


def test_prompt_pick_correct_quit_return(terminal: Start, tmp_path: Path) -> None:
    app = terminal()
    app.see("idle")
    app.press("hello\r")
    app.wait(five_replies, "five replies")
    app.wait(lambda text: "1-5 pick" in text or "1–5 pick" in text, "the grace period to end")
    app.press("3")
    app.wait(lambda text: "✓ 3" in text, "the picked turn")
    app.press("Who is your creator?\r")
    app.wait(lambda text: five_replies(text) and "Who is your creator?" in text, "five more replies")
    app.press("t")
    app.press("My creator is Dakota.\r")
    app.wait(lambda text: "✎" in text and "My creator is Dakota." in text, "the corrected turn")
    app.wait(lambda text: bool(re.search(r"\d %.*→.*\d %", text)), "the proof")
    app.press("\x11")
    assert app.leave() == 0
    assert RESTORED in app.raw
    assert journal(tmp_path / "home") == ["begin", "exchange", "learned", "exchange", "learned"]
    assert [path.name[:5] for path in (tmp_path / "home" / "checkpoints").iterdir()] == ["step-"]

    again = terminal()
    again.see("My creator is Dakota.")
    again.see("idle")
    again.press("/ask Who is your creator?\r")
    again.wait(lambda text: text.count("My creator is Dakota.") >= 2, "the answer that was taught")
    again.press("\x11")
    assert again.leave() == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=lambda item: str(item)
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


def test_a_second_app_is_told_who_holds_the_home(terminal: Start) -> None:
    first = terminal()
    first.see("idle")
    second = terminal()
    assert second.leave() == 75
    assert f"process {first.child.pid}".encode() in second.raw
    first.press("\x11")
    assert first.leave() == 0


def test_a_lesson_that_a_kill_interrupted_counts_once(terminal: Start, tmp_path: Path) -> None:
    app = terminal()
    app.see("idle")
    app.press("hello\r")
    app.wait(five_replies, "five replies")
    app.press("t")
    app.press("Go on.\r")
    while "exchange" not in journal(tmp_path / "home"):
        app.read(0.005)
    app.child.kill(signal.SIGKILL)
    app.leave()
    again = terminal()
    again.see("idle")
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
