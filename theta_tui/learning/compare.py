"""Whether two states of a learner are the same, bit for bit."""

from __future__ import annotations

import torch

from theta_tui.learning.snapshot import Held, Snapshot
from theta_tui.model.modules import tensors_of


def differing(one: Snapshot, other: Snapshot) -> list[str]:
    """Names of what is not equal to the bit: parameters (their weights or moments), `base.NAME` and `delta.NAME` of
    what picks moved, `module.KEY.NAME` of lessons' own weights, and `step`."""
    names = [
        name
        for name in sorted(one.parts.keys() | other.parts.keys())
        if name not in one.parts or name not in other.parts or not _same_held(one.parts[name], other.parts[name])
    ]
    kept, theirs = _tensors(one), _tensors(other)
    names += [
        name
        for name in sorted(kept.keys() | theirs.keys())
        if name not in kept or name not in theirs or not torch.equal(kept[name], theirs[name])
    ]
    return names if one.step == other.step else [*names, "step"]


def _tensors(snapshot: Snapshot) -> dict[str, torch.Tensor]:
    return {**snapshot.picked, **tensors_of(snapshot.modules)}


def _same_held(one: Held, other: Held) -> bool:
    return one is other or _same_part(one.part, other.part)


def _same_part(one: object, other: object) -> bool:
    """Parts are dataclasses of tensors, numbers and None."""
    for field in one.__dataclass_fields__:  # type: ignore[attr-defined]
        mine, theirs = getattr(one, field), getattr(other, field)
        if isinstance(mine, torch.Tensor) and isinstance(theirs, torch.Tensor):
            if mine.dtype != theirs.dtype or not torch.equal(mine, theirs):
                return False
        elif mine is not theirs and mine != theirs:
            return False
    return True
