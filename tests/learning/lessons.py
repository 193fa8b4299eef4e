"""What the tests of learning share: a lesson, the whole state to compare, and a model whose numbers go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from tests.support.tiny_models import equal, weights
from theta_tui.learning import passes
from theta_tui.learning.learner import Learner, Result
from theta_tui.learning.recipes import Recipe


def teach(learner: Learner, pair: tuple[str, str], recipe: Recipe, **options: Any) -> Result:
    kind = options.pop("kind", "correction")
    if recipe.method == "module" and kind == "correction":
        options = {name: value for name, value in options.items() if name not in ("others", "past")}
        return learner.learn_module(options.pop("seed", 1), *pair, recipe, **options)
    return learner.learn(kind, *pair, recipe, **({"seed": 1} | options))


def everything(learner: Learner) -> tuple[list[torch.Tensor], Mapping[str, torch.Tensor], int]:
    tensors, values = learner.state()
    return weights(learner.lm), {name: tensor.clone() for name, tensor in tensors.items()}, values["step"]


def same(one: Any, other: Any) -> bool:
    names = one[1].keys() == other[1].keys()
    return (
        equal(one[0], other[0])
        and names
        and all(torch.equal(one[1][name], other[1][name]) for name in one[1])
        and one[2] == other[2]
    )


def spoil(monkeypatch: pytest.MonkeyPatch, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Let `change` have the logits of every pass that a lesson looks at."""
    for kind in (passes._Whole, passes._Packed):
        own = kind.logits
        monkeypatch.setattr(kind, "logits", lambda self, own=own: change(own(self)))


def poison(at: int, value: float, monkeypatch: pytest.MonkeyPatch, *, gradient: bool) -> None:
    """Make the `at`-th forward pass give `value` in its loss, or in its gradient only."""
    calls = 0

    def spoiled(logits: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls != at:
            return logits
        if gradient:
            logits.register_hook(lambda grad: grad * value)
            return logits
        return logits * value

    spoil(monkeypatch, spoiled)
