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
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from theta_tui.base import config
from theta_tui.base.errors import Stoppable, Stopped, ThetaError, UsageError
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.session import replies
from theta_tui.session.errands import Errands
from theta_tui.session.idle import IdleRunner
from theta_tui.session.replies import PROGRESS_SECONDS, Drafts, Turn
from theta_tui.session.verbs import doing
from theta_tui.store.report import Tally

if TYPE_CHECKING:
    from theta_tui.session.session import Session
    from theta_tui.store.records import Outcome


T = TypeVar("T")

STOPPED = "stopped"
"""The name of the failure of a model that was not loaded because that was stopped."""

LATER = 4
"""While somebody waits, a checkpoint is put off until so many times as many lessons or minutes have passed. With the
built-in model it takes .3 to .5 s on two busy cores."""

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
        return p.Failed(shot, str(error), command, error.code, fatal, error.name, error.hint)
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
        self._errands = Errands(session, self, post)
        self._compare: int | None = None
        self._load_unwanted: Callable[[], bool] = lambda: False

    @property
    def has_work(self) -> bool:
        """Whether a quiz waits, or the last lesson was not compared yet: work that begins as soon as nobody waits."""
        return self._quiz is not None or self._compare is not None

    @property
    def seeded(self) -> bool:
        """Whether replies are to be the same again. A batch of another size may round otherwise."""
        return self._session.settings.seed is not None

    def load(self, unwanted: Callable[[], bool] = lambda: False) -> bool:
        """Load the model; return whether that succeeded. `unwanted` is asked while one is fetched or converted."""
        started, self._load_unwanted = time.perf_counter(), unwanted
        try:
            self._report(p.Loading(self.snapshot()))
            self._session.load(self.stage)
        except Stopped:
            if not self._caller.stopping:
                what = f"{self._session.settings.model} is not loaded, because that was stopped"
                stopped = ThetaError(f"{what}; the next start goes on with it", name=STOPPED)
                self._fail(stopped, "load", fatal=True)
            return False
        except Exception as error:
            self._fail(error, "load", fatal=True)
            return False
        self._ready_at = time.time()
        self._rest()
        self._report(p.Ready(self.snapshot(), time.perf_counter() - started))
        self._pass_notices_on()
        return True

    def serve(self, *turns: Turn) -> None:
        """Carry out a command, and report an error; or write the replies that several people want, in one batch."""
        if len(turns) == 1:
            self.act_for(turns[0], lambda: self._carry_out(turns[0]))
        else:
            replies.together(self._session, self, turns)
        for turn in turns:
            with turn.served(), self._session.store.speaking(turn.who):
                self._pass_notices_on()
                self._save_if_due()
        self._rest()
        self._idle.busy()

    def act_for(self, turn: Turn, act: Callable[[], T]) -> T | None:
        """Do something of a turn. An error is reported to who gave the command."""
        store = self._session.store
        with turn.served(), store.speaking(turn.who):
            try:
                if turn.who and type(turn.command).__name__ not in c.VISITORS:
                    raise UsageError(f"only the owner of this home can do that ({type(turn.command).__name__})")
                with store.using(turn.settings):
                    return act()
            except Exception as error:
                if not self._caller.stopping:  # or abandoned on the way out: the next start learns it
                    self._fail(error, type(turn.command).__name__)
        return None

    def use_idle_time(self) -> None:
        """Use idle time: compare what was said before the last lesson with what is said now; prepare the first replies,
        once; save if that is due; review lessons."""
        if self._compare is not None:
            self._compare_last(self._compare)
            return
        first, self._got_ready = not self._got_ready, True
        try:
            if first:
                self._session.get_ready()
                self._show_models("", asked=False)
        except Exception as error:
            self._fail(error, "idle")
        self._save_if_due()
        self._work_on()

    def _compare_last(self, lesson: int) -> None:
        """Ask what the model said before `lesson` and says now. A command that comes stops it, and it begins anew."""
        from theta_tui.session.comparing import compare

        self._compare, journal = None, self._session.store.journal
        known = journal.last_seq
        try:
            for _ in compare(self._session, lesson, self._caller.interrupted):
                if self._caller.interrupted():
                    self._compare = lesson if journal.last_seq == known else None
                    break
        except Exception as error:
            self._fail(error, "idle")
        if journal.last_seq != known:
            self._report(p.Reviewed(self.snapshot()))

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
                self._activity = f"checking lessons, {left} left"
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

    def _carry_out(self, turn: Turn) -> None:
        session, command, cancelled = self._session, turn.command, turn.cancelled
        if self._errands.run(command, cancelled):
            return
        match command:
            case c.Propose(prompt=prompt):
                replies.alone(session, self, turn, prompt)
            case c.Regenerate(prompt_id=prompt_id):
                replies.alone(session, self, turn, session.store.waiting(prompt_id).prompt, again=True)
            case c.Continue(prompt_id=prompt_id, index=index):
                from theta_tui.session.continuing import go_on

                said, activity = session.store.waiting(prompt_id).prompt, f"writing on at reply {index}"
                written = partial(self.show_drafts, said, activity=activity)
                self._state("proposing", activity)
                go_on(session, index, prompt_id=prompt_id, on_progress=written, due=self._due, cancelled=cancelled)
                self._rest()
                self._report(p.Continued(self.snapshot()))
            case c.Pick(prompt_id=prompt_id, index=index):
                self.teach(partial(session.pick, index, prompt_id=prompt_id), cancelled)
            case c.Correct(text=text, prompt_id=None, turn=at, prompt=asked):
                number = len(session.store.state.turns) if at is None else at
                self.teach(partial(session.correct_turn, number, text, prompt=asked), cancelled)
            case c.Correct(text=text, prompt_id=prompt_id, edited=edited):
                self.teach(partial(session.correct, text, prompt_id=prompt_id, edited=edited), cancelled)
            case c.TeachFact(prompt_id=prompt_id, prompt=prompt, reply=reply):
                said = session.store.waiting(prompt_id).prompt
                self.teach(partial(session.state, prompt, reply, said=said), cancelled)
            case c.TeachPair(prompt=prompt, reply=reply):
                self.teach(partial(session.teach, prompt, reply), cancelled)
            case c.PassOver(prompt_id=prompt_id):
                session.store.pass_over(prompt_id)
                self._changed()
            case c.TakeBack():
                self._take_back(command, cancelled)
            case c.NewConversation():
                session.store.begin_conversation()
                self._changed()
            case c.ShowModels(name=name):
                self._show_models(name)
            case c.SwitchModel(name=name, apart=apart):
                self._switch(name, apart, cancelled)
            case c.Save():
                self._save(asked=True)
            case c.Ask(prompt=prompt, with_context=with_context):
                self._state("proposing", "answering")
                answer = session.ask(prompt, with_context=with_context, cancelled=cancelled)
                self._rest()
                found = answer.reply, answer.logprob, answer.seconds, answer.cut
                self._report(p.Answered(self.snapshot(), prompt, *found))
            case c.Look():
                self._report(p.Ready(self.snapshot(), 0.0))
            case c.Quiz():
                self._quiz = session.review.quiz()
            case c.Review(seconds=seconds):
                session.review.ask_for(seconds)
                self._report(p.Reviewed(self.snapshot(), session.review.left))
            case c.AskLesson(number=number):
                self._state("proposing", "answering")
                answer = session.ask_lesson(number, cancelled=cancelled)
                self._rest()
                self._report(p.LessonAnswered(self.snapshot(), number, answer.shown))
            case c.Configure(name=name, value=value):
                self._configure(name, value)

    def show_drafts(self, prompt: str, drafts: Drafts, activity: str = "writing five replies") -> None:
        self._state("proposing", activity)
        shown = tuple(p.Draft(index, text, done) for index, (text, done) in enumerate(drafts, 1))
        self._report(p.Streaming(self.snapshot(), prompt, shown))

    def teach(self, lesson: Callable[..., Outcome], cancelled: Callable[[], bool]) -> None:
        """Teach. Cancel ends the lesson as far as it got, and idle time goes on with it."""
        self.begin("learning", "learning")
        self._reported = 0.0

        def progress(now: Any) -> None:
            if self._due():
                self._report(p.Learning(self.snapshot(), now.steps, now.limit, now.loss, now.p_before, now.p_now))

        def should_end() -> bool:
            return cancelled() and not self._caller.stopping  # on leaving, it is finished or left to the next start

        outcome = lesson(progress=progress, should_stop=self._caller.should_abandon, should_end=should_end)
        taught = self._session.store.state.numbered(outcome.lesson)
        if taught is not None:
            self._last, self._compare = outcome, outcome.lesson
        self._rest()
        self._report(p.Taught(self.snapshot(), outcome, self._session.store.who if taught is None else taught.who))

    def _take_back(self, command: c.TakeBack, cancelled: Callable[[], bool]) -> None:
        """Change which lessons count. Reports the lessons that are learned again for it; Cancel stops it."""
        from theta_tui.session.importing import Together, together

        session, words = self._session, doing(command.deed, command.number)
        store, batch = session.store, None
        self.begin("learning", words)
        match command:
            case c.TakeBack("undo"):
                batch = together(store, store.to_undo())
                lesson = session.undo(self.stage, cancelled)
            case c.TakeBack("redo"):
                lesson = session.redo(self.stage, cancelled)
                batch = together(store, lesson) if lesson is not None else None
            case c.TakeBack(number=number):
                lesson = session.withdraw(number or 0, self.stage, cancelled)
        self._rest()
        if lesson is None:
            self._report(p.Notice(self.snapshot(), f"{words} was stopped; everything is as it was"))
            return
        self._last = None
        said, batch = lesson.exchange, batch or Together((lesson,))
        words = batch.words if batch.source is not None else ""
        elsewhere = lesson.conversation if lesson.conversation != store.state.open.number else None
        deed, number = command.deed, lesson.number
        what = deed, number, said.prompt, said.reply, words, elsewhere, lesson.who
        self._report(p.TakenBack(self.snapshot(), *what))

    def _show_models(self, name: str, *, asked: bool = True) -> None:
        from theta_tui.session import switching

        session = self._session
        if not name:
            self._report(p.Models(self.snapshot(), switching.listed(p.MODELS_SHOWN), asked))
        elif name == session.settings.model:
            self._report(p.Notice(self.snapshot(), f"{name} is the model of this home"))
        else:
            row, apart = switching.described(name), switching.own_home(session.settings.home, name)
            lessons = len(session.store.state.active)
            self._report(p.ModelOffered(self.snapshot(), row, lessons, str(apart), apart.exists()))

    def _switch(self, name: str, apart: bool, cancelled: Callable[[], bool]) -> None:
        """Go over to another model; Cancel stops it, and the present one stays."""
        from theta_tui.session import switching

        self.begin("learning", f"going over to {name}")
        fresh = switching.switch(self._session, name, apart=apart, on_stage=self.stage, cancelled=cancelled)
        if fresh is None:
            self._rest()
            self._report(p.Notice(self.snapshot(), f"going over to {name} was stopped; everything is as it was"))
            return
        self._session, self._quiz, self._last, self._tallied = fresh, None, None, None
        self._errands = Errands(fresh, self, self._post)
        self._got_ready, self._ready_at = False, time.time()
        self._rest()
        words = switching.arrived(fresh, apart=apart)
        self._report(p.Switched(self.snapshot(), words, str(fresh.settings.home) if apart else ""))

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

    def _save(self, *, asked: bool) -> None:
        session = self._session
        started = time.perf_counter()
        self.begin("saving", "saving a checkpoint")
        try:
            path: Path = session.save()
        finally:
            self._rest()
        self._report(p.Saved(self.snapshot(), str(path), time.perf_counter() - started, asked))

    def _save_if_due(self) -> None:
        """Save if enough lessons or minutes have passed: LATER times as many while a command waits. After a failure,
        retry only after a new record."""
        session = self._session
        if self._caller.stopping or session.store.read_only is not None:
            return
        unsaved = session.unsaved
        times = LATER if self._caller.interrupted() else 1
        lessons, minutes = session.settings.checkpoint_lessons * times, session.settings.checkpoint_minutes * times
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

    def stage(self, words: str) -> None:
        self._activity = words
        if self._phase == "loading":
            stoppable = isinstance(words, Stoppable)
            if stoppable and self._load_unwanted():
                raise Stopped
            self._report(p.Loading(replace(self.snapshot(), stoppable=stoppable)))
        elif self._due():
            self._report(p.Changed(self.snapshot()))

    def begin(self, phase: p.Phase, activity: str) -> None:
        """An errand begins."""
        self._state(phase, activity)
        self._report(p.Changed(self.snapshot()))

    def end(self, event: Callable[[p.Snapshot], p.Event]) -> None:
        """An errand is done: report it."""
        self._last = None
        self.answer(event)

    def answer(self, event: Callable[[p.Snapshot], p.Event]) -> None:
        """Report what was asked for; nothing has changed."""
        self._rest()
        self._report(event(self.snapshot()))

    def _state(self, phase: p.Phase, activity: str = "") -> None:
        self._phase = phase
        self._activity = activity

    def _rest(self) -> None:
        waiting = self._session.pending is not None
        self._state(*(("choosing", "waiting for you") if waiting else ("idle", "")))

    def _changed(self) -> None:
        self._rest()
        self._report(p.Changed(self.snapshot()))

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
        if not isinstance(error, ThetaError) and store.read_only is None and command not in c.LESSONS:
            from theta_tui.store.records import Failure

            with contextlib.suppress(ThetaError):
                store.append(Failure(f"{command}: {failed.message}"))
        self._report(failed)

    def snapshot(self, who: str | None = None) -> p.Snapshot:
        """The present state, as the person `who` is shown it; None: the one who is served. What is done for one person
        keeps no other from going on."""
        from theta_tui.session.showing import snapshot  # the session has loaded what it needs

        store, phase, activity = self._session.store, self._phase, self._activity
        if who is None or who == store.who:
            return snapshot(self._session, phase, activity, self._last, self._tally())
        with store.speaking(who):
            if phase not in {"loading", "stopped"}:
                phase, activity = ("choosing", "waiting for you") if store.pending is not None else ("idle", "")
            return snapshot(self._session, phase, activity, self._last, self._tally())

    def _tally(self) -> Tally:
        """The summary of the retention report, computed when something changed, not with every token of a reply."""
        review = self._session.review
        key = (self._session.store.journal.last_seq, review.changes)
        if self._tallied is None or self._tallied[0] != key:
            self._tallied = key, review.tally()
        return self._tallied[1]
