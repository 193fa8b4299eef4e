"""Snapshots of a learner: a parameter is copied when it is about to move, and never where nothing moves it.

Most lessons move no weights that others share, so a copy of all of them would be as large as the model for nothing.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from theta_tui.learning.adamw import AdamW, Part
from theta_tui.model.modules import LessonModule


class Held:
    """One parameter and its optimizer state as they were at a time: the model's own until it moves, then a copy."""

    __slots__ = ("_adamw", "_copy", "_name")

    def __init__(self, adamw: AdamW, name: str) -> None:
        self._adamw, self._name = adamw, name
        self._copy: Part | None = None

    @property
    def part(self) -> Part:
        """What is held; a copy of the model's own where that has not moved."""
        return self._copy or self._adamw.copy(self._name)

    def keep(self) -> None:
        """Hold a copy from here on."""
        self._copy = self.part

    @property
    def nbytes(self) -> int:
        """Bytes of the copy."""
        copy = self._copy
        return (
            0
            if copy is None
            else sum(part.nbytes for part in (copy.weight, copy.first, copy.second) if part is not None)
        )


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Snapshot:
    """A state to go back to. Snapshots share what did not move between them."""

    step: int
    parts: Mapping[str, Held]
    picked: Mapping[str, torch.Tensor]
    modules: Mapping[int, LessonModule]

    @property
    def nbytes(self) -> int:
        """Bytes held, those shared with other snapshots included; not those of modules, which are held once however
        many snapshots have them."""
        return sum(held.nbytes for held in self.parts.values()) + sum(part.nbytes for part in self.picked.values())


class Copies:
    """The parameters of `adamw` for snapshots. `moving` must be called before any of them is written to."""

    def __init__(self, adamw: AdamW) -> None:
        self._adamw = adamw
        self._now: dict[str, Held] = {}
        self._snapshots: weakref.WeakSet[Snapshot] = weakref.WeakSet()

    def snapshot(self, step: int, picked: Mapping[str, torch.Tensor], modules: Mapping[int, LessonModule]) -> Snapshot:
        for name in self._adamw.parameters:
            if name not in self._now:
                self._now[name] = Held(self._adamw, name)
        found = Snapshot(step, dict(self._now), picked, modules)
        self._snapshots.add(found)
        return found

    def moving(self, names: Iterable[str]) -> None:
        """The parameters `names` are about to move: what snapshots hold of them is copied."""
        snapshots = list(self._snapshots)
        for name in names:
            held = self._now.pop(name, None)
            if held is not None and any(snapshot.parts.get(name) is held for snapshot in snapshots):
                held.keep()

    def restore(self, snapshot: Snapshot) -> None:
        """Put every parameter and its optimizer state back, in place, bit for bit."""
        other = [name for name, held in snapshot.parts.items() if self._now.get(name) is not held]
        self.moving(other)
        for name in other:
            self._adamw.put(name, snapshot.parts[name].part)
            self._now[name] = snapshot.parts[name]
