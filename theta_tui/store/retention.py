"""The retention report: which lessons hold. Pure functions of a state and of what was found since.

What is known of a lesson is what was last measured: when it was taught, or when it was asked again. A *correction* is
taught until the model says it, so it is judged by that: **kept** while the model says it (its greedy reply is the
taught one), **fading** while it still does but P(reply) fell below half of what it was then, **lost** when it says
something else. A *pick* is a step or two towards a reply of the model's own and need not be its first choice: kept
while P is at least half of what it was then, fading below that, lost once P is also below what it was before the pick
and the model does not say it.

A later lesson with another reply to the same question **supersedes** the earlier one; withdrawing it brings the
earlier back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from theta_tui.store import meant
from theta_tui.store.records import Finding, Kind
from theta_tui.store.standing import NAMED, Holding, Standing, Tally
from theta_tui.store.standing import named as named
from theta_tui.store.state import Lesson, Measured, State
from theta_tui.store.state import question as question

ANSWERS: frozenset[Holding] = frozenset({"kept", "fading", "lost", "unasked"})
"""How lessons stand that the model is to know."""
FADING = 0.5
"""Share of the P that a lesson had when it was taught, below which it fades."""
RELATED = 4
"""Lessons most like the newest one that are asked again first, to know soon what it cost."""
NOTICEABLE = 0.05
"""A P that moved by less than this is not worth a record."""


def newest(lessons: Iterable[Lesson]) -> dict[str, Lesson]:
    """The last of `lessons` on each question: the one whose answer holds."""
    return {lesson.question: lesson for lesson in lessons}


def active_answers(state: State) -> list[Lesson]:
    """The lessons that are neither withdrawn nor superseded, in order: what the model is to know.

    Of several active lessons on one question those count that taught the newest one's reply.
    """
    return [lesson for lesson in state.active if _same_reply(lesson, holding(state, lesson))]


def holding(state: State, lesson: Lesson) -> Lesson:
    """The lesson whose answer to the question of `lesson` holds; itself where it does not count."""
    return state.about(lesson.question)[-1] if lesson.moves else lesson


def superseded_by(state: State, lesson: Lesson) -> list[Lesson]:
    """The lessons that counted until `lesson`, the newest, gave their question another answer."""
    earlier = [other for other in state.about(lesson.question) if other.seq < lesson.seq]
    if not earlier or _same_reply(earlier[-1], lesson):
        return []
    return [other for other in earlier if _same_reply(other, earlier[-1])]


def standings(
    state: State, found: Mapping[int, Finding] | None = None, now: float = 0.0, *, most: int | None = None
) -> list[Standing]:
    """Every lesson that was ever taught, in order, or the last `most`. `found` (by seq) is what asking found at Unix
    time `now` of the model as the state makes it, and is not in the journal yet."""
    found, picks = found or {}, meant.picks(state)
    lessons = state.lessons if most is None else state.lessons[-most:]
    return [
        replace(
            _standing(lesson, holding(state, lesson), found.get(lesson.seq), now, state.moved),
            more=None
            if not has_scope(lesson)
            else meant.scope(lesson.exchange, picks.get(lesson.seq, {}).values()).more,
            said_at=state.last_said.get(lesson.seq),
        )
        for lesson in lessons
    ]


class Judged(msgspec.Struct, frozen=True, gc=False):
    """How the lesson with this number stands, and whether nothing moved since that was found."""

    number: int
    state: Holding
    fresh: bool


def judged(state: State, found: Mapping[int, Finding] | None = None) -> Iterator[Judged]:
    """Every lesson that was ever taught, question by question, so that nothing is looked up: of 10,000 in a tenth of
    the time that `standings` takes."""
    found, moved = found or {}, state.moved
    for group in state.questions:
        for lesson in group:
            yield Judged(lesson.number, *stand(lesson, group[-1], found.get(lesson.seq), moved))
    if len(state.lessons) > len(state.active):
        for lesson in state.lessons:
            if not lesson.moves:
                yield Judged(lesson.number, *stand(lesson, lesson, None, moved))


def tally(rows: Iterable[Judged | Standing]) -> Tally:
    """The rows in numbers."""
    numbers: dict[Holding, list[int]] = {}
    stale = 0
    for row in rows:
        numbers.setdefault(row.state, []).append(row.number)
        stale += not row.fresh and row.state in ANSWERS
    sizes = {state: len(of) for state, of in numbers.items()}
    kept, fading, lost, unasked = (sizes.get(state, 0) for state in ("kept", "fading", "lost", "unasked"))
    return Tally(
        live=kept + fading + lost + unasked,
        kept=kept,
        fading=fading,
        lost=lost,
        unasked=unasked,
        stale=stale,
        superseded=sizes.get("superseded", 0),
        withdrawn=sizes.get("withdrawn", 0),
        fading_first=tuple(sorted(numbers.get("fading", ()))[:NAMED]),
        lost_first=tuple(sorted(numbers.get("lost", ()))[:NAMED]),
    )


def measured(lesson: Lesson) -> Measured | None:
    """What the journal last knew of a lesson: asked again, or when it was taught."""
    if lesson.asked:
        return lesson.asked[-1]
    outcome = lesson.outcome
    if outcome is None or outcome.skipped is not None:
        return None
    return Measured(lesson.seq, lesson.at, outcome.p_after, outcome.learned)


def offered(lesson: Lesson) -> str | None:
    """The first reply that was offered for the prompt of a lesson."""
    return lesson.exchange.first_offered


def has_scope(lesson: Lesson) -> bool:
    """Whether it has weights of its own, which are on for the prompts that it is meant for."""
    return by_heart(lesson.exchange.kind) and lesson.recipe.get("method") == "module"


def by_heart(kind: Kind) -> bool:
    """Whether what was taught so is to be known by heart: a pick tells a taste, and is not."""
    return kind != "pick"


def judge(lesson: Lesson, p: float, says: bool) -> Holding:
    """Kept, fading or lost, by the rules at the top."""
    outcome = lesson.outcome
    then = outcome.p_after if outcome is not None else math.nan
    holds = not p < FADING * then
    if lesson.exchange.kind == "pick":
        gone = not says and outcome is not None and p < outcome.p_before
        return "kept" if holds and p == p else "lost" if gone or p != p else "fading"
    return "lost" if not says else "kept" if holds else "fading"


def noticeable(lesson: Lesson, finding: Finding) -> bool:
    """Whether `finding` tells something that the journal does not say yet."""
    known = measured(lesson)
    if known is None or judge(lesson, known.p, known.says) != judge(lesson, finding.p, finding.says):
        return True
    return abs(finding.p - known.p) >= NOTICEABLE


def due(state: State, rows: Sequence[Standing]) -> list[Lesson]:
    """The active answers that were not asked since the newest lesson, in the order to ask them in.

    First those most like the newest lesson, which it is likeliest to have cost; then whoever waits longest.
    """
    waiting = [
        state.lesson(row.seq)
        for row in sorted(rows, key=lambda row: (row.asked_at or 0.0, row.seq))
        if row.state in ANSWERS and not row.fresh
    ]
    last = state.last
    if last is None:
        return waiting
    words = _words(last)
    alike = {lesson.seq: _overlap(words, _words(lesson)) for lesson in waiting}
    first = sorted((lesson for lesson in waiting if alike[lesson.seq] > 0), key=lambda one: -alike[one.seq])[:RELATED]
    chosen = {lesson.seq for lesson in first}
    return [*first, *(lesson for lesson in waiting if lesson.seq not in chosen)]


def stand(lesson: Lesson, current: Lesson, finding: Finding | None, moved: int) -> tuple[Holding, bool]:
    """How `lesson` stands where `current` is the one whose answer holds, and whether nothing moved since that was
    found."""
    known = measured(lesson)
    fresh = finding is not None or (known is not None and known.seq >= moved)
    if lesson.withdrawn:
        return "withdrawn", False
    if not lesson.moves:
        return "failed", False
    if not _same_reply(lesson, current):
        return "superseded", fresh
    if finding is not None:
        return judge(lesson, finding.p, finding.says), fresh
    return ("unasked" if known is None else judge(lesson, known.p, known.says)), fresh


def _standing(lesson: Lesson, current: Lesson, finding: Finding | None, now: float, moved: int) -> Standing:
    exchange, outcome, known = lesson.exchange, lesson.outcome, measured(lesson)
    p, says, asked_at = (known.p, known.says, known.at) if known else (None, None, None)
    if finding is not None:
        p, says, asked_at = finding.p, finding.says, now
    state, fresh = stand(lesson, current, finding, moved)
    return Standing(
        number=lesson.number,
        seq=lesson.seq,
        kind=exchange.kind,
        prompt=exchange.prompt,
        reply=exchange.reply,
        at=lesson.at,
        state=state,
        p_before=outcome.p_before if outcome else None,
        p_then=outcome.p_after if outcome else None,
        p_now=p,
        says=says,
        asked_at=asked_at,
        fresh=fresh,
        by=current.number if state == "superseded" else None,
        offered=offered(lesson),
    )


def _same_reply(one: Lesson, other: Lesson) -> bool:
    # Letter for letter: a model that says the one does not say the other.
    return one is other or one.exchange.reply == other.exchange.reply


def _words(lesson: Lesson) -> frozenset[str]:
    return frozenset(lesson.question.split())


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of words that two questions have in common."""
    return len(one & other) / len(one | other) if one and other else 0.0
