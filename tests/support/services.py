"""A service on a real store with a model that says what the test says, and the desk that hears its events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from theta_tui.base.config import Settings
from theta_tui.base.errors import TeachError
from theta_tui.engine.host import Host
from theta_tui.session import commands, protocol
from theta_tui.session.permission import proposed
from theta_tui.session.protocol import Event
from theta_tui.session.review import Review
from theta_tui.session.session import Answer
from theta_tui.session.thread import Worker
from theta_tui.store.records import Candidate, Exchange, Finding, Learned, Outcome, Pending
from theta_tui.store.state import Lesson
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from theta_tui.model.generate import Task

E = TypeVar("E", bound=Event)


PATIENCE = 20.0


class Caller:
    """The owner of a service that waits for nothing else."""

    stopping = False

    def interrupted(self) -> bool:
        return False

    def should_abandon(self) -> bool:
        return False


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


class FakeSession:
    """A Session on a real record with a model that knows what the test says."""

    def __init__(self, record: Store) -> None:
        self.store = record
        self.settings = record.settings
        self.model = Model()
        self.learner = SimpleNamespace(modules={})
        self.recipe = SimpleNamespace(as_dict=dict)
        self.loaded = False
        self.saved_at: float | None = None
        self.saved = 0
        self.proposals = 0
        self.own_ids = False
        """Whether each prompt has an id of its own."""
        self.closed = False
        self.hold = threading.Event()
        self.hold.set()
        self.broken: Exception | None = None
        self.told_ready: Callable[[], bool] = lambda: False
        self.told_ready_before: bool | None = None
        """Whether the screen knew that all is ready when what the first replies need was got ready."""
        self.got_ready = threading.Event()
        self.review = Review(record, self.score)
        self.p = 0.9
        self.asking = threading.Event()
        """Set once a lesson is being asked."""
        self.answer = threading.Event()
        self.answer.set()

    def score(self, lesson: Lesson) -> Finding:
        self.asking.set()
        assert self.answer.wait(PATIENCE)
        if self.p < 0:
            raise RuntimeError("no memory")
        return Finding(lesson.seq, self.p, self.p > 0.5)

    def idle(self, interrupted: Callable[[], bool] = lambda: False) -> Generator[None]:
        yield from self.review.slices()

    def ask_lesson(self, number: int, cancelled: Callable[[], bool]) -> Answer:
        prompt = self.store.state.lessons[number - 1].exchange.prompt
        return Answer(prompt, f"what I say to {prompt}", -1.0, 0.1)

    @property
    def pending(self) -> Pending | None:
        return self.store.pending

    @property
    def unsaved(self) -> int:
        return len(self.store.state.active) - self.saved

    def get_ready(self) -> None:
        self.told_ready_before = self.told_ready()
        self.got_ready.set()

    def load(self, on_stage: Callable[[str], None]) -> None:
        on_stage("loading the model")
        if self.broken:
            raise self.broken
        self.loaded = True

    def proposing(
        self,
        prompt: str,
        *,
        again: bool,
        on_progress: Any,
        due: Callable[[], bool],
        cancelled: Callable[[], bool],
        timed: bool,
    ) -> Generator[Task, None, Pending | None]:
        yield from ()  # it writes nothing
        if prompt == "break":
            raise RuntimeError("it broke [/] \x1b[2J")
        for length in range(200):
            if due():
                on_progress(tuple((f"reply {index}"[:length], length > 6) for index in range(1, 6)))
            self.hold.wait(PATIENCE)
            if cancelled():
                return None
        texts = [f"{'other' if again else 'reply'} {index}" for index in range(1, 6)]
        self.proposals += 1
        name = "id" if not self.own_ids else f"id{self.proposals}"
        waiting = Pending(name, prompt, tuple(Candidate(i, text, -1.0) for i, text in enumerate(texts, 1)))
        self.store.offer(waiting)
        return waiting

    def pick(self, index: int, *, prompt_id: str, **hooks: Any) -> Outcome:
        waiting = self.store.waiting(prompt_id)
        ids: dict[str, Any] = {
            "who": self.store.who, "conversation_id": self.store.conversation_id,
            "prompt_id": waiting.prompt_id if self.own_ids else None,
        }  # fmt: skip
        chosen = waiting.candidates[index - 1].text
        return self.learn(Exchange("pick", waiting.prompt, chosen, waiting.candidates, {}, pick=index, **ids), **hooks)

    def learn(
        self, said: Exchange, *, progress: Any, should_stop: Callable[[], bool], should_end: Callable[[], bool]
    ) -> Outcome:
        if (waits := proposed(self.store, said)) is not None:
            return waits
        seq = self.store.append(said).seq
        progress(Progress())
        while not (ended := should_end()) and not self.hold.wait(0.01):
            if should_stop():
                raise TeachError("abandoned")
        number = self.store.state.lesson(seq).number
        what = said.kind, said.prompt, said.reply
        outcome = Outcome(number, *what, 2, 1, 0.1, 0.9, 1, number, not ended, 0.1, (2.0, 1.0))
        self.store.append(Learned(seq, outcome, "m"))
        if said.kind == "pick" and said.proposal is None:
            self.store.keep(None)
        self.review.moved()
        return outcome

    def _change(self, lesson: Lesson, write: Callable[[Lesson], Lesson], stage: Any, cancelled: Any) -> Lesson | None:
        for at in range(1, 4):
            stage(f"withdrawing {lesson.number}: learning again {at} of 3")
            self.hold.wait(PATIENCE)
            if cancelled():
                return None
        return write(lesson)

    def undo(self, stage: Any, cancelled: Any) -> Lesson | None:
        return self._change(self.store.to_undo(), lambda _: self.store.withdraw_last(), stage, cancelled)

    def redo(self, stage: Any, cancelled: Any) -> Lesson | None:
        return self._change(self.store.to_redo(), lambda _: self.store.restore_last(), stage, cancelled)

    def withdraw(self, number: int, stage: Any, cancelled: Any) -> Lesson | None:
        return self._change(self.store.to_withdraw(number), self.store.withdraw, stage, cancelled)

    def state(self, prompt: str, reply: str, *, said: str, progress: Any, should_stop: Any, should_end: Any) -> Outcome:
        exchange = Exchange("statement", prompt, reply, (), {}, conversation=False, said=said)
        seq = self.store.append(exchange).seq
        number = self.store.state.lesson(seq).number
        outcome = Outcome(number, "statement", prompt, reply, 2, 1, 0.1, 0.9, 1, number, True, 0.1, (2.0, 1.0))
        self.store.append(Learned(seq, outcome, "m"))
        self.review.moved()
        return outcome

    def save(self) -> Path:
        self.saved = len(self.store.state.active)
        self.saved_at = time.time()
        return self.store.home.checkpoints / "step-1"

    def close(self) -> None:
        self.store.close()
        self.closed = True


class Desk:
    """A worker with its events collected, and a way to wait for one."""

    def __init__(self, settings: Settings) -> None:
        self.events: list[Event] = []
        self.arrived = threading.Condition()
        self.session: FakeSession
        self.prepare: Callable[[FakeSession], None] = lambda _: None
        self.worker = Worker(settings, self.open)  # type: ignore[arg-type]

    def open(self, settings: Settings) -> FakeSession:
        self.session = FakeSession(Store.open(settings))
        self.prepare(self.session)
        return self.session

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


class Engine(Desk):
    """A host on a session with a model that says what the test says."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.worker = self.host = Host(settings, self.open)  # type: ignore[arg-type]

    @classmethod
    @contextmanager
    def running(cls, home: Path) -> Iterator[Engine]:
        """An engine of `home` that is started, and stopped at the end."""
        made = cls(Settings(home=home))
        made.start()
        yield made
        made.session.hold.set()
        made.worker.request_stop()
        assert made.worker.join(PATIENCE)


def taught(desk: Desk, *prompts: str) -> None:
    for count, prompt in enumerate(prompts, 1):
        desk.worker.send(commands.Propose(prompt))
        desk.wait(protocol.Proposed, count)
        desk.worker.send(commands.Pick("id", 1))
        desk.wait(protocol.Taught, count)


def teach(desk: Desk, *prompts: str) -> None:
    """Pick the first reply to each prompt."""
    for prompt in prompts:
        asked = sum(isinstance(event, protocol.Proposed) for event in desk.events)
        desk.worker.send(commands.Propose(prompt))
        desk.wait(protocol.Proposed, asked + 1)
        desk.worker.send(commands.Pick("id", 1))
        desk.wait(protocol.Taught, asked + 1)
