"""What is arranged inside a forked `theta` before it starts: where it stops and waits, what fails, what it is told.

Each scene is called in the child with the descriptor that leads to the test. One that returns something has that run
instead of `theta`.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

STEP = "theta_tui.learning.learner:Learner._take_step"
SAVE = "theta_tui.learning.checkpoint:_write_manifest"
LOAD = "theta_tui.session.replay:Replay.load"
WRITE = "theta_tui.session.session:Session.proposing"


def replace(target: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put `make(real)` where `target` (`module:Class.name` or `module:name`) is."""
    module, _, path = target.partition(":")
    owner: Any = importlib.import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        owner = getattr(owner, each)
    real = getattr(owner, name)
    setattr(owner, name, wraps(real)(make(real)))


def unhurried(_control: int) -> None:
    """A second Ctrl-C counts whenever it comes, however busy the machine is."""
    importlib.import_module("theta_tui.ui.app").AGAIN_SECONDS = 1e6  # type: ignore[attr-defined]


def deaf(control: int) -> None:
    """Nobody tells it that its terminal has gone, as with nohup."""
    unhurried(control)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])


def gate(control: int, target: str, released: str, name: str = "gate", leave_seconds: float | None = None) -> None:
    """The first call of `target` tells the test `name` and waits: until `theta` is asked to leave (`leaving`) or to
    stop what it does (`cancelled`), or for ever (`never`). `leave_seconds`: how long leaving waits for that."""
    unhurried(control)
    if leave_seconds is not None:
        importlib.import_module("theta_tui.ui.app").LEAVE_SECONDS = leave_seconds  # type: ignore[attr-defined]
    channel = socket.socket(fileno=os.dup(control))
    leaving, cancelled = threading.Event(), threading.Event()
    passed = False

    def stop(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal passed
            if not passed:
                passed = True
                channel.send(name.encode())
                if released == "leaving":
                    leaving.wait()
                elif released == "cancelled":
                    cancelled.wait()
                else:
                    compute_for_ever()
            return real(*arguments, **more)

        return call

    def ask(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            real(*arguments, **more)
            leaving.set()

        return call

    def send(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(worker: Any, command: Any) -> None:
            real(worker, command)
            if type(command).__name__ == "Cancel":
                cancelled.set()

        return call

    replace(target, stop)
    replace("theta_tui.session.thread:Worker.request_stop", ask)
    replace("theta_tui.session.thread:Worker.send", send)


def stuck(control: int, target: str, how: str, seconds: float | None = None) -> None:
    """The first call of `target` tells the test and never comes back, `how`: in Python, in a library, in Python that
    swallows whatever is raised, or (a method of a screen) by giving the event loop more and more to do. `seconds`:
    how long an end in order may take."""
    if seconds is not None:
        importlib.import_module("theta_tui.base.signals").SECONDS = seconds  # type: ignore[attr-defined]

    def stick(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            socket.socket(fileno=os.dup(control)).send(b"stuck")
            if how == "a busy loop":
                keep_busy(arguments[0])
                return real(*arguments, **more)
            while how == "python":
                pass
            if how == "a library":
                lock = ctypes.create_string_buffer(256)
                while True:  # the second time it waits for itself; no signal ends that
                    ctypes.CDLL(None).pthread_mutex_lock(lock)
            while True:
                with contextlib.suppress(BaseException):
                    while True:
                        pass

        return call

    replace(target, stick)


def keep_busy(screen: Any) -> None:
    screen.refresh(layout=True)
    screen.call_next(keep_busy, screen)


def compute_for_ever() -> None:
    """Inside PyTorch, most of the time: where the interpreter ends around that, the process aborts."""
    import torch

    matrix = torch.full((500, 500), 1 / 500)
    while True:
        matrix @= matrix


def closed(_control: int, numbers: Sequence[int], target: str = STEP) -> None:
    """Started with these standard streams closed; what calls `target` prints as a native library does."""
    for number in numbers:
        os.close(number)
        name = ("stdin", "stdout", "stderr")[number]
        setattr(sys, name, None)
        setattr(sys, f"__{name}__", None)

    def noisy(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            for number in (1, 2):
                os.write(number, b"a warning of C++\n")
            return real(*arguments, **more)

        return call

    replace(target, noisy)


def no_flock(_control: int, number: int) -> None:
    """A file system that knows no flock, and says so by this error."""

    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    fcntl.flock = flock


def failing(_control: int, target: str, message: str) -> None:
    """The first call of `target` raises RuntimeError(message); the next ones work."""
    failed = False

    def fail(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal failed
            if not failed:
                failed = True
                raise RuntimeError(message)
            return real(*arguments, **more)

        return call

    replace(target, fail)
