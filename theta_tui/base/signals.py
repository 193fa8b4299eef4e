"""Signals that end the process. A thread of its own reads them, so that the process ends within five seconds whatever
the main thread does.

Python runs a signal handler in the main thread, between two bytecodes: not while that thread is inside a library, and
an event loop may never get to it, or may swallow what it raises. What Python does at once is write a byte for each
signal (`signal.set_wakeup_fd`); the thread reads those bytes.
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
"""Time to close everything, from the signal on. With RESTORE_SECONDS that is less than five."""
RESTORE_SECONDS = 0.2
"""Time to restore the terminal after that."""
ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})

Handler = Callable[[int, FrameType | None], object]


class _SignalReader:
    """The only one of this process. The main thread sets its fields; its own thread reads them."""

    def __init__(self) -> None:
        self.running = False
        self.deadline: float | None = None
        """Latest end of the process, in monotonic seconds; None before a signal."""
        self.listener: Callable[[int], None] | None = None
        """Called with each signal, in the reader's thread."""
        self.restore: Callable[[], None] | None = None
        """Restores the terminal; called before a forced end."""
        self.finishing = False
        """The next signal starts no deadline: the work in hand is finished first, however long it takes."""

    def run(self, descriptor: int) -> None:
        number = 0
        while True:
            left = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
            if not select.select([descriptor], [], [], left)[0]:
                self.end(128 + number)
            received = os.read(descriptor, 64)
            if not received:
                os.close(descriptor)
                return
            for each in received:
                if each in ENDING and self.finishing:
                    self.finishing = False
                elif each in ENDING:
                    if self.deadline is None:
                        number, self.deadline = each, time.monotonic() + SECONDS
                    if self.listener is not None:
                        self.listener(each)

    def end(self, code: int) -> None:
        if self.restore is not None:
            # On a thread of its own: a terminal that accepts no more output would block for ever.
            restoring = threading.Thread(target=self.restore, name="theta-restore", daemon=True)
            restoring.start()
            restoring.join(RESTORE_SECONDS)
        os._exit(code)  # lessons are on disk: each is recorded before the model changes


_reader = _SignalReader()


@contextmanager
def ending_in_time(handler: Handler) -> Iterator[None]:
    """SIGTERM and SIGHUP call `handler` in the main thread. A process that has not ended after SECONDS is killed."""
    with _handlers([signal.SIGTERM, signal.SIGHUP], handler):
        if _reader.running:
            yield
            return
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        _reader.running = True
        threading.Thread(target=_reader.run, args=(reading,), name="theta-signals", daemon=True).start()
        try:
            yield
        finally:
            if _reader.deadline is None:  # otherwise the thread goes on: interpreter shutdown may hang too
                signal.set_wakeup_fd(before)
                os.close(writing)
                _reader.running = False


@contextmanager
def listening(listener: Callable[[int], None]) -> Iterator[None]:
    """Each ending signal calls `listener` in the reader's thread, and raises nothing in the main thread.
    Does nothing outside `ending_in_time`."""
    if not _reader.running:
        yield
        return
    _reader.listener = listener
    try:
        with _handlers(ENDING, lambda _number, _frame: None):
            yield
    finally:
        _reader.listener = None


@contextmanager
def restoring(restore: Callable[[], None]) -> Iterator[None]:
    """A forced end calls `restore` first and gives it RESTORE_SECONDS."""
    _reader.restore = restore
    try:
        yield
    finally:
        _reader.restore = None


@contextmanager
def finishing_first() -> Iterator[None]:
    """The first signal starts no deadline: its handler may take as long as it needs. The second one does."""
    _reader.finishing = True
    try:
        yield
    finally:
        _reader.finishing = False


@contextmanager
def noting_first() -> Iterator[Callable[[], int | None]]:
    """The first SIGINT or SIGTERM is only noted: the work in hand asks the function that is yielded for its number
    (None: none came) and ends at a good place. A second one has its usual effect."""
    noted: list[int] = []
    numbers = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.getsignal(number) for number in numbers}

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)
        for one, handler in before.items():
            signal.signal(one, handler)

    with finishing_first(), _handlers(numbers, note):
        yield lambda: noted[0] if noted else None


@contextmanager
def _handlers(numbers: Iterable[signal.Signals], handler: Handler) -> Iterator[None]:
    """Install `handler`. Signals that are ignored (nohup) stay ignored, except SIGTERM."""
    handled = [one for one in numbers if one is signal.SIGTERM or signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in handled}
    try:
        yield
    finally:
        for number, one in before.items():
            signal.signal(number, one)


def _stop_in_child() -> None:
    """Stop reading in a forked child: it shares the pipe, and the parent would take the child's signals for its own."""
    if _reader.running:
        with suppress(ValueError):
            signal.set_wakeup_fd(-1)
        _reader.running = False


os.register_at_fork(after_in_child=_stop_in_child)
