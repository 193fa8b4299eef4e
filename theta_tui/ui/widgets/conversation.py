"""The conversation: a single widget, however long it is, that draws only the lines in view.

It stays scrolled to its end unless the person scrolled up. A short conversation is at the bottom, next to the replies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from textual.content import Content
from textual.events import Resize
from textual.geometry import Size
from textual.selection import Selection
from textual.strip import Strip

from theta_tui.base.text import percent, plural
from theta_tui.store.transcript import UNANSWERED, words
from theta_tui.ui.compat.sized import Still
from theta_tui.ui.safe import plain, wrap

if TYPE_CHECKING:
    from theta_tui.store.records import Beside, Turn

Mark = Literal["pick", "correction", "said", "brought", "aside", "skipped", "busy", "fact", "none", "gone", "heard", ""]
GUTTER = 7
WIDE = 56
"""From this width on, chances are shown beside the marks, and a blank line between turns."""
MOST_LINES = 60
SIGNS = {
    "pick": "✓", "correction": "✎", "said": "○", "brought": "·", "aside": "?", "skipped": "!", "busy": "…",
    "fact": "+", "none": "–", "gone": "×", "heard": "»", "": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A prompt and its reply as shown; `figures` is P(reply) before and after the lesson. Without a
    prompt, the reply is a note of
    what happened beside the conversation. `hint` is a key and what it does to this lesson."""

    prompt: str
    reply: str
    mark: Mark = ""
    number: int | None = None
    figures: tuple[float, float] | None = None
    pending: bool = False
    """The reply is not decided yet and drawn dim."""
    hint: str = ""
    label: str = ""
    """What stands before it: its number."""

    @classmethod
    def of(cls, turn: Turn, hint: str = "") -> Entry:
        """The entry of a journalled turn."""
        outcome = turn.outcome
        if outcome is not None and outcome.skipped is not None:
            return cls(turn.prompt, turn.shown, "skipped")
        figures = None if outcome is None else (outcome.p_before, outcome.p_after)
        pick = turn.pick if turn.kind == "pick" else None
        return cls(turn.prompt, turn.shown, turn.kind, pick, figures, hint=hint)

    @classmethod
    def beside(cls, one: Beside, hint: str = "") -> Entry:
        """The entry of what happened beside the turns."""
        if one.kind == "none":
            return cls(one.prompt, UNANSWERED, "none", pending=True)
        skipped = one.outcome is not None and one.outcome.skipped is not None
        mark: Mark = "gone" if one.withdrawn else "skipped" if skipped else "fact"
        return cls("", words(one), mark, pending=one.withdrawn, hint=hint)


Piece = tuple[str, str]
Line = tuple[Piece, ...]


def lay_out(entry: Entry, width: int) -> list[Line]:
    """The lines of an entry at `width` cells, as (text, style name) pieces."""
    lines = _lay_out(entry, width - len(entry.label))
    before = (entry.label, *[" " * len(entry.label)] * (len(lines) - 1))
    return [((text, "who"), *line) if text else line for text, line in zip(before, lines, strict=True)]


def _lay_out(entry: Entry, width: int) -> list[Line]:
    wide = width >= WIDE
    note = not entry.prompt
    sign = "" if note else SIGNS[entry.mark] + (f" {entry.number}" if entry.number is not None else "")
    right = sign
    if wide:
        figures = "" if entry.figures is None else " → ".join(map(percent, entry.figures))
        right = f"{sign:<4}{figures:>16}" if sign or figures else ""
    hint = f"  {entry.hint}" if entry.hint and right else entry.hint
    room = cell_len(right + hint) + (3 if wide else 2) if right or hint else 2
    body = max(6, width - GUTTER - room)
    lines: list[Line] = []
    for at, text in enumerate([] if note else _bounded(entry.prompt, max(6, width - GUTTER - 2))):
        lines.append(((" you   " if at == 0 else " " * GUTTER, "who"), (text, "you")))
    for at, text in enumerate(_bounded(entry.reply, body)):
        style = "pending" if entry.pending or entry.mark == "said" else "theta"
        who = (f" {SIGNS[entry.mark]:<6}", entry.mark) if note else (" theta ", "who")
        line: list[Piece] = [who if at == 0 else (" " * GUTTER, "who"), (text, style)]
        if at == 0 and (right or hint):
            line.append((" " * max(1, width - GUTTER - cell_len(text) - cell_len(right + hint) - 1), "theta"))
            line.append((right[: len(sign)], entry.mark or "who"))
            line.append((right[len(sign) :], "figures"))
            line.append((hint, "hint"))
        lines.append(tuple(line))
    return lines


