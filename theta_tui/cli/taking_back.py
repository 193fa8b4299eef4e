"""`theta undo`, `redo` and `withdraw`: in the engine if one runs, else in the journal alone; the next start updates
the weights then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from theta_tui.base.errors import UsageError
from theta_tui.base.text import plural
from theta_tui.cli.console import Invocation
from theta_tui.cli.opening import engine_of, writable_store
from theta_tui.session.verbs import BY_NAME, lesson_number

if TYPE_CHECKING:
    from theta_tui.session.commands import Deed
    from theta_tui.session.importing import Together
    from theta_tui.store.store import Store


def undo(call: Invocation) -> None:
    _take_back(call, "undo")


def redo(call: Invocation) -> None:
    _take_back(call, "redo")


def withdraw(
    call: Invocation,
    number: Annotated[str, typer.Argument(metavar="N", help="The number of a lesson, as `theta lessons` lists it.")],
) -> None:
    lesson = lesson_number(number)
    if lesson is None:
        raise UsageError(f"'{number[:40]}' is not the number of a lesson; `theta lessons` lists the numbers")
    _take_back(call, "withdraw", lesson)


def _take_back(call: Invocation, deed: Deed, number: int = 0) -> None:
    """Change which lessons count: in the engine if one runs, else in the journal alone, and the next start follows."""
    from theta_tui.session.importing import Together, together

    done = BY_NAME[deed].done
    with engine_of(call) as engine:
        if engine is not None:
            batch = engine.take_back(deed, number)
            _changed(call, done, engine.store, batch)
            return
    with writable_store(call) as store:
        if deed == "undo":
            batch = together(store, store.to_undo())
            store.withdraw_last()
        elif deed == "redo":
            batch = together(store, store.restore_last())
        else:
            batch = Together((store.withdraw(store.to_withdraw(number)),))
        _changed(call, done, store, batch)


def _changed(call: Invocation, what: str, store: Store, batch: Together) -> None:
    """Report a lesson, or a batch, that was taken back or brought back in the journal. The next start updates the
    weights."""
    from theta_tui.session.replay import learned_again

    lesson = batch.lessons[-1]
    exchange, later = lesson.exchange, learned_again(store.state, batch.lessons)
    call.done = f"{batch.words} {'was' if len(batch.lessons) == 1 else 'were'} {what}"
    if call.json:
        values = {what: lesson.number, "kind": exchange.kind, "prompt": exchange.prompt, "reply": exchange.reply}
        more = {} if batch.source is None else {"source": batch.source, "lessons": batch.numbers}
        call.emit(**values, **more, learned_again=later)
        return
    call.out(f"{what}: {batch.words}" + (f", {exchange.prompt} → {exchange.reply}" if batch.source is None else ""))
    if later:
        call.note(f"the next start learns {plural(later, 'later lesson')} again")
