"""The five replies: they stream in, one is marked, one is picked, any can be edited in place.

The list only shows and reports; the screen decides what a key does. There are always five rows.
"""

from __future__ import annotations

import math
from typing import Literal

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.events import Click
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from theta_tui.base.config import CANDIDATES
from theta_tui.base.text import percent
from theta_tui.ui.messages import Clicked
from theta_tui.ui.safe import join, wrap
from theta_tui.ui.state import State
from theta_tui.ui.widgets.edit_box import EditBox

Look = Literal["empty", "writing", "waiting", "open", "dim", "chosen"]
GUTTER = 6
NARROW = 34


class Row(Widget):
    """One reply: number, text on one or more lines, and its probability at the right. `tag` names the lesson that it
    was written with, if any.

    `look`: *empty* before the reply exists, *writing* while it streams, *waiting* in the grace period, *open* to be
    picked, *dim* after another was chosen, *chosen* after this one was.
    """

    ALLOW_SELECT = False  # a double click picks; Textual would select the text. F8 copies it

    text: reactive[str] = reactive("")
    look: reactive[Look] = reactive("empty")
    marked: reactive[bool] = reactive(False, layout=True)
    chance: reactive[float | None] = reactive(None)
    tag: reactive[str] = reactive("", layout=True)
    most: reactive[int] = reactive(2, layout=True)
    """Most lines while the row is not marked."""
    whole: reactive[bool] = reactive(False, layout=True)
    """Whether all lines are shown."""
    most_marked: reactive[int | None] = reactive(None, layout=True)
    """Most lines while the row is marked; None: all."""

    def __init__(self, number: int) -> None:
        super().__init__(id=f"reply-{number}")
        self.number = number

    def _right_width(self, width: int) -> int:
        return (8 if width >= NARROW else 0) + (len(self.tag) + 1 if self.tag else 0)

    def _lines(self, width: int) -> list[str]:
        body = max(4, width - GUTTER - self._right_width(width))
        text = self.text.rstrip() + ("▍" if self.look == "writing" else "")
        return wrap(text, body, None if self.whole else self.most_marked if self.marked else self.most)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def watch_text(self) -> None:
        # Only if the number of lines changes: laying the whole screen out for every word delays the keys.
        width = self.content_size.width
        if width and len(self._lines(width)) != self.content_size.height:
            self.refresh(layout=True)

    def watch_look(self, look: Look) -> None:
        self.set_class(look == "chosen", "-chosen")
        self._mark()

    def watch_marked(self) -> None:
        self._mark()

    def _mark(self) -> None:
        self.set_class(self.marked and self.look in {"open", "waiting"}, "-marked")

    def render(self) -> Content:
        if self.look == "empty":
            return Content("")  # a number alone looks like something to pick
        width = self.content_size.width
        lines = self._lines(width)
        right = self._right_width(width)
        body = max(4, width - GUTTER - right)
        known = self.chance is not None and self.look != "writing" and width >= NARROW
        shown = f"{self.tag}{percent(self.chance).rjust(8) if known and self.chance is not None else ''}"
        sign, number_style, text_style = " ", "$primary bold", "$foreground"
        if self.look in {"waiting", "dim", "writing"}:
            number_style = "$muted"
        if self.look in {"dim", "writing"}:
            text_style = "$muted"
        if self.look == "waiting":
            text_style = "$foreground"
        if self.look == "chosen":
            sign, number_style, text_style = "✓", "$success bold", "bold"
        elif self.has_class("-marked"):
            sign = "›"
            number_style = "bold $block-cursor-foreground on $block-cursor-background"
            if self.look == "waiting":
                number_style = "bold $muted on $raised"
        pieces: list[tuple[str, str]] = []
        for at, line in enumerate(lines):
            if at:
                pieces.append(("\n", ""))
            if at == 0:
                pieces += [(f" {sign} {self.number} ", number_style), (" ", "")]
            else:
                pieces.append((" " * GUTTER, ""))
            pieces.append((line, text_style))
            if at == 0 and right:
                pieces.append((" " * max(0, body - cell_len(line)) + shown.rjust(right), "$muted"))
        return Content("").join([join(piece) if piece[0] != "\n" else Content("\n") for piece in pieces])


