"""`theta bench SUITE`: its options, checked, and its rows as a table or as JSON. Imports no torch at the top."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theta_tui.base.config import DEFAULT_MODEL, Settings
from theta_tui.base.errors import UsageError
from theta_tui.base.exit import SCHEMA
from theta_tui.base.text import plural
from theta_tui.bench.tables import number, table
from theta_tui.cli.console import Invocation
from theta_tui.learning.recipes import RECIPES

if TYPE_CHECKING:
    from theta_tui.bench.held_out import Conversation
    from theta_tui.bench.metrics import Lesson
    from theta_tui.bench.pupil import SessionPupil
    from theta_tui.bench.run import Foundation, Label, Row
    from theta_tui.bench.suite import Suite

SAID = ("R1", "P1", "Final", "PFinal", "Near", "Leak", "LocT", "Update")
COST = ("ΔPPL", "Steps", "p50", "p95", "Undo")
GATE = {
    "Recall": "Recall", "Wrong": "Wrong lesson", "Near": "Near fired", "Unrel": "Unrelated fired", "Own": "Own fired",
    "Talk": "Talk fired", "ms": "ms p50", "p95": "ms p95",
}  # fmt: skip
FRONT = {"R1": "Front R1", "P1": "Front P1", "Final": "Front Final", "PFinal": "Front PFinal", "Seconds": "Seconds"}
FRONT_GATE = {"Recall": "Front Recall", "Wrong": "Front Wrong lesson"}
"""Columns, and the figures that they show: each table fits into 80 columns."""
DIGITS = {"Talk fired": 3, "Seconds": 0}
"""Behind the point, where not two."""
THREADS = 2
"""What the suite's definition has for p50 and p95."""


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for every row. Of `settings` the device, the threads and the like count."""

    settings: Settings
    suite: Suite
    front: Sequence[Lesson]
    conversations: Sequence[Conversation]
    orders: int
    max_tokens: int
    max_seconds: float | None


def bench(
    call: Invocation,
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="Lessons and what to ask around them, as JSON Lines.")],
    recipe: Annotated[
        list[str] | None, typer.Option("--recipe", help="default, classic …; again for another row. [THETA_RECIPE]")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="default, a Hugging Face id, or a folder; again for another. [THETA_MODEL]"),
    ] = None,
    orders: Annotated[
        int, typer.Option("--orders", min=1, help="1: the file's order; k: that one and k − 1 shuffled ones.")
    ] = 3,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first lessons of the suite.")] = None,
    lessons: Annotated[
        int | None,
        typer.Option("--lessons", min=1, help="So many in all: generated ones are taught in front of the suite's."),
    ] = None,
    held_out: Annotated[
        Path | None, typer.Option("--held-out", metavar="FILE", help="Conversations for ΔPPL, as `theta train` reads.")
    ] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, help="Longest answer; never less than the longest target.")
    ] = 64,
    max_seconds: Annotated[
        float | None,
        typer.Option("--max-seconds", help="Most seconds a lesson, instead of the recipe's: for a busy machine."),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = THREADS,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="The rows with every answer.")] = None,
) -> None:
    """teach-bench: does one lesson stick, and at what price? In a home that is thrown away."""
    if max_seconds is not None and not 0 < max_seconds < math.inf:
        raise UsageError(f"--max-seconds {max_seconds:g} must be more than 0")
    recipes = list(dict.fromkeys(recipe or [call.settings.recipe]))
    for name in recipes:
        if name not in RECIPES:
            raise UsageError(f"--recipe {name} is not one of {', '.join(RECIPES)}")
    if out is not None and not (out.parent.is_dir() and os.access(out.parent, os.W_OK)):
        raise UsageError(f"--out {out}: the folder is not there or cannot be written to")
    from theta_tui.bench.generated import generated
    from theta_tui.bench.suite import read_suite

    read = read_suite(suite, limit)
    if lessons is not None and lessons < len(read.lessons):
        raise UsageError(f"--lessons {lessons} is less than the {len(read.lessons)} of the suite; --limit takes fewer")
    options = Options(
        settings=replace(call.settings, threads=threads),
        suite=read,
        front=generated(lessons - len(read.lessons), read) if lessons else (),
        conversations=_conversations(call, held_out),
        orders=orders,
        max_tokens=max_tokens,
        max_seconds=max_seconds,
    )
    rows: list[Row] = []
    for name in dict.fromkeys(model or [call.settings.model or DEFAULT_MODEL]):
        for row in _rows(call, options, name, recipes):
            rows.append(row)
            if out is not None:
                _write(out, rows)
                call.done = f"{out} was written"
            if call.json:
                call.emit(**row.as_dict())
    if not call.json:
        call.out(_tables(rows), one_line=False)
        asked = f"{plural(len(options.suite.lessons), 'lesson')}, "
        asked += plural(len(options.suite.unrelated), "unrelated prompt")
        if options.front:
            asked += f", {plural(len(options.front), 'generated lesson')} in front"
        if options.conversations:
            asked += f", ΔPPL on {plural(len(options.conversations), 'conversation')}"
        call.out(f"{asked}; p50 and p95 in seconds on {rows[0].machine}")


def _rows(call: Invocation, options: Options, model: str, recipes: Sequence[str]) -> Iterator[Row]:
    """The rows of one model: each recipe's orders and, of several, their mean."""
    from theta_tui.bench.held_out import asked
    from theta_tui.bench.metrics import in_order
    from theta_tui.bench.own import ABOUT_ITSELF
    from theta_tui.bench.pupil import fresh
    from theta_tui.bench.run import Around, Label, average, look, measure

    around = Around(options.front, ABOUT_ITSELF, asked(options.conversations))
    suite, settings = options.suite, replace(options.settings, model=model)
    foundation: Foundation | None = None
    batched = True
    for recipe in recipes:
        seconds = RECIPES[recipe].max_seconds if options.max_seconds is None else options.max_seconds
        made: list[Row] = []
        for order in range(1, options.orders + 1):
            with fresh(
                settings, recipe, max_tokens=options.max_tokens, max_seconds=options.max_seconds,
                conversations=options.conversations, on_stage=call.stage,
            ) as pupil:  # fmt: skip
                pupil.room_for([*options.front, *suite.lessons])
                if foundation is None:
                    batched = _checked(call, pupil, suite)
                    foundation = look(pupil, suite.unrelated)
                pupil.batched = batched
                ordered = replace(suite, lessons=tuple(in_order(suite.lessons, order)))
                label = Label(model, recipe, order, seconds)
                telling = partial(_tell, call, label, len(options.front) + len(suite.lessons))
                made.append(
                    measure(
                        pupil, ordered, foundation, label, around=around, on_lesson=telling,
                    )
                )  # fmt: skip
            call.stage("")
            yield made[-1]
        if len(made) > 1:
            yield average(made)


