"""A home that is taught, and changed, by processes that are killed at a seeded moment each, until enough was taught.

`run` is forked (see `tests.faults.forking`) and forks one after the other, so that a crash costs a tenth of a second.
"""

from __future__ import annotations

import os
import random
import signal
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from theta_tui.base.config import Settings
from theta_tui.base.errors import PromptError
from theta_tui.learning.learner import Learner
from theta_tui.session.session import Session
from theta_tui.store.store import Store

WORDS = ("hello", "what", "is", "your", "name", "who", "made", "you", "quick", "fox", "yes", "no", "tell", "me", "more")
MOST_RUNS = 200
KILLED = "killed at "


def home_settings(home: Path, model: str) -> Settings:
    return Settings(
        home=home, model=model, device="cpu", max_tokens=4, lock_wait=2, seed=1, threads=1, checkpoint_lessons=0
    )


class Doom:
    """Kills this process at the `at`-th of the moments that matter: a write, an fsync, a rename, a step; before it,
    in the middle of it, or after it."""

    def __init__(self, at: int, rng: random.Random, tell: Callable[[str], None]) -> None:
        self.left = at
        self.rng = rng
        self.tell = tell

    def arm(self) -> None:
        for owner, name in ((os, "write"), (os, "fsync"), (os, "replace"), (os, "rename"), (os, "ftruncate")):
            setattr(owner, name, self._deadly(name, getattr(owner, name)))
        Learner._take_step = self._deadly("Learner._take_step", Learner._take_step)  # type: ignore[method-assign]

    def _deadly(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            self.left -= 1
            if self.left:
                return real(*arguments, **more)
            when = self.rng.choice(("before", "amid", "after"))
            if name == "write" and when == "amid":
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            elif when == "after":
                real(*arguments, **more)
            self.tell(f"{KILLED}{name}\n")
            os.kill(os.getpid(), signal.SIGKILL)

        return call


def live(
    settings: Settings, recipes: tuple[str, ...], rng: random.Random, lessons: int, tell: Callable[[str], None]
) -> None:
    """One process's life: come back, and do what comes to mind until `lessons` were taught, or death."""
    early = rng.random() < 0.3  # some die while they come back; the others get something done
    if early:
        Doom(rng.randint(1, 400), rng, tell).arm()
    session = Session(Store.open(settings))
    session.load()
    if not early:
        Doom(rng.randint(1, 150), rng, tell).arm()
    record = session.store
    while len(record.state.lessons) < lessons:
        session.settings = replace(session.settings, recipe=rng.choice(recipes))
        prompt, reply = (" ".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(2))
        try:
            match rng.choice("ttttpppcuuurrwwsn"):
                case "t":
                    session.teach(prompt, reply)
                case "p":
                    session.propose(prompt)
                    if rng.random() < 0.5:
                        session.pick(rng.randint(1, 5))
                    else:
                        session.correct(reply)
                case "c":
                    session.correct_last(reply)
                case "u":
                    session.undo()
                case "r":
                    session.redo()
                case "w":
                    session.withdraw(rng.randint(max(1, len(record.state.lessons) - 8), len(record.state.lessons) + 1))
                case "s":
                    session.save()
                case "n":
                    record.begin_conversation()
        except PromptError:
            pass  # nothing to undo, to redo, to correct, or withdrawn already
    session.close()


def run(line: Connection, home: Path, model: Path, seed: int, lessons: int, recipes: str) -> None:
    """Tell whether enough was taught in the end, and how many were killed where."""
    torch.set_num_threads(1)
    settings = home_settings(home, str(model))
    reading, writing = os.pipe()
    write = os.write

    def tell(where: str) -> None:
        write(writing, where.encode())

    for number in range(MOST_RUNS):
        child = os.fork()
        if child == 0:
            try:
                rng = random.Random(f"{seed} {number}")
                live(settings, tuple(recipes.split(",")), rng, lessons, tell)
                os._exit(0)
            finally:
                traceback.print_exc()
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status):
            break
    os.close(writing)
    with open(reading) as told:
        places = Counter(each.strip().removeprefix(KILLED) for each in told)
    line.send((os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, places))
