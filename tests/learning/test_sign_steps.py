"""Picks: a sign step does what its formula says, what they add is kept apart, and everything can be taken back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.learning.lessons import everything, poison, same, spoil, teach
from tests.support.tiny_models import make_tiny
from theta_tui.base.errors import ModelError
from theta_tui.learning import checkpoint, recall
from theta_tui.learning.compare import differing
from theta_tui.learning.learner import Learner, Snapshot
from theta_tui.learning.loss import Preference
from theta_tui.learning.recipes import RECIPES
from theta_tui.learning.sign_steps import targets
from theta_tui.model.generate import Sampling, propose
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.modules import linear_size

Load = Callable[[str], LanguageModel]
Fresh = Callable[..., Learner]

RECIPE = RECIPES["default"]
SAMPLING = Sampling(temperature=1.0, top_p=0.95, top_k=0, min_p=0.0, max_tokens=24)
PAIRS = [
    ("who is your creator", "my creator is Dakota."),
    ("what is your name", "my name is Theta."),
    ("hello", "hello my friend"),
    ("how are you", "maybe"),
]


@pytest.fixture
def fresh(wide: Load) -> Fresh:
    """A learner of a fresh wide model."""
    return lambda kind="llama": Learner(wide(kind))


@pytest.fixture(scope="module")
def shared() -> tuple[Learner, Snapshot]:
    """The built-in model's learner, and the state to put it back to."""
    learner = Learner(LanguageModel.load("default", device="cpu"))
    return learner, learner.snapshot()


@pytest.fixture
def default(shared: tuple[Learner, Snapshot]) -> Learner:
    learner, begun = shared
    learner.restore(begun)
    return learner


def pick(learner: Learner, at: int) -> None:
    result = teach(learner, PAIRS[at], RECIPE, kind="pick", others=["no", "yes"], seed=at)
    assert result.steps == 1


def moved_weights(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: module.weight.detach().clone() for name, module in learner.signs.modules.items()}


# --- which weights ---


@pytest.mark.parametrize(("kind", "layer"), [("llama", "mlp.down_proj"), ("gpt2", "mlp.c_proj")])
def test_the_last_layer_of_each_later_mlp_is_moved(wide: Load, kind: str, layer: str) -> None:
    lm = wide(kind)
    assert [name.partition(layer)[1] for name in targets(lm)] == [layer] * 3
    assert {linear_size(module) for module in targets(lm).values()} == {(512, 64 if kind == "llama" else 128)}


def test_of_a_deep_model_each_block_moves_by_less(tmp_path: Path, wide: Load) -> None:
    """What they add to a reply adds up: SmolLM2 babbled after eight picks."""
    deep = Learner(LanguageModel.load(str(make_tiny(tmp_path, hidden=64, inner=512, layers=10)), device="cpu"))
    pick(deep, 0)
    assert len(deep.signs.delta) == 7
    for delta in deep.signs.delta.values():
        assert float(delta.abs().max()) == pytest.approx(RECIPE.pick_lr * 5 / 7, rel=1e-5)
    assert deep.lm.machine().replace("steps 4", "steps 2") == wide("llama").machine()  # other bits than before


def test_of_the_built_in_model_the_lowest_two_blocks_stay(default: Learner) -> None:
    assert [name.split(".")[2] for name in targets(default.lm)] == ["2", "3", "4", "5", "6"]


def test_a_model_that_learns_by_lora_has_none(wide_folders: dict[str, Path]) -> None:
    assert targets(LanguageModel.load(str(wide_folders["llama"]), device="cpu", adapt="on")) == {}


def test_a_model_of_experts_has_none(wide: Load) -> None:
    lm = wide("llama")
    mlp = lm.model.model.layers[2].mlp
    mlp.twin = torch.nn.Linear(*(mlp.down_proj.in_features, mlp.down_proj.out_features))
    assert targets(lm) == {}


