"""A folder in memory: these tests do so much to so many small homes that a real disk would be what takes the time."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.forking import forks as forks
from tests.support.tiny_models import make_tiny

MEMORY = Path("/dev/shm")


HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that is here has the mark `faults`; the hook is given the tests of all rooms."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK)):
        yield tmp_path_factory.mktemp("memory")
        return
    folder = Path(tempfile.mkdtemp(prefix="theta-", dir=MEMORY)).resolve()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder(in_memory: Path) -> Iterator[Path]:
    """An empty folder, in memory where there is one."""
    made = Path(tempfile.mkdtemp(dir=in_memory))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real, tiny model."""
    return make_tiny(tmp_path_factory.mktemp("model"))
