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

LOOK = 256
"""Rows of a weight that are looked at together."""

Arranged = Callable[[torch.Tensor], torch.Tensor]


class PackedLinear:
    """x [n, in] → [n, out], for the stacked weights [out, in] of several linear `layers`.

    `arranged[i]` puts the rows of layer i's weight in another order. Weights that lie one behind the other, as
    llama/reading.py puts those of a large model, are one matrix as they are: then its products are put in order. Others
    are copied. Call `refresh` before use.
    """

    def __init__(self, layers: Sequence[Any], arranged: Sequence[Arranged | None] = ()) -> None:
        self._layers = tuple(layers)
        self._arranged = tuple(arranged) or (None,) * len(self._layers)
        self._versions: Versions = ()
        self._weight = torch.empty(0)
        self._bias: torch.Tensor | None = None
        self._late = False  # what is not packed is put in order after the product
        self._packed: Any = None
        self._tried = False

    def refresh(self) -> None:
        """Take the layers' weights again if any was written to since."""
        now = versions([parameter for layer in self._layers for parameter in layer.parameters()])
        if now == self._versions:
            return
        there = _adjacent([layer.weight.detach() for layer in self._layers])
        self._late = there is not None
        self._weight = self._stacked("weight", in_order=True) if there is None else there
        self._bias = self._stacked("bias", in_order=not self._late) if self._layers[0].bias is not None else None
        self._versions, self._packed, self._tried = now, None, False

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.shape[0]
        few = rows <= FEW and self._weight.device.type == "cpu"
        if few and not self._tried:
            self._packed, self._tried = self._pack(), True
        if few and self._packed is not None:
            found: torch.Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self._packed)
            return found
        product = _few if few and 1 < rows <= FEWER else functional.linear
        return self._in_order(product(x, self._weight, self._bias))

    def _pack(self) -> Any:
        if not fits_16bit(self._weight):
            return None
        weight = self._stacked("weight", in_order=True) if self._late else self._weight
        bias = self._bias if self._bias is None or not self._late else self._stacked("bias", in_order=True)
        return torch.ops.quantized.linear_prepack_fp16(weight, bias)

    def _in_order(self, y: torch.Tensor) -> torch.Tensor:
        at = 0
        for layer, order in zip(self._layers, self._arranged, strict=True):
            size = layer.weight.shape[0]
            if self._late and order is not None:
                part = y[:, at : at + size]
                part.copy_(order(part.t()).t())
            at += size
        return y

    def _stacked(self, name: str, *, in_order: bool) -> torch.Tensor:
        """The layers' weights or biases as one, each of its rows `in_order` or as they are."""
        parts = [
            getattr(layer, name).detach() if order is None or not in_order else order(getattr(layer, name).detach())
            for layer, order in zip(self._layers, self._arranged, strict=True)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def _adjacent(weights: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """Several weights [out, in] as one that is not a copy; None where they do not lie one behind the other."""
    first, end = weights[0], weights[0].data_ptr()
    storage = first.untyped_storage().data_ptr()
    for weight in weights:
        if not (weight.data_ptr() == end and weight.untyped_storage().data_ptr() == storage and weight.is_contiguous()):
            return None
        end += weight.nbytes
    return first.as_strided((sum(map(len, weights)), first.shape[1]), (first.shape[1], 1)) if len(weights) > 1 else None


def _few(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """`linear`, computed transposed: MKL then takes half the time for a few rows."""
    y = torch.mm(weight, x.t()).t()
    return (y if bias is None else y + bias).contiguous()


def fits_16bit(weight: torch.Tensor) -> bool:
    """Whether 16 bits hold a weight [out, in], and torch can multiply with them on this machine.

    It is looked at some rows at a time: the first nearly always tell already that they do not, and what is computed for
    a head of 28M weights would be 400 MB at once.
    """
    return _multiplies_16bit() and all(
        bool(((part.half().float() - part).abs() <= EXACT).all()) for part in weight.split(LOOK)
    )


@cache
def _multiplies_16bit() -> bool:
    """Whether torch has FBGEMM's product of float32 with 16-bit weights, and it gives the right result."""
    x, weight = torch.linspace(-1, 1, 96).view(3, 32), torch.linspace(-2, 2, 1024).view(32, 32).bfloat16().float()
    try:
        found = torch.ops.quantized.linear_dynamic_fp16(x, torch.ops.quantized.linear_prepack_fp16(weight, None))
    except (RuntimeError, AttributeError):  # another processor, or a torch that was built without it
        return False
    return torch.allclose(found, functional.linear(x, weight), atol=1e-5)
