"""What a person is told of what another one does: the lesson, and that something changed. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from theta_tui.session import lists
from theta_tui.session import protocol as p

SHARED = (p.Loading, p.Ready, p.Saved, p.Switched, p.Quizzed, lists.FileTaught)
"""Events about what all share; the others are about a conversation, or an answer to who asked."""


def heard(event: p.Event, shot: Callable[[], p.Snapshot]) -> p.Event | None:
    """`event`, which is somebody else's, as another person gets it, whose snapshot is `shot`; None: not at all."""
    by = event.snapshot.who
    match event:
        case p.Taught(outcome=done, who=who) if done.skipped is None:
            return p.Heard(shot(), "teach", who, by, done.lesson, done.prompt, done.reply, done.p_before, done.p_after)
        case p.Taught(outcome=done) if not done.lesson:
            return p.Heard(shot(), "propose", by, by, 0, done.prompt, done.reply)
        case p.TakenBack():
            return p.Heard(shot(), event.deed, event.who, by, event.number, event.prompt, event.reply)
        case p.Reviewed(left=0) | p.Failed(fatal=True):
            return replace(event, snapshot=shot())
        case _:
            return replace(event, snapshot=shot()) if isinstance(event, SHARED) else None
