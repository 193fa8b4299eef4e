"""Chats without models, and data sets of a few documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch

from tests.support.tiny_models import BRACKETS, CHATML, MARKS, NO_PREFIX, THETA, make_tokenizer
from theta_tui.model.chat_template import ChatTemplate
from theta_tui.pretrain.documents import Document, Source

torch.set_num_threads(1)  # These networks are too small to share, and the machine may be busy.


WORDS = [
    "hello",
    "how",
    "are",
    "you",
    "today",
    "my",
    "friend",
    "what",
    "is",
    "your",
    "name",
    "and",
    "who",
    "made",
    "the",
    "quick",
    "brown",
    "fox",
    "jump",
]


@cache
def make_chat(kind: str = "theta", *, template: str | None = None) -> ChatTemplate:
    """A chat of one of `tiny_models.KINDS`, or of its tokens with another template. Tests do not change it."""
    if kind == "chatml":
        marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        tokenizer = make_tokenizer(marks, eos="<|endoftext|>", template=template or CHATML)
    elif kind == "brackets":
        tokenizer = make_tokenizer(["<s>", "</s>"], eos="</s>", template=template or BRACKETS, bos_token="<s>")
    elif kind == "gpt2":
        tokenizer = make_tokenizer(["<|endoftext|>"], eos="<|endoftext|>", template=template)
    else:
        own = {"theta": THETA, "no prefix": NO_PREFIX}[kind]
        tokenizer = make_tokenizer(MARKS, eos="<|end|>", template=template or own)
    return ChatTemplate(tokenizer, window=256)


def talk(*texts: str, source: str = "talk") -> Document:
    """A conversation of `texts`, the user's and the assistant's in turn."""
    turns = tuple(("assistant" if number % 2 else "user", text) for number, text in enumerate(texts))
    return Document(turns, "", source, 1)


def prose(text: str, source: str = "prose") -> Document:
    return Document((), text, source, 1)


def exchanges(count: int, *, seed: int = 0, most: int = 12) -> list[tuple[str, str]]:
    """Different exchanges of a few words each."""
    generator = torch.Generator().manual_seed(seed)

    def words() -> str:
        size = int(torch.randint(1, most, (), generator=generator))
        return " ".join(WORDS[i] for i in torch.randint(len(WORDS), (size,), generator=generator).tolist())

    return [(f"{number} {words()}", words()) for number in range(count)]


def data_set(path: Path, rows: Sequence[tuple[str, str]], weight: float = 1.0) -> Source:
    """`rows` as a file of JSON Lines."""
    lines = [json.dumps({"prompt": prompt, "completion": reply}) + "\n" for prompt, reply in rows]
    path.write_text("".join(lines), "utf-8")
    return Source(path, weight)
