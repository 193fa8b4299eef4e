"""One lesson → a bounded number of optimizer steps. Owns the optimizer; nothing else may move the weights.

A lesson is all or nothing: an exception, a stop, a non-finite number or a full memory leaves weights, moments,
gradients and step count as they were before it.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

import torch

from theta_tui.base.errors import TeachError
from theta_tui.learning import module_lesson
from theta_tui.learning.adamw import Adam, Part
from theta_tui.learning.passes import Pass, Passes, frozen
from theta_tui.learning.recall import Recall, label_positions, nll_and_margin, recalled
from theta_tui.learning.recipes import Recipe
from theta_tui.learning.sign_steps import FIELDS, SignSteps
from theta_tui.model.chat_template import Example, Turns
from theta_tui.model.instant import UNDATED
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.modules import LessonModule


@dataclass(frozen=True, slots=True)
class Progress:
    """A lesson under way: `steps` taken of at most `limit`, the loss now, P(reply) before the lesson and now."""

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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state to go back to. Snapshots share the copies of what did not change between them."""

    step: int
    parts: Mapping[str, Part]
    picked: Mapping[str, torch.Tensor]
    modules: Mapping[int, LessonModule]

    @property
    def nbytes(self) -> int:
        """Bytes held, those shared with other snapshots included; not those of modules, which are held once however
        many snapshots have them."""
        held = [tensor for part in self.parts.values() for tensor in (part.weight, part.first, part.second)]
        return sum(tensor.nbytes for tensor in (*held, *self.picked.values()) if tensor is not None)


@dataclass(frozen=True, slots=True)
class _Row:
    """One text that a step is taken on: its loss labels and, for the proof, those of the reply alone. `counts`: the
    lesson goes on until this one is said."""

    loss: Example
    reply: Example
    counts: bool = True


class _Lesson:
    """What a lesson goes by: `rows` (the pair alone first) are to be learned, `rehearsed` to be kept; the reply of the
    first row was preferred to those of `unpicked`."""

    def __init__(
        self, passes: Passes, upper: bool, rows: Sequence[_Row], rehearsed: Sequence[_Row], unpicked: Sequence[_Row]
    ) -> None:
        self.rows = rows
        self.rehearsed = rehearsed
        self.unpicked = unpicked
        every = [*rows, *rehearsed, *unpicked]
        wanted = [label_positions(row.loss.labels) for row in every]
        ids, places = [row.loss.input_ids for row in every], [some for some, _ in wanted]
        self.reading: Pass = passes.over(ids, places, upper=upper)
        """Over all rows, at the places where the loss is taken."""
        self.counts = [len(tokens) for _, tokens in wanted]
        self.wanted = torch.tensor([token for _, tokens in wanted for token in tokens], device=passes.lm.device)
        """The tokens that belong there, row after row."""
        said = [set(label_positions(row.reply.labels)[0]) for row in rows]
        self.replies = [
            torch.tensor([at for at, place in enumerate(some) if place in own], device=passes.lm.device)
            for some, own in zip(places, said, strict=False)
        ]
        """Which of a row's are those of the reply alone."""
        self.preference = _Preference()


class _Preference:
    """−log of the chosen one's softmax over all that were offered, of how much likelier each has become since the
    lesson began, in nats a token (the top-1 term of Plackett–Luce). Where it begins, its slope is the chosen one's loss
    against the mean of all: what was not picked is not punished for being good language, only for being likelier than
    its peers made it."""

    def __init__(self) -> None:
        self._before: torch.Tensor | None = None

    def __call__(self, losses: Sequence[torch.Tensor]) -> torch.Tensor:
        """Of the losses now, the chosen one's first."""
        now = -torch.stack(list(losses))
        if self._before is None:
            self._before = now.detach()
        return -(now - self._before).log_softmax(0)[0]


