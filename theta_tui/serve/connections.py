"""How uvicorn serves the site: its limits, and an end of patience with who never finishes a request."""

from __future__ import annotations

import asyncio
from pathlib import Path

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 256
"""So many at once. Further ones are told that the server is busy."""
FROM_ONE_ADDRESS = 64
"""Of one address, so many at once: it takes no more than a quarter of all. Further ones are cut off."""
KEEP_ALIVE = 15
"""So many seconds a connection stays between two requests."""
SECONDS: dict[object, float] = {h11.IDLE: 10.0, h11.SEND_BODY: 30.0}
"""The headers of a request, and then its body, are there within this time, or the connection is cut off. Uvicorn itself
waits for ever."""


def configured(app: ASGIApp, *, certfile: Path | None = None, keyfile: Path | None = None) -> uvicorn.Config:
    """What a server of `app` is made with."""
    return uvicorn.Config(
        app, http=Impatient, log_level="warning", access_log=False, ws_max_size=1 << 20, ws_max_queue=8,
        limit_concurrency=CONNECTIONS, ssl_certfile=certfile, ssl_keyfile=keyfile, server_header=False,
        date_header=False, timeout_keep_alive=KEEP_ALIVE,
    )  # fmt: skip


class Impatient(H11Protocol):
    """Cuts off who does not finish a request in time, and who has too many connections. Between two requests KEEP_ALIVE
    applies."""

    _due: asyncio.TimerHandle | None = None
    _awaited: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peers = [getattr(other, "client", None) for other in self.connections]  # WebSockets too
        if self.client is not None and sum(peer[0] == self.client[0] for peer in peers if peer) > FROM_ONE_ADDRESS:
            transport.abort()
        self._wait_for(h11.IDLE)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_for(self.conn.their_state if self.transport.get_protocol() is self else None)  # or it is a WebSocket

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_for(None)
        super().connection_lost(exc)

    def _wait_for(self, what: object) -> None:
        """Wait for one of SECONDS; in any other state it is not the client that is waited for."""
        if what is self._awaited:
            return
        if self._due is not None:
            self._due.cancel()
        self._awaited, self._due = what, None
        if what in SECONDS:
            self._due = self.loop.call_later(SECONDS[what], self.transport.abort)
