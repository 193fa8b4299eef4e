"""What the processes do that `test_soak` measures: so many exchanges, through the worker or through the whole app.

Functions whose first argument is a `line` run in a process of their own (see `forking`) and tell `Usage` as they go.
"""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from theta_tui.base.config import Settings
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.session import snapshots as memory
from theta_tui.session.thread import Worker
from theta_tui.ui.launch import open_session

PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Usage:
    """After `exchanges`: resident bytes, threads, open file descriptors."""

    exchanges: int
    resident: int
    threads: int
    files: int


def usage(exchanges: int) -> Usage:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    threads = len(os.listdir("/proc/self/task"))
    return Usage(exchanges, pages * os.sysconf("SC_PAGE_SIZE"), threads, len(os.listdir("/proc/self/fd")))


def _settings(home: Path, model: Path) -> Settings:
    # States to go back to may take half a gigabyte; what is looked for here is what grows beyond its bound.
    memory.UNDO_BYTES = 4 << 20
    return Settings(
        home=home, model=str(model), device="cpu", max_tokens=2, lock_wait=0, seed=1, threads=1, recipe="classic",
        checkpoint_lessons=50, grace=0.0,
    )  # fmt: skip


def worker(line: Connection, home: Path, model: Path, exchanges: int, every: int) -> None:
    """Picks and corrections by turns, an undo in ten, a fresh conversation in a hundred."""
    events: queue.SimpleQueue[p.Event] = queue.SimpleQueue()
    working = Worker(_settings(home, model), open_session)
    working.start(events.put)

    def until(kind: type[p.Event]) -> p.Event:
        while True:
            event = events.get(timeout=PATIENCE)
            assert not isinstance(event, p.Failed), event
            if isinstance(event, kind):
                return event

    def served(command: c.Command, kind: type[p.Event]) -> p.Snapshot:
        working.send(command)
        return until(kind).snapshot

    until(p.Ready)
    for number in range(1, exchanges + 1):
        pending = served(c.Propose(f"question {number % 89} of {number}"), p.Proposed).pending
        assert pending is not None
        answer = c.Pick(pending.prompt_id, 1 + number % 5)
        served(answer if number % 2 else c.Correct(f"answer {number}", pending.prompt_id), p.Taught)
        if number % 10 == 0:
            served(c.TakeBack("undo"), p.TakenBack)
        if number % 100 == 0:
            served(c.NewConversation(), p.Changed)
        if number % every == 0:
            line.send(usage(number))
    working.request_stop()
    assert working.join(PATIENCE)


def app(line: Connection, home: Path, model: Path, exchanges: int, every: int) -> None:
    """The whole app on a terminal that is not there, driven by its keys."""
    asyncio.run(_drive(_settings(home, model), exchanges, lambda number: line.send(usage(number)), every))


async def _drive(settings: Settings, exchanges: int, tell: Callable[[int], None], every: int) -> None:
    from tests.support.fakes import Driven, FakeClock
    from theta_tui.ui.app import ThetaApp

    working = Worker(settings, open_session)
    clock = FakeClock()
    screen = ThetaApp(settings, working, clock=clock.clock)
    screen.animation_level = "none"

    async with screen.run_test(size=(120, 36), notifications=True) as pilot:
        driven = Driven(screen, working, clock, pilot)  # type: ignore[arg-type]  # a worker that works

        async def until(condition: Callable[[p.Snapshot], bool]) -> None:
            async with asyncio.timeout(PATIENCE):
                while not condition(screen.teach.state.snapshot) or screen.teach.state.teaching:
                    assert screen.teach.state.problem is None, screen.teach.state.problem
                    await asyncio.sleep(0.005)
            await driven.settle()

        await until(lambda now: now.phase == "idle")
        for number in range(1, exchanges + 1):
            lessons = screen.teach.state.snapshot.lessons
            await driven.type(f"q {number}\n")
            await until(lambda now: now.phase == "choosing")
            if number % 2:
                await driven.press(str(1 + number % 5))
            else:
                await driven.press("ctrl+t")
                await driven.type(f"a {number}\n")
            await until(lambda now, before=lessons: now.phase == "idle" and now.lessons > before)  # type: ignore[misc]
            if number % 100 == 0:
                await driven.type("/new\n")
            if number % every == 0:
                tell(number)
    working.request_stop()
    while not working.join(0):
        await asyncio.sleep(0.01)
    assert threading.active_count() < 10
