"""Opens a home for one command and closes it afterwards: its store alone, or a session with the model loaded.
Imports neither torch nor transformers until a model is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from theta_tui.base.errors import PromptError
from theta_tui.cli.console import Invocation
from theta_tui.cli.models import get_missing

if TYPE_CHECKING:
    from theta_tui.session.session import Session
    from theta_tui.store.store import Store


@contextmanager
def loaded_session(
    call: Invocation,
    *,
    write: bool = True,
    needs_prompt: bool = False,
    needs_statement: bool = False,
    turn: int | None = None,
    prompt_id: str | None = None,
) -> Iterator[Session]:
    """A loaded Session, closed afterwards. A command that cannot succeed is refused before the model is loaded.

    A checkpoint is written if the next start would otherwise replay many lessons.
    """
    from theta_tui.store.store import Store

    store = Store.open(call.settings) if write else Store.read(call.settings)
    try:
        if write:
            store.require_writable()
        if turn is not None:
            store.turn(turn)
        if needs_prompt:
            waiting = store.waiting(prompt_id)
            if needs_statement and waiting.statement is None:
                raise PromptError(
                    "the kept prompt states no fact that could be learned; teach a pair with: theta teach --for PROMPT "
                    "REPLY",
                    name="no_statement",
                )
        from theta_tui.session.session import Session

        get_missing(call, store.settings.model)
        session = Session(store)
        session.load(call.stage)
        call.stage("")
        wanted = call.flags.get("persona")
        if wanted and wanted != store.state.persona:
            store.notices.append("this home keeps its own persona; `theta persona TEXT` changes it")
        _tell(call, store)
        yield session
        due = call.settings.checkpoint_lessons
        # A checkpoint without shared weights is small, and the next command has nothing to replay.
        enough = due if session.learner.moved_shared else min(due, 1)
        if write and due and session.unsaved >= enough and store.read_only is None:
            session.save()
    finally:
        _close(call, store)


@contextmanager
def writable_store(call: Invocation) -> Iterator[Store]:
    """The store alone, open for writing; no model is loaded."""
    from theta_tui.store.store import Store

    store = Store.open(call.settings)
    try:
        yield store
    finally:
        _close(call, store)


def read_store(call: Invocation) -> Store:
    """The store, read-only. Prints its notices."""
    from theta_tui.store.store import Store

    store = Store.read(call.settings)
    _tell(call, store)
    if store.journal.damaged:
        call.note(f"the home is read-only because {store.journal.damaged}")
    return store


def _tell(call: Invocation, store: Store) -> None:
    for text in store.take_notices():
        call.note(text)


def _close(call: Invocation, store: Store) -> None:
    store.close()
    _tell(call, store)
