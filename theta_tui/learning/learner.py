"""One lesson → a bounded number of optimizer steps. Owns the optimizers; nothing else may move the weights.

A lesson is all or nothing: after an exception, a stop, a number that is not finite or a full memory, weights, moments,
gradients and step count are as they were before it.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from theta_tui.base.errors import TeachError
from theta_tui.learning.adamw import AdamW
from theta_tui.learning.module_lesson import GENERIC, ModuleLesson, row_of
from theta_tui.learning.optimizer import Lesson, Look, NotFinite, Optimizer
from theta_tui.learning.passes import Passes, frozen
from theta_tui.learning.recipes import FIXED, Recipe
from theta_tui.learning.shared_lesson import SharedLesson, fitting, row
from theta_tui.learning.sign_steps import FIELDS, SignSteps
from theta_tui.learning.snapshot import Copies, Snapshot
from theta_tui.model.instant import UNDATED
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.modules import LessonModule, modules_of, tensors_of

Kind = Literal["pick", "correction"]


@dataclass(frozen=True, slots=True)
class Progress:
    """A lesson under way: `steps` taken of at most `limit`, the loss now in nats a token, P(reply) before and now."""

    steps: int
    limit: int
    loss: float
    p_before: float
    p_now: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a lesson did, measured on the pair alone (no conversation in front).

    Losses are mean nats a token (of the reply, or of the pair where the recipe's loss is over all of it), one of
    `losses` a forward pass. `learned`: every reply token is now the likeliest. `skipped` says why nothing moved; the
    numbers before and after are then equal, and NaN where the model itself gave NaN.
    """

    loss_before: float
    loss_after: float
    p_before: float
    p_after: float
    steps: int
    learned: bool
    losses: tuple[float, ...] = ()
    skipped: str | None = None


class Abandoned(Exception):
    """The lesson was stopped between two steps; everything is as before it."""


