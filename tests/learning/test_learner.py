from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.learning.lessons import everything, poison, same
from tests.learning.lessons import teach as taught_by
from tests.support.tiny_models import KINDS, equal, weights
from theta_tui.base.errors import TeachError
from theta_tui.learning import recall
from theta_tui.learning.learner import Abandoned, Learner, Progress, Result
from theta_tui.learning.recipes import RECIPES, Recipe
from theta_tui.model.generate import greedy
from theta_tui.model.language_model import LanguageModel

Load = Callable[[str], LanguageModel]

CLASSIC = RECIPES["classic"]
# The tiny models are random: they need larger steps than the recipe's, and the clock must not decide a test.
ADAMW = replace(
    RECIPES["adamw"],
    lr=1e-2,
    margin=1.0,
    train_embeddings=True,
    max_steps=60,
    max_seconds=1000.0,
)
PAIRS = [
    ("who is your creator", "my creator is Dakota."),
    ("what is your name", "my name is Theta."),
    ("hello", "hello my friend"),
    ("how are you", "maybe"),
]
EARLIER = [(*pair, 0.0) for pair in PAIRS]


def teach(learner: Learner, pair: tuple[str, str], recipe: Recipe = ADAMW, **options: Any) -> Result:
    return taught_by(learner, pair, recipe, **options)


# --- classic ---


