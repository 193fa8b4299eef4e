"""The entry point. `theta` without arguments on a terminal loads no parser before its first frame."""

from __future__ import annotations

import sys

from theta_tui.base.streams import can_draw, on_terminal, open_standard_streams


def main() -> None:
    """The console script."""
    open_standard_streams()
    if len(sys.argv) == 1 and on_terminal() and can_draw():
        from theta_tui.base.gc import pause

        pause()
        from theta_tui.base.exit import run

        run(_full_screen)
    from theta_tui.cli.app import main as commands

    commands()


def _full_screen() -> int:
    from theta_tui.base.config import load_settings
    from theta_tui.ui.launch import run_full_screen

    return run_full_screen(load_settings({}))
