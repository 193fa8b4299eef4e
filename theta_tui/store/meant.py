"""How picks widen or narrow the scope of a lesson. Standard library only.

A marked reply was written with the weights of a lesson. Picking it adds the prompt to the wordings of that lesson;
picking another reply instead excludes the prompt from its scope. Of several picks on one question the newest counts;
picks that were taken back do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from theta_tui.store.records import Exchange, Pending, marked
from theta_tui.store.state import Lesson, State, question


@dataclass(frozen=True, slots=True)
class Said:
    """The effect of one pick on the scope of a lesson."""

    prompt: str
    meant: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """The wordings that a lesson answers, its prompt first, and those excluded from it. `more` counts the wordings
    that picks have added."""

    wordings: tuple[str, ...]
    not_these: tuple[str, ...] = ()
    more: int = 0


def said_by(pick: Lesson) -> tuple[int, Said | None] | None:
    """The lesson (its record) whose scope a pick changes, and how; None if the pick does not count."""
    exchange = pick.exchange
    mark = exchange.mark if exchange.kind == "pick" else None
    if mark is None or mark.lesson is None:
        return None
    return mark.lesson, Said(exchange.prompt, exchange.meant is not None) if pick.moves else None


def number(waiting: Pending | None, state: State) -> int | None:
    """The number of the lesson that the marked reply was written with, if that lesson still counts."""
    mark = waiting.mark if waiting is not None else None
    return numbers(waiting, state).get(mark.lesson or 0) if mark is not None else None


def numbers(waiting: Pending | None, state: State) -> dict[int, int]:
    """Record and number of each lesson that a reply of any five was written with, if that lesson still counts."""
    found: dict[int, int] = {}
    for five in waiting.fives if waiting is not None else ():
        mark = marked(five.candidates)
        lesson = state.find(mark.lesson) if mark is not None and mark.lesson is not None else None
        if lesson is not None and lesson.moves:
            found[lesson.seq] = lesson.number
    return found


def picks(state: State) -> dict[int, dict[int, Said]]:
    """Record of a lesson → record of a pick → its effect on the scope, in order."""
    found: dict[int, dict[int, Said]] = {}
    for seq in state.marked:
        lesson, said = said_by(state.lesson(seq)) or (0, None)
        if said is not None:
            found.setdefault(lesson, {})[seq] = said
    return found


def scope(taught: Exchange, said: Iterable[Said]) -> Scope:
    """The scope of a lesson: its own wordings, then the effects of picks, in order."""
    own = tuple(dict.fromkeys((taught.prompt, *taught.variants)))
    newest = {question(one.prompt): one for one in said}
    known = set(map(question, own))
    more = [one.prompt for about, one in newest.items() if one.meant and about not in known]
    not_these = tuple(one.prompt for one in newest.values() if not one.meant)
    return Scope((*own, *more), not_these, len(more))
