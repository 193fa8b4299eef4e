"""Muon: momentum, made orthogonal, for the weight matrices of a network's blocks (Jordan et al. 2024).

Our own and not `torch.optim.Muon`, for one measured reason: that one orthogonalises in bfloat16, always and a matrix
at a time. On a processor without bfloat16 arithmetic (AVX2: 18 GFLOP/s against 175 in float32) its step costs more
than the gradient of 4,096 tokens. Here the dtype is chosen, and matrices of one shape go through as one batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic Newton-Schulz iteration: they push singular values to about 1 fast, and not exactly."""


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised by five Newton-Schulz steps; decoupled weight decay.

    `params` are matrices. The step is scaled by sqrt(max(1, rows / columns)), so that a learning rate carries over
    between shapes. `dtype` is what the iteration runs in: bfloat16 where the hardware multiplies it fast.
    """

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step from the gradients that are there; parameters without one stay."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in shapes.items():
                directions = [self._direction(parameter, group["momentum"]) for parameter in parameters]
                updates = orthogonal(torch.stack(directions).to(self.dtype))
                scale = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update.to(parameter.dtype), alpha=-scale)

    def _direction(self, parameter: torch.nn.Parameter, momentum: float) -> torch.Tensor:
        assert parameter.grad is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        held: torch.Tensor = state["momentum"]
        held.lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(held, momentum)


def orthogonal(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest semi-orthogonal matrices, roughly: singular values of about 1. [n, rows, columns] → the same."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
