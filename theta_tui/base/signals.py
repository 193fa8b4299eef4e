"""Signals that end the process, heard beside the main thread: it is gone within five seconds whatever that one does.

Python runs the handler of a signal in the main thread, between two of its own steps: not while that one is inside a
library, and an event loop may never get to it, or swallow what it raises. What Python does at once is to write a byte
for each signal, and here a thread reads them.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SECONDS = 4.7
"""How long what is open may take to be closed, counted from the signal. With the rest that is less than five."""
RESTORE_SECONDS = 0.2
"""How long a terminal may take to be put back, once that is over."""
ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})

Handler = Callable[[int, FrameType | None], object]


class _Watch:
    """The one of this process. Its fields are set by the main thread and read by its own."""

    def __init__(self) -> None:
        self.running = False
        self.deadline: float | None = None
        """When the process ends at the latest; None before a signal."""
        self.listener: Callable[[int], None] | None = None
        """Called with each signal, in the watch's thread."""
        self.restore: Callable[[], None] | None = None
        """Puts the terminal back; called before the end is forced."""
        self.finishing = False
        """The next signal asks for something that is finished first, however long that takes."""

    def run(self, descriptor: int) -> None:
        number = 0
        while True:
            left = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
            if not select.select([descriptor], [], [], left)[0]:
                self.end(128 + number)
            heard = os.read(descriptor, 64)
            if not heard:
                os.close(descriptor)
                return
            for each in heard:
                if each in ENDING and self.finishing:
                    self.finishing = False
                elif each in ENDING:
                    if self.deadline is None:
                        number, self.deadline = each, time.monotonic() + SECONDS
                    if self.listener is not None:
                        self.listener(each)

    def end(self, code: int) -> None:
        if self.restore is not None:
            # On a thread: a terminal that takes nothing more would hold this one up for ever.
            restoring = threading.Thread(target=self.restore, name="theta-restore", daemon=True)
            restoring.start()
            restoring.join(RESTORE_SECONDS)
        os._exit(code)  # what was taught is on disk: each record is, before the model moves


_watch = _Watch()


@contextmanager
def ending_in_time(handler: Handler) -> Iterator[None]:
    """SIGTERM and SIGHUP call `handler` in the main thread; where that leads to no end within SECONDS, it is forced."""
    with _handled([signal.SIGTERM, signal.SIGHUP], handler):
        if _watch.running:
            yield
            return
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        _watch.running = True
        threading.Thread(target=_watch.run, args=(reading,), name="theta-signals", daemon=True).start()
        try:
            yield
        finally:
            if _watch.deadline is None:  # else it goes on: the end of the interpreter may take for ever too
                signal.set_wakeup_fd(before)
                os.close(writing)
                _watch.running = False


@contextmanager
def heard_by(listener: Callable[[int], None]) -> Iterator[None]:
    """`listener` is called with each signal that asks for the end, on a thread of its own; nothing is raised in the
    main thread meanwhile. Does nothing outside `ending_in_time`."""
    if not _watch.running:
        yield
        return
    _watch.listener = listener
    try:
        with _handled(ENDING, lambda _number, _frame: None):
            yield
    finally:
        _watch.listener = None


@contextmanager
def restored_by(restore: Callable[[], None]) -> Iterator[None]:
    """`restore` is called before the end is forced. It has RESTORE_SECONDS."""
    _watch.restore = restore
    try:
        yield
    finally:
        _watch.restore = None


@contextmanager
def finishing_first() -> Iterator[None]:
    """The first signal here is answered by what handles it, however long that takes; the second ends in time."""
    _watch.finishing = True
    try:
        yield
    finally:
        _watch.finishing = False


@contextmanager
def _handled(numbers: Iterable[signal.Signals], handler: Handler) -> Iterator[None]:
    """What is ignored stays so (nohup), but for SIGTERM."""
    heeded = [one for one in numbers if one is signal.SIGTERM or signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, one in before.items():
            signal.signal(number, one)


def _forked() -> None:
    """A child's signals are its own: the pipe is shared with the parent, which would take them for its."""
    if _watch.running:
        with suppress(ValueError):
            signal.set_wakeup_fd(-1)
        _watch.running = False


os.register_at_fork(after_in_child=_forked)
