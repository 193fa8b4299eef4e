"""A connection to the engine of a home."""

from __future__ import annotations

import itertools
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from theta_tui import __version__
from theta_tui.base.errors import HomeBusyError, ThetaError
from theta_tui.engine import wire
from theta_tui.engine.address import NAME, socket_path
from theta_tui.session import commands as c
from theta_tui.session import protocol as p

CONNECT_SECONDS = 5.0
GONE = "the engine of this home has ended"


class EngineGoneError(ThetaError):
    """The engine ended, or was killed, before it answered."""

    code = 1
    name = "engine"


def error_of(event: p.Failed) -> ThetaError:
    """The error that `event` tells of."""
    return ThetaError(event.message, name=event.name, code=event.code, hint=event.hint)


class Connection:
    """Connected to the engine of a home. `about` is what it says of itself."""

    def __init__(self, connected: socket.socket, *, everything: bool, who: str = "") -> None:
        self._socket = connected
        self._stream = connected.makefile("rb")
        self._numbers = itertools.count(1)
        self._sending = threading.Lock()
        connected.settimeout(CONNECT_SECONDS)
        self._send(wire.pack("hello", wire.PROTOCOL, __version__, {"everything": everything, "who": who}))
        kind, _, version, about = self._read()
        if kind == "refused":
            raise HomeBusyError(f"{about}; end it with the Theta that started it: theta engine stop", name="version")
        connected.settimeout(None)
        self.version: str = version
        self.about: dict[str, Any] = about

    @classmethod
    def to(cls, home: Path, *, everything: bool = False, who: str = "") -> Connection | None:
        """A connection to the engine of `home`, as the person `who`; None if there is none."""
        if not hasattr(socket, "AF_UNIX") or not (home / NAME).exists():
            return None
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.settimeout(CONNECT_SECONDS)
            with socket_path(home) as path:
                connected.connect(path)
            return cls(connected, everything=everything, who=who)
        except (OSError, EngineGoneError):
            connected.close()  # left behind by a process that was killed
            return None
        except BaseException:
            connected.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether the engine is still there, as far as is known without asking it."""
        if self._socket.fileno() < 0:
            return False
        gone = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
        poll = select.poll()
        poll.register(self._socket, gone)
        return not any(flags & gone for _, flags in poll.poll(0))

    def send(self, command: c.Command, settings: dict[str, Any] | None = None) -> int:
        """Send a command; returns its number. Raises EngineGoneError."""
        number = next(self._numbers)
        self._send(wire.pack(number, type(command).__name__, wire.fields(command), settings or {}))
        return number

    def frames(self) -> Iterator[tuple[int, p.Event | None]]:
        """The events as they come, with the number of the own command that each belongs to (0: none); None: that
        command is over. Raises EngineGoneError at the end of the connection."""
        while True:
            kind, number, *rest = self._read()
            yield number, None if kind == "done" else wire.event(*rest)

    def events(
        self,
        command: c.Command,
        settings: dict[str, Any] | None = None,
        on_stage: Callable[[str], None] = lambda _: None,
    ) -> Iterator[p.Event]:
        """Send a command, and get its events until it is over. Its Failed is raised as ThetaError; that of a checkpoint
        which was due meanwhile is not. `on_stage` gets what the engine is loading, if it has just been started."""
        mine, name = self.send(command, settings), type(command).__name__
        for number, event in self.frames():
            if isinstance(event, p.Failed) and (event.fatal or (number == mine and event.command == name)):
                raise error_of(event)
            if isinstance(event, p.Loading):
                on_stage(event.snapshot.activity)
            elif number == mine and event is None:
                return
            elif number == mine and event is not None:
                yield event

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _send(self, frame: bytes) -> None:
        try:
            with self._sending:
                self._socket.sendall(frame)
        except OSError as error:
            raise EngineGoneError(GONE) from error

    def _read(self) -> list[Any]:
        try:
            return wire.unpack(self._exactly(wire.size(self._exactly(wire.LENGTH.size))))
        except (OSError, wire.BadFrameError, ValueError) as error:
            raise EngineGoneError(GONE) from error

    def _exactly(self, count: int) -> bytes:
        found = self._stream.read(count)
        if found is None or len(found) < count:
            raise OSError("the connection ended")
        return found


def wait_for(home: Path, seconds: float, alive: Callable[[], bool], who: str = "") -> Connection | None:
    """A connection to an engine that was just started, as soon as it listens; None if it did not, or is not alive."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = Connection.to(home, everything=True, who=who)
        if found is not None or not alive():
            return found
        time.sleep(0.02)
    return None
