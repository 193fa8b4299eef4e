"""What the lessons that count come to, in numbers: of a long history without reading it. Standard library only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from theta_tui.store.past import KINDS
from theta_tui.store.records import Kind
from theta_tui.store.state import Story

NAMES = ("loss_before", "loss_after", "p_before", "p_after", "seconds")


@dataclass(slots=True)
class Totals:
    """How many count of each kind; of those that have an outcome: how many were `learned`, and `figures`, by the names
    of an Outcome's fields, one a lesson."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    learned: int = 0
    figures: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})


def totals(story: Story) -> Totals:
    found = Totals()
    past = story.lessons.past
    changed = {lesson.number for lesson in story.lessons.made}
    figures = list(found.figures.values())
    if past is not None:
        columns = [past.columns[name] for name in NAMES]
        kind, learned, learned_by = (past.columns[name] for name in ("kind", "learned", "learned_by"))
    for number in story.counting["live"]:
        at = number - 1
        if past is not None and number <= past.taught and number not in changed:
            found.kinds[KINDS[kind[at]]] += 1
            if learned_by[at]:
                found.learned += learned[at]
                for values, column in zip(figures, columns, strict=True):
                    values.append(column[at])
            continue
        lesson = story.lessons[at]
        found.kinds[lesson.exchange.kind] += 1
        if lesson.outcome is not None:
            found.learned += lesson.outcome.learned
            for name, values in found.figures.items():
                values.append(getattr(lesson.outcome, name))
    return found
