"""What the model said before a lesson and says now, side by side. Drawn under the conversation right after a lesson,
and in the list of lessons."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from theta_tui.ui.safe import fit, join, put, wrap
from theta_tui.ui.state import State

SIDE_BY_SIDE = 56
"""From this many cells on, the two stand in columns; below, one under the other."""
GAP = 3
UNKNOWN = "not known"


def before_after(before: str | None, now: str | None, width: int, most: int, *, good: bool | None = None) -> Content:
    """`before` and `now` in `width` cells, each on `most` lines at most. `good`: whether what is said now is what was
    taught."""
    tone = "$muted" if now is None or good is None else "$success" if good else "$warning"
    told = (("said before", before or UNKNOWN, "$muted"), ("says now", now or UNKNOWN, tone))
    lines: list[Content] = []
    if width < SIDE_BY_SIDE:
        for name, text, style in told:
            for at, piece in enumerate(wrap(text, max(4, width - 13), most)):
                lines.append(join((f"{name if at == 0 else '':<13}", "$muted"), (piece, style)))
        return Content("\n").join(lines)
    room = (width - GAP) // 2
    left, right = (wrap(text, room, most) for _, text, _ in told)
    lines.append(join((f"{told[0][0]:<{room + GAP}}", "$muted"), (told[1][0], "$muted")))
    for at in range(max(len(left), len(right))):
        one, other = (column[at] if at < len(column) else "" for column in (left, right))
        gap = " " * (room + GAP - Content(one).cell_length)
        lines.append(join((one, told[0][2]), (gap, ""), (other, tone)))
    return Content("\n").join(lines)


class BeforeAfter(Static):
    """Shown from a lesson to the next prompt."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(markup=False, id=id)
        self._shown = Content("")

    def show(self, state: State) -> None:
        """Draw `state`."""
        last, shot = state.result, state.snapshot
        known = last is not None and last.skipped is None and shot.last is not None and shot.last.lesson == last.lesson
        shown = Content("")
        if last is not None and known and not state.teaching:
            width = max(20, self.screen.query_one("#talk").size.width - 9)
            good = None if shot.says_now is None else shot.says_now == last.reply
            shown = before_after(shot.said_before, shot.says_now, width, 2, good=good)
            if last.kind == "statement":  # the conversation does not have its question
                shown = Content("\n").join([join((fit(f"“{last.prompt}”", width), "")), shown])
        self.display = bool(shown.plain)
        if not shown.is_same(self._shown):
            before, self._shown = self._shown, shown
            put(self, before, shown)
