"""Fixtures of the tests that run a real `theta` in a terminal: a tiny model, a home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.forking import Forks
from tests.faults.terminal import Program, Start, Terminal, environment


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that loads and learns in no time."""
    from tests.support.tiny_models import make_tiny

    return make_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def start(forks: Forks, tiny: Path, home: Path) -> Iterator[Start]:
    """Starts `theta` in `home`; what is still running at the end is killed."""
    started: list[Program] = []

    def begin(*arguments: str, environment_more: dict[str, str] | None = None, **how: Any) -> Terminal:
        alone = {"THETA_ENGINE": "off"} if arguments else {}  # else a command on a terminal would start one
        settings = environment(home) | {"THETA_MODEL": str(tiny)} | alone | (environment_more or {})
        made = Terminal(forks, arguments, settings, **how)
        started.append(made)
        return made

    yield begin
    for made in started:
        made.close()
