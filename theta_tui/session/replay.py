"""Coming back: the weights that the journal stands for, and how they move when its past changes.

    shared weights = fold(learn, foundation, picks and lessons that are always on)
    modules        = one for each lesson with weights of its own

A fold begins at the newest state that holds the lessons that count and no other (a snapshot in memory, a checkpoint,
the foundation) and learns the rest again, each with the steps that it took the first time. The modules are a set: a
lesson is taken out or put back alone, unless lessons that are always on changed what it was learned on. A change of the
past is tried on the model first and journalled when it has succeeded: until then everything is as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from theta_tui import __version__
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError, ModelError, ThetaError
from theta_tui.learning.recipes import Recipe
from theta_tui.session.persona import NO_SYSTEM_TURN
from theta_tui.session.snapshots import UndoSnapshots
from theta_tui.session.teaching import learn
from theta_tui.store.records import Restore, Withdraw
from theta_tui.store.state import Lesson, State
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from theta_tui.learning.checkpoint import Manifest
    from theta_tui.learning.learner import Learner, Result
    from theta_tui.model.language_model import LanguageModel
    from theta_tui.model.lora import Choice
    from theta_tui.model.modules import LessonModule

Stage = Callable[[str], None]
"""Hears in a few words what is being done."""


LESSONS = "modules"
"""How lessons are held in a checkpoint. One of a version before has them in the shared weights."""


def never() -> bool:
    return False


def _done(lesson: Lesson) -> bool:
    """Whether it has moved the weights already: a lesson may have been begun only."""
    return lesson.outcome is not None


def has_own_weights(lesson: Lesson) -> bool:
    """Whether it is learned in a module, and not in the weights that all replies share."""
    return lesson.recipe.get("method") == "module" and lesson.exchange.kind != "pick"


def moves_nothing(lesson: Lesson) -> bool:
    """Whether it says of another lesson that it is meant, and no more."""
    return lesson.exchange.meant is not None


def is_always_on(lesson: Lesson, signs: bool) -> bool:
    """Whether it moves the weights that the modules of later lessons are learned on. `signs`: the model is one whose
    picks are kept apart from those (learning/sign_steps.py)."""
    return not moves_nothing(lesson) and not (
        lesson.recipe.get("method") == "module" and (signs or lesson.exchange.kind != "pick")
    )


def learned_again(state: State, changed: Lesson) -> int:
    """How many later lessons are learned again where `changed` was taken out, or put back; as far as the journal tells
    how the model takes picks."""
    later = state.active_after(changed.seq)
    signs = state.begin is not None and state.begin.lora is None
    if any(is_always_on(lesson, signs) for lesson in [changed, *later]):
        return len(later)
    return 0 if has_own_weights(changed) else sum(not has_own_weights(lesson) for lesson in later)


def _counting(modules: dict[int, LessonModule], state: State) -> dict[int, LessonModule]:
    """Those of `modules` whose lessons count in `state`."""
    found = ((seq, module, state.find(seq)) for seq, module in modules.items())
    return {seq: module for seq, module, lesson in found if lesson is not None and not lesson.withdrawn}


def belongs(store: Store, found: str) -> None:
    """Raises ModelError (exit 4) where the home was begun with another model than the one with fingerprint `found`."""
    from theta_tui.model.files import full_name

    begin, model = store.state.begin, store.settings.model
    if begin is None or begin.fingerprint == found:
        return
    if full_name(begin.model) == full_name(model):
        raise ModelError(
            f"the model {begin.model} has changed since the home {store.home.path} was begun ({begin.fingerprint}, "
            f"now {found}): `theta rebuild` learns its lessons again on the model as it is now, or give another "
            f"--home DIR; what was taught stays in {store.home.journal}",
            name="wrong_model",
        )
    raise ModelError(
        f"the home {store.home.path} was begun with the model {begin.model} ({begin.fingerprint}), and {model} "
        f"({found}) is another: give --model {begin.model} or another --home DIR, or move what was taught with "
        f"`theta rebuild --model {model}`",
        name="wrong_model",
    )


class Replay:
    """One home's model, where its lessons put it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.memory = UndoSnapshots()
        self.saved_at: float | None = None
        """Unix time of the newest checkpoint that stands for what is learned."""
        self.saved_position = 0
        """The journal seq that it stands for."""
        self._model: LanguageModel | None = None
        self._learner: Learner | None = None

    @property
    def settings(self) -> Settings:
        return self.store.settings

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
        from theta_tui.learning import checkpoint

        manifest: Manifest | None
        for manifest in chain(self._valid_checkpoints(on_stage), [None]):
            try:
                self.open(manifest.weights if manifest else None, on_stage)
                if manifest is not None:
                    checkpoint.restore(manifest.path, self.learner)
                    self.saved_at, self.saved_position = manifest.saved_at, manifest.position
                break
            except ModelError as error:
                if manifest is None:
                    raise
                self._pass_over(error)
        moves = self._not_learned(manifest)
        foreign = any(lesson.machine not in (None, self.model.machine()) for lesson in moves)
        for at, lesson in enumerate(moves, 1):
            on_stage(f"learning again what is not in a checkpoint, {at} of {len(moves)}")
            learned(lesson, self._learn_again(lesson, never))
        if foreign:
            self.store.notices.append("replayed, not bit-exact: some lessons were first learned on another machine")
        return manifest.path if manifest else None

    def open(self, weights: Path | None, on_stage: Stage, adaptation: tuple[Choice, int] | None = None) -> None:
        """Load the model, with the weights of checkpoint `weights` or else of the foundation; no moments, no steps.

        `adaptation`: whether it learns by LoRA, and the rank; as the home was begun, where it is not given. Raises
        ModelError (exit 4).
        """
        from theta_tui.learning.learner import Learner

        adapt, rank = adaptation or self.store.adaptation()
        self.memory.clear()
        self._model = None
        self._learner = None
        self.saved_at, self.saved_position = None, 0
        on_stage("loading the model")
        self._model = self._read(weights=weights, adapt=adapt, rank=rank)
        self.store.notices.extend(self._model.notices)
        self._learner = Learner(self._model)
        if not self._model.chat.speak_as(self.store.state.persona):
            self.store.notices.append(f"the persona of this home is not shown to the model: {NO_SYSTEM_TURN}")

    def _read(self, **how: Any) -> LanguageModel:
        """The model that the settings name, with what they say of it; `how` are more arguments of its `load`."""
        from theta_tui.model.language_model import LanguageModel

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
        """Replay all lessons anew, from the foundation, whatever is in memory or in checkpoints."""
        self.memory.clear()
        self._put(None)
        self._relearn(self.store.state, list(filter(_done, self.store.state.active)), tell, never)

    # --- another past ---

    def change(
        self, change: Withdraw | Restore, tell: Callable[[int, int], None], cancelled: Callable[[], bool] = never
    ) -> None:
        """Move the model to where the journal puts it with `change`, and then journal that.

        `tell` hears which lesson of how many is learned again. Raises Abandoned where `cancelled` says so; then, and
        after any other error, model, memory and journal are as they were.
        """
        state = self.store.supposing(change)
        before, memory, saved = self.learner.snapshot(), self.memory.copy(), (self.saved_at, self.saved_position)
        try:
            redone = self.memory.taken_back(change.of) if isinstance(change, Restore) else None
            if redone is not None:
                self.learner.restore(redone)
                self.memory.forget_after(change.of)
            else:
                self._refold(state, state.lesson(change.of), tell, cancelled)
            newest = next(self.usable_checkpoints(state), None)
            self.saved_at, self.saved_position = (newest.saved_at, newest.position) if newest else (None, 0)
            self.store.append(change)
        except BaseException:
            self.learner.restore(before)
            self.memory, (self.saved_at, self.saved_position) = memory, saved
            raise
        if isinstance(change, Withdraw):
            self.memory.took_back(change.of, before)
        elif redone is not None and state.active and state.active[-1].seq == change.of:
            self.memory.remember(change.of, before)

    def _refold(
        self, state: State, changed: Lesson, tell: Callable[[int, int], None], cancelled: Callable[[], bool]
    ) -> None:
        """Put the learner where `state` has it; `changed` is the lesson in which that differs from what is learned."""
        if moves_nothing(changed):
            return
        held = _counting(self.learner.modules, state)
        signs = bool(self.learner.signs.modules)
        since = list(filter(_done, state.active_after(changed.seq - 1)))
        if has_own_weights(changed) and not any(is_always_on(lesson, signs) for lesson in since):
            self.learner.modules = held
            moves = [] if changed.withdrawn else [changed]
        else:
            position = self._go_back(state, changed.seq)
            since = list(filter(_done, state.active_after(position)))
            if any(is_always_on(lesson, signs) for lesson in [changed, *since]):
                held = {seq: module for seq, module in held.items() if seq <= position}
            # What was gone back to may have the lesson that came back.
            self.learner.modules = held = _counting(self.learner.modules, state) | held
            moves = [lesson for lesson in since if lesson.seq not in held]
            self.memory.forget_after(position)
        self._relearn(state, moves, tell, cancelled)
        self.learner.step = state.step

    def _not_learned(self, manifest: Manifest | None) -> list[Lesson]:
        """The lessons that the state which was just loaded lacks, in order. Modules of lessons that do not count are
        taken out of it."""
        state, learner = self.store.state, self.learner
        learner.modules = _counting(learner.modules, state)
        found = state.active_after(manifest.position if manifest else 0)
        if manifest is not None:
            missing = set(manifest.extra["withdrawn"]) - set(state.withdrawn)
            # What was learned on since is in it as it was before.
            missing |= {lesson.seq for lesson in state.active if lesson.seq <= manifest.position < lesson.learned_by}
            found = [*map(state.lesson, sorted(missing)), *found]
        learner.step = state.step - sum(lesson.outcome.steps for lesson in found if lesson.outcome)
        return found

    def _go_back(self, state: State, seq: int) -> int:
        """Put the learner into the newest state at hand that holds of `state` all lessons up to a position, which is
        returned, and none besides. `seq` is the lesson in which `state` differs from what is learned now."""
        if not any(map(_done, self.store.state.active_after(seq - 1))):
            return seq - 1
        remembered = self.memory.before(seq)
        reached = remembered[0] - 1 if remembered else -1
        for manifest in self.usable_checkpoints(state):
            if manifest.position > reached and self._put(manifest):
                return manifest.position
        if remembered is not None:
            self.learner.restore(remembered[1])
        else:
            self._put(None)
        return max(0, reached)

    def _put(self, manifest: Manifest | None) -> bool:
        """Model and learner where a checkpoint was, or the foundation; false where the checkpoint cannot be used."""
        from theta_tui.learning import checkpoint

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
        self,
        state: State,
        lessons: list[Lesson],
        tell: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Learn `lessons` of `state`; what was begun and never learned is left to the next start."""
        from theta_tui.learning.learner import Abandoned

        with self.store.assuming(state):
            for at, lesson in enumerate(lessons, 1):
                tell(at, len(lessons))
                if cancelled():
                    raise Abandoned
                before = self.learner.snapshot()
                self._learn_again(lesson, cancelled)
                self.memory.remember(lesson.seq, before)

    def _learn_again(self, lesson: Lesson, should_stop: Callable[[], bool]) -> Result:
        recipe = Recipe.from_dict(lesson.recipe)
        return learn(self.learner, self.store.state, lesson, recipe, should_stop=should_stop)

    # --- checkpoints ---

    def usable_checkpoints(self, state: State, tell: Stage = lambda _: None) -> Iterator[Manifest]:
        """Those that hold the lessons of `state` up to their position and no other, newest first. `tell` hears of
        those that the journal does not know.

        A checkpoint knows the record that it stands for by its checksum: where the end of a journal was lost, other
        lessons come to stand under the same numbers. The last rebuild must be the same as when it was written, and so
        must what was withdrawn up to there, but for lessons that have weights of their own: those are taken out of it,
        or learned on it.
        """
        from theta_tui.learning import checkpoint

        journal = self.store.journal
        for manifest in checkpoint.list_checkpoints(self.store.home.checkpoints):
            position, extra = manifest.position, manifest.extra
            if position > journal.last_seq or extra.get("record") != journal.checksum(position):
                age = "is newer than the journal" if position > journal.last_seq else "is not of this journal"
                tell(f"{manifest.path.name} {age}: it has lessons that the journal does not hold, and is not used")
                continue
            held = extra.get("withdrawn")
            if extra.get("lessons") != LESSONS or extra.get("rebuilt") != state.rebuilt or not isinstance(held, list):
                continue
            if not all(isinstance(seq, int) and state.find(seq) is not None for seq in held):
                continue
            differing = set(held) ^ {seq for seq in state.withdrawn if seq <= position}
            differing = {seq for seq in differing if not moves_nothing(state.lesson(seq))}
            if not differing or self._apart(state, differing, position, bool(extra.get("signs"))):
                yield manifest

    def _apart(self, state: State, seqs: set[int], position: int, signs: bool) -> bool:
        """Whether these lessons of `state` have weights of their own, and nothing up to `position` is always on."""
        if not all(has_own_weights(state.lesson(seq)) for seq in seqs):
            return False
        return not any(is_always_on(lesson, signs) for lesson in state.active if lesson.seq <= position)

    def _valid_checkpoints(self, on_stage: Stage) -> Iterator[Manifest]:
        """The valid ones that stand for this journal, newest first; damaged ones are named and passed over."""
        from theta_tui.learning import checkpoint

        self.store.notices.extend(checkpoint.unreadable(self.store.home.checkpoints))
        for manifest in self.usable_checkpoints(self.store.state, self.store.notices.append):
            on_stage(f"checking {manifest.path.name}")
            try:
                checkpoint.verify(manifest.path)
            except ModelError as error:
                self._pass_over(error)
                continue
            yield manifest

    def _pass_over(self, error: ThetaError) -> None:
        self.store.notices.append(f"{error}; an older one is used and the lessons since are learned again")

    def save(self) -> Path:
        """Write a checkpoint of what is learned so far. Raises HomeError and ModelError; nothing changes then."""
        from theta_tui.learning import checkpoint

        store = self.store
        if store.read_only is not None:
            raise HomeError(f"nothing can be saved: the home is read-only because {store.read_only}")
        position = self._position()
        extra = {
            "theta": __version__,
            "model": self.settings.model,
            "record": store.journal.checksum(position),
            "withdrawn": [seq for seq in store.state.withdrawn if seq <= position],
            "rebuilt": store.state.rebuilt,
            "lessons": LESSONS,
            "signs": bool(self.learner.signs.modules),
        }
        path = checkpoint.save(
            store.home.checkpoints, self.model, self.learner,
            position=position, extra=extra,
            keep=self.settings.keep_checkpoints,
        )  # fmt: skip
        self.saved_at, self.saved_position = time.time(), position
        return path

    def _position(self) -> int:
        """The journal seq that the weights stand for: before a lesson that was begun and abandoned."""
        begun = self.store.state.begun
        return self.store.journal.last_seq if begun is None else begun.seq - 1
