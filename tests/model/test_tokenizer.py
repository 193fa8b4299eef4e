"""A tokenizer that is read without Transformers gives the same ids, the same text and the same conversation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.later import transformers
from tests.support.tiny_models import CHATML, MARKS, NO_PREFIX, THETA, make_tokenizer
from theta_tui.base.files import assets_dir
from theta_tui.model import tokenizer as tokens

TEXTS = [
    "hello", "", " two  spaces ", "a\n\nb\tc", "Ünïcödé 汉字 🙂 e\u0301", "<|end|>", "x<|user|>y <|assistant|>",
    "\x00\x1b[0m",
    "don't 1234567 http://x.y/z?a=b", "a" * 5000,
]  # fmt: skip


@pytest.fixture(params=["default", "theta", "chatml", "no prefix"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "default":
        return assets_dir() / "default"
    made = {
        "theta": lambda: make_tokenizer(MARKS, eos="<|end|>", template=THETA, pad_token="<|pad|>"),
        "chatml": lambda: make_tokenizer(
            ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            eos="<|endoftext|>", template=CHATML, unk_token="<|endoftext|>",
        ),
        "no prefix": lambda: make_tokenizer(MARKS, eos="<|end|>", template=NO_PREFIX),
    }[request.param]()  # fmt: skip
    made.save_pretrained(tmp_path)
    return tmp_path


def both(folder: Path) -> tuple[tokens.Tokens, Any]:
    mine = tokens.read(folder)
    assert mine is not None
    return mine, transformers.AutoTokenizer.from_pretrained(folder)


def test_ids_and_texts_are_the_same(folder: Path) -> None:
    mine, theirs = both(folder)
    assert len(mine) == len(theirs)
    for text in TEXTS:
        ids = mine(text, add_special_tokens=False)["input_ids"]
        assert ids == theirs(text, add_special_tokens=False)["input_ids"]
        for skip in (False, True):
            how = {"skip_special_tokens": skip, "clean_up_tokenization_spaces": False}
            assert mine.decode(ids, **how) == theirs.decode(ids, **how)
        assert mine.convert_ids_to_tokens(ids) == theirs.convert_ids_to_tokens(ids)


def test_single_tokens_are_the_same(folder: Path) -> None:
    mine, theirs = both(folder)
    for name in ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "eos_token"):
        assert getattr(mine, name) == getattr(theirs, name), name
    assert mine.all_special_ids == theirs.all_special_ids
    assert mine.model_max_length == theirs.model_max_length
    assert {at: str(token) for at, token in mine.added_tokens_decoder.items()} == {
        at: str(token) for at, token in theirs.added_tokens_decoder.items()
    }
    for token in ("<|end|>", "a", "no such token at all"):
        assert mine.convert_tokens_to_ids(token) == theirs.convert_tokens_to_ids(token)


@pytest.mark.parametrize("generate", [False, True])
def test_a_conversation_is_rendered_the_same(folder: Path, generate: bool) -> None:
    mine, theirs = both(folder)
    messages = [{"role": "assistant" if number % 2 else "user", "content": text} for number, text in enumerate(TEXTS)]
    how = {"tokenize": False, "add_generation_prompt": generate, "enable_thinking": False}
    for count in (1, 2, len(messages)):
        assert mine.apply_chat_template(messages[:count], **how) == theirs.apply_chat_template(messages[:count], **how)


def test_what_is_saved_is_what_was_read(folder: Path, tmp_path: Path) -> None:
    mine, theirs = both(folder)
    (tmp_path / "saved").mkdir()
    mine.save_pretrained(tmp_path / "saved")
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert again.get_vocab() == theirs.get_vocab()
    assert again.chat_template == theirs.chat_template
    assert again.eos_token == theirs.eos_token


# --- what is left to Transformers ---


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder that a test may change; as it is, it can be read here."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in (tokens.TOKENIZER, tokens.CONFIG, tokens.TEMPLATE):
        shutil.copyfile(assets_dir() / "default" / name, folder / name)
    assert tokens.read(folder) is not None
    return folder


@pytest.mark.parametrize(
    "other",
    [
        {"tokenizer_class": "LlamaTokenizer"}, {"add_bos_token": True}, {"chat_template": "x"}, {"eos_token": None},
        {"eos_token": {"content": "<|end|>"}}, {"pad_token": "<|new|>"}, {"extra_special_tokens": ["<|new|>"]},
        {"extra_special_tokens": {"a": "<|user|>"}}, {"split_special_tokens": True}, {"backend": "custom"},
        {"unk_token": "a"}, {"auto_map": {"AutoTokenizer": ["x.Y", None]}},
    ],
    ids=str,
)  # fmt: skip
def test_a_config_with_anything_else_in_it_is_not_read_here(copy: Path, other: dict[str, Any]) -> None:
    config = json.loads((copy / tokens.CONFIG).read_text())
    (copy / tokens.CONFIG).write_text(json.dumps(config | other))
    assert tokens.read(copy) is None


@pytest.mark.parametrize(
    "template",
    [
        "", "{{ messages | tojson }}", "{{ now() }}", "{{ raise_exception('no') }}", "{% if x %}",
        "{% set ns = namespace(a=1) %}{{ ns.a }}", "{% for i in range(3) %}{{ i }}{% endfor %}", "{{ tools }}",
        "{{ dict(a=1) }}", "{{ cycler('a', 'b') }}", "{{ self }}", "{% include 'secret' %}", "{{ lipsum }}",
    ],
)  # fmt: skip
def test_a_template_that_asks_for_more_is_not_read_here(copy: Path, template: str) -> None:
    (copy / tokens.TEMPLATE).write_text(template)
    assert tokens.read(copy) is None


@pytest.mark.parametrize("name", [tokens.TOKENIZER, tokens.CONFIG, tokens.TEMPLATE])
@pytest.mark.parametrize("content", [None, b"", b"[" * 100_000, b"\xff\xfe", b"[]"])
def test_a_damaged_folder_is_not_read_here(copy: Path, name: str, content: bytes | None) -> None:
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    if (name, content) not in {(tokens.TEMPLATE, b"[]"), (tokens.TEMPLATE, b"[" * 100_000)}:  # a template all the same
        assert tokens.read(copy) is None
