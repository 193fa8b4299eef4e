"""Goes over to another model while a home is open: with its lessons, or in a home of the model's own.

The session that is open stays as it is until the new one is ready. If that fails, or is stopped, nothing has changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from theta_tui.base.errors import Stopped, ThetaError, UsageError
from theta_tui.base.memory import shown
from theta_tui.base.text import plural
from theta_tui.model import catalogue
from theta_tui.model.files import fingerprint, full_name, resolve
from theta_tui.session.protocol import ModelRow
from theta_tui.session.rebuild import move
from theta_tui.session.replay import Stage
from theta_tui.session.session import Session
from theta_tui.store.adaptation import asked_for
from theta_tui.store.store import Store


def listed(most: int) -> tuple[ModelRow, ...]:
    """The catalogue, and what was made of GGUF files: `most` of them at most. Asks no network."""
    return tuple(map(_row, catalogue.listing()[:most]))


def described(name: str) -> ModelRow:
    """The model that a person calls `name`: one that has a name, a folder, or a GGUF file. Raises UsageError."""
    row = next((row for row in catalogue.listing() if row["name"] == name), None)
    if row is not None:
        return _row(row)
    place = resolve(name)
    if isinstance(place, Path) and place.exists():
        size = catalogue.size(place) if place.is_dir() else place.stat().st_size
        return ModelRow(full_name(name), True, shown(size), "", "")
    raise UsageError(
        f"there is no model called {name[:80]}; /model lists those that have a name, and a folder or a .gguf file goes "
        "by its path"
    )


def own_home(home: Path, name: str) -> Path:
    """The home beside `home` that belongs to the model `name` alone."""
    word = name if catalogue.find(name) is not None else Path(name).stem
    return home.with_name(f"{home.name}-{''.join(part if part.isalnum() or part in '._-' else '-' for part in word)}")


def switch(
    session: Session, name: str, *, apart: bool, on_stage: Stage, cancelled: Callable[[], bool]
) -> Session | None:
    """The session with the model `name`: of the same home, where its lessons are learned again, or `apart`, in a home
    of its own; then `session` is closed. None: cancelled, and nothing has changed. Raises ThetaError, and then nothing
    has changed either."""

    def stage(words: str) -> None:
        if cancelled():
            raise Stopped
        on_stage(words)

    try:
        if (entry := catalogue.find(name)) is not None:
            from theta_tui.model import getting

            getting.get(entry, offline=session.settings.offline, on_stage=stage)
        return _apart(session, name, stage) if apart else _along(session, name, stage)
    except Stopped:
        return None


def arrived(session: Session, *, apart: bool) -> str:
    """What has changed, in words."""
    name, lessons = session.settings.model, len(session.store.state.active)
    if apart:
        return f"{name} speaks now, in a home of its own: {session.settings.home}"
    along = f"; it has learned your {plural(lessons, 'lesson')}" if lessons else ""
    return f"{name} speaks now{along}"


def _along(session: Session, name: str, stage: Stage) -> Session:
    store = session.store
    store.require_writable()
    session.review.settle()
    ours, store.settings = store.settings, replace(store.settings, model=name)
    try:
        fresh, _ = move(store, fingerprint(name), asked_for(store, moving=True), stage)
    except BaseException:
        store.settings = ours
        raise
    with suppress(ThetaError):  # the journal has every lesson
        if fresh.unsaved:
            fresh.save()
    return fresh


def _apart(session: Session, name: str, stage: Stage) -> Session:
    settings = session.settings
    home = own_home(settings.home, name)
    begun = home.exists()
    fresh = Session(Store.open(replace(settings, home=home, model=name, context=None)))
    try:
        fresh.load(stage)
        stage("leaving the other home")
    except BaseException:
        fresh.close()
        if not begun:
            shutil.rmtree(home, ignore_errors=True)
        raise
    with suppress(ThetaError):
        if session.unsaved and session.store.read_only is None:
            session.save()
    session.close()
    return fresh


def _row(row: dict[str, Any]) -> ModelRow:
    speed = row["tokens_per_second"]
    return ModelRow(
        row["name"],
        row["here"],
        shown(row["bytes"]) + ("" if row["here"] else " to fetch"),
        row["license"] or "",
        row["title"] or "converted from this file",
        "" if speed is None else f"{speed:,.0f} tokens/s",
    )