class Learner:
    """Teaches one LanguageModel. Belongs to the same thread."""

    def __init__(self, lm: LanguageModel) -> None:
        self.lm = lm
        self.signs = SignSteps(lm)
        self.passes = Passes(lm, self.signs.modules)
        self.step = 0
        """Optimizer steps since the beginning."""
        self.modules: dict[int, LessonModule] = {}
        """The lessons that have weights of their own, by the key they were learned under."""
        self._parameters = lm.trainable()
        self._embeddings = _embedding_names(lm.model, self._parameters)
        self._adamw = AdamW(self._parameters)
        self._copies = Copies(self._adamw)

    def learn(
        self,
        kind: Kind,
        prompt: str,
        reply: str,
        recipe: Recipe,
        *,
        seed: int,
        steps: int | None = None,
        variants: Sequence[str] = (),
        others: Sequence[str] = (),
        past: Sequence[tuple[str, str, float]] = (),
        at: float = UNDATED,
        ended: bool = True,
        progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        should_end: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Teach that the reply to `prompt` is `reply`, in the weights that all replies share.

        `variants` are other wordings of the prompt and `past` are earlier lessons (prompt, reply and when it was
        taught): as many as the recipe wants of them are learned in the same steps. `others` are the replies that were
        offered beside a picked one. `at` is when this is taught, in Unix time, for a chat template that writes that.
        A reply that was cut (`ended` is false) is learned without an end token.
        With `steps`, exactly so many are taken whatever the clock says: on the same machine, from the same state,
        that repeats a lesson bit for bit. A lesson that `should_end` keeps the steps that it took, one at least; one
        that `should_stop` is Abandoned. Raises TeachError (blank, too long, out of memory) and Abandoned.
        """
        signs, picked = self.takes_signs(kind, recipe), kind == "pick"
        wordings = [(other, reply, at) for other in variants[: recipe.variants]]
        rows = [
            row(self.lm, prompt, reply, recipe, at, ended=ended),
            *fitting(self.lm, wordings, recipe, ended=ended),
            *fitting(self.lm, past[: recipe.rehearse], recipe),
        ]
        offered = [(prompt, other, at) for other in others] if recipe.listwise else []
        unpicked = list(fitting(self.lm, offered, recipe))

        def run() -> Result:
            with self._training(recipe, picked, signs, seed):
                lesson = SharedLesson(self.passes, signs, rows, unpicked, recipe.listwise)
                optimizer: Optimizer = self._adamw
                if signs:
                    optimizer = self.signs.optimizer(lesson.reading, recipe.pick_lr, recipe.pick_decay)
                result = self._run(
                    "pick" if picked else "shared", lesson, optimizer, recipe, steps, progress, should_stop, should_end
                )
                if result.steps and not signs:
                    self.signs.rebase()
                return result

        return self._attempt(run)

    def learn_module(
        self,
        key: int,
        prompt: str,
        reply: str,
        recipe: Recipe,
        *,
        at: float = UNDATED,
        steps: int | None = None,
        variants: Sequence[str] = (),
        progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        should_end: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Teach that the reply to `prompt` is `reply`, in weights of the lesson's own (`modules[key]`); nothing else
        moves. It is learned, and measured, on the weights without the picks, so that what is learned does not depend on
        them. Arguments, result and errors as those of `learn`."""
        beside = [(other, reply, at) for other in (*variants[: recipe.variants], *GENERIC[: recipe.generic])]
        pair = row(self.lm, prompt, reply, recipe, at)
        rows = [row_of(one.reply) for one in (pair, *fitting(self.lm, beside, recipe))]
        if len(rows[0][1]) <= recipe.repeated:
            # A model copies what stands in front, and with its own reply there it skipped words of a lesson: of 15 with
            # SmolLM2, 10 were said whole, and 15 when that was learned too. Of longer replies Adam swings too far.
            with contextlib.suppress(TeachError):
                rows.append(row_of(self.lm.encode_lesson(((prompt, reply),), prompt, reply, at=at)))

        def run() -> Result:
            with frozen(self.lm.model), self.signs.without(), self._seeded(key):
                lesson = ModuleLesson(self.lm, rows, recipe.margin, recipe.back_off)
                result = self._run("module", lesson, lesson, recipe, steps, progress, should_stop, should_end)
                self.modules[key] = lesson.finished()
                return result

        return self._attempt(run)

    def takes_signs(self, kind: str, recipe: Recipe) -> bool:
        """Whether such a lesson moves the last layers of the upper MLPs alone, by sign steps."""
        return recipe.method == "module" and kind == "pick" and bool(self.signs.modules)

    # --- the loop ---

    def _run(
        self,
        kind: Literal["pick", "shared", "module"],
        lesson: Lesson,
        optimizer: Optimizer,
        recipe: Recipe,
        steps: int | None,
        progress: Callable[[Progress], None] | None,
        should_stop: Callable[[], bool],
        should_end: Callable[[], bool],
    ) -> Result:
        """Look and step until the lesson is learned. Raises Abandoned."""
        limit = steps if steps is not None else FIXED["pick_steps"] if kind == "pick" else recipe.max_steps
        first: Look | None = None
        losses: list[float] = []
        taken, longest, begun = 0, 0.0, time.monotonic()
        last = begun
        while True:
            look = lesson.look()
            first = first or replace(look, loss=look.loss.detach())
            losses.append(look.nats)
            if not math.isfinite(float(look.loss.detach())) or not math.isfinite(look.recall.logprob):
                return _skipped(first, f"the loss was {look.nats}")
            if progress:
                progress(Progress(taken, limit, look.nats, first.recall.p, look.recall.p))
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            if taken >= limit or (steps is None and _is_enough(kind, look, recipe, taken, now - begun + longest)):
                break
            if should_stop():
                raise Abandoned
            if taken and should_end():
                break
            try:
                self._take_step(optimizer, look.loss)
            except NotFinite as stop:
                return _skipped(first, str(stop))
            taken += 1
        before, after = first.recall, look.recall
        return Result(first.nats, look.nats, before.p, after.p, taken, after.says, losses=tuple(losses))

    def _take_step(self, optimizer: Optimizer, loss: torch.Tensor) -> None:
        optimizer.step(loss)
        self.step += 1

    def _attempt(self, run: Callable[[], Result]) -> Result:
        """What `run` returns. Everything is as before where it learned nothing, and where it raises. Raises TeachError
        where the memory is full."""
        before = self.snapshot()
        try:
            result = run()
            if result.skipped is not None:
                self.restore(before)
            return result
        except BaseException as error:
            if not _is_out_of_memory(error):
                self.restore(before)
                raise
        # Outside of the handler: the exception holds the frames that hold the memory.
        self.restore(before)
        if self.lm.device == "cuda":
            torch.cuda.empty_cache()
        raise TeachError(
            f"the {self.lm.device} ran out of memory and nothing was learned; teach a shorter reply, start a new "
            "conversation, or use a smaller --model"
        )

    @contextlib.contextmanager
    def _training(self, recipe: Recipe, picked: bool, signs: bool, seed: int) -> Iterator[None]:
        """The model set up for steps in the shared weights, and set back afterwards: no gradients, nothing frozen."""
        trained = self.signs.weights if signs else [
            name for name in self._parameters if recipe.train_embeddings or name not in self._embeddings
        ]  # fmt: skip
        self._copies.moving(trained)
        if not signs:
            rate = recipe.pick_lr if picked and recipe.pick_lr else recipe.lr
            rate *= recipe.lora_lr_factor if self.lm.adapter is not None else 1.0
            self._adamw.prepare(trained, self.lm.device, lr=rate, beta1=recipe.beta1)
        for name, parameter in self._parameters.items():
            # A sign step needs no gradients of weights, only of what comes out of the modules.
            parameter.requires_grad_(name in trained and not signs)
        try:
            with self._seeded(seed):
                yield
        finally:
            self._adamw.clear_gradients()
            for parameter in self._parameters.values():
                parameter.requires_grad_(True)

    @contextlib.contextmanager
    def _seeded(self, seed: int) -> Iterator[None]:
        """The same global random state, which is set back: a model may draw numbers even in eval mode."""
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if self.lm.device == "cuda" else []):
            if self.lm.device == "cpu":  # `torch.manual_seed` notes the whole stack for each device that there is not
                torch.default_generator.manual_seed(seed)
            else:
                torch.manual_seed(seed)
            yield

    # --- going back ---

    def snapshot(self) -> Snapshot:
        """The state now. Cheap: a parameter is copied when it moves."""
        return self._copies.snapshot(self.step, self.signs.state(), dict(self.modules))

    def restore(self, snapshot: Snapshot) -> None:
        """Back to `snapshot`, bit for bit, in place."""
        self._copies.restore(snapshot)
        self.signs.take(snapshot.picked)
        self.modules = dict(snapshot.modules)
        self.step = snapshot.step

    def load_weights(self, folder: Path | None) -> None:
        """Take the weights of `folder` (None: the base model's), in place, without moments, picks, modules or steps.
        Snapshots stay true. On an error nothing has changed."""
        self._copies.moving(self._parameters)
        self.lm.load_weights(folder)
        self.reset()

    def reset(self) -> None:
        """Forget moments, step count and modules."""
        self._copies.moving(self._parameters)
        self._adamw.forget()
        self.signs.take({})
        self.modules = {}
        self.step = 0

    # --- for the checkpoint ---

    @property
    def moved_shared(self) -> bool:
        """Whether anything has moved the weights that all replies share, or may have."""
        return self.lm.adapter is not None or bool(self.signs.base) or bool(self._adamw.state())

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """All that is needed to go on as if never stopped, the weights apart: tensors by name, and plain values."""
        return self.signs.state() | self._adamw.state() | tensors_of(self.modules), {"step": self.step}

    def load_state(self, tensors: Mapping[str, torch.Tensor], values: Mapping[str, Any]) -> None:
        """Take what `state` gave; the weights were put in place before. Raises ValueError where it does not fit."""
        step = values.get("step")
        picked: dict[str, torch.Tensor] = {}
        own: dict[str, torch.Tensor] = {}
        moments: dict[str, torch.Tensor] = {}
        for key, tensor in tensors.items():
            field, _, name = key.partition(".")
            if field == "module":
                own[name] = _in_memory(tensor).to(self.lm.device)
            elif field in FIELDS:
                picked[key] = _in_memory(tensor)
            else:
                moments[key] = tensor
        parts = self._adamw.parts(moments)
        if not isinstance(step, int):
            raise ValueError("the training state lacks a part")
        if not self.signs.fits(picked):
            raise ValueError("what picks have added does not fit this model")
        modules = modules_of(own, int(self.lm.model.get_output_embeddings().weight.shape[1]))
        self.reset()
        self.signs.take(picked)
        self.modules = modules
        self.step = step
        self._adamw.load(parts)


