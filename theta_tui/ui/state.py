"""The state of the screen, updated by the worker's events. No Textual, no worker.

The worker's snapshot is the truth. Beside it the state keeps only what is under way between a key press and the event
that answers it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from theta_tui.session import lists
from theta_tui.session import protocol as p
from theta_tui.session.verbs import Mode, Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from theta_tui.store.records import Candidate, Outcome, Pending

ASIDES = 20


@dataclass(frozen=True, slots=True)
class Chosen:
    """The present or last lesson: the candidate's index (None for free text) and the reply."""

    index: int | None
    reply: str
    kind: Literal["pick", "correction", "statement"]
    prompt: str
    turn: int | None = None
    """The number of the turn that it corrects, where it is an older one."""


@dataclass(frozen=True, slots=True)
class Editing:
    """The purpose of the open editor: candidate `index`, free text (None), the last turn (`turn`: its prompt), turn
    `number`, or the stated fact (`fact`)."""

    prompt_id: str | None
    index: int | None = None
    turn: str | None = None
    fact: bool = False
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """Shown after turn `after`, and never part of the conversation: an answer to `/ask`, or (without a prompt) what
    somebody else did."""

    after: int
    prompt: str
    reply: str


@dataclass(slots=True)
class State:
    """All that the widgets draw from. Changed only by `apply` and the `begin_…` methods."""

    snapshot: p.Snapshot = field(default_factory=p.Snapshot)
    prompt: str | None = None
    """The prompt whose replies are being generated."""
    drafts: tuple[p.Draft, ...] = ()
    offered: Pending | None = None
    """The five shown replies; after the lesson they stay, dimmed."""
    numbers: Mapping[int, int] = field(default_factory=dict)
    """Record and number of the lessons that replies of the fives were written with."""
    page: str | None = None
    """The id of the five that was paged to; None: the newest."""
    chosen: Chosen | None = None
    teaching: bool = False
    progress: p.Learning | None = None
    result: Outcome | None = None
    """The outcome to show above the list, until the next prompt."""
    queued: tuple[str, ...] = ()
    """Prompts that wait until the worker is free, in order."""
    asides: tuple[Aside, ...] = ()
    models: tuple[p.ModelRow, ...] = ()
    """The models that there are, once the worker has said so."""
    problem: str | None = None
    """The last failure, shown in the panel until something works; one of saving, until that does."""
    _saving_failed: bool = False
    undoing: bool = False
    """Undo was asked for and is not done: a key that is held must not take back everything."""
    fatal: p.Failed | None = None

    @property
    def mode(self) -> Mode:
        if self.fatal is not None:
            return "broken"
        if self.snapshot.phase == "loading":
            return "loading"
        if self.teaching or self.snapshot.phase == "learning":
            return "learning"
        if self.prompt is not None:
            return "proposing"
        return "choosing" if self.snapshot.pending is not None else "idle"

    @property
    def stoppable(self) -> bool:
        """Whether the work under way can be stopped: fetching or converting a model, generating replies, taking back or
        bringing back lessons, and learning one, which then ends as far as it got."""
        return self.mode in ("proposing", "learning") or (self.mode == "loading" and self.snapshot.stoppable)

    @property
    def taking_back(self) -> bool:
        """Whether lessons are being taken back or brought back, or replies generated: undo must wait for that. A lesson
        that is being learned can be taken back already."""
        return self.mode in ("proposing", "learning") and not self.teaching

    @property
    def says(self) -> tuple[float, float] | None:
        """P(reply) before and now, for the lesson under way or else the last one."""
        if self.teaching and self.progress is not None:
            return self.progress.p_before, self.progress.p_now
        last = self.snapshot.last
        return None if last is None or last.skipped is not None else (last.p_before, last.p_after)

    @property
    def blank(self) -> bool:
        """Whether there are no replies to show, or something more important than those."""
        return self.fatal is not None or (self.offered is None and self.prompt is None)

    def refused(self, verb: Verb) -> str:
        """Why `verb` does not apply now; "" if it does."""
        return verb.refused(self.mode, self.snapshot)

    @property
    def pending(self) -> Pending | None:
        """The waiting prompt, with the five that are shown."""
        pending = self.snapshot.pending
        if pending is None or self.page is None:
            return pending
        return pending.at(self.page) or pending

    @property
    def marked(self) -> int | None:
        """The number of the lesson that one of the shown replies was written with."""
        mark = self.offered.mark if self.offered is not None else None
        return self.numbers.get(mark.lesson) if mark is not None and mark.lesson is not None else None

    @property
    def pages(self) -> tuple[int, int]:
        """Which of the fives of the waiting prompt are shown, from 1 on, and how many there are; (0, 0): none."""
        pending = self.pending
        if pending is None or self.snapshot.pending is None:
            return 0, 0
        ids = [five.prompt_id for five in self.snapshot.pending.fives]
        return ids.index(pending.prompt_id) + 1, len(ids)

    def turn_page(self, by: int) -> None:
        """Show an earlier (-1) or a later five (+1), if there is one."""
        (at, of), pending = self.pages, self.snapshot.pending
        if pending is not None and 1 <= at + by <= of:
            self.page = pending.fives[at + by - 1].prompt_id
            self.offered = self.pending

    def candidate(self, index: int) -> Candidate | None:
        """Candidate `index` of the shown five."""
        pending = self.pending
        return next((c for c in pending.candidates if c.index == index), None) if pending is not None else None

    def copyable(self, index: int) -> str | None:
        """The text that `y` copies: candidate `index` of the waiting prompt, or the last reply of the conversation."""
        candidate, turns = self.candidate(index), self.snapshot.turns
        return candidate.text if candidate is not None else turns[-1].reply if turns else None

    def begin_prompt(self, prompt: str) -> None:
        """Replies to `prompt` were requested."""
        self.prompt, self.drafts, self.result, self.chosen = prompt, (), None, None
        self.offered = None
        self._worked()

    def begin_lesson(self, chosen: Chosen) -> None:
        """`chosen` was sent to be taught."""
        self.chosen, self.teaching, self.progress = chosen, True, None
        self._worked()

    def _worked(self, *, saved: bool = False) -> None:
        """Something was done: the problem is over."""
        if saved or not self._saving_failed:
            self.problem, self._saving_failed = None, False

    def _aside(self, prompt: str, reply: str) -> None:
        self.asides = (*self.asides, Aside(self.snapshot.turns_total, prompt, reply))[-ASIDES:]

    def apply(self, event: p.Event) -> None:
        """Update the state with one event."""
        if event.snapshot.conversation != self.snapshot.conversation:
            self.asides, self.offered, self.chosen, self.result = (), None, None, None
        self.snapshot = event.snapshot
        if isinstance(event, (p.TakenBack, p.Failed, p.Notice)):
            self.undoing = False
        if event.snapshot.pending is not None:
            self.numbers = event.snapshot.marked
        if self.pending is not None and self.pending != self.offered and not self.teaching:
            self.offered = self.pending
        match event:
            case p.Streaming(prompt=prompt, drafts=drafts):
                self.prompt, self.drafts, self.result = prompt, drafts, None
            case p.Proposed():
                self.prompt, self.drafts, self.chosen, self.page = None, (), None, None
                self._worked()
                self.offered = event.snapshot.pending
            case p.Cancelled() | p.Continued():
                self.prompt, self.drafts = None, ()
                self.offered = self.pending
            case p.Learning():
                self.teaching, self.progress = True, event
            case p.Taught(outcome=outcome):
                self.teaching, self.progress, self.result = False, None, outcome
                self._worked()
                self.problem = (outcome.skipped if outcome.lesson else None) or self.problem
            case p.TakenBack():
                self.teaching, self.progress, self.result, self.chosen = False, None, None, None
                self._worked()
                self.offered = self.pending
            case lists.FileRead():
                self.problem = None
            case lists.FileTaught():
                self.teaching, self.progress, self.result, self.chosen, self.problem = False, None, None, None, None
            case p.Switched():
                self.result, self.chosen, self.problem, self.asides = None, None, None, ()
                self.offered = self.pending
            case p.Models(rows=rows):
                self.models = rows
            case p.Answered(prompt=prompt):
                self._worked()
                self._aside(prompt, event.shown)
            case p.Heard():
                self._aside("", event.words)
            case p.Saved() | p.Quizzed() | p.LessonAnswered() | p.Models():
                self._worked(saved=isinstance(event, p.Saved))
            case p.Changed():
                if event.snapshot.phase in {"idle", "choosing"}:
                    self._worked()
                if event.snapshot.pending is None and self.mode == "idle":
                    self.offered, self.chosen, self.result = None, None, None
                if event.snapshot.turns_total == 0:
                    self.asides = ()
            case p.Failed(message=message, command=command, fatal=fatal):
                self._saving_failed = command == "Save"
                self.prompt, self.drafts, self.teaching, self.progress, self.chosen = None, (), False, None, None
                self.offered, self.problem = self.pending, None if fatal else message
                if fatal:
                    self.fatal = event
            case _:
                pass
