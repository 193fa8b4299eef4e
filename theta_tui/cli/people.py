"""`theta people`, `accept` and `decline`: who else teaches this home, and what waits for the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from theta_tui.base.errors import UsageError
from theta_tui.cli.console import Invocation
from theta_tui.cli.opening import engine_of, loaded_session, read_store, writable_store
from theta_tui.session.verbs import MAY, lesson_number

if TYPE_CHECKING:
    from theta_tui.store.store import Store

Number = Annotated[str, typer.Argument(metavar="N", help="The number of a proposal, as `theta people` lists it.")]


def people(
    call: Invocation,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Whose; without it, list them.")] = None,
    may: Annotated[
        str | None, typer.Argument(metavar="teach|propose|hold", help="What happens to what they teach.")
    ] = None,
) -> None:
    from theta_tui.session import people as others

    if name is None:
        show(call, read_store(call))
        return
    if may not in MAY:
        raise UsageError(f"say what happens to what {name[:40]} teaches: {', '.join(MAY)}; see: theta people -h")
    with engine_of(call) as engine:
        if engine is not None:
            said = engine.let(name, may)
        else:
            with writable_store(call) as store:
                said = others.let(store, name, may)  # type: ignore[arg-type]
    call.done = said
    if call.json:
        call.emit(who=name, may=may)
    else:
        call.out(said)


def accept(call: Invocation, number: Number) -> None:
    from theta_tui.cli import reports
    from theta_tui.engine.session import RemoteSession
    from theta_tui.session import people as others

    which = _number(number)
    with loaded_session(call) as session:
        outcome = session.accept(which) if isinstance(session, RemoteSession) else others.accept(session, which)
        reports.trained(call, session, outcome, False)


def decline(call: Invocation, number: Number) -> None:
    from theta_tui.session import people as others

    which = _number(number)
    with engine_of(call) as engine:
        if engine is not None:
            said = engine.decline(which)
        else:
            with writable_store(call) as store:
                said = others.declined(others.decline(store, which))
    call.done = said
    if call.json:
        call.emit(declined=which)
    else:
        call.out(said)


def _number(text: str) -> int:
    found = lesson_number(text)
    if found is None:
        raise UsageError(f"'{text[:40]}' is not the number of a proposal; `theta people` lists the numbers")
    return found


def show(call: Invocation, store: Store) -> None:
    """Print who else teaches this home, and what waits for the owner."""
    from theta_tui.session import people as others

    rows, waiting = others.rows(store), [one.row for one in store.state.proposals]
    if call.json:
        told = [{"who": row.name, "may": row.may, "lessons": row.lessons, "proposals": row.proposals} for row in rows]
        wanted = [{"proposal": row.number, "who": row.who, "at": row.at, "kind": row.kind, "prompt": row.prompt,
                   "reply": row.reply} for row in waiting]  # fmt: skip
        call.emit(newcomers=store.settings.newcomers, people=told, proposals=wanted)
        return
    for row in rows:
        call.out(f"{row.name}: {row.words}")
    if not rows:
        call.out("nobody but you was here yet")
    for one in waiting:
        call.out(f"proposal {one.number} of {one.who}: {one.prompt} → {one.reply}")
