"""Steps of picks, in weights that all replies share: a pick tells a taste, which should be felt at every prompt.

A step moves every weight by the same amount against the sign of its gradient (signSGD, Bernstein et al. 2018), so it is
felt at other prompts too. What earlier picks added decays with each new one, so many picks do not add up without bound.
It is kept apart from the weights that were there before, on which lessons' own modules are learned: a module does not
depend on the picks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from theta_tui.learning.optimizer import NotFinite
from theta_tui.model.modules import blocks_of, linear_size

if TYPE_CHECKING:
    from theta_tui.learning.passes import LayerGradients, Pass
    from theta_tui.model.language_model import LanguageModel

UNTOUCHED = 0.3
"""The share of the blocks, from the bottom, that picks leave as they are: 2 of the built-in model's 7."""

MOVED = 5
"""The rate of a pick is for so many moved blocks, the built-in model's. What the blocks add to a reply adds up, so each
of more of them moves by less. SmolLM2 135M moves 21: by the whole rate, after eight picks of replies of 48 tokens, it
said "The lie. The lie." to everything (20 of 20 replies repeat themselves; 3.0 nats a token under the untaught model,
before .9). By 5/21 of it 3 of 20 do (1.0 nats), and a quarter of the rate makes a picked reply some 15 to 100 times as
likely."""

FIELDS = ("base", "delta")


class SignSteps:
    """The last layer of the upper blocks' MLPs, which picks move. The tensors in `base` and `delta` are replaced, never
    written to, so a mapping of them is a snapshot."""

    def __init__(self, lm: LanguageModel) -> None:
        self.lm = lm
        self.modules = targets(lm)
        """By name; empty where the model is not built for it."""
        self.base: dict[str, torch.Tensor] = {}
        """The weights without the picks, in the model's type; empty before the first."""
        self.delta: dict[str, torch.Tensor] = {}
        """What picks have added to each, in float32."""

    @property
    def weights(self) -> list[str]:
        """The names of the parameters that a step moves."""
        return [f"{name}.weight" for name in self.modules]

    def optimizer(self, reading: Pass, rate: float, decay: float) -> SignOptimizer:
        """Takes sign steps down the losses of `reading`."""
        return SignOptimizer(self, reading, rate, decay)

    def sign_step(self, rate: float, decay: float, layer_gradients: LayerGradients) -> None:
        """Move every weight by `rate`, or a part of it in a deep model, against the sign of its gradient, after what
        earlier picks added has shrunk by the share `decay`. Raises NotFinite, and moves nothing, where a gradient is
        not finite."""
        deltas: dict[str, torch.Tensor] = {}
        rate *= min(1.0, MOVED / len(self.modules))
        for name, module in self.modules.items():
            g, x = layer_gradients[name]
            slope = g.T @ x
            if not bool(torch.isfinite(slope).all()):  # the sign of NaN is 0
                raise NotFinite("the gradient was not finite")
            sign = slope.sign() if slope.shape == module.weight.shape else slope.sign().T
            before = self.delta.get(name)
            deltas[name] = (-rate * sign if before is None else before * (1 - decay) - rate * sign).contiguous()
        with torch.no_grad():
            for name, module in self.modules.items():
                weight: Any = module.weight
                if name not in self.base:
                    self.base[name] = weight.detach().clone()
                self.delta[name] = deltas[name]
                weight.copy_(self.base[name].float() + deltas[name])

    def rebase(self) -> None:
        """Take the weights for moved by something else than a pick: what picks added stays the same."""
        self.base = {
            name: (self.modules[name].weight.detach().float() - delta).to(self.modules[name].weight.dtype)
            for name, delta in self.delta.items()
        }

    @contextmanager
    def without(self) -> Iterator[None]:
        """Within this context the model is as it would be without any picks."""
        own = {name: self.modules[name].weight.data for name in self.base}
        try:
            for name, weight in self.base.items():
                self.modules[name].weight.data = weight
            yield
        finally:
            for name, weight in own.items():
                self.modules[name].weight.data = weight

    def state(self) -> dict[str, torch.Tensor]:
        """Tensors for a checkpoint: `base.NAME` and `delta.NAME` for the modules NAME."""
        return {f"base.{name}": tensor for name, tensor in self.base.items()} | {
            f"delta.{name}": tensor for name, tensor in self.delta.items()
        }

    def fits(self, state: Mapping[str, torch.Tensor]) -> bool:
        """Whether `state` has tensors of the right shapes for all modules of this model, or none."""
        wanted = {
            f"{field}.{name}": tuple(module.weight.shape) for field in FIELDS for name, module in self.modules.items()
        }
        return not state or {key: tuple(tensor.shape) for key, tensor in state.items()} == wanted

    def take(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from an earlier `state`. The weights themselves must have been put back before."""
        self.base, self.delta = {}, {}
        for key, tensor in state.items():
            field, _, name = key.partition(".")
            (self.base if field == "base" else self.delta)[name] = tensor.to(self.lm.device)


@dataclass(frozen=True, slots=True)
class SignOptimizer:
    """Sign steps down the losses of one pass; see `SignSteps.sign_step`."""

    signs: SignSteps
    reading: Pass
    rate: float
    decay: float

    def step(self, loss: torch.Tensor) -> None:
        """As `Optimizer.step`."""
        loss.backward()
        self.signs.sign_step(self.rate, self.decay, self.reading.layer_gradients())


def targets(lm: LanguageModel) -> dict[str, Any]:
    """The modules that picks move, by name: in each upper block the widest linear layer that comes back to the hidden
    size. Empty where the model is not built that way, and where it learns by LoRA."""
    if lm.adapter is not None:
        return {}
    blocks = blocks_of(lm.model)
    names = {id(module): name for name, module in lm.model.named_modules()}
    hidden = lm.model.config.get_text_config().hidden_size
    found: dict[str, Any] = {}
    for block in blocks[math.floor(UNTOUCHED * len(blocks)) :]:
        back = [
            (size[0], module)
            for module in block.modules()
            if (size := linear_size(module)) and size[1] == hidden < size[0]
        ]
        # Attention may come back from more than the hidden size too. Experts are all alike.
        widest = max((size for size, _ in back), default=0)
        if [size for size, _ in back].count(widest) != 1:
            return {}
        module = next(module for size, module in back if size == widest)
        found[names[id(module)]] = module
    return found
