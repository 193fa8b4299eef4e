"""Markdown tables that also read well in a terminal. Control characters in a model's text are made visible."""

from __future__ import annotations

from collections.abc import Sequence

from theta_tui.base.text import visible


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An aligned Markdown table."""
    lines = [[visible(cell, one_line=True).replace("|", "\\|") for cell in line] for line in (header, *rows)]
    widths = [max(3, *(len(line[at]) for line in lines)) for at in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
