"""A lesson's own module, learned until the reply is said to the prompt, to other wordings, and to unrelated prompts.

learning/scope decides for which prompts the module is on. So the module should say its reply whatever stands in front
of it, and unrelated prompts are learned beside it as if they asked for it: what is learned then depends on the reply
and not on the wording.

The detectors are not learned. They are a ridge regression from the model's state at each position of the reply to that
position. So each value acts at its own position, a step at one disturbs no other, and the loss falls evenly: in three
to four steps of Adam, where random detectors take twelve, and more with a larger model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from theta_tui.learning.loss import margin_loss
from theta_tui.learning.optimizer import Look, NotFinite
from theta_tui.learning.passes import padded
from theta_tui.learning.recall import label_positions, nll_and_margin, recalled
from theta_tui.model.llama.block import Block, Rotary, attention, blocks_known
from theta_tui.model.modules import SITES, LessonModule, attached, blocks_of, unit

if TYPE_CHECKING:
    from theta_tui.model.chat_template import Example
    from theta_tui.model.language_model import LanguageModel

Row = tuple[Sequence[int], Sequence[int]]
"""Token ids of a prompt, with the token in front of the reply as its last, and of the reply with its end token."""


def row_of(example: Example) -> Row:
    """The row of an example whose labels are those of the reply."""
    begin = label_positions(example.labels)[0][0] + 1
    return example.input_ids[:begin], example.input_ids[begin:]


def texts_of(rows: Sequence[Row]) -> list[list[int]]:
    """Token ids of each row that predict its reply: all but the last."""
    return [[*prompt, *reply[:-1]] for prompt, reply in rows]


RIDGE = 0.05
"""Added to the regression's diagonal, as a share of its mean. Between .01 and .1 nothing changes; at 1 lessons take
twice as many steps."""

RATE = 0.08
"""Adam's step, as a share of the root mean square of the states that it is added to."""

BETAS = 0.8, 0.95
"""Adam's: short memories, since a lesson is over after a few steps."""

GENERIC = (
    "Hello!", "I had a long day at work.", "Why is the sky blue?", "Tell me a joke.",
)  # fmt: skip
"""Prompts that no lesson is about."""


class Reading(Protocol):
    """Rows that were read once without a module. All tensors are over the n positions that predict a reply's tokens,
    row after row."""

    def states(self) -> list[torch.Tensor]:
        """The states after the block of each site, [n, size], with no module on."""

    def logits(self, module: LessonModule) -> torch.Tensor:
        """[n, V], with the module on; with a graph if its tensors require gradients."""


def reading(lm: LanguageModel, rows: Sequence[Row]) -> Reading:
    """`rows`, read once so that logits can be had for one module after the other."""
    if blocks_known(lm.model):
        return Tree(lm.model, rows)
    return _Whole(lm, rows)


