"""The site of a home with a real, tiny model, served on a port."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from tests.support.services import PATIENCE, Engine
from tests.support.tiny_models import make_tiny
from theta_tui.base.config import Settings
from theta_tui.cli.serve import _listen
from theta_tui.serve.connections import configured
from theta_tui.serve.site import Site
from theta_tui.session.session import Session
from theta_tui.store.store import Store

TOKEN = "t" * 32


class Live(Engine):
    """An engine on a real session, and the address at which its home is served."""

    mind: Session
    address = ""

    def open(self, settings: Settings) -> Session:  # type: ignore[override]
        self.mind = Session(Store.open(settings))
        return self.mind


@contextmanager
def served(home: Path, certfile: Path | None = None, keyfile: Path | None = None) -> Iterator[str]:
    """Serves a home; yields the address."""
    listening = _listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    site = Site(home, TOKEN, [f"127.0.0.1:{port}"], secure=certfile is not None)
    server = uvicorn.Server(configured(site.app, certfile=certfile, keyfile=keyfile))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    yield f"http{'' if certfile is None else 's'}://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(PATIENCE)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    model = make_tiny(folder / "model")
    made = Live(Settings(home=folder / "home", model=str(model), device="cpu", lock_wait=0, idle=False, max_tokens=8))
    made.start()
    with served(folder / "home") as made.address:
        yield made
    made.worker.request_stop()
    assert made.worker.join(PATIENCE)


@pytest.fixture(scope="module")
def stranger(live: Live) -> Iterator[httpx.Client]:
    """A program that has no token."""
    with httpx.Client(base_url=live.address, timeout=PATIENCE) as made:
        yield made


@pytest.fixture(scope="module")
def web(live: Live) -> Iterator[httpx.Client]:
    """A program that has the token."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=live.address, headers=headers, timeout=PATIENCE) as made:
        yield made
