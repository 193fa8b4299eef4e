"""One thread that owns a Teacher: commands in, events out. Imports neither torch nor textual.

The thread opens the home, shows what is already known (Loading), and only then loads the model. A command that fails
becomes a Failed event and the next one still works. What is reported while it works carries the whole state and is
batched by time, so a slow screen loses nothing and a fast model floods nobody.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.base import config
from theta_tui.base.errors import ThetaError
from theta_tui.session.idle import IdleRunner
from theta_tui.session.protocol import (
    LESSON_TEXT,
    LESSONS_SHOWN,
    LOSSES_SHOWN,
    TURNS_SHOWN,
    Answered,
    Ask,
    AskLesson,
    Cancel,
    Cancelled,
    Changed,
    Command,
    Configure,
    Correct,
    Draft,
    Event,
    Export,
    Failed,
    Learning,
    Ledger,
    LessonAnswered,
    Loading,
    NewConversation,
    Notice,
    PassOver,
    Phase,
    Pick,
    Propose,
    Proposed,
    Quiz,
    Quizzed,
    Ready,
    Redo,
    Redone,
    Regenerate,
    Reviewed,
    Save,
    Saved,
    ShowLessons,
    Snapshot,
    Streaming,
    Taught,
    TeachFact,
    Undo,
    Undone,
    WithdrawLesson,
    Withdrawn,
)
from theta_tui.store.standing import Standing, Tally

if TYPE_CHECKING:
    from theta_tui.base.config import Settings
    from theta_tui.session.session import Teacher
    from theta_tui.store.records import Outcome
    from theta_tui.store.state import Lesson

PROGRESS_SECONDS = 0.08
"""Between two reports of the same work."""
ABANDON_SECONDS = 2.0
"""How long a lesson may still run once leaving was asked for."""
IDLE_SECONDS = 1.0
"""Between two looks at the clock while nothing is to do."""
IDLE_AFTER = 2.0
"""How long after a command idle work begins: a person who is quicker than this is not kept waiting at all."""

LESSONS = frozenset({Pick.__name__, Correct.__name__, TeachFact.__name__})

log = logging.getLogger("theta")


@dataclass(frozen=True, slots=True)
class _Queued:
    number: int
    command: Command | None


class Worker:
    """Runs `open_teacher` and everything after it on a thread of its own. Safe to call from any thread."""

    def __init__(self, settings: Settings, open_teacher: Callable[[Settings], Teacher]) -> None:
        self._settings = settings
        self._open_teacher = open_teacher
        self._queue: queue.SimpleQueue[_Queued] = queue.SimpleQueue()
        self._numbers = 0
        self._cancelled_up_to = 0
        self._stopping_since: float | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._post: Callable[[Event], None] = lambda _: None
        self._teacher: Teacher | None = None
        self._phase: Phase = "loading"
        self._activity = ""
        self._last: Outcome | None = None
        self._reported = 0.0
        self._ready_at = 0.0
        self._save_failed_at: int | None = None
        self._idle = IdleRunner(IDLE_AFTER)
        self._quiz: Iterator[None] | None = None
        self._tallied: tuple[tuple[int, int], Tally] | None = None
        self._got_ready = False

    # --- called from outside ---

    def start(self, post: Callable[[Event], None]) -> None:
        """Start the thread; `post` is called from it."""
        self._post = post
        self._thread = threading.Thread(target=self._run, name="theta-worker", daemon=True)
        self._thread.start()

    def send(self, command: Command) -> None:
        """Queue a command. Cancel is served at once: it stops what was asked for before it."""
        if isinstance(command, Cancel):
            self._cancelled_up_to = self._numbers
            return
        self._numbers += 1
        self._queue.put(_Queued(self._numbers, command))

    def request_stop(self) -> None:
        """Finish or abandon what is under way, save, end."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
        self._queue.put(_Queued(0, None))

    def join(self, timeout: float) -> bool:
        """Whether the thread has ended within `timeout` seconds (True where it was never started)."""
        return self._thread is None or self._ended.wait(timeout)

    # --- the thread ---

    def _run(self) -> None:
        try:
            if self._open():
                self._serve()
        finally:
            self._close()
            self._phase = "stopped"
            self._ended.set()

    def _open(self) -> bool:
        started = time.perf_counter()
        try:
            self._state("loading", "opening the home")
            self._teacher = self._open_teacher(self._settings)
            self._report(Loading(self._snapshot()))
            self._teacher.load(self._stage)
        except Exception as error:
            self._fail(error, "load", fatal=True)
            return False
        self._ready_at = time.time()
        self._rest()
        self._report(Ready(self._snapshot(), time.perf_counter() - started))
        self._pass_notices_on()
        return True

    def _serve(self) -> None:
        while self._stopping_since is None:
            try:
                queued = self._queue.get(timeout=IDLE_SECONDS if self._quiz is None else 0)
            except queue.Empty:
                try:
                    self._get_ready()
                except Exception as error:
                    self._fail(error, "idle")
                self._save_if_due()
                self._use_idle_time()
                continue
            if queued.command is None or self._stopping_since is not None:
                break
            try:
                self._carry_out(queued)
            except Exception as error:
                if self._stopping_since is not None:
                    break  # abandoned on the way out: the next start learns it
                self._fail(error, type(queued.command).__name__)
            self._pass_notices_on()
            self._save_if_due()
            self._idle.busy()

    def _get_ready(self) -> None:
        """What the first replies would otherwise wait for: once, when nobody waits for anything."""
        teacher, first = self._teacher, not self._got_ready
        assert teacher is not None
        self._got_ready = True
        if first:
            teacher.get_ready()

    def _use_idle_time(self) -> None:
        """A quiz that was asked for, or what the teacher has to do; both make way for a command after any slice."""
        teacher, quiz = self._teacher, self._quiz
        assert teacher is not None
        if quiz is None and not (teacher.settings.idle and self._idle.wanted):
            return
        changes, finished = teacher.asker.changes, True
        try:
            if quiz is not None:
                finished = self._idle.run(quiz, self._has_something_to_do, self._slice_done)
            else:
                with contextlib.closing(teacher.idle()) as work:
                    finished = self._idle.run(work, self._has_something_to_do, self._slice_done)
        except Exception as error:
            self._fail(error, "idle")
        self._quiz = quiz if not finished else None
        self._rest()
        if quiz is not None and finished:
            self._report(Quizzed(self._snapshot()))
        elif teacher.asker.changes != changes:
            self._report(Reviewed(self._snapshot()))
        self._pass_notices_on()

    def _slice_done(self) -> None:
        teacher = self._teacher
        assert teacher is not None
        self._pass_notices_on()
        if self._due():
            asking = teacher.asker.left
            if asking:
                self._activity = f"asking again, {asking} left"
            self._report(Reviewed(self._snapshot(), asking))

    def _has_something_to_do(self) -> bool:
        return not self._queue.empty() or self._stopping_since is not None

    def _close(self) -> None:
        teacher = self._teacher
        if teacher is None:
            return
        try:
            if self._phase != "loading" and teacher.unsaved and teacher.record.read_only is None:
                self._state("saving", "saving")
                teacher.save()
        except Exception:
            log.exception("the checkpoint on leaving failed; the journal has every lesson")
        finally:
            teacher.close()

    def _carry_out(self, queued: _Queued) -> None:
        teacher = self._teacher
        assert teacher is not None
        match queued.command:
            case Propose(prompt=prompt):
                self._propose(queued.number, prompt, again=False)
            case Regenerate(prompt_id=prompt_id):
                self._propose(queued.number, teacher.record.waiting(prompt_id).prompt, again=True)
            case Pick(prompt_id=prompt_id, index=index):
                self._teach(lambda hooks: teacher.pick(index, prompt_id=prompt_id, **hooks))
            case Correct(text=text, prompt_id=None):
                self._teach(lambda hooks: teacher.correct_last(text, **hooks))
            case Correct(text=text, prompt_id=prompt_id, edited=edited):
                self._teach(lambda hooks: teacher.correct(text, prompt_id=prompt_id, edited=edited, **hooks))
            case TeachFact(prompt_id=prompt_id, prompt=prompt, reply=reply):
                said = teacher.record.waiting(prompt_id).prompt
                self._teach(lambda hooks: teacher.state(prompt, reply, said=said, **hooks))
            case PassOver(prompt_id=prompt_id):
                teacher.pass_over(prompt_id)
                self._rest()
                self._report(Changed(self._snapshot()))
            case Undo():
                self._take_back(
                    queued.number,
                    "undoing",
                    teacher.undo,
                    lambda shot, lesson: Undone(shot, lesson.exchange.prompt, lesson.exchange.reply),
                )
            case Redo():
                self._take_back(
                    queued.number,
                    "bringing back",
                    teacher.redo,
                    lambda shot, lesson: Redone(shot, lesson.exchange.prompt, lesson.exchange.reply),
                )
            case WithdrawLesson(number=number):
                self._take_back(
                    queued.number,
                    f"withdrawing {number}",
                    partial(teacher.withdraw, number),
                    lambda shot, lesson: Withdrawn(shot, number, lesson.exchange.prompt, lesson.exchange.reply),
                )
            case NewConversation():
                teacher.record.begin_conversation()
                self._rest()
                self._report(Changed(self._snapshot()))
            case Save():
                self._save(asked=True)
            case Ask(prompt=prompt):
                self._state("proposing", "answering")
                answer = teacher.ask(prompt, cancelled=lambda: self._is_cancelled(queued.number))
                self._rest()
                self._report(Answered(self._snapshot(), prompt, answer.reply))
            case Export(kind=kind, path=path):
                self._export(queued.number, kind, path)
            case ShowLessons():
                rows = teacher.asker.standings(LESSONS_SHOWN)
                self._report(Ledger(self._snapshot(), tuple(map(_shortened, rows))))
            case Quiz():
                self._quiz = teacher.asker.quiz()
            case AskLesson(number=number):
                self._state("proposing", "answering")
                answer = teacher.ask_lesson(number, cancelled=lambda: self._is_cancelled(queued.number))
                self._rest()
                self._report(LessonAnswered(self._snapshot(), number, answer.reply))
            case Configure(name=name, value=value):
                self._configure(name, value)

    def _propose(self, number: int, prompt: str, *, again: bool) -> None:
        teacher = self._teacher
        assert teacher is not None
        started = time.perf_counter()
        self._state("proposing", "writing five replies")
        blank = tuple(Draft(index, "") for index in range(1, 6))
        self._report(Streaming(prompt, blank, self._snapshot()))
        self._reported = 0.0

        def on_progress(drafts: tuple[tuple[str, bool], ...]) -> None:
            shown = tuple(Draft(index, text, done) for index, (text, done) in enumerate(drafts, 1))
            self._report(Streaming(prompt, shown, self._snapshot()))

        waiting = teacher.propose(
            prompt, again=again, on_progress=on_progress, due=self._due, cancelled=lambda: self._is_cancelled(number)
        )
        self._rest()
        if waiting is None:
            self._report(Cancelled(self._snapshot(), prompt))
        else:
            self._report(Proposed(self._snapshot(), time.perf_counter() - started))

    def _teach(self, lesson: Callable[[dict[str, Any]], Outcome]) -> None:
        self._state("learning", "learning")
        self._report(Changed(self._snapshot()))
        self._reported = 0.0

        def progress(now: Any) -> None:
            if self._due():
                self._report(Learning(self._snapshot(), now.steps, now.limit, now.loss, now.p_before, now.p_now))

        outcome = lesson({"progress": progress, "should_stop": self._should_abandon})
        self._last = outcome
        self._rest()
        self._report(Taught(self._snapshot(), outcome))

    def _take_back(
        self,
        number: int,
        words: str,
        change: Callable[[Callable[[str], None], Callable[[], bool]], Lesson | None],
        done: Callable[[Snapshot, Lesson], Event],
    ) -> None:
        """Change what was taught; lessons that must be learned again for it are told, and Cancel stops it."""
        self._state("learning", words)
        self._report(Changed(self._snapshot()))
        lesson = change(self._stage, lambda: self._is_cancelled(number))
        self._rest()
        if lesson is None:
            self._report(Notice(self._snapshot(), f"{words} was stopped; everything is as it was"))
        else:
            self._last = None
            self._report(done(self._snapshot(), lesson))

    def _configure(self, name: str, value: str) -> None:
        teacher = self._teacher
        assert teacher is not None
        changed = config.change(teacher.settings, name, value)
        name = name.strip().replace("-", "_")
        now = getattr(changed, name)
        config.persist(changed.home, name, now)
        teacher.settings = changed
        self._rest()
        words = ("on" if now else "off") if isinstance(now, bool) else now
        self._report(Notice(self._snapshot(), f"{name} is {words} now"))

    def _export(self, number: int, kind: str, path: str) -> None:
        """Lessons with weights of their own take a while to put into plain ones; Cancel stops it."""
        teacher = self._teacher
        assert teacher is not None
        self._state("saving", "exporting")
        self._report(Changed(self._snapshot()))
        done = teacher.export(kind, Path(path), self._stage, lambda: self._is_cancelled(number))
        self._rest()
        self._report(
            Notice(self._snapshot(), "exporting was stopped; nothing was written" if done is None else done.line)
        )

    def _save(self, *, asked: bool) -> None:
        teacher = self._teacher
        assert teacher is not None
        started = time.perf_counter()
        self._state("saving", "saving a checkpoint")
        self._report(Changed(self._snapshot()))
        try:
            path: Path = teacher.save()
        finally:
            self._rest()
        self._report(Saved(self._snapshot(), str(path), time.perf_counter() - started, asked))

    def _save_if_due(self) -> None:
        """A checkpoint every so many lessons and minutes, when something changed; a failure waits for the next."""
        teacher = self._teacher
        if teacher is None or self._stopping_since is not None or teacher.record.read_only is not None:
            return
        unsaved = teacher.unsaved
        lessons, minutes = teacher.settings.checkpoint_lessons, teacher.settings.checkpoint_minutes
        waited = time.time() - (teacher.saved_at or self._ready_at)
        if not unsaved or not ((lessons and unsaved >= lessons) or (minutes and waited >= 60 * minutes)):
            return
        if self._save_failed_at == teacher.record.journal.last_seq:
            return
        try:
            self._save(asked=False)
        except Exception as error:
            self._fail(error, "Save")
            self._save_failed_at = teacher.record.journal.last_seq

    # --- telling ---

    def _stage(self, words: str) -> None:
        self._activity = words
        if self._phase == "loading":
            self._report(Loading(self._snapshot()))
        elif self._due():
            self._report(Changed(self._snapshot()))

    def _state(self, phase: Phase, activity: str = "") -> None:
        self._phase = phase
        self._activity = activity

    def _rest(self) -> None:
        waiting = self._teacher is not None and self._teacher.pending is not None
        self._state(*(("choosing", "waiting for you") if waiting else ("idle", "")))

    def _report(self, event: Event) -> None:
        self._reported = time.monotonic()
        self._post(event)

    def _due(self) -> bool:
        return time.monotonic() - self._reported >= PROGRESS_SECONDS

    def _pass_notices_on(self) -> None:
        if self._teacher is not None:
            for text in self._teacher.record.take_notices():
                self._report(Notice(self._snapshot(), text))

    def _fail(self, error: Exception, command: str, *, fatal: bool = False) -> None:
        if isinstance(error, ThetaError):
            message, code = str(error), error.code
        else:
            log.exception("%s failed", command, exc_info=error)
            message, code = f"{type(error).__name__}: {error}", 1
            self._journal_failure(f"{command}: {message}", command)
        if not fatal:
            self._rest()
        self._report(Failed(self._snapshot(), message, command, code, fatal))

    def _journal_failure(self, message: str, command: str) -> None:
        """What should not have happened stands in the journal too; of a lesson the teacher wrote it there."""
        teacher = self._teacher
        if teacher is not None and teacher.record.read_only is None and command not in LESSONS:
            from theta_tui.store.records import Failure

            with contextlib.suppress(ThetaError):
                teacher.record.append(Failure(message))

    def _is_cancelled(self, number: int) -> bool:
        return number <= self._cancelled_up_to or self._stopping_since is not None

    def _should_abandon(self) -> bool:
        since = self._stopping_since
        return since is not None and time.monotonic() - since > ABANDON_SECONDS

    def _snapshot(self) -> Snapshot:
        teacher = self._teacher
        state = Snapshot(phase=self._phase, activity=self._activity, model=self._settings.model)
        if teacher is None:
            return state
        from theta_tui.store import meant
        from theta_tui.store import retention as ledger  # the teacher has loaded it

        story = teacher.record.story
        last = story.last
        state = replace(
            state,
            model=teacher.settings.model,
            recipe=teacher.settings.recipe,
            turns=tuple(story.turns[-TURNS_SHOWN:]),
            turns_total=len(story.turns),
            pending=teacher.pending,
            lessons=len(story.live),
            step=story.step,
            losses=story.losses(LOSSES_SHOWN),
            last=self._last or (last.outcome if last else None),
            saved_at=teacher.saved_at,
            unsaved=teacher.unsaved,
            read_only=teacher.record.read_only,
            redo=story.undone is not None,
            offered=ledger.offered(last) if last else None,
            marked=meant.number(teacher.pending, story),
            tally=self._tally(teacher),
            alarm=teacher.asker.alarm,
        )
        if not teacher.loaded:
            return state
        return replace(state, parameters=teacher.model.parameters, device=teacher.model.device)

    def _tally(self, teacher: Teacher) -> Tally:
        """How many lessons hold: counted when something changed, not with every token of a reply."""
        key = (teacher.record.journal.last_seq, teacher.asker.changes)
        if self._tallied is None or self._tallied[0] != key:
            self._tallied = key, teacher.asker.tally()
        return self._tallied[1]


def _shortened(row: Standing) -> Standing:
    offered = row.offered[:LESSON_TEXT] if row.offered is not None else None
    return replace(row, prompt=row.prompt[:LESSON_TEXT], reply=row.reply[:LESSON_TEXT], offered=offered)
