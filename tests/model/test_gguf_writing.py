"""A model folder as a GGUF file: what is read back is the same model, to the bit in F16."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.gguf_files import make_model
from theta_tui.base.errors import ModelError
from theta_tui.model import files, gguf_writing
from theta_tui.model.gguf_writing import Kind
from theta_tui.model.language_model import LanguageModel

TEXT = "hello, my creator is Dakota and I am  12"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize(("kind", "close"), [("F16", 0.0), ("Q8_0", 0.5)])
def test_what_is_written_is_read_as_the_same_model(tmp_path: Path, architecture: str, kind: Kind, close: float) -> None:
    model, tokenizer = make_model(architecture, tied=kind == "F16")
    model.save_pretrained(tmp_path / "plain")
    tokenizer.save_pretrained(tmp_path / "plain")
    lm = LanguageModel.load(str(gguf_writing.write(tmp_path / "plain", tmp_path, "tiny", kind)), device="cpu")
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    assert lm.tokenizer(TEXT, add_special_tokens=False)["input_ids"] == ids
    with torch.no_grad():
        torch.testing.assert_close(
            lm.model(torch.tensor([ids])).logits, model(torch.tensor([ids])).logits, atol=close, rtol=close
        )
    assert lm.end_ids == {tokenizer.eos_token_id}
    assert lm.tokenizer.chat_template == tokenizer.chat_template


def test_the_built_in_model_and_its_turns_go_along(tmp_path: Path) -> None:
    path = gguf_writing.write(files.assets_dir() / "default", tmp_path, "theta")
    here, there = LanguageModel.load("default", device="cpu"), LanguageModel.load(str(path), device="cpu")
    assert len(here.tokenizer) == len(there.tokenizer)
    shown = [lm.encode_prompt([("hello", "Hi.")], "who are you?", room=10).ids for lm in (here, there)]
    assert shown[0] == shown[1]
    said = (tmp_path / "Modelfile").read_text().splitlines()
    assert said[0] == "FROM ./model-F16.gguf"
    assert said[1] == (
        'TEMPLATE """{{ range .Messages }}{{ if eq .Role "user" }}<|user|>{{ .Content }}{{ else if eq .Role '
        '"assistant" }}<|assistant|>{{ .Content }}<|end|>{{ end }}{{ end }}<|assistant|>"""'
    )
    assert said[2:] == ['PARAMETER stop "<|end|>"']


@pytest.mark.parametrize(
    ("system", "lines"),
    [
        ("you are a fox", ['SYSTEM """you are a fox"""']),
        ('say """', ["# Its system turn has quotes that end a string; write SYSTEM."]),
        (None, []),
    ],
)
def test_a_system_turn_goes_along_where_the_template_has_one(
    tmp_path: Path, folders: dict[str, Path], system: str | None, lines: list[str]
) -> None:
    gguf_writing.write(folders["chatml"], tmp_path, "tiny", system=system)
    said = (tmp_path / "Modelfile").read_text().splitlines()
    assert [line for line in said if "SYSTEM" in line] == lines
    (tmp_path / "other").mkdir()
    gguf_writing.write(folders["theta"], tmp_path / "other", "tiny", system=system)
    assert "SYSTEM" not in (tmp_path / "other" / "Modelfile").read_text()


def test_a_model_that_llama_cpp_has_no_name_for_is_refused(tmp_path: Path, folders: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="type gpt2"):
        gguf_writing.write(folders["gpt2"], tmp_path, "gpt2")
