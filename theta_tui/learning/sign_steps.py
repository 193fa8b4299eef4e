"""What picks teach: a taste, which is felt everywhere, in weights that all replies share.

A step moves every weight by the same amount against the sign of its gradient (signSGD, Bernstein et al. 2018), so it is
felt at other prompts too. What earlier picks added decays with each new one, so that many picks do not add up without
bound. What they added is kept apart from the weights that were there before: a lesson's own module is learned on those,
and so it does not matter to it which picks there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from theta_tui.model.modules import blocks_of, linear_size

if TYPE_CHECKING:
    from theta_tui.learning.passes import LayerGradients
    from theta_tui.model.language_model import LanguageModel

UNTOUCHED = 0.3
"""The share of the blocks, from the bottom, that picks leave as they are: 2 of the built-in model's 7."""

FIELDS = ("base", "delta")


class SignSteps:
    """Moves the last layer of the upper blocks' MLPs. The tensors in `base` and `delta` are replaced, never written to,
    so a mapping of them is a snapshot."""

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

    def step(self, rate: float, decay: float, layer_gradients: LayerGradients) -> bool:
        """Move every weight by `rate` against the sign of its gradient; the share `decay` of what earlier picks added
        goes. False where a gradient is not finite; nothing was moved then."""
        deltas: dict[str, torch.Tensor] = {}
        for name, module in self.modules.items():
            g, x = layer_gradients[name]
            slope = g.T @ x
            if not bool(torch.isfinite(slope).all()):  # what is no number has the sign 0
                return False
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
        return True

    def rebase(self) -> None:
        """The weights were moved by something else than a pick: what the picks added stays the same."""
        self.base = {
            name: (self.modules[name].weight.detach().float() - delta).to(self.modules[name].weight.dtype)
            for name, delta in self.delta.items()
        }

    @contextmanager
    def without(self) -> Iterator[None]:
        """While it lasts the model is as it would be without any picks."""
        own = {name: self.modules[name].weight.data for name in self.base}
        try:
            for name, weight in self.base.items():
                self.modules[name].weight.data = weight
            yield
        finally:
            for name, weight in own.items():
                self.modules[name].weight.data = weight

    def state(self) -> dict[str, torch.Tensor]:
        """By `base.` and `delta.` with the name of a module."""
        return {f"base.{name}": tensor for name, tensor in self.base.items()} | {
            f"delta.{name}": tensor for name, tensor in self.delta.items()
        }

    def fits(self, state: Mapping[str, torch.Tensor]) -> bool:
        """Whether `state` is of this model's modules: all of them, or none."""
        wanted = {
            f"{field}.{name}": tuple(module.weight.shape) for field in FIELDS for name, module in self.modules.items()
        }
        return not state or {key: tuple(tensor.shape) for key, tensor in state.items()} == wanted

    def take(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from a `state` of before; the weights were put in place."""
        self.base, self.delta = {}, {}
        for key, tensor in state.items():
            field, _, name = key.partition(".")
            (self.base if field == "base" else self.delta)[name] = tensor.to(self.lm.device)


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
