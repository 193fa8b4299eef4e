"""Opens a home for one command and closes it afterwards: its store alone, or a session with the model loaded.
Imports neither torch nor transformers until a model is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from theta_tui.base.errors import PromptError
from theta_tui.base.streams import on_terminal
from theta_tui.cli.console import Invocation
from theta_tui.cli.engine import make_room, started
from theta_tui.cli.models import get_missing
from theta_tui.engine.address import NAME as SOCKET

if TYPE_CHECKING:
    from theta_tui.engine.client import Connection
    from theta_tui.engine.session import RemoteSession
    from theta_tui.session.session import Session
    from theta_tui.store.store import Store

    AnySession = Session | RemoteSession


@contextmanager
def loaded_session(
    call: Invocation,
    *,
    write: bool = True,
    needs_prompt: bool = False,
    needs_statement: bool = False,
    turn: int | None = None,
    prompt_id: str | None = None,
) -> Iterator[AnySession]:
    """The session of the home's engine if one runs, else one with the model loaded here; closed afterwards. A command
    that cannot succeed is refused before the model is loaded."""

    def check(store: Store) -> None:
        if turn is not None:
            store.turn(turn)
        if needs_prompt and store.waiting(prompt_id).statement is None and needs_statement:
            raise PromptError(
                "the kept prompt states no fact that could be learned; teach a pair with: theta teach --for PROMPT "
                "REPLY",
                name="no_statement",
            )

    with engine_of(call, start=check) as remote:
        if remote is not None:
            check(remote.store)
            yield remote
            return
    with own_session(call, write=write, check=check) as session:
        yield session


@contextmanager
def own_session(
    call: Invocation, *, write: bool = True, check: Callable[[Store], None] = lambda _: None
) -> Iterator[Session]:
    """A Session with the model loaded, closed afterwards. `check` may refuse the command before that.

    A checkpoint is written if the next start would otherwise replay many lessons.
    """
    from theta_tui.store.store import Store

    if write:
        make_room(call)
    store = Store.open(call.settings) if write else Store.read(call.settings)
    try:
        if write:
            store.require_writable()
        check(store)
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
def engine_of(call: Invocation, start: Callable[[Store], None] | None = None) -> Iterator[RemoteSession | None]:
    """A session of the engine that runs in this home, closed afterwards; None if none runs. Prints its notices.

    With `start`, which may refuse the command, one is started if the setting `engine` says so. Raises ModelError
    (exit 4) if another model was asked for than the home's.
    """
    settings = call.settings
    wanted = start is not None and (settings.engine == "always" or (settings.engine == "auto" and on_terminal()))
    if settings.engine == "off" or not (wanted or (settings.home / SOCKET).exists()):
        yield None
        return
    from theta_tui.engine.client import Connection
    from theta_tui.engine.session import RemoteSession

    connection = Connection.to(settings.home, who=settings.who)
    if connection is None and wanted and start is not None:
        from theta_tui.store.store import Store

        store = Store.read(settings)
        start(store)
        get_missing(call, store.settings.model)
        connection = _connected(call)
    if connection is None:
        yield None
        return
    session = RemoteSession(connection, settings, call.stage, lambda: _connected(call))
    try:
        if settings.model:
            from theta_tui.model.files import fingerprint
            from theta_tui.session.replay import belongs

            belongs(session.store, fingerprint(settings.model))
        yield session
    finally:
        session.close()
        call.stage("")
        _tell(call, session.store)


def _connected(call: Invocation) -> Connection:
    """A connection to the engine of this home, which is started if none runs. It hears what is its own alone: what it
    does not read for long would be cut off."""
    from theta_tui.engine.client import GONE, Connection, EngineGoneError

    home, who = call.settings.home, call.settings.who
    found = Connection.to(home, who=who)
    if found is None:
        with started(call):
            found = Connection.to(home, who=who)
    if found is None:
        raise EngineGoneError(GONE)
    return found


@contextmanager
def writable_store(call: Invocation) -> Iterator[Store]:
    """The store alone, open for writing; no model is loaded."""
    from theta_tui.store.store import Store

    make_room(call)
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
