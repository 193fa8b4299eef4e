"""What the screen shows of a session: one bounded snapshot of plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from theta_tui.session import protocol as p
from theta_tui.store import meant, retention

if TYPE_CHECKING:
    from theta_tui.session.session import Session
    from theta_tui.store.records import Outcome
    from theta_tui.store.report import Tally


def snapshot(session: Session, phase: p.Phase, activity: str, latest: Outcome | None, tally: Tally) -> p.Snapshot:
    """The present state. `latest` is the last lesson's outcome, if it was learned on since."""
    state = session.store.state
    undone = state.undone
    last, own, who = state.last, state.own_last, session.store.who
    model = session.model if session.loaded else None
    return p.Snapshot(
        phase=phase,
        activity=activity,
        model=session.settings.model,
        parameters=model.parameters if model else 0,
        device=model.device if model else "",
        recipe=session.settings.recipe,
        turns=tuple(state.turns[-p.TURNS_SHOWN :]),
        turns_total=len(state.turns),
        pending=session.pending,
        lessons=len(state.active),
        step=state.step,
        losses=state.losses(p.LOSSES_SHOWN),
        last=latest or (last.outcome if last else None),
        saved_at=session.saved_at,
        unsaved=session.unsaved,
        read_only=session.store.read_only,
        undo=own.seq if own else 0,
        redo=undone.seq if undone else 0,
        beside=state.beside(p.BESIDE_SHOWN),
        said_before=_cut(retention.said_before(last)) if last else None,
        says_now=_cut(retention.says_now(last, known.says if (known := retention.measured(last)) else None))
        if last
        else None,
        marked=meant.numbers(session.pending, state),
        tally=tally,
        alarm=session.review.alarm,
        persona=state.persona[: p.LESSON_TEXT] if state.persona is not None else None,
        conversation=state.open.number,
        who=who,
        last_by=last.who if last else "",
        continuous=session.settings.continuous and not who,
        proposals=len(state.proposals.of(who) if who else state.proposals),
    )


def _cut(text: str | None) -> str | None:
    return None if text is None else text[: p.LESSON_TEXT]
