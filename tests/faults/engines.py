"""An engine in a process of its own, to be killed, and clients that use it at once: what they were told against what is
in the home."""

from __future__ import annotations

import multiprocessing.connection as lines
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.disk import Refusal, watching
from tests.faults.forking import Forks, Life
from theta_tui.base.config import Settings
from theta_tui.base.errors import ThetaError
from theta_tui.engine.client import Connection, EngineGoneError
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.store.store import Store

PATIENCE = 120.0


def run(_line: lines.Connection) -> None:
    """`theta engine run`, in this process."""
    from theta_tui.cli import app

    sys.argv = ["theta", "engine", "run"]
    app.main()


def run_with_a_bad_disk(line: lines.Connection, home: Path) -> None:
    """The same; from when that is heard, each fsync of the home's journal fails, and that is told once."""
    refusal = Refusal("EIO", sys.maxsize, lasting=True, only=frozenset({"fsync"}))

    def listen() -> None:
        line.recv()
        refusal.nth = refusal.count + 1
        line.send("bad")

    threading.Thread(target=listen, daemon=True).start()
    with watching(home, refusal):
        run(line)


@dataclass
class Place:
    """A home with an engine."""

    forks: Forks
    folder: Path
    model: Path
    recipe: str = "classic"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def around(self) -> dict[str, str]:
        return {
            "THETA_HOME": str(self.home), "THETA_MODEL": str(self.model), "THETA_DEVICE": "cpu", "THETA_THREADS": "1",
            "THETA_MAX_TOKENS": "2", "THETA_RECIPE": self.recipe, "THETA_CHECKPOINT_LESSONS": "5",
            "XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_CACHE_HOME": str(self.folder / "cache"),
        }  # fmt: skip

    @contextmanager
    def engine(self, how: str = "run", *given: Any) -> Iterator[Life]:
        life = self.forks.fork(f"tests.faults.engines:{how}", *given, environment=self.around)
        try:
            yield life
        finally:
            life.close()

    def connect(self, *, everything: bool = False) -> Connection:
        """A connection to the engine, which may still be starting."""
        end = time.monotonic() + PATIENCE
        while (found := Connection.to(self.home, everything=everything)) is None:
            assert time.monotonic() < end, "no engine listens"
            time.sleep(0.005)
        return found

    def store(self) -> Store:
        return Store.read(Settings(home=self.home))


@dataclass
class Client:
    """One of several that teach at once. What it was told of counts, and what it sent may count."""

    place: Place
    name: str
    sent: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def teach_until_refused(self, connection: Connection, most: int) -> ThetaError | None:
        """What was said to the first lesson that was refused, of so many."""
        for _ in range(most):
            try:
                self.teach(connection)
            except EngineGoneError:
                raise
            except ThetaError as error:
                self.refused.add(self.sent[-1])
                return error
        return None

    def teach(self, connection: Connection) -> None:
        prompt = f"{self.name} {len(self.sent)}"
        self.sent.append(prompt)
        for event in connection.events(c.TeachPair(prompt, f"to {prompt}")):
            if isinstance(event, p.Taught):
                assert event.outcome.prompt == prompt
                self.told.add(prompt)

    def talk(self, connection: Connection) -> None:
        """Ask, and pick the first reply."""
        prompt = f"{self.name} {len(self.sent)}"
        self.sent.append(prompt)
        *_, offered = connection.events(c.Propose(prompt))
        waiting = offered.snapshot.pending
        assert waiting is not None
        for event in connection.events(c.Pick(waiting.prompt_id, 1)):
            if isinstance(event, p.Taught):
                self.told.add(prompt)

    def go_on(self, lessons: int | None = None, *, talks: bool = False) -> threading.Thread:
        """Teach so many lessons, or until the engine is gone, from a thread."""

        def work() -> None:
            try:
                with self.place.connect() as connection:
                    while lessons is None or len(self.sent) < lessons:
                        self.talk(connection) if talks else self.teach(connection)
            except EngineGoneError:
                assert lessons is None, "the engine went away"

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread


def compare(place: Place, clients: list[Client]) -> Counter[str]:
    """What is on disk against what the clients know: nothing that was acknowledged is lost, nothing is there twice."""
    store = place.store()
    assert store.journal.damaged is None
    lessons = [lesson for lesson in store.state.lessons if not lesson.failed]
    there = Counter(lesson.exchange.prompt for lesson in lessons)
    learned = {lesson.exchange.prompt for lesson in lessons if lesson.outcome is not None}
    assert not [prompt for prompt, times in there.items() if times > 1]
    assert there.keys() <= {prompt for client in clients for prompt in client.sent}
    assert not there.keys() & {prompt for client in clients for prompt in client.refused}
    told = {prompt for client in clients for prompt in client.told}
    assert told <= learned, told - learned
    return Counter(learned=len(learned), cut_short=len(there) - len(learned), not_told=len(learned - told))


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
