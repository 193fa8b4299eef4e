"""The verbs in the command palette."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from theta_tui.session.verbs import BY_NAME, SLASH, Verb
from theta_tui.ui.screens import models

if TYPE_CHECKING:
    from theta_tui.ui.screens.teach import TeachScreen


def listed(screen: TeachScreen) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """(title, help, action) of each verb. A verb with an argument fills the composer."""
    for verb in SLASH:
        yield verb.line, verb.about, partial(_choose, screen, verb)
    yield from models.palette(screen.state, partial(screen.run_verb, BY_NAME["model"]))


def _choose(screen: TeachScreen, verb: Verb) -> None:
    if verb.read("") is None:
        screen.focus_composer()
        screen.composer.put(f"/{verb.name} ")
    else:
        screen.run_verb(verb, *(verb.read("") or ()))
        screen.draw()
