"""Replay: makes the weights that the journal describes, at a start and when the past changes.

    shared weights = the base model, then every pick and always-on lesson, learned in order
    modules        = one for each lesson with weights of its own

A replay starts from the newest state that contains only lessons that count (a snapshot in memory, a checkpoint, the
base model) and learns the rest again, each in the steps that it took the first time. A module is taken out or put back
alone, unless always-on lessons changed the weights on which it was learned. A change of the past is tried on the model
first and journalled when it has succeeded; until then everything is as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from theta_tui import __version__
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError, ModelError, ThetaError
from theta_tui.learning.recipes import Recipe
from theta_tui.session.persona import NO_SYSTEM_TURN
from theta_tui.session.snapshots import UndoSnapshots
from theta_tui.session.teaching import learn
from theta_tui.store.adaptation import adaptation as adaptation_of
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
"""A callback for what is being done, in a few words."""

OnLesson = Callable[[int, int], None]
"""A callback for the position and the number of lessons that are learned again."""

LESSONS = "modules"
"""The form of lessons in a checkpoint. An earlier version had them in the shared weights."""


def never() -> bool:
    return False


def _done(lesson: Lesson) -> bool:
    """Whether this lesson was learned, and not only begun."""
    return lesson.outcome is not None


def has_own_weights(lesson: Lesson) -> bool:
    """Whether this lesson is learned in a module, and not in the shared weights."""
    return lesson.recipe.get("method") == "module" and lesson.exchange.kind != "pick"


def moves_nothing(lesson: Lesson) -> bool:
    """Whether this lesson only widens the scope of another lesson."""
    return lesson.exchange.meant is not None


def is_always_on(lesson: Lesson, signs: bool) -> bool:
    """Whether this lesson changes the weights on which later modules are learned. `signs`: this model keeps its picks
    apart from those weights (learning/sign_steps.py)."""
    return not moves_nothing(lesson) and not (
        lesson.recipe.get("method") == "module" and (signs or lesson.exchange.kind != "pick")
    )


def learned_again(state: State, changed: Sequence[Lesson]) -> int:
    """How many other lessons must be learned again if the lessons `changed` are taken out or put back, as far as the
    journal tells how the model learns picks."""
    later = [lesson for lesson in state.active_after(changed[0].seq) if lesson not in changed]
    signs = state.begin is not None and state.begin.lora is None
    if any(is_always_on(lesson, signs) for lesson in [*changed, *later]):
        return len(later)
    return 0 if all(map(has_own_weights, changed)) else sum(not has_own_weights(lesson) for lesson in later)


def _counting(modules: dict[int, LessonModule], state: State) -> dict[int, LessonModule]:
    """The `modules` whose lessons count in `state`."""
    found = ((seq, module, state.find(seq)) for seq, module in modules.items())
    return {seq: module for seq, module, lesson in found if lesson is not None and not lesson.withdrawn}


def newer_built_in(store: Store, found: str) -> bool:
    """Whether the home was begun with the built-in model of another version, and has the one with fingerprint `found`
    now."""
    from theta_tui.model.files import DEFAULT, full_name

    begin = store.state.begin
    if begin is None or begin.fingerprint == found:
        return False
    return full_name(begin.model) == full_name(store.settings.model) == DEFAULT


def belongs(store: Store, found: str) -> None:
    """Raise ModelError (exit 4) if the home was begun with another model than the one with fingerprint `found`. A home
    of an earlier version's built-in model goes on with the present one."""
    from theta_tui.model.files import full_name

    begin, model = store.state.begin, store.settings.model
    if begin is None or begin.fingerprint == found or newer_built_in(store, found):
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
    """The model of one home, with its lessons learned."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.memory = UndoSnapshots()
        self.saved_at: float | None = None
        """Unix time of the newest checkpoint that fits what is learned now."""
        self.saved_position = 0
        """The journal seq of that checkpoint."""
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

    # --- the whole replay ---

    def load(self, on_stage: Stage, learned: Callable[[Lesson, Result], None]) -> Path | None:
        """Load model, moments and step count from the newest checkpoint that fits, learn the lessons since, and return
        the checkpoint's path. `learned` is called for each lesson that was learned again."""
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
        """Load the model, with the weights of checkpoint `weights` or else of the base model; no moments, no steps.

        `adaptation`: whether it learns by LoRA, and the rank; by default as the home was begun. Raises ModelError
        (exit 4).
        """
        from theta_tui.learning.learner import Learner

        adapt, rank = adaptation or adaptation_of(self.store)
        self.memory.clear()
        self._model = None
        self._learner = None
        self.saved_at, self.saved_position = None, 0
        on_stage("loading the model")
        self._model = self._read(weights=weights, adapt=adapt, rank=rank, on_stage=on_stage)
        self.store.notices.extend(self._model.notices)
        self._learner = Learner(self._model)
        if not self._model.chat.speak_as(self.store.state.persona):
            self.store.notices.append(f"the persona of this home is not shown to the model: {NO_SYSTEM_TURN}")

    def _read(self, **how: Any) -> LanguageModel:
        """Load the model that the settings name, with their options; `how` are more arguments of its `load`."""
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

    def from_base_model(self, on_lesson: OnLesson) -> None:
        """Replay all lessons from the base model, ignoring memory and checkpoints."""
        self.memory.clear()
        self._put(None)
        self._relearn(self.store.state, list(filter(_done, self.store.state.active)), on_lesson, never)

    # --- another past ---

    def change(self, change: Withdraw | Restore, on_lesson: OnLesson, cancelled: Callable[[], bool] = never) -> None:
        """Bring the model to the state that `change` makes, and then journal `change`.

        `on_lesson` gets the position and the number of the lessons that are learned again. Raises Abandoned if
        `cancelled`; then, and after any other error, model, memory and journal are as they were.
        """
        state = self.store.supposing(change)
        before, memory, saved = self.learner.snapshot(), self.memory.copy(), (self.saved_at, self.saved_position)
        try:
            redone = self.memory.taken_back(change.of) if isinstance(change, Restore) else None
            if redone is not None:
                self.learner.restore(redone)
                self.memory.forget_after(change.of)
            else:
                self._follow(state, state.taught_by(change.of), on_lesson, cancelled)
            newest = next(self.usable_checkpoints(state), None)
            self.saved_at, self.saved_position = (newest.saved_at, newest.position) if newest else (None, 0)
            self.store.append(change)
        except BaseException:
            # Memory first: what only it holds need not be copied for going back.
            self.memory, (self.saved_at, self.saved_position) = memory, saved
            self.learner.restore(before)
            raise
        if isinstance(change, Withdraw):
            self.memory.took_back(change.of, before)
        elif redone is not None and state.active and state.active[-1].seq == change.of:
            self.memory.remember(change.of, before)

    def _follow(self, state: State, changed: list[Lesson], on_lesson: OnLesson, cancelled: Callable[[], bool]) -> None:
        """Bring the learner to `state`, which differs from what is learned now in the lessons `changed`."""
        changed = [lesson for lesson in changed if not moves_nothing(lesson)]
        if not changed:
            return
        held = _counting(self.learner.modules, state)
        signs = bool(self.learner.signs.modules)
        since = list(filter(_done, state.active_after(changed[0].seq - 1)))
        if all(map(has_own_weights, changed)) and not any(is_always_on(lesson, signs) for lesson in since):
            self.learner.modules = held
            moves = [lesson for lesson in changed if lesson.moves and _done(lesson) and lesson.seq not in held]
        else:
            position = self._go_back(state, changed[0].seq)
            since = list(filter(_done, state.active_after(position)))
            if any(is_always_on(lesson, signs) for lesson in [*changed, *since]):
                held = {seq: module for seq, module in held.items() if seq <= position}
            # The state gone back to may contain the restored lesson.
            self.learner.modules = held = _counting(self.learner.modules, state) | held
            moves = [lesson for lesson in since if lesson.seq not in held]
            self.memory.forget_after(position)
        self._relearn(state, moves, on_lesson, cancelled)
        self.learner.step = state.step

    def _not_learned(self, manifest: Manifest | None) -> list[Lesson]:
        """Drop the modules of lessons that do not count, and return the lessons that the loaded checkpoint lacks, in
        order."""
        state, learner = self.store.state, self.learner
        learner.modules = _counting(learner.modules, state)
        found = state.active_after(manifest.position if manifest else 0)
        if manifest is not None:
            missing = set(manifest.extra["withdrawn"]) - set(state.withdrawn)
            # Lessons that went on learning since are in it as they were before.
            missing |= {lesson.seq for lesson in state.active if lesson.seq <= manifest.position < lesson.learned_by}
            found = [*map(state.lesson, sorted(missing)), *found]
        learner.step = state.step - sum(lesson.outcome.steps for lesson in found if lesson.outcome)
        return found

    def _go_back(self, state: State, seq: int) -> int:
        """Go back to the newest snapshot or checkpoint that contains exactly the lessons of `state` up to some
        position, and return that. `seq` is the lesson in which `state` differs from what is learned now."""
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
        """Reset model and learner to a checkpoint, or to the base model; false if the checkpoint cannot be used."""
        from theta_tui.learning import checkpoint

        if manifest is None:
            self.learner.load_weights(None)
            return True
        try:
            checkpoint.load_into(manifest.path, self.learner)
        except ThetaError as error:
            self._pass_over(error)
            return False
        return True

    def _relearn(
        self,
        state: State,
        lessons: list[Lesson],
        on_lesson: OnLesson,
        cancelled: Callable[[], bool],
    ) -> None:
        """Learn `lessons` of `state` again. Lessons begun and never learned are not among them: the next start learns
        those."""
        from theta_tui.learning.learner import Abandoned

        with self.store.assuming(state):
            for at, lesson in enumerate(lessons, 1):
                on_lesson(at, len(lessons))
                if cancelled():
                    raise Abandoned
                before = self.learner.snapshot()
                self._learn_again(lesson, cancelled)
                self.memory.remember(lesson.seq, before)

    def _learn_again(self, lesson: Lesson, should_stop: Callable[[], bool]) -> Result:
        recipe = Recipe.from_dict(lesson.recipe)
        return learn(self.learner, self.store.state, lesson, recipe, should_stop=should_stop)

    # --- checkpoints ---

    def usable_checkpoints(self, state: State, notify: Stage = lambda _: None) -> Iterator[Manifest]:
        """The checkpoints that contain exactly the lessons of `state` up to their position, newest first. `notify` is
        told of checkpoints that do not belong to the journal.

        A checkpoint identifies its record by checksum: if the end of a journal was lost, other lessons get the same
        numbers. The last rebuild and the withdrawals up to there must be the same as when it was written. Only
        withdrawals of lessons with weights of their own may differ: those are taken out, or learned, after loading.
        """
        from theta_tui.learning import checkpoint

        journal = self.store.journal
        for manifest in checkpoint.list_checkpoints(self.store.home.checkpoints):
            position, extra = manifest.position, manifest.extra
            if position > journal.last_seq or extra.get("record") != journal.checksum(position):
                age = "is newer than the journal" if position > journal.last_seq else "is not of this journal"
                notify(f"{manifest.path.name} {age}: it has lessons that the journal does not hold, and is not used")
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
        """Whether these lessons of `state` have weights of their own, and no lesson up to `position` is always on."""
        if not all(has_own_weights(state.lesson(seq)) for seq in seqs):
            return False
        return not any(is_always_on(lesson, signs) for lesson in state.active if lesson.seq <= position)

    def _valid_checkpoints(self, on_stage: Stage) -> Iterator[Manifest]:
        """The valid checkpoints of this journal, newest first. Damaged ones are reported and skipped."""
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
        """Write a checkpoint of what is learned so far. On HomeError or ModelError nothing changes."""
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
        """The journal seq that the weights have reached: before a lesson that was begun and abandoned."""
        begun = self.store.state.begun
        return self.store.journal.last_seq if begun is None else begun.seq - 1
