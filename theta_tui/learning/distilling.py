"""Lessons with weights and a scope of their own, put into weights that need neither, for exports. The model in use does
not move.

What is learned is added to the last layer of the last blocks' MLPs, where every loader of models has a plain weight
matrix. It is always on there, for the words of the prompt too. `bake` learns one matrix a layer for all lessons
together, held by KL to what the model says to prompts that no lesson is about (distillation, Hinton et al. 2015).
`low_rank` learns a LoRA (Hu et al. 2021) for one lesson, and whoever serves it switches it on for that lesson's
prompts.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from theta_tui.learning.adamw import AdamW
from theta_tui.learning.loss import margin_loss
from theta_tui.learning.module_lesson import BETAS, Row, detectors_of, row_of, texts_of
from theta_tui.learning.optimizer import NotFinite
from theta_tui.learning.passes import Pass, Passes, capture_hooks, frozen, padded
from theta_tui.learning.recall import forward_batch, nll_and_margin
from theta_tui.model.generate import greedy
from theta_tui.model.lora import LowRank
from theta_tui.model.modules import blocks_of, linear_size

if TYPE_CHECKING:
    from theta_tui.model.language_model import LanguageModel

RANK = 8
"""Rank of a lesson's LoRA: the smallest that vLLM makes room for. With 4, lessons take twice as many steps."""

LORA_BLOCKS = 2
"""The last blocks that a LoRA is in. With three, the built-in model takes as many steps, and each costs more."""

BAKED_BLOCKS = 3
"""The last blocks that `bake` moves."""

CLIP = 10.0
"""Global norm of the gradient, at most."""

MARGIN = 1.0
"""Nats by which each token of a reply is to lead."""

BAKING_RATE = 0.002
"""As a share of the root mean square of the weights that are added to."""

LORA_RATE = 0.15
"""As a share of the root mean square of the outputs of the layers that are added to."""

STEPS = 60, 8
"""Most steps of `bake`: so many, and so many more a row."""

LORA_STEPS = 48
"""Most steps of `low_rank`."""

HELD, SETTLED = 3.0, 10.0
"""The weight of the KL while lessons are learned, and once they are said."""

HURRY = 1.1
"""Factor of the step size after each pass over all lessons: the right size differs from model to model."""

SETTLING, LEAST = 4, 0.1
"""Least number of passes over the unrelated prompts once the lessons are said, and the share of the step size that is
left after them."""

SHARES, SPARE = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0), 0.2
"""Shares of what was learned, of which the least is kept with which every lesson is said by a margin of so many nats.
The built-in model with five lessons answers 6 of 20 unrelated prompts differently with all of it, and 4 with .6."""

BATCH = 16
"""Rows of one forward pass."""

SEEN = 64
"""The likeliest tokens at a position that the KL takes one by one; all others count as one."""

REMEMBERED = 60_000
"""Tokens up to which the states below the layers that move are kept for all steps: some 500 MB with a model of 135M."""

_DOWN = 0.7
"""Rate of the first matrix of a LoRA, as a share of the second one's."""


def back_layers(lm: LanguageModel, blocks: int) -> dict[str, Any]:
    """The last linear layer of each of the last `blocks` blocks, by its name in the model's files."""
    names = {id(module): name for name, module in lm.model.named_modules()}
    found = {}
    for block in blocks_of(lm.model)[-blocks:]:
        # An adapter's own layers lie within the one that it is put on.
        layers = [module for module in block.modules() if linear_size(module) and ".lora_" not in names[id(module)]]
        if layers:
            found[names[id(layers[-1])].removesuffix(".base_layer")] = layers[-1]
    return found


def own_rows(lm: LanguageModel, prompts: Sequence[str], tokens: int) -> Iterator[Row | None]:
    """For each of `prompts` the row of the model's own greedy reply, cut at `tokens`; None where the reply is blank."""
    for prompt in prompts:
        reply = greedy(lm, lm.encode_prompt((), prompt, room=tokens).ids, max_tokens=tokens)
        if not reply.text:
            yield None
            continue
        before, said = row_of(lm.encode_lesson((), prompt, reply.text))
        yield before, said if reply.ended else said[:-1]


def leads(model: Any, rows: Sequence[Row]) -> list[float]:
    """For each row the least lead of a reply's token over its strongest rival, in nats: above 0, `model` says it."""
    found: list[float] = []
    for some in _parts(rows):
        ids, _ = padded(texts_of(some))
        with torch.no_grad():
            logits = model(input_ids=ids.to(model.device), use_cache=False).logits
        for (prompt, reply), own in zip(some, logits, strict=True):
            places = own[len(prompt) - 1 : len(prompt) - 1 + len(reply)].float()
            found.append(float(nll_and_margin(places, torch.tensor(reply, device=own.device))[1].min()))
    return found


