"""A stand-in for a shell, below which a `theta` runs: a session of its own on the terminal, jobs in the foreground or
stopped, and its exit status told. Both are forked (see `forking`)."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import signal
import sys
import termios
import time
from typing import Any, NoReturn


def shell(descriptors: list[int], request: dict[str, Any]) -> NoReturn:
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
