"""Fixtures of the model tests: real, tiny models (see `tiny_models`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.later import transformers
from tests.support.tiny_models import BRACKETS, CHATML, NO_PREFIX, make_llama, make_tiny, make_tokenizer, make_wide
from theta_tui.model.language_model import LanguageModel

torch.set_num_threads(1)  # These models are too small to share, and the machine may be busy.


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model folders by the kind of their chat template. Tests do not write to them."""
    root = tmp_path_factory.mktemp("models")
    found = {
        "theta": make_tiny(root / "theta"),
        "chatml": make_llama(
            root / "chatml",
            make_tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>"], eos="<|endoftext|>", template=CHATML),
            tied=False,
        ),
        "brackets": make_llama(
            root / "brackets",
            make_tokenizer(["<s>", "</s>"], eos="</s>", template=BRACKETS, bos_token="<s>"),
        ),
        "no prefix": make_tiny(root / "no-prefix", template=NO_PREFIX),
    }
    torch.manual_seed(0)
    tokenizer = make_tokenizer(["<|endoftext|>"], eos="<|endoftext|>", template=None)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_positions=256, n_embd=32, n_layer=2, n_head=2,
        attn_pdrop=0.5, resid_pdrop=0.5, embd_pdrop=0.5,
        bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(config).save_pretrained(root / "gpt2")
    tokenizer.save_pretrained(root / "gpt2")
    return found | {"gpt2": root / "gpt2"}


@pytest.fixture
def load(folders: dict[str, Path]) -> Callable[[str], LanguageModel]:
    """A fresh model of a kind."""
    return lambda kind: LanguageModel.load(str(folders[kind]), device="cpu")


@pytest.fixture
def lm(load: Callable[[str], LanguageModel]) -> LanguageModel:
    return load("theta")


@pytest.fixture
def always(load: Callable[[str], LanguageModel]) -> Callable[[str], LanguageModel]:
    """A model that says one token, whatever came before; `<|endoftext|>` ends at once."""

    def build(text: str) -> LanguageModel:
        lm = load("gpt2")
        [token] = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            lm.model.transformer.ln_f.weight.zero_()
            direction = lm.model.transformer.wte.weight[token]
            lm.model.transformer.ln_f.bias.copy_(20 * direction / direction.norm() ** 2)
        return lm

    return build


@pytest.fixture(scope="session")
def wide_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models with wide MLPs, of four layers. Tests do not write to them."""
    root = tmp_path_factory.mktemp("wide")
    llama = make_wide(root / "llama")
    torch.manual_seed(0)
    plain = make_tokenizer(["<|endoftext|>"], eos="<|endoftext|>", template=None)
    config = transformers.GPT2Config(
        vocab_size=len(plain), n_positions=256, n_embd=128, n_layer=4, n_head=2,
        bos_token_id=plain.eos_token_id, eos_token_id=plain.eos_token_id, initializer_range=0.1,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(config).save_pretrained(root / "gpt2")
    plain.save_pretrained(root / "gpt2")
    return {"llama": llama, "gpt2": root / "gpt2"}


@pytest.fixture
def wide(wide_folders: dict[str, Path]) -> Callable[[str], LanguageModel]:
    """A fresh one of those."""
    return lambda kind: LanguageModel.load(str(wide_folders[kind]), device="cpu")
