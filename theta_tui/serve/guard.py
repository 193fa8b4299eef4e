"""Who may come in: a token, this host's name, this page's origin, and limits on size and rate."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
import time
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from theta_tui.base.files import write_atomically

COOKIE = "theta"
TOKEN_FILE = "serve.token"
MOST_BODY = 1 << 20
"""Bytes of a request."""
SEND_SECONDS = 30.0
"""Who does not take a piece of an answer within this time is cut off."""
TOO_LONG = f"a request may have {MOST_BODY:,} bytes"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

log = logging.getLogger("theta")


def token_of(home: Path, *, new: bool = False) -> str:
    """The token of a home, made at its first use, or a `new` one: those who have the old one must be told."""
    path = home / TOKEN_FILE
    if not new and path.is_file():
        found = path.read_text("ascii", errors="replace").strip()
        if len(found) >= 22:
            return found
    token = secrets.token_urlsafe(24)
    write_atomically(path, token.encode())
    os.chmod(path, 0o600)
    return token


class Guard:
    """Middleware before everything else. `hosts` are the names and addresses that this server answers to, with port;
    whoever comes by another one was sent by a name that resolves to this machine (DNS rebinding)."""

    def __init__(self, app: ASGIApp, token: str, hosts: Iterable[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope["theta.known"] = self._known(headers)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(scope, receive, send, refusal)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, _bounded(receive), _with_headers(send))
        except TooLongError:
            await _refusal(scope, TOO_LONG, 413)(scope, receive, _with_headers(send))
        except _SlowReaderError:
            log.warning("a reader was too slow, and was cut off")

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return _refusal(scope, "this server does not answer to that name", 421)
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{host}", f"https://{host}"}:
            return _refusal(scope, "another site may not use this one", 403)
        if scope["type"] == "websocket" and not scope["theta.known"]:
            return _refusal(scope, "no token, or another one", 401)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > MOST_BODY:
            return _refusal(scope, TOO_LONG, 413)
        return None

    def _known(self, headers: Headers) -> bool:
        """Whether the token came along: as a cookie of the page, or in a header of a program."""
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        offered = bearer.strip() if scheme.lower() == "bearer" else _cookie(headers.get("cookie", ""))
        return hmac.compare_digest(offered.encode("utf-8", "replace"), self._token)


def _refusal(scope: Scope, text: str, status: int) -> Response:
    """Text, or an error in the form of the API."""
    if not scope["path"].startswith("/v1/"):
        return PlainTextResponse(text, status)
    problem = {"message": text, "type": "invalid_request_error", "param": None, "code": "refused"}
    return JSONResponse({"error": problem}, status)


class Pace:
    """At most `rate` messages a second on average, `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, time.monotonic()

    def allows(self) -> bool:
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


class TooLongError(Exception):
    """A request without a length sent more than MOST_BODY."""


class _SlowReaderError(Exception):
    """An answer is not taken."""


def _bounded(receive: Receive) -> Receive:
    total = 0

    async def bounded() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > MOST_BODY:
            raise TooLongError
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", []), *own]}
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)
        except TimeoutError:
            raise _SlowReaderError from None

    return sent


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "websocket":
        await receive()  # its connect
        await send({"type": "websocket.close", "code": 4000 + response.status_code, "reason": ""})
    else:
        await response(scope, receive, _with_headers(send))
