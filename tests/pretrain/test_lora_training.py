"""With LoRA a training moves an adapter alone, goes on to the bit, and gives a merged model beside the adapter."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.pretrain.test_trainer import Recorder, equal, state_weights, trained
from tests.pretrain.tiny import data_set, exchanges
from tests.support.tiny_models import make_tiny
from theta_tui.base.errors import ModelError, UsageError
from theta_tui.model import lora
from theta_tui.model.language_model import LanguageModel
from theta_tui.pretrain.command import TrainOptions
from theta_tui.pretrain.trainer import StepDone


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    """Some eight steps of an adapter of rank 2 on a tiny model."""
    folder = tmp_path_factory.mktemp("lora")
    source = data_set(folder / "pairs.jsonl", exchanges(120))
    return TrainOptions(
        (source,), folder / "out", model=str(make_tiny(folder / "base")), lora_rank=2, lr=1e-2, length=64,
        batch_tokens=256, tokens=2_000, device="cpu", dtype="float32", threads=1, validation=0.1, compile=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def learned(options: TrainOptions) -> tuple[TrainOptions, Recorder]:
    recorder = Recorder()
    trained(options, recorder)
    return options, recorder


def test_the_adapter_alone_learns_and_the_model_beside_it_has_it_merged(
    learned: tuple[TrainOptions, Recorder],
) -> None:
    options, recorder = learned
    assert options.model is not None
    assert recorder.losses[-1] < recorder.losses[0] - 0.2
    assert all(".lora_" in name for name in state_weights(options.out))
    held = load_file(options.out / "adapter" / lora.WEIGHTS)
    assert {tensor.dtype for tensor in held.values()} == {torch.float16}
    assert any(tensor.any() for name, tensor in held.items() if ".lora_B." in name)
    # peft puts it on the base model as it stands there.
    adapted = LanguageModel.load(options.model, device="cpu", adapt="on", rank=2, weights=options.out / "adapter")
    merged, written = adapted.merged().state_dict(), load_file(options.out / "model.safetensors")
    base = load_file(Path(options.model) / "model.safetensors")
    moved = [name for name in written if not torch.equal(base[name].bfloat16(), written[name])]
    assert len(moved) == 14
    for name in written:
        assert torch.allclose(merged[name].float(), written[name].float(), atol=2e-3), name


def test_stopped_and_gone_on_is_bit_equal_to_never_having_stopped(learned: tuple[TrainOptions, Recorder]) -> None:
    options, whole = learned

    def stop_at_three(done: StepDone) -> None:
        if done.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    cut = replace(options, out=options.out.with_name("cut"))
    first, second = Recorder(stop_at_three), Recorder()
    assert trained(cut, first).stopped == signal.SIGTERM
    trained(cut, second)
    assert first.losses + second.losses == whole.losses
    assert equal(state_weights(options.out), state_weights(cut.out))
    [one, other] = (load_file(out / "adapter" / lora.WEIGHTS) for out in (options.out, cut.out))
    assert equal(one, other)


def test_in_bfloat16_the_frozen_matrices_are_held_in_it_and_the_curve_is_nearly_the_same(
    learned: tuple[TrainOptions, Recorder],
) -> None:
    options, exact = learned
    rounded = Recorder()
    trained(replace(options, out=options.out.with_name("half"), dtype="bfloat16", tokens=600), rounded)
    first = exact.losses[: len(rounded.losses)]
    assert rounded.losses != first
    assert rounded.losses == pytest.approx(first, abs=0.05)


def test_another_base_model_or_rank_is_refused(learned: tuple[TrainOptions, Recorder], tmp_path: Path) -> None:
    options, _ = learned
    with pytest.raises(ModelError, match="begun with base"):
        trained(replace(options, model=str(make_tiny(tmp_path / "other", layers=1))))
    with pytest.raises(ModelError, match="begun with lora_rank 2"):
        trained(replace(options, lora_rank=4))


def test_an_adapter_needs_a_model(options: TrainOptions) -> None:
    with pytest.raises(UsageError, match="--model"):
        trained(replace(options, model=None))
