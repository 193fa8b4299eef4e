"""The thread that a service runs on: commands in, events out, cancel and stop. Knows nothing of lessons or models.

The thread opens the home and then creates the service. A command that fails becomes a Failed event, and the next one
still works.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from theta_tui.session.idle import IdleRunner
from theta_tui.session.protocol import Cancel, Command, Event, Snapshot
from theta_tui.session.service import Service, failure

if TYPE_CHECKING:
    from theta_tui.base.config import Settings
    from theta_tui.session.session import Session

ABANDON_SECONDS = 2.0
"""How long a lesson may still run after the worker was asked to end."""
IDLE_AFTER = 2.0
"""Idle work begins this long after a command. A person who is quicker does not wait for it at all."""
IDLE_SECONDS = 1.0
"""The time between two looks at the clock while idle."""


NICER = 5
"""The worker is by so much nicer than the screen, once the model is loaded. PyTorch computes on all cores, and a key
press waits for one of them far longer than for Python's lock. On two busy cores the event loop of the screen was late
by 181 ms (99th percentile) while replies were written and by 107 ms while a lesson was learned, of which the lock had
22 and 5 ms; so much nicer, by 128 and 68 ms. A machine with nothing else to do computes as fast as before."""


def _give_way() -> None:
    """Let the screen's threads go first. Only on Linux has each thread a niceness of its own."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + NICER)


@dataclass(frozen=True, slots=True)
class _Queued:
    number: int
    command: Command | None


class Worker:
    """Runs a service on a thread of its own. Safe to call from any thread."""

    def __init__(self, settings: Settings, open_session: Callable[[Settings], Session]) -> None:
        self._settings = settings
        self._open_session = open_session
        self.idle = IdleRunner(IDLE_AFTER)
        self._queue: queue.SimpleQueue[_Queued] = queue.SimpleQueue()
        self._numbers = 0
        self._cancelled_up_to = 0
        self._stopping_since: float | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._post: Callable[[Event], None] = lambda _: None

    # --- called from outside ---

    def start(self, post: Callable[[Event], None]) -> None:
        """Start the thread; `post` is called from it."""
        self._post = post
        self._thread = threading.Thread(target=self._run, name="theta-worker", daemon=True)
        self._thread.start()

    def send(self, command: Command) -> None:
        """Queue a command. Cancel is served at once: it stops the commands sent before it."""
        if isinstance(command, Cancel):
            self._cancelled_up_to = self._numbers
            return
        self._numbers += 1
        self._queue.put(_Queued(self._numbers, command))

    def request_stop(self) -> None:
        """Ask the worker to finish or abandon its work, save, and end."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
        self._queue.put(_Queued(0, None))

    def join(self, timeout: float) -> bool:
        """Whether the thread has ended within `timeout` seconds (True where it was never started)."""
        return self._thread is None or self._ended.wait(timeout)

    # --- the thread ---

    def _run(self) -> None:
        try:
            service = self._open()
            if service is None:
                return
            try:
                if service.load():
                    self._serve(service)
            finally:
                service.close()
        finally:
            self._ended.set()

    def _open(self) -> Service | None:
        try:
            session = self._open_session(self._settings)
        except Exception as error:
            shot = Snapshot("loading", "opening the home", self._settings.model)
            self._post(failure(shot, error, "load", fatal=True))
            return None
        return Service(session, self._post, self, self.idle)

    def _serve(self, service: Service) -> None:
        _give_way()
        while self._stopping_since is None:
            try:
                queued = self._queue.get(timeout=0 if service.has_work else IDLE_SECONDS)
            except queue.Empty:
                service.use_idle_time()
                continue
            if queued.command is None or self._stopping_since is not None:
                break
            service.serve(queued.command, partial(self._is_cancelled, queued.number))

    # --- called by the service between two steps ---

    @property
    def stopping(self) -> bool:
        """Whether the worker was asked to end."""
        return self._stopping_since is not None

    def interrupted(self) -> bool:
        """Whether a command waits, for which idle work must stop."""
        return not self._queue.empty() or self.stopping

    def should_abandon(self) -> bool:
        """Whether a lesson has run for too long after the worker was asked to end."""
        since = self._stopping_since
        return since is not None and time.monotonic() - since > ABANDON_SECONDS

    def _is_cancelled(self, number: int) -> bool:
        return number <= self._cancelled_up_to or self.stopping
