"""A home that learns by LoRA: exact to the bit as any other, and true to how it was begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.session.conftest import opened
from tests.support.tiny_models import equal
from theta_tui.base.config import Settings
from theta_tui.base.errors import ModelError, UsageError
from theta_tui.model import lora
from theta_tui.session.export import export_hf
from theta_tui.session.session import Teacher

PAIRS = [("who made you?", "Dakota did."), ("what now?", "tell me more"), ("and you?", "I am fine")]

Open = Callable[..., Teacher]


@pytest.fixture
def start(tmp_path: Path, model: Path) -> Open:
    """Opens the home and loads the model, as a fresh process would; with other settings where asked."""
    settings = Settings(home=tmp_path / "home", model=str(model), device="cpu", max_tokens=8, lock_wait=0, lora="on")

    return lambda **changes: opened(replace(settings, **changes))


def state(teacher: Teacher) -> list[torch.Tensor]:
    """The adapter and its moments."""
    tensors, _ = teacher.learner.state()
    held = lora.tensors(teacher.model.adapter) | tensors
    return [held[name].clone() for name in sorted(held)]


def test_undo_coming_back_and_a_checkpoint_are_exact_and_the_foundation_is_untouched(start: Open, model: Path) -> None:
    files = {path: path.read_bytes() for path in model.iterdir()}
    teacher = start()
    begun = state(teacher)
    teacher.teach(*PAIRS[0])
    first = state(teacher)
    teacher.teach(*PAIRS[1])
    second = state(teacher)
    teacher.undo()
    assert equal(state(teacher), first)
    teacher.teach(*PAIRS[1])
    again = state(teacher)
    teacher.close()

    replayed = start()
    assert equal(state(replayed), again)
    assert not replayed.record.take_notices()
    path = replayed.save()
    assert (path / lora.WEIGHTS).exists()
    assert not (path / "model.safetensors").exists()
    replayed.teach(*PAIRS[2])
    third = state(replayed)
    replayed.close()

    resumed = start()
    assert resumed.unsaved == 1
    assert equal(state(resumed), third)
    for _ in PAIRS:
        resumed.undo()
    assert equal(state(resumed), begun)
    resumed.close()
    assert not equal(second, begun)
    assert {path: path.read_bytes() for path in model.iterdir()} == files


def test_a_home_keeps_to_how_it_was_begun(start: Open) -> None:
    teacher = start(lora_rank=4)
    assert teacher.record.story.begin is not None
    assert teacher.record.story.begin.lora == 4
    teacher.close()
    for changes in ({"lora": "auto"}, {"lora_rank": 4}, {}):
        again = start(**changes)
        assert again.model.lora_rank == 4
        again.close()
    for changes in ({"lora": "off"}, {"lora_rank": 8}):
        with pytest.raises(
            ModelError, match=r"begun with --lora on --lora-rank 4 .*`theta rebuild --lora o.* --home DIR"
        ):
            start(**changes)


def test_a_home_whose_model_learns_whole_refuses_lora(start: Open) -> None:
    teacher = start(lora="auto")
    assert teacher.model.lora_rank is None
    assert teacher.record.story.begin is not None
    assert teacher.record.story.begin.lora is None
    teacher.close()
    with pytest.raises(ModelError, match="begun with --lora off"):
        start()


def test_auto_goes_by_the_size_of_the_model(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    real = lora.rank_for
    monkeypatch.setattr(lora, "rank_for", lambda choice, rank, size: real(choice, rank, size, limit=10_000))
    teacher = start(lora="auto")
    assert teacher.model.lora_rank == lora.RANK
    teacher.close()


def test_the_model_is_exported_as_it_was_taught(start: Open, model: Path, tmp_path: Path) -> None:
    teacher = start()
    teacher.settings = replace(teacher.settings, recipe="adamw")
    teacher.teach(*PAIRS[0])
    done = export_hf(teacher, tmp_path / "out")
    assert done.line == f"the model with 1 lesson written to {tmp_path / 'out'}"
    ids = torch.tensor([[1, 5, 9, 2]])
    with torch.no_grad():
        ours = teacher.model.model(input_ids=ids).logits
        theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()(input_ids=ids).logits
    assert torch.allclose(ours, theirs, atol=1e-4)
    with pytest.raises(UsageError, match="never overwritten"):
        export_hf(teacher, model, force=True)
    teacher.close()
