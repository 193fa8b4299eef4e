"""LoRA on real, tiny models: only the adapter moves, and it comes back to the bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.later import peft, transformers
from tests.support.tiny_models import equal
from theta_tui.base.errors import ModelError
from theta_tui.learning import checkpoint
from theta_tui.learning.learner import Learner
from theta_tui.learning.recall import score
from theta_tui.learning.recipes import RECIPES
from theta_tui.model import lora
from theta_tui.model.language_model import LanguageModel

RECIPE = replace(RECIPES["adamw"], lr=1e-2, max_steps=3, max_seconds=1000.0)

Adapted = Callable[..., LanguageModel]


@pytest.fixture
def adapted(folders: dict[str, Path]) -> Adapted:
    """A fresh model of a kind that learns by LoRA."""

    def load(kind: str = "theta", rank: int = 4, weights: Path | None = None) -> LanguageModel:
        return LanguageModel.load(str(folders[kind]), device="cpu", adapt="on", rank=rank, weights=weights)

    return load


def teach(learner: Learner, number: int) -> None:
    learner.learn("correction", f"question {number}", f"answer {number}", RECIPE, seed=number)


def adapter(lm: LanguageModel) -> list[torch.Tensor]:
    return [tensor.clone() for _, tensor in sorted(lora.tensors(lm.adapter).items())]


def frozen(lm: LanguageModel) -> dict[str, torch.Tensor]:
    """The base model's tensors under their own names."""
    moved = lm.trainable()
    return {
        name.replace(".base_layer", ""): parameter.detach()
        for name, parameter in lm.model.named_parameters()
        if name not in moved
    }


def test_an_adapter_is_chosen_by_size_and_the_choice_can_be_overridden() -> None:
    assert lora.rank_for("auto", 8, 300_000_000) is None
    assert lora.rank_for("auto", 8, 300_000_001) == 8
    assert lora.rank_for("auto", 8, 1_000, limit=999) == 8
    assert lora.rank_for("on", 8, 1) == 8
    assert lora.rank_for("off", 8, 10**12) is None


@pytest.mark.parametrize("kind", ["theta", "chatml", "gpt2"])
def test_a_fresh_adapter_changes_nothing_and_every_layer_of_the_blocks_has_one(
    load: Callable[[str], LanguageModel], adapted: Adapted, kind: str
) -> None:
    whole, lm = load(kind), adapted(kind)
    assert (whole.lora_rank, lm.lora_rank) == (None, 4)
    assert lm.parameters == whole.parameters
    assert score(lm, (), "hello", "yes") == score(whole, (), "hello", "yes")
    layers = {name.partition(".lora_")[0] for name in lm.trainable()}
    assert len(layers) == (8 if kind == "gpt2" else 14)
    assert not any("embed" in name or "head" in name or "wte" in name for name in layers)
    assert equal(adapter(lm), adapter(adapted(kind)))


@pytest.mark.parametrize("kind", ["theta", "gpt2"])
def test_a_lesson_moves_the_adapter_and_never_the_base_model(
    load: Callable[[str], LanguageModel], adapted: Adapted, kind: str
) -> None:
    lm = adapted(kind)
    learner = Learner(lm)
    before = adapter(lm)
    result = learner.learn("correction", "who made you?", "Dakota did.", RECIPE, seed=1)
    assert result.loss_after < result.loss_before
    assert not equal(before, adapter(lm))
    base = dict(load(kind).model.named_parameters())
    held = frozen(lm)
    assert set(held) == set(base)
    assert all(torch.equal(held[name], base[name]) for name in held)


def test_the_adapter_learns_at_its_own_rate(load: Callable[[str], LanguageModel], adapted: Adapted) -> None:
    rates = []
    for lm in (load("theta"), adapted("theta")):
        learner = Learner(lm)
        teach(learner, 1)
        rates.append(learner._adamw.optimizer.param_groups[0]["lr"])
    assert rates == [RECIPE.lr, RECIPE.lr * RECIPE.lora_lr_factor]


