"""Something that should not have happened, in every kind of work: journalled, told, and the next lesson works."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.hostile import CONTROLS
from tests.faults.terminal import Start
from theta_tui.base.config import Settings
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.session.session import Session
from theta_tui.session.thread import Worker
from theta_tui.store.records import Failure
from theta_tui.store.store import Store

pytest_plugins = ["tests.faults.fixtures"]

PATIENCE = 60.0
MESSAGE = f"out of luck {CONTROLS['OSC 52']}"

WORK: dict[str, tuple[str, Callable[[str], c.Command] | None]] = {
    "prompt": ("theta_tui.session.session:Session.proposing", lambda _: c.Propose("what now")),
    "teach": ("theta_tui.learning.learner:Learner._take_step", lambda prompt: c.Correct("My name.", prompt)),
    "pick": ("theta_tui.learning.learner:Learner._take_step", lambda prompt: c.Pick(prompt, 2)),
    "undo": ("theta_tui.session.replay:Replay.change", lambda _: c.TakeBack("undo")),
    "withdraw": ("theta_tui.session.replay:Replay.change", lambda _: c.TakeBack("withdraw", 1)),
    "checkpoint": ("theta_tui.learning.checkpoint:_write_manifest", lambda _: c.Save()),
    "quiz": ("theta_tui.learning.recall:score", lambda _: c.Quiz()),
    "question": ("theta_tui.session.session:Session.ask", lambda _: c.Ask("what now")),
    "ledger": ("theta_tui.session.review:Review.rows", lambda _: c.ShowLessons()),
    "export": ("theta_tui.session.export:export_trl", lambda _: c.Export("trl", "somewhere")),
    "idle time": ("theta_tui.session.session:Session.idle", None),
}


class Running:
    """A worker with a real, tiny model, and what it tells."""

    def __init__(self, settings: Settings) -> None:
        self.events: queue.Queue[p.Event] = queue.Queue()
        self.worker = Worker(settings, lambda settings: Session(Store.open(settings)))
        self.worker.start(self.events.put)

    def until(self, kind: type[p.Event]) -> Any:
        """The next event of a kind; nothing may fail before it, unless that is what is waited for."""
        while True:
            event = self.events.get(timeout=PATIENCE)
            if isinstance(event, kind):
                return event
            assert not isinstance(event, p.Failed), event

    def teach(self, prompt: str, reply: str) -> p.Snapshot:
        self.worker.send(c.Propose(prompt))
        waiting = self.until(p.Proposed).snapshot.pending
        self.worker.send(c.Correct(reply, waiting.prompt_id))
        return self.until(p.Taught).snapshot  # type: ignore[no-any-return]


@pytest.fixture
def running(tiny: Path, home: Path) -> Iterator[Running]:
    made = Running(
        Settings(
            home=home, model=str(tiny), device="cpu", threads=1, max_tokens=4, recipe="classic", lock_wait=0, seed=1
        )
    )  # fmt: skip
    made.until(p.Ready)
    yield made
    made.worker.request_stop()
    assert made.worker.join(PATIENCE)


@pytest.mark.parametrize("work", WORK)
def test_a_failure_is_journalled_and_told_and_the_next_lesson_works(
    running: Running, home: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    import importlib

    running.teach("hello", "Hi.")
    running.worker.send(c.Propose("what is your name"))
    waiting = running.until(p.Proposed).snapshot.pending
    target, command = WORK[work]
    module, _, path = target.partition(":")
    owner: Any = importlib.import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        owner = getattr(owner, each)

    def fail(*_: Any, **__: Any) -> Any:
        monkeypatch.setattr(owner, name, real)
        raise RuntimeError(MESSAGE)

    real = getattr(owner, name)
    if command is None:
        monkeypatch.setattr("theta_tui.session.thread.IDLE_SECONDS", 0.01)
        running.worker.idle.after = 0.0
    monkeypatch.setattr(owner, name, fail)
    if command is not None:
        running.worker.send(command(waiting.prompt_id))
    failed = running.until(p.Failed)
    assert failed.message == f"RuntimeError: {MESSAGE}"
    assert not failed.fatal
    assert failed.snapshot.phase in {"idle", "choosing"}
    running.worker.idle.after = 1e9
    before = failed.snapshot.lessons
    assert running.teach("who are you", "Theta.").lessons == before + 1
    running.worker.request_stop()
    assert running.worker.join(PATIENCE)
    record = Store.open(Settings(home=home, lock_wait=0))
    failures = [entry.record for entry in record.journal.entries if isinstance(entry.record, Failure)]
    record.close()
    assert [MESSAGE in failure.message for failure in failures] == [True]
    assert len([lesson for lesson in record.state.active if lesson.outcome]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("work", ["prompt", "teach", "undo", "checkpoint", "quiz", "idle time"])
def test_the_screen_lives_on_and_shows_it(start: Start, work: str) -> None:
    target, _ = WORK[work]
    app = start(
        rows=40, environment_more={"THETA_IDLE": "1"},
        scene="tests.faults.scenes:failing", scene_with=[target, MESSAGE],
    )  # fmt: skip
    app.see("idle")
    if work == "prompt":
        app.press("hello\r")
    else:
        app.propose("hello")
        app.correct("My name.")
        if work != "teach":
            app.see("taught · says it")  # before that no key takes it back
        app.press({"undo": "/undo\r", "checkpoint": "\x13", "quiz": "/quiz\r"}.get(work, ""))
    app.see("out of luck ␛]52")
    app.press("\x15")
    app.propose("who are you")
    app.correct("Theta.")
    app.wait(lambda text: "Theta." in text and "lesson" in text and "learning ·" not in text, "the next lesson")
    app.press("\x11")
    assert app.leave()[0] == 0
