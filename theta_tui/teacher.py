"""The session: propose, teach, undo, ask. Joins the record and the model. No threads, no screen, no Textual.

    weights = fold(learn, foundation, lessons)

Every exchange is on disk before the model moves, and its outcome before the lesson is acknowledged. Coming back is
the newest valid checkpoint and the lessons after it, each with the number of steps that it took the first time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from theta_tui import __version__
from theta_tui.config import Settings, statement_files
from theta_tui.errors import HomeError, ModelError, PromptError, TeachError, ThetaError
from theta_tui.lessons.journal import Entry
from theta_tui.lessons.pending import new_prompt_id
from theta_tui.lessons.records import (
    CANDIDATES,
    Begin,
    Candidate,
    Exchange,
    Failure,
    Kind,
    Learned,
    Outcome,
    Pending,
    Stated,
    Withdraw,
)
from theta_tui.lessons.statements import Dictionary, load_dictionary, read
from theta_tui.lessons.story import Dialogue, Lesson
from theta_tui.mind.recipes import RECIPES, Recipe
from theta_tui.record import HomeRecord
from theta_tui.text import is_blank, repair

if TYPE_CHECKING:
    from pathlib import Path

    from theta_tui.mind.checkpoint import Manifest
    from theta_tui.mind.language_model import LanguageModel
    from theta_tui.mind.learner import Learner, Progress, Result, Snapshot

UNDO_BYTES = 512 << 20
"""How much memory the snapshots for undo may take; older lessons are undone by folding again."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Answer:
    """The greedy reply to a question, and log P of it in nats."""

    prompt: str
    reply: str
    logprob: float
    seconds: float


