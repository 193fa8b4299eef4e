"""A screen that is laid out at the terminal's present size, whatever size a resize event names.

Upstream: https://github.com/Textualize/textual/blob/v8.2.8/src/textual/screen.py (`Screen._on_resize`).
"""

from __future__ import annotations

from textual.events import Resize
from textual.screen import Screen


class Sized(Screen[None]):
    """Ignores outdated sizes. Layout sends a screen its own size again, queued behind other events. If another resize
    was queued already, the two sizes replaced each other for ever, and the app did nothing else."""

    async def _on_resize(self, event: Resize) -> None:
        # Textual calls the handler of the base class with the same event afterwards.
        event.size = event.virtual_size = event.container_size = self.app.size
