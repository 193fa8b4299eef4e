"""A process that has imported everything and forks one a request: one to kill costs a tenth of a second, not five.

`Forks` starts it. `Forks.fork("module:function", …)` runs `function(line, …)` in a process of its own, where `line` is
a `Connection`; the `Life` that comes back has its other end. One thread: a fork of PyTorch with two hangs.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import pytest

from tests.faults.serving import serving

PATIENCE = 300.0
_REQUEST = 1 << 16


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
        os.kill(self.pid, signal.SIGKILL)  # it is not reaped before `wait`, so the number is its own
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
        self._process, self._socket = serving("tests.faults.forking", os.environ | {"OMP_NUM_THREADS": "1"})
        self._socket.settimeout(PATIENCE)

    def fork(self, function: str, *arguments: Any, environment: dict[str, str] | None = None) -> Life:
        ours, theirs = socket.socketpair()
        with theirs:
            request = pickle.dumps((function, arguments, environment or {}))
            assert len(request) < _REQUEST
            socket.send_fds(self._socket, [request], [theirs.fileno()])
            pid = int(self._socket.recv(64))
        return Life(self, pid, Connection(ours.detach()))

    def wait(self, pid: int) -> int:
        self._socket.send(pickle.dumps(pid))
        return int(self._socket.recv(64))

    def close(self) -> None:
        self._socket.close()
        self._process.wait(PATIENCE)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.close()


# --- in the process that forks ---


def _serve(listener: socket.socket) -> None:
    import torch

    import theta_tui.cli.app
    import theta_tui.learning.checkpoint
    import theta_tui.model.generate
    import theta_tui.model.language_model
    import theta_tui.session.rebuild
    import theta_tui.session.session  # noqa: F401

    torch.set_num_threads(1)
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.sum().backward()
    torch.optim.AdamW([parameter]).step()  # imports as much again, the first time
    gc.collect()
    gc.freeze()  # else each would look through all of it, and have a copy of its own of the memory then
    while True:
        data, descriptors, _, _ = socket.recv_fds(listener, _REQUEST, 1)
        if not data:
            return
        request = pickle.loads(data)
        if isinstance(request, int):
            status = os.waitstatus_to_exitcode(os.waitpid(request, 0)[1])
            listener.send(str(status).encode())
            continue
        pid = os.fork()
        if pid == 0:
            listener.close()
            _live(Connection(descriptors[0]), *request)
        for descriptor in descriptors:
            os.close(descriptor)
        listener.send(str(pid).encode())


def _live(line: Connection, function: str, arguments: tuple[Any, ...], environment: dict[str, str]) -> None:
    try:
        os.environ.update(environment)
        module, _, name = function.partition(":")
        getattr(importlib.import_module(module), name)(line, *arguments)
        os._exit(0)
    except SystemExit as leave:
        os._exit(leave.code if isinstance(leave.code, int) else 1)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
