"""`theta conversations` and `theta history`: the conversations of a home, and what was said in them. Loads no model."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from theta_tui.base.errors import UsageError
from theta_tui.base.text import plural
from theta_tui.cli.console import Invocation
from theta_tui.cli.opening import engine_of, read_store, writable_store
from theta_tui.session.verbs import DEEDS, lesson_number

if TYPE_CHECKING:
    from theta_tui.store.store import Store


def conversations(
    call: Invocation,
    deed: Annotated[
        str | None, typer.Argument(metavar="open|rename|delete", help="What to do; without it, list them.")
    ] = None,
    number: Annotated[str | None, typer.Argument(metavar="N", help="Its number in the list.")] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="With rename: its name; without one, its first words.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List those too that were deleted.")] = False,
) -> None:
    if deed is None:
        show_list(call, read_store(call), deleted=every)
        return
    if deed not in DEEDS:
        raise UsageError(f"'{deed[:40]}' is not one of {', '.join(DEEDS)}; as in: theta conversations open 2")
    which = None if number is None else lesson_number(number)
    if which is None:
        raise UsageError(f"{deed} needs the number of a conversation, as in: theta conversations {deed} 2")
    if name is not None and deed != "rename":
        raise UsageError(f"'{name[:40]}' is too much; theta conversations {deed} {which}")
    from theta_tui.session import conversations as talks

    with engine_of(call) as engine:
        if engine is not None:
            said = engine.change_conversation(deed, which, name or "")
            _changed(call, deed, which, said, engine.store)
            return
    with writable_store(call) as store:
        said = talks.change(store, deed, which, name or "", way="theta conversations")  # type: ignore[arg-type]
        _changed(call, deed, which, said, store)


def _changed(call: Invocation, deed: str, number: int, said: str, store: Store) -> None:
    call.done = said
    if call.json:
        found = store.state.conversation(number)
        assert found is not None
        call.emit(**{"did": deed}, **_fields(found.row(is_open=found is store.state.open)))
    else:
        call.out(said)


def show_list(call: Invocation, store: Store, *, deleted: bool = False) -> None:
    """Print the conversations; with `deleted` those too that were deleted."""
    from theta_tui.session import conversations as talks

    rows = talks.listed(store, deleted=deleted)
    if call.json:
        call.emit(conversations=[_fields(row) for row in rows])
        return
    width = max((len(f"{row.number}") for row in rows), default=1)
    call.out(f"{'N':>{width}}  {'':7}  {'last said':16}  {'':>10}  begins with")
    for row in rows:
        when = datetime.fromtimestamp(row.used_at).strftime("%Y-%m-%d %H:%M") if row.turns else "-"
        mark = "open" if row.is_open else "deleted" if row.deleted else ""
        title = row.title or "(nothing said yet)"
        call.out(f"{row.number:{width}}  {mark:7}  {when:16}  {plural(row.turns, 'turn'):>10}  {title}")


def _fields(row: Any) -> dict[str, Any]:
    return {
        "conversation": row.number, "title": row.title, "named": row.named, "turns": row.turns,
        "began_at": row.began_at, "used_at": row.used_at, "open": row.is_open, "deleted": row.deleted,
        "who": row.who,
    }  # fmt: skip


def history(
    call: Invocation,
    every: Annotated[bool, typer.Option("--all", help="All conversations, of others too, the oldest first.")] = False,
) -> None:
    from theta_tui.cli import reports
    from theta_tui.session import conversations as talks

    store = read_store(call)
    if not every:
        reports.history(call, store.state.open, store.state.beside(), store.pending)
        return
    rows = sorted(talks.listed(store, everybody=not store.who), key=lambda row: row.number)
    found = [(row, store.state.conversations[row.number - 1]) for row in rows]
    if call.json:
        call.emit(
            conversations=[_fields(row) | reports.history_fields(one, store.state.beside(of=one)) for row, one in found]
        )
        return
    for at, (row, one) in enumerate(found):
        if at:
            call.out("")
        call.out(talks.words(one) + (", open" if row.is_open else ""))
        reports.history(call, one, store.state.beside(of=one), store.pending if row.is_open else None)
