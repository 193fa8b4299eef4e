"""`theta bench SUITE`: checks options and prints rows as tables or JSON. Imports no torch at the top."""

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
    from theta_tui.bench.held_out import HeldOutConversation
    from theta_tui.bench.metrics import SuiteLesson
    from theta_tui.bench.run import Baseline, BenchRow, RowLabel
    from theta_tui.bench.subject import SessionSubject
    from theta_tui.bench.suite import Suite

SAID = ("R1", "P1", "Final", "PFinal", "Near", "Leak", "LocT", "Update")
COST = ("ΔPPL", "Steps", "p50", "p95", "Undo")
GATE = {
    "Recall": "Recall", "Wrong": "Wrong lesson", "Near": "Near fired", "Unrel": "Unrelated fired", "Own": "Own fired",
    "Talk": "Talk fired", "ms": "ms p50", "p95": "ms p95",
}  # fmt: skip
FRONT = {"R1": "Front R1", "P1": "Front P1", "Final": "Front Final", "PFinal": "Front PFinal", "Seconds": "Seconds"}
FRONT_GATE = {"Recall": "Front Recall", "Wrong": "Front Wrong lesson"}
"""Columns of the tables and their figures. Each table fits into 80 characters."""
DIGITS = {"Talk fired": 3, "Seconds": 0, "ms p50": 1, "ms p95": 1}
"""Decimal places, if not two."""
THREADS = 2
"""Default CPU threads, so that p50 and p95 can be compared."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Options that all rows share. `settings` supplies the device, the threads and the like."""

    settings: Settings
    suite: Suite
    front: Sequence[SuiteLesson]
    conversations: Sequence[HeldOutConversation]
    orders: int
    max_tokens: int
    max_seconds: float | None


def bench(
    call: Invocation,
    suite: Annotated[
        Path, typer.Argument(metavar="SUITE", help="Lessons and the questions around them, as JSON Lines.")
    ],
    recipe: Annotated[
        list[str] | None, typer.Option("--recipe", help="default, classic …; repeat it for more rows. [THETA_RECIPE]")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="default, a Hugging Face id, or a folder; repeat it for more. [THETA_MODEL]"
        ),
    ] = None,
    orders: Annotated[
        int, typer.Option("--orders", min=1, help="How many orders: the file's, then shuffled ones.")
    ] = 3,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first lessons of the suite.")] = None,
    lessons: Annotated[
        int | None,
        typer.Option("--lessons", min=1, help="Lessons in all: generated ones are taught before the suite's."),
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option("--held-out", metavar="FILE", help="Conversations for ΔPPL, in a format of `theta train`."),
    ] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, help="Longest answer; at least the longest target.")
    ] = 64,
    max_seconds: Annotated[
        float | None,
        typer.Option("--max-seconds", help="Most seconds per lesson, for a busy machine; default: the recipe's."),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = THREADS,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the rows with all answers to FILE.")
    ] = None,
) -> None:
    """teach-bench: does a lesson stick, and at what cost? Runs in a temporary home."""
    if max_seconds is not None and not 0 < max_seconds < math.inf:
        raise UsageError(f"--max-seconds {max_seconds:g} must be more than 0")
    recipes = list(dict.fromkeys(recipe or [call.settings.recipe]))
    for name in recipes:
        if name not in RECIPES:
            raise UsageError(f"--recipe {name} is not one of {', '.join(RECIPES)}")
    if out is not None and not (out.parent.is_dir() and os.access(out.parent, os.W_OK)):
        raise UsageError(f"--out {out}: the folder does not exist or cannot be written to")
    from theta_tui.bench.generated import generated
    from theta_tui.bench.suite import read_suite

    read = read_suite(suite, limit)
    if lessons is not None and lessons < len(read.lessons):
        raise UsageError(f"--lessons {lessons} is less than the suite's {len(read.lessons)}; use --limit for fewer")
    options = BenchOptions(
        settings=replace(call.settings, threads=threads),
        suite=read,
        front=generated(lessons - len(read.lessons), read) if lessons else (),
        conversations=_conversations(call, held_out),
        orders=orders,
        max_tokens=max_tokens,
        max_seconds=max_seconds,
    )
    rows: list[BenchRow] = []
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
            asked += f", {plural(len(options.front), 'generated lesson')} taught first"
        if options.conversations:
            asked += f", ΔPPL on {plural(len(options.conversations), 'conversation')}"
        call.out(f"{asked}; p50 and p95 in seconds on {rows[0].machine}")


