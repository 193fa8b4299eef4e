"""The worker of an app whose home another process holds: the engine there does the work."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from theta_tui.engine.client import Connection, EngineGoneError
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.session.service import STOPPED
from theta_tui.session.thread import Worker

MOST_SECONDS = 0.5
"""If several apps lose their engine at once each waits a random part of this, and the first takes its place."""


class RemoteWorker:
    """Sends commands to an engine. When that ends this process takes its place with a worker of its own."""

    def __init__(self, connection: Connection, home: Path, make_own: Callable[[], Worker], who: str = "") -> None:
        self._connection = connection
        self._who = who
        self._home = home
        self._make_own = make_own
        self._own: Worker | None = None
        self._ended = threading.Event()
        self._leaving = False

    def start(self, post: Callable[[p.Event], None]) -> None:
        threading.Thread(target=self._run, args=[post], name="theta-remote", daemon=True).start()

    def _run(self, post: Callable[[p.Event], None]) -> None:
        shot = p.Snapshot()

        def follow() -> None:
            nonlocal shot
            for _, event in self._connection.frames():
                if isinstance(event, p.Failed) and event.fatal:
                    if event.name != STOPPED:
                        continue
                    self._leaving = True  # its place would mean the same once more
                if event is not None:
                    shot = event.snapshot
                    post(event)

        while not self._leaving:
            with suppress(EngineGoneError):
                follow()
            if self._leaving:
                break
            post(p.Loading(replace(shot, phase="loading", activity="the engine has ended, taking its place")))
            time.sleep(random.uniform(0, MOST_SECONDS))
            connection = Connection.to(self._home, everything=True, who=self._who)
            if connection is None:
                self._own = self._make_own()
                self._own.start(post)
                if self._leaving:
                    self._own.request_stop()
                return
            self._connection = connection
        self._ended.set()

    def send(self, command: c.Command) -> None:
        if self._own is not None:
            self._own.send(command)
            return
        with suppress(EngineGoneError):  # the thread has noticed it too
            self._connection.send(command)

    def request_stop(self) -> None:
        """Leave the engine, which goes on; or end the worker of this process."""
        self._leaving = True
        self._connection.close()
        if self._own is not None:
            self._own.request_stop()

    def join(self, timeout: float) -> bool:
        return self._ended.wait(timeout) if self._own is None else self._own.join(timeout)
