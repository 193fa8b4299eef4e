"""The record of a home: journal, story, conversation file and kept prompt, kept in step. No torch, no threads.

What `history`, `lessons` and `stats` need is here alone; the Teacher adds the model. Opening for writing takes the
home's lock; reading takes none and changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from theta_tui.config import Settings
from theta_tui.errors import HomeError, PromptError
from theta_tui.home import Home, WriterLock, write_atomically
from theta_tui.lessons import context, pending
from theta_tui.lessons.journal import Entry, Journal
from theta_tui.lessons.records import Brought, Fresh, Pending, Record, Stated, Withdraw
from theta_tui.lessons.story import Lesson, Story


class HomeRecord:
    """What was said and taught in one home. Make it with `open` (one writer) or `read`."""

    def __init__(self, settings: Settings, journal: Journal, lock: WriterLock | None) -> None:
        self.settings = settings
        self.home = Home(settings.home)
        self.journal = journal
        self.story = Story.of(journal.entries)
        self.notices = list(journal.notices)
        self.pending, notice = pending.load(self.home.pending)
        if notice:
            self.notices.append(notice)
        self._lock = lock

    @classmethod
    def read(cls, settings: Settings) -> HomeRecord:
        """For looking only. A home that is not there yet reads as an empty one."""
        return cls(settings, Journal.read(Home(settings.home).journal), None)

    @classmethod
    def open(cls, settings: Settings) -> HomeRecord:
        """For writing. Raises HomeBusyError (exit 75) where another process holds the home."""
        home = Home(settings.home)
        home.ensure()
        lock = WriterLock(home, settings.lock_wait)
        lock.acquire()
        try:
            record = cls(settings, Journal.open(home.journal), lock)
            if record.journal.read_only is None:
                record._read_context_back()
        except BaseException:
            lock.release()
            raise
        return record

    @property
    def read_only(self) -> str | None:
        return self.journal.read_only

    def require_writable(self) -> None:
        """Raises JournalError (exit 4) in a home that can only be read."""
        self.journal.require_writable()

    def append(self, record: Record) -> Entry:
        """Journal a record (on disk when this returns) and fold it into the story."""
        entry = self.journal.append(record)
        self.story.add(entry)
        return entry

    def roll_back(self, entry: Entry) -> None:
        """Take the newest record out again; the story is folded anew."""
        self.journal.roll_back(entry)
        self.story = Story.of(self.journal.entries)

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

    def withdraw_last(self) -> Lesson:
        """Take back the last lesson. The prompt that it answered waits again, with the replies offered then.

        The weights follow from the journal: whoever holds a model restores it, the next one to load folds without it.
        """
        self.require_writable()
        lesson = self.story.last
        if lesson is None:
            raise PromptError("there is nothing to undo yet", name="nothing_to_undo")
        self.append(Withdraw(lesson.seq))
        exchange = lesson.exchange
        if self.pending is None and exchange.candidates:
            self.keep(Pending(pending.new_prompt_id(), exchange.prompt, exchange.candidates))
        elif self.pending is not None and exchange.said == self.pending.prompt:
            self.keep(replace(self.pending, statement=Stated(exchange.prompt, exchange.reply)))
        self.write_context()
        return lesson

    def begin_conversation(self) -> None:
        """A fresh conversation; what was taught stays and the old one stays in the journal."""
        self.append(Fresh())
        self.keep(None)
        self.write_context()

    def keep(self, waiting: Pending | None) -> None:
        """Keep the prompt that waits for its answer, or forget it."""
        if waiting is None:
            pending.clear(self.home.pending)
        else:
            pending.save(self.home.pending, waiting)
        self.pending = waiting

    def write_context(self) -> None:
        """Bring the conversation file in step with the journal.

        A view only: where it cannot be written the journal still has everything, so this adds a notice and goes on.
        """
        path = self.settings.context_path
        data = context.render(self.story.dialogue)
        try:
            write_atomically(path, data)
            self._mark(path, data)
        except HomeError as error:
            self.notices.append(f"{error}; the journal has the conversation")

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
        an old file with a known digest, which is simply written again.
        """
        path = self.settings.context_path
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            if self.story.turns:
                self.write_context()
            return
        except OSError as error:
            self.notices.append(f"{path} cannot be read ({error.strerror}); the journal's conversation is used")
            return
        if data == context.render(self.story.dialogue):
            return
        if self._marked() == f"{context.digest(data)} {path}":
            self.write_context()
            return
        turns, notices = context.parse(data)
        self.notices.extend(notices)
        if turns != self.story.dialogue:
            self.append(Brought(turns))
            count = "1 turn" if len(turns) == 1 else f"{len(turns)} turns"
            self.notices.append(f"{path.name} was changed by hand: its {count} are the conversation now")
        self.write_context()

    def _mark(self, path: Path, data: bytes) -> None:
        write_atomically(self.home.context_mark, f"{context.digest(data)} {path}\n".encode())

    def _marked(self) -> str:
        try:
            return self.home.context_mark.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""