def _is_enough(kind: str, look: Look, recipe: Recipe, taken: int, seconds: float) -> bool:
    """The stop rule of a lesson after `taken` steps; another step would end `seconds` after it began."""
    said = look.margin >= recipe.margin and look.margin > 0
    if kind == "module":
        return said
    # Past its time a lesson that is said already need not be said by the whole margin; one that is not said gets four
    # times as long, because on a busy machine half a lesson is worse than a late one.
    late = seconds > recipe.max_seconds and (look.margin > 0 or seconds > 4 * recipe.max_seconds)
    return kind == "shared" and taken > 0 and (said or late)


def _skipped(first: Look, why: str) -> Result:
    known = first.recall
    return Result(first.nats, first.nats, known.p, known.p, 0, known.says, losses=(), skipped=why)


def _in_memory(tensor: torch.Tensor) -> torch.Tensor:
    """A copy off the file's own, unaligned memory."""
    return tensor.contiguous().clone()


def _embedding_names(model: Any, parameters: Mapping[str, torch.nn.Parameter]) -> frozenset[str]:
    """Parameters that turn tokens or positions into vectors, or vectors into logits."""
    modules = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    output = model.get_output_embeddings()
    held = {
        id(tensor) for module in [*modules, *([output] if output is not None else [])] for tensor in module.parameters()
    }
    return frozenset(name for name, parameter in parameters.items() if id(parameter) in held)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
