"""The store of a home: journal, state, conversation file and kept prompt, kept in step. No torch, no threads.

What `history`, `lessons` and `stats` need is here alone; the Session adds the model. Opening for writing takes the
home's lock; reading takes none and changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from msgspec import structs

from theta_tui.base.config import DEFAULT_MODEL, Settings
from theta_tui.base.errors import HomeError, ModelError, PromptError
from theta_tui.base.text import plural
from theta_tui.model.lora import RANK, Choice
from theta_tui.store import context, pending
from theta_tui.store.context_md import ContextFile
from theta_tui.store.home import Home, WriterLock
from theta_tui.store.journal import Entry, Journal, collecting_later
from theta_tui.store.records import (
    ContextImported,
    ConversationStarted,
    Pending,
    Record,
    Restore,
    Said,
    Stated,
    Withdraw,
)
from theta_tui.store.state import Lesson, State


class Store:
    """What was said and taught in one home. Make it with `open` (one writer) or `read`."""

    def __init__(self, settings: Settings, journal: Journal, lock: WriterLock | None) -> None:
        self.home = Home(settings.home)
        self.journal = journal
        with collecting_later():
            self.state = State.of(journal.entries)
        begin = self.state.begin
        # A home remembers the model that it belongs to; one that is named is checked against it when it is loaded.
        self.settings = replace(settings, model=settings.model or (begin.model if begin else DEFAULT_MODEL))
        self.notices = list(journal.notices)
        self.pending, notice = pending.load(self.home.pending)
        if notice:
            self.notices.append(notice)
        if self.pending is not None and self._answered(self.pending):
            self.pending = None
        self._lock = lock
        self._file: ContextFile | None = None

    @classmethod
    def read(cls, settings: Settings) -> Store:
        """For looking only. A home that is not there yet reads as an empty one."""
        return cls(settings, Journal.read(Home(settings.home).journal), None)

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """For writing. Raises HomeBusyError (exit 75) where another process holds the home."""
        home = Home(settings.home)
        home.ensure()
        lock = WriterLock(home, settings.lock_wait, settings.lock)
        lock.acquire()
        try:
            store = cls(settings, Journal.open(home.journal), lock)
            if store.read_only is None:
                store._read_context_back()
                with suppress(OSError):  # a version before derived it from the journal
                    (home.path / "journal.idx").unlink()
        except BaseException:
            lock.release()
            raise
        return store

    @property
    def read_only(self) -> str | None:
        return self.journal.read_only

    def require_writable(self) -> None:
        """Raises JournalError (exit 4) in a home that can only be read."""
        self.journal.require_writable()

    def adaptation(self) -> tuple[Choice, int]:
        """Whether the model of this home learns by LoRA, and the rank: as it was begun, else as the settings say.

        Raises ModelError (exit 4) where the settings ask for another way than the home was begun with.
        """
        asked, begin = self.adaptation_asked(), self.state.begin
        if begin is None:
            return asked
        if self.adapts_anew():
            how = "--lora off" if begin.lora is None else f"--lora on --lora-rank {begin.lora}"
            new = "off" if asked[0] == "off" else f"on --lora-rank {asked[1]}"
            raise ModelError(
                f"the home {self.home.path} was begun with {how} and keeps to it: leave --lora and --lora-rank away, "
                f"learn everything again with `theta rebuild --lora {new}`, or give another --home DIR",
                name="wrong_lora",
            )
        return "off" if begin.lora is None else "on", begin.lora or RANK

    def adapts_anew(self) -> bool:
        """Whether the settings ask for another way to learn than the home was begun with."""
        begin = self.state.begin
        if begin is None:
            return False
        ours = "off" if begin.lora is None else "on"
        rank = self.settings.lora_rank
        return self.settings.lora not in ("auto", ours) or (begin.lora is not None and rank not in (None, begin.lora))

    def adaptation_asked(self, *, moving: bool = False) -> tuple[Choice, int]:
        """What the settings say of it, whatever the home was begun with. A home that learns by LoRA and is asked for
        another rank stays with LoRA, unless it is `moving` to another model."""
        asked: Choice = self.settings.lora  # type: ignore[assignment]  # one of its choices, see config
        begin, rank = self.state.begin, self.settings.lora_rank
        if asked == "auto" and not moving and begin is not None:
            asked = "off" if begin.lora is None else "on"
        return asked, rank or RANK

    def append(self, record: Record) -> Entry:
        """Journal a record (on disk when this returns) and replay it into the state."""
        entry = self.journal.append(record)
        self.state.add(entry)
        return entry

    def roll_back(self, entry: Entry) -> None:
        """Take the newest record out again; all others are replayed."""
        self.journal.roll_back(entry)
        self.state = State.of(other for other in self.journal.entries if other is not entry)

    def waiting(self, prompt_id: str | None = None) -> Pending:
        """The kept prompt; PromptError (exit 3) where there is none, or not the one that is meant."""
        waiting = self.pending
        if waiting is None:
            raise PromptError("no prompt waits for an answer; ask one first: theta prompt TEXT")
        if prompt_id is not None and prompt_id != waiting.prompt_id:
            raise PromptError(
                f"the prompt {prompt_id} was answered or replaced; {waiting.prompt_id} waits now", name="stale_prompt"
            )
        return waiting

    def say(self, prompt_id: str | None = None) -> None:
        """The kept prompt is answered by its first reply, which stands in the conversation and is taught to nobody.
        PromptError (exit 3) as `waiting`."""
        waiting = self.waiting(prompt_id)
        self.append(Said(waiting.prompt, waiting.candidates[0].text, waiting.candidates, waiting.prompt_id))
        self.follow(None)
        self.write_context()

    # --- taking back, and bringing back ---

    def to_undo(self) -> Lesson:
        """The last lesson; PromptError (exit 3) where there is none."""
        self.require_writable()
        lesson = self.state.last
        if lesson is None:
            raise PromptError("there is nothing to undo yet", name="nothing_to_undo")
        return lesson

    def to_redo(self) -> Lesson:
        """The lesson that was taken back last; PromptError (exit 3) where there is none, or one was taught since."""
        self.require_writable()
        lesson = self.state.undone
        if lesson is None:
            raise PromptError(
                "there is nothing to redo: no lesson was taken back, or another one was taught since",
                name="nothing_to_redo",
            )
        return lesson

    def to_withdraw(self, number: int) -> Lesson:
        """Lesson `number`; PromptError (exit 3) where it cannot be taken back."""
        self.require_writable()
        lesson = self.state.numbered(number)
        if lesson is None:
            taught = len(self.state.lessons)
            known = "none was taught yet" if not taught else "there is only lesson 1" if taught == 1 else ""
            known = known or f"there are 1 to {taught:,}; `theta lessons` lists them"
            raise PromptError(f"there is no lesson {number}: {known}", name="no_lesson")
        if lesson.withdrawn:
            raise PromptError(f"lesson {number} is withdrawn already; it counts no more", name="withdrawn")
        if lesson.failed is not None:
            raise PromptError(f"lesson {number} was never learned; there is nothing to withdraw", name="no_lesson")
        return lesson

    def withdraw_last(self) -> Lesson:
        """Take back the last lesson; the prompt that it answered waits again."""
        return self.withdraw(self.to_undo(), offer=True)

    def withdraw(self, lesson: Lesson, *, offer: bool = False) -> Lesson:
        """Take `lesson` back. The weights follow from the journal: the next one to load a model replays without it."""
        self.append(Withdraw(lesson.seq))
        return self.withdrawn(lesson, offer=offer)

    def restore(self, lesson: Lesson) -> Lesson:
        """Bring `lesson` back; the weights follow likewise."""
        self.append(Restore(lesson.seq))
        return self.restored(lesson)

    def withdrawn(self, lesson: Lesson, *, offer: bool) -> Lesson:
        """What follows once the journal says that `lesson` counts no more. With `offer` the prompt that it answered
        waits again, with the replies offered then, and the fact that a prompt which still waits had stated."""
        exchange = lesson.exchange
        if offer and self.pending is None and exchange.candidates:
            self.follow(Pending(pending.new_prompt_id(), exchange.prompt, exchange.candidates))
        elif offer and self.pending is not None and exchange.said == self.pending.prompt:
            self.follow(structs.replace(self.pending, statement=Stated(exchange.prompt, exchange.reply)))
        self.write_context()
        return self.state.lesson(lesson.seq)

    def restored(self, lesson: Lesson) -> Lesson:
        """What follows once the journal says that `lesson` counts again: where its prompt was offered once more, that
        is answered now."""
        waiting, exchange = self.pending, lesson.exchange
        if waiting and (waiting.prompt, waiting.candidates) == (exchange.prompt, exchange.candidates):
            self.follow(None)
        elif waiting and waiting.statement is not None and exchange.said == waiting.prompt:
            self.follow(structs.replace(waiting, statement=None))
        self.write_context()
        return self.state.lesson(lesson.seq)

    def supposing(self, record: Record) -> State:
        """The state as it would be with one more record."""
        entry = Entry(self.journal.last_seq + 1, time.time(), record, 0, "")
        return State.of([*self.journal.entries, entry])

    @contextmanager
    def assuming(self, state: State) -> Iterator[None]:
        """Let `state` stand for the journal's own for a while: the model is tried on it before a word is written."""
        own, self.state = self.state, state
        try:
            yield
        finally:
            self.state = own

    def begin_conversation(self) -> None:
        """A fresh conversation; what was taught stays and the old one stays in the journal."""
        self.append(ConversationStarted())
        self.follow(None)
        self.write_context()

    def keep(self, waiting: Pending | None) -> None:
        """Keep the prompt that waits for its answer, or forget it."""
        if waiting is None:
            pending.clear(self.home.pending)
        else:
            pending.save(self.home.pending, waiting)
        self.pending = waiting

    def follow(self, waiting: Pending | None) -> None:
        """Keep `waiting`, or forget what waits, because of what the journal says already.

        That has happened, so where this cannot be written it adds a notice and goes on: an error would say that nothing
        was done. An answered prompt that stays in its file is known by its number.
        """
        try:
            self.keep(waiting)
        except (HomeError, MemoryError) as error:
            self.pending = waiting
            self.notices.append(f"{error or 'out of memory'}; what was taught is in the journal")

    def _answered(self, waiting: Pending) -> bool:
        """Whether the newest answer to a kept prompt is to this one: a crash, or the disk, left its file behind."""
        if waiting.prompt_id in self.state.spoken.values():
            return True
        answers = (lesson for lesson in reversed(self.state.lessons) if lesson.exchange.prompt_id is not None)
        last = next(answers, None)
        return (
            last is not None
            and last.exchange.prompt_id == waiting.prompt_id
            and last.outcome is not None
            and not last.withdrawn
        )

    def write_context(self) -> None:
        """Bring the conversation file in step with the journal.

        A view only: where it cannot be written the journal still has everything, so this adds a notice and goes on.
        """
        try:
            self._context_file().write(self.state.history)
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
        """A conversation file that was edited or brought along is journalled and is the conversation from then on.

        Whether it was is told by the digest of what Theta last wrote: a crash between the journal and the file leaves
        an old file with a known digest, or one with a part of a turn behind it, which is simply written again.
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
            with suppress(HomeError):  # the mark is for the next start, which manages without
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