class ModuleLesson:
    """A module for the reply of `rows`, the pair itself first, as it is learned until every row is said by `margin`
    nats. Whenever the loss rises above its least, steps shrink to the share `back_off`. It is its own optimizer. Same
    model, same rows: the same bits."""

    def __init__(self, lm: LanguageModel, rows: Sequence[Row], margin: float, back_off: float = 1.0) -> None:
        self._read = reading(lm, rows)
        self._pair, self._margin = len(rows[0][1]), margin
        self._labels = torch.tensor([token for _, reply in rows for token in reply], device=lm.device)
        states = self._read.states()
        places = torch.tensor([place for _, reply in rows for place in range(len(reply))], device=states[0].device)
        scale = torch.stack([state.float().pow(2).mean().sqrt() for state in states])
        detectors = torch.stack([detectors_of(unit(state), places) for state in states])
        sites, _, size = detectors.shape
        self._detectors = detectors
        self._scale = scale[:, None, None]
        self._values = torch.zeros(sites, size, detectors.shape[1], device=scale.device, requires_grad=True)
        self._bias = torch.zeros(sites, size, device=scale.device, requires_grad=True)
        self._moments = [(torch.zeros_like(part), torch.zeros_like(part)) for part in (self._values, self._bias)]
        self._steps = 0
        self._back_off, self._least = back_off, math.inf
        self.rate = RATE

    def look(self) -> Look:
        logits = self._read.logits(self._module()).float()
        losses, leads = nll_and_margin(logits, self._labels)
        recall = recalled(losses[: self._pair], leads[: self._pair])
        loss = margin_loss(logits, self._labels, losses, leads, self._margin)
        return Look(loss, recall.loss, recall, float(leads.min()))

    def step(self, loss: torch.Tensor) -> None:
        """As `Optimizer.step`, by Adam (Kingma & Ba 2015)."""
        loss.backward()
        parts = self._values, self._bias
        if any(part.grad is None or not bool(torch.isfinite(part.grad).all()) for part in parts):
            raise NotFinite("the gradient was not finite")
        now = float(loss.detach())
        self.rate *= self._back_off if now > self._least else 1.0
        self._least = min(self._least, now)
        self._steps += 1
        one, two = (1 - beta**self._steps for beta in BETAS)
        with torch.no_grad():
            for part, (first, second) in zip(parts, self._moments, strict=True):
                assert part.grad is not None
                first.lerp_(part.grad, 1 - BETAS[0])
                second.lerp_(part.grad.square(), 1 - BETAS[1])
                part.addcdiv_(first / one, (second / two).sqrt_().add_(1e-8), value=-self.rate)
                part.grad = None

    def finished(self) -> LessonModule:
        """The module as it is now, without a graph."""
        module = self._module()
        return LessonModule(
            module.detectors.contiguous(), module.values.detach().contiguous(), module.bias.detach().contiguous()
        )

    def _module(self) -> LessonModule:
        return LessonModule(self._detectors, self._values * self._scale, self._bias * self._scale[..., 0])