class Teacher:
    """One home and one model. Make it, `load` the model, use it, `close` it; all from one thread."""

    def __init__(self, record: HomeRecord) -> None:
        self.record = record
        self.saved_at: float | None = None
        self.saved_position = 0
        self._model: LanguageModel | None = None
        self._learner: Learner | None = None
        self._undo: deque[tuple[int, Snapshot]] = deque()
        self._dictionary: Dictionary | None = None

    @property
    def settings(self) -> Settings:
        return self.record.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.record.settings = settings

    @property
    def loaded(self) -> bool:
        return self._learner is not None

    @property
    def model(self) -> LanguageModel:
        assert self._model is not None, "load() comes first"
        return self._model

    @property
    def learner(self) -> Learner:
        assert self._learner is not None, "load() comes first"
        return self._learner

    @property
    def recipe(self) -> Recipe:
        return RECIPES[self.settings.recipe]

    @property
    def pending(self) -> Pending | None:
        return self.record.pending

    @property
    def unsaved(self) -> int:
        """Lessons since the newest checkpoint."""
        return sum(1 for lesson in self.record.story.live if lesson.seq > self.saved_position)

    # --- coming back ---

    def load(self, on_stage: Callable[[str], None] = lambda _: None) -> None:
        """Load the model that this home belongs to and fold its lessons in. Raises ModelError (exit 4)."""
        on_stage("loading PyTorch")
        from theta_tui.mind.model_files import fingerprint

        found = fingerprint(self.settings.model)
        self._belongs(found)
        self._fold(on_stage)
        if self.record.story.begin is None and self.record.read_only is None:
            self.record.append(Begin(self.settings.model, found, __version__))

    def _belongs(self, found: str) -> None:
        begin = self.record.story.begin
        if begin is None or begin.fingerprint == found:
            return
        if begin.model == self.settings.model:
            raise ModelError(
                f"the model {begin.model} has changed since the home {self.record.home.path} was begun ("
                f"{begin.fingerprint}, now {found}): give another --home DIR; what was taught stays in "
                f"{self.record.home.journal}, which `theta train` reads",
                name="wrong_model",
            )
        raise ModelError(
            f"the home {self.record.home.path} was begun with the model {begin.model} ({begin.fingerprint}), and "
            f"{self.settings.model} ({found}) is another: give --model {begin.model}, or another --home DIR",
            name="wrong_model",
        )

    def _fold(self, on_stage: Callable[[str], None]) -> None:
        """Model, moments and step count as the live lessons make them, from the newest checkpoint that fits."""
        from theta_tui.mind import checkpoint
        from theta_tui.mind.language_model import LanguageModel
        from theta_tui.mind.learner import Learner

        settings = self.settings
        self._undo.clear()
        weights = self._newest_checkpoint(on_stage)
        self._model = None
        self._learner = None
        on_stage("loading the model")
        self._model = LanguageModel.load(
            settings.model,
            device=settings.device,
            dtype=settings.dtype,
            offline=settings.offline,
            threads=settings.threads,
            weights=weights,
        )
        self.record.notices.extend(self._model.notices)
        self._learner = Learner(self._model)
        self.saved_at, self.saved_position = None, 0
        if weights is not None:
            manifest = checkpoint.restore(weights, self._learner)
            self.saved_at, self.saved_position = manifest.saved_at, manifest.position
        self._replay([lesson for lesson in self.record.story.live if lesson.seq > self.saved_position], on_stage)

    def _newest_checkpoint(self, on_stage: Callable[[str], None]) -> Path | None:
        """The newest valid checkpoint that can be used; damaged ones are named and passed over."""
        from theta_tui.mind import checkpoint

        self.record.notices.extend(checkpoint.unreadable(self.record.home.checkpoints))
        for manifest in self._usable_checkpoints():
            on_stage(f"checking {manifest.path.name}")
            try:
                checkpoint.verify(manifest.path)
            except ThetaError as error:
                self.record.notices.append(f"{error}; an older one is used and the lessons since are learned again")
                continue
            return manifest.path
        return None

    def _usable_checkpoints(self) -> Iterator[Manifest]:
        """Those that hold no lesson withdrawn since and none that the journal lacks, newest first.

        A checkpoint knows the record that it stands for by its checksum: where the end of a journal was lost, other
        lessons come to stand under the same numbers.
        """
        from theta_tui.mind import checkpoint

        journal = self.record.journal
        withdrawals = [(entry.seq, entry.record.of) for entry in journal.entries if isinstance(entry.record, Withdraw)]
        for manifest in checkpoint.list_checkpoints(self.record.home.checkpoints):
            position = manifest.position
            if any(of <= position < seq for seq, of in withdrawals):
                continue
            if position > journal.last_seq or manifest.extra.get("record") != journal.checksum(position):
                age = "is newer than the journal" if position > journal.last_seq else "is not of this journal"
                self.record.notices.append(
                    f"{manifest.path.name} {age}: it has lessons that the journal does not hold, and is not used"
                )
                continue
            yield manifest

    def _replay(self, lessons: list[Lesson], on_stage: Callable[[str], None]) -> None:
        """Learn again what the checkpoint does not hold, in order, with the steps that each lesson took."""
        exact = all(lesson.machine in (None, self.model.machine()) for lesson in lessons)
        for at, lesson in enumerate(lessons, 1):
            on_stage(f"learning again what is not in a checkpoint, {at} of {len(lessons)}")
            result = self._learn(lesson, Recipe.from_dict(lesson.exchange.recipe))
            if lesson.outcome is None and self.record.read_only is None:
                self.record.append(Learned(lesson.seq, self._outcome(lesson, result, 0.0), self.model.machine()))
                self._consumed(lesson.exchange)
                self.record.write_context()
                self.record.notices.append(
                    f"a lesson begun before a crash is learned: '{_short(lesson.exchange.prompt)}'"
                )
        if not exact:
            self.record.notices.append("replayed, not bit-exact: some lessons were first learned on another machine")

    def _learn(self, lesson: Lesson, recipe: Recipe, **hooks: Any) -> Result:
        """One lesson, seeded by its place in the journal; with an outcome already, in the steps that it took."""
        exchange = lesson.exchange
        assert exchange.kind != "none"
        steps = lesson.outcome.steps if lesson.outcome else None
        return self.learner.learn(
            "pick" if exchange.kind == "pick" else "correction",
            lesson.context,
            exchange.prompt,
            exchange.reply,
            recipe,
            seed=lesson.seq,
            steps=steps,
            **hooks,
        )

    def _consumed(self, exchange: Exchange) -> None:
        """A kept prompt that a crash left behind although it was answered is not offered again."""
        if self.pending is not None and self.pending.prompt_id == exchange.prompt_id:
            self.record.keep(None)
        self._offered_no_more(exchange)

    def _offered_no_more(self, exchange: Exchange) -> None:
        """A statement that was learned is gone from the prompt that waits; the five replies still wait."""
        waiting = self.pending
        if waiting is not None and waiting.statement is not None and exchange.said == waiting.prompt:
            self.record.keep(replace(waiting, statement=None))

    # --- proposing ---

    def propose(
        self,
        prompt: str,
        *,
        again: bool = False,
        on_progress: Callable[[tuple[tuple[str, bool], ...]], None] | None = None,
        cancelled: Callable[[], bool] = _never,
    ) -> Pending | None:
        """Five distinct replies to `prompt`, kept as the pending prompt. None: cancelled, and nothing changed.

        `again`: other replies than the ones that wait. Raises TeachError for a blank prompt.
        """
        from theta_tui.mind.candidates import Sampling, propose

        prompt = self._clean(prompt, "prompt")
        settings = self.settings
        ids = self._encoded(self.record.story.dialogue, prompt, "prompt")
        sampling = Sampling(
            temperature=settings.temperature, top_p=settings.top_p, top_k=settings.top_k, min_p=settings.min_p,
            max_tokens=settings.max_tokens, count=CANDIDATES,
        )  # fmt: skip
        avoid = [candidate.text for candidate in self.pending.candidates] if again and self.pending else []
        seed = (
            None if settings.seed is None else hash((settings.seed, self.record.journal.last_seq, len(avoid))) % 2**63
        )
        replies = propose(
            self.model, ids, sampling, seed=seed, avoid=avoid, on_progress=on_progress, cancelled=cancelled
        )
        if replies is None:
            return None
        candidates = tuple(
            Candidate(index, reply.text, reply.logprob, reply.ended) for index, reply in enumerate(replies, 1)
        )
        statement = self.pending.statement if again and self.pending else self._stated(prompt)
        waiting = Pending(new_prompt_id(), prompt, candidates, statement)
        self.record.keep(waiting)
        return waiting

    def _stated(self, prompt: str) -> Stated | None:
        """The fact that `prompt` states, if it is sure to state one."""
        if not self.settings.statements:
            return None
        turns = self.record.story.turns
        pair = read(prompt, self.dictionary, previous=turns[-1].prompt if turns else None)
        return None if pair is None else Stated(pair.prompt, pair.reply)

    @property
    def dictionary(self) -> Dictionary:
        """The templates of statements, the person's own with them; what is wrong with those is told once."""
        if self._dictionary is None:
            self._dictionary = load_dictionary(*statement_files(self.record.home.path))
            self.record.notices.extend(self._dictionary.notices)
        return self._dictionary

    def ask(self, prompt: str, *, with_context: bool = True, cancelled: Callable[[], bool] = _never) -> Answer:
        """The greedy reply; changes nothing."""
        from theta_tui.mind.candidates import greedy

        started = time.perf_counter()
        prompt = self._clean(prompt, "question")
        turns: Dialogue = self.record.story.dialogue if with_context else ()
        ids = self._encoded(turns, prompt, "question")
        reply = greedy(self.model, ids, max_tokens=self.settings.max_tokens, cancelled=cancelled)
        return Answer(prompt, reply.text, reply.logprob, time.perf_counter() - started)

    def _encoded(self, turns: Dialogue, prompt: str, what: str) -> list[int]:
        """The conversation as the model is shown it, with room for a reply; a cut is told."""
        settings = self.settings
        encoded = self.model.encode_prompt(turns, prompt, room=settings.max_tokens, limit=settings.window)
        if encoded.cut_prompt:
            self.record.notices.append(f"the {what} is longer than the model can take in; it sees only part of it")
        return encoded.ids

    # --- teaching ---

    def pick(self, index: int, *, prompt_id: str | None = None, **hooks: Any) -> Outcome:
        """Teach candidate `index` (1 to 5) of the kept prompt. Hooks: `progress`, `should_stop`."""
        waiting = self.record.waiting(prompt_id)
        if not 1 <= index <= len(waiting.candidates):
            raise TeachError(f"there is no reply {index}; pick 1 to {len(waiting.candidates)}", name="usage", code=2)
        chosen = waiting.candidates[index - 1]
        return self._teach(self._exchange("pick", waiting.prompt, chosen.text, waiting, pick=index), **hooks)

    def correct(self, text: str, *, prompt_id: str | None = None, edited: int | None = None, **hooks: Any) -> Outcome:
        """Teach `text` as the reply to the kept prompt; `edited` is the candidate that it began as."""
        waiting = self.record.waiting(prompt_id)
        text = self._clean(text, "reply")
        return self._teach(self._exchange("correction", waiting.prompt, text, waiting, edited=edited), **hooks)

    def correct_last(self, text: str, **hooks: Any) -> Outcome:
        """Teach `text` as a better reply to the last turn, which it replaces."""
        if not self.record.story.turns:
            raise PromptError("there is no turn to correct yet; say something first")
        turn = self.record.story.turns[-1]
        text = self._clean(text, "reply")
        exchange = self._exchange("correction", turn.prompt, text, None)
        return self._teach(replace(exchange, replaces=turn.seq), **hooks)

    def teach(self, prompt: str, reply: str, **hooks: Any) -> Outcome:
        """Teach a pair outside of any conversation."""
        exchange = self._exchange("correction", self._clean(prompt, "prompt"), self._clean(reply, "reply"), None)
        return self._teach(replace(exchange, conversation=False), **hooks)

    def state(self, prompt: str, reply: str, *, said: str, **hooks: Any) -> Outcome:
        """Teach the pair that the message `said` states. The conversation, and the replies that wait, stay."""
        exchange = self._exchange("statement", self._clean(prompt, "prompt"), self._clean(reply, "reply"), None)
        exchange = replace(exchange, conversation=False, said=said)
        outcome = self._teach(exchange, **hooks)
        if outcome.skipped is None:
            self._offered_no_more(exchange)
        return outcome

    def pass_over(self, prompt_id: str | None = None) -> None:
        """None of these: journalled, because it tells something; nothing is learned."""
        waiting = self.record.waiting(prompt_id)
        self.record.append(self._exchange("none", waiting.prompt, "", waiting))
        self.record.keep(None)

    def undo(self, on_stage: Callable[[str], None] = lambda _: None) -> Lesson:
        """Take back the last lesson: weights, moments and step count bit-equal to never having taught it."""
        lesson = self.record.withdraw_last()
        if self._undo and self._undo[-1][0] == lesson.seq:
            self.learner.restore(self._undo.pop()[1])
            newest = next(self._usable_checkpoints(), None)
            self.saved_at, self.saved_position = (newest.saved_at, newest.position) if newest else (None, 0)
        else:
            self._fold(on_stage)
        return lesson

    def _teach(
        self,
        exchange: Exchange,
        *,
        progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] = _never,
    ) -> Outcome:
        """Journal, learn, journal the outcome. What goes wrong leaves the model as it was and is journalled."""
        # Refuses what does not fit the window before anything is written.
        self.model.encode_lesson((), exchange.prompt, exchange.reply)
        before = self.learner.snapshot()
        entry = self.record.append(exchange)
        lesson = self.record.story.lesson(entry.seq)
        started = time.perf_counter()
        try:
            result = self._learn(lesson, self.recipe, progress=progress, should_stop=should_stop)
        except Exception as error:
            self._failed(entry, error)
            raise
        outcome = self._outcome(lesson, result, time.perf_counter() - started)
        try:
            self.record.append(Learned(entry.seq, outcome, self.model.machine()))
        except ThetaError:
            self.learner.restore(before)
            if self.record.read_only is None:
                self.record.roll_back(entry)
            raise
        self._remember(entry.seq, before)
        if exchange.prompt_id is not None:
            self.record.keep(None)
        self.record.write_context()
        return outcome

    def _failed(self, entry: Entry, error: Exception) -> None:
        """A lesson that could not be learned counts as never begun; one that was abandoned on leaving is learned at
        the next start."""
        from theta_tui.mind.learner import Abandoned

        if isinstance(error, Abandoned):
            return
        try:
            self.record.append(Failure(f"{type(error).__name__}: {error}", entry.seq))
        except ThetaError:
            if self.record.read_only is None:
                self.record.roll_back(entry)

    def _outcome(self, lesson: Lesson, result: Result, seconds: float) -> Outcome:
        return Outcome(
            lesson=lesson.number,
            kind=lesson.exchange.kind,
            prompt=lesson.exchange.prompt,
            reply=lesson.exchange.reply,
            loss_before=result.loss_before,
            loss_after=result.loss_after,
            p_before=result.p_before,
            p_after=result.p_after,
            steps=result.steps,
            step=self.learner.step,
            learned=result.learned,
            seconds=seconds,
            losses=tuple(round(loss, 4) for loss in result.losses),
            skipped=result.skipped,
        )

    def _remember(self, seq: int, before: Snapshot) -> None:
        self._undo.append((seq, before))
        while len(self._undo) > 1 and len(self._undo) * before.nbytes > UNDO_BYTES:
            self._undo.popleft()

    # --- saving ---

    def save(self) -> Path:
        """Write a checkpoint of what is learned so far."""
        from theta_tui.mind import checkpoint

        if self.record.read_only is not None:
            raise HomeError(f"nothing can be saved: the home is read-only because {self.record.read_only}")
        position = self._position()
        record = self.record.journal.checksum(position)
        extra = {"theta": __version__, "model": self.settings.model, "record": record}
        path = checkpoint.save(
            self.record.home.checkpoints, self.model, self.learner,
            position=position, extra=extra,
            keep=self.settings.keep_checkpoints,
        )  # fmt: skip
        self.saved_at, self.saved_position = time.time(), position
        return path

    def _position(self) -> int:
        """The journal seq that the weights stand for: before a lesson that was begun and abandoned."""
        begun = next((lesson.seq for lesson in self.record.story.live if lesson.outcome is None), None)
        return self.record.journal.last_seq if begun is None else begun - 1

    def close(self) -> None:
        self.record.close()

    # --- small things ---

    def _clean(self, text: str, what: str) -> str:
        text, notices = repair(text.strip())
        self.record.notices.extend(notices)
        if is_blank(text):
            raise TeachError(f"the {what} is empty; nothing was learned", name="blank", code=2)
        return text

    def _exchange(self, kind: Kind, prompt: str, reply: str, waiting: Pending | None, **more: Any) -> Exchange:
        return Exchange(
            kind=kind,
            prompt=prompt,
            reply=reply,
            candidates=waiting.candidates if waiting else (),
            recipe=self.recipe.as_dict(),
            prompt_id=waiting.prompt_id if waiting else None,
            **more,
        )


def _short(text: str, most: int = 40) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
