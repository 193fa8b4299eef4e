"""The thread that a service runs on: commands in, events out, cancel and stop. Knows nothing of lessons or models.

The thread opens the home and then creates the service. A command that fails becomes a Failed event, and the next one
still works.
"""

from __future__ import annotations

import itertools
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from theta_tui.base.text import person
from theta_tui.session.commands import LESSONS, Cancel, Command, Propose
from theta_tui.session.fair_queue import FairQueue
from theta_tui.session.hearing import heard
from theta_tui.session.idle import IdleRunner
from theta_tui.session.protocol import Event, Snapshot
from theta_tui.session.replies import MOST, Turn
from theta_tui.session.service import Service, failure

if TYPE_CHECKING:
    from theta_tui.base.config import Settings
    from theta_tui.session.session import Session

ABANDON_SECONDS = 2.0
"""How long a lesson may still run after the worker was asked to end."""
ORIGINS = 1024
"""So many origins are known to have cancelled something. What others sent, which went before them, is served by now."""
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
class Order:
    """A command of one origin: the screen (0) or a client of the engine. `number` is the origin's own for it, `place`
    the place in the order of arrival. `settings` replace the session's while it is carried out. `who` gives it: a
    person, or the owner ("")."""

    command: Command
    origin: int = 0
    number: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    place: int = 0
    who: str = ""

    @property
    def turn(self) -> Hashable:
        """Whose turn it takes: a person has one, whatever the number of windows; each program of the owner has one."""
        return self.who or self.origin


class Worker:
    """Runs a service on a thread of its own. Safe to call from any thread."""

    def __init__(self, settings: Settings, open_session: Callable[[Settings], Session]) -> None:
        self._settings = settings
        self.who = person(settings.who)
        """Who sits before the screen."""
        self._service: Service | None = None
        self._open_session = open_session
        self.idle = IdleRunner(IDLE_AFTER)
        self.serving: Order | None = None
        """The command that is carried out now. Events are posted meanwhile, from the same thread."""
        self.on_served: Callable[[Order], None] = lambda _: None
        """Called from the thread after each command."""
        self.on_closing: Callable[[], None] = lambda: None
        """Called from the thread before the home is released."""
        self._queue: FairQueue[Order | None] = FairQueue()
        self._places = itertools.count(1)
        self._newest = 0
        self._cancelled_up_to: dict[int, int] = {}
        self._load_cancelled = False
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
        """Queue a command of the screen. Cancel is served at once: it stops the screen's commands before it."""
        if isinstance(command, Cancel):
            self.cancel(0)
        else:
            self.queue(Order(command, who=self.who))

    def queue(self, order: Order) -> None:
        """Queue a command. People are served in turn."""
        self._newest = next(self._places)
        self._queue.put(order.turn, replace(order, place=self._newest))

    def cancel(self, origin: int) -> None:
        """Cancel the commands that came from `origin` so far, as far as they can be: see Cancel. While the model loads
        that is cancelled too."""
        self._load_cancelled = True
        self._forget(origin)

    def _forget(self, origin: int) -> None:
        self._cancelled_up_to.pop(origin, None)
        self._cancelled_up_to[origin] = self._newest
        if len(self._cancelled_up_to) > ORIGINS:
            del self._cancelled_up_to[next(iter(self._cancelled_up_to))]

    def drop(self, origin: int, who: str = "") -> None:
        """The origin has gone: what it only wanted to be shown is not carried out. What it teaches is."""

        def unwanted(order: Order | None) -> bool:
            return order is not None and order.origin == origin and type(order.command).__name__ not in LESSONS

        self._forget(origin)
        self._queue.drop(who or origin, unwanted)

    def request_stop(self) -> None:
        """Ask the worker to finish or abandon its work, save, and end."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
        self._queue.put(0, None)

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
                if service.load(lambda: self._load_cancelled or self.stopping):
                    self._serve(service)
            finally:
                self.on_closing()
                service.close()
        finally:
            self._ended.set()

    def _open(self) -> Service | None:
        try:
            session = self._open_session(self._settings)
        except Exception as error:
            shot = Snapshot("loading", "opening the home", self._settings.model)
            self._tell(failure(shot, error, "load", fatal=True))
            return None
        self._service = Service(session, self._tell, self, self.idle)
        return self._service

    def _tell(self, event: Event) -> None:
        """Post an event to the screen, as far as it is for who sits there."""
        if (seen := self._seen_by(self.who, event)) is not None:
            self._post(seen)

    def _seen_by(self, who: str, event: Event) -> Event | None:
        """An event as the person `who` gets it; None: it is not theirs."""
        service = self._service
        if service is None or event.snapshot.who == who:
            return event
        return heard(event, lambda: service.snapshot(who))

    def _serve(self, service: Service) -> None:
        _give_way()
        while self._stopping_since is None:
            try:
                order = self._queue.get(timeout=0 if service.has_work else IDLE_SECONDS)
            except queue.Empty:
                service.use_idle_time()
                continue
            if order is None or self._stopping_since is not None:
                break
            orders = [order] if service.seeded else [order, *self._others(order)]
            service.serve(*map(self._turn, orders))
            for order in orders:
                self.on_served(order)

    def _others(self, order: Order) -> list[Order]:
        """Orders of other people that are carried out together with `order`: replies are written in one batch."""
        people = {order.who}

        def joins(other: Order | None) -> bool:
            if other is None or not isinstance(other.command, Propose) or other.who in people:
                return False
            people.add(other.who)
            return True

        if not isinstance(order.command, Propose):
            return []
        return [found for found in self._queue.take(joins, MOST - 1) if found is not None]

    def _turn(self, order: Order) -> Turn:
        @contextmanager
        def served() -> Iterator[None]:
            before, self.serving = self.serving, order
            try:
                yield
            finally:
                self.serving = before

        return Turn(order.command, partial(self._is_cancelled, order), order.settings, order.who, served)

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

    def _is_cancelled(self, order: Order) -> bool:
        return order.place <= self._cancelled_up_to.get(order.origin, 0) or self.stopping
