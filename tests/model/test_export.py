"""The exported model answers as the taught one does, and says nothing of where it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.later import peft, transformers
from theta_tui.learning.learner import Learner
from theta_tui.learning.recipes import RECIPES
from theta_tui.model import export
from theta_tui.model.language_model import LanguageModel

RECIPE = replace(RECIPES["default"], lr=1e-2, max_steps=2, max_seconds=1000.0)
IDS = torch.tensor([[1, 5, 9, 2, 30, 7]])


def taught(folder: Path, **how: object) -> LanguageModel:
    lm = LanguageModel.load(str(folder), device="cpu", **how)  # type: ignore[arg-type]
    Learner(lm).learn("correction", "who made you?", "a secret word", RECIPE, seed=1)
    return lm


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=IDS).logits
    return found


@pytest.mark.parametrize("kind", ["theta", "chatml", "gpt2"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_from_pretrained_reads_the_taught_model_with_its_template(
    folders: dict[str, Path], tmp_path: Path, kind: str, dtype: str
) -> None:
    lm = taught(folders[kind], dtype=dtype)
    export.write(lm, tmp_path, lessons=1, mark="theta-tui")
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert model.dtype == lm.dtype
    assert torch.equal(logits(model), logits(lm.model))
    messages = [{"role": "user", "content": "hello"}]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == lm.chat.render([], "hello")


@pytest.mark.parametrize("kind", ["theta", "gpt2"])
def test_an_adapter_is_exported_merged_and_by_itself(folders: dict[str, Path], tmp_path: Path, kind: str) -> None:
    lm = taught(folders[kind], adapt="on", rank=4)
    before = logits(lm.model)
    export.write(lm, tmp_path, lessons=2, mark="theta-tui")
    assert torch.equal(before, logits(lm.model))
    base = transformers.AutoModelForCausalLM.from_pretrained(folders[kind]).eval()
    assert not torch.allclose(logits(base), before, atol=1e-2)
    assert torch.allclose(logits(transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()), before, atol=1e-4)
    beside = peft.PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    assert torch.equal(logits(beside), before)


def test_only_what_belongs_there_is_exported_and_no_path_or_word_of_a_lesson(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    lm = taught(folders["theta"], adapt="on", rank=4)
    export.write(lm, tmp_path, lessons=3, mark="theta-tui")
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        "README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json", "chat_template.jinja", "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
    }  # fmt: skip
    for path in tmp_path.rglob("*.*"):
        if path.suffix in (".json", ".md", ".jinja"):
            text = path.read_text("utf-8")
            assert str(folders["theta"].parent) not in text
            assert "local_files_only" not in text
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "taught 3 lessons" in card
    assert "secret word" not in card


def test_what_a_base_model_is_called_elsewhere(load: Callable[[str], LanguageModel]) -> None:
    lm = load("theta")
    assert export.base_name(lm) == "theta"
    lm.name = "someone/their-model"
    assert export.base_name(lm) == "someone/their-model"
    lm.name = "default"
    assert export.base_name(lm) == "theta-default"
