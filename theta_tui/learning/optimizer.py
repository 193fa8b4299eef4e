"""What the learner's loop goes by: a lesson that can be looked at, and an optimizer that takes its steps.

Three optimizers are left: AdamW over the weights that all replies share (adamw.py), sign steps of picks (sign_steps.py)
and Adam over a lesson's own module (module_lesson.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from theta_tui.learning.recall import Recall


class NotFinite(Exception):
    """A loss or a gradient is not a finite number; the message says which."""


@dataclass(frozen=True, slots=True)
class Look:
    """One forward pass over a lesson. A step goes down `loss` (a scalar, with its graph). `nats` is the mean loss a
    token of the pair alone, and `recall` how well it is known; `margin` is the least of the rows that have to be
    said."""

    loss: torch.Tensor
    nats: float
    recall: Recall
    margin: float


class Lesson(Protocol):
    def look(self) -> Look:
        """With the weights as they are now."""


class Optimizer(Protocol):
    def step(self, loss: torch.Tensor) -> None:
        """One step down the gradient of `loss`, a scalar. Raises NotFinite, and moves nothing, where the gradient is
        not finite."""
