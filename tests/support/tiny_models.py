"""Real, tiny models made here: a few layers, a byte-level tokenizer, and chat templates of several kinds."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.support.later import transformers
from theta_tui.model.language_model import LanguageModel

MARKS = ["<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"]
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


def make_tokenizer(
    specials: list[str], *, eos: str, template: str | None, **names: str
) -> transformers.PreTrainedTokenizerFast:
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
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=eos, model_max_length=256, **names
    )
    tokenizer.chat_template = template
    return tokenizer


def make_llama(
    folder: Path,
    tokenizer: transformers.PreTrainedTokenizerFast,
    *,
    seed: int = 0,
    tied: bool = True,
    hidden: int = 32,
    inner: int = 64,
    layers: int = 2,
) -> Path:
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=None,
        initializer_range=0.1,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tiny(folder: Path, *, template: str | None = THETA, **shape: int) -> Path:
    """The model of most tests: two layers, and each part of a chat in tokens of its own."""
    return make_llama(folder, make_tokenizer(MARKS, eos="<|end|>", template=template), **shape)


def make_wide(folder: Path) -> Path:
    """A model whose MLPs are wider than its states by more than the others'."""
    return make_tiny(folder, hidden=64, inner=512, layers=4)


KINDS = ("theta", "chatml", "brackets", "no prefix", "gpt2")


def weights(lm: LanguageModel) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in lm.model.parameters()]


def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
