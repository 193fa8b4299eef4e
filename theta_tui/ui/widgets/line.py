"""A list whose keys are served in order, and the line below it: for a text to search for, or a name."""

from __future__ import annotations

from textual.events import Key
from textual.message import Message
from textual.widgets import Input, OptionList

from theta_tui.ui.bindings import LINE, LIST
from theta_tui.ui.compat.keys import run_bound


class KeyedRows(OptionList):
    """Rows, one per line, whose keys are served in the order in which they were pressed."""

    async def on_key(self, event: Key) -> None:
        focused = self.screen.focused
        if focused is not None and focused is not self:
            # Sent here before a key of the same burst moved the focus: it is the new one's.
            event.stop()
            focused.post_message(Key(event.key, event.character))
        else:
            await run_bound(self, event)


class Rows(KeyedRows):
    """Rows with the `list.*` keys."""

    BINDINGS = [*LIST]


class Line(Input):
    """Hidden until it is opened. Enter keeps what is typed, Esc leaves; both give the keyboard back to the list."""

    BINDINGS = [*LINE]

    class Left(Message):
        """The person left the line. `kept`: with Enter."""

        def __init__(self, kept: bool) -> None:
            super().__init__()
            self.kept = kept

    def __init__(self) -> None:
        super().__init__(id="line", compact=True, select_on_focus=False)
        self.display = False

    def open(self, text: str, placeholder: str) -> None:
        """Show it with `text`, and take the keyboard."""
        self.placeholder = placeholder
        self.value = text
        self.cursor_position = len(text)
        self.display = True
        self.screen.set_focus(self)

    def close(self, rows: OptionList) -> None:
        self.display = False
        self.screen.set_focus(rows)

    def action_keep(self) -> None:
        self.post_message(self.Left(True))

    def action_leave(self) -> None:
        self.post_message(self.Left(False))
