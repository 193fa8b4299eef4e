"""AdamW steps, and the state of their optimizer: what of it means something, how it is copied, put back and named.

The other ways to learn are learning/module_lesson.py and learning/sign_steps.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from theta_tui.learning.recipes import Recipe


@dataclass(frozen=True, slots=True)
class Part:
    """One parameter and its optimizer state: copies, never written to. The first moment is None where it is void."""

    weight: torch.Tensor
    step: float
    first: torch.Tensor | None
    second: torch.Tensor | None


class Adam:
    """The optimizer of `parameters`, by name."""

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter]) -> None:
        self.parameters = parameters
        self._momentum: set[str] = set()
        """Parameters whose first moment means something. With β1 = 0 a step overwrites it before it reads it, so
        after such a lesson it is void: neither kept in snapshots and checkpoints nor carried into a later recipe."""

    @cached_property
    def optimizer(self) -> torch.optim.AdamW:
        """Made when it is first wanted: torch imports its compiler for it, which takes as long as all of torch."""
        return torch.optim.AdamW(list(self.parameters.values()))

    def _state(self, name: str) -> Any:
        """What the optimizer holds of parameter `name`, if anything."""
        return self.optimizer.state.get(self.parameters[name]) if "optimizer" in self.__dict__ else None

    def prepare(self, recipe: Recipe, names: Sequence[str], *, device: str, adapter: bool) -> None:
        """Set up for steps of `recipe` on the parameters `names`; `adapter`: they are those of one."""
        # The fused kernel takes a quarter of the time (10 of 45 ms on the stand-in) and rounds differently. With
        # momentum, which is the seed's way, the plain one is kept: it is what others compare with.
        fused = recipe.beta1 == 0 and device in ("cpu", "cuda")
        for group in self.optimizer.param_groups:
            group.update(
                lr=recipe.lr * recipe.lora_lr_factor if adapter else recipe.lr,
                betas=(recipe.beta1, recipe.beta2),
                eps=recipe.eps,
                weight_decay=recipe.weight_decay,
                fused=fused,
                foreach=False,
            )
        for name in names:
            if state := self._state(name):
                state["step"] = state["step"].to(device if fused else "cpu")
                if recipe.beta1 != 0 and name not in self._momentum:
                    state["exp_avg"].zero_()  # what was void begins at zero
        if recipe.beta1 == 0:
            self._momentum.difference_update(names)
        else:
            self._momentum.update(names)

    def rate(self, lr: float) -> None:
        """Take steps of rate `lr` from here on."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def step(self, loss: torch.Tensor, clip: float) -> float:
        """A step down the gradient of `loss`, clipped to the global norm `clip`. Returns its norm before; where that is
        not finite nothing was moved."""
        self.clear_gradients()
        loss.backward()
        trained = [parameter for parameter in self.parameters.values() if parameter.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(trained, clip)
        if torch.isfinite(norm):
            self.optimizer.step()
            # The fused kernel writes without being counted, and whoever keeps what it computed from a weight asks the
            # count whether that still holds (model/decoding).
            torch.autograd.graph.increment_version(trained)
        return float(norm)

    def clear_gradients(self) -> None:
        for parameter in self.parameters.values():
            parameter.grad = None

    def forget(self) -> None:
        """Forget all moments."""
        self.__dict__.pop("optimizer", None)
        self._momentum.clear()

    def copy(self, name: str) -> Part:
        """Parameter `name` with its state."""
        parameter = self.parameters[name]
        weight = parameter.detach().clone()
        state = self._state(name)
        if not state:
            return Part(weight, 0.0, None, None)
        first = state["exp_avg"].clone() if name in self._momentum else None
        return Part(weight, float(state["step"]), first, state["exp_avg_sq"].clone())

    def put(self, name: str, part: Part) -> None:
        """Parameter `name` and its state as `part` has them, in place."""
        parameter = self.parameters[name]
        with torch.no_grad():
            parameter.copy_(part.weight)
        if part.second is None:
            if self._state(name):
                del self.optimizer.state[parameter]
            self._momentum.discard(name)
        else:
            self.set_state(name, part.step, part.first, part.second)

    def set_state(self, name: str, step: float, first: torch.Tensor | None, second: torch.Tensor) -> None:
        """The state of parameter `name`; without a first moment that one is void."""
        parameter = self.parameters[name]
        state = self.optimizer.state[parameter]
        for key, value in (("exp_avg", first), ("exp_avg_sq", second)):
            if key not in state:
                state[key] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            if value is not None:
                state[key].copy_(value)
        state["step"] = torch.tensor(step, dtype=torch.float32)
        if first is None:
            self._momentum.discard(name)
        else:
            self._momentum.add(name)

    def state(self) -> dict[str, torch.Tensor]:
        """What a checkpoint needs of it: `step.`, `exp_avg_sq.` and, where it means something, `exp_avg.` by name."""
        tensors: dict[str, torch.Tensor] = {}
        for name in self.parameters:
            if state := self._state(name):
                tensors[f"step.{name}"] = state["step"]
                tensors[f"exp_avg_sq.{name}"] = state["exp_avg_sq"]
                if name in self._momentum:
                    tensors[f"exp_avg.{name}"] = state["exp_avg"]
        return tensors
