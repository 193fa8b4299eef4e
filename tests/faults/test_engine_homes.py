"""The home of an engine: its disk is full, or fails, or a version before wrote it. What clients are told is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.engines import PATIENCE, Client, Place, compare
from tests.faults.forking import Forks
from tests.faults.full import disk as disk
from tests.faults.full import room_for
from tests.support.earlier_homes import DOG, TOWN, write_earlier_home
from theta_tui.base.config import Settings
from theta_tui.base.errors import ThetaError
from theta_tui.engine.client import Connection, EngineGoneError
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.store.records import Rebuilt

ROOMS = (0, 1, 4)


@pytest.fixture
def place(forks: Forks, folder: Path, model: Path) -> Place:
    return Place(forks, folder, model)


def replays(place: Place) -> None:
    """The next start gives what the journal says, to the bit."""
    life = place.forks.fork("tests.faults.callers:replays", place.home, environment=place.around)
    assert life.hear() == ([], True)
    life.close()


def refused(connection: Connection, command: c.Command) -> ThetaError | None:
    try:
        list(connection.events(command))
    except EngineGoneError:
        raise
    except ThetaError as error:
        return error
    return None


def test_a_full_disk_is_told_to_all_who_teach_and_the_engine_goes_on(forks: Forks, disk: Path, model: Path) -> None:
    place = Place(forks, disk / "full", model)
    place.folder.mkdir()
    clients = [Client(place, name) for name in ("ada", "ben")]
    told: list[str] = []
    with place.engine(), place.connect() as one, place.connect() as other:
        both = [(clients[0], one), (clients[1], other)]
        for client, connection in both:
            client.teach(connection)
        for pages in ROOMS:
            with room_for(disk, pages):
                errors = [client.teach_until_refused(connection, 40) for client, connection in both]
                errors += [refused(one, c.Propose("hello " * 50)), refused(other, c.Save())]
                told += [str(error) for error in errors if error is not None]
                assert errors[1] is not None, "there was room"
                assert refused(other, c.Ask("hello")) is None
            for client, connection in both:
                client.teach(connection)
            assert refused(one, c.Save()) is None
    assert told
    assert all(str(place.home) in error and "No space left" in error for error in told), told
    assert compare(place, clients)["not_told"] == 0
    replays(place)


@pytest.mark.slow  # the one before fills the disk later
def test_an_engine_that_starts_on_a_full_disk_teaches_when_there_is_room(forks: Forks, disk: Path, model: Path) -> None:
    place, client = Place(forks, disk / "start", model), Client(Place(forks, disk / "start", model), "ada")
    place.folder.mkdir()
    with place.engine(), place.connect() as connection:
        client.teach(connection)
    with room_for(disk, 0), place.engine(), place.connect() as connection:
        assert client.teach_until_refused(connection, 40) is not None
        assert refused(connection, c.Ask("hello")) is None
    with place.engine(), place.connect() as connection:
        client.teach(connection)
    assert compare(place, [client])["not_told"] == 0
    replays(place)


def test_an_engine_whose_disk_fails_says_so_and_ends_and_the_next_one_goes_on(place: Place) -> None:
    client = Client(place, "ada")
    with place.engine("run_with_a_bad_disk", place.home) as life, place.connect() as connection:
        client.teach(connection)
        life.line.send("fail")
        assert life.hear() == "bad"
        with pytest.raises(ThetaError, match="may not be on disk"):
            client.teach(connection)
        client.sent.pop()  # nobody knows
        assert life.wait() == 0
        assert not connection.alive
    with place.engine(), place.connect() as connection:
        client.sent.append("ada 1")
        client.teach(connection)
    assert compare(place, [client])["learned"] >= 2
    replays(place)


# --- a version before ---


def rebuilds(place: Place) -> int:
    return sum(isinstance(entry.record, Rebuilt) for entry in place.store().journal.entries)


def asked(connection: Connection, prompt: str) -> str:
    events = connection.events(c.Ask(prompt, False), {"max_tokens": 16})
    (answer,) = (event for event in events if isinstance(event, p.Answered))
    return answer.reply


def upgraded(place: Place, kills: int = 0) -> None:
    """Open such a home with an engine that three clients wait for. The first ones are killed while they learn its
    lessons again."""
    place.recipe = "default"
    write_earlier_home(Settings(home=place.home, model=str(place.model), device="cpu", threads=1))
    clients = [Client(place, name) for name in ("ada", "ben", "cem")]
    for _ in range(kills):
        with place.engine() as life, place.connect(everything=True) as waiting:
            stages = (event.snapshot.activity for _, event in waiting.frames() if event is not None)
            assert any(stage.startswith("learning the lessons of an earlier version") for stage in stages)
            life.kill()
        assert rebuilds(place) == 0
    with place.engine():
        threads = [client.go_on(2) for client in clients]
        with place.connect() as connection:
            assert (asked(connection, DOG[0]), asked(connection, TOWN[0])) == (DOG[1], TOWN[1])
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert rebuilds(place) == 1
    store = place.store()
    assert [one.number for one in store.state.active] == [1, 2, 4, *range(5, 11)]
    assert sorted(one.exchange.prompt for one in store.state.active[3:]) == sorted(
        prompt for client in clients for prompt in client.told
    )
    replays(place)


@pytest.mark.slow  # the next one does as much once its engines were killed
def test_a_home_of_the_version_before_is_opened_by_an_engine_with_clients(place: Place) -> None:
    upgraded(place)


def test_an_engine_that_is_killed_while_it_upgrades_a_home_leaves_it_to_the_next(place: Place) -> None:
    upgraded(place, kills=1)
