"""The whole conversation, with everything that happened beside it."""

from __future__ import annotations

from dataclasses import replace

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static

from theta_tui.base.text import plural
from theta_tui.session.protocol import History
from theta_tui.store.transcript import in_order, stated_by
from theta_tui.ui.compat.sized import Sized
from theta_tui.ui.safe import Plain, join
from theta_tui.ui.widgets.conversation import Conversation, Entry


class HistoryScreen(Sized, Screen[None]):
    """Scrolls through what the worker sent; Esc closes it."""

    BINDINGS = [
        Binding("escape,q,enter", "close", "close", show=False, id="history.close"),
        Binding("up,k", "scroll(-1)", "up", show=False, id="history.up"),
        Binding("down,j", "scroll(1)", "down", show=False, id="history.down"),
        Binding("pageup", "scroll(-10)", "page up", show=False, id="history.page_up"),
        Binding("pagedown,space", "scroll(10)", "page down", show=False, id="history.page_down"),
        Binding("home", "end(False)", "the beginning", show=False, id="history.home"),
        Binding("end", "end(True)", "the end", show=False, id="history.end"),
    ]
    conversation = getters.query_one(Conversation)

    def __init__(self, told: History) -> None:
        super().__init__()
        self.told = told

    def compose(self) -> ComposeResult:
        shot = self.told.snapshot
        left = shot.turns_total - len(self.told.turns)
        earlier = f", the last {len(self.told.turns):,} are here; theta history has all" if left else ""
        yield Plain(f"θ  this conversation: {plural(shot.turns_total, 'turn')}{earlier}", id="history-title")
        yield Conversation()
        foot = join(("esc", "bold $footer-key-foreground"), (" close  ", "$muted"))
        yield Static(foot + join(("↑ ↓", "bold $footer-key-foreground"), (" scroll", "$muted")), id="history-foot")

    def on_mount(self) -> None:
        told, shot = self.told, self.told.snapshot
        entries: list[Entry] = []
        earlier, stated = stated_by(told.beside, shot.pending.prompt if shot.pending is not None else None)
        number, width = shot.turns_total - len(told.turns), len(str(shot.turns_total))
        for before, turn in in_order(told.turns, earlier, number):
            entries += [replace(Entry.beside(one), label=" " * (width + 1)) for one in before]
            if turn is not None:
                number += 1
                entries.append(replace(Entry.of(turn), label=f"{number:>{width}} "))
        if shot.pending is not None:
            entries.append(Entry(shot.pending.prompt, "five replies wait", pending=True, label=" " * (width + 1)))
        entries += [replace(Entry.beside(one), label=" " * (width + 1)) for one in stated]
        self.conversation.welcome = ("Nothing was said yet.",)
        self.conversation.show(entries)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        self.conversation.scroll_relative(y=by, animate=False)

    def action_end(self, last: bool) -> None:
        self.conversation.scroll_end(animate=False) if last else self.conversation.scroll_home(animate=False)
