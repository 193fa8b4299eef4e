"""Hypothesis teaches, takes back, crashes, fills the disk and starts again, in any order, next to a list of lessons.

After every step the home must say what the list says, also to another process that reads it, and the model must be
where the same lessons had put it before, to the bit.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults import deeds
from tests.faults.deeds import PROMPTS, REPLIES, Asked, Deed, Plain
from tests.faults.disk import WRITES, Call, Refusal, watching
from tests.faults.lives import make_model
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError, PromptError
from theta_tui.learning.recipes import RECIPES
from theta_tui.session.session import Session
from theta_tui.store import context
from theta_tui.store.store import Store

FULL = WRITES | {"mkdir"}


# --- the machine ---


class Copying:
    """Keeps the home as it was at the `nth` moment that counts (from 1): what a process that dies there leaves."""

    def __init__(self, home: Path, aside: Path, nth: int, when: str) -> None:
        self.home, self.aside, self.left, self.when = home, aside, nth, when
        self._due: Call | None = None

    def before(self, call: Call) -> int | None:
        if self.aside.exists():  # it died
            return None
        self.left -= 1
        if self.left == 0 and self.when == "before":
            shutil.copytree(self.home, self.aside)
        elif self.left == 0:
            self._due = call
            return -2 if self.when == "amid" and call.name == "write" else None
        return None

    def after(self, call: Call) -> None:
        if call is self._due:
            shutil.copytree(self.home, self.aside)


class Home(RuleBasedStateMachine):
    """One home, from its beginning. `root` and `model` are set by the test; `counts` tells what was done."""

    root: Path
    model: Path
    counts: Counter[str]

    @initialize()
    def begin(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        self.home = self.root / "home"
        self.settings = Settings(
            home=self.home, model=str(self.model), device="cpu", max_tokens=2, lock_wait=0, seed=1, threads=1,
            window=64, statements=False, keep_checkpoints=2,
        )  # fmt: skip
        self.plain = Plain()
        self.full = False
        self.seen: dict[Any, str] = {}
        """What the weights were, by the lessons that they are made of."""
        self.session = self.opened()
        self.counts["examples"] += 1

    def opened(self) -> Session:
        session = Session(Store.open(self.settings))
        session.load()
        return session

    def teardown(self) -> None:
        if hasattr(self, "session"):
            self.session.close()

    # --- doing ---

    def do(self, name: str, deed: Deed) -> None:
        """Do it here and on the list; on a full disk it must fail and change nothing."""
        expected = copy.deepcopy(self.plain)
        if not self.full:
            try:
                deed(self.session, expected)
            except PromptError:
                self.counts[f"{name} refused"] += 1
                return
            self.plain = expected
        else:
            with watching(self.root, Refusal("ENOSPC", 1, lasting=True, only=FULL)), contextlib.suppress(PromptError):
                with pytest.raises(HomeError):
                    deed(self.session, expected)
                name += " on a full disk"
        self.counts[name] += 1

    @rule(prompt=PROMPTS)
    def propose(self, prompt: str) -> None:
        self.do("propose", deeds.propose(prompt))

    @precondition(lambda self: self.plain.waiting)
    @rule(index=st.integers(1, 5))
    def pick(self, index: int) -> None:
        self.do("pick", deeds.pick(index))

    @precondition(lambda self: self.plain.waiting)
    @rule(reply=REPLIES)
    def correct(self, reply: str) -> None:
        self.do("correct", deeds.correct(reply))

    @precondition(lambda self: self.plain.waiting)
    @rule()
    def pass_over(self) -> None:
        self.do("pass over", deeds.pass_over)

    @precondition(lambda self: self.plain.waiting)
    @rule()
    def say(self) -> None:
        self.do("say", deeds.say)

    @precondition(lambda self: self.plain.turns)
    @rule(reply=REPLIES)
    def correct_last(self, reply: str) -> None:
        self.do("correct last", deeds.correct_last(reply))

    @precondition(lambda self: self.plain.turns)
    @rule(reply=REPLIES, data=st.data())
    def correct_turn(self, reply: str, data: st.DataObject) -> None:
        at = data.draw(st.integers(1, len(self.plain.turns)))
        self.do("correct a turn", deeds.correct_turn(at, reply))

    @precondition(lambda self: self.plain.talks > 1)
    @rule(data=st.data())
    def open_conversation(self, data: st.DataObject) -> None:
        others = [number for number in range(1, self.plain.talks + 1) if number != self.plain.talk]
        self.do("open conversation", deeds.open_conversation(data.draw(st.sampled_from(others))))

    @rule(pairs=st.lists(st.tuples(PROMPTS, REPLIES), min_size=1, max_size=3, unique_by=lambda pair: pair[0]))
    def bring(self, pairs: list[tuple[str, str]]) -> None:
        self.do("import", deeds.bring(*pairs))

    @rule(prompt=PROMPTS, reply=REPLIES, always_on=st.booleans())
    def teach(self, prompt: str, reply: str, always_on: bool) -> None:
        self.do("teach", deeds.teach(prompt, reply, always_on))

    @rule()
    def undo(self) -> None:
        self.do("undo", deeds.undo)

    @precondition(lambda self: self.plain.to_redo)
    @rule()
    def redo(self) -> None:
        self.do("redo", deeds.redo)

    @precondition(lambda self: self.plain.lessons)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        self.do("withdraw", deeds.withdraw(data.draw(st.integers(1, len(self.plain.lessons)))))

    @rule()
    def new_conversation(self) -> None:
        self.do("new conversation", deeds.fresh)

    @precondition(lambda self: self.plain.live and not self.full)
    @rule(slices=st.integers(1, 4))
    def idle(self, slices: int) -> None:
        with contextlib.closing(self.session.idle()) as work:
            for _, _ in zip(range(slices), work, strict=False):
                pass
        self.counts["idle"] += 1

    @rule()
    def save(self) -> None:
        self.do("save", deeds.save)

    # --- what befalls it ---

    @precondition(lambda self: not self.full)
    @rule()
    def restart(self) -> None:
        self.session.close()
        self.session = self.opened()
        self.counts["restart"] += 1

    @precondition(lambda self: not self.full and any(self.home.glob("checkpoints/step-*")))
    @rule(data=st.data())
    def damage_a_checkpoint(self, data: st.DataObject) -> None:
        """The next start does without it."""
        files = [path for path in sorted(self.home.glob("checkpoints/step-*/*")) if path.stat().st_size]
        path = data.draw(st.sampled_from(files))
        content = bytearray(path.read_bytes())
        at = len(content) * data.draw(st.integers(0, 999)) // 1000
        content[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        self.restart()
        self.counts["damage"] += 1

    @precondition(lambda self: not self.full and len(self.plain.lessons) > 1)
    @rule()
    def fill_disk(self) -> None:
        self.full = True
        self.counts["fill disk"] += 1

    @precondition(lambda self: self.full)
    @rule()
    def make_room(self) -> None:
        self.full = False

    @precondition(lambda self: not self.full)
    @rule(
        deed=st.one_of(
            PROMPTS.map(lambda prompt: ("propose", deeds.propose(prompt))),
            st.integers(1, 5).map(lambda index: ("pick", deeds.pick(index))),
            REPLIES.map(lambda reply: ("correct", deeds.correct(reply))),
            st.tuples(PROMPTS, REPLIES).map(lambda pair: ("teach", deeds.teach(*pair))),
            st.integers(1, 4).map(lambda number: ("withdraw", deeds.withdraw(number))),
            st.sampled_from(
                (
                    ("undo", deeds.undo),
                    ("redo", deeds.redo),
                    ("save", deeds.save),
                    ("new conversation", deeds.fresh),
                    ("open conversation", deeds.open_conversation(1)),
                    ("pass over", deeds.pass_over),
                    ("say", deeds.say),
                )
            ),
        ),
        nth=st.integers(1, 9),
        when=st.sampled_from(("before", "amid", "after")),
        again=st.integers(0, 6),
    )
    def crash(self, deed: tuple[str, Deed], nth: int, when: str, again: int) -> None:
        """Die at the nth moment of a deed, or after it; then, unless `again` is 0, at that moment of coming back."""
        name, act = deed
        expected, aside = copy.deepcopy(self.plain), self.root / "aside"
        with watching(self.home, Copying(self.home, aside, nth, when)):
            try:
                act(self.session, expected)
            except PromptError:
                expected = self.plain
        amid = aside.exists()
        self.session.close()
        self.died(aside)
        if again:
            with watching(self.home, Copying(self.home, aside, again, when)):
                self.opened().close()
            self.died(aside)
        self.session = self.opened()
        before, self.plain = self.plain, copy.deepcopy(self.plain)
        if not amid or self.agrees(expected) is None:
            self.plain = expected
            # What waits is no lesson. Its file comes after the record that moves it, and may be as it was.
            late = None if name == "undo" else before.waiting
            if amid and name not in ("pick", "correct") and self.waiting() == late:
                self.plain.waiting = late
        self.counts[f"crash {'amid' if amid else 'after'} {name}"] += 1

    def died(self, aside: Path) -> None:
        """The home is what a process that died at that moment left behind."""
        if aside.exists():
            shutil.rmtree(self.home)
            aside.rename(self.home)

    # --- what must hold ---

    def waiting(self) -> Asked:
        found = self.session.pending
        return None if found is None else (found.prompt, tuple(item.text for item in found.candidates))

    def agrees(self, plain: Plain) -> str | None:
        """What the home says otherwise than `plain`; None: nothing."""
        for record in (self.session.store, Store.read(self.settings)):
            state = record.state
            if state.open.number != plain.talk:
                return f"conversation {state.open.number} instead of {plain.talk}"
            live = [(item.number, item.exchange.prompt, item.exchange.reply) for item in state.active]
            if live != plain.live:
                return f"lessons {live} instead of {plain.live}"
            numbers = {lesson.seq: lesson.number for lesson in state.lessons}
            turns = [(numbers.get(turn.seq, -1), turn.prompt, turn.reply) for turn in state.turns]
            expected = [(max(number, -1), prompt, reply) for number, prompt, reply in plain.turns]
            if turns != expected:
                return f"turns {turns} instead of {expected}"
            redo = state.undone.number if state.undone else None
            if redo != (plain.to_redo[-1][-1] if plain.to_redo else None):
                return f"{redo} can be brought back instead of {plain.to_redo}"
            if any(item.outcome is None for item in state.active):
                return "a lesson was not learned"
        return None

    @invariant()
    def it_says_what_the_list_says(self) -> None:
        assert self.agrees(self.plain) is None, self.agrees(self.plain)
        assert self.waiting() == self.plain.waiting
        record = self.session.store
        assert record.read_only is None
        path = record.settings.context_path
        assert (path.read_bytes() if path.exists() else b"") == context.render(record.state.history)

    @invariant()
    def the_model_is_where_these_lessons_put_it(self) -> None:
        state, learner = self.session.store.state, self.session.learner
        assert learner.step == state.step
        # Idle time may have taken a lesson further: then it has more steps.
        made_of = tuple(
            (one.seq, one.exchange.prompt, one.exchange.reply, one.context, one.outcome.steps if one.outcome else None)
            for one in state.active
        )
        digest = hashlib.sha256()
        for name, tensor in sorted([*self.session.model.trainable().items(), *learner.state()[0].items()]):
            digest.update(name.encode())
            digest.update(tensor.detach().contiguous().numpy().tobytes())
        assert self.seen.setdefault(made_of, digest.hexdigest()) == digest.hexdigest()


# --- the tests ---


@pytest.fixture
def counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The machine, made ready: what it did is counted here."""
    torch.set_num_threads(1)
    # As many steps on a busy machine as on another.
    for name in ("default", "adamw"):
        monkeypatch.setitem(RECIPES, name, replace(RECIPES[name], max_seconds=1e6, max_steps=3))
    found: Counter[str] = Counter()
    monkeypatch.setattr(Home, "root", folder / "home", raising=False)
    monkeypatch.setattr(Home, "model", make_model(folder / "model"), raising=False)
    monkeypatch.setattr(Home, "counts", found, raising=False)
    return found


RUN = {
    "deadline": None, "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}  # fmt: skip


def test_a_home_says_what_a_list_of_the_lessons_says(counts: Counter[str]) -> None:
    run_state_machine_as_test(Home, settings=settings(max_examples=4, stateful_step_count=12, derandomize=True, **RUN))
    assert sum(counts.values()) >= 30


@pytest.mark.slow
def test_a_home_says_what_a_list_of_the_lessons_says_after_many_steps(counts: Counter[str]) -> None:
    run_state_machine_as_test(Home, settings=settings(max_examples=100, stateful_step_count=30, **RUN))
    print(dict(counts))
    assert counts["examples"] >= 100
    assert sum(found for name, found in counts.items() if name.startswith("crash amid")) >= 30
    assert sum(found for name, found in counts.items() if name.endswith("full disk")) >= 100
