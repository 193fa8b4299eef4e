"""Puts the full-screen app together: settings, a worker, the screen, and a terminal that nothing else may write to."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import os
import sys
import termios
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.base import config
from theta_tui.base import gc as collecting
from theta_tui.base.config import Settings
from theta_tui.base.signals import restoring
from theta_tui.base.text import person
from theta_tui.session.thread import Worker
from theta_tui.store.home import Home

if TYPE_CHECKING:
    from theta_tui.session.session import Session
    from theta_tui.ui.app import WorkerLike

SWITCH_SECONDS = 0.0002
"""How long a thread that waits for the GIL lets another one go on; Python's own is 0.005. The interval begins anew each
time the GIL is released, if only for a call to the system, of which an import is full. While the model loaded and 60
keys a second were typed, 6 % of them took more than 50 ms to be drawn, and 2 % with this; the longest 169 ms and 80."""
LEAVE_SECONDS = 3.5
"""Seconds that the worker may take to end after the terminal has gone, which is noticed within a second."""
AS_FOUND = (
    b"\x1b\\\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"
    b"\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""Resets all terminal modes that Textual sets, after terminating a sequence that was cut."""


def open_session(settings: Settings) -> Session:
    """Open the worker's session. Raises HomeBusyError if another process holds the home."""
    # Imported here, on the worker's thread, so that the first frame does not wait.
    from theta_tui.session.session import Session
    from theta_tui.store.store import Store

    return Session(Store.open(settings))


def run_full_screen(settings: Settings) -> int:
    """Run the app until it is left; returns the exit code."""
    collecting.pause()
    sys.setswitchinterval(SWITCH_SECONDS)
    home = Home(settings.home)
    home.ensure()
    log_to(home.log)
    with own_terminal(home.log):
        from theta_tui.ui.app import run_app
        from theta_tui.ui.drafts import Drafts

        worker, first = worker_for(settings), not home.journal.exists()
        watch_terminal(worker)
        keep = partial(config.persist, home.path)
        code = run_app(settings, worker, keep, Drafts(home.draft_of(person(settings.who))), tour=first)
    if not worker.join(0):
        # The worker is still inside PyTorch, which aborts if the interpreter ends meanwhile. Every lesson is in the
        # journal.
        os._exit(code)
    return code


def worker_for(settings: Settings) -> WorkerLike:
    """The worker of the app. If an engine runs in the home it does the work; else the app is the engine for others."""
    from theta_tui.engine.client import Connection
    from theta_tui.engine.host import Host
    from theta_tui.engine.remote import RemoteWorker

    if settings.engine == "off":
        return Worker(settings, open_session)
    make_own = partial(Host, settings, open_session, in_app=True)
    connection = Connection.to(settings.home, everything=True, who=settings.who)
    return make_own() if connection is None else RemoteWorker(connection, settings.home, make_own, settings.who)


def watch_terminal(worker: WorkerLike) -> None:
    """Leave when the terminal has gone, whatever the screen is doing.

    A closed window sends SIGHUP, but not to every process (nohup, some multiplexers), and a screen that writes to a
    dead terminal blocks for ever once its output queue is full. So a thread checks the terminal once a second. When it
    is gone the worker finishes and saves, and the process ends with SIGHUP's code.
    """
    descriptor = sys.stdin.fileno()

    def watch() -> None:
        while True:
            time.sleep(1)
            try:
                termios.tcgetattr(descriptor)
            except (termios.error, ValueError):
                break
        worker.request_stop()
        worker.join(LEAVE_SECONDS)
        os._exit(129)

    threading.Thread(target=watch, name="theta-terminal", daemon=True).start()


class _OwnersLog(logging.handlers.RotatingFileHandler):
    """A rotating log whose files, later ones included, only their owner can read."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return open(descriptor, "a", encoding=self.encoding)


def log_to(path: Path) -> None:
    """Log to a rotating file, warnings included, and nothing to the terminal."""
    handler = _OwnersLog(path, maxBytes=1 << 20, backupCount=2, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    warnings.simplefilter("default")


def put_back(screen: int, attributes: list[Any] | None) -> None:
    """Restore the terminal at the very end, whatever the threads that draw on `screen` are doing."""
    terminal = os.dup(screen)
    os.dup2(os.open(os.devnull, os.O_WRONLY), screen)  # nothing more is drawn
    if attributes is not None and os.tcgetpgrp(terminal) == os.getpgrp():  # else another process owns it now
        termios.tcsetattr(terminal, termios.TCSANOW, attributes)
        termios.tcflush(terminal, termios.TCOFLUSH)  # discard output that is still queued
        os.write(terminal, AS_FOUND)
    faulthandler.dump_traceback(2)  # the log then tells what it was doing


@contextmanager
def own_terminal(log: Path) -> Iterator[None]:
    """Keep the terminal for the screen alone.

    Textual draws on `sys.__stderr__` and asks `sys.__stdout__` for the size. Both get a descriptor of their own, and
    descriptors 1 and 2 lead to the log, so that a native library that prints (a C++ warning, a progress bar) cannot
    write across the picture.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved_out, saved_err, screen = os.dup(1), os.dup(2), os.dup(2 if os.isatty(2) else 1)
    before = sys.__stdout__, sys.__stderr__
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    stream = os.fdopen(screen, "w", encoding="utf-8", errors="replace")
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    sys.__stdout__ = sys.__stderr__ = stream  # type: ignore[misc]
    attributes = termios.tcgetattr(screen) if os.isatty(screen) else None
    try:
        with restoring(partial(put_back, screen, attributes)):
            yield
    finally:
        with suppress(OSError):  # flushing to a terminal that has gone
            stream.flush()
        sys.__stdout__, sys.__stderr__ = before  # type: ignore[misc]
        os.dup2(saved_out, 1)
        os.dup2(saved_err, 2)
        for descriptor in (saved_out, saved_err):
            os.close(descriptor)
        with suppress(OSError):
            stream.close()
