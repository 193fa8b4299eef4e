"""The session: propose, teach, undo, withdraw, ask. Joins the store and the model. No threads, no screen, no Textual.

Every exchange is on disk before the weights change, and its outcome before the lesson is acknowledged. `replay` has
what happens at a start and when lessons are taken back.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from theta_tui import __version__
from theta_tui.base.config import Settings
from theta_tui.base.errors import PromptError, TeachError, ThetaError
from theta_tui.base.gc import gc_paused
from theta_tui.base.preload import frames_by_name, preload_torch
from theta_tui.base.text import is_blank, plural, repair, shortened
from theta_tui.facts.paraphrases import variants
from theta_tui.learning.recipes import RECIPES, Recipe
from theta_tui.learning.scope.decision import Decision
from theta_tui.session import care, persona
from theta_tui.session.commands import Deed
from theta_tui.session.permission import proposed
from theta_tui.session.proposing import Answer, Statements, candidates, still_marked
from theta_tui.session.relearn import must_relearn, rebuilt, relearn
from theta_tui.session.replay import Replay, Stage, belongs, newer_built_in
from theta_tui.session.replay import never as _never
from theta_tui.session.review import Review
from theta_tui.session.scopes import LessonScopes, reached
from theta_tui.session.teaching import learn
from theta_tui.session.teaching import outcome as outcome_of
from theta_tui.session.unfinished import finish
from theta_tui.session.verbs import doing
from theta_tui.store.history import NOTHING, History
from theta_tui.store.journal import Entry
from theta_tui.store.pending import new_prompt_id
from theta_tui.store.records import (
    Begin,
    Exchange,
    Failure,
    Finding,
    Kind,
    Learned,
    Outcome,
    Pending,
    Restore,
    Withdraw,
)
from theta_tui.store.report import ReportRow
from theta_tui.store.state import Lesson
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from theta_tui.learning.learner import Learner, Result
    from theta_tui.model.generate import Written
    from theta_tui.model.language_model import LanguageModel
    from theta_tui.model.modules import LessonModule


FIVES_KEPT = 20
"""Fives of one prompt that can be picked from, besides the newest."""


class Session:
    """One home and one model. Make it, `load` the model, use it, `close` it; all from one thread."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.replay = Replay(store)
        self.own_recipe: Recipe | None = None
        """Overrides the recipe of the settings: for a recipe that has no name."""
        self.review = Review(store, self._recall)
        self.statements = Statements(store)
        self.scopes = LessonScopes(store)
        self.care = care.Care()

    @property
    def settings(self) -> Settings:
        return self.store.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.store.settings = settings

    @property
    def loaded(self) -> bool:
        return self.replay.loaded

    @property
    def model(self) -> LanguageModel:
        return self.replay.model

    @property
    def learner(self) -> Learner:
        return self.replay.learner

    @property
    def recipe(self) -> Recipe:
        """The recipe of the next lessons."""
        return self.own_recipe or RECIPES[self.settings.recipe]

    @property
    def pending(self) -> Pending | None:
        return self.store.pending

    @property
    def saved_at(self) -> float | None:
        """Unix time of the newest checkpoint that fits what is learned now."""
        return self.replay.saved_at

    @property
    def unsaved(self) -> int:
        """Lessons since the newest checkpoint."""
        return len(self.store.state.active_after(self.replay.saved_position))

    # --- loading ---

    def load(self, on_stage: Stage = lambda _: None) -> Path | None:
        """Load the model of this home and replay its lessons. Returns the checkpoint from which that started. Raises
        ModelError (exit 4)."""
        on_stage("loading PyTorch")
        preload_torch()
        with gc_paused(), frames_by_name():
            from theta_tui.learning import checkpoint, learner  # noqa: F401
        from theta_tui.model.files import fingerprint, full_name

        found = fingerprint(self.settings.model)
        belongs(self.store, found)
        newest = next(self.replay.usable_checkpoints(self.store.state), None)
        newer = newer_built_in(self.store, found)
        if newer or must_relearn(self.store, newest.position if newest else 0):
            self._relearn(found, on_stage, newer=newer)
            return None
        path = self.replay.load(on_stage, self._learned_again)
        if self.store.state.begin is None and self.store.read_only is None:
            self.store.append(Begin(full_name(self.settings.model), found, __version__, self.model.lora_rank))
            persona.begin_with(self)
        return path

    def _relearn(self, found: str, on_stage: Stage, *, newer: bool) -> None:
        """Learn all lessons in today's way, because the built-in model is a `newer` one, or an earlier version used a
        way that is gone. In a read-only home the result lasts until it is closed."""
        store = self.store
        self.replay.open(None, on_stage)
        cut_short = [lesson.exchange for lesson in store.state.active if lesson.outcome is None]
        outcomes = relearn(
            store,
            self.learner,
            self.recipe,
            lambda at, of: on_stage(f"learning the lessons of an earlier version, {at} of {of}"),
        )
        if outcomes:
            own = ": a lesson has weights and a scope of its own now" if self.recipe.method == "module" else ""
            why = ": its built-in model is a newer one" if newer else own
            store.notices.append(f"this version learned {plural(len(outcomes), 'lesson')} of an earlier one again{why}")
        if store.read_only is not None:
            return
        assert store.state.begin is not None
        store.append(rebuilt(self.model, store.state.begin.model, found, self.recipe, outcomes))
        for exchange in cut_short:
            self.consumed(exchange)
        store.write_context()

    def get_ready(self) -> None:
        """Prepare what the first replies would otherwise wait for: some hundredths of a second."""
        self.model.decoder  # noqa: B018  # built, and checked, at its first use
        self.decide("")

    def _learned_again(self, lesson: Lesson, result: Result) -> None:
        """A lesson that a crash cut short was learned: journal its outcome."""
        if lesson.outcome is None and self.store.read_only is None:
            learned = outcome_of(self.learner, self.store.state, lesson, result, 0.0)
            self.store.append(Learned(lesson.seq, learned, self.model.machine()))
            self.consumed(lesson.exchange)
            self.store.write_context()
            self.store.notices.append(
                f"a lesson that was interrupted is learned now: '{shortened(lesson.exchange.prompt)}'"
            )

    def consumed(self, exchange: Exchange) -> None:
        """Forget a kept prompt that was answered but left behind by a crash."""
        with self.store.speaking(exchange.who):
            if self.pending is not None and exchange.prompt_id in {five.prompt_id for five in self.pending.fives}:
                self.store.follow(None)
            self.offered_no_more(exchange)

    def offered_no_more(self, exchange: Exchange) -> None:
        """Remove a learned statement from the prompt that waits. The five replies still wait."""
        waiting = self.pending
        if waiting is not None and waiting.statement is not None and exchange.said == waiting.prompt:
            self.store.follow(replace(waiting, statement=None))

    # --- scope ---

    def decide(self, prompt: str, before: str | None = None) -> Decision:
        """Which lesson with weights of its own answers `prompt` after the prompt `before`, if any."""
        return self.scopes.decide(prompt, self.learner.modules.keys(), before)

    def module_for(self, prompt: str, before: str | None = None) -> LessonModule | None:
        """The module with which the reply to `prompt` is generated; None: the shared weights alone."""
        return self._module(self.decide(prompt, before))

    def _module(self, decision: Decision) -> LessonModule | None:
        return self.learner.modules[decision.lesson] if decision.sure and decision.lesson is not None else None

    # --- proposing ---

    def propose(self, prompt: str, **how: Any) -> Pending | None:
        """As `proposing`, which has the arguments, for nobody else at the same time."""
        from theta_tui.model.generate import alone

        return alone(self.model, self.proposing(prompt, **how))

    def proposing(self, prompt: str, *, again: bool = False, **hooks: Any) -> Written[Pending | None]:
        """Five distinct replies to `prompt`, kept as the pending prompt. None: cancelled, and nothing changed.
        `hooks` are those of `candidates`. Whoever drives it writes the tasks that it yields.

        `again`: other replies than the ones that wait, which can still be picked from. Raises TeachError for a blank
        prompt.
        """
        prompt = self._clean(prompt, "prompt")
        dialogue, waits, seed = self.store.state.history, self.pending if again else None, self.settings.seed
        ids = self._encoded(dialogue, prompt, "prompt")
        fives = waits.fives[-FIVES_KEPT:] if waits else ()
        avoid = [candidate.text for five in fives for candidate in five.candidates]
        decision = self.decide(prompt, dialogue.asked)
        decision, caring = self.care.decide(prompt, dialogue, decision, self.store.state, self.model)
        found = yield from candidates(
            self.model, ids, self.settings, decision, self.learner.modules, care=caring,
            seed=None if seed is None else hash((seed, self.store.journal.last_seq, len(avoid))) % 2**63,
            avoid=avoid, **hooks,
        )  # fmt: skip
        if found is None:
            return None
        statement = waits.statement if waits else self.statements.read(prompt) if caring is None else None
        waiting = Pending(new_prompt_id(), prompt, found, statement, fives)
        self.store.offer(waiting)
        return waiting

    def ask(
        self,
        prompt: str,
        *,
        with_context: bool = True,
        before: str | None = None,
        cancelled: Callable[[], bool] = _never,
    ) -> Answer:
        """The greedy reply; changes nothing. `before` replaces the previous prompt when the lesson is chosen."""
        from theta_tui.model.generate import greedy

        started = time.perf_counter()
        prompt = self._clean(prompt, "question")
        turns: History = self.store.state.history if with_context else NOTHING
        ids = self._encoded(turns, prompt, "question")
        decision = self.decide(prompt, turns.asked if before is None else before)
        decision, caring = self.care.decide(prompt, turns, decision, self.store.state, self.model)
        module, most = self._module(decision), self.settings.max_tokens
        if caring is not None and module is None:
            reply = care.answer(self.model, ids, caring, cancelled)
        else:
            reply = greedy(self.model, ids, max_tokens=most, module=module, cancelled=cancelled)
        return Answer(prompt, reply.text, reply.logprob, time.perf_counter() - started, cut=not reply.ended)

    def _encoded(self, turns: History, prompt: str, what: str) -> list[int]:
        """The conversation as tokens, with room for a reply. A cut is reported."""
        settings = self.settings
        encoded = self.model.encode_prompt(
            turns, prompt, room=settings.max_tokens, limit=settings.window, at=time.time()
        )
        if encoded.cut_prompt:
            self.store.notices.append(f"the {what} is longer than the model can take in; it sees only part of it")
        return encoded.ids

    # --- teaching ---

    def pick(self, index: int, *, prompt_id: str | None = None, **hooks: Any) -> Outcome:
        """Teach candidate `index` (1 to 5) of the kept prompt. Hooks: `progress`, `should_stop`, `should_end`."""
        waiting = self.store.waiting(prompt_id)
        if not 1 <= index <= len(waiting.candidates):
            raise TeachError(f"there is no reply {index}; pick 1 to {len(waiting.candidates)}", name="usage", code=2)
        chosen = waiting.candidates[index - 1]
        exchange = self._exchange("pick", waiting.prompt, chosen.text, waiting, pick=index, cut=not chosen.ended)
        return self.learn(exchange, **hooks)

    def correct(self, text: str, *, prompt_id: str | None = None, edited: int | None = None, **hooks: Any) -> Outcome:
        """Teach `text` as the reply to the kept prompt; `edited` is the candidate that it began as."""
        waiting = self.store.waiting(prompt_id)
        text = self._clean(text, "reply")
        return self.learn(self._exchange("correction", waiting.prompt, text, waiting, edited=edited), **hooks)

    def correct_last(self, text: str, **hooks: Any) -> Outcome:
        """Teach `text` as a better reply to the last turn, which it replaces."""
        return self.correct_turn(len(self.store.state.turns), text, **hooks)

    def correct_turn(self, number: int, text: str, *, prompt: str | None = None, **hooks: Any) -> Outcome:
        """Teach `text` as a better reply to turn `number` of the open conversation, whose place it takes. Raises
        PromptError (exit 3) if there is no such turn, or if its prompt is not `prompt`."""
        turn, place = self.store.turn(number, prompt)
        exchange = self._exchange("correction", turn.prompt, self._clean(text, "reply"), None)
        return self.learn(replace(exchange, replaces=turn.seq, turn=place), **hooks)

    def teach(self, prompt: str, reply: str, *, fields: Mapping[str, Any] | None = None, **hooks: Any) -> Outcome:
        """Teach `reply` to `prompt` outside of any conversation. `fields` of its record say more, for instance of which
        import it is."""
        exchange = self._exchange("correction", self._clean(prompt, "prompt"), self._clean(reply, "reply"), None)
        return self.learn(replace(exchange, conversation=False, conversation_id=None, **(fields or {})), **hooks)

    def state(
        self, prompt: str, reply: str, *, said: str, fields: Mapping[str, Any] | None = None, **hooks: Any
    ) -> Outcome:
        """Teach the fact that the message `said` states. The conversation and the waiting replies stay. `fields` as in
        `teach`."""
        exchange = self._exchange("statement", self._clean(prompt, "prompt"), self._clean(reply, "reply"), None)
        exchange = replace(exchange, conversation=False, said=said, **(fields or {}))
        outcome = self.learn(exchange, **hooks)
        if outcome.skipped is None:
            self.offered_no_more(exchange)
        return outcome

    # --- taking back ---

    def undo(self, on_stage: Stage = lambda _: None, cancelled: Callable[[], bool] = _never) -> Lesson | None:
        """Take back one's own last lesson, with its batch: weights, moments and step count bit-equal to never having
        taught it. The prompt that it answered waits again. None: cancelled, and nothing changed."""
        last = self.store.to_undo()
        return self._change("undo", Withdraw(self.store.state.together(last), self.store.who), on_stage, cancelled)

    def withdraw(
        self, number: int, on_stage: Stage = lambda _: None, cancelled: Callable[[], bool] = _never
    ) -> Lesson | None:
        """Take out lesson `number`, as if it had never been taught. The lessons since are learned again.

        None: cancelled, and nothing changed. Raises PromptError if there is no such lesson.
        """
        change = Withdraw(self.store.to_withdraw(number).seq, self.store.who)
        return self._change("withdraw", change, on_stage, cancelled, number)

    def redo(self, on_stage: Stage = lambda _: None, cancelled: Callable[[], bool] = _never) -> Lesson | None:
        """Bring back the lesson that was taken back last, bit-equal to before. None: cancelled, and nothing changed."""
        return self._change("redo", self.store.to_restore(), on_stage, cancelled)

    def _change(
        self,
        deed: Deed,
        change: Withdraw | Restore,
        on_stage: Stage,
        cancelled: Callable[[], bool],
        number: int | None = None,
    ) -> Lesson | None:
        from theta_tui.learning.learner import Abandoned

        def on_lesson(at: int, of: int) -> None:
            on_stage(f"{doing(deed, number)}: learning again {at} of {of}")

        self.review.settle()
        try:
            self.replay.change(change, on_lesson, cancelled)
        except Abandoned:
            return None
        self.review.moved()
        lesson = self.store.state.taught_by(change.of)[-1]
        return self.store.restored(lesson) if deed == "redo" else self.store.withdrawn(lesson, offer=deed == "undo")

    # --- one lesson ---

    def learn(self, exchange: Exchange, **hooks: Any) -> Outcome:
        """Journal, learn, journal the outcome. An error leaves the model as it was and is journalled."""
        # Refuse what does not fit the window before anything is written.
        self.model.encode_lesson((), exchange.prompt, exchange.reply, at=time.time())
        if (waits := proposed(self.store, exchange)) is not None:
            self.offered_no_more(exchange)
            return waits
        self.review.settle()
        before = self.learner.snapshot()
        entry = self.store.append(exchange)
        lesson = self.store.state.lesson(entry.seq)
        started = time.perf_counter()
        try:
            answered = self.decide(exchange.prompt, lesson.context.asked)
            result = learn(self.learner, self.store.state, lesson, self.recipe, **hooks)
        except Exception as error:
            self._failed(entry, error)
            raise
        outcome = outcome_of(self.learner, self.store.state, lesson, result, time.perf_counter() - started)
        try:
            self.store.append(Learned(entry.seq, outcome, self.model.machine()))
        except Exception:  # an error of the disk, or no memory: the lesson is not on disk, so it was not learned
            self.learner.restore(before)
            if self.store.read_only is None:
                self.store.roll_back(entry)
            raise
        self.replay.memory.taught()
        self.replay.memory.remember(entry.seq, before)
        if exchange.prompt_id is not None:
            self.store.follow(None)
        self.store.write_context()
        self.review.moved()
        self.store.notices.extend(self.scopes.changes(lesson, answered, self.learner.modules.keys()))
        return outcome

    def _failed(self, entry: Entry, error: Exception) -> None:
        """Handle an error in a lesson. It counts as never begun, unless it was abandoned on leaving: then it is
        learned at the next start."""
        from theta_tui.learning.learner import Abandoned

        if isinstance(error, Abandoned):
            return
        try:
            self.store.append(Failure(f"{type(error).__name__}: {error}", entry.seq))
        except Exception:
            if self.store.read_only is None:
                self.store.roll_back(entry)

    # --- reviews ---

    def idle(self, interrupted: Callable[[], bool] = _never) -> Generator[None]:
        """Idle work in slices of some ten milliseconds; yields after each.

        The caller may stop after any slice, and must close the iterator before it does anything else. It may be
        started anew at any time, and ends at once if there is nothing to do. Learning a lesson further is one slice,
        which ends within a step if `interrupted`.
        """
        settings, turns = self.settings, self.store.goes_on  # the next prompt begins with the conversation
        yield from self.model.read_ahead(turns, room=settings.max_tokens, limit=settings.window, at=time.time())
        yield from finish(self, interrupted)
        yield from self.review.slices()

    def quiz(self, on_lesson: Callable[[int], None] = lambda _: None) -> list[ReportRow]:
        """Review every live lesson, journal the results, and return the report rows of all lessons ever taught.

        `on_lesson` gets the number of lessons left.
        """
        for _ in self.review.quiz():
            on_lesson(self.review.left)
        return self.review.rows()

    def ask_lesson(self, number: int, *, cancelled: Callable[[], bool] = _never) -> Answer:
        """The greedy reply to the prompt of lesson `number`, asked alone; changes nothing."""
        lesson = self.store.state.numbered(number)
        if lesson is None:
            raise PromptError(f"there is no lesson {number}", name="no_lesson")
        before = lesson.context.asked
        return self.ask(lesson.exchange.prompt, with_context=False, before=before, cancelled=cancelled)

    def _recall(self, lesson: Lesson) -> Finding:
        """Review one lesson, asked alone; one forward pass. P(reply) is multiplied by the share of its wordings that
        still get an answer of the same words, so a lesson fades when another one takes over its wordings. A pair that
        does not fit this model counts as not said."""
        from theta_tui.learning import recall

        try:
            said = lesson.exchange
            module, ended = self.module_for(said.prompt, lesson.context.asked), not said.cut
            found = recall.score(self.model, (), said.prompt, said.reply, at=lesson.at, module=module, ended=ended)
        except TeachError:
            return Finding(lesson.seq, 0.0, False)
        return Finding(lesson.seq, found.p * reached(self.store.state, lesson, self.decide), found.says)

    # --- saving ---

    def save(self) -> Path:
        """Write a checkpoint of what is learned so far."""
        return self.replay.save()

    def close(self) -> None:
        with contextlib.suppress(ThetaError):  # a lost result is found again
            self.review.settle()
        self.store.close()

    # --- small things ---

    def _clean(self, text: str, what: str) -> str:
        text, notices = repair(text.strip())
        self.store.notices.extend(notices)
        if is_blank(text):
            raise TeachError(f"the {what} is empty; nothing was learned", name="blank", code=2)
        return text

    def _exchange(self, kind: Kind, prompt: str, reply: str, waiting: Pending | None, **more: Any) -> Exchange:
        return Exchange(
            kind=kind,
            prompt=prompt,
            reply=reply,
            candidates=still_marked(waiting.candidates, self.learner.modules) if waiting else (),
            recipe=self.recipe.as_dict(),
            prompt_id=waiting.prompt_id if waiting else None,
            conversation_id=self.store.conversation_id,
            variants=variants(prompt, self.statements.dictionary)[: self.recipe.variants],
            who=self.store.who,
            **more,
        )
