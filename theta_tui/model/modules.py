"""A lesson's own weights: what they add to a model while a reply is written, and how they are attached to it.

A module sits behind the last blocks of a model. Each of its detectors responds to the model's state at one position of
the taught reply, and its value is added there. The module is on from the last token of the prompt to the end of the
reply. Elsewhere the model is computed without it, so it is unchanged to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

SITES = 2
"""The last blocks that have a module behind them. With one, the built-in model takes 10 steps a lesson instead of 3.4;
with three, a step computes one block more and no steps are saved."""

_EPS = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class LessonModule:
    """Float32 tensors that are never written to. `detectors` [sites, places, size] are multiplied with the state,
    scaled to root mean square 1; `values` [sites, size, places] times that, and `bias` [sites, size], are added to
    it."""

    detectors: torch.Tensor
    values: torch.Tensor
    bias: torch.Tensor

    @property
    def sites(self) -> int:
        return len(self.bias)

    def added(self, site: int, hidden: torch.Tensor) -> torch.Tensor:
        """What the module adds to the state `hidden` [..., size] behind the block of `site`; float32."""
        seen = functional.linear(unit(hidden), self.detectors[site])
        return functional.linear(seen, self.values[site], self.bias[site])

    def state(self) -> dict[str, torch.Tensor]:
        return {"detectors": self.detectors, "values": self.values, "bias": self.bias}

    def fits(self, size: int) -> bool:
        """Whether its shapes fit each other and a model whose states have `size` numbers."""
        sites, places = self.detectors.shape[:2] if self.detectors.dim() == 3 else (0, 0)
        shapes = (sites, places, size), (sites, size, places), (sites, size)
        held = self.detectors, self.values, self.bias
        return sites > 0 and all(tuple(part.shape) == shape for part, shape in zip(held, shapes, strict=True))


def tensors_of(modules: Mapping[int, LessonModule]) -> dict[str, torch.Tensor]:
    """All tensors of some modules, by `module.KEY.NAME`."""
    return {
        f"module.{key}.{name}": tensor for key, module in modules.items() for name, tensor in module.state().items()
    }


def modules_of(tensors: Mapping[str, torch.Tensor], size: int) -> dict[int, LessonModule]:
    """Modules of a model whose states have `size` numbers, from tensors by `KEY.NAME`. Raises ValueError where they are
    not."""
    parts: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        key, _, part = name.partition(".")
        parts.setdefault(int(key), {})[part] = tensor
    found = {key: LessonModule(**own) for key, own in parts.items() if set(own) == {"detectors", "values", "bias"}}
    if len(found) < len(parts) or not all(module.fits(size) for module in found.values()):
        raise ValueError("a lesson's own weights do not fit this model")
    return found


def unit(hidden: torch.Tensor) -> torch.Tensor:
    """`hidden` in float32, scaled to root mean square 1 over its last dimension."""
    hidden = hidden.float()
    return hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + _EPS)


def blocks_of(model: Any) -> list[torch.nn.Module]:
    """The blocks of a decoder, in order: its largest list of modules. Empty where it has none."""
    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList) and len(module)]
    sizes = [sum(parameter.numel() for parameter in some.parameters()) for some in lists]
    return list(lists[sizes.index(max(sizes))]) if lists else []


def linear_size(module: Any) -> tuple[int, int] | None:
    """(in, out) of a linear layer; None for anything else."""
    if isinstance(module, torch.nn.Linear):
        return module.in_features, module.out_features
    if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):  # GPT-2's: the weight is [in, out]
        return int(module.weight.shape[0]), int(module.nf)
    return None


def mixed(
    modules: Sequence[LessonModule | None], site: int, hidden: torch.Tensor, where: torch.Tensor | None = None
) -> torch.Tensor:
    """`hidden` [rows, ..., size] with what row i's `modules[i]` adds to it, where there is one. `where` [rows, tokens]
    is 1 at the tokens at which it is on; None: at all."""
    found = hidden
    for module in {id(module): module for module in modules if module is not None}.values():
        rows = [row for row, own in enumerate(modules) if own is module]
        part = hidden[rows]
        more = module.added(site, part)
        if where is not None:
            more = more * where[rows].to(more.dtype)[..., None]
        if len(rows) == len(modules):
            return (part.float() + more).to(hidden.dtype)
        found = found.clone() if found is hidden else found
        found[rows] = (part.float() + more).to(hidden.dtype)
    return found


@contextmanager
def attached(
    blocks: Sequence[torch.nn.Module], modules: Sequence[LessonModule | None], where: torch.Tensor | None = None
) -> Iterator[None]:
    """Within this context a forward pass over a batch [rows, tokens] has each row's module on (see `mixed`)."""
    with ExitStack() as hooks:
        sites = max((module.sites for module in modules if module is not None), default=0)
        for site, block in enumerate(blocks[len(blocks) - sites :]):
            handle = block.register_forward_hook(_Hook(modules, site, where))
            hooks.callback(handle.remove)
        yield


class _Hook:
    """Adds to a block's output, which is a tensor, or a tuple that begins with it."""

    def __init__(self, modules: Sequence[LessonModule | None], site: int, where: torch.Tensor | None) -> None:
        self.modules, self.site, self.where = modules, site, where

    def __call__(self, block: torch.nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, torch.Tensor):
            return mixed(self.modules, self.site, output, self.where)
        return (mixed(self.modules, self.site, output[0], self.where), *output[1:])
