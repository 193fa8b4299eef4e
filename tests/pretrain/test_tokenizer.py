"""A tokenizer made from data: its size, its control tokens, and that any text comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.pretrain.tiny import data_set, exchanges
from tests.support.later import transformers
from tests.support.profiles import examples
from theta_tui.base.errors import UsageError
from theta_tui.model.chat_template import ChatTemplate
from theta_tui.pretrain.documents import Source
from theta_tui.pretrain.shapes import Shape, build
from theta_tui.pretrain.tokenizer import ASSISTANT, END, PAD, TEMPLATE, USER, train_tokenizer

SIZE = 320
BYTES = 256


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    rows = [("What's your name?", "<|user|> I'm Theta <|end|>, it's 2024.\n\nÜber 日本語 😀"), *exchanges(200)]
    return data_set(tmp_path_factory.mktemp("data") / "talk.jsonl", rows)


@pytest.fixture(scope="module")
def tokenizer(source: Source) -> Any:
    return train_tokenizer([source], vocabulary=SIZE, length=128)


def ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_it_has_as_many_tokens_as_asked(tokenizer: Any) -> None:
    assert len(tokenizer) == tokenizer.vocab_size == SIZE
    assert sorted(tokenizer.get_vocab().values()) == list(range(SIZE))


def test_little_data_gives_fewer_tokens(tmp_path: Path) -> None:
    made = train_tokenizer([data_set(tmp_path / "a.jsonl", [("ab", "ab")])], vocabulary=1000, length=128)
    assert 4 + BYTES <= len(made) < 270


def test_a_vocabulary_below_the_bytes_is_refused(source: Source) -> None:
    assert len(train_tokenizer([source], vocabulary=4 + BYTES, length=128)) == 4 + BYTES
    with pytest.raises(UsageError, match="260"):
        train_tokenizer([source], vocabulary=4 + BYTES - 1, length=128)


def test_control_tokens_come_first(tokenizer: Any) -> None:
    assert tokenizer.convert_tokens_to_ids([PAD, USER, ASSISTANT, END]) == [0, 1, 2, 3]
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 3)
    assert set(tokenizer.all_special_ids) == {0, 1, 2, 3}
    assert tokenizer.bos_token_id is None


def test_the_same_data_give_the_same_tokenizer(source: Source, tokenizer: Any) -> None:
    again = train_tokenizer([source], vocabulary=SIZE, length=128)
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_words_of_the_data_are_spelled_briefly(tokenizer: Any) -> None:
    assert len(ids(tokenizer, " hello you")) < len(" hello you") / 2
    assert len(ids(tokenizer, "xqzj")) == 4


def test_weights_of_sources_do_not_matter(source: Source, tokenizer: Any) -> None:
    weighted = train_tokenizer([Source(source.path, 0.1)], vocabulary=SIZE, length=128)
    assert weighted.get_vocab() == tokenizer.get_vocab()


def test_nothing_is_put_before_or_behind(tokenizer: Any) -> None:
    assert tokenizer("hello")["input_ids"] == ids(tokenizer, "hello")
    assert not {0, 1, 2, 3}.intersection(tokenizer("hello")["input_ids"])


@examples(200)
@given(text=st.text(max_size=60))
def test_any_text_comes_back(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(ids(tokenizer, text), clean_up_tokenization_spaces=False) == text
    chat = ChatTemplate(tokenizer, window=128)
    [plain] = chat.plain_ids([text])
    assert chat.decode(plain) == text
    assert not {0, 1, 2, 3}.intersection(plain)


@pytest.mark.parametrize(
    "text", ["it's", "1234567", "  x\n\n y ", "a\r\nb", "Don't!!!\n", "日本語", "e\u0301", " ,. ?"]
)
def test_the_split_loses_nothing(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(ids(tokenizer, text), clean_up_tokenization_spaces=False) == text


def test_it_comes_back_from_disk_as_it_was(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    found = transformers.AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    texts = ["What's your name?", " <|user|>x<|end|>", "Über 日本語 😀", "1 12 123 1234", "a  b\n\nc "]
    assert [ids(found, text) for text in texts] == [ids(tokenizer, text) for text in texts]
    assert found.chat_template == TEMPLATE
    assert found.get_vocab() == tokenizer.get_vocab()
    assert (found.pad_token, found.eos_token, found.model_max_length) == (PAD, END, 128)
    assert set(found.all_special_ids) == {0, 1, 2, 3}
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    assert found.apply_chat_template(messages, tokenize=False) == "<|user|>hi<|assistant|>yes<|end|>"
    assert ChatTemplate(found, window=128).conversation_ids(["hi", "yes"]) == [
        1, *ids(tokenizer, "hi"), 2, *ids(tokenizer, "yes"), 3
    ]  # fmt: skip


def test_the_chat_finds_the_end_of_a_turn(tokenizer: Any) -> None:
    chat = ChatTemplate(tokenizer, window=128)
    assert chat.turn_end == 3
    assert chat.end_ids == {3}
    assert chat.control_ids == {0, 1, 2, 3}
    assert not chat.notices


def test_a_system_message_stands_before_the_first_user_mark(tokenizer: Any) -> None:
    chat = ChatTemplate(tokenizer, window=128)
    assert chat.takes_system()
    assert chat.with_system("be kind").render((), "hi", "yes") == "be kind<|user|>hi<|assistant|>yes<|end|>"
    assert chat.with_system("be kind").conversation_ids(["hi", "yes"]) == [
        *ids(tokenizer, "be kind"), *chat.conversation_ids(["hi", "yes"])
    ]  # fmt: skip
    assert chat.render((), "hi") == "<|user|>hi<|assistant|>"


def test_the_templates_own_mask_is_the_reply_and_its_end(tokenizer: Any) -> None:
    messages = [
        {"role": "user", "content": "hi there"},
        {"role": "assistant", "content": "hello you"},
        {"role": "user", "content": "who"},
        {"role": "assistant", "content": "I'm Theta"},
    ]
    found = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    taken = [index for index, mask in zip(found["input_ids"], found["assistant_masks"], strict=True) if mask]
    assert taken == [*ids(tokenizer, "hello you"), 3, *ids(tokenizer, "I'm Theta"), 3]
    chat = ChatTemplate(tokenizer, window=128)
    assert found["input_ids"] == chat.conversation_ids([message["content"] for message in messages])


def test_a_network_is_made_for_it(tokenizer: Any) -> None:
    shape = Shape(2, 16, 2, 32)
    model, again = (build(shape, tokenizer, length=64, seed=5) for _ in range(2))
    other = build(shape, tokenizer, length=64, seed=6)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert model.get_input_embeddings().weight.shape == (SIZE, 16)
    assert (model.config.eos_token_id, model.config.pad_token_id, model.config.bos_token_id) == (3, 0, None)
    assert model.config.max_position_embeddings == 64
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    pairs = list(zip(model.parameters(), again.parameters(), strict=True))
    assert all(torch.equal(one, another) for one, another in pairs)
    assert not torch.equal(other.get_input_embeddings().weight, model.get_input_embeddings().weight)
    into_the_stream = [model.model.layers[1].self_attn.o_proj.weight, model.model.layers[1].mlp.down_proj.weight]
    for weight in into_the_stream:
        assert weight.std().item() == pytest.approx(0.01, rel=0.25)
    assert model.model.layers[1].self_attn.q_proj.weight.std().item() == pytest.approx(0.02, rel=0.25)
