"""The replies of `theta prompt` as they are written, on a terminal. They make room for what the command prints then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from theta_tui.base.streams import can_draw
from theta_tui.base.text import visible

if TYPE_CHECKING:
    from theta_tui.cli.console import Invocation
    from theta_tui.model.generate import Progress

TIMES_A_SECOND = 12


@contextmanager
def streaming(call: Invocation) -> Iterator[Progress | None]:
    """What to call with the growing replies; None where nobody would see them grow."""
    if call.json or call.settings.quiet or not (sys.stdout.isatty() and can_draw()):
        yield None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    def show(drafts: tuple[tuple[str, bool], ...]) -> None:
        lines = [
            Text(f"{number}: {visible(text, one_line=True)}", "" if done else "dim")
            for number, (text, done) in enumerate(drafts, 1)
        ]
        live.update(Text("\n", no_wrap=True, overflow="ellipsis").join(lines))

    call.stage("")
    with Live(console=Console(highlight=False), refresh_per_second=TIMES_A_SECOND, transient=True) as live:
        yield show
