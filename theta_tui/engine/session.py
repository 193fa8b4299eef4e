"""A session of the engine, for commands: the same verbs as `session.Session`, carried out by another process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from theta_tui.base.errors import ThetaError
from theta_tui.base.text import repair
from theta_tui.engine.client import Connection, EngineGoneError, error_of
from theta_tui.engine.wire import FOR_ONE_COMMAND
from theta_tui.session import commands as c
from theta_tui.session import lists
from theta_tui.session import protocol as p
from theta_tui.session.proposing import Answer
from theta_tui.store import retention
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from theta_tui.base.config import Settings
    from theta_tui.model.generate import Progress as Writing
    from theta_tui.session.importing import Found, Taught, Together
    from theta_tui.store.records import Outcome, Pending
    from theta_tui.store.report import ReportRow, Tally

E = TypeVar("E", bound=p.Event)


class RemoteSession:
    """The use of the engine of `settings.home`. `store` is read from the disk, as it is now. After an engine has ended
    `connect` finds or starts the next one."""

    def __init__(
        self,
        connection: Connection,
        settings: Settings,
        on_stage: Callable[[str], None],
        connect: Callable[[], Connection],
    ) -> None:
        self._connection = connection
        self._connect = connect
        self._settings = settings
        self._on_stage = on_stage
        self._options = {name: getattr(settings, name) for name in FOR_ONE_COMMAND}
        self._store: Store | None = None
        self._notices: list[str] = []
        self.review = _Review(self)

    @property
    def store(self) -> Store:
        if self._store is None:
            self._store = Store.read(self._settings)
            self._store.notices = self._notices
        return self._store

    def _look_again(self) -> None:
        """The home may have changed. Notices that nobody took stay."""
        if self._store is not None:
            self._notices, self._store = self._store.notices, None

    def _repaired(self, command: c.Command) -> c.Command:
        """`command` with texts that can be sent. What had to be changed is told."""
        texts: dict[str, Any] = {}
        for name, value in ((one.name, getattr(command, one.name)) for one in fields(command)):
            if isinstance(value, str):
                texts[name], notices = repair(value)
                self._notices.extend(notices)
        return replace(command, **texts)

    def _come_back(self) -> None:
        """Take the next engine if this one has ended."""
        if not self._connection.alive:
            self._connection = self._connect()

    def close(self) -> None:
        self._connection.close()

    def do(self, command: c.Command, wanted: type[E], on_event: Callable[[p.Event], None] = lambda _: None) -> E:
        """Carry out `command`; returns its event of the kind `wanted`, and keeps its notices. `on_event` gets all."""
        self._look_again()
        command = self._repaired(command)
        found: E | None = None
        teaches = type(command).__name__ in c.LESSONS
        self._come_back()
        try:
            for event in self._connection.events(command, self._options, self._on_stage):
                on_event(event)
                if isinstance(event, p.Notice) and (wanted is not p.Notice or found is not None):
                    self._notices.append(event.text)
                elif isinstance(event, p.Failed):
                    self._notices.append(event.message)
                elif isinstance(event, wanted):
                    found = event
        except EngineGoneError as error:
            self._connection.close()
            on_disk = "; `theta lessons` says whether the lesson is on disk" if teaches else ""
            raise EngineGoneError(f"{error} in the middle of this command{on_disk}; say it again") from None
        except BaseException as error:
            if not isinstance(error, Exception):  # a signal, perhaps in the middle of a frame
                self._connection.close()
            raise
        if found is None:
            raise ThetaError(f"the engine did not answer {type(command).__name__}", name="engine")
        return found

    # --- the verbs of a session ---

    @property
    def pending(self) -> Pending | None:
        return self.store.pending

    def propose(self, prompt: str, *, again: bool = False, on_progress: Writing | None = None) -> Pending | None:
        def on_event(event: p.Event) -> None:
            if on_progress is not None and isinstance(event, p.Streaming):
                on_progress(tuple((draft.text, draft.done) for draft in event.drafts))

        command = c.Regenerate(self.store.waiting().prompt_id) if again else c.Propose(prompt)
        return self.do(command, p.Proposed, on_event).snapshot.pending

    def pick(self, index: int, *, prompt_id: str | None = None) -> Outcome:
        return self.do(c.Pick(self.store.waiting(prompt_id).prompt_id, index), p.Taught).outcome

    def correct(self, text: str, *, prompt_id: str | None = None) -> Outcome:
        return self.do(c.Correct(text, self.store.waiting(prompt_id).prompt_id), p.Taught).outcome

    def correct_turn(self, number: int, text: str) -> Outcome:
        return self.do(c.Correct(text, turn=number), p.Taught).outcome

    def state(self, prompt: str, reply: str, *, said: str) -> Outcome:
        return self.do(c.TeachFact(self.store.waiting().prompt_id, prompt, reply), p.Taught).outcome

    def teach(self, prompt: str, reply: str) -> Outcome:
        return self.do(c.TeachPair(prompt, reply), p.Taught).outcome

    def unfit(self, prompt: str, reply: str) -> str | None:
        """Why this pair does not fit the model; None if it does."""
        return self.do(c.CheckPair(prompt, reply), p.Checked).why

    def ask(self, prompt: str, *, with_context: bool = True) -> Answer:
        found = self.do(c.Ask(prompt, with_context), p.Answered)
        return Answer(found.prompt, found.reply, found.logprob, found.seconds, found.cut)

    def go_on(self, index: int) -> Pending | None:
        """Let candidate `index` of the kept prompt go on where it was cut."""
        return self.do(c.Continue(self.store.waiting().prompt_id, index), p.Continued).snapshot.pending

    def take_back(self, deed: c.Deed, number: int | None = None) -> Together:
        """What was taken back, or brought back."""
        from theta_tui.session.importing import Together, together

        last = self.store.state.own_last
        batch = together(self.store, last) if deed == "undo" and last is not None else None
        found = self.do(c.TakeBack(deed, number), p.TakenBack)
        lesson = self.store.state.numbered(found.number)
        assert lesson is not None
        return batch or (together(self.store, lesson) if deed == "redo" else Together((lesson,)))

    def pass_over(self) -> None:
        """The kept prompt gets no answer."""
        self.do(c.PassOver(self.store.waiting().prompt_id), p.Changed)

    def accept(self, number: int) -> Outcome:
        """Learn what a proposal wants."""
        return self.do(lists.Decide("accept", number), p.Taught).outcome

    def decline(self, number: int) -> str:
        """What was done, in words."""
        return self.do(lists.Decide("decline", number), p.Notice).text

    def let(self, name: str, may: str) -> str:
        """Say what happens to what a person teaches; what was done, in words."""
        return self.do(lists.ChangePerson(name, may), p.Notice).text  # type: ignore[arg-type]

    def begin_conversation(self) -> None:
        self.do(c.NewConversation(), p.Changed)

    def change_conversation(self, deed: str, number: int, name: str) -> str:
        """What was done, in words."""
        return self.do(lists.ChangeConversation(deed, number, name), p.Notice).text  # type: ignore[arg-type]

    def teach_found(self, reading: lists.ReadFile | lists.ReadHomes, found: Found) -> Taught:
        """Teach what was `found` before, after `reading` it in the engine. Its paths are absolute."""
        from theta_tui.session.importing import Taught

        self.do(reading, lists.FileRead)
        count = self.do(lists.TeachFile(), lists.FileTaught).count
        batch = self.store.state.batches[max(self.store.state.batches)] if count else []
        numbers = tuple(lesson.number for lesson in batch if lesson.moves)
        return Taught(found.source, numbers, failures=len(found.pairs) - len(numbers))

    def change_persona(self, text: str) -> str:
        """`text` "off": the model's own system turn again; "": no change. The persona in force, in words."""
        return self.do(c.Persona(text), p.Notice).text

    def export(self, kind: str, path: Path) -> str:
        """What was written where, in words."""
        return self.do(c.Export(kind, str(path.expanduser().absolute())), p.Notice).text

    @property
    def unsaved(self) -> int:
        """Lessons since the newest checkpoint, if they are this person's to save. An engine that ended saved them."""
        if self._settings.who or not self._connection.alive:
            return 0
        return self.do(c.Look(), p.Ready).snapshot.unsaved

    def save(self) -> tuple[str, int]:
        """Write a checkpoint; returns its path, and the parameters of the model."""
        found = self.do(c.Save(), p.Saved)
        return found.path, found.snapshot.parameters

    def quiz(self, on_lesson: Callable[[int], None] = lambda _: None) -> list[ReportRow]:
        """The engine reviews in slices between the commands of others, so this listens to everything until it is
        done."""
        self._come_back()
        listening = Connection.to(self._settings.home, everything=True, who=self._settings.who)
        if listening is None:
            raise EngineGoneError("the engine of this home has ended; say it again")
        try:
            mine = listening.send(c.Quiz())
            for number, event in listening.frames():
                if isinstance(event, p.Failed) and (event.fatal or number == mine):
                    raise error_of(event)
                if isinstance(event, p.Reviewed):
                    on_lesson(event.left)
                elif isinstance(event, p.Quizzed):
                    break
        finally:
            listening.close()
        self._look_again()
        return retention.rows(self.store.state)


class _Review:
    def __init__(self, session: RemoteSession) -> None:
        self._session = session

    def ask_for(self, seconds: float) -> None:
        self._tally = self._session.do(c.Review(seconds), p.Reviewed).snapshot.tally

    def tally(self) -> Tally:
        return self._tally
