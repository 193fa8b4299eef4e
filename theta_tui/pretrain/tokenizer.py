"""Trains a tokenizer on the data: byte-level BPE with Llama 3's split, and Theta's control tokens and template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from theta_tui.base.errors import UsageError
from theta_tui.base.text import plural
from theta_tui.pretrain.documents import Document, Source, read

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""The pre-tokenizer pattern of Llama 3, which llama.cpp knows by that name."""

PAD, USER, ASSISTANT, END = "<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"

TEMPLATE = (
    "{% for m in messages %}{% if m['role']=='system' %}{{ m['content'] }}{% elif m['role']=='user' %}<|user|>"
    "{{ m['content'] }}{% elif m['role']=='assistant' %}<|assistant|>{% generation %}{{ m['content'] }}<|end|>"
    "{% endgeneration %}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A system message comes before the first `<|user|>` and needs no token of its own."""

READ = 200_000
"""Documents per data set on which merges are counted; more would change few of them."""


def train_tokenizer(sources: Sequence[Source], *, vocabulary: int, length: int, skip_bad: bool = False) -> Any:
    """A `PreTrainedTokenizerFast` of `vocabulary` tokens, control tokens included. Raises UsageError for too few.

    Weights of sources are not used: a word that is rare in the mix should still take few tokens.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = [PAD, USER, ASSISTANT, END]
    if vocabulary < len(alphabet) + len(special):
        raise UsageError(
            f"a vocabulary of {vocabulary} is too small: {plural(len(alphabet), 'byte')} and "
            f"{plural(len(special), 'control token')} need "
            f"{len(alphabet) + len(special)}"
        )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    backend.train_from_iterator(_texts(sources, skip_bad), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[USER, ASSISTANT],
        model_max_length=length,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _texts(sources: Sequence[Source], skip_bad: bool) -> Iterator[str]:
    def said(document: Document) -> Iterator[str]:
        if document.system:
            yield document.system
        yield from (text for _, text in document.turns) if document.turns else (document.text,)

    for source in sources:
        documents = islice(read(source.path, skip_bad=skip_bad), READ)
        yield from chain.from_iterable(map(said, documents))
