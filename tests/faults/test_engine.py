"""An engine that is killed, whose clients vanish, whom many use at once: what was acknowledged is there, once."""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.engines import Client, Place, compare, resident
from tests.faults.forking import Forks
from theta_tui.engine import wire
from theta_tui.engine.address import socket_path
from theta_tui.session import commands as c

MEGABYTE = 1_000_000


@pytest.fixture
def place(forks: Forks, folder: Path, model: Path) -> Place:
    return Place(forks, folder, model)


def killed(place: Place, times: int) -> Counter[str]:
    """Kill the engine of one home so often while three clients use it, and look each time; the next one goes on."""
    rng = random.Random(times)
    clients = [Client(place, name) for name in ("ada", "ben", "cem")]
    found: Counter[str] = Counter()
    for _ in range(times):
        with place.engine() as life:
            known = sum(len(client.told) for client in clients)
            threads = [client.go_on(talks=client.name == "cem") for client in clients]
            end = time.monotonic() + 60
            while sum(len(client.told) for client in clients) == known:
                assert time.monotonic() < end, "nothing is learned"
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.1))
            life.kill()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive()
        found += compare(place, clients)
    with place.engine(), place.connect() as connection:  # learns what was cut short
        list(connection.events(c.ShowLessons()))
        assert compare(place, clients)["cut_short"] == 0
    life = place.forks.fork("tests.faults.callers:replays", place.home, environment=place.around)
    assert life.hear() == ([], True)
    life.close()
    return found


def test_an_engine_that_is_killed_loses_nothing_that_it_acknowledged(place: Place) -> None:
    killed(place, 3)


@pytest.mark.slow
def test_an_engine_is_killed_at_100_instants(place: Place) -> None:
    found = killed(place, 100)
    print(dict(found))
    assert found["cut_short"] or found["not_told"]  # it was killed in the middle of lessons


def at_once(place: Place, clients: int, lessons: int) -> None:
    writers = [Client(place, f"writer {number}") for number in range(clients)]
    with place.engine():
        threads = [writer.go_on(lessons) for writer in writers]
        for thread in threads:
            thread.join(600)
            assert not thread.is_alive()
    assert compare(place, writers) == Counter(learned=clients * lessons, cut_short=0, not_told=0)


def test_ten_who_teach_at_once_lose_no_lesson(place: Place) -> None:
    at_once(place, 10, 3)


@pytest.mark.slow
def test_ten_teach_fifty_lessons_each_at_once(place: Place) -> None:
    at_once(place, 10, 50)


def test_clients_that_vanish_in_the_middle_of_anything_leave_the_engine_as_it_was(place: Place) -> None:
    rng = random.Random(1)
    hello = wire.pack("hello", wire.PROTOCOL, "any", {"everything": True})
    commands = [
        wire.pack(1, type(command).__name__, wire.fields(command), {})
        for command in (c.Propose("hello"), c.Ask("hello"), c.TeachPair("a", "b"), c.Quiz(), c.ShowHistory())
    ]
    with place.engine() as life, place.connect() as staying:
        for number in range(60):
            sent = hello + b"".join(rng.choices(commands, k=rng.randrange(4)))
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as leaving:
                with socket_path(place.home) as path:
                    leaving.connect(path)
                leaving.sendall(sent[: rng.randrange(len(sent) + 1)])
                if number % 3 == 0:
                    time.sleep(0.02)
                    leaving.setblocking(False)
        client = Client(place, "who stays")
        for _ in range(3):
            client.teach(staying)
        assert len(client.told) == 3
        open_files = len(list(Path(f"/proc/{life.pid}/fd").iterdir()))
        assert open_files < 60, "connections that ended are still open"


@pytest.mark.slow
def test_a_thousand_exchanges_of_ten_people_take_no_more_memory(place: Place) -> None:
    people = [Client(place, f"person {number}") for number in range(10)]
    with place.engine() as life:
        connections = [place.connect() for _ in people]
        used = []
        for number in range(1000):
            people[number % 10].talk(connections[number % 10])
            if number % 200 == 199:
                used.append(resident(life.pid))
        for connection in connections:
            connection.close()
    print([round(each / MEGABYTE) for each in used])
    assert used[-1] - used[0] <= 40 * MEGABYTE
