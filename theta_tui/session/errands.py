"""Serves the messages of `lists` for a service: conversations, turns, and lessons of a file. No torch, no Textual."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from theta_tui.base.text import plural
from theta_tui.session import commands as c
from theta_tui.session import lists
from theta_tui.session import protocol as p

if TYPE_CHECKING:
    from theta_tui.session.importing import Found
    from theta_tui.session.session import Session
    from theta_tui.store.records import Turn


class Desk(Protocol):
    """The service that the errands are run for. `begin` says what is done, `stage` how far it is; `end` reports."""

    def begin(self, phase: p.Phase, activity: str) -> None: ...

    def stage(self, words: str) -> None: ...

    def end(self, event: Callable[[p.Snapshot], p.Event]) -> None: ...


class Errands:
    """What is known from one message to the next."""

    def __init__(self, session: Session, desk: Desk) -> None:
        self._session = session
        self._desk = desk
        self._found: Found | None = None  # what was read last, and not taught yet

    def run(self, command: c.Command, cancelled: Callable[[], bool]) -> bool:
        """Carry out `command`; return whether it is one of these."""
        session, end = self._session, self._desk.end
        match command:
            case lists.ShowConversations():
                end(self._conversations)
            case lists.ChangeConversation(deed=deed, number=number, name=name):
                from theta_tui.session import conversations

                said = conversations.change(session.store, deed, number, name)
                end(lambda shot: p.Notice(shot, said))
                end(self._conversations)
            case lists.ShowTurns():
                every = session.store.state.turns
                first = max(0, len(every) - lists.TURNS_LISTED)
                turns = tuple(map(_shortened, every[first:]))
                end(lambda shot: lists.Turns(shot, first + 1, turns))
            case lists.ReadFile(path=path):
                self._read_file(path)
            case lists.ReadHomes(paths=paths):
                self._read_homes(paths)
            case lists.TeachFile():
                self._teach(cancelled)
            case _:
                return False
        return True

    def _conversations(self, shot: p.Snapshot) -> p.Event:
        from theta_tui.session import conversations

        return lists.Conversations(shot, tuple(conversations.listed(self._session.store)[: lists.CONVERSATIONS_SHOWN]))

    def _read_file(self, path: str) -> None:
        from theta_tui.session import importing

        session = self._session
        self._desk.begin("saving", f"reading {path}")
        self._there_is(importing.find(session.store, session.statements.dictionary, Path(path)))

    def _read_homes(self, paths: tuple[str, ...]) -> None:
        from theta_tui.session import merging

        self._desk.begin("saving", f"reading {plural(len(paths), 'home')}")
        self._there_is(merging.find(self._session.store, [Path(path) for path in paths]))

    def _there_is(self, found: Found) -> None:
        self._found = found
        pairs = tuple((pair.prompt, pair.reply) for pair in found.pairs[: lists.PAIRS_SHOWN])
        end = found.source, len(found.pairs), pairs, found.notes, found.bad
        self._desk.end(lambda shot: lists.FileRead(shot, *end))

    def _teach(self, cancelled: Callable[[], bool]) -> None:
        from theta_tui.session import importing

        found, self._found = self._found, None
        if found is None or not found.pairs:
            return

        def on_lesson(at: int, of: int) -> None:
            self._desk.stage(f"learning {at:,} of {of:,} of {found.source}")

        self._desk.begin("learning", f"learning {found.source}")
        done = importing.teach(self._session, found, on_lesson, cancelled)
        self._desk.end(lambda shot: lists.FileTaught(shot, done.words, len(done.lessons)))


def _shortened(turn: Turn) -> Turn:
    from msgspec import structs

    if max(len(turn.prompt), len(turn.reply)) <= lists.TURN_TEXT:
        return turn
    return structs.replace(turn, prompt=turn.prompt[: lists.TURN_TEXT], reply=turn.reply[: lists.TURN_TEXT])
