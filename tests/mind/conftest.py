"""Real, tiny models made here: a few layers, a byte-level tokenizer, and chat templates of several kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from theta_tui.mind.language_model import LanguageModel

THETA = (
    "{% for m in messages %}{% if m['role']=='user' %}<|user|>{{ m['content'] }}{% elif m['role']=='assistant' %}"
    "<|assistant|>{% generation %}{{ m['content'] }}<|end|>{% endgeneration %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BRACKETS = (
    "{{ bos_token }}{% for m in messages %}{% if m['role']=='user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
# Asked for a reply, it writes something that it does not write in front of one that is there.
NO_PREFIX = THETA.replace("<|assistant|>{% endif %}", "<|assistant|>Well: {% endif %}").replace(
    "{% if add_generation_prompt %}<|assistant|>{% endif %}",
    "{% if add_generation_prompt %}<|assistant|>Well: {% endif %}",
)

CORPUS = [
    "hello how are you today my friend",
    "what is your name and who is your creator",
    "my creator is Dakota and my name is Theta",
    "the quick brown fox jumps over the lazy dog near the river bank",
    "yes no maybe I do not know what you mean, tell me more about it.",
] * 20


def make_tokenizer(specials: list[str], *, eos: str, template: str | None, **names: str) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=eos, model_max_length=256, **names)
    tokenizer.chat_template = template
    return tokenizer


def make_llama(folder: Path, tokenizer: PreTrainedTokenizerFast, *, seed: int = 0, tied: bool = True) -> Path:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=None,
        initializer_range=0.1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model folders by the kind of their chat template. Tests do not write to them."""
    root = tmp_path_factory.mktemp("models")
    marks = ["<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"]
    found = {
        "theta": make_llama(root / "theta", make_tokenizer(marks, eos="<|end|>", template=THETA)),
        "chatml": make_llama(
            root / "chatml",
            make_tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>"], eos="<|endoftext|>", template=CHATML),
            tied=False,
        ),
        "brackets": make_llama(
            root / "brackets",
            make_tokenizer(["<s>", "</s>"], eos="</s>", template=BRACKETS, bos_token="<s>"),
        ),
        "no prefix": make_llama(root / "no-prefix", make_tokenizer(marks, eos="<|end|>", template=NO_PREFIX)),
    }
    torch.manual_seed(0)
    tokenizer = make_tokenizer(["<|endoftext|>"], eos="<|endoftext|>", template=None)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=256, n_embd=32, n_layer=2, n_head=2,
        attn_pdrop=0.5, resid_pdrop=0.5, embd_pdrop=0.5,
        bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(root / "gpt2")
    tokenizer.save_pretrained(root / "gpt2")
    return found | {"gpt2": root / "gpt2"}


torch.set_num_threads(1)  # These models are too small to share, and the machine may be busy.

KINDS = ("theta", "chatml", "brackets", "no prefix", "gpt2")


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


def weights(lm: LanguageModel) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in lm.model.parameters()]


def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
