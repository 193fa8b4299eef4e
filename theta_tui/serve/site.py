"""The web page and its WebSocket: a visitor sends commands of the protocol, and gets its events, as JSON.

A visitor has a connection to the engine, a name, and a conversation of its own. What comes in is checked here; what
goes out is text, which the page puts into text nodes only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from theta_tui.base.text import person
from theta_tui.engine import wire
from theta_tui.engine.client import EngineGoneError
from theta_tui.serve.api import routes
from theta_tui.serve.guard import COOKIE, Guard, Pace
from theta_tui.serve.link import Link
from theta_tui.session import protocol as p

ALLOWED = frozenset({
    "Propose", "Regenerate", "Pick", "Correct", "TeachFact", "PassOver", "Say", "TakeBack", "NewConversation",
    "ShowLessons", "Cancel",
})  # fmt: skip
"""What the page sends. The engine refuses a visitor what is the owner's."""
PROGRESS = (p.Streaming, p.Learning, p.Loading, p.Reviewed)
WAITING = 64
"""Events that may wait for a visitor; progress is left out before that."""
MESSAGES_A_SECOND, MESSAGES_AT_ONCE = 8.0, 24.0
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
PAGE = {
    entry.name: entry.read_bytes()
    for entry in (resources.files("theta_tui.serve") / "page").iterdir()
    if Path(entry.name).suffix in TYPES
}

log = logging.getLogger("theta")


class Site:
    """The page of one home. `app` is the ASGI application."""

    def __init__(self, home: Path, token: str, hosts: Iterable[str], *, secure: bool = False) -> None:
        self._home = home
        self._token = token
        self._secure = secure
        self._visitors: dict[WebSocket, str] = {}
        self._queues: dict[WebSocket, asyncio.Queue[bytes]] = {}
        self.app = Starlette(
            routes=[
                Route("/", self._file),
                Route("/{name}", self._file),
                Route("/login", self._login, methods=["POST"]),
                WebSocketRoute("/live", self._live),
                *routes(home),
            ],
            middleware=[Middleware(Guard, token=token, hosts=hosts)],
        )

    async def _file(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        body = PAGE.get(name)
        if body is None:
            return Response("there is no such page", 404, media_type="text/plain")
        return Response(body, media_type=TYPES[Path(name).suffix])

    async def _login(self, request: Request) -> Response:
        """Exchange the token of the link, which stays in the address bar's fragment, for a cookie."""
        if not request.scope["theta.known"]:
            return JSONResponse({"error": "no token, or another one"}, 401)
        answer = JSONResponse({})
        answer.set_cookie(
            COOKIE, self._token, max_age=30 * 86400, httponly=True, samesite="strict", secure=self._secure
        )
        return answer

    async def _live(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            name = _name(await asyncio.wait_for(socket.receive_text(), 10))
            link = await Link.to(self._home, everything=True, who=name)
        except (TimeoutError, WebSocketDisconnect, ValueError, KeyError):
            await _close(socket, 4400)
            return
        except EngineGoneError:
            await _close(socket, 4503)
            return
        self._visitors[socket] = name
        outgoing = self._queues[socket] = asyncio.Queue[bytes](WAITING)
        self._tell_who_is_here()
        work = [
            asyncio.ensure_future(each)
            for each in (self._hear(socket, link), self._report(link, outgoing), _write(socket, outgoing))
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            for task in work:
                with suppress(asyncio.CancelledError, EngineGoneError, WebSocketDisconnect, OSError, RuntimeError):
                    await task
            link.close()
            del self._visitors[socket], self._queues[socket]
            self._tell_who_is_here()
            await _close(socket, 4503)

    async def _hear(self, socket: WebSocket, link: Link) -> None:
        """Pass the visitor's commands on. Ends with one that no page sends."""
        pace = Pace(MESSAGES_A_SECOND, MESSAGES_AT_ONCE)
        while True:
            text = await socket.receive_text()
            try:
                asked = msgspec.json.decode(text, type=dict[str, Any])
                if asked.get("do") not in ALLOWED or not pace.allows():
                    raise wire.BadFrameError(str(asked.get("do"))[:40])
                await link.send(wire.command(asked["do"], asked.get("with", {})))
            except (wire.BadFrameError, msgspec.DecodeError, RecursionError) as error:
                log.warning("a visitor was cut off: %s", error)
                return

    async def _report(self, link: Link, outgoing: asyncio.Queue[bytes]) -> None:
        """Pass the engine's events on; progress only while the visitor keeps up."""
        async for number, event in link.frames():
            if event is None:
                continue
            if isinstance(event, PROGRESS) and outgoing.qsize() > WAITING // 4:
                continue
            shown = {"event": type(event).__name__, "own": number > 0, **wire.fields(event)}
            if outgoing.full():
                return  # it reads too slowly: cut off, and it comes again
            outgoing.put_nowait(msgspec.json.encode(shown))

    def _tell_who_is_here(self) -> None:
        told = msgspec.json.encode({"event": "Here", "names": sorted(self._visitors.values())})
        for outgoing in self._queues.values():
            with suppress(asyncio.QueueFull):
                outgoing.put_nowait(told)


async def _write(socket: WebSocket, outgoing: asyncio.Queue[bytes]) -> None:
    while True:
        await socket.send_text((await outgoing.get()).decode())


async def _close(socket: WebSocket, code: int) -> None:
    with suppress(RuntimeError, OSError, WebSocketDisconnect):
        await socket.close(code)


def _name(text: str) -> str:
    """The name in a visitor's first message. Raises ValueError, or KeyError."""
    values = msgspec.json.decode(text, type=dict[str, Any])
    name = person(values["name"]) if isinstance(values["name"], str) else ""
    if not name:
        raise ValueError("a visitor needs a name")
    return name
