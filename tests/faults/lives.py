"""What the processes do that `test_killed` kills: a script of deeds that ends the same, to the bit, however often.

Functions whose first argument is a `line` run in a process of their own (see `forking`) and tell what they did.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from tests.faults.disk import Call, watching
from theta_tui.base.config import Settings
from theta_tui.base.errors import PromptError
from theta_tui.learning.learner import Learner
from theta_tui.learning.recipes import RECIPES
from theta_tui.session import rebuild as rebuilding
from theta_tui.session.session import Session
from theta_tui.store import context
from theta_tui.store.store import Store

OPENING = -1
"""The number of what is done before the first deed: coming back."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happens. `recipe` is what lessons are learned by."""

    home: Path
    model: Path
    other: Path
    recipe: str = "default"


@dataclass(frozen=True, slots=True)
class State:
    """All that counts of a home: the journal, with what chance and the clock put into it left out; the lessons that
    count; what was said; a digest of weights, moments and step."""

    seq: int
    journal: str
    lessons: tuple[tuple[int, str, str, bool], ...]
    turns: tuple[tuple[str, str], ...]
    weights: str
    step: int


class Played:
    """A home that is taught."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.prompt_id: str | None = None
        """Of the prompt that was asked last, as who asked it knows it."""
        self.session = self._opened()

    def _opened(self, model: str = "") -> Session:
        session = Session(self._record(model))
        session.load()
        return session

    def _record(self, model: str = "") -> Store:
        if not model and Store.read(Settings(home=self.place.home)).state.begin is None:
            model = str(self.place.model)
        settings = Settings(
            home=self.place.home, model=model, device="cpu", max_tokens=3, lock_wait=5, seed=1, threads=1,
            checkpoint_lessons=0, keep_checkpoints=2, recipe=self.place.recipe,
        )  # fmt: skip
        return Store.open(settings)

    def propose(self, prompt: str) -> None:
        waiting = self.session.propose(prompt)
        assert waiting is not None
        self.prompt_id = waiting.prompt_id

    def rebuild(self, model: str = "") -> None:
        self.session.close()
        record = self._record(model)
        try:
            done = rebuilding.rebuild(record)
            assert done.exact or model, done.why
        finally:
            record.close()
        self.session = self._opened()

    def state(self) -> State:
        record, learner = self.session.store, self.session.learner
        state, digest = record.state, hashlib.sha256()
        tensors, _ = learner.state()
        for name, tensor in sorted([*self.session.model.trainable().items(), *tensors.items()]):
            digest.update(name.encode())
            digest.update(tensor.detach().contiguous().numpy().tobytes())
        records = [
            (type(entry.record).__name__, _plain(msgspec.to_builtins(entry.record))) for entry in record.journal.entries
        ]
        conversation = record.settings.context_path
        assert (conversation.read_bytes() if conversation.exists() else b"") == context.render(state.history)
        return State(
            record.journal.last_seq,
            json.dumps(records),
            tuple(
                (item.number, item.exchange.prompt, item.exchange.reply, bool(item.outcome)) for item in state.active
            ),
            tuple((turn.prompt, turn.reply) for turn in state.turns),
            digest.hexdigest(),
            learner.step,
        )


def _plain(values: Any) -> Any:
    """`values` without what chance and the clock put in. The last digits of how likely a reply is depend on how
    much of the conversation was read before."""
    if isinstance(values, dict):
        return {
            name: _plain(value) for name, value in values.items() if name not in {"prompt_id", "seconds", "logprob"}
        }
    return [_plain(value) for value in values] if isinstance(values, (list, tuple)) else values


Deed = Callable[[Played], object]

SCRIPT: dict[str, Deed] = {
    "teach 1": lambda now: now.session.teach("who made you?", "Dakota did."),
    "ask 2": lambda now: now.propose("hello"),
    "pick 2": lambda now: now.session.pick(2, prompt_id=now.prompt_id),
    "ask 3": lambda now: now.propose("what is your name?"),
    "correct 3": lambda now: now.session.correct("my name is Theta", prompt_id=now.prompt_id),
    "checkpoint": lambda now: now.session.save(),
    "teach 4": lambda now: now.session.teach("and you?", "I am fine"),
    "undo": lambda now: now.session.undo(),
    "redo": lambda now: now.session.redo(),
    "undo again": lambda now: now.session.undo(),
    "ask 5": lambda now: now.propose("yes"),
    "correct 5": lambda now: now.session.correct("no maybe", prompt_id=now.prompt_id),
    "ask 6": lambda now: now.propose("tell me more"),
    "pick 6": lambda now: now.session.pick(1, prompt_id=now.prompt_id),
    "withdraw": lambda now: now.session.withdraw(1),
    "restore": lambda now: now.session.redo(),
    "correct last": lambda now: now.session.correct_last("the quick fox"),
    "state 8": lambda now: now.session.state("who is quick?", "the fox", said="the fox is quick"),
    "checkpoint again": lambda now: now.session.save(),
    "withdraw another": lambda now: now.session.withdraw(2),
    "rebuild": lambda now: now.rebuild(),
    "new conversation": lambda now: now.session.store.begin_conversation(),
    "ask 8": lambda now: now.propose("well?"),
    "say": lambda now: now.session.store.say(now.prompt_id),
    "ask 9": lambda now: now.propose("and then?"),
    "pass over": lambda now: now.session.store.pass_over(now.prompt_id),
    "teach 9": lambda now: now.session.teach("what now?", "the river bank"),
    "undo 9": lambda now: now.session.undo(),
    "move": lambda now: now.rebuild(str(now.place.other)),
    "teach 10": lambda now: now.session.teach("what next?", "jumps over"),
    "last checkpoint": lambda now: now.session.save(),
}
DEEDS = tuple(SCRIPT)


class Doom:
    """Kills this process at the `nth` (from 1) of the moments that matter: before it, amid it, or after it.

    They are every call that changes the disk below the home, and every step and change of the weights; with `only`,
    those of that name. `nth` 0: none, but they are noted in `moments`.
    """

    STEPS = ((Learner, "learn_module"), (Learner, "_take_step"), (Learner, "restore"))

    def __init__(self, line: Connection, nth: int, when: str, only: str = "") -> None:
        self.line = line
        self.nth = nth
        self.when = when
        self.only = only
        self.moments: list[str] = []
        self._due: Call | None = None

    def before(self, call: Call) -> int | None:
        if self.only and call.name != self.only:
            return None
        self.moments.append(call.name)
        if len(self.moments) != self.nth:
            return None
        if self.when == "before":
            self._die(call)
        self._due = call
        return -2 if self.when == "amid" and call.name == "write" else None

    def after(self, call: Call) -> None:
        if call is self._due:
            self._die(call)

    def _die(self, call: Call) -> None:
        self.line.send(("died", self.when, call.name))
        os.kill(os.getpid(), signal.SIGKILL)

    @contextlib.contextmanager
    def near(self, root: Path) -> Iterator[None]:
        real = [(owner, name, getattr(owner, name)) for owner, name in self.STEPS]
        for owner, name, function in real:
            setattr(owner, name, self._deadly(name, function))
        try:
            with watching(root, self):
                yield
        finally:
            for owner, name, function in real:
                setattr(owner, name, function)

    def _deadly(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            moment = Call(name, "")
            self.before(moment)
            result = real(*arguments, **more)
            self.after(moment)
            return result

        return call


def _without_a_clock() -> None:
    """A lesson takes as many steps on a busy machine as on another."""
    for name, recipe in RECIPES.items():
        RECIPES[name] = replace(recipe, max_seconds=1e6, max_steps=min(recipe.max_steps, 4))


End = tuple[int, int, str, str]
"""(deed or OPENING, nth, when, only): where a process is to die, see `Doom`."""


def live(line: Connection, place: Place, end: End | None, prompt_id: str | None) -> None:
    """One process's life: come back, hear from which deed to go on and up to which, do them, tell each when done."""
    _without_a_clock()
    deed, nth, when, only = end or (OPENING - 1, 0, "", "")
    near = Doom(line, nth, when, only).near(place.home.parent)
    with near if deed == OPENING else contextlib.nullcontext():
        played = Played(place)
    played.prompt_id = prompt_id
    line.send(("back", played.state()))
    for at in range(*line.recv()):
        with near if deed == at else contextlib.nullcontext():
            try:
                SCRIPT[DEEDS[at]](played)
            except PromptError as error:  # it was answered before a crash: that is known
                if error.name not in {"no_prompt", "stale_prompt"}:
                    raise
        line.send(("did", at, played.prompt_id))
    line.send(("end", played.state()))
    played.session.close()


def live_in_peace(line: Connection, place: Place, copies: Path) -> None:
    """Do all deeds, and tell after each its state and the moments at which a process might have died meanwhile. The
    home as it was before deed n is kept in `copies`/n."""
    _without_a_clock()
    played = Played(place)
    for at, name in enumerate(DEEDS):
        shutil.copytree(place.home, copies / str(at), copy_function=copied)
        line.send(("before", played.state(), played.prompt_id))
        doom = Doom(line, 0, "")
        with doom.near(place.home.parent):
            SCRIPT[name](played)
        line.send(("did", doom.moments))
    line.send(("before", played.state(), played.prompt_id))
    played.session.close()


def copied(source: str, target: str) -> None:
    """A file that is written once and never changed need not be copied."""
    (os.link if source.endswith(".safetensors") else shutil.copy2)(source, target)


def make_models(line: Connection, folder: Path) -> None:
    """Two models."""
    for seed, name in enumerate(("model", "other")):
        make_model(folder / name, seed=seed)


def make_model(folder: Path, *, seed: int = 0) -> Path:
    """A tiny model."""
    from tests.support.tiny_models import make_tiny

    return make_tiny(folder, seed=seed)
