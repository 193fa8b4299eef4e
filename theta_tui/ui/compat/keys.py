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


class QuickKeys(App[int]):
    """An app that hands keys on at once. Textual collects all bindings of all nodes that are around the focus first, at
    each key, to see whether one of them has priority."""

    async def _check_bindings(self, key: str, priority: bool = False) -> bool:
        if priority and not self._may_have_priority(key):
            return False
        return await super()._check_bindings(key, priority)

    def _may_have_priority(self, key: str) -> bool:
        """Whether a binding of `key` has priority, or one that the person gave this key or took it from may have."""
        nodes = (self.screen.focused or self.screen).ancestors_with_self
        found = [binding for node in nodes for binding in node._bindings.key_to_bindings.get(key, ())]
        remapped = {each.strip() for keys in self._keymap.values() for each in keys.split(",")}
        return key in remapped or any(binding.priority for binding in found)


def bound(widget: Widget, key: str, around: Widget | None = None) -> Binding | None:
    """What `key` is bound to now on `widget`, or on the one `around` it."""
    active = widget.screen.active_bindings.get(key)
    return active.binding if active is not None and active.enabled and active.node in (widget, around) else None


async def run_bound(widget: Widget, event: Key, around: Widget | None = None) -> bool:
    """Run what `event` is `bound` to now; whether there was anything."""
    binding = bound(widget, event.key, around)
    if binding is None:
        return False
    event.stop()
    event.prevent_default()
    await widget.run_action(binding.action)
    return True


def keys_of(app: App[Any], binding: Binding) -> list[str]:
    """The present keys of `binding`: its own, or those set by `App.set_keymap`."""
    return [key.strip() for key in app._keymap.get(binding.id or "", binding.key).split(",")]
