"""Keys in the order in which they were pressed.

Textual gives a key to the focused widget and only then, by way of the app, looks for its bindings; a binding with
priority runs before the widget has seen the keys ahead of it. When several keys arrive together (fast typing while the
machine is busy, a terminal that sends in bursts) Enter then overtakes the text that it should send. So the widgets that
take keys run their own bindings themselves, when the key's turn comes.

Upstream: https://github.com/Textualize/textual/blob/v8.2.8/src/textual/app.py (`App.on_event`, `_keymap`).
"""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.events import Key
from textual.widget import Widget


async def run_bound(widget: Widget, event: Key) -> bool:
    """Run what `event` is bound to on `widget` now; whether there was anything."""
    active = widget.screen.active_bindings.get(event.key)
    if active is None or not active.enabled or active.node is not widget:
        return False
    event.stop()
    event.prevent_default()
    await widget.run_action(active.binding.action)
    return True


def keys_of(app: App[Any], binding: Binding) -> list[str]:
    """The keys that `binding` has now: its own, or those that `App.set_keymap` gave it."""
    return [key.strip() for key in app._keymap.get(binding.id or "", binding.key).split(",")]
