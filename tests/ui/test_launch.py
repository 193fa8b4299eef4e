"""The terminal is the screen's alone while it is drawn, and given back afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from theta_tui.ui.launch import own_terminal


def test_what_native_code_prints_goes_to_the_log_and_afterwards_to_the_terminal_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log, before = tmp_path / "theta.log", (sys.__stdout__, sys.__stderr__)
    with own_terminal(log):
        os.write(1, b"a progress bar\n")
        os.write(2, b"a warning of C++\n")
        print("the screen", file=sys.__stderr__)
    os.write(1, b"a result\n")
    os.write(2, b"an error\n")
    assert log.read_text() == "a progress bar\na warning of C++\n"
    assert capfd.readouterr() == ("the screen\na result\n", "an error\n")
    assert (sys.__stdout__, sys.__stderr__) == before


def test_what_was_still_to_be_drawn_on_a_terminal_that_has_gone_is_not_missed(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    saved = os.dup(2)
    os.dup2(theirs, 2)
    os.close(theirs)
    try:
        with own_terminal(tmp_path / "theta.log"):
            sys.__stderr__.write("never seen")
            os.close(ours)
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def test_who_is_inside_pytorch_does_not_end_in_an_abort(tmp_path: Path) -> None:
    """Where the interpreter ends around a thread that computes, the process dies of SIGABRT."""
    program = f"""
import sys, threading
from pathlib import Path
import torch
from theta_tui.ui import launch as screen
from theta_tui.base.config import Settings
from theta_tui.ui import app

class Busy:
    def __init__(self, *given):
        begun = threading.Event()
        threading.Thread(target=self.compute, args=(begun,), daemon=True).start()
        begun.wait()
    def compute(self, begun):
        matrix = torch.full((500, 500), 1 / 500)
        while True:
            matrix @= matrix
            begun.set()
    def join(self, timeout):
        return False

def run_app(*given, tour):
    return 7 if sys.getswitchinterval() < 0.001 else 1  # what waits for the lock of Python gets it soon

screen.Worker, screen.watch_terminal, app.run_app = Busy, lambda worker: None, run_app
sys.exit(screen.run_full_screen(Settings(home=Path({str(tmp_path / "home")!r}))))
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 7
