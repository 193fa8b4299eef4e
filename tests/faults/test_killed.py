"""`kill -9` at any instant: what was acknowledged is there, once, and the model is where it would be without the kill.

A script of deeds (lessons of every kind, undo, redo, withdraw, restore, checkpoints, rebuilds) is done
once in peace. Then it is done by one process after the other, each of which is killed, and comes back, until the script
has ended. Each that comes back finds, bit for bit, what the undisturbed run had before the deed that was under way, or
after it. A person who does not know whether an answer arrived gives it again, and it counts once.
"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count, cycle
from pathlib import Path

import pytest

from tests.faults.forking import Forks, Life
from tests.faults.lives import DEEDS, OPENING, End, Place, State, copied

ANSWERS = {"pick 2", "correct 3", "correct 5", "pick 6"}


@dataclass
class Peace:
    """The undisturbed run: `before[n]` is the state before deed n (and one after the last), `moments[n]` what a process
    could have died at in it, `asked[n]` the prompt that had been asked until then."""

    place: Place
    copies: Path
    before: list[State] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    moments: list[list[str]] = field(default_factory=list)


def undisturbed(forks: Forks, folder: Path) -> Peace:
    models = forks.fork("tests.faults.lives:make_models", folder)
    models.rest()
    assert models.wait() == 0
    place = Place(folder / "peace" / "home", folder / "model", folder / "other")
    place.home.parent.mkdir()
    peace = Peace(place, folder / "copies")
    life = forks.fork("tests.faults.lives:live_in_peace", place, peace.copies)
    for told in life.rest():
        match told:
            case ("before", state, prompt_id):
                peace.before.append(state)
                peace.asked.append(prompt_id)
            case ("did", moments):
                peace.moments.append(moments)
    assert life.wait() == 0
    assert len(peace.before) == len(DEEDS) + 1
    return peace


@pytest.fixture(scope="module")
def peace(forks: Forks, in_memory: Path) -> Peace:
    folder = in_memory / "killed"
    folder.mkdir()
    return undisturbed(forks, folder)


def _passed_over(state: State, before: State) -> bool:
    """Whether it is `before`, but for the record that the prompt that waits gets no answer: what was to replace it was
    not done. Doing it again writes no second one."""
    same = replace(state, seq=before.seq, journal=before.journal) == before
    return same and state.seq == before.seq + 1


@dataclass
class Killed:
    """How the lives of one home went. `acknowledged` deeds were told as done; `found` counts what came back."""

    forks: Forks
    peace: Peace
    place: Place
    acknowledged: int = 0
    prompt_id: str | None = None
    found: Counter[str] = field(default_factory=Counter)

    def life(self, end: End | None = None) -> Life:
        return self.forks.fork("tests.faults.lives:live", self.place, end, self.prompt_id)

    def came_back(self, state: State) -> int:
        """The deed to go on from, once the state was seen to be one of the two that it may be."""
        at, before = self.acknowledged, self.peace.before
        if state == before[at]:
            self.found["as before"] += 1
            return at
        if at < len(DEEDS) and _passed_over(state, before[at]):
            self.found["a prompt passed over"] += 1
            return at
        assert at < len(DEEDS), "something came after the end"
        assert state.lessons == before[at + 1].lessons, f"killed in '{DEEDS[at]}'"
        assert state == before[at + 1], f"killed in '{DEEDS[at]}'"
        self.found["as after"] += 1
        return at if DEEDS[at] in ANSWERS else at + 1

    def hear(self, told: tuple[object, ...]) -> None:
        match told:
            case ("did", int(at), prompt_id):
                self.acknowledged, self.prompt_id = at + 1, prompt_id  # type: ignore[assignment]
            case ("died", str(when), str(name)):
                self.found[f"{when} {name}"] += 1
            case ("end", State() as state):
                assert state == self.peace.before[self.acknowledged]

    def in_peace(self, end: int) -> None:
        """Come back and do the deeds up to `end`, undisturbed."""
        life = self.life()
        kind, state = life.hear()
        assert kind == "back"
        begin = self.came_back(state)
        life.line.send((begin, max(begin, end)))
        self.acknowledged = begin
        for told in life.rest():
            self.hear(told)
        assert life.wait() == 0


@pytest.fixture
def homes(peace: Peace, in_memory: Path) -> Iterator[Iterator[Place]]:
    """Fresh homes."""
    root = in_memory / "lives"

    def fresh() -> Iterator[Place]:
        for number in count():
            folder = root / str(number)
            folder.mkdir(parents=True)
            yield replace(peace.place, home=folder / "home")
            shutil.rmtree(folder)

    yield fresh()
    shutil.rmtree(root)


# --- at any instant ---


def at_random(forks: Forks, peace: Peace, homes: Iterator[Place], kills: int, rng: random.Random) -> Counter[str]:
    """Kill so many processes, each at an instant that only chance knows."""
    found: Counter[str] = Counter()
    coming_back = 1.0
    """Seconds that it takes, about; as it was last seen."""
    while kills:
        now = Killed(forks, peace, next(homes))
        patience = 0.1
        """Seconds that a life may go on: more where those before it came no further, so that one does."""
        while kills and now.acknowledged < len(DEEDS):
            begun, reached, back = time.monotonic(), now.acknowledged, False
            life = now.life()
            dies = begun + rng.uniform(0, coming_back) if rng.random() < 0.25 else None
            with suppress(EOFError, TimeoutError):
                while True:
                    told = life.hear(60.0 if dies is None else max(0.0, dies - time.monotonic()))
                    if told[0] == "back":
                        coming_back = 0.5 * coming_back + 0.5 * (time.monotonic() - begun)
                        back, now.acknowledged = True, now.came_back(told[1])
                        life.line.send((now.acknowledged, len(DEEDS)))
                        dies = dies or time.monotonic() + rng.uniform(0, patience)
                    else:
                        now.hear(told)
            life.kill()
            for told in life.rest():
                if told[0] == "back":
                    now.came_back(told[1])
                else:
                    now.hear(told)
            patience = 0.1 if now.acknowledged > reached else 1.5 * patience
            if life.wait() == -9:
                kills -= 1
                doing = (*DEEDS, "nothing")[now.acknowledged]
                now.found[f"in {doing}" if back else "while coming back"] += 1
        now.in_peace(len(DEEDS))
        assert now.acknowledged == len(DEEDS)
        found += now.found
    return found


@pytest.mark.slow
def test_killed_at_300_random_instants(forks: Forks, peace: Peace, homes: Iterator[Place]) -> None:
    found = at_random(forks, peace, homes, 300, random.Random(2))
    print(dict(found))
    assert sum(name.startswith("in ") for name in found) >= 12  # how many deeds are met hangs by the machine
    assert found["while coming back"] >= 30
    assert found["as after"] >= 10


# --- at the moments that matter ---


NAMED = [
    ("correct 3", "learn_module", 1, "before"),  # journalled, and nothing learned yet
    ("pick 2", "unlink", 1, "before"),  # learned, and its prompt still waits
    ("correct 3", "write", 1, "amid"),
    ("checkpoint", "rename", 1, "before"),
    ("teach 4", "write", 2, "amid"),
    ("undo", "write", 1, "after"),
    ("correct 5", "write", 3, "amid"),  # of the conversation
    ("correct 5", "_take_step", 2, "after"),
    ("withdraw another", "_take_step", 1, "before"),
    ("withdraw", "write", 1, "after"),
    ("move", "serialize_file", 1, "before"),  # moved, and the newest checkpoint is of the other model
]
"""Where it is closest: deed, which call, the how manieth, before it or amid it or after it."""


def every_kind(peace: Peace, rng: random.Random) -> Iterator[End]:
    """Each kind of moment in turn, in any of the deeds that have it."""
    kinds: dict[str, dict[int, list[End]]] = {}
    for deed, names in enumerate(peace.moments):
        for nth, name in enumerate(names, 1):
            for when in ("before", "amid", "after") if name == "write" else ("before", "after"):
                kinds.setdefault(f"{when} {name}", {}).setdefault(deed, []).append((deed, nth, when, ""))
    groups = list(kinds.values())
    rng.shuffle(groups)
    for group in cycle(groups):
        yield rng.choice(group[rng.choice(list(group))])


def killed(forks: Forks, peace: Peace, place: Place, end: End, again: End | None) -> Counter[str] | None:
    """Kill the process that does a deed, and the one that comes back at `again`; None: it did not come there."""
    deed = end[0]
    shutil.copytree(peace.copies / str(deed), place.home, copy_function=copied)
    now = Killed(forks, peace, place, deed, peace.asked[deed])
    life = now.life(end)
    begin = now.came_back(life.hear()[1])
    assert begin == deed
    life.line.send((deed, deed + 1))
    for told in life.rest():
        now.hear(told)
    if life.wait() == 0:
        return None  # done in fewer: a process that has just come back does it another way
    now.found["killed"] += 1
    if again is not None:
        other = now.life(again)
        if other.hear()[0] == "back":
            other.line.send((0, 0))
        now.found["killed again"] += other.wait() == -9
    now.in_peace(deed + 1)
    assert now.acknowledged == deed + 1
    return now.found


@pytest.mark.slow
def test_killed_where_it_is_closest(forks: Forks, peace: Peace, homes: Iterator[Place]) -> None:
    for deed, name, nth, when in NAMED:
        found = killed(forks, peace, next(homes), (DEEDS.index(deed), nth, when, name), None)
        assert found is not None
        assert found[f"{when} {name}"] == 1


@pytest.mark.slow
def test_killed_at_100_named_moments(forks: Forks, peace: Peace, homes: Iterator[Place]) -> None:
    rng, total = random.Random(4), Counter[str]()
    for number, end in enumerate(every_kind(peace, rng)):
        if total["killed"] == 100:
            break
        again = (OPENING, rng.randint(1, 12), rng.choice(("before", "amid", "after")), "") if number % 3 else None
        total += killed(forks, peace, next(homes), end, again) or Counter()
    print(dict(total))
    assert total["killed again"] >= 20
    named = {name.split()[1] for name in total if name.startswith(("before", "amid", "after"))}
    assert named >= {"write", "fsync", "replace", "rename", "unlink", "serialize_file", "_take_step"}, total