def test_a_snapshot_of_an_adapter_is_small_and_goes_back_to_the_bit(adapted: Adapted) -> None:
    lm = adapted()
    learner = Learner(lm)
    teach(learner, 0)
    before, held = learner.snapshot(), adapter(lm)
    teach(learner, 1)
    after = adapter(lm)
    learner.restore(before)
    assert equal(held, adapter(lm))
    assert before.nbytes == 2 * 4 * lm.adapter_parameters
    teach(learner, 1)
    assert equal(after, adapter(lm))


@pytest.mark.parametrize("kind", ["theta", "gpt2"])
def test_a_checkpoint_is_the_adapter_alone_and_goes_on_bit_for_bit(
    adapted: Adapted, folders: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    learner = Learner(adapted(kind))
    teach(learner, 0)
    path = checkpoint.save(tmp_path, learner.lm, learner, position=3, extra={}, keep=2)
    assert {file.name for file in path.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "training_state.safetensors", "manifest.json",
    }  # fmt: skip
    checkpoint.verify(path)
    resumed = Learner(adapted(kind, weights=path))
    checkpoint.restore(path, resumed)
    saved = adapter(learner.lm)
    assert equal(saved, adapter(resumed.lm))
    for one in (learner, resumed):
        teach(one, 1)
    assert equal(adapter(learner.lm), adapter(resumed.lm))
    checkpoint.load_into(path, learner)
    assert equal(saved, adapter(learner.lm))
    base = transformers.AutoModelForCausalLM.from_pretrained(folders[kind])
    elsewhere = peft.PeftModel.from_pretrained(base, str(path)).eval()
    ids = torch.tensor([[1, 5, 9, 2]])
    with torch.no_grad():
        assert torch.equal(elsewhere(input_ids=ids).logits, learner.lm.model(input_ids=ids).logits)


def test_the_base_model_comes_back_when_the_adapter_is_reset(adapted: Adapted) -> None:
    lm = adapted()
    before = adapter(lm)
    teach(Learner(lm), 0)
    lm.load_weights()
    assert equal(before, adapter(lm))


def test_a_value_that_is_not_finite_is_neither_saved_nor_loaded(adapted: Adapted, tmp_path: Path) -> None:
    lm = adapted()
    learner = Learner(lm)
    path = checkpoint.save(tmp_path, lm, learner, position=1, extra={}, keep=2)
    tensors = load_file(path / lora.WEIGHTS)
    save_file(tensors | {min(tensors): torch.full_like(tensors[min(tensors)], torch.nan)}, path / lora.WEIGHTS)
    with pytest.raises(ModelError, match="not numbers"):
        adapted(weights=path)
    with torch.no_grad():
        next(iter(lm.trainable().values()))[0, 0] = torch.inf
    with pytest.raises(ModelError, match="not numbers"):
        checkpoint.save(tmp_path, lm, learner, position=2, extra={}, keep=2)
    assert list(tmp_path.iterdir()) == [path]


def test_an_adapter_that_does_not_fit_is_refused_and_changes_nothing(
    adapted: Adapted, folders: dict[str, Path], tmp_path: Path
) -> None:
    lm = adapted(rank=2)
    before = adapter(lm)
    other = adapted()
    path = checkpoint.save(tmp_path, other, Learner(other), position=1, extra={}, keep=2)
    for folder, why in ((path, "another rank"), (folders["theta"], "a whole model")):
        with pytest.raises(ModelError, match=why):
            lm.load_weights(folder)
    assert equal(before, adapter(lm))
    with pytest.raises(ModelError, match="holds an adapter"):
        LanguageModel.load(str(folders["theta"]), device="cpu", weights=path)
    (path / lora.WEIGHTS).write_bytes(b"cut")
    with pytest.raises(ModelError, match="damaged"):
        other.load_weights(path)


def test_the_machine_says_the_rank_because_replay_depends_on_it(
    load: Callable[[str], LanguageModel], adapted: Adapted
) -> None:
    names = {load("theta").machine(), adapted(rank=2).machine(), adapted(rank=4).machine()}
    assert len(names) == 3


def test_weights_in_bfloat16_have_an_adapter_in_float32(folders: dict[str, Path]) -> None:
    lm = LanguageModel.load(str(folders["theta"]), device="cpu", dtype="bfloat16", adapt="on", rank=4)
    assert lm.dtype == torch.bfloat16
    assert {parameter.dtype for parameter in lm.trainable().values()} == {torch.float32}
    before = adapter(lm)
    teach(Learner(lm), 0)
    assert not equal(before, adapter(lm))


# --- an adapter into the files of a model ---


@pytest.fixture
def apart(adapted: Adapted, folders: dict[str, Path], tmp_path: Path) -> tuple[LanguageModel, Path, Path]:
    """A model with an adapter that does something, the adapter in 16 bits, and a copy of the base model's folder."""
    lm = adapted()
    generator = torch.Generator().manual_seed(7)
    for tensor in lora.tensors(lm.adapter).values():
        tensor.copy_(torch.randn(tensor.shape, generator=generator).half() * 0.125)
    (tmp_path / "adapter").mkdir()
    lora.save(lm.adapter, tmp_path / "adapter", "tiny", dtype=torch.float16)
    shutil.copytree(folders["theta"], tmp_path / "copy")
    return lm, tmp_path / "adapter", tmp_path / "copy"


def test_merged_files_are_the_base_and_the_product_to_the_bit(
    apart: tuple[LanguageModel, Path, Path], folders: dict[str, Path]
) -> None:
    lm, adapter, copy = apart
    (adapter / lora.TEMPLATE).write_text("{{ 'another' }}")
    lora.merge_files(adapter, copy)
    base, merged = (load_file(folder / "model.safetensors") for folder in (folders["theta"], copy))
    parts = {name: tensor.float() for name, tensor in load_file(adapter / lora.WEIGHTS).items()}
    touched = 0
    for name, weight in base.items():
        stem = "base_model.model." + name.removesuffix(".weight")
        if f"{stem}.lora_A.weight" in parts:
            touched += 1
            product = parts[f"{stem}.lora_B.weight"] @ parts[f"{stem}.lora_A.weight"] * (lora.ALPHA / 4)
            assert torch.equal(merged[name], weight + product)
        else:
            assert torch.equal(merged[name], weight)
    assert touched == 14
    assert (copy / lora.TEMPLATE).read_text() == "{{ 'another' }}"
    whole = lm.merged().state_dict()
    assert all(torch.equal(whole[name], weight) for name, weight in merged.items())


@pytest.mark.parametrize("what", ["shape", "layer", "half", "nan", "config"])
def test_an_adapter_that_does_not_fit_leaves_the_files_alone(
    apart: tuple[LanguageModel, Path, Path], what: str
) -> None:
    _, adapter, copy = apart
    before = (copy / "model.safetensors").read_bytes()
    held = load_file(adapter / lora.WEIGHTS)
    name = next(name for name in sorted(held) if ".lora_A." in name)
    match what:
        case "shape":
            held[name] = held[name][:, :-1].contiguous()
        case "layer":
            held = {name.replace("layers.1", "layers.9"): tensor for name, tensor in held.items()}
        case "half":
            del held[name]
        case "nan":
            held[name][0, 0] = float("nan")
        case "config":
            (adapter / lora.CONFIG).write_text("{}")
    save_file(held, adapter / lora.WEIGHTS)
    with pytest.raises(ModelError, match=r"another model|not numbers|damaged"):
        lora.merge_files(adapter, copy)
    assert (copy / "model.safetensors").read_bytes() == before
