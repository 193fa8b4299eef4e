"""Reads the conversations that ChatGPT and Claude export. Standard library only.

Only text that was said is read, not a tool's output, hidden messages, or the model's reasoning. A prompt that is not
only text (a picture, say) is left out with its reply, which cannot follow from the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from theta_tui.base.text import is_blank
from theta_tui.pretrain.content import Content, ReadReport, shown, storable
from theta_tui.pretrain.learn_flags import LearnFlags
from theta_tui.pretrain.messages import ROLES, ChatMessage, take_turns

_NOT_SAID = "from a tool, hidden, or the model's reasoning"


def is_export(row: Any) -> bool:
    return isinstance(row, dict) and (isinstance(row.get("mapping"), dict) or "chat_messages" in row)


def read_export(row: dict[str, Any], flags: LearnFlags, report: ReadReport) -> Content | None:
    """One conversation; None if nothing in it can be learned. Raises ValueError."""
    read = _chatgpt if isinstance(row.get("mapping"), dict) else _claude
    found = list(read(row, flags, report))
    messages: list[ChatMessage] = []
    answerable = True
    for role, text, context_only in found:
        if role == "user":
            answerable = bool(text)
            if not answerable:
                report.leave_out("exchange", "the prompt is not only text")
        if answerable and text:
            messages.append(ChatMessage(role, storable(text), context_only))
    try:
        turns, unlearned = take_turns(messages)
    except ValueError:
        report.leave_out("conversation", "no prompt in it has a reply")
        return None
    if unlearned.issuperset(range(1, len(turns), 2)):
        report.leave_out("conversation", "none of its replies may be learned")
        return None
    report.context_only += len(unlearned)
    return Content(turns, context_only=unlearned)


def _chatgpt(row: dict[str, Any], flags: LearnFlags, report: ReadReport) -> Iterator[tuple[str, str | None, bool]]:
    """(role, text, context only) from the start to `current_node`; text is None if the message is not only text."""
    nodes, at = row["mapping"], row.get("current_node")
    for node in _path_to(nodes, at, "parent", "current_node"):
        message = node.get("message")
        if not isinstance(message, dict):
            continue
        author, content, about = (_object(message, name) for name in ("author", "content", "metadata"))
        role = ROLES.get(str(author.get("role")))
        hidden = about.get("is_visually_hidden_from_conversation") or message.get("recipient", "all") != "all"
        kind = content.get("content_type", "text")
        if role not in ("user", "assistant") or hidden or kind not in ("text", "multimodal_text"):
            if content.get("parts") not in ([], [""]):
                report.leave_out("message", _NOT_SAID)
            continue
        parts = content.get("parts")
        if not isinstance(parts, list):
            raise ValueError("a message of it has no list of parts")
        texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
        yield role, _joined(texts), flags.reason(message, set()) is not None


def _claude(row: dict[str, Any], flags: LearnFlags, report: ReadReport) -> Iterator[tuple[str, str | None, bool]]:
    messages = row["chat_messages"]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise ValueError("its chat_messages are not a list of messages")
    leaf = row.get("current_leaf_message_uuid")
    by_name = {str(message.get("uuid")): message for message in messages}
    if isinstance(leaf, str) and leaf in by_name:
        messages = list(_path_to(by_name, leaf, "parent_message_uuid", "current_leaf_message_uuid"))
    for message in messages:
        role = ROLES.get(str(message.get("sender") or message.get("role")))
        if role not in ("user", "assistant"):
            raise ValueError(f"the sender of a message is {shown(message.get('sender'))}, not human or assistant")
        blocks = message.get("content")
        blocks = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
        texts: list[Any] = [block.get("text") for block in blocks if block.get("type") == "text"]
        if not any(isinstance(text, str) and text for text in texts):
            texts = [message.get("text") or ""]
        if any(block.get("type") not in ("text", "image") for block in blocks):
            report.leave_out("message part", _NOT_SAID)
        if role == "user":
            # An attached text is part of the prompt; a picture is there by name only.
            texts = [file.get("extracted_content") for file in _objects(message, "attachments")] + texts
            texts += [None for _ in _objects(message, "files")] + [
                None for block in blocks if block.get("type") == "image"
            ]
        yield role, _joined(texts), flags.reason(message, set()) is not None


def _path_to(nodes: Mapping[Any, Any], leaf: Any, parent: str, name: str) -> list[dict[str, Any]]:
    """The nodes from the first to `leaf`, found by following `parent`. Raises ValueError."""
    found: list[dict[str, Any]] = []
    at = leaf
    while isinstance(at, str) and isinstance(node := nodes.get(at), dict):
        if len(found) == len(nodes):
            raise ValueError(f"its {parent} links form a circle")
        found.append(node)
        at = node.get(parent)
    if not found:
        raise ValueError(f"its {name} is {shown(leaf)}, which is none of its messages")
    return found[::-1]


def _joined(texts: list[Any]) -> str | None:
    """The texts joined by newlines; None if one of them is not text."""
    if not all(isinstance(text, str) for text in texts):
        return None
    return "\n".join(text for text in texts if not is_blank(text))


def _object(owner: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = owner.get(name)
    return found if isinstance(found, dict) else {}


def _objects(owner: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = owner.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
