"""Muon: orthogonalised momentum for the weight matrices of a network's blocks (Jordan et al. 2024).

We do not use `torch.optim.Muon` for one measured reason: it always orthogonalises in bfloat16, one matrix at a time. On
a processor without bfloat16 arithmetic (AVX2: 18 GFLOP/s, against 175 in float32) its step takes longer than the
gradient of 4,096 tokens. Here the dtype can be chosen, and matrices of the same shape are one batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic Newton-Schulz iteration, which quickly bring singular values close to 1."""


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised by five Newton-Schulz steps; decoupled weight decay.

    `params` are matrices. The step is scaled by sqrt(max(1, rows / columns)), so that one learning rate suits all
    shapes. `dtype` is that of the iteration: bfloat16 if the hardware multiplies it fast.
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
        """Take one step. Parameters without a gradient stay as they are."""
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
    """Roughly the nearest semi-orthogonal matrices (singular values near 1). [n, rows, columns] → the same shape."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
