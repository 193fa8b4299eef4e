"""A worker that lets others use it: in the app, and in a background process of its own."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from theta_tui.engine.server import Server
from theta_tui.session.completions import Private
from theta_tui.session.protocol import Event
from theta_tui.session.thread import Worker

if TYPE_CHECKING:
    from theta_tui.base.config import Settings
    from theta_tui.session.session import Session

log = logging.getLogger("theta")


class Host(Worker):
    """A worker with a socket. Where there can be none (no Unix sockets, a file system without them) it works alone."""

    def __init__(
        self, settings: Settings, open_session: Callable[[Settings], Session], *, in_app: bool = False
    ) -> None:
        super().__init__(settings, self._open_and_listen)
        self._open_home = open_session
        self._in_app = in_app
        self.server: Server | None = None
        self._writable = False
        self.began_at = time.time()

    def _tell(self, event: Event) -> None:
        server = self.server
        if isinstance(event, Private):
            if server is not None:
                server.answer(event)
            return
        super()._tell(event)
        if server is not None:
            server.post({who: seen for who in server.people if (seen := self._seen_by(who, event)) is not None})
            self._end_if_broken(event.snapshot.read_only)

    def _end_if_broken(self, read_only: str | None) -> None:
        """End in the background when the journal cannot be written any more: only opening it again helps, and the next
        command starts another engine."""
        self._writable = self._writable or read_only is None
        if self._writable and read_only is not None and not self._in_app:
            log.error("the engine ends: %s", read_only)
            self.request_stop()

    def _open_and_listen(self, settings: Settings) -> Session:
        session = self._open_home(settings)
        server = Server(self, settings.home, lambda: self._about(session))
        try:
            server.start()
        except OSError as error:
            log.warning("no engine for others: %s", error)
            return session
        self.server = server
        self.on_served, self.on_closing = server.served, server.stop
        return session

    def _about(self, session: Session) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "app": self._in_app,
            "home": str(session.settings.home),
            "model": session.settings.model,
            "context": str(session.settings.context_path),
            "began_at": self.began_at,
            "clients": self.server.clients if self.server is not None else 0,
        }
