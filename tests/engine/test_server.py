"""One worker, several clients: who hears what, whose turn it is, and what of those who leave is still done."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from tests.support.services import PATIENCE, Desk, Engine
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeBusyError, ThetaError
from theta_tui.engine import wire
from theta_tui.engine.address import NAME, socket_path
from theta_tui.engine.client import Connection, EngineGoneError
from theta_tui.engine.host import Host
from theta_tui.engine.remote import RemoteWorker
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.session.fair_queue import FairQueue
from theta_tui.session.replies import Turn
from theta_tui.session.service import Service
from theta_tui.session.thread import Order


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine.running(tmp_path / "home") as made:
        yield made


@pytest.fixture
def connect(engine: Engine) -> Iterator[Callable[..., Connection]]:
    made: list[Connection] = []

    def one(*, everything: bool = False, who: str = "") -> Connection:
        found = Connection.to(engine.session.store.home.path, everything=everything, who=who)
        assert found is not None
        made.append(found)
        return found

    yield one
    for connection in made:
        connection.close()


def until(done: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end
        time.sleep(0.002)


def propose(connection: Connection, prompt: str) -> p.Snapshot:
    *_, last = connection.events(c.Propose(prompt))
    assert isinstance(last, p.Proposed)
    return last.snapshot


def test_a_client_gets_the_events_of_its_own_command_until_it_is_over(connect: Callable[..., Connection]) -> None:
    one = connect()
    shot = propose(one, "hello")
    assert shot.pending is not None
    events = list(one.events(c.Pick(shot.pending.prompt_id, 2)))
    taught = events[-1]
    assert isinstance(taught, p.Taught)
    assert (taught.outcome.prompt, taught.outcome.reply) == ("hello", "reply 2")
    assert taught.snapshot.turns[-1].reply == "reply 2"


def test_who_listens_to_everything_hears_of_the_lessons_of_others(connect: Callable[..., Connection]) -> None:
    heard: queue.Queue[p.Event] = queue.Queue()
    listening, teaching = connect(everything=True), connect()

    def listen() -> None:
        for number, event in listening.frames():
            assert number == 0
            if isinstance(event, p.Taught):
                heard.put(event)
                return

    thread = threading.Thread(target=listen)
    thread.start()
    shot = propose(teaching, "hello")
    assert shot.pending is not None
    list(teaching.events(c.Pick(shot.pending.prompt_id, 1)))
    assert heard.get(timeout=PATIENCE).snapshot.lessons == 1
    thread.join(PATIENCE)


def test_each_person_has_a_conversation_and_waiting_replies_of_their_own(
    engine: Engine, connect: Callable[..., Connection]
) -> None:
    ada, zoe, owner = connect(who="Ada"), connect(who=" Zoë\u202e "), connect()
    mine, theirs = propose(ada, "a prompt of Ada").pending, propose(zoe, "a prompt of Zoë").pending
    assert mine is not None
    assert theirs is not None
    taught = list(ada.events(c.Pick(mine.prompt_id, 2)))[-1]
    assert isinstance(taught, p.Taught)
    assert (taught.who, taught.snapshot.who) == ("Ada", "Ada")
    shot = propose(zoe, "another of Zoë")
    assert (shot.who, shot.turns, shot.lessons, shot.undo) == ("Zoë", (), 1, 0)
    shot = propose(owner, "one of the owner")
    assert (shot.who, shot.turns) == ("", ())
    assert engine.session.store.state.lessons[0].who == "Ada"
    assert engine.session.store.state.conversations[1].turns[0].prompt == "a prompt of Ada"


def test_who_listens_is_told_of_the_lessons_of_others_and_shown_its_own_conversation(
    engine: Engine, connect: Callable[..., Connection]
) -> None:
    """The screen of the process too: it is a listener like any other."""
    zoe, ada = connect(everything=True, who="Zoë"), connect(who="Ada")
    heard = (event for _, event in zoe.frames())
    assert isinstance(greeted := next(heard), p.Ready)
    assert greeted.snapshot.who == "Zoë"
    waiting = propose(ada, "hello").pending
    assert waiting is not None
    list(ada.events(c.Pick(waiting.prompt_id, 2)))
    first = next(heard)  # of all the events of Ada's two commands
    assert isinstance(first, p.Heard)
    assert first.words == "Ada taught: hello → reply 2 · 10 % → 90 %"
    assert (first.snapshot.who, first.snapshot.turns, first.snapshot.pending, first.snapshot.lessons) == (
        "Zoë", (), None, 1,
    )  # fmt: skip
    shown = engine.wait(p.Heard)
    assert (shown.snapshot.who, shown.snapshot.turns, shown.p_after) == ("", (), 0.9)
    assert not any(isinstance(event, p.Streaming | p.Proposed | p.Taught) for event in engine.events)


def test_what_is_learned_for_one_person_keeps_no_other_from_picking(
    engine: Engine, connect: Callable[..., Connection]
) -> None:
    ada, zoe = connect(who="Ada"), connect(everything=True, who="Zoë")
    mine, theirs = propose(ada, "mine").pending, propose(zoe, "theirs").pending
    assert mine is not None
    assert theirs is not None
    engine.session.hold.clear()
    ada.send(c.Pick(mine.prompt_id, 1))
    until(lambda: engine.host.serving is not None)
    zoe.send(c.Pick(theirs.prompt_id, 2))
    engine.session.hold.set()
    phases = []
    for number, event in zoe.frames():
        if event is None and number == 2:
            break
        if isinstance(event, p.Heard):
            phases.append(event.snapshot.phase)
    assert phases == ["choosing"]
    assert [lesson.who for lesson in engine.session.store.state.lessons] == ["Ada", "Zoë"]


def test_an_error_reaches_who_caused_it_with_its_exit_code(connect: Callable[..., Connection]) -> None:
    with pytest.raises(ThetaError, match="no prompt waits") as refused:
        list(connect().events(c.Pick("ab", 1)))
    assert (refused.value.code, refused.value.name) == (3, "no_prompt")


def test_settings_for_one_command_are_those_of_no_other(engine: Engine, connect: Callable[..., Connection]) -> None:
    seen: list[float] = []
    wrapped = engine.session.proposing

    def propose_and_look(prompt: str, **more: Any) -> Any:
        seen.append(engine.session.store.settings.temperature)
        return wrapped(prompt, **more)

    engine.session.proposing = propose_and_look  # type: ignore[method-assign]
    own = engine.session.store.settings.temperature
    one = connect()
    list(one.events(c.Propose("hello"), {"temperature": 0.25}))
    list(one.events(c.Propose("hello")))
    assert seen == [0.25, own]


def test_a_setting_that_is_not_for_one_command_ends_the_connection(connect: Callable[..., Connection]) -> None:
    with pytest.raises(EngineGoneError):
        list(connect().events(c.Propose("hello"), {"home": "/tmp"}))


def test_who_waits_for_the_same_is_served_together(
    engine: Engine, connect: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[str]] = []
    serve = Service.serve

    def counted(service: Service, *turns: Turn) -> None:
        batches.append([f"{turn.who} {type(turn.command).__name__}".strip() for turn in turns])
        serve(service, *turns)

    monkeypatch.setattr(Service, "serve", counted)
    engine.session.hold.clear()
    first, *people = connect(), *(connect(who=who) for who in ("Ada", "Zoë", "Bob", "", ""))
    first.send(c.Propose("one of the owner"))
    engine.wait(p.Streaming)
    commands = (c.Propose("of Ada"), c.Look(), c.Propose("of Bob"), c.Propose("a second"), c.Propose("a third"))
    for one, command in zip(people, commands, strict=True):
        one.send(command)
    until(lambda: len(engine.host._queue._waiting) == 5)
    engine.session.hold.set()
    ends = [[event for _, event in takewhile(lambda frame: frame[1], one.frames())][-1] for one in (first, *people)]
    assert [type(event).__name__ for event in ends] == ["Proposed", "Proposed", "Ready", *["Proposed"] * 3]
    assert [event.snapshot.who for event in ends if event] == ["", "Ada", "Zoë", "Bob", "", ""]
    own = "Propose"  # the owner's programs share a conversation, so they are served one after another
    assert batches[-4:] == [[own], ["Ada Propose", "Bob Propose", own], ["Zoë Look"], [own]]


def test_to_cancel_stops_ones_own_command_alone(engine: Engine, connect: Callable[..., Connection]) -> None:
    engine.session.hold.clear()
    one, other = connect(), connect()
    one.send(c.Propose("mine"))
    engine.wait(p.Streaming)
    other.send(c.Cancel())
    other.send(c.Propose("theirs"))
    one.send(c.Cancel())
    until(lambda: len(engine.host._cancelled_up_to) == 2)
    engine.session.hold.set()
    assert engine.wait(p.Cancelled).prompt == "mine"
    assert engine.wait(p.Proposed).snapshot.pending is not None


def test_what_a_client_that_left_had_taught_is_learned_and_what_it_asked_is_not(
    engine: Engine, connect: Callable[..., Connection]
) -> None:
    engine.session.hold.clear()
    stays, leaves = connect(), connect()
    shot_id = "id"  # of every prompt that waits here
    stays.send(c.Propose("hello"))
    engine.wait(p.Streaming)
    leaves.send(c.Pick(shot_id, 3))
    leaves.send(c.Propose("never answered"))
    server = engine.host.server
    assert server is not None
    until(lambda: not engine.host._queue.empty())
    leaves.close()
    until(lambda: server.clients == 1)
    engine.session.hold.set()
    assert engine.wait(p.Taught).outcome.reply == "reply 3"
    list(stays.events(c.Propose("and now")))
    assert all(event.prompt != "never answered" for event in engine.events if isinstance(event, p.Streaming))


def test_a_client_that_reads_nothing_delays_nobody(engine: Engine, connect: Callable[..., Connection]) -> None:
    asleep, awake = connect(everything=True), connect()
    for _ in range(20):
        propose(awake, "x" * 100_000)
    assert engine.host.server is not None
    assert engine.host.server.clients == 2
    asleep.close()


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, wire.pack("hello"), wire.pack(1, "Pick", {}, {}), b""]
)
def test_who_does_not_greet_gets_nothing(engine: Engine, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(PATIENCE)
        stranger.connect(str(engine.session.store.home.path / NAME))
        stranger.sendall(sent)
        stranger.shutdown(socket.SHUT_WR)
        assert stranger.recv(100) == b""


def test_a_client_of_another_version_is_told(engine: Engine) -> None:
    with socket.socket(socket.AF_UNIX) as later:
        later.connect(str(engine.session.store.home.path / NAME))
        later.sendall(wire.pack("hello", wire.PROTOCOL + 1, "9.9.9", {}))
        kind, protocol, _, why = wire.unpack(later.makefile("rb").read()[4:])
    assert (kind, protocol) == ("refused", wire.PROTOCOL)
    assert "9.9.9" in why


def test_who_was_refused_says_how_to_go_on() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(wire.pack("refused", 9, "9.9.9", "the engine of this home is of Theta 9.9.9"))
        with pytest.raises(HomeBusyError, match=r"9\.9\.9; end it .* theta engine stop"):
            Connection(ours, everything=False)


def test_only_the_owner_can_use_the_socket(engine: Engine) -> None:
    path = engine.session.store.home.path / NAME
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_socket_goes_with_the_engine_and_one_left_behind_is_no_engine(engine: Engine, tmp_path: Path) -> None:
    home = engine.session.store.home.path
    engine.worker.request_stop()
    assert engine.worker.join(PATIENCE)
    assert not (home / NAME).exists()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(home / NAME))
    assert Connection.to(home) is None
    again = Engine(Settings(home=home))
    again.start()
    found = Connection.to(home)
    assert found is not None
    found.close()
    again.worker.request_stop()
    assert again.worker.join(PATIENCE)


def test_a_home_with_a_long_path_has_an_engine_too(tmp_path: Path) -> None:
    home = tmp_path / ("a" * 100) / ("b" * 100)
    engine = Engine(Settings(home=home))
    engine.start()
    found = Connection.to(home)
    assert found is not None
    assert found.about["home"] == str(home)
    with socket_path(home) as path:
        assert len(path) < 100
    found.close()
    engine.worker.request_stop()
    assert engine.worker.join(PATIENCE)


def test_an_app_that_loses_its_engine_takes_its_place(engine: Engine) -> None:
    home = engine.session.store.home.path
    later = Desk(Settings(home=home))
    connection = Connection.to(home, everything=True)
    assert connection is not None
    remote = RemoteWorker(connection, home, lambda: Host(Settings(home=home), later.open))  # type: ignore[arg-type]
    later.worker = remote  # type: ignore[assignment]
    later.start()
    assert later.wait(p.Ready).snapshot.lessons == 0
    remote.send(c.Propose("hello"))
    later.wait(p.Proposed)
    engine.worker.request_stop()
    assert later.wait(p.Loading).snapshot.activity.startswith("the engine has ended")
    later.wait(p.Ready, 2)
    remote.send(c.Pick("id", 1))
    assert later.wait(p.Taught).outcome.prompt == "hello"  # it waited in the home
    remote.request_stop()
    assert remote.join(PATIENCE)


def test_a_person_with_two_windows_has_one_turn() -> None:
    waiting: FairQueue[str] = FairQueue()
    for who, origin, item in (("Ada", 1, "a1"), ("Ada", 2, "a2"), ("", 3, "b1"), ("", 4, "c1")):
        waiting.put(Order(c.Save(), origin, who=who).turn, item)
    assert [waiting.get() for _ in range(4)] == ["a1", "b1", "c1", "a2"]


def test_origins_take_turns() -> None:
    waiting: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3"):
        waiting.put(1, item)
    waiting.put(2, "b1")
    waiting.put(3, "c1")
    waiting.put(2, "b2")
    assert [waiting.get() for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert waiting.empty()
    with pytest.raises(queue.Empty):
        waiting.get(timeout=0)


def test_what_an_origin_no_longer_wants_is_dropped() -> None:
    waiting: FairQueue[str] = FairQueue()
    for item in ("ask", "teach", "ask"):
        waiting.put(1, item)
    waiting.put(2, "ask")
    assert waiting.drop(1, lambda item: item == "ask") == ["ask", "ask"]
    assert [waiting.get(), waiting.get()] == ["ask", "teach"]
    assert waiting.drop(7, lambda _: True) == []
