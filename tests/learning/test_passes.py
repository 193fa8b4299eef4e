"""The passes that lessons are taken on: what is left out of them changes nothing, and what is kept no bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.learning.lessons import everything, same, teach
from tests.model.test_decoding import FAST, made
from theta_tui.learning import passes
from theta_tui.learning.learner import Learner
from theta_tui.learning.passes import Pass, Passes, _Packed, _Whole
from theta_tui.learning.recipes import RECIPES
from theta_tui.learning.sign_steps import targets
from theta_tui.model.language_model import LanguageModel

Load = Callable[[str], LanguageModel]

ROWS = [[5, 9, 3, 40, 41, 7, 2], [5, 8, 3], [5, 77, 12, 3, 61, 19, 33, 34, 2, 90, 4], [5, 9, 3, 40]]
PLACES = [[3, 4, 5], [1], [8, 9], [0, 2]]
PAIRS = [("who is your creator", "my creator is Dakota."), ("what is your name", "my name is Theta.")]
RECIPE = replace(RECIPES["default"], margin=1.0, max_steps=60, max_seconds=1000.0)


def packed(lm: LanguageModel) -> Pass:
    found = Passes(lm, targets(lm)).over(ROWS, PLACES, upper=True)
    assert isinstance(found, _Packed)
    return found


def backward(found: Pass) -> torch.Tensor:
    logits = found.logits()
    functional.cross_entropy(logits, torch.arange(len(logits))).backward()
    return logits.detach()


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return float((one - other).detach().norm()) <= 1e-5 * float(other.detach().norm())


def test_a_packed_pass_is_the_models_own_within_rounding(wide: Load) -> None:
    lm = wide("llama")
    modules = targets(lm)
    ours, own = packed(lm), _Whole(lm, modules, ROWS, PLACES)
    assert close(backward(ours), backward(own))
    for name in modules:
        (g, x), (h, y) = ours.layer_gradients()[name], own.layer_gradients()[name]
        assert close(g.T @ x, h.T @ y)


@pytest.mark.parametrize("upper", [1, 2, 3])
@pytest.mark.parametrize("kind", FAST)
def test_it_is_so_for_every_model_that_is_known(kind: str, upper: int) -> None:
    model = made(FAST[kind])
    lm: Any = SimpleNamespace(model=model, device="cpu", adapter=None)
    modules = {f"model.layers.{at}.mlp.down_proj": model.model.layers[at].mlp.down_proj for at in range(3 - upper, 3)}
    ours, own = Passes(lm, modules).over(ROWS, PLACES, upper=True), _Whole(lm, modules, ROWS, PLACES)
    assert isinstance(ours, _Packed)
    assert close(backward(ours), backward(own))
    for name in modules:
        (g, x), (h, y) = ours.layer_gradients()[name], own.layer_gradients()[name]
        assert close(g.T @ x, h.T @ y)


def test_a_model_that_is_not_known_goes_its_own_way(wide: Load) -> None:
    lm = wide("gpt2")
    found = Passes(lm, targets(lm)).over(ROWS, PLACES, upper=True)
    assert isinstance(found, _Whole)
    lm = wide("llama")
    assert isinstance(Passes(lm, targets(lm)).over(ROWS, PLACES, upper=False), _Whole)


def test_what_is_below_is_read_anew_where_it_was_moved(wide: Load) -> None:
    lm = wide("llama")
    over = Passes(lm, targets(lm))
    before = over.over(ROWS, PLACES, upper=True).logits()
    with torch.no_grad():
        lm.model.model.layers[0].self_attn.q_proj.weight.mul_(1.5)
        lm.model.model.layers[0].mlp.down_proj.weight.mul_(0.5)
    after = over.over(ROWS, PLACES, upper=True).logits()
    assert not close(after, before)
    assert close(after, _Whole(lm, {}, ROWS, PLACES).logits())


def test_what_is_kept_in_a_lesson_changes_no_bit(wide: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Picks, with what does not move kept and with it computed at every look."""

    def taught() -> Learner:
        learner = Learner(wide("llama"))
        for pair in (*PAIRS, ("hello", "yes")):
            teach(learner, pair, RECIPE, kind="pick", others=["no maybe"], steps=4)
        return learner

    kept = everything(taught())
    own, looks = _Packed.logits, 0

    def anew(self: _Packed) -> torch.Tensor:
        nonlocal looks
        looks += 1
        if self._hidden._base is None:  # a part of another pass was computed with the whole of it
            self.read()
        return own(self)

    monkeypatch.setattr(passes._Packed, "logits", anew)
    assert same(everything(taught()), kept)
    assert looks > 10
