"""People who talk to one engine at once: how long from Enter to five replies, and from a pick to "learned".

    python -m tests.benchmarks.engine [--people 10] [--active 10] [--every 6] [--minutes 2] [--model default] [--json]

The engine is a process of its own, as `theta engine run` starts it. Each of the active people says something every so
many seconds and picks the first, second … reply by turns; the others are connected and listen. Nobody is in step with
anybody: each begins at a time of their own. At the end the journal is compared with what everybody was told. Aims for
the built-in model on two cores: 95 of 100 fives within 2.5 s, 95 of 100 lessons within 2 s, nothing lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from theta_tui.base.config import Settings
from theta_tui.bench.tables import table
from theta_tui.engine.client import Connection
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.store.store import Store

SAID = (
    "hello", "how are you?", "what is your name?", "my dog is called Pixel", "tell me a story", "what shall I cook?",
    "I am tired today", "do you like music?", "what is the weather like?", "good night", "who made you?", "thank you",
)  # fmt: skip
PATIENCE = 120.0


@dataclass
class Person:
    """One who talks, and what they waited for, in seconds."""

    name: str
    connection: Connection
    replies: list[float] = field(default_factory=list)
    lessons: list[float] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    late: int = 0

    def exchange(self, prompt: str, index: int) -> None:
        began = time.perf_counter()
        *_, offered = self.connection.events(c.Propose(prompt))
        self.replies.append(time.perf_counter() - began)
        waiting = offered.snapshot.pending
        assert waiting is not None
        index = min(index, len(waiting.candidates))
        began = time.perf_counter()
        for event in self.connection.events(c.Pick(waiting.prompt_id, index)):
            if isinstance(event, p.Taught):
                self.lessons.append(time.perf_counter() - began)
                self.told.append((event.outcome.prompt, event.outcome.reply))

    def talk(self, every: float, until: float, rng: random.Random) -> None:
        due = time.monotonic() + rng.uniform(0, every)
        number = rng.randrange(len(SAID))
        while due < until:
            time.sleep(max(0.0, due - time.monotonic()))
            self.exchange(SAID[number % len(SAID)], number % 5 + 1)
            number += 1
            due += every
            if due < time.monotonic():
                self.late += 1
                due = time.monotonic()


def listen(connection: Connection) -> None:
    try:
        for _ in connection.frames():
            pass
    except Exception:
        return  # it was closed at the end


def connected(home: Path, who: str, *, everything: bool = False) -> Connection:
    end = time.monotonic() + PATIENCE
    while (found := Connection.to(home, who=who, everything=everything)) is None:
        if time.monotonic() > end:
            raise TimeoutError("the engine does not listen")
        time.sleep(0.05)
    return found


def measure(home: Path, options: argparse.Namespace) -> dict[str, object]:
    command = [sys.executable, "-m", "theta_tui", "--home", str(home), "--model", options.model, "engine", "run"]
    engine = subprocess.Popen(command, env=os.environ | {"THETA_DEVICE": "cpu"})
    try:
        people = [Person(f"person {n}", connected(home, f"person {n}")) for n in range(options.active)]
        for number in range(options.active, options.people):
            watching = connected(home, f"person {number}", everything=True)
            threading.Thread(target=listen, args=(watching,), daemon=True).start()
        list(people[0].connection.events(c.Ask("hello")))  # the model is there
        until = time.monotonic() + 60 * options.minutes
        threads = [
            threading.Thread(target=person.talk, args=(options.every, until, random.Random(number)))
            for number, person in enumerate(people)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pages = int(Path(f"/proc/{engine.pid}/statm").read_text().split()[1])
    finally:
        engine.terminate()
        engine.wait(30)
    there = sorted((one.exchange.prompt, one.exchange.reply) for one in Store.read(Settings(home=home)).state.lessons)
    told = sorted(pair for person in people for pair in person.told)
    return {
        "replies": sorted(seconds for person in people for seconds in person.replies),
        "lessons": sorted(seconds for person in people for seconds in person.lessons),
        "lost": len(told) - len([pair for pair in told if pair in there]), "twice": len(there) - len(told),
        "late": sum(person.late for person in people), "resident": pages * os.sysconf("SC_PAGE_SIZE"),
    }  # fmt: skip


def share(values: list[float], part: float) -> float:
    return values[min(len(values) - 1, int(part * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--active", type=int, default=10)
    parser.add_argument("--every", type=float, default=6.0)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--model", default="default")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="theta-engine-") as folder:
        found = measure(Path(folder) / "home", options)
    if options.json:
        print(json.dumps(found))
        return
    rows = []
    for name, what in (("replies", "Enter to five replies"), ("lessons", "a pick to learned")):
        values = found[name]
        assert isinstance(values, list)
        parts = (statistics.median(values), share(values, 0.95), values[-1])
        rows.append([what, str(len(values)), *(f"{part:.2f} s" for part in parts)])
    print(f"{options.model}: {options.active} of {options.people} people, an exchange each {options.every:g} s")
    print(table(["", "times", "median", "95 %", "worst"], rows))
    assert isinstance(found["resident"], int)
    print(
        f"lost: {found['lost']}, twice: {found['twice']}; exchanges that began late: {found['late']}; "
        f"{found['resident'] / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main()
