"""What is read without Transformers is what Transformers would have read, to the bit."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.later import transformers
from tests.support.tiny_models import make_tiny
from theta_tui.learning.learner import Learner
from theta_tui.learning.recipes import RECIPES
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.llama import model as llama
from theta_tui.model.llama.config import recognise


def config(**other: Any) -> transformers.LlamaConfig:
    return transformers.LlamaConfig(
        **(
            {
                "vocab_size": 300, "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 3,
                "num_attention_heads": 6, "max_position_embeddings": 128, "initializer_range": 0.2,
            }
            | other
        )
    )  # fmt: skip


KINDS: dict[str, dict[str, Any]] = {
    "tied": {"tie_word_embeddings": True},
    "own head": {"tie_word_embeddings": False},
    "a padding token": {"tie_word_embeddings": True, "pad_token_id": 2},
    "shared keys": {"num_key_value_heads": 2},
    "one key head": {"num_key_value_heads": 1, "tie_word_embeddings": True},
    "other heads": {"head_dim": 16},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "another base": {"rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0}, "rms_norm_eps": 1e-5},
}


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(3)
    model = transformers.LlamaForCausalLM(config(**KINDS[request.param]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "bias" in name:
                parameter.normal_(1.0, 0.3)
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def both(folder: Path, dtype: torch.dtype = torch.float32) -> tuple[llama.LlamaForCausalLM, Any]:
    """The folder's model as it is read here, and as Transformers reads it."""
    mine = llama.load(folder, folder, dtype)
    assert mine is not None
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            # Off the file's own, unaligned memory: products with that round otherwise.
            parameter.data = parameter.data.clone()
    return mine, theirs


def digest(model: Any) -> str:
    found = hashlib.sha256()
    for name, tensor in model.named_parameters():
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_and_logits_are_the_same_bits(folder: Path, dtype: torch.dtype) -> None:
    mine, theirs = both(folder, dtype)
    assert digest(mine) == digest(theirs)
    assert torch.equal(mine.model.rotary_emb.inv_freq, theirs.model.rotary_emb.inv_freq)
    for shape in ((1, 1), (1, 7), (5, 40), (2, 128)):
        ids = torch.randint(300, shape)
        with torch.no_grad():
            assert torch.equal(mine(ids, use_cache=False).logits, theirs(ids, use_cache=False).logits)
            assert torch.equal(mine(ids, logits_to_keep=1).logits, theirs(ids, logits_to_keep=1).logits)


def test_going_on_from_a_cache_gives_the_same_bits(folder: Path) -> None:
    mine, theirs = both(folder)
    ids = torch.randint(300, (1, 20))
    with torch.no_grad():
        one, other = mine(ids), theirs(ids)
        one.past_key_values.batch_select_indices(torch.zeros(4, dtype=torch.long))
        other.past_key_values.batch_select_indices(torch.zeros(4, dtype=torch.long))
        rows = 4
        for count in (1, 1, 3, 1):
            ids = torch.randint(300, (rows, count))
            one = mine(ids, past_key_values=one.past_key_values)
            other = theirs(ids, past_key_values=other.past_key_values)
            assert torch.equal(one.logits, other.logits)
            if rows == 4:
                rows = 2
                for output in (one, other):
                    output.past_key_values.batch_select_indices(torch.tensor([3, 1]))
        assert one.past_key_values.get_seq_length() == other.past_key_values.get_seq_length() == 26


def test_gradients_are_the_same_bits(folder: Path) -> None:
    mine, theirs = both(folder)
    ids = torch.randint(300, (3, 30))
    for model in (mine, theirs):
        model(ids, labels=ids).loss.backward()
    for (name, one), (_, other) in zip(mine.named_parameters(), theirs.named_parameters(), strict=True):
        assert torch.equal(one.grad, other.grad), name


def test_padding_in_front_does_not_count(folder: Path) -> None:
    mine, theirs = both(folder)
    mask = torch.ones(3, 12, dtype=torch.long)
    mask[1, :5] = 0
    ids, positions = torch.randint(300, (3, 12)), (mask.cumsum(1) - 1).clamp(min=0)
    seen = [model(ids, attention_mask=mask, position_ids=positions).logits for model in (mine, theirs)]
    close = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-4)
    close(seen[0][1, 5:], seen[1][1, 5:])
    close(seen[0][::2], seen[1][::2])
    close(seen[0][1:2, 5:], mine(ids[1:2, 5:]).logits)


def test_what_is_saved_is_what_transformers_reads(folder: Path, tmp_path: Path) -> None:
    mine, theirs = both(folder)
    (tmp_path / "saved").mkdir()
    mine.save_pretrained(tmp_path / "saved")
    again, info = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "saved", output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert digest(again) == digest(theirs)
    assert again.generation_config.eos_token_id == theirs.generation_config.eos_token_id
    assert again.config.to_diff_dict().keys() == theirs.config.to_diff_dict().keys()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_built_in_model_needs_no_transformers_and_is_the_same(dtype: str) -> None:
    mine = LanguageModel.load("default", device="cpu", dtype=dtype)
    theirs = LanguageModel.load("default", device="cpu", dtype=dtype, transformers=True)
    assert isinstance(mine.model, llama.LlamaForCausalLM)
    assert isinstance(theirs.model, transformers.LlamaForCausalLM)
    assert digest(mine.model) == digest(theirs.model)
    assert (mine.end_ids, mine.window, mine.parameters) == (theirs.end_ids, theirs.window, theirs.parameters)
    assert (mine.notices, mine.machine()) == (theirs.notices, theirs.machine())
    turns = [("hello", "Hi how are you?"), ("<|end|> x", "No.")]
    ids = mine.encode_prompt(turns, "what is your name?", room=8).ids
    assert ids == theirs.encode_prompt(turns, "what is your name?", room=8).ids
    with torch.no_grad():
        assert torch.equal(*(lm.model(input_ids=torch.tensor([ids])).logits for lm in (mine, theirs)))