def with_added(model: Any, added: Mapping[str, torch.Tensor]) -> Any:
    """A copy of `model` with `added` ([out, in] by a layer's name) in its weights. It shares the other weights with
    `model`, which stays as it is."""
    moved = {f"{name}.weight" for name in added}
    memo: dict[int, Any] = {
        id(tensor): tensor for name, tensor in (*model.named_parameters(), *model.named_buffers()) if name not in moved
    }
    fresh = copy.deepcopy(model, memo)
    with torch.no_grad():
        for name, delta in added.items():
            weight = fresh.get_submodule(name).weight
            weight.copy_(weight.float() + (delta if weight.shape == delta.shape else delta.T).to(weight.device))
    return fresh


# --- all lessons in one matrix a layer ---


def bake(
    lm: LanguageModel, rows: Sequence[Row], unrelated: Sequence[Row], on_progress: Callable[[int, int], None]
) -> tuple[dict[str, torch.Tensor], int]:
    """What to add to the weights ([out, in], float32, by a layer's name) so that each of `rows` is said while
    `unrelated`, the model's own replies, stay as likely as they are; and the number of steps that took.

    `on_progress` gets the steps taken and their most, and may end it by raising. Same model, same rows: the same bits.
    Raises NotFinite.
    """
    layers = back_layers(lm, BAKED_BLOCKS)
    parts = {name: _Whole(layer) for name, layer in layers.items()}
    most, taken = STEPS[0] + STEPS[1] * len(rows), 0
    chance = random.Random(0)
    with _learning(lm, layers, parts, BAKING_RATE) as adamw:
        passes = Passes(lm, layers)
        remember = sum(len(prompt) + len(reply) for prompt, reply in (*rows, *unrelated)) <= REMEMBERED
        taught = [_Batch(passes, some, remember) for some in _parts(rows)]
        kept = [_Kept(passes, some, remember) for some in _parts(unrelated)]
        waiting: list[_Kept] = []

        def step(loss: torch.Tensor, weight: float) -> None:
            nonlocal taken
            if kept:
                waiting.extend(chance.sample(kept, len(kept)) if not waiting else ())
                loss = loss + weight * waiting.pop().distance()
            _step(adamw, loss)
            taken += 1
            on_progress(taken, most)

        settled, rate = not kept, BAKING_RATE
        while taken < most:
            corrected = 0
            for batch in chance.sample(taught, len(taught)):
                loss, ahead = batch.look(MARGIN)
                if not float(ahead.min()) >= MARGIN and taken < most:
                    step(loss, HELD)
                    corrected += 1
            if corrected:
                rate *= HURRY
                adamw.rate(rate)
                continue
            if settled:
                break
            # Said: now for what that cost elsewhere, in steps that become small. Then what is no longer said comes
            # back in small steps too.
            settled = True
            steps = min(max(SETTLING * len(kept), taken), most - taken)
            for at in range(steps):
                adamw.rate(rate * max(1 - at / steps, LEAST))
                step(chance.choice(taught).look(MARGIN)[0], SETTLED)
            rate *= LEAST
        # The less is added, the less changes elsewhere: margins that were needed to learn are not needed to be said.
        for share in SHARES:
            for part in parts.values():
                part.share = share
            with torch.no_grad():
                if all(float(batch.look(0.0)[1].min()) > SPARE for batch in taught):
                    break
        return {name: part.finished() for name, part in parts.items()}, taken


class _Whole:
    """A matrix that is added to one layer while it is learned."""

    def __init__(self, layer: Any) -> None:
        size = linear_size(layer)
        assert size is not None
        self._unit = layer.weight.detach().float().pow(2).mean().sqrt()
        self.share = 1.0
        """The share of it that is added."""
        self.moved = {"delta": torch.nn.Parameter(torch.zeros(size[1], size[0], device=layer.weight.device))}

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.share * self._unit * self.moved["delta"])

    def finished(self) -> torch.Tensor:
        return (self.share * self._unit * self.moved["delta"]).detach().contiguous()


# --- one lesson in a LoRA ---


def low_rank(
    lm: LanguageModel, rows: Sequence[Row], counts: int, on_progress: Callable[[int, int], None]
) -> tuple[dict[str, LowRank], bool]:
    """A LoRA by a layer's name with which each of `rows`, wordings with one reply, is said; and whether the first
    `counts` of them are, after LORA_STEPS steps at most. `on_progress` and errors as those of `bake`.

    As with a lesson's module, the matrix that comes first begins as detectors of the reply's places, so that a step at
    one place hardly disturbs another and the words of the prompt are left alone (learning/module_lesson.py).
    """
    layers = back_layers(lm, LORA_BLOCKS)
    with torch.no_grad(), frozen(lm.model):
        batch = _Batch(Passes(lm, layers), rows, True)
        ids, real = padded(texts_of(rows))
        inputs: dict[str, torch.Tensor] = {}
        with capture_hooks(layers, inputs, {}):
            forward_batch(lm, ids)
        parts = {name: _Detecting(layer, inputs[name][real].float(), rows) for name, layer in layers.items()}
    taken, tokens = 0, sum(len(reply) for _, reply in rows[:counts])
    with _learning(lm, layers, parts, LORA_RATE) as adamw:
        while True:
            loss, ahead = batch.look(MARGIN)
            on_progress(taken, LORA_STEPS)
            if float(ahead.min()) >= MARGIN or taken >= LORA_STEPS:
                said = float(ahead[:tokens].min()) > 0
                return {name: part.finished() for name, part in parts.items()}, said
            _step(adamw, loss)
            taken += 1


