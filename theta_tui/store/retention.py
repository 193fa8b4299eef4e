"""The retention report: which lessons hold. Pure functions of a state and of unjournalled review results.

A lesson is judged by its last measurement: when it was taught, or when it was reviewed. A *correction* is taught until
the model says it, so it is **kept** while the model says it (its greedy reply is the taught one), **fading** if it
still does but P(reply) fell below half of its value after teaching, and **lost** when the model says something else.
A *pick* is a step or two towards one of the model's own replies and need not be its first choice: kept while P is at
least half of its value after teaching, fading below that, lost once P is also below its value before the pick and the
model does not say the reply.

A later lesson with another reply to the same question **supersedes** the earlier one; withdrawing it brings the
earlier back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from theta_tui.store import meant
from theta_tui.store.lesson import Lesson, Measured
from theta_tui.store.lesson import question as question
from theta_tui.store.records import Finding, Kind
from theta_tui.store.report import NAMED, Holding, ReportRow, Tally
from theta_tui.store.report import named as named
from theta_tui.store.state import State

ANSWERS: frozenset[Holding] = frozenset({"kept", "fading", "lost", "unasked"})
"""The states of lessons that the model is to know."""
FADING = 0.5
"""A lesson fades below this share of the P that it had when it was taught."""
RELATED = 4
"""This many lessons, those most like the newest one, are reviewed first, to know soon what it cost."""
NOTICEABLE = 0.05
"""A smaller change of P is not worth a record."""


def newest(lessons: Iterable[Lesson]) -> dict[str, Lesson]:
    """The last of `lessons` on each question; its answer holds."""
    return {lesson.question: lesson for lesson in lessons}


def active_answers(state: State) -> list[Lesson]:
    """The lessons that the model is to know, in order: those neither withdrawn nor superseded.

    Of several active lessons on one question, those that teach the same reply as the newest one count.
    """
    return [lesson for lesson in state.active if _same_reply(lesson, holding(state, lesson))]


def holding(state: State, lesson: Lesson) -> Lesson:
    """The lesson whose answer to the question of `lesson` holds; `lesson` itself if it does not count."""
    return state.about(lesson.question)[-1] if lesson.moves else lesson


def superseded_by(state: State, lesson: Lesson) -> list[Lesson]:
    """The lessons that `lesson`, the newest, superseded by another answer to the same question."""
    earlier = [other for other in state.about(lesson.question) if other.seq < lesson.seq]
    if not earlier or _same_reply(earlier[-1], lesson):
        return []
    return [other for other in earlier if _same_reply(other, earlier[-1])]


def rows(
    state: State, found: Mapping[int, Finding] | None = None, now: float = 0.0, *, most: int | None = None
) -> list[ReportRow]:
    """The rows of all lessons ever taught, in order, or of the last `most`. `found` (by seq) are review results of
    Unix time `now` that are not in the journal yet."""
    found, picks = found or {}, meant.picks(state)
    lessons = state.lessons if most is None else state.lessons[-most:]
    return [
        replace(
            _row(lesson, holding(state, lesson), found.get(lesson.seq), now, state.moved),
            more=None
            if not has_scope(lesson)
            else meant.scope(lesson.exchange, picks.get(lesson.seq, {}).values()).more,
            said_at=state.last_said.get(lesson.seq),
        )
        for lesson in lessons
    ]


class Judged(msgspec.Struct, frozen=True, gc=False):
    """The state of the lesson with this number; `fresh`: no weights changed since it was measured."""

    number: int
    state: Holding
    fresh: bool


def judged(state: State, found: Mapping[int, Finding] | None = None) -> Iterator[Judged]:
    """Judge all lessons ever taught, question by question. That avoids lookups: 10,000 lessons take a tenth of the
    time of `rows`."""
    found, moved = found or {}, state.moved
    for group in state.questions:
        for lesson in group:
            yield Judged(lesson.number, *status(lesson, group[-1], found.get(lesson.seq), moved))
    if len(state.lessons) > len(state.active):
        for lesson in state.lessons:
            if not lesson.moves:
                yield Judged(lesson.number, *status(lesson, lesson, None, moved))


def tally(rows: Iterable[Judged | ReportRow]) -> Tally:
    """The summary of the rows."""
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
    """The last journalled measurement of a lesson: its last review, or its teaching."""
    if lesson.asked:
        return lesson.asked[-1]
    outcome = lesson.outcome
    if outcome is None or outcome.skipped is not None:
        return None
    return Measured(lesson.seq, lesson.at, outcome.p_after, outcome.learned)


def said_before(lesson: Lesson) -> str | None:
    """What the model said to the prompt of a lesson before it: the first reply that was offered, or else what was
    asked. None: unknown."""
    offered = lesson.exchange.first_offered
    return offered if offered is not None else lesson.said_before


def says_now(lesson: Lesson, says: bool | None) -> str | None:
    """What the model says to the prompt of a lesson. `says`: whether it said the reply when it was last asked. None:
    something else, and it was not asked what."""
    reply = lesson.exchange.reply
    return reply if says else None if lesson.says_now == reply else lesson.says_now


def has_scope(lesson: Lesson) -> bool:
    """Whether the lesson has weights of its own, used for the prompts in its scope only."""
    return by_heart(lesson.exchange.kind) and lesson.recipe.get("method") == "module"


def by_heart(kind: Kind) -> bool:
    """Whether the model must say the reply word for word. Not for a pick, which expresses a taste."""
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
    """Whether `finding` adds something to the journal."""
    known = measured(lesson)
    if known is None or judge(lesson, known.p, known.says) != judge(lesson, finding.p, finding.says):
        return True
    return abs(finding.p - known.p) >= NOTICEABLE


def due(state: State, rows: Sequence[ReportRow]) -> list[Lesson]:
    """The active answers not reviewed since the newest lesson, in the order in which to review them.

    First those most like the newest lesson, which it most likely damaged; then the one reviewed longest ago.
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


def status(lesson: Lesson, current: Lesson, finding: Finding | None, moved: int) -> tuple[Holding, bool]:
    """The state of `lesson`, if the answer of `current` holds, and whether no weights changed since it was measured."""
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


def _row(lesson: Lesson, current: Lesson, finding: Finding | None, now: float, moved: int) -> ReportRow:
    exchange, outcome, known = lesson.exchange, lesson.outcome, measured(lesson)
    p, says, asked_at = (known.p, known.says, known.at) if known else (None, None, None)
    if finding is not None:
        p, says, asked_at = finding.p, finding.says, now
    state, fresh = status(lesson, current, finding, moved)
    return ReportRow(
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
        said_before=said_before(lesson),
        says_now=None if lesson.withdrawn else says_now(lesson, says),
        who=lesson.who,
    )


def _same_reply(one: Lesson, other: Lesson) -> bool:
    # Letter for letter, because the model says only one of two spellings.
    return one is other or one.exchange.reply == other.exchange.reply


def _words(lesson: Lesson) -> frozenset[str]:
    return frozenset(lesson.question.split())


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of words that two questions have in common."""
    return len(one & other) / len(one | other) if one and other else 0.0
