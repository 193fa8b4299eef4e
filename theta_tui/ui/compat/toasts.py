"""Takes a toast away before its time. Textual itself takes all of them away, or none.

Upstream: https://github.com/Textualize/textual/blob/v8.2.8/src/textual/app.py (`App._unnotify`).
"""

from __future__ import annotations

from typing import Any

from textual.app import App


def take_away(app: App[Any], text: str) -> None:
    """Take the toasts that say `text` off the screen."""
    for notification in list(app._notifications):
        if notification.message == text:
            app._unnotify(notification)