def _tell(call: Invocation, label: Label, lessons: int, count: int) -> None:
    call.stage(f"{label.model}, {label.recipe}, order {label.order}: lesson {count} of {lessons}")


def _checked(call: Invocation, pupil: SessionPupil, suite: Suite) -> bool:
    """Whether this model can be asked in batches; what there is to say of it is said."""
    for text in pupil.session.store.take_notices():
        call.note(text)
    call.stage("what it says untaught")
    batched = pupil.check_batches([*suite.unrelated[:3], *(lesson.prompt for lesson in suite.lessons[:2])])
    if not batched:
        call.note("the model answers otherwise in a padded batch; it is asked one prompt at a time")
    return batched


def _conversations(call: Invocation, held_out: Path | None) -> Sequence[Conversation]:
    if held_out is None:
        return ()
    from theta_tui.bench.held_out import read_conversations

    return read_conversations(held_out, call.note)


def _write(path: Path, rows: Sequence[Row]) -> None:
    """The rows so far, each on a line with all that was said."""
    from theta_tui.base.files import write_atomically
    from theta_tui.base.json import dumps

    lines = [dumps({"schema": SCHEMA} | row.as_dict() | row.said()) + "\n" for row in rows]
    write_atomically(path, "".join(lines).encode())


def _tables(rows: Sequence[Row]) -> str:
    """For each model what is said, what it costs, what the gate decides, and how lessons in front of the suite fare."""
    found: list[str] = []
    for model in dict.fromkeys(row.label.model for row in rows):
        own = [row for row in rows if row.label.model == model]
        gated = [row for row in own if "Recall" in row.figures]
        fronted = [row for row in own if "Seconds" in row.figures]
        found += [model, _table(own, SAID), _table(own, COST)]
        found += ["What the gate decides:", _table(gated, GATE)] if gated else []
        if fronted:
            columns = FRONT | FRONT_GATE if gated else FRONT
            found += ["A sample of the generated lessons, and seconds of teaching:", _table(fronted, columns)]
    return "\n\n".join(found) + "\n"


def _table(rows: Sequence[Row], columns: Sequence[str] | Mapping[str, str]) -> str:
    named = columns if isinstance(columns, Mapping) else {name: name for name in columns}
    return table(("recipe", "order", *named), [_cells(row, list(named.values())) for row in rows])


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    figures = row.figures
    change, steps, most = figures["dPPL"], figures["Steps"], figures["Steps max"]
    shown = {name: number(figures.get(name), DIGITS.get(name, 2)) for name in columns}
    shown["ΔPPL"] = "–" if change is None else f"{100 * change:+.2f} %"
    shown["Steps"] = f"{number(steps, 1)} (max {number(most, 0)})"
    shown["Undo"] = "exact" if row.undo else "NOT EXACT"
    return [row.label.recipe, str(row.label.order), *(shown[name] for name in columns)]
