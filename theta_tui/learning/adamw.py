"""AdamW (Loshchilov & Hutter 2019) over parameters by name, and its state: copied, put back, named for a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from theta_tui.learning.optimizer import NotFinite
from theta_tui.learning.recipes import FIXED


@dataclass(frozen=True, slots=True)
class Part:
    """One parameter and its optimizer state: copies, never written to. The first moment is None where it is void."""

    weight: torch.Tensor
    step: float
    first: torch.Tensor | None
    second: torch.Tensor | None


class AdamW:
    """The optimizer of `parameters`, by name. Gradients are clipped to the global norm `clip`."""

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], clip: float = FIXED["clip"]) -> None:
        self.parameters = parameters
        self.clip = clip
        self._momentum: set[str] = set()
        """Parameters whose first moment means something. With β1 = 0 a step overwrites it before it reads it, so
        after such a lesson it is void: neither kept in snapshots and checkpoints nor carried into a later recipe."""

    @cached_property
    def optimizer(self) -> torch.optim.AdamW:
        """Made when it is first wanted: torch imports its compiler for it, which takes as long as all of torch."""
        return torch.optim.AdamW(list(self.parameters.values()))

    def _state(self, name: str) -> Any:
        """The optimizer's state of parameter `name`; None before its first step."""
        return self.optimizer.state.get(self.parameters[name]) if "optimizer" in self.__dict__ else None

    def prepare(
        self, names: Sequence[str], device: str, *, lr: float, beta1: float, beta2: float = FIXED["beta2"]
    ) -> None:
        """Set up for steps on the parameters `names`, which are on `device`."""
        # The fused kernel takes a quarter of the time (10 of 45 ms with the built-in model) and rounds differently.
        # With momentum the plain one is kept: it is what others compare with.
        fused = beta1 == 0 and device in ("cpu", "cuda")
        for group in self.optimizer.param_groups:
            group.update(
                lr=lr,
                betas=(beta1, beta2),
                eps=FIXED["eps"],
                weight_decay=FIXED["weight_decay"],
                fused=fused,
                foreach=False,
            )
        for name in names:
            if state := self._state(name):
                state["step"] = state["step"].to(device if fused else "cpu")
                if beta1 != 0 and name not in self._momentum:
                    state["exp_avg"].zero_()  # what was void begins at zero
        if beta1 == 0:
            self._momentum.difference_update(names)
        else:
            self._momentum.update(names)

    def rate(self, lr: float) -> None:
        """Take steps of rate `lr` from here on."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def step(self, loss: torch.Tensor) -> None:
        """As `Optimizer.step`, for the parameters that require gradients."""
        self.clear_gradients()
        loss.backward()
        trained = [parameter for parameter in self.parameters.values() if parameter.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(trained, self.clip)
        if not torch.isfinite(norm):
            raise NotFinite(f"the gradient was {float(norm)}")
        self.optimizer.step()
        # The fused kernel writes without being counted, and caches of what was computed from a weight go by the count
        # (model/decoding).
        torch.autograd.graph.increment_version(trained)

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
            self._put_state(name, part.step, part.first, part.second)

    def _put_state(self, name: str, step: float, first: torch.Tensor | None, second: torch.Tensor) -> None:
        """Set the state of parameter `name`; without a first moment, that one is void."""
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

    # --- for the checkpoint ---

    def state(self) -> dict[str, torch.Tensor]:
        """Tensors by `step.NAME`, `exp_avg_sq.NAME` and, where it is not void, `exp_avg.NAME` of the parameter NAME."""
        tensors: dict[str, torch.Tensor] = {}
        for name in self.parameters:
            if state := self._state(name):
                tensors[f"step.{name}"] = state["step"]
                tensors[f"exp_avg_sq.{name}"] = state["exp_avg_sq"]
                if name in self._momentum:
                    tensors[f"exp_avg.{name}"] = state["exp_avg"]
        return tensors

    def parts(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
        """What `state` gave, by the name of the parameter. Raises ValueError where it does not fit."""
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for key, tensor in tensors.items():
            field, _, name = key.partition(".")
            parameter = self.parameters.get(name)
            if field not in ("step", "exp_avg", "exp_avg_sq") or parameter is None:
                raise ValueError(f"{key} belongs to no parameter of this model")
            if field != "step" and tensor.shape != parameter.shape:
                raise ValueError(f"{key} has the wrong shape")
            parts.setdefault(name, {})[field] = tensor
        if any(not {"step", "exp_avg_sq"} <= set(part) for part in parts.values()):
            raise ValueError("the training state lacks a part")
        return parts

    def load(self, parts: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
        """Take `parts`, after `forget`."""
        for name, part in parts.items():
            self._put_state(name, float(part["step"]), part.get("exp_avg"), part["exp_avg_sq"])
