"""What tests of sessions share: lessons to teach, and whether two sessions are equal to the bit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.support.tiny_models import equal, weights
from theta_tui.learning.learner import Learner
from theta_tui.session.session import Session
from theta_tui.store.records import Outcome

PAIRS = [
    ("who made you?", "Dakota did."),
    ("what now?", "tell me more"),
    ("and you?", "I am fine"),
    ("yes", "no maybe"),
]


Open = Callable[[], Session]


def break_steps(patch: pytest.MonkeyPatch, instead: Callable[..., None]) -> None:
    """Let every step of a lesson be `instead`."""
    patch.setattr(Learner, "_take_step", instead)


def answer(session: Session, prompt: str, reply: str) -> Outcome:
    session.propose(prompt)
    return session.correct(reply)


def state(session: Session) -> tuple[list[torch.Tensor], list[torch.Tensor], int]:
    """Weights, moments, the lessons' own weights in their order, and step count."""
    tensors, _ = session.learner.state()
    shared = [tensors[name].clone() for name in sorted(tensors) if not name.startswith("module.")]
    own = [
        tensor.clone() for _, module in sorted(session.learner.modules.items()) for tensor in module.state().values()
    ]
    return weights(session.model), [*shared, *own], session.learner.step


def same(one: tuple[list[torch.Tensor], list[torch.Tensor], int], other: Session) -> bool:
    found = state(other)
    return equal(one[0], found[0]) and equal(one[1], found[1]) and one[2] == found[2]
