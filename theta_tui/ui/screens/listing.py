"""A list on a screen of its own: a title, a row for each thing, details of the marked one, and a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import getters, on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static
from textual.widgets.option_list import Option

from theta_tui.base.text import contains, plural
from theta_tui.session import protocol as p
from theta_tui.ui.compat.sized import Sized
from theta_tui.ui.safe import join, wrap
from theta_tui.ui.widgets.keybar import KeyBar
from theta_tui.ui.widgets.line import KeyedRows, Line, Rows

SEARCH = "search for"


class Searching(Sized):
    """A screen with rows that can be searched: `wanted` is what for. `redraw` draws the rows that have it."""

    wanted = ""

    listing = getters.query_one(KeyedRows)
    line = getters.query_one(Line)

    def redraw(self) -> None:
        raise NotImplementedError

    def action_search(self) -> None:
        self.line.open(self.wanted, SEARCH)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if self.line.display and self.line.placeholder == SEARCH:
            self.wanted = event.value
            self.redraw()

    @on(Line.Left)
    def _line_left(self, message: Line.Left) -> None:
        text = self.line.value
        self.line.close(self.listing)
        self.line_left(text, kept=message.kept)
        self.redraw()

    def line_left(self, text: str, *, kept: bool) -> None:
        """The line was left with `text`. The search stays with Enter and ends with Esc."""
        self.wanted = text if kept else ""

    def action_close(self) -> None:
        """End the search, if there is one; else close."""
        if self.wanted.strip():
            self.wanted = ""
            self.redraw()
        else:
            self.dismiss(None)


def searched(found: int, of: int, wanted: str) -> str:
    """The words for what a search found."""
    return f"{found:,} of {of:,} with “{wanted.strip()}” · esc shows all"


class ListScreen(Searching):
    """`items` are all things, in the order in which they are shown; `found` those that the search leaves."""

    AUTO_FOCUS = "Rows"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (72, "-medium"), (100, "-wide")]
    heading = ""
    none = "nothing here yet"
    detail_lines = 3

    def __init__(self, wanted: str = "") -> None:
        super().__init__()
        self.items: Sequence[Any] = ()
        self.wanted = wanted
        """What is searched for."""

    def compose(self) -> ComposeResult:
        yield Static(id="list-title", markup=False)
        yield Static(id="list-columns", markup=False)
        yield Rows()
        yield Static(id="list-detail", markup=False)
        yield Line()
        yield KeyBar(self.named, id="keybar")

    # --- what a list says of its things ---

    def key_of(self, item: Any) -> object:
        """What stays the same when the list is drawn anew."""
        raise NotImplementedError

    def text_of(self, item: Any) -> str:
        """What is searched."""
        raise NotImplementedError

    def columns(self, width: int) -> str:
        """The headings of the columns."""
        raise NotImplementedError

    def row_of(self, item: Any, width: int) -> Content:
        raise NotImplementedError

    def details_of(self, item: Any) -> Sequence[tuple[str, str, str]]:
        """(name, text, style) of each detail of the marked one."""
        raise NotImplementedError

    def apply(self, event: p.Event) -> None:
        """Apply an event of the worker."""

    def named(self, name: str, usual: str) -> str:
        """The word beside the key of binding `name`; "" leaves it out."""
        return usual

    # --- drawing ---

    @property
    def found(self) -> list[Any]:
        return [item for item in self.items if contains(self.text_of(item), self.wanted)]

    @property
    def marked(self) -> Any | None:
        """The thing under the cursor."""
        at, found = self.listing.highlighted, self.found
        return found[at] if at is not None and at < len(found) else None

    def on_mount(self) -> None:
        self.draw()

    def on_resize(self) -> None:
        if self.query(Rows):  # a resize can come before the widgets
            self.call_after_refresh(self.draw)

    def put(self, items: Sequence[Any]) -> None:
        """Show `items`; the mark stays on its thing."""
        marked = self.key_of(self.marked) if self.marked is not None else None
        self.items = items
        if self.is_mounted:
            self.draw(marked)

    def draw(self, marked: object = None) -> None:
        """Draw everything, with the mark on the thing whose key is `marked`, if that is still there."""
        if marked is None and self.marked is not None:
            marked = self.key_of(self.marked)
        found, rows = self.found, self.listing
        width = max(20, rows.scrollable_content_region.width - 2)
        rows.clear_options()
        rows.add_options([Option(self.row_of(item, width)) for item in found])
        keys = [self.key_of(item) for item in found]
        rows.highlighted = None if not keys else keys.index(marked) if marked in keys else 0
        self.query_one("#list-columns", Static).update(join((f" {self.columns(width)}" if found else "", "$muted")))
        self._draw_title(len(found))
        self.draw_detail()

    def title_words(self) -> str:
        return plural(len(self.items), "row")

    def _draw_title(self, found: int) -> None:
        words = self.title_words() if self.items else self.none
        if self.wanted.strip():
            words = searched(found, len(self.items), self.wanted)
        self.query_one("#list-title", Static).update(join((f"θ  {self.heading}  ", "bold $primary"), (words, "$muted")))

    def draw_detail(self) -> None:
        detail, item = self.query_one("#list-detail", Static), self.marked
        self.refresh_bindings()
        if item is None:
            detail.update("")
            return
        width = max(10, detail.content_size.width - 9)
        lines: list[Content] = []
        for name, text, style in self.details_of(item):
            for at, piece in enumerate(wrap(text, width, self.detail_lines)):
                lines.append(join((f"{name if at == 0 else '':<9}", "$muted"), (piece, style)))
        detail.update(Content("\n").join(lines))

    def on_option_list_option_highlighted(self) -> None:
        self.draw_detail()

    def redraw(self) -> None:
        self.draw()

    def action_choose(self) -> None:
        """What Enter does with the marked one."""
