"""A home that learns by LoRA: exact to the bit as any other, and true to how it was begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.session.conftest import opened
from tests.support.later import transformers
from tests.support.tiny_models import equal
from theta_tui.base.config import Settings
from theta_tui.base.errors import ModelError, UsageError
from theta_tui.model import lora
from theta_tui.session.export import export_hf
from theta_tui.session.session import Session

pytestmark = pytest.mark.usefixtures("short_lessons")

PAIRS = [("who made you?", "Dakota did."), ("what now?", "tell me more"), ("and you?", "I am fine")]

Open = Callable[..., Session]


@pytest.fixture
def start(tmp_path: Path, model: Path) -> Open:
    """Opens the home and loads the model, as a fresh process would; with other settings where asked."""
    settings = Settings(home=tmp_path / "home", model=str(model), device="cpu", max_tokens=8, lock_wait=0, lora="on")

    return lambda **changes: opened(replace(settings, **changes))


def state(session: Session) -> list[torch.Tensor]:
    """The adapter and its moments."""
    tensors, _ = session.learner.state()
    held = lora.tensors(session.model.adapter) | tensors
    return [held[name].clone() for name in sorted(held)]


def test_undo_coming_back_and_a_checkpoint_are_exact_and_the_base_model_is_untouched(start: Open, model: Path) -> None:
    files = {path: path.read_bytes() for path in model.iterdir()}
    session = start()
    begun = state(session)
    session.teach(*PAIRS[0])
    first = state(session)
    session.teach(*PAIRS[1])
    second = state(session)
    session.undo()
    assert equal(state(session), first)
    session.teach(*PAIRS[1])
    again = state(session)
    session.close()

    replayed = start()
    assert equal(state(replayed), again)
    assert not replayed.store.take_notices()
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
    session = start(lora_rank=4)
    assert session.store.state.begin is not None
    assert session.store.state.begin.lora == 4
    session.close()
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
    session = start(lora="auto")
    assert session.model.lora_rank is None
    assert session.store.state.begin is not None
    assert session.store.state.begin.lora is None
    session.close()
    with pytest.raises(ModelError, match="begun with --lora off"):
        start()


def test_auto_goes_by_the_size_of_the_model(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    real = lora.rank_for
    monkeypatch.setattr(lora, "rank_for", lambda choice, rank, size: real(choice, rank, size, limit=10_000))
    session = start(lora="auto")
    assert session.model.lora_rank == lora.RANK
    session.close()


def test_the_model_is_exported_as_it_was_taught(start: Open, model: Path, tmp_path: Path) -> None:
    session = start()
    session.settings = replace(session.settings, recipe="adamw")
    session.teach(*PAIRS[0])
    done = export_hf(session, tmp_path / "out")
    assert done.line == f"the model with 1 lesson written to {tmp_path / 'out'}"
    ids = torch.tensor([[1, 5, 9, 2]])
    with torch.no_grad():
        ours = session.model.model(input_ids=ids).logits
        theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()(input_ids=ids).logits
    assert torch.allclose(ours, theirs, atol=1e-4)
    with pytest.raises(UsageError, match="never overwritten"):
        export_hf(session, model, force=True)
    session.close()
