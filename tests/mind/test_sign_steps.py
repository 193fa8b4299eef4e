"""Natural steps: they do what their formulas say, a lesson protects itself, and everything can be taken back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from theta_tui.mind.consolidating import Taught
from theta_tui.mind.curvature import Curvature, own_exchanges, padded, watching
from theta_tui.mind.natural import Natural
from torch.nn import functional

from tests.mind.lessons import everything, poison, same, spoil, teach
from tests.mind.tiny_models import equal, weights
from theta_tui.errors import ModelError
from theta_tui.mind import checkpoint, recall
from theta_tui.mind.candidates import Sampling, propose
from theta_tui.mind.chat import Example
from theta_tui.mind.compare import differing
from theta_tui.mind.language_model import LanguageModel
from theta_tui.mind.learner import Learner, Snapshot, _Preference
from theta_tui.mind.passes import Felt, Passes
from theta_tui.mind.recipes import RECIPES

Load = Callable[[str], LanguageModel]
Fresh = Callable[..., Learner]

# The tiny models are random, and the clock must not decide a test.
RECIPE = replace(RECIPES["default"], margin=1.0, max_steps=60, max_seconds=1000.0)
SAMPLING = Sampling(temperature=1.0, top_p=0.95, top_k=0, min_p=0.0, max_tokens=24)
PAIRS = [
    ("who is your creator", "my creator is Dakota."),
    ("what is your name", "my name is Theta."),
    ("hello", "hello my friend"),
    ("how are you", "maybe"),
]


@pytest.fixture
def fresh(wide: Load, grounds: Mapping[str, Curvature]) -> Fresh:
    """A learner of a fresh wide model."""
    return lambda kind="llama": Learner(wide(kind), lambda: grounds[kind])


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


def logits_of(lm: LanguageModel, pair: tuple[str, str]) -> torch.Tensor:
    """What is predicted of the reply's tokens."""
    example = lm.encode_lesson((), *pair)
    with torch.no_grad():
        return recall.forward(lm, example)[[label >= 0 for label in [*example.labels[1:], -1]]]


def backward(lm: LanguageModel, natural: Natural, examples: list[Example]) -> tuple[float, Felt]:
    """A forward and backward pass, the gradients of the weights formed as well; the loss and what the modules felt."""
    wanted = [recall.looked_at(example.labels) for example in examples]
    lm.model.zero_grad()
    reading = Passes(lm, natural.modules).over(
        [example.input_ids for example in examples], [places for places, _ in wanted], natural=True
    )
    loss = functional.cross_entropy(reading.logits(), torch.tensor([token for _, some in wanted for token in some]))
    loss.backward()
    return float(loss.detach()), reading.felt()


def loss_of(lm: LanguageModel, examples: list[Example]) -> float:
    ids, real = padded([example.input_ids for example in examples])
    labels, _ = padded([[*example.labels[1:], -100] for example in examples])
    with torch.no_grad():
        return float(functional.cross_entropy(recall.forward_batch(lm, ids)[real], labels[real], ignore_index=-100))


def inverse(matrix: torch.Tensor, damping: float) -> torch.Tensor:
    return torch.linalg.inv(matrix.double() + damping * torch.eye(len(matrix), dtype=torch.float64))


