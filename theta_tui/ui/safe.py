"""The only ways to put untrusted text on the screen: no markup, no control characters.

Everything here goes through `base.text.visible`, which maps each character to one character, so positions stay valid.
"""

from __future__ import annotations

from typing import cast

from textual.content import Content, Span
from textual.css.styles import RulesMap
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static

from theta_tui.base.text import visible

MOST = 4_000
"""At most this many characters of a message are laid out; the rest is counted. The journal and the model have all."""


def plain(text: str, style: str | Style = "", *, one_line: bool = False) -> Content:
    """`text` as content, shown letter for letter."""
    shown = visible(text, one_line=one_line).expandtabs(4)
    return Content(shown, [Span(0, len(shown), style)] if style and shown else None)


def join(*pieces: tuple[str, str | Style]) -> Content:
    """One line made of (text, style) pieces, each shown letter for letter."""
    return Content("").join([plain(text, style, one_line=True) for text, style in pieces])


def wrap(text: str, width: int, most: int | None = None) -> list[str]:
    """`text` wrapped at `width` cells, between words if possible, into 1 to `most` lines. If it is cut, the last line
    ends in an ellipsis."""
    width = max(1, width)
    cut = len(text) > MOST
    shown = visible(text[:MOST]).expandtabs(4)
    lines = [line.plain.rstrip() for line in Content(shown).wrap(width)] or [""]
    if cut:
        lines[-1] = Content(f"{lines[-1]} …").truncate(width, ellipsis=True).plain
    if most is not None and len(lines) > most:
        last = Content(f"{lines[most - 1]}…")
        lines = [*lines[: most - 1], last.truncate(width, ellipsis=True).plain]
    return lines


def fit(text: str, width: int) -> str:
    """`text` on one line of at most `width` cells, ending in an ellipsis if it was cut."""
    shown = visible(text[: max(0, width) * 2 + 1], one_line=True)
    return Content(shown).truncate(max(0, width), ellipsis=True).plain


def put(widget: Static, before: Content, content: Content) -> None:
    """Show `content` in place of `before`. The screen is laid out again only if the number of lines changes: layout
    costs more than drawing, and the worker reports twelve times a second."""
    shown = all(node.display for node in widget.ancestors_with_self if isinstance(node, Widget))
    width, rules = widget.content_size.width, cast(RulesMap, widget.styles)
    as_high = width > 0 and before.get_height(rules, width) == content.get_height(rules, width)
    widget.clear_cached_dimensions()
    widget.update(content, layout=shown and (widget.styles.is_auto_width or not as_high))


class Plain(Static):
    """A Static that shows text letter for letter."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(plain(text), markup=False, id=id, classes=classes)
        self._text = text

    def show(self, text: str) -> None:
        """Show `text` from now on."""
        if text != self._text:
            before, self._text = self._text, text
            put(self, plain(before), plain(text))
