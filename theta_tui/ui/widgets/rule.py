"""The line above the replies: it shows the activity, and fills up as the model learns the reply."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from theta_tui.ui.clock import Clock
from theta_tui.ui.safe import fit, join

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAMES_A_SECOND = 8


@dataclass(frozen=True, slots=True)
class RuleWords:
    """The line above the replies: words, a theme colour, whether something is under way, the filled share."""

    label: str = ""
    tone: str = ""
    busy: bool = False
    filled: float | None = None


class Rule(Widget):
    """`label` is the text; `busy` shows a spinner; `filled` (0 to 1) is the share of the line drawn heavy; `over`
    is the heading of the column of figures below."""

    ALLOW_SELECT = False

    label: reactive[str] = reactive("")
    tone: reactive[str] = reactive("")
    busy: reactive[bool] = reactive(False)
    filled: reactive[float | None] = reactive(None)
    over: reactive[str] = reactive("")

    def __init__(self, clock: Clock, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.clock = clock

    def show(self, words: RuleWords, over: str = "") -> None:
        """Draw `words`, and the heading `over` the figures if there is room."""
        self.over = over
        self.label, self.tone, self.busy, self.filled = words.label, words.tone, words.busy, words.filled

    def on_mount(self) -> None:
        self.set_interval(1 / FRAMES_A_SECOND, self._turn)

    def _turn(self) -> None:
        if self.busy and self.app.animation_level != "none":
            self.refresh()

    def render(self) -> Content:
        width = self.content_size.width
        spinner = ""
        if self.busy:
            spinner = "… "
            if self.app.animation_level != "none":
                spinner = SPINNER[int(self.clock.monotonic() * FRAMES_A_SECOND) % len(SPINNER)] + " "
        label = fit(self.label, width - len(spinner) - 4)
        if not label:
            return join(("─" * width, "$hairline"))
        used = cell_len(label) + len(spinner) + 4
        rest = max(0, width - used)
        tone = f"${self.tone}" if self.tone else "$muted"
        pieces = [("─ ", "$hairline"), (spinner, "$primary"), (label, tone), ("  " if rest else "", "")]
        if self.filled is None:
            end = f" {self.over} ──" if self.over and rest >= len(self.over) + 8 else ""
            pieces += [("─" * (rest - len(end)), "$hairline"), (end[:-2], "$muted"), (end[-2:], "$hairline")]
        else:
            heavy = max(0, min(rest, round(rest * self.filled)))
            pieces += [("━" * heavy, "$success"), ("─" * (rest - heavy), "$hairline")]
        return join(*pieces)