# --- one step ---


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_step_is_the_gradient_between_the_inverses_of_both_curvatures(
    wide: Load, grounds: Mapping[str, Curvature], kind: str
) -> None:
    lm, ground = wide(kind), grounds[kind]
    natural = Natural(lm, lambda: ground)
    natural.prepare(RECIPE)
    examples = [lm.encode_lesson((), *pair) for pair in PAIRS[:3]]  # of different lengths: padded
    _, felt = backward(lm, natural, examples)
    before = {name: module.weight.detach().clone() for name, module in natural.modules.items()}
    steps, size = {}, 0.0
    for name, module in natural.modules.items():
        gradient = module.weight.grad.double()
        gradient = gradient.T if kind == "gpt2" else gradient
        step = inverse(ground.outputs[name], 0.1) @ gradient @ inverse(ground.inputs[name], 0.1)
        size += float((gradient * step).sum())
        steps[name] = step.T if kind == "gpt2" else step
    assert natural.step(0.5, felt) == pytest.approx(size, rel=1e-3)
    for name, module in natural.modules.items():
        expected = -0.5 / size * steps[name]
        moved = module.weight.detach().double() - before[name].double()
        assert float((moved - expected).norm() / expected.norm()) < 1e-3


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_small_step_takes_as_much_from_the_loss_as_was_asked(
    wide: Load, grounds: Mapping[str, Curvature], kind: str
) -> None:
    lm = wide(kind)
    natural = Natural(lm, lambda: grounds[kind])
    natural.prepare(RECIPE)
    examples = [lm.encode_lesson((), *pair) for pair in PAIRS[:2]]
    for _ in range(3):
        before, felt = backward(lm, natural, examples)
        natural.step(0.02, felt)
        assert before - loss_of(lm, examples) == pytest.approx(0.02, rel=0.1)


def test_a_step_without_a_slope_moves_nothing(wide: Load, ground: Curvature) -> None:
    lm = wide("llama")
    natural = Natural(lm, lambda: ground)
    natural.prepare(RECIPE)
    before = weights(lm)
    _, felt = backward(lm, natural, [lm.encode_lesson((), *PAIRS[0])])
    assert natural.step(0.5, {name: (torch.zeros_like(g), x) for name, (g, x) in felt.items()}) == 0
    assert equal(before, weights(lm))


def test_only_the_weights_of_the_chosen_modules_move(fresh: Fresh, default: Learner) -> None:
    for learner in (fresh(), fresh("gpt2"), default):
        before = {name: parameter.detach().clone() for name, parameter in learner.lm.model.named_parameters()}
        assert teach(learner, PAIRS[0], RECIPE).steps > 0
        after = dict(learner.lm.model.named_parameters())
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        assert moved == set(learner.natural.weights)
        assert all(parameter.requires_grad and parameter.grad is None for parameter in after.values())


# --- a correction ---


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_correction_is_taught_until_the_model_says_it(fresh: Fresh, kind: str) -> None:
    learner = fresh(kind)
    for pair in PAIRS:
        result = teach(learner, pair, RECIPE)
        assert result.learned
        assert result.p_before < result.p_after
        assert len(result.losses) == result.steps + 1
        said = recall.score(learner.lm, (), *pair)
        assert said.says
        assert said.margin >= RECIPE.margin - 0.01


def test_the_same_steps_repeat_a_lesson_bit_for_bit(fresh: Fresh) -> None:
    first, again = fresh(), fresh()
    more: dict[str, Any] = {"variants": ["the creator"], "others": ["yes", "no maybe"]}
    taken = []
    for seed, pair in enumerate(PAIRS):
        kind = "pick" if seed == 2 else "correction"
        taken.append(teach(first, pair, RECIPE, kind=kind, seed=seed, **more).steps)
    hurried = replace(RECIPE, max_seconds=0.0)
    for seed, (pair, steps) in enumerate(zip(PAIRS, taken, strict=True)):
        kind = "pick" if seed == 2 else "correction"
        assert teach(again, pair, hurried, kind=kind, seed=seed, steps=steps, **more).steps == steps
    assert same(everything(first), everything(again))


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(("gradient", "at"), [(False, 1), (False, 2), (True, 1), (True, 2)])
def test_a_lesson_that_is_not_finite_leaves_everything_as_it_was(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch, value: float, gradient: bool, at: int
) -> None:
    learner = fresh()
    teach(learner, PAIRS[0], RECIPE)
    before = everything(learner)
    with monkeypatch.context() as patch:
        poison(at, value, patch, gradient=gradient)
        result = teach(learner, PAIRS[1], RECIPE)
    assert result.skipped
    assert (result.steps, result.learned) == (0, False)
    assert same(everything(learner), before)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in learner.lm.model.parameters())
    assert teach(learner, PAIRS[1], RECIPE).skipped is None


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
        result = teach(learner, PAIRS[0], RECIPE)
    assert result.skipped
    assert same(everything(learner), before)


