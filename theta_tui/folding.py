"""Coming back: the weights that the journal stands for, and how they move when its past changes.

    weights = fold(learn, foundation, lessons)

A fold begins at the newest state that holds the lessons that count and no other (a snapshot in memory, a checkpoint,
the foundation) and learns the rest again, each with the steps that it took the first time. A change of the past is
tried on the model first and journalled when it has succeeded: until then everything is as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from theta_tui import __version__
from theta_tui.config import Settings
from theta_tui.errors import HomeError, ModelError, TeachError, ThetaError
from theta_tui.lessons import ledger
from theta_tui.lessons.records import Consolidated, Exchange, Restore, Withdraw
from theta_tui.lessons.story import Consolidation, Lesson, Story, withdrawn
from theta_tui.memory import Memory
from theta_tui.mind.recipes import Recipe
from theta_tui.record import HomeRecord

if TYPE_CHECKING:
    from pathlib import Path

    from theta_tui.mind.checkpoint import Manifest
    from theta_tui.mind.consolidating import Taught
    from theta_tui.mind.curvature import Curvature
    from theta_tui.mind.language_model import LanguageModel
    from theta_tui.mind.learner import Learner, Result
    from theta_tui.mind.lora import Choice

Stage = Callable[[str], None]
"""Hears in a few words what is being done."""


class Learn(Protocol):
    """Teaches one lesson to the model; with an outcome already, in the steps that it took."""

    def __call__(self, lesson: Lesson, recipe: Recipe, *, should_stop: Callable[[], bool]) -> Result: ...


def never() -> bool:
    return False


def _done(move: Lesson | Consolidation) -> bool:
    """Whether it has moved the weights already: a lesson may have been begun only."""
    return isinstance(move, Consolidation) or move.outcome is not None


def machine_of(move: Lesson | Consolidation) -> str | None:
    """What did the arithmetic of it, where that was recorded."""
    return move.done.machine if isinstance(move, Consolidation) else move.machine


def belongs(record: HomeRecord, found: str) -> None:
    """Raises ModelError (exit 4) where the home was begun with another model than the one with fingerprint `found`."""
    from theta_tui.mind.model_files import full_name

    begin, model = record.story.begin, record.settings.model
    if begin is None or begin.fingerprint == found:
        return
    if full_name(begin.model) == full_name(model):
        raise ModelError(
            f"the model {begin.model} has changed since the home {record.home.path} was begun ({begin.fingerprint}, "
            f"now {found}): `theta rebuild` learns its lessons again on the model as it is now, or give another "
            f"--home DIR; what was taught stays in {record.home.journal}",
            name="wrong_model",
        )
    raise ModelError(
        f"the home {record.home.path} was begun with the model {begin.model} ({begin.fingerprint}), and {model} "
        f"({found}) is another: give --model {begin.model} or another --home DIR, or move what was taught with "
        f"`theta rebuild --model {model}`",
        name="wrong_model",
    )


class Fold:
    """One home's model, where its lessons put it. `learn` teaches it one lesson (the Teacher's way)."""

    def __init__(self, record: HomeRecord, learn: Learn) -> None:
        self.record = record
        self.memory = Memory()
        self.saved_at: float | None = None
        """Unix time of the newest checkpoint that stands for what is learned."""
        self.saved_position = 0
        """The journal seq that it stands for."""
        self._learn = learn
        self._model: LanguageModel | None = None
        self._learner: Learner | None = None
        self._taught: dict[tuple[str, tuple[str, ...], str, float], Taught] = {}

    @property
    def settings(self) -> Settings:
        return self.record.settings

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

    # --- the whole fold ---

    def load(self, on_stage: Stage, learned: Callable[[Lesson, Result], None]) -> Path | None:
        """Model, moments and step count as the live lessons make them, from the newest checkpoint that fits, whose
        path is returned. `learned` hears each lesson that was learned again."""
        from theta_tui.mind import checkpoint

        path: Path | None
        for path in chain(self._valid_checkpoints(on_stage), [None]):
            try:
                self.open(path, on_stage)
                if path is not None:
                    manifest = checkpoint.restore(path, self.learner)
                    self.saved_at, self.saved_position = manifest.saved_at, manifest.position
                break
            except ModelError as error:
                if path is None:
                    raise
                self._pass_over(error)
        moves = self.record.story.moves_after(self.saved_position)
        foreign = any(machine_of(move) not in (None, self.model.machine()) for move in moves)
        for at, move in enumerate(moves, 1):
            on_stage(f"learning again what is not in a checkpoint, {at} of {len(moves)}")
            if isinstance(move, Consolidation):
                self.consolidate(self.record.story, move.seq, move.done)
            else:
                learned(move, self._learn(move, Recipe.from_dict(move.recipe), should_stop=never))
        if foreign:
            self.record.notices.append("replayed, not bit-exact: some lessons were first learned on another machine")
        return path

    def open(self, weights: Path | None, on_stage: Stage, adaptation: tuple[Choice, int] | None = None) -> None:
        """Load the model, with the weights of checkpoint `weights` or else of the foundation; no moments, no steps.

        `adaptation`: whether it learns by LoRA, and the rank; as the home was begun, where it is not given. Raises
        ModelError (exit 4).
        """
        from theta_tui.mind.learner import Learner

        adapt, rank = adaptation or self.record.adaptation()
        self.memory.clear()
        self._taught.clear()
        self._model = None
        self._learner = None
        self.saved_at, self.saved_position = None, 0
        on_stage("loading the model")
        self._model = self._read(weights=weights, adapt=adapt, rank=rank)
        self.record.notices.extend(self._model.notices)
        self._learner = Learner(self._model, lambda: self._curvature(on_stage))

    def _curvature(self, on_stage: Stage) -> Curvature:
        """Of the foundation, which the model is no more: kept in the person's cache, for all homes of this model."""
        from platformdirs import user_cache_path

        from theta_tui.mind.curvature import load_or_measure
        from theta_tui.mind.model_files import fingerprint

        name = f"{fingerprint(self.model.name)}.safetensors"
        cache = user_cache_path("theta", appauthor=False) / "curvature" / name
        return load_or_measure(self.model, cache, self._read, on_stage)

    def _read(self, **how: Any) -> LanguageModel:
        """The model that the settings name, with what they say of it; `how` are more arguments of its `load`."""
        from theta_tui.mind.language_model import LanguageModel

        settings = self.settings
        return LanguageModel.load(
            settings.model,
            device=settings.device,
            dtype=settings.dtype,
            offline=settings.offline,
            threads=settings.threads,
            **how,
        )

    def from_foundation(self, tell: Callable[[int, int], None]) -> None:
        """Fold all lessons anew, from the foundation, whatever is in memory or in checkpoints."""
        self.memory.clear()
        self._put(None)
        self._relearn(self.record.story, 0, tell, never)

    # --- another past ---

    def change(
        self, change: Withdraw | Restore, tell: Callable[[int, int], None], cancelled: Callable[[], bool] = never
    ) -> None:
        """Move the model to where the journal puts it with `change`, and then journal that.

        `tell` hears which lesson of how many is learned again. Raises Abandoned where `cancelled` says so; then, and
        after any other error, model, memory and journal are as they were.
        """
        story = self.record.supposing(change)
        before, memory, saved = self.learner.snapshot(), self.memory.copy(), (self.saved_at, self.saved_position)
        try:
            redone = self.memory.taken_back(change.of) if isinstance(change, Restore) else None
            if isinstance(change, Withdraw) and change.of in self.learner.modules:
                self._drop(change.of)
            elif redone is not None:
                self.learner.restore(redone)
                self.memory.forget_after(change.of)
            else:
                self._relearn(story, self._go_back(story, change.of), tell, cancelled)
            newest = next(self.usable_checkpoints(story), None)
            self.saved_at, self.saved_position = (newest.saved_at, newest.position) if newest else (None, 0)
            self.record.append(change)
        except BaseException:
            self.learner.restore(before)
            self.memory, (self.saved_at, self.saved_position) = memory, saved
            raise
        if isinstance(change, Withdraw):
            self.memory.took_back(change.of, before)
        elif redone is not None and story.live and story.live[-1].seq == change.of:
            self.memory.remember(change.of, before)

    def _drop(self, seq: int) -> None:
        """Take out a lesson that has weights of its own. No later lesson was learned on them, so what is left is what
        it would be without it, to the bit."""
        outcome = self.record.story.lesson(seq).outcome
        self.learner.drop_module(seq, outcome.steps if outcome else 0)
        self.memory.forget_after(seq - 1)

    def _go_back(self, story: Story, seq: int) -> int:
        """Put the learner into the newest state at hand that holds of `story` all lessons up to a position, which is
        returned, and none besides. `seq` is the lesson in which `story` differs from what is learned now."""
        if not any(map(_done, self.record.story.moves_after(seq - 1))):
            return seq - 1
        remembered = self.memory.before(seq)
        reached = remembered[0] - 1 if remembered else -1
        for manifest in self.usable_checkpoints(story):
            if manifest.position > reached and self._put(manifest):
                return manifest.position
        if remembered is not None:
            self.learner.restore(remembered[1])
        else:
            self._put(None)
        return max(0, reached)

    def _put(self, manifest: Manifest | None) -> bool:
        """Model and learner where a checkpoint was, or the foundation; false where the checkpoint cannot be used."""
        from theta_tui.mind import checkpoint

        if manifest is None:
            self.model.load_weights()
            self.learner.reset()
            return True
        try:
            checkpoint.load_into(manifest.path, self.model, self.learner)
        except ThetaError as error:
            self._pass_over(error)
            return False
        return True

    def _relearn(
        self, story: Story, position: int, tell: Callable[[int, int], None], cancelled: Callable[[], bool]
    ) -> None:
        """Learn what `story` holds after `position`; what was begun and never learned is left to the next start."""
        from theta_tui.mind.learner import Abandoned

        self.memory.forget_after(position)
        moves = [move for move in story.moves_after(position) if _done(move)]
        with self.record.telling(story):
            for at, move in enumerate(moves, 1):
                tell(at, len(moves))
                if cancelled():
                    raise Abandoned
                if isinstance(move, Consolidation):
                    self.consolidate(story, move.seq, move.done, cancelled)
                    continue
                before = self.learner.snapshot()
                self._learn(move, Recipe.from_dict(move.recipe), should_stop=cancelled)
                self.memory.remember(move.seq, before)

    def consolidate(self, story: Story, seq: int, done: Consolidated, cancelled: Callable[[], bool] = never) -> None:
        """The steps of record `seq`, over what `story` holds up to there. Raises Abandoned where `cancelled` says."""
        from theta_tui.mind.learner import Abandoned

        taught, recipe = self.taught(story, seq), Recipe.from_dict(done.recipe)
        for number in range(done.first, done.first + done.steps):
            if cancelled():
                raise Abandoned
            self.learner.consolidate(taught, recipe, seed=done.after, number=number)

    def taught(self, story: Story, seq: int) -> list[Taught]:
        """What the model was to know when record `seq` was written, as far as it can take it in. Not the picks: they
        tell a taste, and are not learned by heart."""
        newest = ledger.newest(lesson for lesson in story.live if lesson.seq < seq)
        known = (lesson for lesson in newest.values() if ledger.by_heart(lesson.exchange.kind))
        return [taught for lesson in known if (taught := self._as_taught(lesson.exchange, lesson.at)).prompts]

    def _as_taught(self, said: Exchange, at: float) -> Taught:
        """An exchange with those wordings that the model can take in. Looked at once: it takes the tokenizer."""
        from theta_tui.mind.consolidating import Taught

        key = said.prompt, said.variants, said.reply, at
        if key not in self._taught:
            prompts = (said.prompt, *said.variants)
            fitting = tuple(prompt for prompt in prompts if self.unfit(prompt, said.reply, at) is None)
            self._taught[key] = Taught(fitting, said.reply, at)
        return self._taught[key]

    def unfit(self, prompt: str, reply: str, at: float) -> str | None:
        """Why the model cannot take in this pair, taught at that time; None where it can."""
        try:
            self.model.encode_lesson((), prompt, reply, at=at)
        except TeachError as error:
            return str(error)
        return None

    # --- checkpoints ---

    def usable_checkpoints(self, story: Story, tell: Stage = lambda _: None) -> Iterator[Manifest]:
        """Those that hold the lessons of `story` up to their position and no other, newest first. `tell` hears of
        those that the journal does not know.

        A checkpoint knows the record that it stands for by its checksum: where the end of a journal was lost, other
        lessons come to stand under the same numbers. What was withdrawn up to there, and the last rebuild, must be the
        same as when it was written.
        """
        from theta_tui.mind import checkpoint

        journal = self.record.journal
        gone = story.withdrawn
        for manifest in checkpoint.list_checkpoints(self.record.home.checkpoints):
            position, extra = manifest.position, manifest.extra
            if position > journal.last_seq or extra.get("record") != journal.checksum(position):
                age = "is newer than the journal" if position > journal.last_seq else "is not of this journal"
                tell(f"{manifest.path.name} {age}: it has lessons that the journal does not hold, and is not used")
                continue
            held = extra.get("withdrawn")
            if held is None:
                held = sorted(withdrawn(journal.entries[:position]))
            if extra.get("rebuilt", 0) == story.rebuilt and held == [seq for seq in gone if seq <= position]:
                yield manifest

    def _valid_checkpoints(self, on_stage: Stage) -> Iterator[Path]:
        """The valid ones that stand for this journal, newest first; damaged ones are named and passed over."""
        from theta_tui.mind import checkpoint

        self.record.notices.extend(checkpoint.unreadable(self.record.home.checkpoints))
        for manifest in self.usable_checkpoints(self.record.story, self.record.notices.append):
            on_stage(f"checking {manifest.path.name}")
            try:
                checkpoint.verify(manifest.path)
            except ModelError as error:
                self._pass_over(error)
                continue
            yield manifest.path

    def _pass_over(self, error: ThetaError) -> None:
        self.record.notices.append(f"{error}; an older one is used and the lessons since are learned again")

    def save(self) -> Path:
        """Write a checkpoint of what is learned so far. Raises HomeError and ModelError; nothing changes then."""
        from theta_tui.mind import checkpoint

        record = self.record
        if record.read_only is not None:
            raise HomeError(f"nothing can be saved: the home is read-only because {record.read_only}")
        position = self._position()
        extra = {
            "theta": __version__,
            "model": self.settings.model,
            "record": record.journal.checksum(position),
            "withdrawn": [seq for seq in record.story.withdrawn if seq <= position],
            "rebuilt": record.story.rebuilt,
        }
        path = checkpoint.save(
            record.home.checkpoints, self.model, self.learner,
            position=position, extra=extra,
            keep=self.settings.keep_checkpoints,
        )  # fmt: skip
        self.saved_at, self.saved_position = time.time(), position
        return path

    def _position(self) -> int:
        """The journal seq that the weights stand for: before a lesson that was begun and abandoned."""
        begun = self.record.story.begun
        return self.record.journal.last_seq if begun is None else begun.seq - 1
