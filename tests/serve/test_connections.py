"""Connections that never finish what they begin, in front of a real server; and https."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import h11
import httpx
import pytest
from websockets.sync.client import connect

from tests.serve.conftest import TOKEN, Live, served
from tests.support.services import PATIENCE
from theta_tui.cli import app as cli
from theta_tui.serve import connections

Raw = Callable[..., socket.socket]


@pytest.fixture
def raw(live: Live) -> Iterator[Raw]:
    """Opens a connection to the server, or to the one at an address."""

    def opened(address: str = live.address) -> socket.socket:
        parts = urlsplit(address)
        return stack.enter_context(socket.create_connection((parts.hostname, parts.port), PATIENCE))

    with ExitStack() as stack:
        yield opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS", {h11.IDLE: 0.2, h11.SEND_BODY: 0.2})


def head(address: str, what: str, *more: str) -> bytes:
    lines = (f"{what} HTTP/1.1", f"host: {urlsplit(address).netloc}", f"authorization: Bearer {TOKEN}", *more)
    return "\r\n".join((*lines, "", "")).encode()


def to_its_end(connection: socket.socket) -> bytes:
    """What still comes. The server ends it; waiting longer than PATIENCE fails."""
    found = b""
    try:
        while piece := connection.recv(1 << 16):
            found += piece
    except ConnectionResetError:
        pass
    return found


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("part", [0, 1, -2], ids=["nothing", "a letter", "all but the end"])
def test_headers_without_an_end_are_not_waited_for(live: Live, raw: Raw, web: httpx.Client, part: int) -> None:
    connection = raw()
    connection.sendall(head(live.address, "GET /")[:part])
    assert to_its_end(connection) == b""
    assert web.get("/").status_code == 200


@pytest.mark.usefixtures("impatient")
def test_nor_are_those_of_the_next_request(live: Live, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEEP_ALIVE", 0.2)
    with served(live.mind.settings.home) as address:
        connection = raw(address)
        connection.sendall(head(address, "GET /icon.svg") * 3 + b"GET /")
        assert to_its_end(connection).count(b"HTTP/1.1 200") == 3


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("path", ["/v1/theta/lessons", "/nowhere"])
def test_nor_is_a_body_without_an_end(
    live: Live, raw: Raw, web: httpx.Client, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection = raw()
    sent = head(live.address, f"POST {path}", "content-type: application/json", "content-length: 20")
    connection.sendall(sent + b'{"prompt')
    to_its_end(connection)
    assert web.get("/").status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.usefixtures("impatient")
def test_who_has_come_in_may_stay(live: Live, raw: Raw) -> None:
    address = live.address.replace("http", "ws") + "/live"
    with connect(address, additional_headers={"authorization": f"Bearer {TOKEN}"}) as page:
        page.send('{"name": "Ada"}')
        later = raw()  # it is cut off after the page would be
        to_its_end(later)
        page.send('{"do": "ShowLessons"}')
        while '"Ledger"' not in page.recv(PATIENCE):
            pass


def test_one_address_has_so_many_connections_and_no_more(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "FROM_ONE_ADDRESS", 2)
    # A server of its own: the others' programs stay connected.
    with served(live.mind.settings.home) as address, ExitStack() as stack:
        place = urlsplit(address)

        def opened() -> socket.socket:
            return stack.enter_context(socket.create_connection((place.hostname, place.port), PATIENCE))

        def answered(connection: socket.socket) -> bool:
            try:
                connection.sendall(f"GET /icon.svg HTTP/1.1\r\nhost: {place.netloc}\r\n\r\n".encode())
                while piece := connection.recv(1 << 16):
                    if b"HTTP/1.1 200" in piece:
                        return True
            except OSError:
                pass
            return False

        known = {"authorization": f"Bearer {TOKEN}"}
        page = stack.enter_context(connect(address.replace("http", "ws") + "/live", additional_headers=known))
        page.send('{"name": "Ada"}')
        assert "Ada" in page.recv(PATIENCE)
        other = opened()
        assert answered(other)
        assert not answered(opened()), "a WebSocket counts too"
        assert answered(other), "who is in stays in"
        other.close()
        assert answered(opened())


# --- https ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine, and its key."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("there is no openssl here")
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "cert.pem", folder / "key.pem"
    command = [
        openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-out", made[0], "-keyout", made[1], "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return made


def test_https_with_a_certificate_of_ones_own(live: Live, certificate: tuple[Path, Path]) -> None:
    openai = pytest.importorskip("openai", reason="the openai package is not installed")
    trusting = ssl.create_default_context(cafile=certificate[0])
    known = {"authorization": f"Bearer {TOKEN}"}
    with served(live.mind.settings.home, *certificate) as address:
        with httpx.Client(base_url=address, verify=trusting, headers=known) as web:
            assert web.get("/").status_code == 200
            cookie = web.post("/login").headers["set-cookie"]
            assert {"Secure", "HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
            client = openai.OpenAI(base_url=f"{address}/v1", api_key=TOKEN, http_client=web)
            asked = {"model": "theta", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
            assert client.chat.completions.create(**asked).usage.completion_tokens > 0
            assert len(list(client.chat.completions.create(stream=True, **asked))) > 1
        with connect(address.replace("http", "ws") + "/live", ssl=trusting, additional_headers=known) as page:
            page.send('{"name": "Ada"}')
            assert "Ada" in page.recv(PATIENCE)
        with pytest.raises(httpx.ConnectError, match="self-signed"):
            httpx.get(address)
        with pytest.raises(httpx.HTTPError):
            httpx.get(address.replace("https", "http"))


def test_a_certificate_that_cannot_be_used_is_refused_before_anything_is_served(
    certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cert, key = map(str, certificate)
    monkeypatch.setenv("THETA_HOME", str(tmp_path / "home"))
    for given, why in (
        (("--certfile", "/nowhere.pem"), "/nowhere.pem cannot be read (No such file or directory)"),
        (("--certfile", cert), f"{cert} is no certificate in PEM, with its key"),
        (("--certfile", key, "--keyfile", cert), "is no certificate in PEM, with its key"),
        (("--keyfile", key), "give that too, with --certfile"),
    ):
        monkeypatch.setattr(sys, "argv", ["theta", "serve", *given])
        with pytest.raises(SystemExit, match="2"):
            cli.main()
        said = capsys.readouterr()
        assert why in said.err
        assert said.out == ""
    assert not (tmp_path / "home").exists()
