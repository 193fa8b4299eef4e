"""The conversation with everything that happened beside it, in order, and its words. No model, no files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from theta_tui.base.text import plural

if TYPE_CHECKING:
    from theta_tui.store.records import Beside, Turn

UNANSWERED = "no reply was picked"


def in_order(
    turns: Sequence[Turn], beside: Iterable[Beside], first: int = 0
) -> Iterator[tuple[list[Beside], Turn | None]]:
    """What happened beside the turns before each one, and that turn; None: after the last one. The first of `turns`
    has `first` turns before it, and what happened beside those is left out."""
    others = [one for one in beside if not first or one.after >= first]
    for at, turn in enumerate(turns, first):
        before = [one for one in others if one.after <= at]
        others = others[len(before) :]
        yield before, turn
    yield others, None


def stated_by(beside: Sequence[Beside], waiting: str | None) -> tuple[list[Beside], list[Beside]]:
    """What happened beside the turns before the message `waiting`, and the facts that it stated since."""
    at = len(beside)
    while at and waiting is not None and beside[at - 1].said == waiting:
        at -= 1
    return list(beside[:at]), list(beside[at:])


def words(one: Beside) -> str:
    """What happened, in one line: `learned: Who is your creator? → My creator is Dakota.`"""
    if one.kind == "none":
        return UNANSWERED
    deed = "taken back" if one.withdrawn else _learned(one)
    more = f" (and {plural(one.more, 'lesson')} before it)" if one.more else ""
    return f"{deed}: {one.prompt} → {one.reply}{more}"


def _learned(one: Beside) -> str:
    if one.outcome is None:
        return "learning"
    if one.outcome.skipped is not None:
        return "not learned"
    return "learned" if one.outcome.learned else "taught"
