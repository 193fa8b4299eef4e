"""The learning panel: the losses, the proof of the last lesson, and what is kept.

All figures come from the worker; a figure is not shown before it is measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Sparkline, Static

from theta_tui.base.text import percent, plural
from theta_tui.session.protocol import Snapshot
from theta_tui.store.report import Tally, named
from theta_tui.ui.clock import Clock
from theta_tui.ui.safe import Plain, fit, join, plain, put
from theta_tui.ui.state import State
from theta_tui.ui.widgets.header import saved

HUGE = 1e6


def window(losses: Sequence[float], width: int) -> list[float]:
    """The last finite losses that can be drawn at `width` cells, as a new list. A single loss is doubled, because
    Textual draws a single value as a full block."""
    finite = [max(-HUGE, min(HUGE, loss)) for loss in losses if math.isfinite(loss)][-2 * max(1, width) :]
    return finite * 2 if len(finite) == 1 else finite


class Section(Vertical):
    """A heading and its content."""

    def __init__(self, heading: str, *body: Widget, id: str) -> None:  # noqa: A002
        super().__init__(Plain(heading, classes="heading"), *body, id=id)

    def on_resize(self) -> None:
        # The number of lines of a text is known after its layout, which may come after the panel's.
        self.query_ancestor(LearningPanel).fit_next()


class LearningPanel(Vertical):
    """Beside the conversation."""

    def __init__(self, clock: Clock, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.clock = clock
        self._shown: dict[str, Content] = {}
        self._to_fit = False

    def compose(self) -> ComposeResult:
        yield Section("a lesson did harm", Plain(id="alarm"), id="alarm-section")
        yield Section("problem", Plain(id="problem"), id="problem-section")
        yield Section(
            "loss: lower is better", Sparkline([], id="spark"), Static(id="loss", markup=False), id="loss-section"
        )
        yield Section(
            "says it: more is better",
            Static(id="says", markup=False),
            Static(id="verdict", markup=False),
            id="says-section",
        )
        yield Section("kept", Static(id="kept", markup=False), id="kept-section")
        yield Section("taught", Static(id="taught", markup=False), id="taught-section")
        yield Section("machine", Static(id="machine", markup=False), id="machine-section")

    def _set(self, name: str, content: Content) -> None:
        # Skip what is shown already: ages are drawn every second.
        before = self._shown.get(name, plain(""))
        if not before.is_same(content):
            self._shown[name] = content
            put(self.query_one(f"#{name}", Static), before, content)

    def show(self, state: State) -> None:
        """Draw `state`."""
        shot, last = state.snapshot, state.snapshot.last
        spark = self.query_one(Sparkline)
        width = spark.size.width or 32
        data = window(shot.losses, width)
        if data != spark.data:
            spark.data = data
        spark.display = bool(data)
        if state.teaching and state.progress is not None:
            loss, taken = state.progress.loss, state.progress.steps
            figures = [_number(loss), f"step {taken} of {state.progress.limit}"]
        elif last is not None and last.skipped is None:
            figures = [_number(last.loss_after), f"took {last.seconds:.1f} s"]
        else:
            figures = [_number(shot.losses[-1])] if shot.losses else []
        self._set("loss", join((" · ".join(figures), "bold")) if figures else plain("no lesson yet", "$muted"))
        says = state.says
        if says is None:
            self._set("says", plain("–", "$muted"))
            self._set("verdict", plain("shown after a lesson", "$muted"))
        else:
            self._set("says", join((f"{percent(says[0])}  →  {percent(says[1])}", "bold")))
            if state.teaching:
                verdict = plain("learning …", "$muted")
            elif last is not None and last.learned and last.meant is not None:
                verdict = join(("✓ ", "$success bold"), (f"#{last.meant} is meant here too", "$muted"))
            elif last is not None and last.learned:
                verdict = join(("✓ ", "$success bold"), ("says it by itself", "$muted"))
            else:
                verdict = plain("not by itself yet", "$muted")
            self._set("verdict", verdict)
        room = max(12, self.content_size.width)
        self._show_report(state, room)
        known = shot.phase != "loading" or shot.saved_at is not None
        age = saved(shot, self.clock.now()) if known else ""
        since = f"{shot.unsaved} since" if shot.unsaved and shot.saved_at is not None else ""
        self._set("taught", Content("\n").join([
            join((fit(plural(shot.lessons, "lesson"), room), "bold")),
            *([join((fit(", ".join(filter(None, (age, since))), room), "$muted"))] if age else []),
        ]))  # fmt: skip
        recipe = "" if shot.recipe in {"", "default"} else f"recipe {shot.recipe}"
        where = " · ".join(filter(None, (shot.device, recipe)))
        self._set("machine", Content("\n").join([
            join((fit(shot.activity or shot.phase, room), "bold")),
            join((fit(where, room), "$muted")),
        ]))  # fmt: skip
        problem = f"read-only: {shot.read_only}" if shot.read_only else state.problem
        self._set("problem", plain(problem or ""))
        self.query_one("#problem-section").display = bool(problem)
        self.call_after_refresh(self.fit)

    def on_resize(self) -> None:
        self.fit_next()

    def fit_next(self) -> None:
        """Fit once, when all sections have heard of their new sizes: each fit may give all of them their styles."""
        if not self._to_fit:
            self._to_fit = True
            self.call_next(self.fit)

    def fit(self) -> None:
        """Leave out the blank lines between sections if they do not fit, and then the last sections: a heading whose
        words are cut off says nothing."""
        self._to_fit = False
        sections = [section for section in self.query(Section) if section.display]
        # Not `size`, which is 0 where a section is left out: it would be brought back, and left out again, each time.
        heights = [section.outer_size.height for section in sections]
        room = self.content_size.height
        dense = sum(heights) + len(heights) - 1 > room
        self.set_class(dense, "-dense")
        close = self.screen.has_class("-medium") or dense
        used = 0
        for section, height in zip(sections, heights, strict=True):
            used += height
            section.set_class(used > room, "-cut")
            used += 0 if close else 1

    def _show_report(self, state: State, room: int) -> None:
        """Show what is kept, and what the last lesson cost."""
        shot, tally = state.snapshot, state.snapshot.tally
        for name, shown in (("kept", tally.live), ("alarm", shot.alarm)):
            self.query_one(f"#{name}-section").display = bool(shown)
        if tally.live:
            count = f"{tally.kept}/{tally.live} "
            filled, rest = bar(tally, max(4, min(16, room - len(count))))
            self._set("kept", Content("\n").join([
                join((count, "bold"), (filled, "$success"), (rest, "$faint")),
                join((fit(_holding(tally), room), "$warning" if tally.fading or tally.lost else "$muted")),
            ]))  # fmt: skip
        if shot.alarm:
            self.query_one("#alarm", Plain).show(f"{shot.alarm}; {_way_out(self, shot)} the last lesson")


def bar(tally: Tally, width: int) -> tuple[str, str]:
    """The kept and the other part of a bar of `width` cells. It is full only if all is kept."""
    filled = width * tally.kept // tally.live
    return "█" * filled, "░" * (width - filled)


def _way_out(widget: Widget, shot: Snapshot) -> str:
    """What takes the last lesson back: one key, unless it is somebody else's."""
    return f"{undo_key(widget)} takes back" if shot.last_by == shot.who else "in /lessons, w takes out"