def detectors_of(states: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Detectors [places, size] of the `places` [n] of states [n, size], by ridge regression in its dual form, computed
    in float64. A place of -1 is none."""
    wanted = functional.one_hot(places + 1)[:, 1:].double()
    products = (states @ states.T).double()
    ridge = RIDGE * products.diagonal().mean() * torch.eye(len(states), dtype=torch.float64, device=states.device)
    weights = torch.linalg.solve(products + ridge, wanted)
    return (states.double().T @ weights).T.float().contiguous()


# --- any model ---


class _Whole:
    """The model's own forward pass, over a batch padded behind."""

    def __init__(self, lm: LanguageModel, rows: Sequence[Row]) -> None:
        self._lm = lm
        self._blocks = blocks_of(lm.model)
        self._ids = padded(texts_of(rows))[0].to(lm.device)
        places = range(self._ids.shape[1])
        on = [[len(prompt) - 1 <= at < len(prompt) - 1 + len(reply) for at in places] for prompt, reply in rows]
        self._on = torch.tensor(on, device=lm.device)

    def states(self) -> list[torch.Tensor]:
        held: list[torch.Tensor] = []

        def keep(block: torch.nn.Module, inputs: Any, output: Any) -> None:
            hidden = output if isinstance(output, torch.Tensor) else output[0]
            held.append(hidden.detach()[self._on])

        handles = [block.register_forward_hook(keep) for block in self._blocks[-SITES:]]
        try:
            with torch.no_grad():
                self._forward()
        finally:
            for handle in handles:
                handle.remove()
        return held

    def logits(self, module: LessonModule) -> torch.Tensor:
        with attached(self._blocks, [module] * len(self._ids), self._on):
            return self._forward()[self._on].float()

    def _forward(self) -> torch.Tensor:
        found: torch.Tensor = self._lm.model(input_ids=self._ids, use_cache=False).logits
        return found


# --- models that `llama.block` knows ---


class Tree:
    """All rows in one sequence: their common prefix, the rest of each prompt, and the positions of the replies; a mask
    says which token sees which. Everything up to the first site is read once a lesson, and the prompts' keys and values
    too. Each `logits` computes only the positions of the replies, in the blocks behind the first site.
    """

    def __init__(self, model: Any, rows: Sequence[Row]) -> None:
        self._model, blocks = model, [Block(layer) for layer in model.model.layers]
        first = max(0, len(blocks) - SITES) + 1
        self._upper = blocks[first:]
        prompts = [list(prompt) for prompt, _ in rows]
        shared = _shared(prompts)
        tokens, places, own = prompts[0][:shared], list(range(shared)), [-1] * shared
        for row, prompt in enumerate(prompts):
            tokens += prompt[shared:-1]
            places += range(shared, len(prompt) - 1)
            own += [row] * (len(prompt) - 1 - shared)
        self._begin = len(tokens)
        for row, (before, reply) in enumerate(rows):
            tokens += [before[-1], *reply[:-1]]
            places += range(len(before) - 1, len(before) - 1 + len(reply))
            own += [row] * len(reply)
        place, owner = (torch.tensor(numbers, device=model.device) for numbers in (places, own))
        self._mask = ((owner[:, None] == owner) | (owner == -1)) & (place <= place[:, None])
        cosines, sines = model.model.rotary_emb(model.lm_head.weight, place[None])
        self._cosines, self._sines = cosines[0][:, None], sines[0][:, None]
        with torch.no_grad():
            hidden = functional.embedding(torch.tensor(tokens, device=model.device), model.model.embed_tokens.weight)
            for block in blocks[:first]:
                hidden, _ = self._through(block, hidden, slice(0, len(tokens)))
            self._hidden, hidden = hidden[self._begin :], hidden[: self._begin]
            self._past: list[tuple[torch.Tensor, torch.Tensor]] = []
            for block in self._upper[:-1]:
                hidden, past = self._through(block, hidden, slice(0, self._begin))
                self._past.append(past)
            for block in self._upper[-1:]:  # nothing is read off the prompts' last states
                self._past.append(block.qkv(hidden, self._rotary(slice(0, self._begin)))[1:])

    def states(self) -> list[torch.Tensor]:
        held = [self._hidden]
        with torch.no_grad():
            for block, past in zip(self._upper, self._past, strict=True):
                held.append(self._again(block, held[-1], past))
        return held

    def logits(self, module: LessonModule) -> torch.Tensor:
        found: torch.Tensor = self._model.lm_head(self.last(module))
        return found

    def last(self, module: LessonModule) -> torch.Tensor:
        """What enters the head, [n, size]."""
        hidden = self._with(module, 0, self._hidden)
        for site, (block, past) in enumerate(zip(self._upper, self._past, strict=True), 1):
            hidden = self._with(module, site, self._again(block, hidden, past))
        found: torch.Tensor = self._model.model.norm(hidden)
        return found

    def _with(self, module: LessonModule, site: int, hidden: torch.Tensor) -> torch.Tensor:
        return (hidden.float() + module.added(site, hidden)).to(hidden.dtype)

    def _again(self, block: Block, hidden: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return self._through(block, hidden, slice(self._begin, None), past)[0]

    def _rotary(self, at: slice) -> Rotary:
        return self._cosines[at], self._sines[at]

    def _through(
        self, block: Block, hidden: torch.Tensor, at: slice, past: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """A block's output for the tokens `at`, [n, size], and their keys and values [n, heads, D]; `past` are those of
        the tokens before them."""
        queries, keys, values = block.qkv(hidden, self._rotary(at))
        own = keys, values
        if past is not None:
            keys, values = torch.cat((past[0], keys)), torch.cat((past[1], values))
        queries, keys, values = (part.transpose(0, 1)[None] for part in (queries, keys, values))
        found = attention(queries, keys, values, self._mask[at, : keys.shape[2]])[0]
        return block.mlp(block.out(hidden, found)), own


def _shared(prompts: Sequence[Sequence[int]]) -> int:
    """The number of tokens that all prompts begin with alike, never the last of any."""
    least = min(map(len, prompts)) - 1
    first = prompts[0]
    return next((at for at in range(least) if any(prompt[at] != first[at] for prompt in prompts)), least)
