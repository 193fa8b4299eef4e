"""The store of a home keeps journal, state, conversation file and kept prompt in step. No torch, no threads.

`history`, `lessons` and `stats` need nothing else; the Session adds the model. Opening for writing takes the home's
lock; opening for reading takes none and changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from msgspec import structs

from theta_tui.base.config import DEFAULT_MODEL, Settings
from theta_tui.base.errors import HomeError, PromptError
from theta_tui.base.gc import gc_paused
from theta_tui.base.text import person, plural, shortened, visible
from theta_tui.store import context, pending
from theta_tui.store.context_md import ContextFile
from theta_tui.store.conversation import TITLE, Conversation
from theta_tui.store.history import History
from theta_tui.store.home import Home, WriterLock
from theta_tui.store.journal import Entry, Journal
from theta_tui.store.records import (
    ContextImported,
    ConversationDeleted,
    ConversationOpened,
    ConversationRenamed,
    ConversationStarted,
    Exchange,
    Pending,
    Place,
    Record,
    Restore,
    Said,
    Stated,
    Teaching,
    Turn,
    Withdraw,
)
from theta_tui.store.state import Lesson, State


class Store:
    """What was said and taught in one home. Create it with `open` (one writer) or `read`."""

    def __init__(self, settings: Settings, journal: Journal, lock: WriterLock | None) -> None:
        self.home = Home(settings.home)
        self.journal = journal
        self.who = person(settings.who)
        """Whose conversation and waiting prompt these are; "" is the owner."""
        with gc_paused():
            self.state = State.of(journal.entries, self.who)
        begin = self.state.begin
        # A home remembers its model. A model named in the settings is compared with that when it is loaded.
        self.settings = replace(settings, model=settings.model or (begin.model if begin else DEFAULT_MODEL))
        self.notices = list(journal.notices)
        self._waiting: dict[str, Pending | None] = {}  # by person, as far as they were here
        self._left: dict[str, Pending] = {}  # the prompt that each answered last, with all its fives
        self._talking = self.who  # who asked for replies last
        self._lock = lock
        self._file: ContextFile | None = None
        self.pending  # noqa: B018  # read now, so that its notice comes first

    @classmethod
    def read(cls, settings: Settings) -> Store:
        """Open read-only. A home that does not exist yet reads as an empty one."""
        return cls(settings, Journal.read(Home(settings.home).journal), None)

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Open for writing. Raises HomeBusyError (exit 75) if another process holds the home."""
        home = Home(settings.home)
        home.ensure()
        lock = WriterLock(home, settings.lock_wait, settings.lock)
        lock.acquire()
        try:
            store = cls(settings, Journal.open(home.journal), lock)
            if store.read_only is None:
                with store.speaking(""):
                    store._read_context_back()
                with suppress(OSError):  # an earlier version derived it from the journal
                    (home.path / "journal.idx").unlink()
        except BaseException:
            lock.release()
            raise
        return store

    @property
    def read_only(self) -> str | None:
        return self.journal.read_only

    @property
    def pending(self) -> Pending | None:
        """The prompt that waits for its answer."""
        if self.who not in self._waiting:
            found, notice = pending.load(self.home.pending_of(self.who))
            if notice:
                self.notices.append(notice)
            self._waiting[self.who] = None if found is None or self._answered(found) else found
        return self._waiting[self.who]

    @pending.setter
    def pending(self, waiting: Pending | None) -> None:
        self._waiting[self.who] = waiting

    @contextmanager
    def speaking(self, who: str) -> Iterator[None]:
        """Speak as the person `who` for a while."""
        before = self.who
        self.who = self.state.who = who
        try:
            yield
        finally:
            self.who = self.state.who = before

    @property
    def goes_on(self) -> History:
        """The conversation of who asked for replies last: the next prompt is most likely said in it."""
        return (self.state.opened.get(self._talking) or self.state.opened[""]).history

    @property
    def may(self) -> Teaching:
        """What happens to what this person teaches."""
        newcomers: Teaching = self.settings.newcomers  # type: ignore[assignment]  # one of its choices, see config
        return self.state.standings.get(self.who, newcomers) if self.who else "teach"

    def require_writable(self) -> None:
        """Raise JournalError (exit 4) if the home is read-only."""
        self.journal.require_writable()

    def append(self, record: Record) -> Entry:
        """Journal a record (on disk when this returns) and replay it into the state."""
        entry = self.journal.append(record)
        self.state.add(entry)
        return entry

    def roll_back(self, entry: Entry) -> None:
        """Remove the newest record and replay all others."""
        self.journal.roll_back(entry)
        self.state = State.of((other for other in self.journal.entries if other is not entry), self.who)

    def waiting(self, prompt_id: str | None = None) -> Pending:
        """The kept prompt, with the five of `prompt_id`: by default the newest. Raises PromptError (exit 3) if there is
        none, or if it has no such five."""
        waiting = self.pending
        if waiting is None:
            raise PromptError("no prompt waits for an answer", hint="ask one first: theta prompt TEXT")
        asked = waiting if prompt_id is None else waiting.at(prompt_id)
        if asked is None:
            raise PromptError(
                f"the prompt {prompt_id} was answered or replaced; {waiting.prompt_id} waits now", name="stale_prompt"
            )
        return asked

    def turn(self, number: int, prompt: str | None = None) -> tuple[Turn, Place | None]:
        """Turn `number` of the open conversation, from 1, and its place; None: that follows from its record. Raises
        PromptError (exit 3) if there is none, or if another `prompt` was meant."""
        turns = self.state.turns
        if not turns:
            raise PromptError("there is no turn to correct yet; say something first")
        if not 1 <= number <= len(turns):
            raise PromptError(f"there is no turn {number}: there are 1 to {len(turns):,}", name="no_turn")
        turn = turns[number - 1]
        if prompt is not None and prompt != turn.prompt:
            raise PromptError(f"turn {number} is another one now: '{shortened(turn.prompt)}'", name="no_turn")
        place = self.state.open.places[number - 1]
        return turn, None if number == len(turns) and place == (turn.seq, 0) else place

    def say(self, prompt_id: str | None = None, index: int = 1) -> None:
        """The kept prompt is answered by reply `index`, which stands in the conversation and is taught to nobody.
        PromptError (exit 3) as `waiting`."""
        waiting = self.waiting(prompt_id)
        said, ids = waiting.candidates[index - 1], (waiting.prompt_id, self.conversation_id)
        self.append(Said(waiting.prompt, said.text, waiting.candidates, *ids, cut=not said.ended))
        self.follow(None)
        self.write_context()

    def pass_over(self, prompt_id: str | None = None) -> None:
        """The kept prompt gets no answer, which is information: the journal keeps it, and nothing is learned.
        PromptError (exit 3) as `waiting`."""
        self._pass_over(self.waiting(prompt_id))
        self.follow(None)

    def _pass_over(self, waiting: Pending) -> Entry | None:
        """Journal that `waiting` gets no answer; None if a crash has left it with just that."""
        last = self.journal.entries[-1].record if self.journal.entries else None
        if isinstance(last, Exchange) and (last.kind, last.prompt_id) == ("none", waiting.prompt_id):
            return None
        ids: dict[str, Any] = {"prompt_id": waiting.prompt_id, "conversation_id": self.conversation_id}
        return self.append(Exchange("none", waiting.prompt, "", waiting.candidates, {}, **ids, who=self.who))

    @contextmanager
    def _passing_over(self, waiting: Pending | None) -> Iterator[None]:
        """Pass a prompt over for what replaces it, or neither."""
        entry = None if waiting is None else self._pass_over(waiting)
        try:
            yield
        except Exception:
            if entry is not None and self.read_only is None:
                self.roll_back(entry)
            raise

    # --- taking back, and bringing back ---

    def to_undo(self) -> Lesson:
        """The last lesson of this person. Raises PromptError (exit 3) if there is none."""
        self.require_writable()
        lesson = self.state.own_last
        if lesson is None:
            others = "" if self.state.last is None else ": you have taught none of the lessons that count"
            hint = "`theta withdraw N` takes out somebody else's" if others and not self.who else ""
            raise PromptError(f"there is nothing to undo yet{others}", name="nothing_to_undo", hint=hint)
        return lesson

    def to_redo(self) -> Lesson:
        """The lesson taken back last. Raises PromptError (exit 3) if there is none, or if one was taught since."""
        self.require_writable()
        lesson = self.state.undone
        if lesson is None:
            raise PromptError(
                "there is nothing to redo: no lesson was taken back, or another one was taught since",
                name="nothing_to_redo",
            )
        return lesson

    def to_withdraw(self, number: int) -> Lesson:
        """Lesson `number`. Raises PromptError (exit 3) if it cannot be taken back."""
        self.require_writable()
        lesson = self.state.numbered(number)
        if lesson is None:
            taught = len(self.state.lessons)
            known = "none was taught yet" if not taught else "there is only lesson 1" if taught == 1 else ""
            hint = "" if known else "`theta lessons` lists them"
            known = known or f"there are 1 to {taught:,}"
            raise PromptError(f"there is no lesson {number}: {known}", name="no_lesson", hint=hint)
        if self.who not in ("", lesson.who):
            raise PromptError(f"lesson {number} is somebody else's; the owner can withdraw it", name="not_yours")
        if lesson.withdrawn:
            raise PromptError(f"lesson {number} is withdrawn already; it counts no more", name="withdrawn")
        if lesson.failed is not None:
            raise PromptError(f"lesson {number} was never learned; there is nothing to withdraw", name="no_lesson")
        return lesson

    def withdraw_last(self) -> Lesson:
        """Take back the last lesson, with its batch, in the journal. The prompt that it answered waits again. The next
        load of the model replays without it."""
        lesson = self.to_undo()
        self.append(Withdraw(self.state.together(lesson), self.who))
        return self.withdrawn(lesson, offer=True)

    def withdraw(self, lesson: Lesson, *, offer: bool = False) -> Lesson:
        """Take `lesson` back in the journal. The next load of the model replays without it."""
        self.append(Withdraw(lesson.seq, self.who))
        return self.withdrawn(lesson, offer=offer)

    def restore_last(self) -> Lesson:
        """Bring the lesson taken back last, with its batch, back in the journal. The next load of the model replays
        with it."""
        lesson = self.to_redo()
        self.append(self.to_restore())
        return self.restored(lesson)

    def to_restore(self) -> Restore:
        """The record that redo writes. PromptError as `to_redo`."""
        self.to_redo()
        assert self.state.redo is not None
        return Restore(self.state.redo[0])

    def withdrawn(self, lesson: Lesson, *, offer: bool) -> Lesson:
        """Follow up on the withdrawal of `lesson`. With `offer` the prompt that it answered waits again with its
        replies, if its conversation is the open one; a prompt that already waits is offered its stated fact again."""
        exchange = lesson.exchange
        if offer and self.pending is None and exchange.candidates and lesson.conversation == self.state.open.number:
            known = self._left.get(self.who)
            left = known.fives if known is not None and known.prompt == exchange.prompt else ()
            others = tuple(five for five in left if five.candidates != exchange.candidates)
            here = others if len(others) < len(left) else ()
            self.follow(Pending(pending.new_prompt_id(), exchange.prompt, exchange.candidates, earlier=here))
        elif offer and self.pending is not None and exchange.said == self.pending.prompt:
            self.follow(structs.replace(self.pending, statement=Stated(exchange.prompt, exchange.reply)))
        self.write_context()
        return self.state.lesson(lesson.seq)

    def restored(self, lesson: Lesson) -> Lesson:
        """Follow up on the restoration of `lesson`: if its prompt waits again, it is answered now."""
        waiting, exchange = self.pending, lesson.exchange
        fives = [five.candidates for five in waiting.fives] if waiting else []
        if waiting and waiting.prompt == exchange.prompt and exchange.candidates in fives:
            self.follow(None)
        elif waiting and waiting.statement is not None and exchange.said == waiting.prompt:
            self.follow(structs.replace(waiting, statement=None))
        self.write_context()
        return self.state.lesson(lesson.seq)

    def supposing(self, record: Record) -> State:
        """The state as it would be with one more record."""
        entry = Entry(self.journal.last_seq + 1, time.time(), record, 0, "")
        return State.of([*self.journal.entries, entry], self.who)

    @contextmanager
    def using(self, settings: Mapping[str, Any]) -> Iterator[None]:
        """Use these settings in place of the store's for a while. A setting that is changed meanwhile stays changed."""
        own = self.settings
        self.settings = theirs = replace(own, **settings)
        try:
            yield
        finally:
            if self.settings is theirs:
                self.settings = own

    @contextmanager
    def assuming(self, state: State) -> Iterator[None]:
        """Use `state` in place of the journal's for a while, to try the model on it before anything is written."""
        own, self.state = self.state, state
        try:
            yield
        finally:
            self.state = own

    # --- conversations ---

    @property
    def conversation_id(self) -> int | None:
        """What a record says of its conversation: the number of the open one; None in a home that has only one."""
        return self.state.open.number if len(self.state.conversations) > 1 else None

    def begin_conversation(self) -> None:
        """Begin a new conversation. What was taught stays, and the journal keeps the old conversation."""
        self._open(ConversationStarted(self.who))

    def require_conversation(self) -> None:
        """Begin the conversation of a person who has none yet."""
        if self.who not in self.state.opened and self.read_only is None:
            self.append(ConversationStarted(self.who))

    def open_conversation(self, number: int) -> Conversation:
        """Go on with conversation `number`; one that was deleted is back. PromptError (exit 3) if there is none."""
        found = self._conversation(number)
        if found is not self.state.open or found.deleted:
            self._open(ConversationOpened(number))
        return self.state.open

    def rename_conversation(self, number: int, name: str) -> Conversation:
        """Call conversation `number` by `name`, or by its first words if that is blank. PromptError (exit 3) if there
        is none."""
        found = self._conversation(number)
        self.append(ConversationRenamed(number, shortened(visible(name, one_line=True), TITLE) or None))
        return found

    def delete_conversation(self, number: int) -> Conversation:
        """Take conversation `number` out of the list; if it is the open one, a new one begins. The journal keeps it.
        PromptError (exit 3) if there is none, or if that was done already."""
        found = self._conversation(number)
        if found.deleted:
            raise PromptError(f"conversation {number} is deleted already; opening it brings it back", name="deleted")
        self.append(ConversationDeleted(number))
        if found is self.state.open:
            self.begin_conversation()
        return found

    def _conversation(self, number: int) -> Conversation:
        self.require_writable()
        found = self.state.conversation(number)
        if found is None:
            begun = len(self.state.conversations)
            known = "there is only conversation 1" if begun == 1 else f"there are 1 to {begun:,}"
            raise PromptError(f"there is no conversation {number}: {known}", name="no_conversation")
        if found.who != self.who:
            raise PromptError(f"conversation {number} is {found.who or 'the owner'}'s", name="not_yours")
        return found

    def _open(self, record: ConversationStarted | ConversationOpened) -> None:
        with self._passing_over(self.pending):
            self.append(record)
        self.follow(None)
        self.write_context()

    def offer(self, waiting: Pending) -> None:
        """Keep `waiting`. Another prompt that waited is passed over."""
        self.require_conversation()
        self._talking = self.who
        before = self.pending if self.read_only is None else None
        again = before is not None and before.prompt == waiting.prompt  # the same message, asked once more
        if before is not None and (again or before.prompt_id in {five.prompt_id for five in waiting.earlier}):
            before = None
        with self._passing_over(before):
            self.keep(waiting)

    def keep(self, waiting: Pending | None) -> None:
        """Write the prompt that waits for its answer, or remove it."""
        path = self.home.pending_of(self.who)
        if waiting is None:
            pending.clear(path)
        else:
            pending.save(path, waiting)
        self.pending = waiting

    def follow(self, waiting: Pending | None) -> None:
        """Keep `waiting`, or forget the kept prompt, to follow a record that is already in the journal.

        The deed is done, so a failure to write only adds a notice: an error would say that nothing was done. An
        answered prompt that stays in its file is recognised by its id.
        """
        if waiting is None and self.pending is not None:
            self._left[self.who] = self.pending
        try:
            self.keep(waiting)
        except (HomeError, MemoryError) as error:
            self.pending = waiting
            self.notices.append(f"{error or 'out of memory'}; what was taught is in the journal")

    def _answered(self, waiting: Pending) -> bool:
        """Whether the newest answer to a kept prompt is to this one: a crash, or the disk, left its file behind."""
        ids = {five.prompt_id for five in waiting.fives}
        if not ids.isdisjoint(self.state.spoken.values()):
            return True
        answers = (lesson for lesson in reversed(self.state.lessons) if lesson.exchange.prompt_id is not None)
        last = next((lesson for lesson in answers if lesson.who == self.who), None)
        return last is not None and last.exchange.prompt_id in ids and last.outcome is not None and not last.withdrawn

    def write_context(self) -> None:
        """Bring the conversation file in step with the journal.

        If it cannot be written this only adds a notice, because the journal has everything.
        """
        try:
            self._context_file().write(self.state.opened[""].history)
        except (HomeError, MemoryError) as error:
            self.notices.append(f"{error or 'out of memory'}; the journal has the conversation")

    def _context_file(self) -> ContextFile:
        path = self.settings.context_path
        if self._file is None or self._file.path != path:
            self._file = ContextFile(path, self.home.context_mark)
        return self._file

    def take_notices(self) -> list[str]:
        """The notices since the last call."""
        taken, self.notices = self.notices, []
        return taken

    def close(self) -> None:
        self.journal.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _read_context_back(self) -> None:
        """Journal a conversation file that a person edited; it is the conversation from then on.

        The digest of what Theta last wrote tells an edit from a crash. A crash leaves the old file, or the old file
        and part of a turn; that is simply written again.
        """
        file = self._context_file()
        path = file.path
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            if self.state.turns:
                self.write_context()
            return
        except OSError as error:
            self.notices.append(f"{path} cannot be read ({error.strerror}); the journal's conversation is used")
            return
        expected = context.render(self.state.history)
        if data == expected:
            with suppress(HomeError):  # the next start manages without the mark
                file.adopt(data, self.state.history)
            return
        if file.left_behind(data, expected):
            self.write_context()
            return
        turns, notices = context.parse(data)
        self.notices.extend(notices)
        if turns != self.state.history:
            self.append(ContextImported(turns))
            count = plural(len(turns), "turn")
            self.notices.append(f"{path.name} was changed by hand: its conversation of {count} is used from here on")
        self.write_context()
