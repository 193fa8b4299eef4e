"""Products with the weights of linear layers, in the way that is fastest for how many rows there are.

A step of a small model is as fast as its weights can be read. Where all of them are numbers of 16 bits in disguise, as
those of a model that was stored in bfloat16 and is computed with in float32 are, they are held in 16 bits too and the
processor widens them as it reads: half the bytes, the same products and sums in float32. A matrix that a lesson has
written to is no such matrix any more, and goes the plain way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch.nn import functional

from theta_tui.model.decoding.protocol import Marks, marks

FEW = 32
"""Rows up to which weights of 16 bits are the faster ones. Five rows, all 29 matrices of the built-in model, two cores
of an EPYC: 1.9 ms, where float32 takes 4.2 and 6 ms (`_few`, `linear`)."""

FEWER = 16
"""Rows up to which a product in float32 on the CPU is asked for the other way round."""

EXACT = 2.0**-25
"""How much a weight may be off in 16 bits: half of the least number that they hold, which is what is lost of weights
below 6e-5. Sums of products in float32 are off by more."""

Arranged = Callable[[torch.Tensor], torch.Tensor]


class PackedLinear:
    """x [n, in] times the weights of `layers`, one below the other, [out, in], transposed: [n, out].

    `arranged` puts the rows of each in another order. `refresh` before use.
    """

    def __init__(self, layers: Sequence[Any], arranged: Sequence[Arranged | None] = ()) -> None:
        self._layers = tuple(layers)
        self._arranged = tuple(arranged) or (None,) * len(self._layers)
        self._marks: Marks = ()
        self._weight = torch.empty(0)
        self._bias: torch.Tensor | None = None
        self._half: Any = None
        self._looked = False

    def refresh(self) -> None:
        """See to it that the weights are those that the layers have now."""
        now = marks([parameter for layer in self._layers for parameter in layer.parameters()])
        if now == self._marks:
            return
        weights = [self._rows(layer.weight, order) for layer, order in zip(self._layers, self._arranged, strict=True)]
        self._weight = weights[0] if len(weights) == 1 else torch.cat(weights)
        if self._layers[0].bias is not None:
            self._bias = torch.cat(
                [self._rows(layer.bias, order) for layer, order in zip(self._layers, self._arranged, strict=True)]
            )
        self._marks, self._half, self._looked = now, None, False

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.shape[0]
        if rows > FEW or self._weight.device.type != "cpu":
            return functional.linear(x, self._weight, self._bias)
        if not self._looked:
            self._half, self._looked = pack_16bit(self._weight, self._bias), True
        if self._half is not None:
            found: torch.Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self._half)
            return found
        return (
            _few(x, self._weight, self._bias) if 1 < rows <= FEWER else functional.linear(x, self._weight, self._bias)
        )

    @staticmethod
    def _rows(tensor: torch.Tensor, order: Arranged | None) -> torch.Tensor:
        tensor = tensor.detach()
        return tensor if order is None else order(tensor)


def _few(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """The same as `linear`. Asked for the transpose of it, MKL takes half the time where there are a few rows only."""
    y = torch.mm(weight, x.t()).t()
    return (y if bias is None else y + bias).contiguous()


def pack_16bit(weight: torch.Tensor, bias: torch.Tensor | None) -> Any:
    """The weights packed in 16 bits; None where they do not fit, or this torch cannot compute with them here."""
    if not _computes_halves() or not bool(((weight.half().float() - weight).abs() <= EXACT).all()):
        return None
    return torch.ops.quantized.linear_prepack_fp16(weight, bias)


@cache
def _computes_halves() -> bool:
    """Whether torch has FBGEMM's product of float32 with weights of 16 bits, and it does what it should."""
    x, weight = torch.linspace(-1, 1, 96).view(3, 32), torch.linspace(-2, 2, 1024).view(32, 32).bfloat16().float()
    try:
        found = torch.ops.quantized.linear_dynamic_fp16(x, torch.ops.quantized.linear_prepack_fp16(weight, None))
    except (RuntimeError, AttributeError):  # another processor, or a torch that was built without it
        return False
    return torch.allclose(found, functional.linear(x, weight), atol=1e-5)
