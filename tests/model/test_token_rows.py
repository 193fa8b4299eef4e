"""A model without a row for one of its own tokens is refused when it is loaded, and not in the middle of a lesson."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.later import transformers
from tests.support.tiny_models import CHATML, make_tokenizer
from theta_tui.base.errors import ModelError
from theta_tui.model.generate import greedy
from theta_tui.model.language_model import LanguageModel

MARKS = ["<|pad|>", "<|im_start|>", "<|im_end|>"]


def tokenizer(specials: list[str] = MARKS, eos: str = "<|im_end|>") -> transformers.PreTrainedTokenizerFast:
    return make_tokenizer(specials, eos=eos, template=CHATML)


def save(folder: Path, made: transformers.PreTrainedTokenizerFast, rows: int, **more: Any) -> Path:
    config = transformers.LlamaConfig(
        vocab_size=rows, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=256, bos_token_id=None, eos_token_id=made.eos_token_id, pad_token_id=0, **more,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


def refused(folder: Path, **how: Any) -> str:
    with pytest.raises(ModelError) as caught:
        LanguageModel.load(str(folder), device="cpu", **how)
    assert caught.value.code == 4
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("transformers", [False, True])  # to talk to, and to train
def test_an_added_word_without_a_row_is_named_with_its_id_and_the_rows(tmp_path: Path, transformers: bool) -> None:
    made = tokenizer()
    rows = len(made)
    made.add_tokens(["Dakota"])
    said = refused(save(tmp_path / "m", made, rows), transformers=transformers)
    assert f"'Dakota': its id is {rows} and the input embeddings have {rows} rows" in said
    assert "more" not in said


def test_marks_of_the_template_without_rows_are_named_and_counted(tmp_path: Path) -> None:
    made = tokenizer(["<|pad|>", "</s>"], "</s>")
    rows = len(made)
    made.add_tokens(["<|im_start|>", "<|im_end|>"], special_tokens=True)
    said = refused(save(tmp_path / "m", made, rows))
    assert "'<|im_start|>'" in said
    assert "1 more lack one too" in said


def test_a_vocabulary_that_is_larger_than_the_table_is_refused(tmp_path: Path) -> None:
    made = tokenizer()
    assert f"have {len(made) - 40} rows (39 more" in refused(save(tmp_path / "m", made, len(made) - 40))


def test_padding_that_is_never_used_and_larger_tables_are_fine(tmp_path: Path) -> None:
    made = tokenizer()
    rows = len(made)
    made.add_special_tokens({"pad_token": "[PAD]"})
    made.add_tokens(["<unused_1>", "[unused2]"])
    LanguageModel.load(str(save(tmp_path / "padding", made, rows)), device="cpu")
    plain = tokenizer()
    lm = LanguageModel.load(str(save(tmp_path / "large", plain, 4 * len(plain))), device="cpu")
    assert greedy(lm, lm.encode_prompt((), "hello", room=8).ids, max_tokens=5).tokens


@pytest.mark.parametrize("ends", [[2, 5000], [-1, 2], 5000, -1])
def test_ends_that_the_model_could_never_say_are_left_out(tmp_path: Path, ends: Any) -> None:
    folder = save(tmp_path / "m", tokenizer(), len(tokenizer()))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    lm = LanguageModel.load(str(folder), device="cpu")
    assert lm.end_ids == {2}


def test_learned_positions_that_begin_behind_the_padding_make_the_window_smaller(tmp_path: Path) -> None:
    made = tokenizer()
    config = transformers.RobertaConfig(
        vocab_size=len(made), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64, is_decoder=True, bos_token_id=None, eos_token_id=2, pad_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.RobertaForCausalLM(config).save_pretrained(tmp_path / "m")
    made.save_pretrained(tmp_path / "m")
    lm = LanguageModel.load(str(tmp_path / "m"), device="cpu")
    assert lm.window == 62
    ids = lm.encode_prompt([("hello", "yes")] * 30, "hello", room=8).ids
    assert greedy(lm, ids, max_tokens=40).tokens  # as far as there are positions, and no further
    with torch.no_grad():
        lm.model(input_ids=torch.full((1, lm.window), 5), use_cache=False)


def test_a_table_of_positions_that_is_shorter_than_its_config_says_is_refused(tmp_path: Path) -> None:
    made = tokenizer()
    config = transformers.GPT2Config(
        vocab_size=len(made), n_positions=64, n_embd=32, n_layer=1, n_head=2, eos_token_id=2
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "m")
    made.save_pretrained(tmp_path / "m")
    values = json.loads((tmp_path / "m" / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps(values | {"n_positions": 128}))
    said = refused(tmp_path / "m")
    assert "do not fit its config.json (1 missing or of another shape: transformer.wpe.weight)" in said
