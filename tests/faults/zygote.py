"""A process that has imported everything and forks a `theta` a request: a start costs a tenth of a second, not four.

`python -m tests.faults.zygote SOCKET` serves the requests of `terminal.Zygote`. Each `theta` runs below a small
stand-in for a shell: a session of its own on the terminal, jobs in the foreground or stopped, and its exit status told.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import termios
import time
from typing import Any, NoReturn

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_LIBRARIES = (
    "filelock", "jinja2.sandbox", "msgspec.json", "platformdirs", "rich.traceback", "safetensors.torch", "textual.app",
    "textual.drivers.linux_driver", "textual.system_commands", "textual.widgets._directory_tree",
    "textual.widgets._select", "textual.widgets._sparkline", "textual.widgets._text_area", "textual.widgets._tooltip",
    "textual.widgets.option_list", "tokenizers", "tomllib", "typer.rich_utils", "zoneinfo",
)  # fmt: skip
"""What a `theta` imports of others, a third of the time of most. It imports what is its own by itself."""


def main(descriptor: str) -> None:
    import torch

    torch.set_num_threads(1)
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.sum().backward()
    torch.optim.AdamW([parameter]).step()  # imports as much again, the first time
    for library in _LIBRARIES:
        importlib.import_module(library)
    gc.collect()
    gc.freeze()  # else each would look through all of it, and have a copy of its own of the memory then
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    listener = socket.socket(fileno=int(descriptor))
    listener.settimeout(None)
    listener.send(b"ready")
    ended: dict[int, int] = {}
    while True:
        if not select.select([listener], [], [], 0.05)[0]:
            _reap(ended)
            continue
        try:
            data, descriptors, _, _ = socket.recv_fds(listener, 1 << 16, 8)
        except ConnectionResetError:
            return
        if not data:
            return
        request = json.loads(data)
        if "status" in request:
            _reap(ended)
            listener.send(json.dumps(ended.pop(request["status"], None)).encode())
            continue
        shell = os.fork()
        if shell == 0:
            listener.close()
            _shell(request, descriptors)
        for each in descriptors:
            os.close(each)
        listener.send(json.dumps(shell).encode())


def _reap(ended: dict[int, int]) -> None:
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not child:
            return
        ended[child] = os.waitstatus_to_exitcode(status)


def _shell(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """The session's leader: runs `theta` as a job and tells what becomes of it."""
    try:
        *standard, report, control = descriptors
        os.setsid()
        if request["terminal"]:
            fcntl.ioctl(standard[0], termios.TIOCSCTTY, 0)
        for at, each in enumerate(standard):
            os.dup2(each, at)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        job = os.fork()
        if job == 0:
            os.setpgid(0, 0)
            if request["terminal"]:
                os.tcsetpgrp(0, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            os.close(report)
            _theta(request, control)
        os.set_inheritable(report, False)
        _tell(report, job=job)

        def foreground(_number: int, _frame: object) -> None:
            os.tcsetpgrp(0, job)
            os.killpg(job, signal.SIGCONT)

        signal.signal(signal.SIGUSR1, foreground)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        while os.WIFSTOPPED(status := os.waitpid(job, os.WUNTRACED)[1]):
            _tell(report, stopped=os.WSTOPSIG(status))
        _tell(report, code=os.waitstatus_to_exitcode(status))
        signal.pause()  # the terminal lives as long as the leader of its session
    finally:
        os._exit(0)


def _tell(descriptor: int, **what: int) -> None:
    os.write(descriptor, json.dumps(what | {"at": time.monotonic()}).encode() + b"\n")


def _theta(request: dict[str, Any], control: int) -> NoReturn:
    code: object = 99
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        os.environ.update(request["environment"])
        sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        sys.argv = ["theta", *request["arguments"]]
        run = None
        if request["scene"]:
            module, _, name = request["scene"].partition(":")
            run = getattr(importlib.import_module(module), name)(control, *request["with"])
        if run is None:
            from theta_tui.cli.start import main as run
        run()
        code = 0
    except SystemExit as leave:
        code = leave.code
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # a closed pipe, or a terminal that is gone
                stream.flush()
        import threading

        # As the interpreter does when it ends: threads that are no daemons are waited for.
        threading._shutdown()  # type: ignore[attr-defined]
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    main(sys.argv[1])
