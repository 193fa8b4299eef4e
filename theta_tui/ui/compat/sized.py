"""A screen that is laid out at the terminal's present size, and once; and a view whose text may grow without a layout.

Upstream: https://github.com/Textualize/textual/blob/v8.2.8/src/textual/screen.py (`Screen._on_resize`,
`Screen._on_screen_resume`, `Screen._refresh_layout`), `widget.py` (`Widget._size_updated`, `Widget._scroll_update`).
"""

from __future__ import annotations

from textual.events import Resize, ScreenResume
from textual.geometry import Size
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.widget import Widget


class Sized(Screen[None]):
    """Ignores outdated sizes. Layout sends a screen its own size again, queued behind other events. If another resize
    was queued already, the two sizes replaced each other for ever, and the app did nothing else."""

    async def _on_resize(self, event: Resize) -> None:
        # Textual calls the handler of the base class with the same event afterwards.
        event.size = event.virtual_size = event.container_size = self.app.size
        self.update_classes(self._classes_of_size(), animate=False)

    def _on_screen_resume(self, event: ScreenResume) -> None:
        for name, meant in self._classes_of_size().items():
            self.set_class(meant, name, update=False)

    def _classes_of_size(self) -> dict[str, bool]:
        """The classes of sizes, and whether it has each at the present one. Textual sets them after a layout, and then
        finds all styles and lays out again: 30 ms, for which the first keys waited."""
        found: dict[str, bool] = {}
        for size, points in zip(self.app.size, (self.HORIZONTAL_BREAKPOINTS, self.VERTICAL_BREAKPOINTS), strict=True):
            meant = self._get_breakpoint_classes(size, points or [])
            found |= {name: name in meant for _, name in points or []}
        return found

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        """Lay out. It tells each widget the size of what that contains, and a widget of which this has changed asked
        for a second layout, which finds the same. One that gets or loses a scroll bar asks for that itself."""
        contained = Widget.virtual_size
        contained._layout = False
        try:
            super()._refresh_layout(size, scroll=scroll)
        finally:
            contained._layout = True


class Still(ScrollView):
    """A view whose place does not depend on what it contains."""

    def contain(self, size: Size) -> None:
        """Contain `size`, without a layout of the screen."""
        self.set_reactive(Widget.virtual_size, size)
        self._scroll_update(size)