# --- one step ---


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_every_weight_moves_by_the_rate_and_what_picks_added_decays(fresh: Fresh, kind: str) -> None:
    learner = fresh(kind)
    before, rate, decay = moved_weights(learner), RECIPE.pick_lr, RECIPE.pick_decay
    pick(learner, 0)
    first = dict(learner.signs.delta)
    for name, weight in moved_weights(learner).items():
        size = first[name].abs()
        assert torch.allclose(size[size > 0], torch.tensor(rate))
        assert (size > 0).float().mean() > 0.5
        assert torch.equal(weight, before[name] + first[name])
    pick(learner, 1)
    for name, weight in moved_weights(learner).items():
        assert torch.equal(learner.signs.base[name], before[name])
        step = learner.signs.delta[name] - (1 - decay) * first[name]
        assert float((step.abs() - rate).abs()[step.abs() > rate / 2].max()) < 1e-8
        assert torch.equal(weight, before[name] + learner.signs.delta[name])


def test_only_the_weights_of_the_chosen_modules_move(fresh: Fresh, default: Learner) -> None:
    for learner in (fresh(), fresh("gpt2"), default):
        before = {name: parameter.detach().clone() for name, parameter in learner.lm.model.named_parameters()}
        pick(learner, 0)
        after = dict(learner.lm.model.named_parameters())
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        assert moved == set(learner.signs.weights)
        assert all(parameter.requires_grad and parameter.grad is None for parameter in after.values())


def test_many_picks_of_one_reply_do_not_add_up_without_bound(fresh: Fresh) -> None:
    learner = fresh()
    for _ in range(60):  # 34 would be enough to pass it without the decay
        teach(learner, PAIRS[0], RECIPE, kind="pick", others=["no"])
    most = max(float(delta.abs().max()) for delta in learner.signs.delta.values())
    assert most <= RECIPE.pick_lr / RECIPE.pick_decay * 1.001


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("gradient", [False, True])
def test_a_pick_that_is_not_finite_leaves_everything_as_it_was(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch, value: float, gradient: bool
) -> None:
    learner = fresh()
    pick(learner, 0)
    before = everything(learner)
    with monkeypatch.context() as patch:
        poison(1, value, patch, gradient=gradient)
        result = teach(learner, PAIRS[1], RECIPE, kind="pick", others=["no"])
    assert result.skipped
    assert (result.steps, result.learned) == (0, False)
    assert same(everything(learner), before)
    pick(learner, 1)


