"""The engine's socket: takes commands of clients for the worker, and gives them its events. Runs asyncio on a thread.

A slow reader delays nobody: progress is left out for it, because a later event carries the whole state, and it is cut
off when too much waits. A client that goes away takes its unserved questions with it; what it taught is learned.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from theta_tui import __version__
from theta_tui.base.text import person
from theta_tui.engine import wire
from theta_tui.engine.address import NAME, socket_path
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.session.thread import Order, Worker

PROGRESS = (p.Streaming, p.Learning, p.Loading, p.Reviewed)
"""Events that a later one replaces."""
BEHIND, CUT_OFF = 1 << 20, 64 << 20
"""Bytes that wait for a client: from here on it gets no progress, and from there on it is cut off."""
CLIENTS = 64
GREETING_SECONDS, LAST_SECONDS = 5.0, 0.5

log = logging.getLogger("theta")


@dataclass(eq=False)
class _Client:
    """Of the person `who`. `everything`: it gets the events of others too, as far as they are for that person."""

    number: int
    writer: asyncio.StreamWriter
    who: str = ""
    everything: bool = False
    greeted: bool = field(default=False)


class Server:
    """Lets others use `worker`. `start` it once the home is held, `stop` it before the home is released."""

    def __init__(self, worker: Worker, home: Path, about: Callable[[], dict[str, Any]]) -> None:
        self._worker = worker
        self._home = home
        self._about = about
        self._clients: dict[int, _Client] = {}
        self._numbers = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="theta-engine", daemon=True)
        self._latest: dict[str, p.Snapshot] = {}
        self.people = frozenset({worker.who, ""})
        """Whose snapshots are wanted: those who are here."""
        self.used_at = time.monotonic()
        """When a client was last served, or was last there."""

    # --- called from other threads ---

    def start(self) -> None:
        """Listen. Raises OSError."""
        with socket_path(self._home) as path:
            with suppress(FileNotFoundError):
                os.unlink(path)  # of a process that was killed: we hold the home
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            before = os.umask(0o177)
            try:
                listening.bind(path)
            finally:
                os.umask(before)
            self._file = os.stat(path).st_ino
        listening.listen(CLIENTS)
        self._listening = listening
        self._thread.start()

    def stop(self) -> None:
        """Cut all clients off, and remove the socket."""
        with socket_path(self._home) as path, suppress(FileNotFoundError):
            os.unlink(path)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2)

    def post(self, events: Mapping[str, p.Event]) -> None:
        """Deliver an event of the worker, as each person gets it. Called from its thread."""
        order = self._worker.serving
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._deliver, events, order)

    def answer(self, event: p.Event) -> None:
        """Deliver an event to the client whose command is served, and to nobody else. Called from its thread."""
        order = self._worker.serving
        if order is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._answer, event, order)

    def served(self, order: Order) -> None:
        """A command is over. Called from the worker's thread."""
        if order.origin and order.number:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._done, order)

    @property
    def reachable(self) -> bool:
        """Whether the socket is still where others look for it."""
        try:
            return os.stat(self._home / NAME).st_ino == self._file
        except OSError:
            return False

    @property
    def clients(self) -> int:
        return len(self._clients)

    # --- the loop's thread ---

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_unix_server(self._serve, sock=self._listening))
        try:
            self._loop.run_forever()
        finally:
            server.close()
            self._loop.run_until_complete(self._cut_off())

    async def _cut_off(self) -> None:
        """End all connections. What was written still arrives, at those who read."""
        writers = [client.writer for client in self._clients.values()]
        for writer in writers:
            writer.close()
        if writers:
            await asyncio.wait(
                [asyncio.ensure_future(writer.wait_closed()) for writer in writers], timeout=LAST_SECONDS
            )
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._numbers += 1
        client = _Client(self._numbers, writer)
        try:
            if not _is_mine(writer.get_extra_info("socket")) or len(self._clients) >= CLIENTS:
                return
            await asyncio.wait_for(self._greet(client, reader), GREETING_SECONDS)
            while client.greeted:
                await self._command(client, reader)
        except (wire.BadFrameError, asyncio.IncompleteReadError, OSError, TimeoutError) as error:
            if isinstance(error, wire.BadFrameError):
                log.warning("client %d was cut off: %s", client.number, error)
        finally:
            if self._clients.pop(client.number, None) is not None:
                self._worker.drop(client.number, client.who)
                self._count()
            self.used_at = time.monotonic()
            writer.close()

    async def _greet(self, client: _Client, reader: asyncio.StreamReader) -> None:
        greeting = await _frame(reader)
        if len(greeting) != 4 or greeting[0] != "hello" or not isinstance(greeting[3], dict):
            raise wire.BadFrameError("it does not greet")
        if greeting[1] != wire.PROTOCOL:
            why = f"the engine of this home is of Theta {__version__}, this is Theta {greeting[2]}"
            client.writer.write(wire.pack("refused", wire.PROTOCOL, __version__, why))
            await client.writer.drain()
            return
        client.writer.write(wire.pack("hello", wire.PROTOCOL, __version__, self._about()))
        wishes = greeting[3]
        client.everything, client.who = bool(wishes.get("everything")), person(str(wishes.get("who", "")))
        client.greeted = True
        self._clients[client.number] = client
        self._count()
        if not client.everything:
            return
        shot = self._latest.get(client.who)
        if shot is not None:
            known: p.Event = p.Loading(shot) if shot.phase == "loading" else p.Ready(shot, 0.0)
            client.writer.write(wire.pack("event", 0, type(known).__name__, wire.fields(known)))
        else:
            self._worker.queue(Order(c.Look(), client.number, who=client.who))

    def _count(self) -> None:
        """Somebody came, or went."""
        self.people = frozenset({self._worker.who, "", *(client.who for client in self._clients.values())})
        for gone in self._latest.keys() - self.people:
            del self._latest[gone]

    async def _command(self, client: _Client, reader: asyncio.StreamReader) -> None:
        frame = await _frame(reader)
        if len(frame) != 4 or not isinstance(frame[0], int) or not isinstance(frame[3], dict):
            raise wire.BadFrameError("it is no command")
        number, name, values, settings = frame
        command = wire.command(name, values)
        self.used_at = time.monotonic()
        if isinstance(command, c.Cancel):
            self._worker.cancel(client.number)
            return
        if not wire.FOR_ONE_COMMAND.issuperset(settings):
            raise wire.BadFrameError("it brings settings that are not for one command")
        self._worker.queue(Order(command, client.number, number, settings, who=client.who))

    def _deliver(self, events: Mapping[str, p.Event], order: Order | None) -> None:
        for who, event in events.items():
            if who in self.people:
                self._latest[who] = event.snapshot
                self._deliver_to(who, event, order)

    def _deliver_to(self, who: str, event: p.Event, order: Order | None) -> None:
        clients = [client for client in self._clients.values() if client.who == who]
        body = wire.fields(event) if clients else {}
        for_all = isinstance(event, p.Loading) or (isinstance(event, p.Failed) and event.fatal)
        others = b""
        for client in clients:
            own = order is not None and order.origin == client.number
            if not (own or for_all or client.everything):
                continue
            waiting = client.writer.transport.get_write_buffer_size()
            if waiting > CUT_OFF:
                client.writer.transport.abort()
            elif waiting <= BEHIND or not isinstance(event, PROGRESS):
                if own:
                    assert order is not None
                    client.writer.write(wire.pack("event", order.number, type(event).__name__, body))
                else:
                    others = others or wire.pack("event", 0, type(event).__name__, body)
                    client.writer.write(others)

    def _answer(self, event: p.Event, order: Order) -> None:
        client = self._clients.get(order.origin)
        if client is None:
            return
        if client.writer.transport.get_write_buffer_size() > CUT_OFF:
            client.writer.transport.abort()
        else:
            client.writer.write(wire.pack("event", order.number, type(event).__name__, wire.fields(event)))

    def _done(self, order: Order) -> None:
        self.used_at = time.monotonic()
        client = self._clients.get(order.origin)
        if client is not None:
            client.writer.write(wire.pack("done", order.number))


async def _frame(reader: asyncio.StreamReader) -> list[Any]:
    return wire.unpack(await reader.readexactly(wire.size(await reader.readexactly(wire.LENGTH.size))))


def _is_mine(connected: socket.socket) -> bool:
    """Whether the peer runs as the same user, where the kernel tells; the socket's mode says so too."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    found = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", found)[1] == os.getuid())