def _bounded(text: str, width: int) -> list[str]:
    lines = wrap(text, width)
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES - 1], f"… {plural(len(lines) - MOST_LINES + 1, 'more line')}"]


class Conversation(Still, can_focus=False):
    """Draws entries. `show` replaces them all; unchanged ones are not laid out again."""

    COMPONENT_CLASSES = {
        f"conversation--{name}"
        for name in (
            "who",
            "you",
            "theta",
            "pending",
            "figures",
            "hint",
            *(name for name in SIGNS if name),
            "welcome",
            "problem",
        )
    }

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.entries: tuple[Entry, ...] = ()
        self.footnote = ""
        self.welcome: Sequence[str] = ()
        self._shown: tuple[object, ...] = ()
        self._lines: list[Line] = []
        self._cache: dict[Entry, list[Line]] = {}
        self._width = 0
        self._following = True

    def show(self, entries: Iterable[Entry], footnote: str = "") -> None:
        """Show `entries`, oldest first, and below them the fatal failure, if any."""
        entries = tuple(entries)
        shown = entries, footnote, tuple(self.welcome)
        if shown != self._shown or not self._lines:
            self.entries, self.footnote, self._shown = entries, footnote, shown
            self._lay_out()

    def on_resize(self, event: Resize) -> None:
        self._lay_out()
        self.call_after_refresh(self._stay_at_end)

    def _stay_at_end(self) -> None:
        # With many resizes in a row, the end that was scrolled to may be that of an earlier size.
        if self._following and not self.is_vertical_scroll_end:
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        # Checked here, not when lines are added: by then the end has moved, or the pane has shrunk.
        self._following = self.is_vertical_scroll_end

    def _lay_out(self) -> None:
        size = self.scrollable_content_region.size
        if not size.width or not size.height:
            return
        following = self._following
        if size.width != self._width:
            self._cache, self._width = {}, size.width
        self._cache = {entry: self._cache.get(entry) or lay_out(entry, size.width) for entry in self.entries}
        roomy = size.width >= WIDE and self.app.size.height >= 30
        lines: list[Line] = []
        for entry in self.entries:
            if lines and roomy:
                lines.append(())
            lines += self._cache[entry]
        if self.footnote:
            lines += [(), *(((" ", "who"), (line, "problem")) for line in wrap(self.footnote, max(6, size.width - 3)))]
        elif not self.entries:
            for text in self.welcome:
                lines += [((" ", "who"), (line, "welcome")) for line in wrap(text, max(6, size.width - 3))]
        pad = max(0, size.height - len(lines) - (1 if roomy else 0))
        self._lines = [()] * pad + lines
        if roomy:
            self._lines.append(())
        self.contain(Size(size.width, len(self._lines)))
        if following:
            # Forced, because a pane that has just become too long has no scrollbar yet.
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
            self._following = True
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        at = self.scroll_offset.y + y
        base = self.visual_style
        line = self._lines[at] if at < len(self._lines) else ()
        if not line:
            return Strip.blank(width, base.rich_style).apply_offsets(0, at)
        content = Content("").join(
            [plain(text, self.get_visual_style(f"conversation--{style}"), one_line=True) for text, style in line]
        )
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(at)) is not None:
            start, end = span
            content = content.stylize(
                self.screen.get_visual_style("screen--selection"), start, None if end < 0 else end
            )
        strip = Strip(content.render_segments(base), content.cell_length)
        return strip.crop_extend(0, width, base.rich_style).apply_offsets(0, at)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        text = "\n".join("".join(piece for piece, _ in line) for line in self._lines)
        return selection.extract(text), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()
