"""Serves the messages of `lists` and `completions` for a service, and what only shows something. No torch, no
Textual."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from theta_tui.base.errors import PromptError, TeachError
from theta_tui.base.text import plural
from theta_tui.session import commands as c
from theta_tui.session import completions, lists
from theta_tui.session import protocol as p
from theta_tui.store.report import ReportRow, Teaching

if TYPE_CHECKING:
    from theta_tui.session.importing import Found
    from theta_tui.session.session import Session
    from theta_tui.store.records import Outcome, Turn


class Desk(Protocol):
    """The service that the errands are run for. `begin` says what is done, `stage` how far it is; `end` reports, and
    `answer` where nothing has changed. `teach` teaches a lesson."""

    def begin(self, phase: p.Phase, activity: str) -> None: ...

    def stage(self, words: str) -> None: ...

    def end(self, event: Callable[[p.Snapshot], p.Event]) -> None: ...

    def answer(self, event: Callable[[p.Snapshot], p.Event]) -> None: ...

    def teach(self, lesson: Callable[..., Outcome], cancelled: Callable[[], bool]) -> None: ...


class Errands:
    """What is known from one message to the next."""

    def __init__(self, session: Session, desk: Desk, post: Callable[[p.Event], None]) -> None:
        self._session = session
        self._desk = desk
        self._post = post
        self._found: Found | None = None  # what was read last, and not taught yet

    def run(self, command: c.Command, cancelled: Callable[[], bool]) -> bool:
        """Carry out `command`; return whether it is one of these."""
        session, end, answer = self._session, self._desk.end, self._desk.answer
        match command:
            case c.ShowHistory():
                state = session.store.state
                shown = tuple(state.turns[-p.HISTORY_SHOWN :]), state.beside(p.HISTORY_SHOWN)
                answer(lambda shot: p.History(shot, *shown))
            case c.ShowLessons():
                answer(self._ledger)
            case c.ShowPlots(number=number):
                self._plots(number)
            case c.Export(kind=kind, path=path):
                self._export(kind, path, cancelled)
            case c.Say(prompt_id=prompt_id, index=index):
                self._say(prompt_id, index, cancelled)
            case c.Persona(text=text):
                from theta_tui.session import persona

                told = persona.carry_out(session, text)
                answer(lambda shot: p.Notice(shot, told))
            case c.CheckPair(prompt=prompt, reply=reply):
                from theta_tui.session.teaching import unfit

                answer(lambda shot: p.Checked(shot, unfit(session.model, prompt, reply, time.time())))
            case lists.ShowPeople():
                answer(self._people)
            case lists.ChangePerson(name=name, may=may):
                from theta_tui.session import people

                let = people.let(session.store, name, may)
                end(lambda shot: p.Notice(shot, let))
            case lists.Decide(deed="accept", number=number):
                from theta_tui.session import people

                self._desk.teach(partial(people.accept, session, number), cancelled)
                end(self._ledger)
            case lists.Decide(number=number):
                from theta_tui.session import people

                said = people.declined(people.decline(session.store, number))
                end(lambda shot: p.Notice(shot, said))
                end(self._ledger)
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
            case completions.Complete():
                from theta_tui.session.completing import complete

                complete(session, command, self._post, self._desk, cancelled)
            case _:
                return False
        return True

    def _say(self, prompt_id: str, index: int, cancelled: Callable[[], bool]) -> None:
        """The reply stands. Where talking teaches it is learned too, but for one of care; one that cannot be stands."""
        session, store = self._session, self._session.store
        care = store.waiting(prompt_id).candidates[index - 1].care
        if store.settings.continuous and not store.who and not care:
            try:
                self._desk.teach(partial(session.pick, index, prompt_id=prompt_id), cancelled)
                return
            except TeachError:
                store.say(prompt_id, index)
                raise
        store.say(prompt_id, index)
        self._desk.answer(p.Changed)

    def _export(self, kind: str, path: str, cancelled: Callable[[], bool]) -> None:
        """Export. Distilling lessons into shared weights takes a while; Cancel stops it."""
        from theta_tui.session.export import export

        self._desk.begin("saving", "exporting")
        done = export(self._session, kind, Path(path), self._desk.stage, cancelled)
        said = "exporting was stopped; nothing was written" if done is None else done.line
        self._desk.answer(lambda shot: p.Notice(shot, said))

    def _ledger(self, shot: p.Snapshot) -> p.Event:
        rows = self._session.review.rows(p.LESSONS_SHOWN)
        waiting = [one.row for one in self._session.store.state.proposals][: p.LESSONS_SHOWN]
        cut = partial(ReportRow.shortened, most=p.LESSON_TEXT)
        return p.Ledger(shot, tuple(map(cut, rows)), tuple(map(cut, waiting)))

    def _people(self, shot: p.Snapshot) -> p.Event:
        from theta_tui.session import people

        newcomers: Teaching = self._session.settings.newcomers  # type: ignore[assignment]  # one of its choices
        return lists.People(shot, tuple(people.rows(self._session.store)), newcomers)

    def _plots(self, number: int | None) -> None:
        from theta_tui.store.plots import plots

        state = self._session.store.state
        if number is not None and state.numbered(number) is None:
            raise PromptError(f"there is no lesson {number}; /lessons lists them", name="no_lesson")
        shown = number if number is not None or state.last is None else state.last.number
        drawn = plots(state, number), shown, number is not None, len(state.lessons)
        self._desk.answer(lambda shot: p.Plots(shot, *drawn))

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
