"""Five replies for each of those who wait: for one person, or for several in one batch. Needs torch only to write."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from theta_tui.base.config import CANDIDATES
from theta_tui.session import commands as c
from theta_tui.session import protocol as p

if TYPE_CHECKING:
    from theta_tui.model.generate import Task, Written
    from theta_tui.session.session import Session

PROGRESS_SECONDS = 0.08
"""The least time between two progress reports."""

MOST = 4
"""People whose replies are written in one batch. Twenty rows take 2.1 times as long as five with the built-in model;
with more, whoever came first waits too long for those who came last."""

T = TypeVar("T")
Drafts = tuple[tuple[str, bool], ...]
"""The text so far of each reply, and whether it is done."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A command of the person `who`. `settings` replace the session's while it is carried out. `served` is entered
    whenever something is done for it."""

    command: c.Command
    cancelled: Callable[[], bool] = lambda: False
    settings: Mapping[str, Any] = field(default_factory=dict)
    who: str = ""
    served: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext


class Service(Protocol):
    """What reports to the people."""

    def act_for(self, turn: Turn, act: Callable[[], T]) -> T | None:
        """Do something of a turn; None: it failed, and that was reported."""

    def show_drafts(self, prompt: str, drafts: Drafts) -> None:
        """Report the replies so far."""

    def answer(self, event: Callable[[p.Snapshot], p.Event]) -> None:
        """Report how it ended."""


def alone(session: Session, service: Service, turn: Turn, prompt: str, *, again: bool = False) -> None:
    """Write the replies of one person."""
    from theta_tui.model import generate

    generate.alone(session.model, _replies(session, service, turn, prompt, again=again))


def together(session: Session, service: Service, turns: Sequence[Turn]) -> None:
    """Write the replies that several people want, in one batch. A round of one waits for the others' rounds."""
    from theta_tui.model.generate import write

    def go_on(turn: Turn, run: Written[None]) -> Task | None:
        return service.act_for(turn, lambda: next(run, None) if error is None else run.throw(error))

    runs: list[tuple[Turn, Written[None]]] = []
    for turn in turns:
        assert isinstance(turn.command, c.Propose)
        runs.append((turn, _replies(session, service, turn, turn.command.prompt, timed=False)))
    error: Exception | None = None
    while runs:
        going = [(turn, run, task) for turn, run in runs if (task := go_on(turn, run)) is not None]
        runs, error = [(turn, run) for turn, run, _ in going], None
        try:
            if going:
                write(session.model, *(task for _, _, task in going))
        except Exception as found:
            error = found


def _replies(
    session: Session, service: Service, turn: Turn, prompt: str, *, again: bool = False, timed: bool = True
) -> Written[None]:
    started, reported = time.perf_counter(), 0.0

    def written(drafts: Drafts) -> None:
        nonlocal reported
        reported = time.monotonic()
        service.act_for(turn, partial(service.show_drafts, prompt, drafts))

    service.show_drafts(prompt, (("", False),) * CANDIDATES)
    waiting = yield from session.proposing(
        prompt, again=again, on_progress=written, due=lambda: time.monotonic() - reported >= PROGRESS_SECONDS,
        cancelled=turn.cancelled, timed=timed,
    )  # fmt: skip
    if waiting is None:
        service.answer(lambda shot: p.Cancelled(shot, prompt))
    else:
        service.answer(lambda shot: p.Proposed(shot, time.perf_counter() - started))
