"""The worker: commands in, events out, one thread, and nothing that goes wrong stops the next command."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from theta_tui import protocol
from theta_tui.config import Settings
from theta_tui.errors import HomeBusyError, TeachError
from theta_tui.lessons.records import Candidate, Exchange, Learned, Outcome, Pending
from theta_tui.protocol import Event
from theta_tui.record import HomeRecord
from theta_tui.worker import Worker

E = TypeVar("E", bound=Event)
PATIENCE = 20.0


@dataclass
class Model:
    parameters: int = 42
    device: str = "cpu"


@dataclass
class Progress:
    steps: int = 1
    limit: int = 16
    loss: float = 1.0
    p_before: float = 0.1
    p_now: float = 0.5


class FakeTeacher:
    """A Teacher on a real record with a model that knows what the test says."""

    def __init__(self, record: HomeRecord) -> None:
        self.record = record
        self.settings = record.settings
        self.model = Model()
        self.loaded = False
        self.saved_at: float | None = None
        self.saved = 0
        self.closed = False
        self.hold = threading.Event()
        self.hold.set()
        self.broken: Exception | None = None

    @property
    def pending(self) -> Pending | None:
        return self.record.pending

    @property
    def unsaved(self) -> int:
        return len(self.record.story.live) - self.saved

    def load(self, on_stage: Callable[[str], None]) -> None:
        on_stage("loading the model")
        if self.broken:
            raise self.broken
        self.loaded = True

    def propose(self, prompt: str, *, again: bool, on_progress: Any, cancelled: Callable[[], bool]) -> Pending | None:
        if prompt == "break":
            raise RuntimeError("it broke [/] \x1b[2J")
        for length in range(200):
            on_progress(tuple((f"reply {index}"[:length], length > 6) for index in range(1, 6)))
            self.hold.wait(PATIENCE)
            if cancelled():
                return None
        texts = [f"{'other' if again else 'reply'} {index}" for index in range(1, 6)]
        waiting = Pending("id", prompt, tuple(Candidate(i, text, -1.0) for i, text in enumerate(texts, 1)))
        self.record.keep(waiting)
        return waiting

    def pick(self, index: int, *, prompt_id: str, progress: Any, should_stop: Callable[[], bool]) -> Outcome:
        waiting = self.record.waiting(prompt_id)
        chosen = waiting.candidates[index - 1].text
        seq = self.record.append(Exchange("pick", waiting.prompt, chosen, waiting.candidates, {}, pick=index)).seq
        progress(Progress())
        while not self.hold.wait(0.01):
            if should_stop():
                raise TeachError("abandoned")
        number = self.record.story.lesson(seq).number
        outcome = Outcome(number, "pick", waiting.prompt, chosen, 2, 1, 0.1, 0.9, 1, number, True, 0.1, (2.0, 1.0))
        self.record.append(Learned(seq, outcome, "m"))
        self.record.keep(None)
        return outcome

    def state(self, prompt: str, reply: str, *, said: str, progress: Any, should_stop: Any) -> Outcome:
        exchange = Exchange("statement", prompt, reply, (), {}, conversation=False, said=said)
        seq = self.record.append(exchange).seq
        number = self.record.story.lesson(seq).number
        outcome = Outcome(number, "statement", prompt, reply, 2, 1, 0.1, 0.9, 1, number, True, 0.1, (2.0, 1.0))
        self.record.append(Learned(seq, outcome, "m"))
        return outcome

    def save(self) -> Path:
        self.saved = len(self.record.story.live)
        self.saved_at = time.time()
        return self.record.home.checkpoints / "step-1"

    def close(self) -> None:
        self.record.close()
        self.closed = True


class Desk:
    """A worker with its events collected, and a way to wait for one."""

    def __init__(self, settings: Settings) -> None:
        self.events: list[Event] = []
        self.arrived = threading.Condition()
        self.teacher: FakeTeacher
        self.prepare: Callable[[FakeTeacher], None] = lambda _: None
        self.worker = Worker(settings, self.open)  # type: ignore[arg-type]

    def open(self, settings: Settings) -> FakeTeacher:
        self.teacher = FakeTeacher(HomeRecord.open(settings))
        self.prepare(self.teacher)
        return self.teacher

    def post(self, event: Event) -> None:
        with self.arrived:
            self.events.append(event)
            self.arrived.notify_all()

    def wait(self, kind: type[E], count: int = 1) -> E:
        """The count-th event of `kind`, waited for."""

        def found() -> list[Event]:
            return [event for event in self.events if isinstance(event, kind)]

        with self.arrived:
            assert self.arrived.wait_for(lambda: len(found()) >= count, PATIENCE), self.events
            event = found()[count - 1]
            assert isinstance(event, kind)
            return event

    def start(self) -> None:
        self.worker.start(self.post)
        self.wait(protocol.Ready)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(Settings(home=tmp_path / "home", lock_wait=0.1))
    yield made
    if hasattr(made, "teacher"):
        made.teacher.hold.set()
    made.worker.request_stop()
    assert made.worker.join(PATIENCE)


def test_what_is_known_is_shown_before_the_model_is_loaded(desk: Desk) -> None:
    desk.start()
    assert [type(event) for event in desk.events][:3] == [protocol.Loading, protocol.Loading, protocol.Ready]
    assert desk.events[1].snapshot.activity == "loading the model"
    ready = desk.wait(protocol.Ready).snapshot
    assert (ready.phase, ready.parameters, ready.device) == ("idle", 42, "cpu")


def test_a_prompt_a_pick_and_what_the_screen_is_told(desk: Desk) -> None:
    desk.start()
    desk.worker.send(protocol.Propose("hello"))
    proposed = desk.wait(protocol.Proposed).snapshot
    assert proposed.phase == "choosing"
    assert proposed.pending is not None
    desk.worker.send(protocol.Pick(proposed.pending.prompt_id, 3))
    taught = desk.wait(protocol.Taught)
    assert (taught.outcome.reply, taught.snapshot.lessons, taught.snapshot.unsaved) == ("reply 3", 1, 1)
    assert taught.snapshot.turns[0].outcome == taught.outcome
    assert taught.snapshot.losses == (2.0, 1.0)
    assert (taught.snapshot.phase, taught.snapshot.pending) == ("idle", None)


def test_progress_is_batched_by_time_and_carries_everything(desk: Desk) -> None:
    desk.start()
    desk.worker.send(protocol.Propose("hello"))
    desk.wait(protocol.Proposed)
    streamed = [event for event in desk.events if isinstance(event, protocol.Streaming)]
    assert 1 <= len(streamed) < 50
    assert all(len(event.drafts) == 5 and event.snapshot.phase == "proposing" for event in streamed)


def test_an_exception_is_told_and_the_next_command_works(desk: Desk) -> None:
    desk.start()
    desk.worker.send(protocol.Propose("break"))
    failed = desk.wait(protocol.Failed)
    assert (failed.command, failed.fatal, failed.code) == ("Propose", False, 1)
    assert "it broke" in failed.message
    desk.worker.send(protocol.Pick("stale", 1))
    assert desk.wait(protocol.Failed, 2).code == 3
    desk.worker.send(protocol.Propose("hello"))
    desk.wait(protocol.Proposed)


def test_cancel_stops_what_was_asked_for_before_it_and_nothing_later(desk: Desk) -> None:
    desk.start()
    desk.teacher.hold.clear()
    desk.worker.send(protocol.Propose("one"))
    desk.wait(protocol.Streaming, 2)
    desk.worker.send(protocol.Cancel())
    desk.worker.send(protocol.Propose("two"))
    desk.teacher.hold.set()
    assert desk.wait(protocol.Cancelled).prompt == "one"
    pending = desk.wait(protocol.Proposed).snapshot.pending
    assert pending is not None
    assert pending.prompt == "two"


def test_a_model_that_cannot_be_loaded_is_fatal_and_said(desk: Desk) -> None:
    desk.prepare = lambda teacher: setattr(teacher, "broken", TeachError("no such model", code=4))
    desk.worker.start(desk.post)
    failed = desk.wait(protocol.Failed)
    assert (failed.fatal, failed.code, failed.message) == (True, 4, "no such model")
    assert desk.worker.join(PATIENCE)
    assert desk.teacher.closed


def test_a_home_in_use_is_fatal_with_its_exit_code(desk: Desk, tmp_path: Path) -> None:
    holder = HomeRecord.open(Settings(home=tmp_path / "home"))
    desk.worker.start(desk.post)
    failed = desk.wait(protocol.Failed)
    assert (failed.fatal, failed.code) == (True, HomeBusyError.code)
    holder.close()


def test_leaving_saves_what_is_not_saved_and_frees_the_home(desk: Desk, tmp_path: Path) -> None:
    desk.start()
    desk.worker.send(protocol.Propose("hello"))
    desk.wait(protocol.Proposed)
    desk.worker.send(protocol.Pick("id", 1))
    desk.wait(protocol.Taught)
    desk.worker.request_stop()
    assert desk.worker.join(PATIENCE)
    assert desk.teacher.saved == 1
    HomeRecord.open(Settings(home=tmp_path / "home", lock_wait=0)).close()


def test_leaving_abandons_a_lesson_that_takes_too_long(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theta_tui.worker.ABANDON_SECONDS", 0.05)
    desk.start()
    desk.worker.send(protocol.Propose("hello"))
    desk.wait(protocol.Proposed)
    desk.teacher.hold.clear()
    desk.worker.send(protocol.Pick("id", 1))
    desk.wait(protocol.Learning)
    desk.worker.request_stop()
    assert desk.worker.join(PATIENCE)
    assert desk.teacher.closed


def test_a_checkpoint_is_written_every_so_many_lessons(tmp_path: Path) -> None:
    desk = Desk(Settings(home=tmp_path / "home", checkpoint_lessons=2))
    desk.start()
    for turn in range(4):
        desk.worker.send(protocol.Propose(f"hello {turn}"))
        desk.wait(protocol.Proposed, turn + 1)
        desk.worker.send(protocol.Pick("id", 1))
        desk.wait(protocol.Taught, turn + 1)
    assert not desk.wait(protocol.Saved, 2).asked
    desk.worker.request_stop()
    assert desk.worker.join(PATIENCE)


def test_a_setting_changes_and_is_kept(desk: Desk, tmp_path: Path) -> None:
    desk.start()
    desk.worker.send(protocol.Configure("temperature", "0.3"))
    assert "temperature is 0.3" in desk.wait(protocol.Notice).text
    assert "temperature = 0.3" in (tmp_path / "home" / "config.toml").read_text()
    desk.worker.send(protocol.Configure("temperature", "hot"))
    assert desk.wait(protocol.Failed).code == 2


def test_a_fresh_conversation_is_told(desk: Desk) -> None:
    desk.start()
    desk.worker.send(protocol.NewConversation())
    assert desk.wait(protocol.Changed).snapshot.turns == ()


def test_a_stated_fact_is_taught_and_the_replies_still_wait(desk: Desk) -> None:
    desk.start()
    desk.worker.send(protocol.Propose("I live in Oslo."))
    desk.wait(protocol.Proposed)
    desk.worker.send(protocol.State("gone", "Where do I live?", "You live in Oslo."))
    assert desk.wait(protocol.Failed).code == 3
    desk.worker.send(protocol.State("id", "Where do I live?", "You live in Oslo."))
    taught = desk.wait(protocol.Taught)
    assert taught.outcome.kind == "statement"
    assert taught.snapshot.phase == "choosing"
    assert taught.snapshot.pending is not None
    assert taught.snapshot.turns == ()
    assert desk.teacher.record.story.lessons[-1].exchange.said == "I live in Oslo."
