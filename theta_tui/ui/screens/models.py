"""The models: their list, and the question before one is gone over to: with the lessons, or in a home of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from theta_tui.base.text import plural
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.ui.compat.sized import Sized
from theta_tui.ui.safe import Plain, join, plain
from theta_tui.ui.screens.info import ModelsScreen
from theta_tui.ui.state import State

ALONG, APART, STAY = "along", "apart", "stay"


def palette(state: State, choose: Callable[[str], object]) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """(title, help, action) of each model that could be gone over to."""
    for row in state.models:
        if row.name != state.snapshot.model:
            yield f"/model {row.name}", row.about, partial(choose, row.name)


def show(app: App[Any], event: p.Models | p.ModelOffered, send: Callable[[c.Command], None]) -> None:
    """Show the list, where it was asked for. Or ask how to go over to a model, and `send` that; nothing is asked where
    nothing was taught and the model is here."""
    if isinstance(event, p.Models):
        if event.asked:
            app.push_screen(ModelsScreen(event))
        return
    if event.row.here and not event.lessons:
        send(c.SwitchModel(event.row.name))
        return
    app.push_screen(SwitchScreen(event, send))


class SwitchScreen(Sized, ModalScreen[None]):
    """Three choices; Esc stays."""

    AUTO_FOCUS = "OptionList"
    BINDINGS = [Binding("escape", "stay", "stay", show=False, id="switch.stay")]

    def __init__(self, event: p.ModelOffered, send: Callable[[c.Command], None]) -> None:
        super().__init__()
        self.event, self.send = event, send

    def compose(self) -> ComposeResult:
        event, lessons = self.event, plural(self.event.lessons, "lesson")
        along = f"with your {lessons}, learned again on it" if event.lessons else "in this home"
        apart = "in a home of its own, begun before" if event.begun else "in a home of its own, which knows no lesson"
        with Vertical(id="info"):
            yield Plain(f"θ  go over to {event.row.name}?", id="info-title")
            yield Plain(event.row.about, id="switch-about")
            yield OptionList(
                Option(plain(along, one_line=True), id=ALONG),
                Option(plain(f"{apart}: {event.apart}", one_line=True), id=APART),
                Option(plain(f"stay with {event.snapshot.model}", one_line=True), id=STAY),
                markup=False,
            )
            keys = "bold $footer-key-foreground"
            foot = join(("enter", keys), (" chooses  ", "$muted"), ("esc", keys), (" stays", "$muted"))
            yield Static(foot, id="info-foot")

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss()
        if message.option.id != STAY:
            self.send(c.SwitchModel(self.event.row.name, apart=message.option.id == APART))

    def action_stay(self) -> None:
        self.dismiss()
