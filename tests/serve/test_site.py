"""The page: who is let in, what a visitor may do, and that two of them see each other's lessons."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from tests.support.services import PATIENCE, Engine
from theta_tui.serve import guard
from theta_tui.serve.guard import COOKIE, MOST_BODY, Pace, token_of
from theta_tui.serve.site import PAGE, Site

TOKEN = "t" * 32
HOST = "127.0.0.1:8765"
HERE = {"host": HOST}
KNOWN = HERE | {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    with Engine.running(home) as made:
        yield made


@pytest.fixture
def client(home: Path) -> Iterator[TestClient]:
    with TestClient(Site(home, TOKEN, ["127.0.0.1", HOST]).app, base_url=f"http://{HOST}") as made:
        yield made


@pytest.fixture
def visit(engine: Engine, client: TestClient) -> Iterator[Callable[[str], WebSocketTestSession]]:
    visitors: list[WebSocketTestSession] = []

    def come_in(name: str) -> WebSocketTestSession:
        visitor = client.websocket_connect("/live", headers=KNOWN)
        visitor.__enter__()
        visitors.append(visitor)
        visitor.send_json({"name": name})
        return visitor

    yield come_in
    for visitor in visitors:
        visitor.__exit__(None, None, None)


def until(visitor: WebSocketTestSession, name: str, **wanted: Any) -> dict[str, Any]:
    """The next event of this name, with these fields."""
    while True:
        found: dict[str, Any] = visitor.receive_json()
        if found["event"] == name and all(found[field] == value for field, value in wanted.items()):
            return found


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_script_of_its_own_text(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name, body in PAGE.items():
        assert b"https://" not in body, name
        assert b"http://" not in body.replace(b"http://www.w3.org/", b""), name
        assert client.get(f"/{name}").headers["x-content-type-options"] == "nosniff"
    assert b"innerHTML" not in PAGE["app.js"]
    assert b" onclick=" not in PAGE["index.html"]
    assert b"<script>" not in PAGE["index.html"]


@pytest.mark.parametrize("path", ["/nothing", "/..%2f..%2fpyproject.toml", "/guard.py", "/%00", "/login"])
def test_there_is_nothing_else_to_get(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in {404, 405}


def test_the_token_of_the_link_becomes_a_cookie_that_no_script_reads(client: TestClient) -> None:
    assert client.post("/login").status_code == 401
    assert client.post("/login", headers={"authorization": "Bearer wrong"}).status_code == 401
    answer = client.post("/login", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}={TOKEN};")
    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in cookie.split(";")}
    client.cookies.clear()
    assert client.post("/login", headers={"cookie": f"{COOKIE}={TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1:80", "", "127.0.0.1:8765.evil.example"]
)
def test_a_name_that_resolves_to_this_machine_is_not_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:8766"])
def test_another_site_cannot_use_this_one(client: TestClient, engine: Engine, origin: str) -> None:
    assert client.post("/login", headers=KNOWN | {"origin": origin}).status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/live", headers=KNOWN | {"origin": origin}):
        pass


def test_without_the_token_there_is_no_live_connection(client: TestClient, engine: Engine) -> None:
    for more in ({}, {"authorization": "Bearer " + "x" * 32}, {"cookie": f"{COOKIE}=x"}):
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/live", headers=HERE | more):
            pass
        assert refused.value.code == 4401


def test_a_request_may_not_be_huge(client: TestClient) -> None:
    assert client.post("/login", headers=KNOWN, content=b"x" * (MOST_BODY + 1)).status_code == 413
    assert client.post("/login", headers=KNOWN | {"content-length": "-1"}).status_code == 413


async def test_who_does_not_take_an_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(guard, "SEND_SECONDS", 0.05)
    taken: list[str] = []

    async def send(message: Any) -> None:
        taken.append(message["type"])
        if len(taken) > 1:
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    asked = {"type": "http", "method": "GET", "path": "/app.js", "raw_path": b"/app.js", "query_string": b"",
             "headers": [(b"host", HOST.encode())], "asgi": {"spec_version": "2.3"}}  # fmt: skip
    await asyncio.wait_for(Site(home, TOKEN, [HOST]).app(asked, receive, send), PATIENCE)
    assert taken == ["http.response.start", "http.response.body"]


def test_two_visitors_teach_one_mind_and_each_sees_the_lesson_of_the_other(
    visit: Callable[[str], WebSocketTestSession],
) -> None:
    ada = visit("Ada")
    until(ada, "Here", names=["Ada"])
    zoe = visit("Zoë \u202e")
    assert until(ada, "Here")["names"][0] == "Ada"
    ada.send_json({"do": "Propose", "with": {"prompt": "hello"}})
    waiting = until(ada, "Proposed", own=True)["snapshot"]["pending"]
    ada.send_json({"do": "Pick", "with": {"prompt_id": waiting["prompt_id"], "index": 2}})
    assert until(ada, "Taught", own=True)["outcome"]["reply"] == "reply 2"
    seen = until(zoe, "Heard", own=False, deed="teach")
    assert (seen["who"], seen["reply"], seen["p_after"]) == ("Ada", "reply 2", 0.9)
    shot = seen["snapshot"]
    assert (shot["lessons"], shot["who"], shot["turns"], shot["pending"], shot["undo"]) == (1, "Zoë", [], None, 0)
    zoe.send_json({"do": "TakeBack", "with": {"deed": "undo"}})
    assert "you have taught none" in until(zoe, "Failed", own=True)["message"]
    zoe.send_json({"do": "TakeBack", "with": {"deed": "withdraw", "number": 1}})
    assert "somebody else's" in until(zoe, "Failed", own=True)["message"]
    ada.send_json({"do": "TakeBack", "with": {"deed": "undo"}})
    assert until(ada, "TakenBack", own=True)["number"] == 1
    assert until(zoe, "Heard", own=False, deed="undo")["snapshot"]["lessons"] == 0


@pytest.mark.parametrize(
    "sent",
    [
        "{",
        "[]",
        json.dumps({"do": "Export", "with": {"kind": "hf", "path": "/tmp/x"}}),
        json.dumps({"do": "Configure", "with": {"name": "recipe", "value": "classic"}}),
        json.dumps({"do": "Pick", "with": {"prompt_id": 3}}),
        json.dumps({"do": "Propose", "with": {"prompt": "a", "more": 1}}),
        "[" * 100_000,
    ],
)
def test_who_sends_what_no_page_sends_is_cut_off(visit: Callable[[str], WebSocketTestSession], sent: str) -> None:
    visitor = visit("Mallory")
    visitor.send_text(sent)
    with pytest.raises(WebSocketDisconnect):
        until(visitor, "nothing more")


@pytest.mark.parametrize("first", ["", "{}", '{"name": 3}', '{"name": " \\u200b"}', "x" * 100])
def test_a_visitor_needs_a_name(client: TestClient, engine: Engine, first: str) -> None:
    with client.websocket_connect("/live", headers=KNOWN) as visitor:
        visitor.send_text(first)
        with pytest.raises(WebSocketDisconnect) as refused:
            visitor.receive_json()
    assert refused.value.code == 4400


def test_where_no_engine_runs_a_visitor_is_told_to_come_again(client: TestClient, home: Path) -> None:
    home.mkdir()
    with client.websocket_connect("/live", headers=KNOWN) as visitor:
        visitor.send_json({"name": "Ada"})
        with pytest.raises(WebSocketDisconnect) as refused:
            visitor.receive_json()
    assert refused.value.code == 4503


def test_a_visitor_has_a_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    pace = Pace(2.0, 3.0)
    assert [pace.allows() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [pace.allows() for _ in range(2)] == [True, False]
    now = 60.0
    assert [pace.allows() for _ in range(4)] == [True, True, True, False]


def test_a_home_keeps_its_token_until_a_new_one_is_made(home: Path) -> None:
    home.mkdir()
    token = token_of(home)
    assert len(token) >= 32
    assert token_of(home) == token
    assert (home / "serve.token").stat().st_mode & 0o777 == 0o600
    assert token_of(home, new=True) != token
    (home / "serve.token").write_text("short")
    assert token_of(home) != "short"
