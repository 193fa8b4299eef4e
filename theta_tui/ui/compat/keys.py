"""Handles keys in the order in which they were pressed.

Textual gives a key to the focused widget and looks for bindings afterwards, in the app. A binding with priority runs
before the widget has seen earlier keys. So if several keys arrive together (fast typing on a busy machine, a terminal
that sends in bursts), Enter overtakes the text that it should send. To prevent that, widgets that take keys run their
own bindings when the key's turn comes.

Upstream: https://github.com/Textualize/textual/blob/v8.2.8/src/textual/app.py (`App.on_event`, `_keymap`).
"""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.events import Key
from textual.widget import Widget


async def run_bound(widget: Widget, event: Key) -> bool:
    """Run the binding of `event` on `widget` now; return whether there was one."""
    active = widget.screen.active_bindings.get(event.key)
    if active is None or not active.enabled or active.node is not widget:
        return False
    event.stop()
    event.prevent_default()
    await widget.run_action(active.binding.action)
    return True


def keys_of(app: App[Any], binding: Binding) -> list[str]:
    """The present keys of `binding`: its own, or those set by `App.set_keymap`."""
    return [key.strip() for key in app._keymap.get(binding.id or "", binding.key).split(",")]
