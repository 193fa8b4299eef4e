"""The editor of a reply, in place of the reply: Enter teaches, Esc leaves."""

from __future__ import annotations

from textual import getters
from textual.app import ComposeResult
from textual.containers import Horizontal

from theta_tui.ui.bindings import EDIT
from theta_tui.ui.compat.editor import Editor
from theta_tui.ui.messages import Corrected, EditLeft
from theta_tui.ui.safe import Plain


class ReplyEditor(Editor):
    """The text of the reply; `edited` is the candidate from which it started."""

    BINDINGS = [*EDIT]
    edited: int | None = None

    def action_teach(self) -> None:
        self.post_message(Corrected(self.text, self.edited))

    def action_leave(self) -> None:
        self.post_message(EditLeft())


class EditBox(Horizontal):
    """A gutter like a row's, and the text."""

    editor = getters.query_one(ReplyEditor)
    sign = getters.query_one("#edit-sign", Plain)

    def __init__(self) -> None:
        super().__init__(id="edit-box")

    def compose(self) -> ComposeResult:
        yield Plain(" ✎   ", id="edit-sign")
        yield ReplyEditor(id="edit-text")

    def open(self, text: str, edited: int | None, sign: str) -> None:
        """Edit `text`, the cursor at its end."""
        self.editor.edited = edited
        self.sign.show(f" ✎ {sign}" if edited is not None else f" {sign}   ")
        self.editor.text = text
        self.editor.move_cursor(self.editor.document.end)
        self.display = True
        self.editor.focus()
