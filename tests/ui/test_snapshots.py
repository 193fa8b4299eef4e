"""What the screen looks like: eight states at three sizes. `pytest --snapshot-update` accepts a new look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import TextArea

from tests.support.fakes import REPLIES, Driven, FakeClock, FakeWorker
from theta_tui.base.config import Settings
from theta_tui.store.records import Stated
from theta_tui.ui.app import ThetaApp


class SnapCompare(Protocol):
    def __call__(
        self,
        app: App[int],
        terminal_size: tuple[int, int] = ...,
        run_before: Callable[[Pilot[int]], Awaitable[None]] | None = ...,
    ) -> bool: ...


async def loading(d: Driven) -> None:
    d.worker.loading()
    await d.settle()
    await d.type("are you there?\n")


async def streaming(d: Driven) -> None:
    d.worker.ready()
    await d.settle()
    await d.type("how are you today?\n")
    d.worker.stream("how are you today?", [reply[:18] for reply in REPLIES])


async def choosing(d: Driven) -> None:
    d.worker.ready()
    await d.offer()
    await d.press("down")


async def stating(d: Driven) -> None:
    d.worker.ready()
    await d.offer("Your creator is Dakota.", statement=Stated("Who is your creator?", "My creator is Dakota."))


async def touring(d: Driven) -> None:
    d.worker.ready()
    await d.settle()
    await d.type("/tour\n\n")


async def editing(d: Driven) -> None:
    await choosing(d)
    await d.press("f2", "!")


async def learning(d: Driven) -> None:
    await choosing(d)
    await d.press("2")
    d.worker.learning()


async def error(d: Driven) -> None:
    await choosing(d)
    d.worker.failed("the loss was not finite; nothing was changed", phase="idle", pending=None)


def sized(size: tuple[int, int]) -> str:
    return "x".join(map(str, size))


@pytest.mark.snapshot
@pytest.mark.parametrize("size", [(40, 12), (80, 24), pytest.param((120, 36), marks=pytest.mark.slow)], ids=sized)
@pytest.mark.parametrize(
    "state", [loading, streaming, choosing, stating, touring, editing, learning, error], ids=lambda f: f.__name__
)
def test_look(
    snap_compare: SnapCompare,
    state: Callable[[Driven], Awaitable[None]],
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ThetaApp, "NOTIFICATION_TIMEOUT", 600)  # on a busy machine a toast would be gone
    worker, clock = FakeWorker(), FakeClock()
    app = ThetaApp(Settings(), worker, clock=clock.clock)
    app.animation_level = "none"

    async def before(pilot: Pilot[int]) -> None:
        driven = Driven(app, worker, clock, pilot)
        await driven.settle()
        await state(driven)
        await driven.settle()
        for area in app.query(TextArea):
            # Blinked away: whether it is seen would depend on the time, and on what was drawn when.
            area._pause_blink(visible=False)
            area.notify_style_update()
            area.refresh()
        await driven.settle()

    assert snap_compare(app, terminal_size=size, run_before=before)