@pytest.mark.parametrize("recipe", [pytest.param("default", marks=pytest.mark.slow), "adamw", "classic"])
def test_a_lesson_moves_both_by_the_same_bits(recipe: str, wide_folders: dict[str, Path]) -> None:
    found = []
    for through in (False, True):
        lm = LanguageModel.load(str(wide_folders["llama"]), device="cpu", transformers=through)
        learner = Learner(lm)
        results = [
            learner.learn("correction", prompt, reply, RECIPES[recipe], seed=1, steps=2)
            for prompt, reply in (("hello", "Good day."), ("who are you", "I am Theta."))
        ]
        found.append((digest(lm.model), results, learner.state()[0].keys()))
    assert found[0] == found[1]


def test_lessons_never_write_to_the_file(wide_folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(wide_folders["llama"], tmp_path / "model"))
    file = folder / "model.safetensors"
    before = file.read_bytes()
    lm = LanguageModel.load(str(folder), device="cpu")
    assert isinstance(lm.model, llama.LlamaForCausalLM)
    taught = Learner(lm).learn("correction", "hello", "Good day.", RECIPES["classic"], seed=1)
    assert taught.steps > 0
    assert file.read_bytes() == before
    # Nor do they follow what happens to the file: it may be replaced while the app runs.
    now = digest(lm.model)
    with file.open("r+b") as stream:
        stream.truncate(100)
    assert digest(lm.model) == now


def test_the_weights_of_a_checkpoint_are_taken_in_place(folders: dict[str, Path], tmp_path: Path) -> None:
    lm = LanguageModel.load(str(folders["theta"]), device="cpu")
    held = next(lm.model.parameters())
    other = make_tiny(tmp_path / "other", seed=5)
    lm.load_weights(other)
    assert next(lm.model.parameters()) is held
    assert digest(lm.model) == digest(transformers.AutoModelForCausalLM.from_pretrained(other))


# --- what is left to Transformers ---


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """A plain config, as it stands in a folder."""
    return dict(json.loads(config(tie_word_embeddings=True).to_json_string()))


def test_a_plain_config_is_recognised_in_its_older_spelling_too(plain: dict[str, Any]) -> None:
    assert recognise(plain) is not None
    older = {name: value for name, value in plain.items() if name != "rope_parameters"}
    spelled = recognise(older | {"rope_theta": 10000.0, "rope_scaling": None, "torch_dtype": "float32"})
    assert spelled is not None
    assert spelled.rope_theta == 10000.0


def test_what_a_converter_of_gguf_files_adds_changes_nothing(plain: dict[str, Any]) -> None:
    assert recognise(plain | {"_model_name_or_path": "A model 8k", "unk_token_id": 0}) is not None


@pytest.mark.parametrize(
    "other",
    [
        {"model_type": "mistral"}, {"architectures": ["LlamaForSequenceClassification"]}, {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}},
        {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, {"rope_theta": 5.0}, {"quantization_config": {}},
        {"sliding_window": 64}, {"num_attention_heads": 5}, {"hidden_size": "48"}, {"pretraining_tp": 2},
        {"something_new": 1}, {"vocab_size": True}, {"pad_token_id": -1}, {"tie_word_embeddings": 1},
        {"rope_interleaved": True}, {"head_dim": 7}, {"num_key_value_heads": 4}, {"auto_map": {}},
    ],
    ids=str,
)  # fmt: skip
def test_a_config_with_anything_else_in_it_is_not(plain: dict[str, Any], other: dict[str, Any]) -> None:
    assert recognise(plain | other) is None


@pytest.mark.parametrize("gone", ["hidden_size", "rope_parameters", "hidden_act", "max_position_embeddings"])
def test_nothing_is_guessed(plain: dict[str, Any], gone: str) -> None:
    assert recognise({name: value for name, value in plain.items() if name != gone}) is None


@pytest.fixture
def copy(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A model folder that a test may change."""
    return Path(shutil.copytree(folders["theta"], tmp_path / "copy"))


def rewrite(copy: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(copy / "model.safetensors")
    change(tensors)
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})


def test_tensors_of_other_names_are_left_to_transformers(copy: Path) -> None:
    whole = LanguageModel.load(str(copy), device="cpu")
    assert isinstance(whole.model, llama.LlamaForCausalLM)
    rewrite(copy, lambda tensors: tensors.__setitem__("lm_head.weight", tensors["model.embed_tokens.weight"].clone()))
    lm = LanguageModel.load(str(copy), device="cpu")
    assert isinstance(lm.model, transformers.LlamaForCausalLM)
    assert digest(lm.model) == digest(whole.model)
    whole.load_weights(copy)
    assert isinstance(whole.model, llama.LlamaForCausalLM)
    assert digest(lm.model) == digest(whole.model)


def test_another_family_is_left_to_transformers(folders: dict[str, Path]) -> None:
    assert isinstance(LanguageModel.load(str(folders["gpt2"]), device="cpu").model, transformers.GPT2LMHeadModel)


def test_an_adapter_is_put_on_transformers_own(folders: dict[str, Path]) -> None:
    lm = LanguageModel.load(str(folders["theta"]), device="cpu", adapt="on")
    assert lm.adapter is not None
    assert isinstance(lm.model, transformers.LlamaForCausalLM)
