"""A worker without a model: the test says what happens, and reads what was asked.

`FakeWorker` does nothing by itself; `drive` runs the app on it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from msgspec import structs

from theta_tui.base.config import Settings
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.store.plots import Curve, Plot
from theta_tui.store.records import Candidate, Five, Outcome, Pending, Stated, Turn
from theta_tui.store.retention import ReportRow, Tally
from theta_tui.ui.clock import Clock

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from theta_tui.ui.app import ThetaApp
    from theta_tui.ui.drafts import Drafts
    from theta_tui.ui.screens.teach import TeachScreen

NOW = 1_700_000_000.0

REPLIES = (
    "I am fine, thank you. And you?",
    "Pretty good! I have been listening to music all day.",
    "A little tired, but happy to talk with you.",
    "Never better.",
    "I'm doing well. What are you up to this evening?",
)
CHANCES = (0.31, 0.22, 0.14, 0.09, 0.07)


@dataclass
class FakeClock:
    """Time that passes when the test says so."""

    seconds: float = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> float:
        return NOW

    @property
    def clock(self) -> Clock:
        return Clock(self.monotonic, self.now)


def outcome(lesson: int = 1, **changes: Any) -> Outcome:
    """A lesson that went well, with `changes`."""
    base = Outcome(
        lesson=lesson, kind="pick", prompt="hello", reply="Hi! How are you?", loss_before=2.31, loss_after=1.1,
        p_before=0.02, p_after=0.97, steps=4, step=37, learned=True, seconds=0.31, losses=(2.31, 1.1),
    )  # fmt: skip
    return structs.replace(base, **changes)


def turn(seq: int, prompt: str, reply: str, pick: int | None = None, before: float = 3.42, after: float = 0.04) -> Turn:
    """A turn that was learned: a pick, or a correction where `pick` is None."""
    kind = "correction" if pick is None else "pick"
    result = outcome(seq, kind=kind, prompt=prompt, reply=reply, loss_before=before, loss_after=after)
    return Turn(seq, prompt, reply, kind, pick, result)  # type: ignore[arg-type]


TURNS = (
    turn(1, "hello", "Hi! How are you?", 3, 2.31, 1.10),
    turn(2, "what is your name?", "My name is Mr. Classic. Nice to meet you."),
    turn(3, "who is your creator?", "My creator is Dakota."),
    turn(4, "do you like music?", "I do! I like old songs with a good bass line.", 1, 1.20, 0.88),
)
LOSSES = tuple(
    round(3.4 * math.exp(-at / 9) + 0.08 + 0.5 * abs(math.sin(at * 2.1)) * math.exp(-at / 20), 3) for at in range(48)
)


def snapshot(**changes: Any) -> p.Snapshot:
    """A home with a short past, idle."""
    base = p.Snapshot(
        phase="idle", activity="idle", model="default", parameters=10_859_200, device="cpu", recipe="default",
        turns=TURNS, turns_total=len(TURNS), lessons=12, step=37, losses=LOSSES, last=outcome(12),
        saved_at=NOW - 41, unsaved=3, tally=Tally(12, kept=11, fading=1, fading_first=(3,)), undo=9_999,
    )  # fmt: skip
    return replace(base, **changes)


def report_row(number: int, prompt: str, reply: str, state: str = "kept", **changes: Any) -> ReportRow:
    """A lesson as the ledger has it, with `changes`."""
    base = ReportRow(
        number, number, "correction", prompt, reply, NOW - 60.0 * number, state,  # type: ignore[arg-type]
        p_before=0.02, p_then=0.97, p_now=0.95, says=True, asked_at=NOW - 5, fresh=True,
    )  # fmt: skip
    return replace(base, **changes)


ROWS = (
    report_row(1, "hello", "Hi! How are you?", kind="pick", said_before="Hello."),
    report_row(2, "what is your name?", "My name is Theta.", "superseded", by=4),
    report_row(3, "who is your creator?", "My creator is Dakota.", "fading", p_now=0.31),
    report_row(4, "What is your name?", "My name is Mr. Classic. Nice to meet you."),
    report_row(5, "where is Quill?", "Quill is at home.", "lost", p_now=0.004, says=False),
)


PLOTS = (
    Plot("loss", "loss · lower is better", (
        Curve("before", "secondary", ((1, 3.0), (2, 2.5), (3, 2.8))),
        Curve("after", "success", ((1, 0.1), (2, 0.2), (3, 0.1))),
    )),
    Plot("kept", "kept · close together is good", (
        Curve("taught", "secondary", ((1, 1), (2, 2), (3, 3))), Curve("kept", "success", ((1, 1), (2, 1), (3, 2))),
    ), whole=True),
    Plot("lesson", "lesson 3: how likely it says “Quill \x1b[2J.”", (
        Curve("says it", "success", ((2, 0.4), (3, 97.0))),
    ), " %"),
)  # fmt: skip


@dataclass
class FakeWorker:
    """Records commands; the methods below post the events that a worker would."""

    shot: p.Snapshot = field(default_factory=snapshot)
    commands: list[c.Command] = field(default_factory=list)
    stopped: bool = False
    ends: bool = True
    """What `join` answers."""
    on_start: Callable[[], None] | None = None
    _post: Callable[[p.Event], None] | None = None
    prompts: int = 0

    # --- WorkerLike ---

    def start(self, post: Callable[[p.Event], None]) -> None:
        self._post = post
        if self.on_start is not None:
            self.on_start()

    def send(self, command: c.Command) -> None:
        self.commands.append(command)

    def request_stop(self) -> None:
        self.stopped = True

    def join(self, timeout: float) -> bool:
        return self.ends

    # --- the script ---

    def post(self, event: p.Event) -> None:
        """Post any event; its snapshot is the newest from then on."""
        assert self._post is not None, "the app has not started the worker yet"
        self.shot = event.snapshot
        self._post(event)

    def change(self, **changes: Any) -> p.Snapshot:
        """The newest snapshot with `changes`."""
        self.shot = replace(self.shot, **changes)
        return self.shot

    def loading(self, activity: str = "reading the weights") -> None:
        self.post(p.Loading(self.change(phase="loading", activity=activity)))

    def ready(self, seconds: float = 1.5) -> None:
        phase = "choosing" if self.shot.pending is not None else "idle"
        self.post(p.Ready(self.change(phase=phase, activity="idle"), seconds))

    def stream(self, prompt: str, texts: Sequence[str], done: bool = False) -> None:
        drafts = tuple(p.Draft(at + 1, text, done) for at, text in enumerate(texts))
        self.post(p.Streaming(self.change(phase="proposing", activity="writing", pending=None), prompt, drafts))

    def propose(
        self,
        prompt: str = "how are you today?",
        texts: Sequence[str] = REPLIES,
        chances: Sequence[float] = CHANCES,
        statement: Stated | None = None,
        earlier: tuple[Five, ...] = (),
    ) -> Pending:
        self.prompts += 1
        candidates = tuple(
            Candidate(at + 1, text, math.log(chance))
            for at, (text, chance) in enumerate(zip(texts, chances, strict=True))
        )
        pending = Pending(f"p{self.prompts}", prompt, candidates, statement, earlier)
        self.post(p.Proposed(self.change(phase="choosing", activity="idle", pending=pending), 0.8))
        return pending

    def cancelled(self, prompt: str) -> None:
        self.post(p.Cancelled(self.change(phase="idle", activity="idle", pending=None), prompt))

    def learning(self, steps: int = 3, p_now: float = 0.41, loss: float = 0.9, p_before: float = 0.02) -> None:
        shot = self.change(phase="learning", activity="learning", pending=None)
        self.post(p.Learning(shot, steps, 16, loss, p_before, p_now))

    def taught(self, prompt: str, reply: str, pick: int | None = None, **changes: Any) -> Outcome:
        number = self.shot.lessons + 1
        kind = "correction" if pick is None else "pick"
        changes = {"kind": kind, "prompt": prompt, "reply": reply, "step": self.shot.step + 4} | changes
        result = outcome(number, **changes)
        added = Turn(number, prompt, reply, kind, pick, result)  # type: ignore[arg-type]
        shot = self.change(
            phase="idle", activity="idle", pending=None, turns=(*self.shot.turns, added)[-p.TURNS_SHOWN :],
            turns_total=self.shot.turns_total + 1, lessons=number, step=result.step, last=result,
            losses=(*self.shot.losses, *result.losses)[-p.LOSSES_SHOWN :], unsaved=self.shot.unsaved + 1,
        )  # fmt: skip
        self.post(p.Taught(shot, result))
        return result

    def said(self) -> None:
        """The prompt that waits is answered by its first reply, and nothing is learned."""
        waiting = self.shot.pending
        assert waiting is not None
        turn = Turn(100 + self.prompts, waiting.prompt, waiting.candidates[0].text, "said")
        turns = (*self.shot.turns, turn)
        self.changed(phase="idle", pending=None, turns=turns, turns_total=self.shot.turns_total + 1)

    def stated(self, **changes: Any) -> Outcome:
        """The fact that the waiting prompt states was learned; the replies still wait, the offer is gone."""
        waiting = self.shot.pending
        assert waiting is not None
        result = outcome(self.shot.lessons + 1, kind="statement", **changes)
        pending = structs.replace(waiting, statement=None)
        shot = self.change(phase="choosing", activity="idle", pending=pending, lessons=result.lesson, last=result)
        self.post(p.Taught(shot, result))
        return result

    def undone(self, pending: Pending | None = None) -> None:
        """The last lesson is taken back; `pending` is the prompt that it answered, where that waits again."""
        gone = self.shot.turns[-1]
        shot = self.change(
            phase="choosing" if pending else "idle", turns=self.shot.turns[:-1],
            turns_total=self.shot.turns_total - 1, lessons=self.shot.lessons - 1, pending=pending,
        )  # fmt: skip
        self.post(p.TakenBack(shot, "undo", self.shot.lessons + 1, gone.prompt, gone.reply))

    def folding(self, activity: str) -> None:
        """Lessons are learned again because one is taken out or brought back."""
        self.changed(phase="learning", activity=activity)

    def redone(self, back: Turn) -> None:
        shot = self.change(
            phase="idle", turns=(*self.shot.turns, back), turns_total=self.shot.turns_total + 1,
            lessons=self.shot.lessons + 1, pending=None, redo=False,
        )  # fmt: skip
        self.post(p.TakenBack(shot, "redo", self.shot.lessons, back.prompt, back.reply))

    def withdrawn(self, number: int, turn: Turn) -> None:
        turns = tuple(other for other in self.shot.turns if other != turn)
        shot = self.change(
            phase="idle", turns=turns, turns_total=len(turns), lessons=self.shot.lessons - 1, redo=number
        )
        self.post(p.TakenBack(shot, "withdraw", number, turn.prompt, turn.reply))

    def ledger(self, rows: Sequence[ReportRow] = ROWS) -> None:
        self.post(p.Ledger(self.shot, tuple(rows)))

    def reviewed(self, left: int = 0, **changes: Any) -> None:
        self.post(p.Reviewed(self.change(**changes), left))

    def saved(self, asked: bool = True) -> None:
        self.post(p.Saved(self.change(saved_at=NOW, unsaved=0), "/home/checkpoints/step-37", 0.2, asked))

    def changed(self, **changes: Any) -> None:
        self.post(p.Changed(self.change(**changes)))

    def notice(self, text: str) -> None:
        self.post(p.Notice(self.shot, text))

    def failed(
        self, message: str, *, fatal: bool = False, code: int = 1, command: str = "teach", **changes: Any
    ) -> None:
        self.post(p.Failed(self.change(**changes), message, command, code, fatal))


SETTLED = 12
"""Drawings after which a screen that never comes to rest is taken as it is."""


@dataclass
class Driven:
    """A running app, what it talks to, and the keys."""

    app: ThetaApp
    worker: FakeWorker
    clock: FakeClock
    pilot: Pilot[int]
    looked: bool = False
    """Whether the screen was drawn since something happened."""

    @property
    def teach(self) -> TeachScreen:
        return self.app.teach

    async def press(self, *keys: str) -> None:
        """Press keys, and let everything settle."""
        for key in keys:
            self._post_key(key)
            await self.settle()
            if self.app.is_running and self.teach.composer.prompt.held is not None:
                await self.teach.composer.prompt.let_go()  # as when nothing follows the digit
                await self.settle()

    async def type(self, text: str) -> None:
        """Type `text` in one burst; a newline is Enter."""
        for char in text:
            self._post_key("enter" if char == "\n" else char)
        await self.settle()

    def _post_key(self, key: str) -> None:
        from textual.events import Key
        from textual.keys import _character_to_key, key_to_character

        if len(key) == 1:
            self.app.post_message(Key(_character_to_key(key), key))
        else:
            self.app.post_message(Key(key, "\r" if key == "enter" else key_to_character(key)))

    async def settle(self) -> None:
        """Until no message is left and the screen is drawn; drawing it may send some."""
        self.looked = False
        for _ in range(SETTLED):
            await self.rest()
            if not self.app.is_running:
                return
            screen = self.app.screen
            if not (screen._callbacks or screen._layout_required or screen._repaint_required or screen._dirty_widgets):
                return
            screen._on_timer_update()

    async def rest(self) -> None:
        """Until all tasks wait for something.

        Pilot's own pause sends a message to every widget, and sleeps until the processor is idle, twice a key.
        """
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        while ready:
            await asyncio.sleep(0)

    async def post(self, event: Callable[..., object], *args: Any) -> None:
        """Have the worker post an event, and draw what it changes."""
        event(*args)
        await self.settle()

    async def offer(self, *args: Any, settled: bool = True, **kwargs: Any) -> Pending:
        """Five replies, and (unless not `settled`) the grace period behind us."""
        pending = self.worker.propose(*args, **kwargs)
        await self.settle()
        if settled:
            self.clock.seconds += 1
            self.teach.draw()
            await self.settle()
        return pending

    @property
    def sent(self) -> list[c.Command]:
        return self.worker.commands

    @property
    def toasts(self) -> list[str]:
        return [toast.message for toast in self.app._notifications]

    def lines(self) -> list[str]:
        """What stands on the screen now, line by line."""
        self.looked = True
        return ["".join(segment.text for segment in strip) for strip in self.app.screen._compositor.render_strips()]

    def screen_text(self) -> str:
        return "\n".join(self.lines())


@asynccontextmanager
async def drive(
    size: tuple[int, int] = (80, 24),
    *,
    worker: FakeWorker | None = None,
    ready: bool = True,
    persist: Callable[[str, object], None] | None = None,
    drafts: Drafts | None = None,
    tour: bool = False,
    **settings: Any,
) -> AsyncIterator[Driven]:
    """The app on a fake worker at a size, loaded unless not `ready`."""
    from theta_tui.ui.app import ThetaApp

    fake, clock = worker or FakeWorker(), FakeClock()
    app = ThetaApp(Settings(**settings), fake, persist, clock=clock.clock, drafts=drafts, tour=tour)
    app.animation_level = "none"
    for at, points in zip(size, (app.teach.HORIZONTAL_BREAKPOINTS, app.teach.VERTICAL_BREAKPOINTS), strict=True):
        # As the first size will have it: all widgets would get their styles once more then.
        app.teach.add_class(*app.teach._get_breakpoint_classes(at, points))
    # Nothing is drawn for a terminal that is not there, which was more than half of the time of these tests: a test
    # that looks has the whole screen drawn (`lines`), and every test does so at its end. On a busy machine a toast
    # would be gone before it is looked for.
    with (
        patch("textual.screen.UPDATE_PERIOD", 1.0),
        patch("textual.screen.Screen._compositor_refresh"),
        patch.object(ThetaApp, "NOTIFICATION_TIMEOUT", 600),
    ):
        async with app.run_test(size=size, notifications=True) as pilot:
            driven = Driven(app, fake, clock, pilot)
            await driven.settle()
            if ready:
                fake.ready()
                await driven.settle()
            yield driven
            if app.is_running and not driven.looked:
                driven.lines()
