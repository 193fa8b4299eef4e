"""Products with the weights of linear layers, by the kernel that is fastest for the number of rows.

A step of a small model is as fast as its weights can be read. The float32 weights of a model that was stored in
bfloat16 fit into 16 bits, so they are packed in 16 bits too, and the processor widens them as it reads: half the bytes,
the same products and sums in float32. A matrix that a lesson has written to no longer fits, and is multiplied with in
float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch.nn import functional

from theta_tui.model.decoding.protocol import Versions, versions

FEW = 32
"""Rows up to which 16-bit weights are faster. Five rows, all 29 matrices of the built-in model, two cores of an EPYC:
1.9 ms, where float32 takes 4.2 ms (`_few`) and 6 ms (`linear`)."""

FEWER = 16
"""Rows up to which a float32 product on the CPU is computed transposed (`_few`)."""

EXACT = 2.0**-25
"""Largest error of a weight in 16 bits: half of the least number that they hold, which weights below 6e-5 lose. Sums of
products in float32 are off by more."""

Arranged = Callable[[torch.Tensor], torch.Tensor]


class PackedLinear:
    """x [n, in] → [n, out], for the stacked weights [out, in] of several linear `layers`.

    `arranged[i]` puts the rows of layer i's weight in another order. Call `refresh` before use.
    """

    def __init__(self, layers: Sequence[Any], arranged: Sequence[Arranged | None] = ()) -> None:
        self._layers = tuple(layers)
        self._arranged = tuple(arranged) or (None,) * len(self._layers)
        self._versions: Versions = ()
        self._weight = torch.empty(0)
        self._bias: torch.Tensor | None = None
        self._packed: Any = None
        self._tried = False

    def refresh(self) -> None:
        """Copy the layers' weights again if any was written to since."""
        now = versions([parameter for layer in self._layers for parameter in layer.parameters()])
        if now == self._versions:
            return
        weights = [self._rows(layer.weight, order) for layer, order in zip(self._layers, self._arranged, strict=True)]
        self._weight = weights[0] if len(weights) == 1 else torch.cat(weights)
        if self._layers[0].bias is not None:
            self._bias = torch.cat(
                [self._rows(layer.bias, order) for layer, order in zip(self._layers, self._arranged, strict=True)]
            )
        self._versions, self._packed, self._tried = now, None, False

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.shape[0]
        if rows > FEW or self._weight.device.type != "cpu":
            return functional.linear(x, self._weight, self._bias)
        if not self._tried:
            self._packed, self._tried = pack_16bit(self._weight, self._bias), True
        if self._packed is not None:
            found: torch.Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self._packed)
            return found
        return (
            _few(x, self._weight, self._bias) if 1 < rows <= FEWER else functional.linear(x, self._weight, self._bias)
        )

    @staticmethod
    def _rows(tensor: torch.Tensor, order: Arranged | None) -> torch.Tensor:
        tensor = tensor.detach()
        return tensor if order is None else order(tensor)


def _few(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """`linear`, computed transposed: MKL then takes half the time for a few rows."""
    y = torch.mm(weight, x.t()).t()
    return (y if bias is None else y + bias).contiguous()


def pack_16bit(weight: torch.Tensor, bias: torch.Tensor | None) -> Any:
    """The weights packed in 16 bits; None where they do not fit, or torch cannot multiply with them on this machine."""
    if not _multiplies_16bit() or not bool(((weight.half().float() - weight).abs() <= EXACT).all()):
        return None
    return torch.ops.quantized.linear_prepack_fp16(weight, bias)


@cache
def _multiplies_16bit() -> bool:
    """Whether torch has FBGEMM's product of float32 with 16-bit weights, and it gives the right result."""
    x, weight = torch.linspace(-1, 1, 96).view(3, 32), torch.linspace(-2, 2, 1024).view(32, 32).bfloat16().float()
    try:
        found = torch.ops.quantized.linear_dynamic_fp16(x, torch.ops.quantized.linear_prepack_fp16(weight, None))
    except (RuntimeError, AttributeError):  # another processor, or a torch that was built without it
        return False
    return torch.allclose(found, functional.linear(x, weight), atol=1e-5)
