"""Reads a list of chat messages as alternating turns and a system message before them. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from theta_tui.base.text import is_blank
from theta_tui.pretrain.content import Turns, required_text, shown
from theta_tui.pretrain.learn_flags import LearnFlags

ROLES = {
    "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant", "bot": "assistant", "chatbot": "assistant",
    "system": "system", "developer": "system",
}  # fmt: skip
_TOOLS = {"tool", "function", "ipython", "observation", "function_call", "tool_call", "tool_response"}
_UNDERSTOOD = {"role", "from", "content", "value"}


class ChatMessage(NamedTuple):
    """One message. `context_only`: it is shown to the model but not learned."""

    role: str
    text: str
    context_only: bool = False


def read_messages(found: Any, flags: LearnFlags, ignore: Callable[[str], None]) -> tuple[list[ChatMessage], list[str]]:
    """(messages of user and assistant, texts of the system messages before them). Raises ValueError.

    `ignore` is called with the name of each part that is not understood.
    """
    if not isinstance(found, list):
        raise ValueError("its messages are not a list")
    messages: list[ChatMessage] = []
    system = []
    for message in found:
        if not isinstance(message, dict):
            raise ValueError("a message is not an object with role and content")
        role = _role(message.get("role") or message.get("from"))
        if message.get("tool_calls") or message.get("function_call"):
            raise ValueError("a message calls a tool, which cannot be learned here")
        used: set[str] = set()
        context_only = flags.reason(message, used) is not None
        content = message.get("content")
        text = flat_text(message.get("value") if content is None else content)
        if role == "system":
            if not isinstance(text, str) or is_blank(text):
                pass
            elif messages:
                ignore("a system message inside a conversation")
            else:
                system.append(required_text(text))
        else:
            messages.append(ChatMessage(role, required_text(text), context_only))
        for name in message.keys() - _UNDERSTOOD - used:
            if message[name]:
                ignore(f"messages.{name}")
    return messages, system


def take_turns(messages: Iterable[ChatMessage]) -> tuple[Turns, frozenset[int]]:
    """(turns from the first user message to the last assistant message, indices of those that are context only).

    Neighbours of the same role are joined; the turn is context only if one of them is. Raises ValueError if no user
    message has a reply.
    """
    turns: list[ChatMessage] = []
    for message in messages:
        if turns and turns[-1].role == message.role:
            last = turns[-1]
            both = f"{last.text}\n{message.text}"
            turns[-1] = last._replace(text=both, context_only=last.context_only or message.context_only)
        elif turns or message.role == "user":
            turns.append(message)
    if turns and turns[-1].role == "user":
        turns.pop()
    if not turns:
        raise ValueError("no user message in it has a reply")
    context_only = frozenset(number for number, message in enumerate(turns) if message.context_only)
    return tuple((message.role, message.text) for message in turns), context_only


def flat_text(content: Any) -> Any:
    """Text blocks joined to one text; anything else unchanged. Raises ValueError if a block is not text."""
    if not isinstance(content, list) or not content:
        return content
    texts = []
    for block in content:
        text = block.get("text") if isinstance(block, dict) else block
        kind = block.get("type", "text") if isinstance(block, dict) else "text"
        if kind not in ("text", "input_text", "output_text") or not isinstance(text, str):
            raise ValueError(f"a message holds {shown(kind if kind != 'text' else block)}, which is not text")
        texts.append(text)
    return "\n".join(texts)


def _role(name: Any) -> str:
    role = ROLES.get(name.lower()) if isinstance(name, str) else None
    if role is None:
        why = "; a tool's message cannot be learned here" if str(name).lower() in _TOOLS else ""
        raise ValueError(f"the role of a message is {shown(name)}, not user, assistant or system{why}")
    return role