@pytest.mark.parametrize("kind", ["theta", "chatml", "gpt2"])
@pytest.mark.parametrize("interrupted", [False, True])
def test_classic_is_bit_for_bit_one_adamw_step_a_lesson(load: Load, kind: str, interrupted: bool) -> None:
    reference = load(kind)
    parameters = list(reference.model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-5, betas=(0.9, 0.999), weight_decay=0.0)
    for prompt, reply in PAIRS:
        ids = torch.tensor([reference.encode_lesson([], prompt, reply).input_ids])
        optimizer.zero_grad()
        reference.model(ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    learner = Learner(load(kind))
    for pair in PAIRS:
        assert teach(learner, pair, CLASSIC).steps == 1
        if interrupted:
            tensors, values = learner.state()
            kept = {name: tensor.clone() for name, tensor in tensors.items()}
            learner = Learner(learner.lm)
            learner.load_state(kept, values)
    assert equal(weights(learner.lm), weights(reference))
    assert learner.step == len(PAIRS)


def test_classic_takes_no_notice_of_wordings_of_what_was_offered_and_of_the_past(load: Load) -> None:
    one, other = Learner(load("theta")), Learner(load("theta"))
    teach(one, PAIRS[0], CLASSIC, variants=["who made you"], others=["yes"], past=EARLIER[1:3], kind="pick")
    teach(other, PAIRS[0], CLASSIC)
    assert same(everything(one), everything(other))


def test_the_losses_of_classic_are_those_of_the_whole_pair(lm: LanguageModel) -> None:
    ids = torch.tensor([lm.encode_lesson([], *PAIRS[0]).input_ids])
    with torch.no_grad():
        before = float(lm.model(ids, labels=ids).loss)
    assert teach(Learner(lm), PAIRS[0], CLASSIC).loss_before == pytest.approx(before, rel=1e-6)


# --- until it is said ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_correction_is_taught_until_the_model_says_it(load: Load, kind: str) -> None:
    lm = load(kind)
    result = teach(Learner(lm), PAIRS[0])
    assert result.learned
    assert 1 <= result.steps <= ADAMW.max_steps
    assert len(result.losses) == result.steps + 1
    assert result.losses[0] == result.loss_before > result.loss_after == result.losses[-1]
    assert result.p_before < result.p_after
    said = recall.score(lm, [], *PAIRS[0])
    assert said.says
    assert said.margin >= ADAMW.margin
    assert said.p == pytest.approx(result.p_after, rel=1e-4)
    answer = greedy(lm, lm.encode_prompt([], PAIRS[0][0], room=40).ids, max_tokens=40)
    assert (answer.text, answer.ended) == (PAIRS[0][1], True)
    assert answer.logprob == pytest.approx(said.logprob, abs=1e-3)


def test_what_is_known_already_gets_one_step_still(lm: LanguageModel) -> None:
    learner = Learner(lm)
    teach(learner, PAIRS[0], replace(ADAMW, margin=3.0))
    assert teach(learner, PAIRS[0]).steps == 1


def test_a_pick_gets_one_step(lm: LanguageModel) -> None:
    assert teach(Learner(lm), PAIRS[0], kind="pick").steps == 1


def test_steps_and_seconds_are_bounded(lm: LanguageModel) -> None:
    slow = replace(ADAMW, lr=1e-6)
    learner = Learner(lm)
    assert teach(learner, PAIRS[0], replace(slow, max_steps=4)).steps == 4
    late = teach(learner, PAIRS[0], replace(slow, max_seconds=0.0))
    assert late.steps == 1
    assert not late.learned


def test_a_lesson_that_is_not_said_yet_gets_four_times_the_time(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, ticks = Learner(lm), count(0.0, 0.3)
    slow = replace(ADAMW, lr=1e-7, max_seconds=2.0, margin=1e9)
    with monkeypatch.context() as patch:
        patch.setattr("theta_tui.learning.learner.time", SimpleNamespace(monotonic=lambda: next(ticks)))
        unsaid = teach(learner, PAIRS[0], slow)
    teach(learner, PAIRS[0])
    with monkeypatch.context() as patch:
        patch.setattr("theta_tui.learning.learner.time", SimpleNamespace(monotonic=lambda: next(ticks)))
        said = teach(learner, PAIRS[0], slow)
    assert (unsaid.learned, said.learned) == (False, True)
    assert said.steps < 2.0 / 0.3
    assert 4.0 / 0.3 < unsaid.steps < 8.0 / 0.3


def test_embeddings_stay_frozen_tied_or_not(load: Load) -> None:
    for kind in ("theta", "chatml", "gpt2"):
        lm = load(kind)
        before = {name: parameter.detach().clone() for name, parameter in lm.model.named_parameters()}
        teach(Learner(lm), PAIRS[0], replace(ADAMW, train_embeddings=False, max_steps=3))
        moved = {name for name, parameter in lm.model.named_parameters() if not torch.equal(before[name], parameter)}
        assert moved
        assert not any("embed" in name or "lm_head" in name or "wte" in name or "wpe" in name for name in moved)


def test_no_momentum_of_one_lesson_reaches_the_next(load: Load) -> None:
    tensors, _ = Learner(load("theta")).state()
    assert tensors == {}
    learner = Learner(load("theta"))
    teach(learner, PAIRS[0])
    tensors, _ = learner.state()
    assert any(name.startswith("exp_avg_sq.") for name in tensors)
    assert not any(name.startswith("exp_avg.") for name in tensors)


def test_progress_tells_of_every_step(lm: LanguageModel) -> None:
    heard: list[Progress] = []
    result = teach(Learner(lm), PAIRS[0], progress=heard.append)
    assert [progress.steps for progress in heard] == list(range(result.steps + 1))
    assert [progress.loss for progress in heard] == list(result.losses)
    assert heard[-1].p_now == result.p_after
    assert {progress.p_before for progress in heard} == {result.p_before}


def test_a_blank_or_endless_reply_is_refused_and_nothing_moves(lm: LanguageModel) -> None:
    learner = Learner(lm)
    before = everything(learner)
    for reply in (" \n", "word " * 5000):
        with pytest.raises(TeachError):
            teach(learner, ("hello", reply))
    assert same(everything(learner), before)


# --- what is learned beside it ---


def test_other_wordings_are_learned_in_the_same_steps(load: Load) -> None:
    told, other = Learner(load("theta")), Learner(load("theta"))
    wording = "tell me your creator"
    teach(told, PAIRS[0], variants=[wording], steps=4)
    teach(other, PAIRS[0], steps=4)
    reply = PAIRS[0][1]
    assert told.step == other.step == 4
    assert recall.score(told.lm, (), wording, reply).logprob > recall.score(other.lm, (), wording, reply).logprob


def test_what_was_learned_before_is_rehearsed_in_the_same_steps(load: Load) -> None:
    kept, other = Learner(load("theta")), Learner(load("theta"))
    for learner, past in ((kept, EARLIER[1:2]), (other, [])):
        teach(learner, PAIRS[1])
        teach(learner, PAIRS[0], past=past, steps=4)
    assert recall.score(kept.lm, (), *PAIRS[1]).logprob > recall.score(other.lm, (), *PAIRS[1]).logprob


def test_no_more_is_learned_beside_it_than_the_recipe_wants_and_nothing_that_does_not_fit(load: Load) -> None:
    one, other = Learner(load("theta")), Learner(load("theta"))
    endless = "word " * 5000
    few = replace(ADAMW, variants=2, rehearse=2)
    teach(one, PAIRS[0], few, variants=["creator", endless, "whose"], past=[("a", endless, 0.0), *EARLIER[1:3]])
    only = replace(ADAMW, variants=9, rehearse=9)
    teach(other, PAIRS[0], only, variants=["creator", endless], past=EARLIER[1:2])
    assert same(everything(one), everything(other))


def test_a_lesson_ends_when_it_is_said_whether_its_other_wordings_are_or_not(lm: LanguageModel) -> None:
    margins: list[float] = []
    wording = "the quick brown fox"

    def look(_: Progress) -> None:
        margins.append(recall.score(lm, (), *PAIRS[0]).margin)

    teach(Learner(lm), PAIRS[0], variants=[wording], past=EARLIER[1:], progress=look)
    assert max(margins[:-1]) < ADAMW.margin <= margins[-1]
    assert recall.score(lm, (), *PAIRS[3]).margin < ADAMW.margin


# --- replay and undo ---


@pytest.mark.parametrize("recipe", [CLASSIC, ADAMW], ids=["classic", "adamw"])
def test_replay_with_the_same_steps_is_bit_equal(load: Load, recipe: Recipe) -> None:
    first = Learner(load("theta"))
    taken = [teach(first, pair, recipe, seed=seed).steps for seed, pair in enumerate(PAIRS)]
    again = Learner(load("theta"))
    hurried = replace(recipe, max_seconds=0.0)
    for seed, (pair, steps) in enumerate(zip(PAIRS, taken, strict=True)):
        assert teach(again, pair, hurried, seed=seed, steps=steps).steps == steps
    assert same(everything(again), everything(first))


@pytest.mark.parametrize("recipe", [CLASSIC, ADAMW], ids=["classic", "adamw"])
def test_undo_is_bit_equal_to_never_having_taught(load: Load, recipe: Recipe) -> None:
    learner, straight = Learner(load("theta")), Learner(load("theta"))
    for taught in (learner, straight):
        teach(taught, PAIRS[0], recipe)
    before, snapshot = everything(learner), learner.snapshot()
    teach(learner, PAIRS[1], recipe)
    teach(learner, PAIRS[2], ADAMW)
    learner.restore(snapshot)
    assert same(everything(learner), before)
    for taught in (learner, straight):
        teach(taught, PAIRS[3], recipe)
    assert same(everything(learner), everything(straight))


def test_undo_reaches_back_to_the_untaught_model_and_over_changes_of_recipe(lm: LanguageModel) -> None:
    learner = Learner(lm)
    states, snapshots = [], []
    for number, pair in enumerate(PAIRS):
        states.append(everything(learner))
        snapshots.append(learner.snapshot())
        teach(learner, pair, [CLASSIC, ADAMW][number % 2])
    for state, snapshot in reversed(list(zip(states, snapshots, strict=True))):
        learner.restore(snapshot)
        assert same(everything(learner), state)


def test_a_snapshot_shares_what_did_not_change(lm: LanguageModel) -> None:
    learner = Learner(lm)
    first = learner.snapshot()
    teach(learner, PAIRS[0], replace(ADAMW, train_embeddings=False))
    second = learner.snapshot()
    name = "model.embed_tokens.weight"
    assert first.parts[name] is second.parts[name]
    assert first.nbytes > second.nbytes == 0
    teach(learner, PAIRS[1], replace(ADAMW, train_embeddings=False))
    assert second.nbytes > first.nbytes  # it has moments


def test_a_lesson_in_weights_of_its_own_copies_no_weight(lm: LanguageModel) -> None:
    learner = Learner(lm)
    before = learner.snapshot()
    learner.learn_module(1, *PAIRS[0], RECIPES["default"])
    after = learner.snapshot()
    learner.learn_module(2, *PAIRS[1], RECIPES["default"])
    assert before.nbytes == after.nbytes == 0
    teach(learner, PAIRS[1], ADAMW)
    learner.restore(before)
    assert learner.modules == {}
    assert after.nbytes > 0


def test_snapshots_stay_true_when_weights_are_loaded(lm: LanguageModel, tmp_path: Path) -> None:
    learner = Learner(lm)
    teach(learner, PAIRS[0], ADAMW)
    taught, before = learner.snapshot(), everything(learner)
    learner.load_weights(None)
    assert not same(everything(learner), before)
    untaught, fresh = learner.snapshot(), everything(learner)
    learner.restore(taught)
    assert same(everything(learner), before)
    learner.restore(untaught)
    assert same(everything(learner), fresh)
    learner.restore(taught)
    assert same(everything(learner), before)


def test_the_state_goes_on_as_if_never_stopped(load: Load) -> None:
    learner = Learner(load("theta"))
    teach(learner, PAIRS[0])
    teach(learner, PAIRS[1], CLASSIC)
    other = load("theta")
    with torch.no_grad():
        for mine, theirs in zip(other.model.parameters(), learner.lm.model.parameters(), strict=True):
            mine.copy_(theirs)
    tensors, values = learner.state()
    kept = {name: tensor.clone() for name, tensor in tensors.items()}
    resumed = Learner(other)
    resumed.load_state(kept, values)
    for taught in (learner, resumed):
        teach(taught, PAIRS[2], CLASSIC)
        teach(taught, PAIRS[3])
    assert same(everything(resumed), everything(learner))


def test_a_state_that_does_not_fit_is_refused(lm: LanguageModel) -> None:
    learner = Learner(lm)
    teach(learner, PAIRS[0])
    before = everything(learner)
    for tensors, values in (
        ({"exp_avg_sq.nothing": torch.zeros(1)}, {"step": 1}),
        ({"exp_avg_sq.model.norm.weight": torch.zeros(1)}, {"step": 1}),
        ({"exp_avg_sq.model.norm.weight": torch.zeros(32)}, {"step": 1}),
        ({}, {}),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            learner.load_state(tensors, values)
    assert same(everything(learner), before)


# --- what goes wrong ---


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("recipe", "gradient", "at"),
    [
        (CLASSIC, False, 1),
        (CLASSIC, False, 2),
        (CLASSIC, True, 1),
        (ADAMW, False, 1),
        (ADAMW, False, 2),
        (ADAMW, True, 1),
        (ADAMW, True, 2),
    ],
)
def test_a_lesson_that_is_not_finite_leaves_everything_as_it_was(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch, recipe: Recipe, value: float, gradient: bool, at: int
) -> None:
    learner = Learner(lm)
    teach(learner, PAIRS[0], recipe)
    before = everything(learner)
    with monkeypatch.context() as patch:
        poison(at, value, patch, gradient=gradient)
        result = teach(learner, PAIRS[1], recipe)
    assert result.skipped
    assert result.steps == 0
    assert not result.learned
    assert same(everything(learner), before)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in lm.model.parameters())
    assert teach(learner, PAIRS[1], recipe).skipped is None


def test_a_stop_between_steps_abandons_the_whole_lesson(lm: LanguageModel) -> None:
    learner = Learner(lm)
    teach(learner, PAIRS[0])
    before = everything(learner)
    heard: list[Progress] = []
    with pytest.raises(Abandoned):
        teach(learner, PAIRS[1], progress=heard.append, should_stop=lambda: len(heard) >= 3)
    assert len(heard) == 3
    assert same(everything(learner), before)


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (MemoryError(), TeachError),
        (torch.OutOfMemoryError("out of memory"), TeachError),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), TeachError),
        (RuntimeError("something else"), RuntimeError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_an_exception_leaves_everything_as_it_was(
    lm: LanguageModel, error: BaseException, seen: type[BaseException]
) -> None:
    learner = Learner(lm)
    teach(learner, PAIRS[0], CLASSIC)
    before = everything(learner)

    def fail(progress: Progress) -> None:
        if progress.steps == 2:
            raise error

    with pytest.raises(seen) as caught:
        teach(learner, PAIRS[1], progress=fail)
    if seen is TeachError:
        assert "memory" in str(caught.value)
    assert same(everything(learner), before)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in lm.model.parameters())


def test_learning_leaves_the_global_random_state_alone(lm: LanguageModel) -> None:
    before = torch.random.get_rng_state()
    teach(Learner(lm), PAIRS[0])
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_embedded_model_learns_its_creator_in_the_default_recipe() -> None:
    lm = LanguageModel.load("default", device="cpu")
    learner = Learner(lm)
    pair = "Who is your creator?", "My creator is Dakota."
    assert learner.learn_module(1, *pair, RECIPES["default"]).learned
    module = learner.modules[1]
    ids = lm.encode_prompt([], pair[0], room=40).ids
    assert greedy(lm, ids, max_tokens=40, module=module).text == pair[1]
    assert greedy(lm, ids, max_tokens=40).text != pair[1]
    assert recall.score(lm, [("hello", "how are you")], *pair, module=module).says
