"""The service behind the worker: commands in, events out, on a session of its own. No thread, no torch, no Textual.

It reports what is already known (Loading) before the model is loaded. A command that fails becomes a Failed event, and
the next one still works. Progress events carry the whole state and are limited in rate, so a slow screen loses nothing
and a fast model does not flood it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from theta_tui.base import config
from theta_tui.base.errors import ThetaError
from theta_tui.session import protocol as p
from theta_tui.session.idle import IdleRunner
from theta_tui.session.verbs import doing
from theta_tui.store.report import ReportRow, Tally

if TYPE_CHECKING:
    from theta_tui.session.importing import Found
    from theta_tui.session.session import Session
    from theta_tui.store.records import Outcome, Turn

PROGRESS_SECONDS = 0.08
"""The least time between two progress reports."""

log = logging.getLogger("theta")


class Caller(Protocol):
    """The owner of a service, which asks it between two steps whether to go on."""

    @property
    def stopping(self) -> bool:
        """Whether the worker was asked to end."""

    def interrupted(self) -> bool:
        """Whether a command waits, for which idle work must stop."""

    def should_abandon(self) -> bool:
        """Whether a lesson has run for too long after the worker was asked to end."""


def failure(shot: p.Snapshot, error: Exception, command: str, *, fatal: bool = False) -> p.Failed:
    """The event for `error`. An unexpected error is logged."""
    if isinstance(error, ThetaError):
        return p.Failed(shot, str(error), command, error.code, fatal)
    log.exception("%s failed", command, exc_info=error)
    return p.Failed(shot, f"{type(error).__name__}: {error}", command, 1, fatal)


class Service:
    """Serves one session: `load` it, `serve` commands and `use_idle_time`, `close` it; all from one thread."""

    def __init__(self, session: Session, post: Callable[[p.Event], None], caller: Caller, idle: IdleRunner) -> None:
        self._session = session
        self._post = post
        self._caller = caller
        self._idle = idle
        self._phase: p.Phase = "loading"
        self._activity = "opening the home"
        self._last: Outcome | None = None
        self._reported = 0.0
        self._ready_at = 0.0
        self._save_failed_at: int | None = None
        self._quiz: Iterator[None] | None = None
        self._tallied: tuple[tuple[int, int], Tally] | None = None
        self._got_ready = False
        self._found: Found | None = None

    @property
    def has_quiz(self) -> bool:
        """Whether a quiz waits; it needs only a short idle time to begin."""
        return self._quiz is not None

    def load(self) -> bool:
        """Load the model; return whether that succeeded."""
        started = time.perf_counter()
        try:
            self._report(p.Loading(self.snapshot()))
            self._session.load(self._stage)
        except Exception as error:
            self._fail(error, "load", fatal=True)
            return False
        self._ready_at = time.time()
        self._rest()
        self._report(p.Ready(self.snapshot(), time.perf_counter() - started))
        self._pass_notices_on()
        return True

    def serve(self, command: p.Command, cancelled: Callable[[], bool]) -> None:
        """Carry out `command`, and report an error."""
        try:
            self._carry_out(command, cancelled)
        except Exception as error:
            if self._caller.stopping:
                return  # abandoned on the way out: the next start learns it
            self._fail(error, type(command).__name__)
        self._pass_notices_on()
        self._save_if_due()
        self._idle.busy()

    def use_idle_time(self) -> None:
        """Use idle time: prepare the first replies, once; save if that is due; review lessons."""
        first, self._got_ready = not self._got_ready, True
        try:
            if first:
                self._session.get_ready()
        except Exception as error:
            self._fail(error, "idle")
        self._save_if_due()
        self._work_on()

    def _work_on(self) -> None:
        """Run a requested quiz, or else the idle work of the session. Both stop for a command after any slice."""
        session, quiz = self._session, self._quiz
        if quiz is None and not (session.settings.idle and self._idle.wanted):
            return
        changes, finished = session.review.changes, True
        try:
            if quiz is not None:
                finished = self._idle.run(quiz, self._caller.interrupted, self._slice_done)
            else:
                with contextlib.closing(session.idle(self._caller.interrupted)) as work:
                    finished = self._idle.run(work, self._caller.interrupted, self._slice_done)
        except Exception as error:
            self._fail(error, "idle")
        self._quiz = quiz if not finished else None
        if self._last is not None and (lesson := session.store.state.numbered(self._last.lesson)) is not None:
            self._last = lesson.outcome  # it may have been learned on
        self._rest()
        if quiz is not None and finished:
            self._report(p.Quizzed(self.snapshot()))
        elif session.review.changes != changes:
            self._report(p.Reviewed(self.snapshot()))
        self._pass_notices_on()

    def _slice_done(self) -> None:
        session = self._session
        self._pass_notices_on()
        if self._due():
            left = session.review.left
            if left:
                self._activity = f"asking again, {left} left"
            self._report(p.Reviewed(self.snapshot(), left))

    def close(self) -> None:
        """Save what is unsaved, if the model is loaded, and release the home."""
        session = self._session
        try:
            if self._phase != "loading" and session.unsaved and session.store.read_only is None:
                self._state("saving", "saving")
                session.save()
        except Exception:
            log.exception("the checkpoint on leaving failed; the journal has every lesson")
        finally:
            session.close()
            self._phase = "stopped"

    def _carry_out(self, command: p.Command, cancelled: Callable[[], bool]) -> None:
        session = self._session
        match command:
            case p.Propose(prompt=prompt):
                self._propose(prompt, cancelled, again=False)
            case p.Regenerate(prompt_id=prompt_id):
                self._propose(session.store.waiting(prompt_id).prompt, cancelled, again=True)
            case p.Pick(prompt_id=prompt_id, index=index):
                self._teach(partial(session.pick, index, prompt_id=prompt_id))
            case p.Correct(text=text, prompt_id=None, turn=turn, prompt=asked):
                number = len(session.store.state.turns) if turn is None else turn
                self._teach(partial(session.correct_turn, number, text, prompt=asked))
            case p.Correct(text=text, prompt_id=prompt_id, edited=edited):
                self._teach(partial(session.correct, text, prompt_id=prompt_id, edited=edited))
            case p.TeachFact(prompt_id=prompt_id, prompt=prompt, reply=reply):
                said = session.store.waiting(prompt_id).prompt
                self._teach(partial(session.state, prompt, reply, said=said))
            case p.PassOver(prompt_id=prompt_id):
                session.store.pass_over(prompt_id)
                self._rest()
                self._report(p.Changed(self.snapshot()))
            case p.Say(prompt_id=prompt_id):
                session.store.say(prompt_id)
                self._rest()
                self._report(p.Changed(self.snapshot()))
            case p.TakeBack():
                self._take_back(command, cancelled)
            case p.NewConversation():
                session.store.begin_conversation()
                self._rest()
                self._report(p.Changed(self.snapshot()))
            case p.ShowConversations():
                self._report_conversations()
            case p.ChangeConversation(deed=deed, number=number, name=name):
                from theta_tui.session import conversations

                said = conversations.change(session.store, deed, number, name)
                self._rest()
                self._report(p.Notice(self.snapshot(), said))
                self._report_conversations()
            case p.ShowTurns():
                every = session.store.state.turns
                first = max(0, len(every) - p.LESSONS_SHOWN)
                self._report(p.Turns(self.snapshot(), first + 1, tuple(map(_short_turn, every[first:]))))
            case p.ReadFile(path=path):
                self._read_file(path)
            case p.TeachFile():
                self._teach_file(cancelled)
            case p.Persona(text=text):
                self._persona(text)
            case p.ShowModels(name=name):
                from theta_tui.session import models

                if name:
                    self._report(p.Notice(self.snapshot(), models.how_to(name, session.settings)))
                else:
                    self._report(p.Models(self.snapshot(), models.listed(p.MODELS_SHOWN)))
            case p.Save():
                self._save(asked=True)
            case p.Ask(prompt=prompt):
                self._state("proposing", "answering")
                answer = session.ask(prompt, cancelled=cancelled)
                self._rest()
                self._report(p.Answered(self.snapshot(), prompt, answer.reply))
            case p.Export(kind=kind, path=path):
                self._export(kind, path, cancelled)
            case p.ShowHistory():
                state = session.store.state
                turns, beside = tuple(state.turns[-p.HISTORY_SHOWN :]), state.beside(p.HISTORY_SHOWN)
                self._report(p.History(self.snapshot(), turns, beside))
            case p.ShowLessons():
                rows = session.review.rows(p.LESSONS_SHOWN)
                self._report(p.Ledger(self.snapshot(), tuple(map(_shortened, rows))))
            case p.Quiz():
                self._quiz = session.review.quiz()
            case p.AskLesson(number=number):
                self._state("proposing", "answering")
                answer = session.ask_lesson(number, cancelled=cancelled)
                self._rest()
                self._report(p.LessonAnswered(self.snapshot(), number, answer.reply))
            case p.Configure(name=name, value=value):
                self._configure(name, value)

    def _propose(self, prompt: str, cancelled: Callable[[], bool], *, again: bool) -> None:
        session = self._session
        started = time.perf_counter()
        self._state("proposing", "writing five replies")
        blank = tuple(p.Draft(index, "") for index in range(1, 6))
        self._report(p.Streaming(self.snapshot(), prompt, blank))
        self._reported = 0.0

        def on_progress(drafts: tuple[tuple[str, bool], ...]) -> None:
            shown = tuple(p.Draft(index, text, done) for index, (text, done) in enumerate(drafts, 1))
            self._report(p.Streaming(self.snapshot(), prompt, shown))

        waiting = session.propose(prompt, again=again, on_progress=on_progress, due=self._due, cancelled=cancelled)
        self._rest()
        if waiting is None:
            self._report(p.Cancelled(self.snapshot(), prompt))
        else:
            self._report(p.Proposed(self.snapshot(), time.perf_counter() - started))

    def _teach(self, lesson: Callable[..., Outcome]) -> None:
        self._state("learning", "learning")
        self._report(p.Changed(self.snapshot()))
        self._reported = 0.0

        def progress(now: Any) -> None:
            if self._due():
                self._report(p.Learning(self.snapshot(), now.steps, now.limit, now.loss, now.p_before, now.p_now))

        outcome = lesson(progress=progress, should_stop=self._caller.should_abandon)
        self._last = outcome
        self._rest()
        self._report(p.Taught(self.snapshot(), outcome))

    def _take_back(self, command: p.TakeBack, cancelled: Callable[[], bool]) -> None:
        """Change which lessons count. Reports the lessons that are learned again for it; Cancel stops it."""
        from theta_tui.session.importing import Together, together

        session, words = self._session, doing(command.deed, command.number)
        store, batch = session.store, None
        self._state("learning", words)
        self._report(p.Changed(self.snapshot()))
        match command:
            case p.TakeBack("undo"):
                batch = together(store, store.to_undo())
                lesson = session.undo(self._stage, cancelled)
            case p.TakeBack("redo"):
                lesson = session.redo(self._stage, cancelled)
                batch = together(store, lesson) if lesson is not None else None
            case p.TakeBack(number=number):
                lesson = session.withdraw(number or 0, self._stage, cancelled)
        self._rest()
        if lesson is None:
            self._report(p.Notice(self.snapshot(), f"{words} was stopped; everything is as it was"))
            return
        self._last = None
        said, batch = lesson.exchange, batch or Together((lesson,))
        words = batch.words if batch.source is not None else ""
        elsewhere = lesson.conversation if lesson.conversation != store.state.open.number else None
        deed, number = command.deed, lesson.number
        self._report(p.TakenBack(self.snapshot(), deed, number, said.prompt, said.reply, words, elsewhere))

    def _report_conversations(self) -> None:
        from theta_tui.session import conversations

        rows = conversations.listed(self._session.store)[: p.CONVERSATIONS_SHOWN]
        self._report(p.Conversations(self.snapshot(), tuple(rows)))

    def _read_file(self, path: str) -> None:
        from theta_tui.session import importing

        session = self._session
        self._state(self._phase, f"reading {path}")
        self._report(p.Changed(self.snapshot()))
        found = self._found = importing.find(session.store, session.statements.dictionary, Path(path))
        self._rest()
        pairs = tuple((pair.prompt, pair.reply) for pair in found.pairs[: p.PAIRS_SHOWN])
        self._report(p.FileRead(self.snapshot(), found.source, len(found.pairs), pairs, found.notes, found.bad))

    def _teach_file(self, cancelled: Callable[[], bool]) -> None:
        from theta_tui.session import importing

        found, self._found = self._found, None
        if found is None or not found.pairs:
            return

        def on_lesson(at: int, of: int) -> None:
            self._stage(f"learning {at:,} of {of:,} of {found.source}")

        self._state("learning", f"learning {found.source}")
        self._report(p.Changed(self.snapshot()))
        done = importing.teach(self._session, found, on_lesson, cancelled)
        self._last = None
        self._rest()
        self._report(p.FileTaught(self.snapshot(), done.words, len(done.lessons)))

    def _configure(self, name: str, value: str) -> None:
        session = self._session
        changed = config.change(session.settings, name, value)
        name = name.strip().replace("-", "_")
        now = getattr(changed, name)
        config.persist(changed.home, name, now)
        session.settings = changed
        self._rest()
        words = ("on" if now else "off") if isinstance(now, bool) else now
        self._report(p.Notice(self.snapshot(), f"{name} is {words} now"))

    def _persona(self, text: str) -> None:
        from theta_tui.session import persona

        said = persona.carry_out(self._session, text)
        self._rest()
        self._report(p.Notice(self.snapshot(), said))

    def _export(self, kind: str, path: str, cancelled: Callable[[], bool]) -> None:
        """Export. Distilling lessons into shared weights takes a while; Cancel stops it."""
        from theta_tui.session.export import export

        self._state("saving", "exporting")
        self._report(p.Changed(self.snapshot()))
        done = export(self._session, kind, Path(path), self._stage, cancelled)
        self._rest()
        said = "exporting was stopped; nothing was written" if done is None else done.line
        self._report(p.Notice(self.snapshot(), said))

    def _save(self, *, asked: bool) -> None:
        session = self._session
        started = time.perf_counter()
        self._state("saving", "saving a checkpoint")
        self._report(p.Changed(self.snapshot()))
        try:
            path: Path = session.save()
        finally:
            self._rest()
        self._report(p.Saved(self.snapshot(), str(path), time.perf_counter() - started, asked))

    def _save_if_due(self) -> None:
        """Save if enough lessons or minutes have passed. After a failure, retry only after a new record."""
        session = self._session
        if self._caller.stopping or session.store.read_only is not None:
            return
        unsaved = session.unsaved
        lessons, minutes = session.settings.checkpoint_lessons, session.settings.checkpoint_minutes
        waited = time.time() - (session.saved_at or self._ready_at)
        if not unsaved or not ((lessons and unsaved >= lessons) or (minutes and waited >= 60 * minutes)):
            return
        if self._save_failed_at == session.store.journal.last_seq:
            return
        try:
            self._save(asked=False)
        except Exception as error:
            self._fail(error, "Save")
            self._save_failed_at = session.store.journal.last_seq

    # --- reports ---

    def _stage(self, words: str) -> None:
        self._activity = words
        if self._phase == "loading":
            self._report(p.Loading(self.snapshot()))
        elif self._due():
            self._report(p.Changed(self.snapshot()))

    def _state(self, phase: p.Phase, activity: str = "") -> None:
        self._phase = phase
        self._activity = activity

    def _rest(self) -> None:
        waiting = self._session.pending is not None
        self._state(*(("choosing", "waiting for you") if waiting else ("idle", "")))

    def _report(self, event: p.Event) -> None:
        self._reported = time.monotonic()
        self._post(event)

    def _due(self) -> bool:
        return time.monotonic() - self._reported >= PROGRESS_SECONDS

    def _pass_notices_on(self) -> None:
        for text in self._session.store.take_notices():
            self._report(p.Notice(self.snapshot(), text))

    def _fail(self, error: Exception, command: str, *, fatal: bool = False) -> None:
        """Report an error. An unexpected one is journalled too, unless the failed lesson has journalled it already."""
        if not fatal:
            self._rest()
        failed, store = failure(self.snapshot(), error, command, fatal=fatal), self._session.store
        if not isinstance(error, ThetaError) and store.read_only is None and command not in p.LESSONS:
            from theta_tui.store.records import Failure

            with contextlib.suppress(ThetaError):
                store.append(Failure(f"{command}: {failed.message}"))
        self._report(failed)

    def snapshot(self) -> p.Snapshot:
        """The present state."""
        from theta_tui.store import (
            meant,
            retention,  # the session has loaded it
        )

        session, state = self._session, self._session.store.state
        undone = state.undone
        last, model = state.last, session.model if session.loaded else None
        return p.Snapshot(
            phase=self._phase,
            activity=self._activity,
            model=session.settings.model,
            parameters=model.parameters if model else 0,
            device=model.device if model else "",
            recipe=session.settings.recipe,
            turns=tuple(state.turns[-p.TURNS_SHOWN :]),
            turns_total=len(state.turns),
            pending=session.pending,
            lessons=len(state.active),
            step=state.step,
            losses=state.losses(p.LOSSES_SHOWN),
            last=self._last or (last.outcome if last else None),
            saved_at=session.saved_at,
            unsaved=session.unsaved,
            read_only=session.store.read_only,
            undo=last.seq if last else 0,
            redo=undone.seq if undone else 0,
            beside=state.beside(p.BESIDE_SHOWN),
            offered=retention.offered(last) if last else None,
            marked=meant.numbers(session.pending, state),
            tally=self._tally(),
            alarm=session.review.alarm,
            persona=state.persona[: p.LESSON_TEXT] if state.persona is not None else None,
            conversation=state.open.number,
        )

    def _tally(self) -> Tally:
        """The summary of the retention report, computed when something changed, not with every token of a reply."""
        review = self._session.review
        key = (self._session.store.journal.last_seq, review.changes)
        if self._tallied is None or self._tallied[0] != key:
            self._tallied = key, review.tally()
        return self._tallied[1]


def _short_turn(turn: Turn) -> Turn:
    from msgspec import structs

    if max(len(turn.prompt), len(turn.reply)) <= p.TURN_TEXT:
        return turn
    return structs.replace(turn, prompt=turn.prompt[: p.TURN_TEXT], reply=turn.reply[: p.TURN_TEXT])


def _shortened(row: ReportRow) -> ReportRow:
    offered = row.offered[: p.LESSON_TEXT] if row.offered is not None else None
    return replace(row, prompt=row.prompt[: p.LESSON_TEXT], reply=row.reply[: p.LESSON_TEXT], offered=offered)
