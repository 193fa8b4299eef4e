"""The models that have a name, as the app shows them, and how to go on with one. Asks no network; no torch here."""

from __future__ import annotations

import shlex

from theta_tui.base.config import Settings, load_settings
from theta_tui.base.errors import UsageError
from theta_tui.base.memory import shown
from theta_tui.model import catalogue
from theta_tui.session.protocol import ModelRow


def listed(most: int) -> tuple[ModelRow, ...]:
    """The catalogue, and what was made of GGUF files: `most` of them at most."""
    return tuple(
        ModelRow(
            row["name"],
            row["here"],
            shown(row["bytes"]) + ("" if row["here"] else " to fetch"),
            row["license"] or "",
            row["title"] or "converted from this file",
        )
        for row in catalogue.listing()[:most]
    )


def how_to(name: str, settings: Settings) -> str:
    """How to go on with the model `name`, from the home of `settings`, in words. Raises UsageError where no model is
    called that."""
    if name == settings.model:
        return f"{name} is the model of this home"
    row = next((row for row in catalogue.listing() if row["name"] == name), None)
    if row is None:
        raise UsageError(f"there is no model called {name[:80]}; /model lists those that have a name")
    home = "" if settings.home == load_settings({}).home else f"--home {shlex.quote(str(settings.home))} "
    fetched = "" if row["here"] else f"; {shown(row['bytes'])} are fetched first"
    model = shlex.quote(name)
    return (
        f"a home belongs to one model. Leave with ctrl+q and type `theta {home}rebuild --model {model}` to take your "
        f"lessons along, or `theta --home DIR --model {model}` for a home of its own{fetched}"
    )