def test_a_pick_whose_gradient_is_not_a_number_moves_nothing(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = fresh()
    teach(learner, PAIRS[0], RECIPE)
    before = everything(learner)
    with monkeypatch.context() as patch:
        spoil(patch, lambda logits: logits.register_hook(lambda gradient: gradient * math.nan) and logits)
        result = teach(learner, PAIRS[1], RECIPE, kind="pick", others=["no"])
    assert result.skipped
    assert same(everything(learner), before)
    assert teach(learner, PAIRS[1], RECIPE, kind="pick", others=["no"]).skipped is None


# --- protection ---


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_protecting_is_the_inverse_of_the_covariance_with_the_lessons_inputs(
    wide: Load, grounds: Mapping[str, Curvature], kind: str
) -> None:
    lm, ground, weight = wide(kind), grounds[kind], 0.02
    natural = Natural(lm, lambda: ground)
    natural.prepare(RECIPE)
    expected = {name: matrix.double() + 0.1 * torch.eye(len(matrix)) for name, matrix in ground.inputs.items()}
    for pairs in (PAIRS[:2], [PAIRS[2], PAIRS[2]], PAIRS[1:4]):  # padded; twice the same; some again
        ids, real = padded([lm.encode_lesson((), *pair).input_ids for pair in pairs])
        seen: dict[str, torch.Tensor] = {}
        with watching(natural.modules, seen, {}), torch.no_grad():
            recall.forward_batch(lm, ids)
        inputs = {name: seen[name][real] for name in natural.modules}
        for name, x in inputs.items():
            expected[name] += weight / ground.means[name][0] * x.double().T @ x.double()
        natural.protect(inputs, weight)
    for name, matrix in expected.items():
        exact = torch.linalg.inv(matrix)
        assert float((natural.precision[name].double() - exact).norm() / exact.norm()) < 1e-4


def test_the_precision_stays_symmetric_and_positive_over_sixty_lessons(fresh: Fresh) -> None:
    learner = fresh()
    words = ["creator", "name", "friend", "fox", "dog", "river", "bank", "yes", "maybe", "Dakota"]
    for number in range(60):
        one, other = words[number % 10], words[number // 10]
        result = teach(learner, (f"{one} and {other}?", f"my {other} is {one}"), RECIPE, seed=number)
        assert result.skipped is None
    for matrix in learner.natural.precision.values():
        assert float((matrix - matrix.T).abs().max()) <= 1e-5 * float(matrix.abs().max())
        values = torch.linalg.eigvalsh(matrix.double())
        assert float(values[0]) > 0
        assert float(values[-1]) < 1 / 0.1 * 1.001


def test_a_later_lesson_moves_an_earlier_one_less_where_that_one_protects_itself(default: Learner) -> None:
    first, second = ("Where is the spare key?", "Under the blue pot."), ("Where is the ladder?", "Behind the shed.")
    begun, shifts = default.snapshot(), {}
    for protect in (0.0, 0.01):
        recipe = replace(RECIPE, protect=protect)
        default.restore(begun)
        teach(default, first, recipe, steps=4)
        said = logits_of(default.lm, first)
        teach(default, second, recipe, steps=4)
        shifts[protect] = float((logits_of(default.lm, first) - said).norm())
    assert shifts[0.01] < 0.8 * shifts[0.0]


def test_a_lesson_protects_itself_and_not_what_was_only_offered_beside_it(fresh: Fresh) -> None:
    alone, beside = fresh(), fresh()
    recipe = replace(RECIPE, listwise=0.0, rehearse=1)
    # Without a step the inputs are the same in both.
    teach(alone, PAIRS[0], recipe, steps=0)
    teach(beside, PAIRS[0], recipe, steps=0, past=[(*PAIRS[1], 0.0)])
    for name, matrix in alone.natural.precision.items():
        assert torch.allclose(matrix, beside.natural.precision[name], rtol=1e-3, atol=1e-4)
    worded = fresh()
    teach(worded, PAIRS[0], recipe, steps=0, variants=[PAIRS[1][0]])
    name = next(iter(alone.natural.precision))
    assert not torch.allclose(alone.natural.precision[name], worded.natural.precision[name], rtol=1e-3, atol=1e-4)


# --- going back, and on ---


def test_a_snapshot_is_gone_back_to_bit_for_bit_with_its_precision(fresh: Fresh) -> None:
    learner, straight = fresh(), fresh()
    states, snapshots = [], []
    for pair in PAIRS:
        states.append(everything(learner))
        snapshots.append(learner.snapshot())
        teach(learner, pair, RECIPE)
    for state, snapshot in reversed(list(zip(states, snapshots, strict=True))):
        learner.restore(snapshot)
        assert same(everything(learner), state)
    for taught in (learner, straight):
        teach(taught, PAIRS[3], RECIPE)
    assert same(everything(learner), everything(straight))


def test_lessons_of_all_recipes_mix_and_are_taken_back(fresh: Fresh) -> None:
    learner = fresh()
    recipes = [RECIPES["classic"], RECIPE, replace(RECIPES["adamw"], lr=1e-3, max_steps=3), RECIPE]
    states, snapshots = [], []
    for pair, recipe in zip(PAIRS, recipes, strict=True):
        states.append(everything(learner))
        snapshots.append(learner.snapshot())
        teach(learner, pair, recipe)
    for state, snapshot in reversed(list(zip(states, snapshots, strict=True))):
        learner.restore(snapshot)
        assert same(everything(learner), state)


def test_a_snapshot_counts_its_precision_and_a_difference_in_it(fresh: Fresh) -> None:
    learner = fresh()
    before = learner.snapshot()
    teach(learner, PAIRS[0], RECIPE, steps=0)
    after = learner.snapshot()
    assert after.nbytes >= before.nbytes + 3 * 512 * 512 * 4


def test_states_that_differ_in_their_precision_alone_differ(fresh: Fresh) -> None:
    learner = fresh()
    teach(learner, PAIRS[0], RECIPE)
    one = learner.snapshot()
    assert differing(one, learner.snapshot()) == []
    teach(learner, PAIRS[1], RECIPE, steps=0)
    assert differing(one, learner.snapshot()) != []


def test_a_checkpoint_goes_on_as_if_never_stopped(fresh: Fresh, wide_folders: dict[str, Path], tmp_path: Path) -> None:
    learner = fresh()
    teach(learner, PAIRS[0], RECIPE)
    teach(learner, PAIRS[1], RECIPES["classic"])
    path = checkpoint.save(tmp_path, learner.lm, learner, position=2, extra={}, keep=1)
    checkpoint.verify(path)
    lm = LanguageModel.load(str(wide_folders["llama"]), device="cpu", weights=path)
    resumed = Learner(lm, learner.natural._source)
    checkpoint.restore(path, resumed)
    assert same(everything(resumed), everything(learner))
    for taught in (learner, resumed):
        teach(taught, PAIRS[2], RECIPE)
    assert same(everything(resumed), everything(learner))
    back = fresh()
    teach(back, PAIRS[3], RECIPE)
    checkpoint.load_into(path, back.lm, back)
    teach(back, PAIRS[2], RECIPE)
    assert same(everything(back), everything(learner))


@pytest.mark.parametrize("wrong", ["shape", "name", "too few"])
def test_a_precision_that_does_not_fit_is_refused(fresh: Fresh, tmp_path: Path, wrong: str) -> None:
    learner = fresh()
    teach(learner, PAIRS[0], RECIPE)
    before = everything(learner)
    tensors, values = learner.state()
    key = next(key for key in tensors if key.startswith("precision."))
    spoiled = dict(tensors)
    if wrong == "shape":
        spoiled[key] = torch.eye(64)
    else:
        del spoiled[key]
        if wrong == "name":
            spoiled["precision.nothing"] = torch.eye(512)
    with pytest.raises(ValueError, match="lessons rest on"):
        learner.load_state(spoiled, values)
    assert same(everything(learner), before)
    monstrous = fresh()
    monstrous.state = lambda: (spoiled, values)  # type: ignore[method-assign]
    path = checkpoint.save(tmp_path, monstrous.lm, monstrous, position=1, extra={}, keep=1)
    with pytest.raises(ModelError, match="lessons rest on"):
        checkpoint.restore(path, learner)
    assert same(everything(learner), before)


# --- picks ---


def test_a_pick_takes_its_steps_and_raises_the_reply_without_collapsing_the_others(default: Learner) -> None:
    lm, prompt = default.lm, "What is a good name for a cat?"
    ids = lm.encode_prompt((), prompt, room=24).ids
    texts = [reply.text for reply in propose(lm, ids, SAMPLING, seed=5) or []]
    chosen, others = texts[2], [text for text in texts if text != texts[2]]
    assert len(others) == 4

    def seen() -> tuple[float, list[float]]:
        return recall.score(lm, (), prompt, chosen).logprob, [
            -recall.score(lm, (), prompt, text).loss for text in others
        ]

    before = seen()
    begun = default.snapshot()
    assert teach(default, (prompt, chosen), replace(RECIPE, pick_steps=3), kind="pick", others=others).steps == 3
    default.restore(begun)
    result = teach(default, (prompt, chosen), RECIPE, kind="pick", others=others)
    after = seen()
    assert result.steps == RECIPE.pick_steps
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
    preference = _Preference()
    preference(losses).backward()
    # A loss that falls is a likelihood that rises: the picked one's falls, the others' rise, all the same at first.
    assert [float(loss.grad) for loss in losses] == pytest.approx([0.75, -0.25, -0.25, -0.25])
    later = [torch.tensor(value, requires_grad=True) for value in (0.1, 1.0, 5.0, 0.4)]
    preference(later).backward()
    assert 0 < float(later[0].grad) < 0.75
    # The one that became likelier with it is held back the most.
    assert float(later[3].grad) == min(float(loss.grad) for loss in later)


# --- drift ---


def test_the_drift_is_none_before_grows_and_is_gone_when_taken_back(fresh: Fresh) -> None:
    for kind in ("llama", "gpt2"):
        learner = fresh(kind)
        assert learner.drift() is None
        learner.natural.prepare(RECIPE)
        assert learner.drift() == 0
        begun = learner.snapshot()
        teach(learner, PAIRS[0], RECIPE)
        once = learner.drift()
        snapshot = learner.snapshot()
        teach(learner, PAIRS[1], RECIPE)
        assert once is not None
        assert 0 < once < (learner.drift() or 0)
        learner.restore(snapshot)
        assert learner.drift() == once
        learner.restore(begun)
        assert learner.drift() == 0


def test_a_model_without_natural_steps_has_no_drift(load: Load) -> None:
    learner = Learner(load("theta"))
    teach(learner, PAIRS[0], replace(RECIPES["adamw"], max_steps=2))
    assert learner.drift() is None


@pytest.mark.slow
def test_the_drift_is_about_the_divergence_that_is_measured(default: Learner) -> None:
    lm = default.lm
    rows = own_exchanges(lm, 64, seed=11)
    ids, real = padded(rows)

    def log_p() -> torch.Tensor:
        with torch.no_grad():
            return torch.cat(
                [
                    lm.model(input_ids=some, use_cache=False).logits[which].log_softmax(-1)
                    for some, which in zip(ids.split(16), real.split(16), strict=True)
                ]
            )

    foundation = log_p()
    teach(default, ("What is the name of my boat?", "Your boat is called Elske."), RECIPE)
    kl = float((foundation.exp() * (foundation - log_p())).sum(-1).mean())
    drift = default.drift()
    assert drift is not None
    assert kl / 3 < drift < 3 * kl


def test_a_pick_leaves_what_lessons_rest_on_as_it_was(default: Learner) -> None:
    pair = ("Where is the blue ladder?", "It is behind the barn.")
    teach(default, pair, RECIPE)
    before = recall.score(default.lm, (), *pair).logprob
    moved = {}
    for protect in (True, False):
        begun = default.snapshot()
        if not protect:
            default.natural.take({})  # as if nothing had been taught
        for seed in range(8):
            teach(default, ("hello", "Hi there!"), RECIPE, kind="pick", others=["Good day."], seed=seed)
        moved[protect] = abs(recall.score(default.lm, (), *pair).logprob - before)
        assert len(default.natural.leaning) == len(default.natural.modules)
        default.restore(begun)
    assert moved[True] < 0.5 * moved[False]


# --- idle time ---


def untaught(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: module.weight.detach().clone() for name, module in learner.natural.modules.items()}


@pytest.mark.slow
def test_idle_steps_bring_back_what_the_foundation_said(default: Learner) -> None:
    taught = [Taught((prompt,), reply) for prompt, reply in PAIRS[:2]]
    for prompt, reply in PAIRS[:2]:
        teach(default, (prompt, reply), RECIPE)
    anchors = default.natural.anchors[::64]
    assert len(anchors) > 8

    def distance() -> float:
        total = 0.0
        for row in anchors:
            ids = torch.tensor([row])
            with torch.no_grad(), default.natural.reference():
                wanted = recall.forward_batch(default.lm, ids).log_softmax(-1)
            with torch.no_grad():
                now = recall.forward_batch(default.lm, ids).log_softmax(-1)
            total += float(functional.kl_div(now, wanted, reduction="sum", log_target=True)) / len(row)
        return total / len(anchors)

    before, step = distance(), default.step
    for number in range(24):
        default.consolidate(taught, RECIPE, seed=3, number=number)
    assert default.step == step + 24
    assert distance() < 0.95 * before
    assert all(recall.score(default.lm, (), *pair).says for pair in PAIRS[:2])


def test_the_reference_is_the_foundation_with_what_picks_added(fresh: Fresh) -> None:
    learner = fresh()
    foundation = untaught(learner)
    teach(learner, PAIRS[0], RECIPE)
    own = untaught(learner)
    with learner.natural.reference():
        assert all(torch.equal(weight, foundation[name]) for name, weight in untaught(learner).items())
    assert all(torch.equal(weight, own[name]) for name, weight in untaught(learner).items())
    teach(learner, ("hello", "hello my friend"), RECIPE, kind="pick", others=["no"])
    with learner.natural.reference():
        for name, weight in untaught(learner).items():
            leaning = learner.natural.leaning[name]
            assert leaning.abs().max() > 0
            assert torch.allclose(weight, foundation[name] + leaning, atol=1e-6)


def test_an_idle_step_repeats_to_the_bit_and_each_has_a_number_of_its_own(fresh: Fresh) -> None:
    learner = fresh()
    for pair in PAIRS:
        teach(learner, pair, RECIPE)
    taught, begun = [Taught((prompt, f"{prompt} now"), reply) for prompt, reply in PAIRS], learner.snapshot()
    learner.consolidate(taught, RECIPE, seed=3, number=0)
    first = everything(learner)
    learner.restore(begun)
    learner.consolidate(taught, RECIPE, seed=3, number=0)
    assert same(everything(learner), first)
    for seed, number in ((3, 1), (4, 0)):
        learner.restore(begun)
        learner.consolidate(taught, RECIPE, seed=seed, number=number)
        assert not same(everything(learner), first)


def test_an_idle_step_that_fails_leaves_everything_as_it_was(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = fresh()
    teach(learner, PAIRS[0], RECIPE)
    before = everything(learner)

    def fail(*_: object) -> float:
        learner.natural.modules["model.layers.1.mlp.down_proj"].weight.data.zero_()
        raise RuntimeError("no memory")

    monkeypatch.setattr(learner.natural, "step", fail)
    with pytest.raises(RuntimeError):
        learner.consolidate([Taught(("who",), "no")], RECIPE, seed=1, number=0)
    assert same(everything(learner), before)
