"""A text area for untrusted text: control characters are visible and one cell wide, and `text` returns the original.

Textual's TextArea writes its text to the terminal as it is, splits lines at characters that are no newlines here, and
counts a control character as zero cells. So each hidden character is *held* as a private-use character (plane 16, one
cell wide, in no usual font), *shown* as its symbol, and converted back when the text is read.

Upstream: https://github.com/Textualize/textual/blob/v8.2.8/src/textual/widgets/_text_area.py.
"""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.document._document import EditResult  # what `TextArea.edit` gives; exported nowhere
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import TextArea
from textual.widgets.text_area import Edit

from theta_tui.base.text import MAX_TEXT, could_hide, repair, visible
from theta_tui.ui.compat.keys import run_bound
from theta_tui.ui.messages import Told

_PLANE = 0x100000
# Characters above the first plane use the code points of its private-use area, which is never hidden.
_HIGH = (*range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000))
_PRIVATE = 0xE000
_PLACES = {code: _PRIVATE + at for at, code in enumerate(_HIGH)}


def hold(text: str) -> str:
    """`text` with each hidden character replaced by its private-use character."""
    shown = visible(text)
    if shown == text:
        return text
    return "".join(
        char if char == seen else chr(_PLANE + _PLACES.get(ord(char), ord(char)))
        for char, seen in zip(text, shown, strict=True)
    )


def release(held: str) -> str:
    """The inverse of `hold`."""
    if not held or max(held) < chr(_PLANE):
        return held
    return "".join(_released(char) for char in held)


def _released(char: str) -> str:
    code = ord(char) - _PLANE
    if code < 0:
        return char
    original = chr(_HIGH[code - _PRIVATE] if _PRIVATE <= code < _PRIVATE + len(_HIGH) else code)
    return original if could_hide(original) else char


class Editor(TextArea):
    """Multi-line, soft-wrapped, bounded. The keys of the widget `around` it are run in their turn too."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(hold(text), id=id, classes=classes, compact=True, highlight_cursor_line=False)
        self.disable_messages(TextArea.SelectionChanged)  # five nodes would look at it, and none wants it
        self._styled: object = None
        """The theme whose styles are found already. Textual finds them anew whenever it draws."""

    @property
    def text(self) -> str:
        return release(self.document.text)

    @text.setter
    def text(self, value: str) -> None:
        self.load_text(hold(value))

    @property
    def selected_text(self) -> str:
        return release(super().selected_text)

    def get_line(self, line_index: int) -> Text:
        return Text(visible(release(self.document.get_line(line_index))), end="", no_wrap=True)

    def notify_style_update(self) -> None:
        self._styled = None
        super().notify_style_update()

    def render_lines(self, crop: Region) -> list[Strip]:
        if self._styled is self._theme:
            return super(TextArea, self).render_lines(crop)
        self._styled = self._theme
        return super().render_lines(crop)

    def edit(self, edit: Edit) -> EditResult:
        edit.text = hold(edit.text)
        return super().edit(edit)

    @property
    def around(self) -> Widget | None:
        return None

    async def took(self, event: events.Key) -> bool:
        """Whether something else was done with a key than it means in a text."""
        return False

    # These two are Textual's own handlers. One named `on_key` would be called besides, after the key was taken.
    async def _on_key(self, event: events.Key) -> None:
        if await self.took(event):
            event.stop()
            event.prevent_default()
        elif event.is_printable or not await run_bound(self, event, self.around):
            await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.paste(event.text)

    def paste(self, text: str) -> None:
        """Replace the selection with the pasted text. What does not fit is left out, with a notice."""
        text, notices = repair(text, max(0, MAX_TEXT - len(self.text) + len(self.selected_text)))
        if result := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(result.end_location)
        for notice in notices:
            self.post_message(Told(notice))

    def action_newline(self) -> None:
        self._replace_via_keyboard("\n", *self.selection)

    def action_cut(self) -> None:
        start, end = self.selection
        if start != end:
            self.app.copy_to_clipboard(self.selected_text)
            self._delete_via_keyboard(start, end)