def undo_key(widget: Widget) -> str:
    """This person's key that takes back the last lesson from any focus."""
    for item in widget.screen.active_bindings.values():
        if item.binding.id == "app.undo":
            return widget.app.get_key_display(item.binding)
    return "/undo"


def _holding(tally: Tally) -> str:
    parts = []
    if tally.fading:
        parts.append(f"fading {named(tally.fading_first, tally.fading)}")
    if tally.lost:
        parts.append(f"lost {named(tally.lost_first, tally.lost)}")
    if not parts:
        parts.append(f"{tally.stale} not checked lately" if tally.stale else "all checked")
    return " · ".join(parts)


class LearningLine(Plain):
    """The panel in one line, for a narrow screen."""

    def draw(self, state: State) -> None:
        """Draw `state`."""
        last, says = state.snapshot.last, state.says
        parts = []
        if last is not None and last.skipped is None:
            parts.append(f"loss {_number(last.loss_after)}")
        if says is not None:
            sign = " ✓" if last is not None and last.learned and not state.teaching else ""
            parts.append(f"says it {percent(says[0])} → {percent(says[1])}{sign}")
        if state.snapshot.tally.live:
            parts.append(state.snapshot.tally.words)
        shot = state.snapshot
        alarm = f"{shot.alarm}; {_way_out(self, shot)} it" if shot.alarm else None
        text = state.problem or alarm or " · ".join(parts) or "no lesson yet"
        self.show(fit(text, max(8, self.app.size.width - 2)))


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "diverged"
