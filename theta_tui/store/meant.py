"""What picks say of the scopes of lessons: "this is meant too", and "not this". Standard library only.

Picking the marked reply, which was written with a lesson's own weights, puts its prompt among the wordings of that
lesson. Picking another one while that was offered keeps the lesson away from this prompt. Of several picks on one
question the newest counts; those that are taken back do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from theta_tui.store.records import Exchange, Pending
from theta_tui.store.state import Lesson, State, question


@dataclass(frozen=True, slots=True)
class Said:
    """What one pick says of the scope of a lesson."""

    prompt: str
    meant: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """The wordings that ask for a lesson, its prompt first, and those that it is not meant for. `more` counts the
    wordings that came by picks."""

    wordings: tuple[str, ...]
    not_these: tuple[str, ...] = ()
    more: int = 0


def said_by(pick: Lesson) -> tuple[int, Said | None] | None:
    """Which lesson (its record) a pick says something of, and what: nothing where the pick does not count."""
    exchange = pick.exchange
    mark = exchange.mark if exchange.kind == "pick" else None
    if mark is None or mark.lesson is None:
        return None
    return mark.lesson, Said(exchange.prompt, exchange.meant is not None) if pick.moves else None


def number(waiting: Pending | None, state: State) -> int | None:
    """The number of the lesson that one of the replies was written with, while that lesson counts."""
    mark = waiting.mark if waiting is not None else None
    lesson = state.find(mark.lesson) if mark is not None and mark.lesson is not None else None
    return lesson.number if lesson is not None and lesson.moves else None


def picks(state: State) -> dict[int, dict[int, Said]]:
    """Record of a lesson → record of a pick → what that says of it, in order."""
    found: dict[int, dict[int, Said]] = {}
    for seq in state.marked:
        lesson, said = said_by(state.lesson(seq)) or (0, None)
        if said is not None:
            found.setdefault(lesson, {})[seq] = said
    return found


def scope(taught: Exchange, said: Iterable[Said]) -> Scope:
    """The scope of a lesson: what was taught, and what picks say of it, in order."""
    own = tuple(dict.fromkeys((taught.prompt, *taught.variants)))
    newest = {question(one.prompt): one for one in said}
    known = set(map(question, own))
    more = [one.prompt for about, one in newest.items() if one.meant and about not in known]
    not_these = tuple(one.prompt for one in newest.values() if not one.meant)
    return Scope((*own, *more), not_these, len(more))