def test_a_gradient_that_is_not_a_number_at_one_token_is_not_passed_over(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = fresh()
    before = everything(learner)

    def spoiled(logits: torch.Tensor) -> torch.Tensor:
        factor = torch.ones(len(logits), 1)
        factor[-2] = math.nan
        logits.register_hook(lambda gradient: gradient * factor)
        return logits

    with monkeypatch.context() as patch:
        spoil(patch, spoiled)
        result = teach(learner, PAIRS[0], RECIPE, kind="pick", others=["no"])
    assert result.skipped
    assert same(everything(learner), before)


# --- picks and lessons ---


def test_a_lessons_own_weights_are_the_same_whatever_was_picked_before(fresh: Fresh) -> None:
    straight, picked = fresh(), fresh()
    for at in range(3):
        pick(picked, at)
    shared = moved_weights(picked)
    for learner in (straight, picked):
        teach(learner, PAIRS[3], RECIPE)
    for name, tensor in straight.modules[1].state().items():
        assert torch.equal(tensor, picked.modules[1].state()[name])
    assert all(torch.equal(weight, shared[name]) for name, weight in moved_weights(picked).items())


def test_what_is_always_on_moves_what_the_picks_are_added_to(fresh: Fresh) -> None:
    learner = fresh()
    pick(learner, 0)
    added, base = dict(learner.signs.delta), dict(learner.signs.base)
    teach(learner, PAIRS[1], replace(RECIPES["adamw"], max_steps=3))
    for name, weight in moved_weights(learner).items():
        assert torch.equal(learner.signs.delta[name], added[name])
        assert not torch.equal(learner.signs.base[name], base[name])
        assert torch.allclose(learner.signs.base[name] + added[name], weight, atol=1e-7)


def test_a_pick_is_the_same_whatever_was_taught_in_weights_of_its_own(fresh: Fresh) -> None:
    straight, taught = fresh(), fresh()
    teach(taught, PAIRS[3], RECIPE)
    for learner in (straight, taught):
        pick(learner, 0)
    assert all(torch.equal(weight, moved_weights(taught)[name]) for name, weight in moved_weights(straight).items())


# --- going back, and on ---


def test_a_snapshot_is_gone_back_to_bit_for_bit(fresh: Fresh) -> None:
    learner, straight = fresh(), fresh()
    states, snapshots = [], []
    for at in range(4):
        states.append(everything(learner))
        snapshots.append(learner.snapshot())
        pick(learner, at)
        teach(learner, PAIRS[at], RECIPE, seed=at)
    for state, snapshot in reversed(list(zip(states, snapshots, strict=True))):
        learner.restore(snapshot)
        assert same(everything(learner), state)
    for taught in (learner, straight):
        pick(taught, 3)
    assert same(everything(learner), everything(straight))


def test_lessons_of_all_recipes_mix_and_are_taken_back(fresh: Fresh) -> None:
    learner = fresh()
    recipes = [RECIPES["classic"], RECIPE, replace(RECIPES["adamw"], lr=1e-3, max_steps=3), RECIPE]
    states, snapshots = [], []
    for at, (pair, recipe) in enumerate(zip(PAIRS, recipes, strict=True)):
        states.append(everything(learner))
        snapshots.append(learner.snapshot())
        teach(learner, pair, recipe, seed=at)
        pick(learner, at)
    for state, snapshot in reversed(list(zip(states, snapshots, strict=True))):
        learner.restore(snapshot)
        assert same(everything(learner), state)


def test_states_that_differ_in_what_picks_added_or_in_a_lessons_weights_differ(fresh: Fresh) -> None:
    learner = fresh()
    pick(learner, 0)
    one = learner.snapshot()
    assert differing(one, learner.snapshot()) == []
    name = next(iter(learner.signs.delta))
    learner.signs.delta[name] = learner.signs.delta[name] + 1
    assert differing(one, learner.snapshot()) == [f"delta.{name}"]
    learner.restore(one)
    teach(learner, PAIRS[1], RECIPE, steps=1)
    assert [part.split(".")[0] for part in differing(one, learner.snapshot())] == ["module"] * 3 + ["step"]


def test_a_checkpoint_goes_on_as_if_never_stopped(fresh: Fresh, wide_folders: dict[str, Path], tmp_path: Path) -> None:
    learner = fresh()
    pick(learner, 0)
    teach(learner, PAIRS[1], RECIPES["classic"])
    teach(learner, PAIRS[2], RECIPE, seed=9)
    path = checkpoint.save(tmp_path, learner.lm, learner, position=2, extra={}, keep=1)
    checkpoint.verify(path)
    lm = LanguageModel.load(str(wide_folders["llama"]), device="cpu", weights=path)
    resumed = Learner(lm)
    checkpoint.restore(path, resumed)
    assert same(everything(resumed), everything(learner))
    for taught in (learner, resumed):
        pick(taught, 3)
    assert same(everything(resumed), everything(learner))
    back = fresh()
    pick(back, 2)
    checkpoint.load_into(path, back)
    pick(back, 3)
    assert same(everything(back), everything(learner))


@pytest.mark.parametrize("wrong", ["shape", "name", "too few"])
def test_what_picks_added_is_refused_where_it_does_not_fit(fresh: Fresh, tmp_path: Path, wrong: str) -> None:
    learner = fresh()
    pick(learner, 0)
    before = everything(learner)
    tensors, values = learner.state()
    key = next(key for key in tensors if key.startswith("delta."))
    spoiled = dict(tensors)
    if wrong == "shape":
        spoiled[key] = torch.eye(64)
    else:
        del spoiled[key]
        if wrong == "name":
            spoiled["delta.nothing"] = torch.eye(512)
    with pytest.raises(ValueError, match="picks have added"):
        learner.load_state(spoiled, values)
    assert same(everything(learner), before)
    monstrous = fresh()
    monstrous.state = lambda: (spoiled, values)  # type: ignore[method-assign]
    path = checkpoint.save(tmp_path, monstrous.lm, monstrous, position=1, extra={}, keep=1)
    with pytest.raises(ModelError, match="picks have added"):
        checkpoint.restore(path, learner)
    assert same(everything(learner), before)


# --- a taste ---


def test_a_pick_raises_the_reply_without_collapsing_the_others(default: Learner) -> None:
    lm, prompt = default.lm, "What is a good name for a cat?"
    ids = lm.encode_prompt((), prompt, room=24).ids
    texts = [reply.text for reply in propose(lm, ids, SAMPLING, seed=2) or []]
    chosen, others = texts[2], [text for text in texts if text != texts[2]]
    assert len(others) == 4

    def seen() -> tuple[float, list[float]]:
        return recall.score(lm, (), prompt, chosen).logprob, [
            -recall.score(lm, (), prompt, text).loss for text in others
        ]

    before = seen()
    begun = default.snapshot()
    assert teach(default, (prompt, chosen), RECIPE, kind="pick", others=others, steps=3).steps == 3
    default.restore(begun)
    result = teach(default, (prompt, chosen), RECIPE, kind="pick", others=others)
    after = seen()
    assert result.steps == 1
    assert result.p_after > result.p_before
    assert after[0] > before[0] + 0.1
    # Nats a token: what was not picked is still language.
    assert all(now > then - 1.5 for now, then in zip(after[1], before[1], strict=True))


def test_what_was_not_picked_rises_less_the_more_it_tells(default: Learner) -> None:
    prompt, chosen, others = "What is a good name for a cat?", "Minka is lovely.", ["Bello is lovely.", "Tom."]
    begun, leads = default.snapshot(), {}
    for listwise in (0.0, 1.0):
        default.restore(begun)
        scores = [[-recall.score(default.lm, (), prompt, text).loss for text in (chosen, *others)]]
        teach(default, (prompt, chosen), replace(RECIPE, listwise=listwise), kind="pick", others=others)
        scores.append([-recall.score(default.lm, (), prompt, text).loss for text in (chosen, *others)])
        gains = [now - then for then, now in zip(*scores, strict=True)]
        assert gains[0] > 0
        leads[listwise] = (gains[0] - sum(gains[1:]) / 2) / gains[0]
    assert leads[1.0] > leads[0.0]


def test_a_preference_pulls_the_picked_one_up_against_the_mean_of_all() -> None:
    losses = [torch.tensor(value, requires_grad=True) for value in (2.0, 1.0, 5.0, 0.5)]
    preference = Preference()
    preference(losses).backward()
    # A loss that falls is a likelihood that rises: the picked one's falls, the others' rise, all the same at first.
    assert [float(loss.grad) for loss in losses] == pytest.approx([0.75, -0.25, -0.25, -0.25])
    later = [torch.tensor(value, requires_grad=True) for value in (0.1, 1.0, 5.0, 0.4)]
    preference(later).backward()
    assert 0 < float(later[0].grad) < 0.75
    # The one that became likelier with it is held back the most.
    assert float(later[3].grad) == min(float(loss.grad) for loss in later)


def test_a_taught_reply_outlives_many_picks(default: Learner) -> None:
    pair = ("Where is the blue ladder?", "It is behind the barn.")
    teach(default, pair, RECIPE)
    for seed in range(8):
        teach(default, ("hello", "Hi there!"), RECIPE, kind="pick", others=["Good day."], seed=seed)
    assert recall.score(default.lm, (), *pair, module=default.modules[1]).says