def _rows(call: Invocation, options: BenchOptions, model: str, recipes: Sequence[str]) -> Iterator[BenchRow]:
    """The rows of one model: one for each recipe and order and, with several orders, their mean."""
    from theta_tui.bench.held_out import user_messages
    from theta_tui.bench.metrics import in_order
    from theta_tui.bench.run import Extras, RowLabel, average, measure, measure_baseline
    from theta_tui.bench.subject import fresh_subject
    from theta_tui.facts.own_questions import ABOUT_ITSELF

    extras = Extras(options.front, ABOUT_ITSELF, user_messages(options.conversations))
    suite, settings = options.suite, replace(options.settings, model=model)
    baseline: Baseline | None = None
    batched = True
    for recipe in recipes:
        seconds = RECIPES[recipe].max_seconds if options.max_seconds is None else options.max_seconds
        made: list[BenchRow] = []
        for order in range(1, options.orders + 1):
            with fresh_subject(
                settings, recipe, max_tokens=options.max_tokens, max_seconds=options.max_seconds,
                conversations=options.conversations, on_stage=call.stage,
            ) as subject:  # fmt: skip
                subject.make_room_for([*options.front, *suite.lessons])
                if baseline is None:
                    batched = _check_batches(call, subject, suite)
                    baseline = measure_baseline(subject, suite.unrelated)
                subject.batched = batched
                ordered = replace(suite, lessons=tuple(in_order(suite.lessons, order)))
                label = RowLabel(model, recipe, order, seconds)
                on_lesson = partial(_show_progress, call, label, len(options.front) + len(suite.lessons))
                made.append(
                    measure(
                        subject, ordered, baseline, label, extras=extras, on_lesson=on_lesson,
                    )
                )  # fmt: skip
            call.stage("")
            yield made[-1]
        if len(made) > 1:
            yield average(made)


def _show_progress(call: Invocation, label: RowLabel, lessons: int, count: int) -> None:
    call.stage(f"{label.model}, {label.recipe}, order {label.order}: lesson {count} of {lessons}")


def _check_batches(call: Invocation, subject: SessionSubject, suite: Suite) -> bool:
    """Whether this model can be asked in batches. Prints its notices."""
    for text in subject.session.store.take_notices():
        call.note(text)
    call.stage("asking before the first lesson")
    batched = subject.check_batches([*suite.unrelated[:3], *(lesson.prompt for lesson in suite.lessons[:2])])
    if not batched:
        call.note("the model answers differently in a padded batch, so it is asked one prompt at a time")
    return batched


def _conversations(call: Invocation, held_out: Path | None) -> Sequence[HeldOutConversation]:
    if held_out is None:
        return ()
    from theta_tui.bench.held_out import read_conversations

    return read_conversations(held_out, call.note)


def _write(path: Path, rows: Sequence[BenchRow]) -> None:
    """Write the rows so far as JSON lines, each with its transcript."""
    from theta_tui.base.files import write_atomically
    from theta_tui.base.json import dumps

    lines = [dumps({"schema": SCHEMA} | row.as_dict() | row.transcript()) + "\n" for row in rows]
    write_atomically(path, "".join(lines).encode())


def _tables(rows: Sequence[BenchRow]) -> str:
    """For each model: what is said, what it costs, what the gate decides, and the sample of generated lessons."""
    found: list[str] = []
    for model in dict.fromkeys(row.label.model for row in rows):
        own = [row for row in rows if row.label.model == model]
        gated = [row for row in own if "Recall" in row.figures]
        fronted = [row for row in own if "Seconds" in row.figures]
        found += [model, _table(own, SAID), _table(own, COST)]
        found += ["What the gate decides:", _table(gated, GATE)] if gated else []
        if fronted:
            columns = FRONT | FRONT_GATE if gated else FRONT
            found += [
                "A sample of the generated lessons, and the seconds that all of them took:",
                _table(fronted, columns),
            ]
    return "\n\n".join(found) + "\n"


def _table(rows: Sequence[BenchRow], columns: Sequence[str] | Mapping[str, str]) -> str:
    named = columns if isinstance(columns, Mapping) else {name: name for name in columns}
    return table(("recipe", "order", *named), [_cells(row, list(named.values())) for row in rows])


def _cells(row: BenchRow, columns: Sequence[str]) -> list[str]:
    figures = row.figures
    change, steps, most = figures["dPPL"], figures["Steps"], figures["Steps max"]
    shown = {name: number(figures.get(name), DIGITS.get(name, 2)) for name in columns}
    shown["ΔPPL"] = "–" if change is None else f"{100 * change:+.2f} %"
    shown["Steps"] = f"{number(steps, 1)} (max {number(most, 0)})"
    shown["Undo"] = "exact" if row.undo else "NOT EXACT"
    return [row.label.recipe, str(row.label.order), *(shown[name] for name in columns)]
