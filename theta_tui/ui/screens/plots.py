"""The plots, full screen: the loss, what is kept, one lesson. As a table where the terminal is too small to draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App, ComposeResult
from textual.color import Color
from textual.content import Content
from textual.widgets import Static

from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.ui.bindings import PLOT
from theta_tui.ui.compat.sized import Sized
from theta_tui.ui.safe import Plain, join, wrap
from theta_tui.ui.widgets.keybar import KeyBar

if TYPE_CHECKING:
    from textual_plotext import PlotextPlot

    from theta_tui.store.plots import Curve, Plot

DRAWN = (48, 14)
"""From this many columns and rows on, the plots are drawn."""
NOTHING = "nothing was taught yet; after the first lesson the plots are here"


class PlotScreen(Sized):
    """One plot at a time. `send` asks the worker for another lesson."""

    BINDINGS = [*PLOT]

    def __init__(self, found: p.Plots, send: Callable[[c.Command], None]) -> None:
        super().__init__()
        self.found = found
        self.send = send
        self.at = len(found.plots) - 1 if found.wanted else 0

    def compose(self) -> ComposeResult:
        # Imported here: a start need not wait for it.
        from textual_plotext import PlotextPlot

        yield Static(id="plot-title", markup=False)
        yield Static(id="plot-legend", markup=False)
        yield PlotextPlot(id="plot")
        yield Plain(id="plot-text")
        yield KeyBar(self._named, id="keybar")

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self.draw())
        self.draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def show(self, found: p.Plots) -> None:
        """Show other figures, on the same page if there is one."""
        self.found = found
        self.at = min(self.at, len(found.plots) - 1)
        self.draw()

    @property
    def plot(self) -> Plot:
        """The plot on the screen."""
        return self.found.plots[self.at]

    def draw(self) -> None:
        """Draw the plot, or its last figures as a table if there is no room."""
        plot, size = self.plot, self.app.size
        drawn = size.width >= DRAWN[0] and size.height >= DRAWN[1] and not plot.empty
        where = f"θ  plot {self.at + 1} of {len(self.found.plots)}  "
        lines = wrap(plot.heading, max(20, size.width - 2), 2)
        heading = [join((where, "bold $primary")), *(join((line, "")) for line in lines)]
        self.query_one("#plot-title", Static).update(Content("\n").join(heading))
        names = Content("").join(
            [join(("━━ ", f"bold ${curve.tone}"), (f"{curve.name}  ", "")) for curve in plot.curves]
        )
        legend = self.query_one("#plot-legend", Static)
        legend.update(names)
        legend.display = drawn
        drawing: Any = self.query_one("#plot")
        text = self.query_one("#plot-text", Plain)
        drawing.display, text.display = drawn, not drawn
        if plot.empty:
            text.show(NOTHING)
        elif drawn:
            self._plot(drawing, plot)
        else:
            text.show("\n".join(plot.table(size.height - len(heading) - 2)))
        self.refresh_bindings()

    def _plot(self, drawing: PlotextPlot, plot: Plot) -> None:
        from theta_tui.store.plots import ticks

        plt: Any = drawing.plt
        plt.clear_figure()
        for curve in plot.curves:
            self._curve(plt, curve)
        places = [x for curve in plot.curves for x, _ in curve.points]
        low, high = min(places), max(max(places), min(places) + 1)
        across, up = ticks(low, high, whole=True), ticks(0, plot.top, whole=plot.whole)
        plt.xlim(low, high)
        plt.ylim(0, plot.top)
        plt.xticks(across, [f"{x:g}" for x in across])
        plt.yticks(up, [f"{y:g}{plot.unit}" for y in up])
        plt.xlabel("lessons taught")
        drawing.refresh()

    def _curve(self, plt: Any, curve: Curve) -> None:
        colour = Color.parse(self.app.theme_variables[curve.tone]).rgb
        xs, ys = [x for x, _ in curve.points], [y for _, y in curve.points]
        if len(xs) > 1:
            plt.plot(xs, ys, marker="braille", color=colour)
        plt.scatter(xs, ys, marker="•" if len(xs) <= self.app.size.width // 3 else "braille", color=colour)

    # --- keys ---

    def _named(self, name: str, usual: str) -> str:
        return "" if name == "app.quit" else usual

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "lesson" or (self.plot.name == "lesson" and self.found.lessons > 1)

    def action_turn(self, by: int) -> None:
        self.at = (self.at + by) % len(self.found.plots)
        self.draw()

    def action_lesson(self, by: int) -> None:
        """Ask for the lesson before or after the one shown."""
        number = (self.found.number or 0) + by
        if 1 <= number <= self.found.lessons:
            self.send(c.ShowPlots(number))

    def action_close(self) -> None:
        self.dismiss(None)


def show_plots(app: App[Any], found: p.Plots, send: Callable[[c.Command], None]) -> None:
    """Show `found` on the screen of plots that is open, or else on a new one."""
    if isinstance(app.screen, PlotScreen):
        app.screen.show(found)
    else:
        app.push_screen(PlotScreen(found, send))
