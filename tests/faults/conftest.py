"""What the tests of this room share: their mark, a folder and a model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tiny_models import make_tiny

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that is here has the mark `faults`; the hook is given the tests of all rooms."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder; in memory where that can be (see `tests/conftest.py`)."""
    return tmp_path_factory.mktemp("memory")


@pytest.fixture
def folder(in_memory: Path) -> Iterator[Path]:
    """An empty folder, which goes away at once."""
    made = Path(tempfile.mkdtemp(dir=in_memory))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real, tiny model."""
    return make_tiny(tmp_path_factory.mktemp("model"))
