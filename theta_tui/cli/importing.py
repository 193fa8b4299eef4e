"""`theta import` and `theta merge`: lessons from a file or from other homes, as one batch. Both show what there is
before the model is loaded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from theta_tui.base.errors import ModelError, UsageError
from theta_tui.base.signals import noting_first
from theta_tui.base.text import plural, shortened, visible
from theta_tui.cli.console import Invocation
from theta_tui.cli.opening import loaded_session, read_store
from theta_tui.session import lists

if TYPE_CHECKING:
    from theta_tui.cli.opening import AnySession
    from theta_tui.facts.statements import Dictionary
    from theta_tui.session.importing import Found, Pair, Taught

SHOWN = 5


def import_file(
    call: Invocation,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file, or a folder of files.")],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad lines out, and name the first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is found, and teach nothing.")] = False,
) -> None:
    from theta_tui.session import importing

    found = importing.find(read_store(call), dictionary(call), path, skip_bad=skip_bad)
    reading = lists.ReadFile(str(path.expanduser().absolute()))
    _teach_found(call, found, reading, dry_run, {"notes": found.notes, "bad": found.bad})


def merge_homes(
    call: Invocation,
    homes: Annotated[list[Path], typer.Argument(metavar="HOME…", help="The homes to take lessons from.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is found, and teach nothing.")] = False,
) -> None:
    """Take what other homes were taught into this one. Of two answers to a question the newer one counts. A lesson of a
    person (--who, or on the page) stays theirs by name; what the owners of the other homes taught becomes yours."""
    from dataclasses import asdict

    from theta_tui.session import merging

    paths = [path.expanduser().absolute() for path in homes]
    found = merging.find(read_store(call), paths)
    for conflict in found.conflicts if not call.json else ():
        line = f"two answers: {conflict.words}"
        call.out(line) if dry_run else call.note(line)
    about = {"notes": found.notes, "conflicts": list(map(asdict, found.conflicts))}
    _teach_found(call, found, lists.ReadHomes(tuple(map(str, paths))), dry_run, about)


def _teach_found(
    call: Invocation, found: Found, reading: lists.ReadFile | lists.ReadHomes, dry_run: bool, about: dict[str, Any]
) -> None:
    """Show what was `found`, and teach it unless this is a `dry_run`. `about` is what else a program gets to know;
    `reading` is how an engine finds it."""
    from theta_tui.session import importing

    if dry_run and call.json:
        pairs = [_fields(pair) for pair in found.pairs]
        call.emit(source=found.source, pairs=pairs, **about)
        return
    for line in found_lines(found):
        call.out(line) if dry_run else call.note(line)
    if dry_run:
        return
    if found.pairs and not (call.yes or _agreed(call, found)):
        raise UsageError("nothing was taught; give --yes to teach without being asked")
    taught = importing.Taught(found.source, ())
    number = None
    if found.pairs:
        with loaded_session(call) as session:
            taught, number = teach(call, session, found, reading)
    call.done = taught.words
    if call.json:
        call.emit(
            source=taught.source, lessons=taught.lessons, failed=taught.failed, failures=taught.failures,
            left=taught.left, **about,
        )  # fmt: skip
    else:
        call.out(taught.words)
    if number is not None:
        raise typer.Exit(128 + number)
    if taught.failures:
        raise ModelError(f"{plural(taught.failures, 'lesson')} could not be learned", name="lessons")


def teach(
    call: Invocation, session: AnySession, found: Found, reading: lists.ReadFile | lists.ReadHomes
) -> tuple[Taught, int | None]:
    """Teach what was found, in an engine by `reading` it there. Alone, the first Ctrl-C stops after a lesson. Returns
    its signal too, if it came."""
    from theta_tui.session import importing
    from theta_tui.session.session import Session

    if not isinstance(session, Session):
        return session.teach_found(reading, found), None

    def on_lesson(at: int, of: int) -> None:
        call.stage(f"learning {at:,} of {of:,} of {found.source}")

    with noting_first() as noted:
        taught = importing.teach(session, found, on_lesson, lambda: noted() is not None)
        call.stage("")
        return taught, noted()


def found_lines(found: Found) -> list[str]:
    """What a file holds, in lines for people."""
    lines = [f"{found.source}: {plural(len(found.pairs), 'lesson')}"]
    for pair in found.pairs[:SHOWN]:
        by = f"{pair.who}: " if pair.who else ""
        lines.append(f"  {by}{shortened(pair.prompt)} → {shortened(pair.reply)}")
    if len(found.pairs) > SHOWN:
        lines.append(f"  and {len(found.pairs) - SHOWN:,} more")
    return [*lines, *found.notes, *(f"left out: {line}" for line in found.bad)]


def _fields(pair: Pair) -> dict[str, Any]:
    by = {"who": pair.who} if pair.who else {}
    return {"prompt": pair.prompt, "reply": pair.reply, "place": pair.place} | by


def _agreed(call: Invocation, found: Found) -> bool:
    if call.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(visible(f"teach {plural(len(found.pairs), 'lesson')}? [y/N] ", one_line=True))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def dictionary(call: Invocation) -> Dictionary:
    """What states facts in this home."""
    from theta_tui.base.config import statement_files
    from theta_tui.facts.statements import load_dictionary

    return load_dictionary(*statement_files(call.settings.home))
