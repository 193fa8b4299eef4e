"""Fixtures of the command tests: `theta` as typed, on a tiny model unless the test asks for the built-in one.

The tiny one learns in the same way as the built-in one, and a command on it takes a seventh of the time.
"""

from __future__ import annotations

import io
import sys
from functools import cache
from pathlib import Path

import pytest
import typer.main

from tests.cli.running import Ran, Theta
from tests.support.tiny_models import make_wide
from theta_tui.cli import app as cli
from theta_tui.pretrain import command

# A process runs one command. Here hundreds run in one, and a quarter of their time was the making of the parser.
typer.main.get_command = cache(typer.main.get_command)
command.matrix_rate = cache(command.matrix_rate)  # each training measures the machine first


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny model. Tests do not write to it."""
    return make_wide(tmp_path_factory.mktemp("small"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def built_in_theta(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Theta:
    """Runs a command line in this process, in a home of its own, on the model that comes with Theta."""
    monkeypatch.setenv("THETA_HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("THETA_MAX_TOKENS", "16")

    def run(*arguments: str, stdin: str | bytes = "") -> Ran:
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(sys, "argv", ["theta", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Ran(left.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def theta(built_in_theta: Theta, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> Theta:
    """Runs a command line in this process, in a home of its own, on the tiny model."""
    monkeypatch.setenv("THETA_MODEL", str(small_model))
    return built_in_theta
