"""A stated fact that could be learned: a line that offers it and, in its place, an editor of both its parts.

The line only shows the fact; the screen handles the key and the click that open the editor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import getters
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Click
from textual.widget import Widget

from theta_tui.ui.bindings import EDIT
from theta_tui.ui.compat.editor import Editor
from theta_tui.ui.messages import EditLeft, FactGiven
from theta_tui.ui.safe import Plain, fit, join

if TYPE_CHECKING:
    from theta_tui.store.records import Stated

LABEL = "  learn: "


class FactLine(Widget):
    """`f3  learn: Who is your creator? → My creator is Dakota.`"""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(id="fact-line")
        self._stated: Stated | None = None
        self._key = "f3"

    def show(self, stated: Stated | None, key: str) -> None:
        """Offer `stated` with the key that opens the editor; None: nothing."""
        if (stated, key) != (self._stated, self._key):
            self._stated, self._key = stated, key
            self.refresh()

    def render(self) -> Content:
        if self._stated is None:
            return Content("")
        room = self.content_size.width - len(self._key) - len(LABEL)
        words = fit(f"{self._stated.prompt} → {self._stated.reply}", room)
        return join((self._key, "bold $footer-key-foreground"), (LABEL, "$muted"), (words, "$accent"))

    async def on_click(self, event: Click) -> None:
        event.stop()
        await self.screen.run_action("fact")


class FactEditor(Editor):
    """The editor of one part of the fact."""

    BINDINGS = [*EDIT]

    def action_teach(self) -> None:
        box = self.screen.query_one(FactBox)
        self.post_message(FactGiven(box.prompt.text, box.reply.text))

    def action_leave(self) -> None:
        self.post_message(EditLeft())


class FactBox(Vertical):
    """The line or, during editing, the question above the answer."""

    line = getters.query_one(FactLine)
    prompt = getters.query_one("#fact-prompt", FactEditor)
    reply = getters.query_one("#fact-reply", FactEditor)

    def __init__(self) -> None:
        super().__init__(id="fact")

    def compose(self) -> ComposeResult:
        yield FactLine()
        with Horizontal(id="fact-question", classes="fact-row"):
            yield Plain(" ? ", classes="fact-sign")
            yield FactEditor(id="fact-prompt", classes="fact-text")
        with Horizontal(id="fact-answer", classes="fact-row"):
            yield Plain(" → ", classes="fact-sign")
            yield FactEditor(id="fact-reply", classes="fact-text")

    def on_mount(self) -> None:
        self.display = False

    @property
    def editing(self) -> bool:
        return self.has_class("-editing")

    def show(self, stated: Stated | None, key: str) -> None:
        """Offer `stated`; None: nothing."""
        self.line.show(stated, key)
        self.display = self.editing or stated is not None

    def open(self, stated: Stated) -> None:
        """Edit both parts, the cursor at the end of the question."""
        for editor, text in ((self.prompt, stated.prompt), (self.reply, stated.reply)):
            editor.text = text
            editor.move_cursor(editor.document.end)
        self.display = True
        self.add_class("-editing")
        # At once, not by Widget.focus, which is queued behind keys that are meant for the editor.
        self.screen.set_focus(self.prompt)

    def close(self) -> None:
        """Show the line again."""
        self.remove_class("-editing")

    @property
    def part(self) -> FactEditor:
        """The part with the cursor, or else the question."""
        return self.reply if self.screen.focused is self.reply else self.prompt

    def other(self) -> FactEditor:
        """The part without the cursor."""
        return self.reply if self.screen.focused is self.prompt else self.prompt
