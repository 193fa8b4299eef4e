"""A screen that is laid out at the size that the terminal has now, whichever it is told of.

Upstream: https://github.com/Textualize/textual/blob/v8.2.8/src/textual/screen.py (`Screen._on_resize`).
"""

from __future__ import annotations

from textual.events import Resize
from textual.screen import Screen


class Sized(Screen[None]):
    """Laying out tells a screen its own size once more, behind what else waits for it. Where another size was among
    that, each of the two brought the other one back, for ever: the app was busy with nothing else."""

    async def _on_resize(self, event: Resize) -> None:
        # Textual's own handler, that of the class above, is called with the same event afterwards.
        event.size = event.virtual_size = event.container_size = self.app.size
