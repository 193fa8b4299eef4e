"""The plots as an SVG file: one picture, one plot under the other. Standard library only."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from theta_tui.base.errors import HomeError, PromptError, TeachError, UsageError
from theta_tui.base.files import write_atomically
from theta_tui.base.text import reason, visible
from theta_tui.store.plots import Plot, plots, ticks
from theta_tui.store.store import Store

WIDTH, HEIGHT = 760, 260
"""Of one plot, in pixels."""
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 48, 40
COLOURS = {"secondary": ("#6b5300", "6 4"), "success": ("#0b6e4f", "none")}
"""Stroke colour and dashes. Both have a contrast of more than 4.5:1 with white, and differ without colour too."""


def write(store: Store, path: Path, number: int | None, *, force: bool) -> int:
    """Write the plots of a home into the file `path`; returns how many. `number`: the lesson of the last one. Raises
    UsageError, TeachError, PromptError, HomeError."""
    if path.suffix.lower() != ".svg":
        raise UsageError(f"a plot is written as SVG; give a file that ends in .svg, as in {path.name}.svg")
    state = store.state
    if number is not None and state.numbered(number) is None:
        raise PromptError(f"there is no lesson {number}; `theta lessons` lists them", name="no_lesson")
    found = [plot for plot in plots(state, number) if not plot.empty]
    if not found:
        raise TeachError("nothing was taught yet, so there is nothing to plot", name="nothing_to_export")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already; give another name, or --force")
    try:
        write_atomically(path, svg(found).encode("utf-8"))
    except OSError as error:
        raise HomeError(f"cannot write {path}: {reason(error)}") from None
    return len(found)


def svg(found: list[Plot]) -> str:
    """The plots as one SVG picture."""
    height = HEIGHT * len(found)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for at, plot in enumerate(found):
        parts += [f'<g transform="translate(0 {HEIGHT * at})">', *_plot(plot), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _plot(plot: Plot) -> list[str]:
    places = [x for curve in plot.curves for x, _ in curve.points]
    low, high = min(places), max(max(places), min(places) + 1)
    top = plot.top

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - low) / (high - low) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text x="{LEFT}" y="20" font-weight="bold">{_text(plot.heading)}</text>']
    for y in ticks(0.0, top, whole=plot.whole):
        across, down = at(low, y)
        parts += [
            f'<line x1="{across:.1f}" y1="{down:.1f}" x2="{WIDTH - RIGHT}" y2="{down:.1f}" stroke="#ddd"/>',
            f'<text x="{across - 6:.1f}" y="{down + 4:.1f}" text-anchor="end">{y:g}{plot.unit}</text>',
        ]
    for x in ticks(low, high, whole=True):
        across, down = at(x, 0)
        parts.append(f'<text x="{across:.1f}" y="{down + 16:.1f}" text-anchor="middle">{x:g}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">lessons taught</text>')
    for number, curve in enumerate(plot.curves):
        colour, dashes = COLOURS[curve.tone]
        style = f'stroke="{colour}" stroke-dasharray="{dashes}"'
        points = [at(x, y) for x, y in curve.points]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke-width="2" {style}/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points]
        x = LEFT + 120 * number
        parts += [
            f'<line x1="{x}" y1="34" x2="{x + 24}" y2="34" stroke-width="2" {style}/>',
            f'<text x="{x + 30}" y="38">{_text(curve.name)}</text>',
        ]
    return parts


def _text(text: str) -> str:
    return escape(visible(text, one_line=True))