@dataclass(frozen=True, slots=True)
class _Look:
    """One forward pass: the loss to step on, what is seen on the pair alone, and the least margin over the rows that
    count."""

    loss: torch.Tensor
    bare: _Seen
    margin: float


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
        self._adam = Adam(self._parameters)
        self._copies: dict[str, Part] = {}

    def learn(
        self,
        kind: Literal["pick", "correction"],
        turns: Turns,
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
        progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Teach that the reply to `prompt` is `reply`, in the weights that all replies share.

        `variants` are other wordings of the prompt and `past` are earlier lessons (prompt, reply and when it was
        taught): as many as the recipe wants of them are learned in the same steps. `others` are the replies that were
        offered beside a picked one. `at` is when this is taught, in Unix time, for a chat template that writes that.
        With `steps`, exactly so many are taken whatever the clock says: on the same machine, from the same state,
        that repeats a lesson bit for bit. Raises TeachError (blank, too long, out of memory) and Abandoned.
        """
        if kind == "pick" and recipe.pick_lr:
            recipe = replace(recipe, lr=recipe.pick_lr)
        rows = self._rows(turns, prompt, reply, recipe, at)
        wordings = [(other, reply, at) for other in variants[: recipe.variants]]
        rows += [replace(row, counts=False) for row in self._beside(wordings, recipe)]
        rehearsed = self._beside(past[: recipe.rehearse], recipe)
        unpicked = self._beside([(prompt, other, at) for other in others], recipe) if recipe.listwise else []
        before = self.snapshot()
        exhausted = False
        try:
            with self._training(kind, recipe, seed):
                lesson = _Lesson(self.passes, self.takes_signs(kind, recipe), rows, rehearsed, unpicked)
                return self._run(kind, lesson, recipe, steps, progress, should_stop)
        except _NotFinite as stop:
            self.restore(before)
            known = stop.first
            return Result(known.loss, known.loss, known.p, known.p, 0, known.says, losses=(), skipped=stop.why)
        except BaseException as error:
            if not _is_out_of_memory(error):
                self.restore(before)
                raise
            exhausted = True
        # Outside of the handler: the exception holds the frames that hold the memory.
        assert exhausted
        self.restore(before)
        self._out_of_memory()

    def _out_of_memory(self) -> NoReturn:
        if self.lm.device == "cuda":
            torch.cuda.empty_cache()
        raise TeachError(
            f"the {self.lm.device} ran out of memory and nothing was learned; teach a shorter reply, start a fresh "
            "conversation, or use a smaller --model"
        )

    def learn_module(
        self,
        key: int,
        turns: Turns,
        prompt: str,
        reply: str,
        recipe: Recipe,
        *,
        at: float = UNDATED,
        steps: int | None = None,
        variants: Sequence[str] = (),
        progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Teach that the reply to `prompt` is `reply`, in weights of the lesson's own (`modules[key]`); nothing else
        moves. It is learned, and measured, on the weights without the picks, so that what is learned does not depend on
        them. Arguments, result and errors as those of `learn`."""
        pair = self._rows(turns, prompt, reply, recipe, at)
        beside = [
            (other, reply, at) for other in (*variants[: recipe.variants], *module_lesson.GENERIC[: recipe.generic])
        ]
        rows = [module_lesson.row_of(row.reply) for row in (*pair, *self._beside(beside, recipe))]
        looks: list[module_lesson.Look] = []

        def hear(taken: int, look: module_lesson.Look) -> None:
            looks.append(look)
            if progress:
                limit = steps if steps is not None else recipe.max_steps
                progress(Progress(taken, limit, look.bare.loss, looks[0].bare.p, look.bare.p))
            if should_stop():
                raise Abandoned

        exhausted = False
        try:
            with frozen(self.lm.model), self.signs.without(), self._seeded(key):
                module, _ = module_lesson.learn(
                    self.lm, rows, recipe.margin, most=recipe.max_steps, steps=steps, hear=hear
                )
        except module_lesson.NotFinite as stop:
            known = looks[0].bare if looks else Recall(math.nan, math.nan, False, math.nan, 1)
            return Result(known.loss, known.loss, known.p, known.p, 0, known.says, losses=(), skipped=str(stop))
        except BaseException as error:
            if not _is_out_of_memory(error):
                raise
            exhausted = True
        if exhausted:
            self._out_of_memory()
        self.modules[key] = module
        taken = len(looks) - 1
        self.step += taken
        first, last = looks[0].bare, looks[-1].bare
        losses = tuple(look.bare.loss for look in looks)
        return Result(first.loss, last.loss, first.p, last.p, taken, last.says, losses=losses)

    # --- going back ---

    def snapshot(self) -> Snapshot:
        """The state now. Cheap where little changed since the last one: only what did is copied."""
        for name in self._parameters:
            if name not in self._copies:
                self._copies[name] = self._adam.copy(name)
        return Snapshot(self.step, dict(self._copies), self.signs.state(), dict(self.modules))

    def restore(self, snapshot: Snapshot) -> None:
        """Back to `snapshot`, bit for bit, in place."""
        for name, part in snapshot.parts.items():
            if self._copies.get(name) is not part:
                self._adam.put(name, part)
                self._copies[name] = part
        self.signs.take(snapshot.picked)
        self.modules = dict(snapshot.modules)
        self.step = snapshot.step

    def reset(self) -> None:
        """Forget moments, step count and copies: the weights were changed from outside."""
        self._adam.forget()
        self._copies.clear()
        self.signs.take({})
        self.modules = {}
        self.step = 0

    # --- for the checkpoint ---

    @property
    def moved_shared(self) -> bool:
        """Whether anything has moved the weights that all replies share, or may have."""
        return self.lm.adapter is not None or bool(self.signs.base) or bool(self._adam.state())

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """All that is needed to go on as if never stopped, the weights apart: tensors by name, and plain values."""
        modules = {
            f"module.{key}.{name}": tensor
            for key, module in self.modules.items()
            for name, tensor in module.state().items()
        }
        return self.signs.state() | self._adam.state() | modules, {"step": self.step}

    def load_state(self, tensors: Mapping[str, torch.Tensor], values: Mapping[str, Any]) -> None:
        """Take what `state` gave; the weights were put in place before. Raises ValueError where it does not fit."""
        step = values.get("step")
        parts: dict[str, dict[str, torch.Tensor]] = {}
        picked: dict[str, torch.Tensor] = {}
        modules: dict[int, dict[str, torch.Tensor]] = {}
        for key, tensor in tensors.items():
            field, _, name = key.partition(".")
            if field == "module":
                number, _, part_name = name.partition(".")
                modules.setdefault(int(number), {})[part_name] = tensor.contiguous().clone().to(self.lm.device)
                continue
            if field in FIELDS:
                picked[key] = tensor.contiguous().clone()  # off the file's own, unaligned memory
                continue
            parameter = self._parameters.get(name)
            if field not in ("step", "exp_avg", "exp_avg_sq") or parameter is None:
                raise ValueError(f"{key} belongs to no parameter of this model")
            if field != "step" and tensor.shape != parameter.shape:
                raise ValueError(f"{key} has the wrong shape")
            parts.setdefault(name, {})[field] = tensor
        if not isinstance(step, int) or any(not {"step", "exp_avg_sq"} <= set(part) for part in parts.values()):
            raise ValueError("the training state lacks a part")
        if not self.signs.fits(picked):
            raise ValueError("what picks have added does not fit this model")
        found = {key: self._as_module(parts) for key, parts in modules.items()}
        self.reset()
        self.signs.take(picked)
        self.modules = found
        self.step = step
        for name, part in parts.items():
            self._adam.set_state(name, float(part["step"]), part.get("exp_avg"), part["exp_avg_sq"])

    # --- inside ---

    def _as_module(self, parts: Mapping[str, torch.Tensor]) -> LessonModule:
        """Raises ValueError where `parts` are not those of a module of this model."""
        if set(parts) == {"detectors", "values", "bias"}:
            module = LessonModule(**parts)
            if module.fits(self._width):
                return module
        raise ValueError("a lesson's own weights do not fit this model")

    @property
    def _width(self) -> int:
        """How many numbers the model's states have."""
        return int(self.lm.model.get_output_embeddings().weight.shape[1])

    @contextlib.contextmanager
    def _seeded(self, seed: int) -> Iterator[None]:
        """The same global random state, which is set back: a model may draw numbers even in eval mode."""
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if self.lm.device == "cuda" else []):
            torch.manual_seed(seed)
            yield

    def _rows(self, turns: Turns, prompt: str, reply: str, recipe: Recipe, at: float) -> list[_Row]:
        """The pair alone and, where the recipe wants it and there is a conversation, the pair at the end of it."""
        bare = self._row((), prompt, reply, recipe, None, at)
        if not recipe.context_tokens or not turns:
            return [bare]
        within = self._row(turns, prompt, reply, recipe, len(bare.reply.input_ids) + recipe.context_tokens, at)
        return [bare] if within.reply.input_ids == bare.reply.input_ids else [bare, within]

    def _beside(self, lessons: Sequence[tuple[str, str, float]], recipe: Recipe) -> list[_Row]:
        """What is learned or looked at beside the lesson; what does not fit the window is left out."""
        rows: list[_Row] = []
        for prompt, reply, at in lessons:
            with contextlib.suppress(TeachError):
                rows.append(self._row((), prompt, reply, recipe, None, at))
        return rows

    def _row(self, turns: Turns, prompt: str, reply: str, recipe: Recipe, limit: int | None, at: float) -> _Row:
        return _Row(
            self.lm.encode_lesson(turns, prompt, reply, limit=limit, loss=recipe.loss, at=at),
            self.lm.encode_lesson(turns, prompt, reply, limit=limit, at=at),
        )

    def _run(
        self,
        kind: Literal["pick", "correction"],
        lesson: _Lesson,
        recipe: Recipe,
        steps: int | None,
        progress: Callable[[Progress], None] | None,
        should_stop: Callable[[], bool],
    ) -> Result:
        begun = time.monotonic()
        limit = steps if steps is not None else recipe.pick_steps if kind == "pick" else recipe.max_steps
        signs = self.takes_signs(kind, recipe)
        first: _Seen | None = None
        losses: list[float] = []
        taken, longest, last = 0, 0.0, begun
        while True:
            look = self._look(lesson, recipe)
            first = first or look.bare
            losses.append(look.bare.loss)
            loss = float(look.loss.detach())
            if not math.isfinite(loss) or not math.isfinite(look.bare.logprob):
                raise _NotFinite(f"the loss was {look.bare.loss}; nothing was learned", first)
            if progress:
                progress(Progress(taken, limit, look.bare.loss, first.p, look.bare.p))
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            if taken >= limit:
                break
            if steps is None and kind == "correction" and taken > 0:
                if look.margin >= recipe.margin and look.margin > 0:
                    break
                # Past its time a lesson that is said already need not be said by the whole margin; one that is not
                # said gets four times as long, because on a busy machine half a lesson is worse than a late one.
                seconds = now - begun + longest
                if seconds > recipe.max_seconds and (look.margin > 0 or seconds > 4 * recipe.max_seconds):
                    break
            if should_stop():
                raise Abandoned
            if signs:
                self._take_sign_step(lesson, look, recipe, first)
            else:
                self._take_step(look.loss, recipe, first)
            taken += 1
        if taken and not signs:
            self.signs.rebase()
        seen = look.bare
        return Result(first.loss, seen.loss, first.p, seen.p, taken, seen.says, losses=tuple(losses))

    def takes_signs(self, kind: str, recipe: Recipe) -> bool:
        """Whether such a lesson moves the last layers of the upper MLPs alone, by sign steps."""
        return recipe.method == "module" and kind == "pick" and bool(self.signs.modules)

    def _look(self, lesson: _Lesson, recipe: Recipe) -> _Look:
        """One forward pass over everything that the lesson goes by."""
        each, leads = (
            found.split(lesson.counts) for found in nll_and_margin(lesson.reading.logits().float(), lesson.wanted)
        )
        losses = [some.mean() for some in each]
        recalls = [recalled(each[at][own], leads[at][own]) for at, own in enumerate(lesson.replies)]
        learned = len(lesson.rows) + len(lesson.rehearsed)
        loss = losses[0] if learned == 1 else torch.stack(losses[:learned]).mean()
        if lesson.unpicked:
            loss = loss + recipe.listwise * lesson.preference([losses[0], *losses[learned:]])
        margin = min(recall.margin for recall, row in zip(recalls, lesson.rows, strict=True) if row.counts)
        return _Look(loss, _Seen.of(recalls[0], float(losses[0].detach())), margin)

    def _take_sign_step(self, lesson: _Lesson, look: _Look, recipe: Recipe, first: _Seen) -> None:
        look.loss.backward()
        if not self.signs.step(recipe.pick_lr, recipe.pick_decay, lesson.reading.layer_gradients()):
            raise _NotFinite("the gradient was not finite; nothing was learned", first)
        self.step += 1

    def _take_step(self, loss: torch.Tensor, recipe: Recipe, first: _Seen) -> None:
        norm = self._adam.step(loss, recipe.clip)
        if not math.isfinite(norm):
            raise _NotFinite(f"the gradient was {norm}; nothing was learned", first)
        self.step += 1

    @contextlib.contextmanager
    def _training(self, kind: str, recipe: Recipe, seed: int) -> Iterator[None]:
        """The model set up for `recipe`, and set back afterwards: no gradients, no frozen parameters."""
        signs = self.takes_signs(kind, recipe)
        if signs:
            trained = self.signs.weights
        else:
            trained = [name for name in self._parameters if recipe.train_embeddings or name not in self._embeddings]
            self._adam.prepare(recipe, trained, device=self.lm.device, adapter=self.lm.adapter is not None)
        for name, parameter in self._parameters.items():
            # A sign step needs no gradients of weights, only of what comes out of the modules.
            parameter.requires_grad_(name in trained and not signs)
        # From here on the copies are those of the past.
        for name in trained:
            self._copies.pop(name, None)
        try:
            with self._seeded(seed):
                yield
        finally:
            self._adam.clear_gradients()
            for parameter in self._parameters.values():
                parameter.requires_grad_(True)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The pair alone at one forward pass."""

    loss: float
    logprob: float
    p: float
    says: bool

    @classmethod
    def of(cls, recall: Recall, loss: float) -> _Seen:
        return cls(loss, recall.logprob, recall.p, recall.says)


class _NotFinite(Exception):
    def __init__(self, why: str, first: _Seen) -> None:
        super().__init__(why)
        self.why = why
        self.first = first


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
