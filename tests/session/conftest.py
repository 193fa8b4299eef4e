"""Fixtures of the session tests: a home of its own on a real, tiny model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.services import PATIENCE, Desk
from tests.support.sessions import Open
from tests.support.tiny_models import make_tiny, make_wide
from theta_tui.base.config import Settings
from theta_tui.learning.recipes import RECIPES
from theta_tui.session.session import Session
from theta_tui.store.store import Store

Taught = Callable[..., Session]
_homes: dict[tuple[tuple[str, str], ...], Path] = {}


def opened(settings: Settings) -> Session:
    """A home with its model loaded; where that fails the home is let go of."""
    session = Session(Store.open(settings))
    try:
        session.load()
    except BaseException:
        session.close()
        raise
    return session


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is wide enough for natural steps."""
    return make_wide(tmp_path_factory.mktemp("wide"))


@pytest.fixture
def settings(tmp_path: Path, model: Path) -> Settings:
    return Settings(home=tmp_path / "home", model=str(model), device="cpu", max_tokens=8, lock_wait=0, seed=1)


@pytest.fixture
def start(settings: Settings) -> Open:
    """Opens the home and loads the model, as a fresh process would."""
    return lambda: opened(settings)


@pytest.fixture
def taught(settings: Settings, start: Open, tmp_path_factory: pytest.TempPathFactory) -> Taught:
    """Opens a home that knows these pairs of prompt and reply. They are taught once; later homes are copies."""

    def made(*pairs: tuple[str, str]) -> Session:
        if pairs not in _homes:
            session = start()
            for prompt, reply in pairs:
                assert session.teach(prompt, reply).learned
            session.save()
            session.close()
            _homes[pairs] = shutil.copytree(settings.home, tmp_path_factory.mktemp("taught") / "home")
        shutil.copytree(_homes[pairs], settings.home, dirs_exist_ok=True)
        return start()

    return made


@pytest.fixture
def short_lessons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lessons of a few steps, where it counts that they are exact and not that they are said: the tiny model takes all
    that it may."""
    for name, recipe in RECIPES.items():
        monkeypatch.setitem(RECIPES, name, replace(recipe, max_steps=min(recipe.max_steps, 4)))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(Settings(home=tmp_path / "home", lock_wait=0.1))
    yield made
    if hasattr(made, "session"):
        made.session.hold.set()
    made.worker.request_stop()
    assert made.worker.join(PATIENCE)