class CandidateList(VerticalScroll, can_focus=False):
    """Five rows and, while one is edited, an editor in place of it. The keyboard stays with the composer."""

    cursor: reactive[int] = reactive(1)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.rows = [Row(number) for number in range(1, CANDIDATES + 1)]
        self.editor = EditBox()
        self._armed: int | None = None

    def compose(self) -> ComposeResult:
        yield from self.rows
        yield self.editor

    def on_mount(self) -> None:
        self.editor.display = False

    # --- what is shown ---

    def put(self, number: int, text: str, look: Look, logprob: float | None = None, tag: str = "") -> None:
        """Show `text` in row `number`."""
        row = self.rows[number - 1]
        row.text, row.look, row.tag = text, look, tag
        row.chance = None if logprob is None else math.exp(min(0.0, logprob))

    def show(self, state: State, waiting: bool) -> None:
        """Draw the replies of `state`. `waiting`: they are too new to be picked."""
        if state.mode == "proposing":
            drafts = {draft.index: draft for draft in state.drafts}
            for number in range(1, CANDIDATES + 1):
                draft = drafts.get(number)
                self.put(number, draft.text if draft else "", "dim" if draft and draft.done else "writing")
            return
        offered = {c.index: c for c in state.offered.candidates} if state.offered is not None else {}
        over = state.mode != "choosing"
        for number in range(1, CANDIDATES + 1):
            candidate = offered.get(number)
            # It names a number, which must not be cut off.
            self.rows[number - 1].whole = candidate is not None and candidate.care
            if candidate is None:
                self.put(number, "", "empty")
                continue
            look: Look = "dim" if over else "waiting" if waiting else "open"
            if over and state.chosen is not None and state.chosen.index == number:
                look = "chosen"
            self.put(number, candidate.shown, look, candidate.logprob, candidate.tag(state.marked))

    def set_most(self, lines: int, marked: int | None) -> None:
        """Limit rows to `lines` lines, and the marked one to `marked` (None: no limit)."""
        for row in self.rows:
            row.most, row.most_marked = lines, marked

    def watch_cursor(self, cursor: int) -> None:
        self._armed = None
        for row in self.rows:
            row.marked = row.number == cursor
        if self.is_mounted:
            self.call_after_refresh(self._show_cursor)

    def _show_cursor(self) -> None:
        self.scroll_to_widget(self.rows[self.cursor - 1], animate=False, immediate=True)

    def move(self, by: int) -> None:
        """Move the mark, wrapping around at the ends."""
        self.cursor = (self.cursor - 1 + by) % CANDIDATES + 1

    # --- editing in place ---

    def edit(self, number: int | None, text: str) -> None:
        """Open the editor: in place of row `number`, or below the five."""
        if number is not None:
            self.rows[number - 1].display = False
            self.move_child(self.editor, after=self.rows[number - 1])
        else:
            self.move_child(self.editor, after=len(self.children) - 1)
        self.editor.open(text, number, str(number) if number is not None else "✎")
        self.call_after_refresh(self.scroll_to_widget, self.editor, animate=False, immediate=True)

    def close_editor(self) -> None:
        """Show the five rows again."""
        self.editor.display = False
        for row in self.rows:
            row.display = True

    # --- clicks ---

    def on_click(self, event: Click) -> None:
        if not isinstance(event.widget, Row):
            return
        number = event.widget.number
        again = event.chain >= 2 or self._armed == number
        self.cursor = number
        if again:
            self._armed = None
            self.post_message(Clicked(number))
        else:
            self._armed = number
