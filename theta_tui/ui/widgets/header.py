"""The top line: the model, the device, the activity, the lessons and the age of the checkpoint."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from theta_tui.base.text import plural
from theta_tui.session.protocol import Snapshot
from theta_tui.ui.clock import Clock, ago
from theta_tui.ui.safe import fit, join

SEPARATOR = " · "


def count(parameters: int) -> str:
    """A number of parameters: `10.9M`, `1.2B`."""
    for size, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        if parameters >= size:
            number = parameters / size
            return f"{number:.1f}{letter}" if number < 100 else f"{number:.0f}{letter}"
    return str(parameters)


def saved(snapshot: Snapshot, now: float) -> str:
    """How far the weights are saved, in words; empty where there is nothing to save."""
    if snapshot.saved_at is not None:
        return f"saved {ago(now - snapshot.saved_at)} ago"
    return "not saved yet" if snapshot.unsaved else ""


class Header(Widget):
    """Leaves out what does not fit, least important first."""

    snapshot: reactive[Snapshot] = reactive(Snapshot())

    def __init__(self, clock: Clock, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.clock = clock

    def render(self) -> Content:
        shot, width = self.snapshot, self.content_size.width
        model = shot.model.rsplit("/", 1)[-1]
        if shot.parameters:
            model = f"{model} {count(shot.parameters)}"
        right = [plural(shot.lessons, "lesson")]
        if shot.tally.live:
            right.append(f"kept {shot.tally.kept}/{shot.tally.live}")
        age = saved(shot, self.clock.now())
        if age and (shot.phase != "loading" or shot.saved_at is not None):  # may be unknown until the model is loaded
            right.append(age)
        if shot.continuous:
            right.insert(0, "talking teaches")
        if shot.read_only:
            right.insert(0, "read-only")
        left = [part for part in (fit(model, 40), shot.device, fit(shot.activity, 40)) if part]
        brand = "θ theta"

        def room() -> int:
            words = (SEPARATOR.join(left), SEPARATOR.join(right))
            return width - cell_len(brand) - sum(cell_len(text) + 2 for text in words if text)

        while room() < 0 and (left or right):
            # On the left the model's name stays longest; the lessons go last of all.
            if len(left) > 1 or (left and width < 72):
                left.pop()
            elif len(right) > 1:
                right.pop()
            elif left:
                left.pop()
            else:
                right.pop()
        used = SEPARATOR.join(left)
        end = SEPARATOR.join(right)
        gap = width - cell_len(brand) - cell_len(end) - (cell_len(used) + 2 if used else 0)
        pieces = [(brand, "bold $primary")]
        if used:
            pieces.append((f"  {used}", "$muted"))
        pieces += [(" " * max(0, gap), ""), (end, "$muted")]
        return join(*pieces)
