"""A process that has imported everything and forks what a test asks for: a start costs a tenth of a second, not five.

`Forks` starts it, once for all tests of a process. `Forks.fork("module:function", …)` runs `function(line, …)` in a
process of its own, where `line` is a `Connection`; the `Life` that comes back has its other end. One thread: a fork of
PyTorch with two hangs.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import pytest

PATIENCE = 300.0
_REQUEST = 1 << 16
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_ENVIRONMENT = {
    "TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none", "COLUMNS": "", "LINES": "",
    "OMP_NUM_THREADS": "1",
}  # fmt: skip
_IMPORTED = (
    "jinja2.sandbox", "rich.traceback", "safetensors.torch", "textual.drivers.linux_driver", "textual.system_commands",
    "textual.widgets._directory_tree", "textual.widgets._select", "textual.widgets._sparkline",
    "textual.widgets._text_area", "textual.widgets._tooltip", "typer.rich_utils", "zoneinfo",
    "theta_tui.cli.app", "theta_tui.cli.start", "theta_tui.learning.checkpoint", "theta_tui.model.generate",
    "theta_tui.model.language_model", "theta_tui.session.rebuild", "theta_tui.session.session",
    "theta_tui.session.thread", "theta_tui.ui.launch",
)  # fmt: skip
"""What most of them need. The rest each imports by itself."""


class Life:
    """A process that was forked. `line` hears what it tells; it ends with EOFError."""

    def __init__(self, forks: Forks, pid: int, line: Connection) -> None:
        self.forks = forks
        self.pid = pid
        self.line = line
        self.status: int | None = None

    def hear(self, seconds: float = PATIENCE) -> Any:
        """What it tells next. Raises EOFError where it has gone, TimeoutError where it tells nothing."""
        if not self.line.poll(seconds):
            raise TimeoutError(f"process {self.pid} told nothing for {seconds:g} s")
        return self.line.recv()

    def rest(self) -> list[Any]:
        """All that it still tells, until it ends."""
        told = []
        with suppress(EOFError, ConnectionResetError):
            while True:
                told.append(self.hear())
        return told

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self.forks.kill(self.pid)
        self.wait()

    def wait(self) -> int:
        """Its exit status, negative for a signal."""
        if self.status is None:
            self.status = self.forks.wait(self.pid)
        return self.status

    def close(self) -> None:
        if self.status is None:
            self.kill()
        self.line.close()


class Forks:
    """The process that forks. Use it from one thread."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("THETA_", "NO_COLOR"))}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.forking", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[2],
                env=plain | _ENVIRONMENT,
            )
        self._socket.settimeout(PATIENCE)

    def start(
        self, function: str, descriptors: Sequence[int], *arguments: Any, environment: Mapping[str, str] | None = None
    ) -> int:
        """Run `function(descriptors, …)` in a process of its own; its id."""
        return int(self._asked(("fork", function, arguments, dict(environment or {})), descriptors))

    def fork(self, function: str, *arguments: Any, environment: Mapping[str, str] | None = None) -> Life:
        ours, theirs = socket.socketpair()
        with theirs:
            live = "tests.faults.forking:live"
            pid = self.start(live, [theirs.fileno()], function, *arguments, environment=environment)
        return Life(self, pid, Connection(ours.detach()))

    def status(self, pid: int) -> int | None:
        """The exit status of one that was forked, or of one of its descendants whose parents have gone; None while it
        lives."""
        return self._asked(("status", pid))  # type: ignore[no-any-return]

    def wait(self, pid: int) -> int:
        return int(self._asked(("wait", pid)))

    def kill(self, pid: int) -> None:
        """`kill -9`, if it lives: its number is its own until the process that forked it has waited for it."""
        self._asked(("kill", pid))

    def _asked(self, request: tuple[Any, ...], descriptors: Sequence[int] = ()) -> Any:
        data = pickle.dumps(request)
        assert len(data) < _REQUEST
        socket.send_fds(self._socket, [data], list(descriptors))
        return pickle.loads(self._socket.recv(64))

    def close(self) -> None:
        self._socket.close()
        self._process.wait(PATIENCE)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.close()


# --- in the process that forks ---


def _prepare() -> None:
    import torch

    from tests.support.fakes import drive
    from tests.support.styles import read_once

    async def app_once() -> None:
        async with drive():
            pass

    torch.set_num_threads(1)
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.sum().backward()
    torch.optim.AdamW([parameter]).step()  # imports as much again, the first time
    for module in _IMPORTED:
        importlib.import_module(module)
    read_once()
    asyncio.run(app_once())
    gc.collect()
    gc.freeze()  # else each would look through all of it, and have a copy of its own of the memory then


def _serve(listener: socket.socket) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # of use to `shell`, once it listens
    _prepare()
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    ended: dict[int, int] = {}
    while True:
        asked = select.select([listener], [], [], 0.05)[0]
        while _reap(ended, os.WNOHANG):  # whoever waits for the end of one would wait for ever
            pass
        if not asked:
            continue
        try:
            data, descriptors, _, _ = socket.recv_fds(listener, _REQUEST, 8)
        except ConnectionResetError:
            return
        if not data:
            return
        answer: object = None
        match pickle.loads(data):
            case ("fork", function, arguments, environment):
                answer = os.fork()
                if answer == 0:
                    listener.close()
                    _run(function, descriptors, arguments, environment)
            case ("status", pid):
                answer = ended.pop(pid, None)
            case ("wait", pid):
                while pid not in ended:
                    _reap(ended, 0)
                answer = ended.pop(pid)
            case ("kill", pid) if pid not in ended:
                os.kill(pid, signal.SIGKILL)
        for descriptor in descriptors:
            os.close(descriptor)
        listener.send(pickle.dumps(answer))


def _reap(ended: dict[int, int], options: int) -> bool:
    """Take note of one child that has ended."""
    try:
        child, status = os.waitpid(-1, options)
    except ChildProcessError:
        return False
    if child:
        ended[child] = os.waitstatus_to_exitcode(status)
    return bool(child)


def _run(function: str, descriptors: list[int], arguments: tuple[Any, ...], environment: dict[str, str]) -> NoReturn:
    try:
        os.environ.update(environment)
        _named(function)(descriptors, *arguments)
        os._exit(0)
    except SystemExit as leave:
        os._exit(leave.code if isinstance(leave.code, int) else 1)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


def live(descriptors: list[int], function: str, *arguments: Any) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    _named(function)(Connection(descriptors[0]), *arguments)


def _named(function: str) -> Any:
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
