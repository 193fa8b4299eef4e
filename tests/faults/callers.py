"""What the processes do that write to one home at once in `test_writers`: they call `theta`, as a shell would.

Functions whose first argument is a `line` run in a process of their own (see `forking`) and tell what they did.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import os
import random
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from theta_tui.base.config import Settings
from theta_tui.cli import app as cli
from theta_tui.learning.compare import differing
from theta_tui.session.session import Session
from theta_tui.store import home
from theta_tui.store.home import Home, WriterLock
from theta_tui.store.store import Store

Said = tuple[tuple[str, ...], int, dict[str, Any], str]
"""The arguments of a call, its exit code, what it said as JSON, what it complained of."""


def theta(*arguments: str) -> Said:
    """Call `theta` in this process."""
    out, complaints = io.StringIO(), io.StringIO()
    sys.argv = ["theta", *arguments, "--json"]
    code: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaints):
        try:
            cli.main()
        except SystemExit as leave:
            code = leave.code
    told = json.loads(out.getvalue()) if code == 0 else {}
    return arguments, int(code), told, complaints.getvalue()


def call(line: Connection, *arguments: str) -> None:
    line.send(theta(*arguments))


def call_and_look_again(line: Connection, *arguments: str) -> None:
    """Like `call`, but tell each time before looking again who has the home, and wait to be answered."""

    def sleep(_seconds: float) -> None:
        line.send("looks again")
        line.recv()

    home.time = SimpleNamespace(sleep=sleep, time=time.time)  # type: ignore[attr-defined]
    call(line, *arguments)


def write(line: Connection, me: int, calls: int) -> None:
    """Ask, answer what was asked, teach, take back: so many calls, in an order of its own, each told."""
    rng = random.Random(me)
    asked = "none yet"
    for number in range(calls):
        mine = f"{me} {number}"
        match rng.choice("aaanntttu"):
            case "a":
                said = theta("prompt", f"ask {mine}")
                asked = said[2]["prompt_id"] if said[1] == 0 else asked
            case "n":
                answer = rng.choice((("2",), ("--text", f"answer {mine}")))
                said = theta("teach", *answer, "--prompt-id", asked)
            case "t":
                said = theta("teach", f"reply {mine}", "--for", f"question {mine}")
            case _:
                said = theta("undo")
        line.send(said)


def hold(line: Connection, place: Path) -> None:
    """Hold the home until something is heard, and then let go."""
    record = Store.open(Settings(home=place))
    line.send("held")
    line.recv()
    record.close()
    line.send("let go")
    line.recv()


def without_flock() -> None:
    """This process is on a file system that knows no flock."""

    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    fcntl.flock = flock


def hold_by_file(line: Connection, place: Path) -> None:
    """Hold the home with --lock=pid, for ever."""
    without_flock()
    lock = WriterLock(Home(place), 0, "pid")
    lock.acquire()
    line.send("held")
    line.recv()
    lock.release()


def count_up(line: Connection, place: Path, times: int) -> None:
    """Add one to the number in a file, so often, each time with the home held with --lock=pid."""
    without_flock()
    number = place / "number"
    for _ in range(times):
        with WriterLock(Home(place), 300, "pid"):
            counted = int(number.read_text())
            time.sleep(0.001)  # where two were in they would read the same
            number.write_text(str(counted + 1))
    line.send("done")


def hold_without_a_name(line: Connection, place: Path, name: str) -> None:
    """Hold the lock as one does that has just got it: the name in the file is still another's."""
    lock = WriterLock(Home(place), 0)
    lock.acquire()
    Home(place).lock.write_text(name)
    line.send("held")
    line.recv()


def replays(line: Connection, place: Path) -> None:
    """Whether coming back gives what a fold of the whole journal gives, to the bit, and how many steps."""
    session = Session(Store.open(Settings(home=place, device="cpu", threads=1)))
    session.load()
    came_back = session.learner.snapshot()
    session.replay.from_base_model(lambda at, of: None)
    line.send((differing(came_back, session.learner.snapshot()), session.learner.step == session.store.state.step))
    session.close()