class _Detecting:
    """A LoRA of one layer while it is learned. `inputs` [tokens, in] are the layer's at the tokens of `rows`."""

    def __init__(self, layer: Any, inputs: torch.Tensor, rows: Sequence[Row]) -> None:
        places = [place for prompt, reply in rows for place in [-1] * (len(prompt) - 1) + list(range(len(reply)))]
        found = detectors_of(inputs, torch.tensor(places, device=inputs.device))
        if len(found) > RANK:
            # Each place has its own mixture of the detectors.
            mixing = torch.randn(len(found), RANK, generator=torch.Generator().manual_seed(0))
            found = torch.linalg.qr(mixing).Q.T.to(found.device) @ found
        self._begun = found
        self._unit_down = _DOWN * found.pow(2).mean().sqrt()
        self._unit_up = layer(inputs.to(layer.weight.dtype)).float().pow(2).mean().sqrt()
        size = linear_size(layer)
        assert size is not None
        up = torch.zeros(size[1], len(found), device=found.device)
        self.moved = {"down": torch.nn.Parameter(torch.zeros_like(found)), "up": torch.nn.Parameter(up)}

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(functional.linear(x, self._down()), self._up())

    def finished(self) -> LowRank:
        return LowRank(self._down().detach().contiguous(), self._up().detach().contiguous())

    def _down(self) -> torch.Tensor:
        return self._begun + self._unit_down * self.moved["down"]

    def _up(self) -> torch.Tensor:
        return self._unit_up * self.moved["up"]


# --- both ---


class _Batch:
    """Rows that should be said."""

    def __init__(self, passes: Passes, rows: Sequence[Row], remember: bool) -> None:
        self._passes, self._rows, self._remember = passes, rows, remember
        self._read: Pass | None = None
        self._wanted = torch.tensor([token for _, reply in rows for token in reply], device=passes.lm.device)

    @property
    def reading(self) -> Pass:
        if self._read is not None:
            return self._read
        places = [range(len(prompt) - 1, len(prompt) - 1 + len(reply)) for prompt, reply in self._rows]
        found = self._passes.over(texts_of(self._rows), places, upper=True)
        self._read = found if self._remember else None
        return found

    def look(self, margin: float) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss to step on, and the lead of each reply's token over its strongest rival, in nats."""
        logits = self.reading.logits().float()
        losses, ahead = nll_and_margin(logits, self._wanted)
        return margin_loss(logits, self._wanted, losses, ahead, margin), ahead


class _Kept(_Batch):
    """Rows of the model's own replies, which should stay as likely as they are now."""

    def __init__(self, passes: Passes, rows: Sequence[Row], remember: bool) -> None:
        super().__init__(passes, rows, remember)
        with torch.no_grad():
            likely = self.reading.logits().float().log_softmax(-1).topk(SEEN)
        self._tokens, self._before = likely.indices, _with_rest(likely.values)

    def distance(self) -> torch.Tensor:
        """KL(before ‖ now), a scalar in nats a token; tokens beyond the SEEN likeliest count as one."""
        now = _with_rest(self.reading.logits().float().log_softmax(-1).gather(1, self._tokens))
        return (self._before.exp() * (self._before - now)).sum(1).mean()


def _with_rest(logprobs: torch.Tensor) -> torch.Tensor:
    """log P of some tokens [n, k] and of all others together: [n, k + 1]."""
    rest = (1 - logprobs.exp().sum(1, keepdim=True)).clamp_min(1e-6).log()
    return torch.cat((logprobs, rest), 1)


def _parts(rows: Sequence[Row]) -> list[Sequence[Row]]:
    return [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]


def _step(adamw: AdamW, loss: torch.Tensor) -> None:
    if not math.isfinite(float(loss.detach())):
        raise NotFinite("the loss or its gradient was not finite")
    adamw.step(loss)


@contextmanager
def _learning(
    lm: LanguageModel, layers: Mapping[str, Any], parts: Mapping[str, _Whole | _Detecting], rate: float
) -> Iterator[AdamW]:
    """Within this context `parts` are added to the outputs of `layers`, and they alone learn."""
    moved = {f"{name}.{kind}": moved for name, part in parts.items() for kind, moved in part.moved.items()}
    adamw = AdamW(moved, CLIP)
    adamw.prepare(list(moved), lm.device, lr=rate, beta1=BETAS[0], beta2=BETAS[1])

    def adding(part: _Whole | _Detecting) -> Callable[[Any, Any, torch.Tensor], torch.Tensor]:
        return lambda layer, given, output: output + part(given[0].float()).to(output.dtype)

    with ExitStack() as hooks, frozen(lm.model):
        for name, layer in layers.items():
            hooks.callback(layer.register_forward_hook(adding(parts[name])).remove)
        yield adamw
