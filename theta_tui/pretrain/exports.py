"""What ChatGPT and Claude write when a person exports their conversations. Standard library only.

Only what was said in words is read: what a tool said, what is hidden and what the model only thought is not. A reply to
something that is not text, as a picture is, is left out together with it: nobody could have given it from the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from theta_tui.base.text import is_blank
from theta_tui.pretrain.content import Content, Tally, mended, shown
from theta_tui.pretrain.marks import Marks
from theta_tui.pretrain.messages import ROLES, Message, take_turns

_UNSAID = "a tool's, hidden, or the model's own thought"


def is_export(row: Any) -> bool:
    return isinstance(row, dict) and (isinstance(row.get("mapping"), dict) or "chat_messages" in row)


def read_export(row: dict[str, Any], marks: Marks, tally: Tally) -> Content | None:
    """One conversation; None where nothing in it was replied to. Raises ValueError."""
    read = _chatgpt if isinstance(row.get("mapping"), dict) else _claude
    found = list(read(row, marks, tally))
    messages: list[Message] = []
    answerable = True
    for role, text, context_only in found:
        if role == "user":
            answerable = bool(text)
            if not answerable:
                tally.leave_out("exchange", "the prompt is not text alone")
        if answerable and text:
            messages.append(Message(role, mended(text), context_only))
    try:
        turns, hushed = take_turns(messages)
    except ValueError:
        tally.leave_out("conversation", "no prompt in it has a reply")
        return None
    if hushed.issuperset(range(1, len(turns), 2)):
        tally.leave_out("conversation", "no reply in it is to be learned")
        return None
    tally.context_only += len(hushed)
    return Content(turns, context_only=hushed)


def _chatgpt(row: dict[str, Any], marks: Marks, tally: Tally) -> Iterator[tuple[str, str | None, bool]]:
    """(role, text, context only) from the beginning to `current_node`; the text is None where it is not text alone."""
    nodes, at = row["mapping"], row.get("current_node")
    for node in _lineage(nodes, at, "parent", "current_node"):
        message = node.get("message")
        if not isinstance(message, dict):
            continue
        author, content, about = (_object(message, name) for name in ("author", "content", "metadata"))
        role = ROLES.get(str(author.get("role")))
        hidden = about.get("is_visually_hidden_from_conversation") or message.get("recipient", "all") != "all"
        kind = content.get("content_type", "text")
        if role not in ("user", "assistant") or hidden or kind not in ("text", "multimodal_text"):
            if content.get("parts") not in ([], [""]):
                tally.leave_out("message", _UNSAID)
            continue
        parts = content.get("parts")
        if not isinstance(parts, list):
            raise ValueError("a message of it has no list of parts")
        texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
        yield role, _together(texts), marks.reason(message, set()) is not None


def _claude(row: dict[str, Any], marks: Marks, tally: Tally) -> Iterator[tuple[str, str | None, bool]]:
    messages = row["chat_messages"]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise ValueError("its chat_messages are not a list of messages")
    leaf = row.get("current_leaf_message_uuid")
    by_name = {str(message.get("uuid")): message for message in messages}
    if isinstance(leaf, str) and leaf in by_name:
        messages = list(_lineage(by_name, leaf, "parent_message_uuid", "current_leaf_message_uuid"))
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
            tally.leave_out("message part", _UNSAID)
        if role == "user":
            # A text that was attached is part of the prompt; of a picture there is only the name.
            texts = [file.get("extracted_content") for file in _objects(message, "attachments")] + texts
            texts += [None for _ in _objects(message, "files")] + [
                None for block in blocks if block.get("type") == "image"
            ]
        yield role, _together(texts), marks.reason(message, set()) is not None


def _lineage(nodes: Mapping[Any, Any], leaf: Any, parent: str, name: str) -> list[dict[str, Any]]:
    """From the beginning to `leaf`, each by the name of the one before it. Raises ValueError."""
    found: list[dict[str, Any]] = []
    at = leaf
    while isinstance(at, str) and isinstance(node := nodes.get(at), dict):
        if len(found) == len(nodes):
            raise ValueError(f"its {parent} lead in a circle")
        found.append(node)
        at = node.get(parent)
    if not found:
        raise ValueError(f"its {name} is {shown(leaf)}, which is no message of it")
    return found[::-1]


def _together(texts: list[Any]) -> str | None:
    """The texts as one; None where one of them is not text."""
    if not all(isinstance(text, str) for text in texts):
        return None
    return "\n".join(text for text in texts if not is_blank(text))


def _object(owner: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = owner.get(name)
    return found if isinstance(found, dict) else {}


def _objects(owner: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = owner.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
