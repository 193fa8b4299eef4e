"""Conversations that people bring from ChatGPT and Claude: what was said in words, along the branch that was last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from theta_tui.base.errors import ModelError
from theta_tui.pretrain.content import ReadReport
from theta_tui.pretrain.documents import Document, read


def read_json(tmp_path: Path, value: object, **more: Any) -> tuple[list[Document], ReadReport]:
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps(value, indent=2), "utf-8")
    report = ReadReport()
    return list(read(path, report=report, **more)), report


def said(document: Document) -> list[str]:
    return [text for _, text in document.turns]


def node(name: str, parent: str, role: str, *parts: object, kind: str = "text", **more: object) -> dict[str, Any]:
    content = {"content_type": kind, "parts": list(parts)}
    return {name: {"id": name, "parent": parent, "message": {"author": {"role": role}, "content": content} | more}}


def chatgpt(*nodes: dict[str, Any], current: object) -> dict[str, Any]:
    mapping: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None}}
    for one in nodes:
        mapping |= one
    return {"title": "x", "create_time": 1.5, "mapping": mapping, "current_node": current}


HELLO = (node("u", "root", "user", "Hi"), node("a", "u", "assistant", "Hello!"))


def test_of_a_chatgpt_conversation_the_branch_of_the_current_node_is_read(tmp_path: Path) -> None:
    row = chatgpt(
        *HELLO, node("a0", "u", "assistant", "an earlier try"), node("v", "a", "user", "How\nare", "you?"),
        node("b", "v", "assistant", "Well."), node("w", "a", "user", "an edited prompt"), current="b",
    )  # fmt: skip
    [document], report = read_json(tmp_path, [row])
    assert said(document) == ["Hi", "Hello!", "How\nare\nyou?", "Well."]
    assert report.lines() == []


def test_what_was_not_said_in_words_is_not_read(tmp_path: Path) -> None:
    row = chatgpt(
        node("s", "root", "system", "", weight=0.0),
        node("p", "s", "user", "About me: …", kind="user_editable_context"),
        node("h", "p", "user", "hidden", metadata={"is_visually_hidden_from_conversation": True}),
        node("u", "h", "user", "What is 1 + 1?"),
        node("t", "u", "assistant", "let me think", kind="thoughts"),
        node("c", "t", "assistant", "print(1 + 1)", recipient="python"),
        node("o", "c", "tool", "2"),
        node("a", "o", "assistant", "It is 2."),
        current="a",
    )
    [document], report = read_json(tmp_path, row)
    assert (said(document), document.system) == (["What is 1 + 1?", "It is 2."], "")
    assert report.lines() == ["5 messages left out: from a tool, hidden, or the model's reasoning"]


def test_a_reply_to_a_picture_is_left_out_with_it_and_counted(tmp_path: Path) -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}
    speech = {"content_type": "audio_transcription", "text": "Thank you."}
    row = chatgpt(
        *HELLO,
        node("p", "a", "user", picture, "What is this?", kind="multimodal_text"),
        node("q", "p", "assistant", "A cat."),
        node("r", "q", "user", speech, kind="multimodal_text"),
        node("s", "r", "assistant", "You are welcome."),
        current="s",
    )
    [document], report = read_json(tmp_path, [row])
    assert said(document) == ["Hi", "Hello!", "Thank you.", "You are welcome."]
    assert report.lines() == ["1 exchange left out: the prompt is not only text"]


def test_a_weight_of_an_exported_message_counts(tmp_path: Path) -> None:
    more = (node("v", "a", "user", "b"), node("b", "v", "assistant", "c"))
    marked = node("a", "u", "assistant", "Hello!", weight=0.0)
    [document], _ = read_json(tmp_path, [chatgpt(HELLO[0], marked, *more, current="b")])
    assert document.context_only == {1}


def test_conversations_without_a_reply_are_counted(tmp_path: Path) -> None:
    rows = [chatgpt(*HELLO, current="u"), chatgpt(current="root"), chatgpt(*HELLO, current="a")]
    [document], report = read_json(tmp_path, rows)
    assert said(document) == ["Hi", "Hello!"]
    assert report.lines() == ["2 conversations left out: no prompt in it has a reply"]


CIRCLE = (node("u", "a", "user", "x"), node("a", "u", "assistant", "y"))
NO_PARTS = {"u": {"parent": None, "message": {"author": {"role": "user"}}}}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (chatgpt(*HELLO, current="gone"), "its current_node is gone, which is none of its messages"),
        (chatgpt(*HELLO, current=None), "its current_node is None, which"),
        (chatgpt(*CIRCLE, current="a"), "its parent links form a circle"),
        (chatgpt(NO_PARTS, current="u"), "has no list of parts"),
        ({"chat_messages": "x"}, "its chat_messages are not a list of messages"),
        ({"chat_messages": [{"sender": "robot", "text": "x"}]}, "the sender of a message is robot"),
    ],
)
def test_a_damaged_conversation_is_told_with_its_line(tmp_path: Path, row: dict[str, Any], why: str) -> None:
    with pytest.raises(ModelError, match=r"conversations\.json:2: ") as caught:
        read_json(tmp_path, [row, chatgpt(*HELLO, current="a")])
    assert why in str(caught.value)
    [_], report = read_json(tmp_path, [row, chatgpt(*HELLO, current="a")], skip_bad=True)
    assert report.lines() == ["1 bad line skipped"]


def claude(*messages: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"uuid": "1", "name": "x", "account": {"uuid": "2"}, "chat_messages": list(messages)} | more


def test_of_a_claude_conversation_the_texts_are_read(tmp_path: Path) -> None:
    thinking = {"type": "thinking", "thinking": "hm"}
    row = claude(
        {"sender": "human", "text": "Hi"},
        {"sender": "assistant", "text": "?", "content": [thinking, {"type": "text", "text": "Hello!"}]},
        {"sender": "human", "text": "Sum up.", "attachments": [{"file_name": "a", "extracted_content": "A tale."}]},
        {"sender": "assistant", "text": "It is a tale.", "content": []},
        {"sender": "human", "text": "And this?", "files": [{"file_name": "cat.png"}]},
        {"sender": "assistant", "text": "A cat."},
    )
    [document], report = read_json(tmp_path, [row, claude()])
    assert said(document) == ["Hi", "Hello!", "A tale.\nSum up.", "It is a tale."]
    assert report.lines() == [
        "1 conversation left out: no prompt in it has a reply",
        "1 exchange left out: the prompt is not only text",
        "1 message part left out: from a tool, hidden, or the model's reasoning",
    ]


def test_of_branches_of_a_claude_conversation_the_last_is_read(tmp_path: Path) -> None:
    def message(name: str, parent: str, sender: str) -> dict[str, Any]:
        return {"uuid": name, "parent_message_uuid": parent, "sender": sender, "text": name}

    messages = [message("a", "0", "human"), message("b", "a", "assistant"), message("c", "a", "assistant")]
    [document], _ = read_json(tmp_path, claude(*messages, current_leaf_message_uuid="c"))
    assert said(document) == ["a", "c"]
