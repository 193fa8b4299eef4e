"""What a command prints for a person is harmless to the terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from theta_tui.cli.console import Invocation

HOSTILE = "\x1b]52;c;eA==\x07\u202ename"
SHOWN = "␛]52;c;eA==␇⇠name"


def test_results_notices_and_stages_hold_no_control(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called = Invocation({"home": tmp_path / "home"})
    called.out(HOSTILE)
    called.note(HOSTILE)
    assert capsys.readouterr() == (f"{SHOWN}\n", f"theta: {SHOWN}\n")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    called.stage(HOSTILE)
    assert capsys.readouterr().err == f"\r\x1b[2K{SHOWN}…"
