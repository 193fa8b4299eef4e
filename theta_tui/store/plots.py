"""What the plots show, lesson by lesson: the loss, what is kept, and how likely one lesson's reply is. Plain values,
from the journal alone: no model, no screen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from theta_tui.store.state import Lesson, State

Point = tuple[float, float]
MOST_POINTS = 400
"""A curve has at most about this many points; a longer one is thinned out evenly."""
TEXT = 60
"""At most this many characters of a reply stand in a heading."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A named curve: (lessons taught, value) in order. `tone` is the theme's colour for it."""

    name: str
    tone: Literal["secondary", "success"]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot over the lessons taught. `heading` says in plain words what it shows and which way is good; `unit` is
    written behind a value."""

    name: Literal["loss", "kept", "lesson"]
    heading: str
    curves: tuple[Curve, ...]
    unit: str = ""
    whole: bool = False
    """Whether the values are whole numbers."""

    @property
    def top(self) -> float:
        """The upper end of the value axis."""
        highest = max((y for curve in self.curves for _, y in curve.points), default=0.0)
        return 100.0 if self.unit else highest or 1.0

    @property
    def empty(self) -> bool:
        return not any(curve.points for curve in self.curves)

    def table(self, most: int) -> list[str]:
        """The last `most` places as lines of text, newest first, under a line of headings: for a narrow terminal."""
        by_place: dict[float, dict[str, float]] = {}
        for curve in self.curves:
            for x, y in curve.points:
                by_place.setdefault(x, {})[curve.name] = y
        lines = ["lessons" + "".join(f"{curve.name:>12}" for curve in self.curves)]
        for x in sorted(by_place, reverse=True)[: max(0, most)]:
            values = (by_place[x].get(curve.name) for curve in self.curves)
            lines.append(f"{x:>7g}" + "".join(f"{'' if y is None else self.value(y):>12}" for y in values))
        return lines

    def value(self, y: float) -> str:
        """A value with its unit."""
        return f"{y:.2f}" if self.name == "loss" else f"{y:.3g}{self.unit}"


def plots(state: State, number: int | None = None) -> tuple[Plot, ...]:
    """Loss, kept, and P of lesson `number` (None: the last one that counts). A lesson that was taken back counts until
    then in `kept`, and nowhere else."""
    lesson = state.numbered(number) if number is not None else state.last
    measured = [one for one in state.active if one.outcome is not None and one.outcome.meant is None]
    losses = [(one.number, one.outcome.loss_before, one.outcome.loss_after) for one in measured if one.outcome]
    kept, live, chances = _history(state, lesson)
    found = [
        Plot(
            "loss",
            "loss: how far it was from saying each reply · lower is better",
            (
                Curve("before", "secondary", _thin((x, y) for x, y, _ in losses)),
                Curve("after", "success", _thin((x, y) for x, _, y in losses)),
            ),
        ),
        Plot(
            "kept",
            "kept: lessons that it still says, of those taught · close together is good",
            (Curve("taught", "secondary", _thin(live)), Curve("kept", "success", _thin(kept))),
            whole=True,
        ),
    ]
    if lesson is not None:
        reply = lesson.exchange.reply if len(lesson.exchange.reply) <= TEXT else f"{lesson.exchange.reply[:TEXT]}…"
        heading = f"lesson {lesson.number}: how likely it says “{reply}” · higher is better"
        found.append(Plot("lesson", heading, (Curve("says it", "success", _thin(chances)),), " %"))
    return tuple(found)


def ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """About five round values from `low` to `high`, whole ones if wanted. `low` is below `high`."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    if whole:
        step = max(1.0, step)
    first = math.ceil(low / step - 1e-9)
    return [round(step * n, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _history(state: State, lesson: Lesson | None) -> tuple[list[Point], list[Point], list[Point]]:
    """(kept, live) after each lesson, and P of `lesson` in percent at each measurement, over the lessons taught."""
    from theta_tui.store import retention
    from theta_tui.store.records import Asked, Learned, Rebuilt, Restore, Withdraw

    tally, taught = _Tally(), 0
    chances: list[Point] = []
    kept: dict[int, float] = {}
    live: dict[int, float] = {}
    for entry in state.entries:
        match entry.record:
            case Learned(of=of, outcome=outcome) if (one := state.find(of)) is not None and outcome.skipped is None:
                if one is lesson:
                    if not chances:
                        chances.append((max(taught, one.number - 1), 100 * outcome.p_before))
                    chances.append((max(taught, one.number), 100 * outcome.p_after))
                taught = max(taught, one.number)
                tally.put(one, retention.judge(one, outcome.p_after, outcome.learned) == "kept")
            case Rebuilt(outcomes=outcomes):
                for of, outcome in outcomes:
                    if (one := state.find(of)) is not None and outcome.skipped is None:
                        tally.put(one, outcome.learned or not retention.by_heart(one.exchange.kind))
            case Asked(results=results):
                for of, p, says in results:
                    if (one := state.find(of)) is not None:
                        if tally.has(one):
                            tally.put(one, retention.judge(one, p, says) == "kept")
                        if one is lesson:
                            chances.append((taught, 100 * p))
            case Withdraw(of=of) if (one := state.find(of)) is not None:
                tally.take(one)
            case Restore(of=of) if (one := state.find(of)) is not None:
                tally.put(one, tally.known.get(of, True))
            case _:
                continue
        if taught:
            kept[taught], live[taught] = tally.kept, tally.live
    return list(kept.items()), list(live.items()), chances


class _Tally:
    """How many lessons are live and kept, as records come in. A lesson that a newer one on its question supersedes by
    another reply counts no more."""

    def __init__(self) -> None:
        self.kept = self.live = 0
        self.known: dict[int, bool] = {}
        self._questions: dict[str, dict[int, Lesson]] = {}

    def has(self, lesson: Lesson) -> bool:
        return lesson.seq in self._questions.get(lesson.question, {})

    def put(self, lesson: Lesson, kept: bool) -> None:
        self._count(lesson.question, -1)
        self.known[lesson.seq] = kept
        self._questions.setdefault(lesson.question, {})[lesson.seq] = lesson
        self._count(lesson.question, 1)

    def take(self, lesson: Lesson) -> None:
        self._count(lesson.question, -1)
        self._questions.get(lesson.question, {}).pop(lesson.seq, None)
        self._count(lesson.question, 1)

    def _count(self, question: str, sign: int) -> None:
        group = self._questions.get(question)
        if group:
            holds = group[max(group)].exchange.reply
            answers = [seq for seq, one in group.items() if one.exchange.reply == holds]
            self.live += sign * len(answers)
            self.kept += sign * sum(self.known[seq] for seq in answers)


def _thin(points: Iterable[tuple[float, float]]) -> tuple[Point, ...]:
    """The finite points, or about MOST_POINTS of them with the first and the last."""
    finite = [(x, y) for x, y in points if math.isfinite(y)]
    if len(finite) <= MOST_POINTS:
        return tuple(finite)
    stride = -(-len(finite) // MOST_POINTS)
    return (*finite[:-1:stride], finite[-1])
