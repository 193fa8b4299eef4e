"""A connection to the engine, for asyncio: one for each visitor, so that each is served in turn and can cancel."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from theta_tui import __version__
from theta_tui.base.errors import HomeBusyError
from theta_tui.engine import wire
from theta_tui.engine.address import socket_path
from theta_tui.engine.client import GONE, EngineGoneError
from theta_tui.session import commands as c
from theta_tui.session import protocol as p


class Link:
    """A visitor's connection. Made by `to`; `close` it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self.about: dict[str, Any] = {}

    @classmethod
    async def to(cls, home: Path, *, everything: bool = False, who: str | None = None) -> Link:
        """Raises EngineGoneError if no engine runs in `home`, and HomeBusyError if it is of another version."""
        try:
            with socket_path(home) as path:
                link = cls(*await asyncio.open_unix_connection(path))
        except OSError as error:
            raise EngineGoneError(GONE) from error
        wishes = {"everything": everything} | ({} if who is None else {"who": who})
        link._writer.write(wire.pack("hello", wire.PROTOCOL, __version__, wishes))
        kind, _, _, about = await link._read()
        if kind == "refused":
            raise HomeBusyError(about, name="version")
        link.about = about
        return link

    async def send(self, command: c.Command, settings: dict[str, Any] | None = None) -> int:
        """Send a command; returns its number."""
        number = next(self._numbers)
        self._writer.write(wire.pack(number, type(command).__name__, wire.fields(command), settings or {}))
        with suppress(OSError):  # the reader notices it
            await self._writer.drain()
        return number

    async def frames(self) -> AsyncIterator[tuple[int, p.Event | None]]:
        """As `Connection.frames`."""
        while True:
            kind, number, *rest = await self._read()
            yield number, None if kind == "done" else wire.event(*rest)

    def close(self) -> None:
        self._writer.transport.abort()

    async def _read(self) -> list[Any]:
        try:
            head = await self._reader.readexactly(wire.LENGTH.size)
            return wire.unpack(await self._reader.readexactly(wire.size(head)))
        except (OSError, asyncio.IncompleteReadError, wire.BadFrameError) as error:
            raise EngineGoneError(GONE) from error
