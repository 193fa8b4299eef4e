"""A list of chat messages → turns that alternate, and the system message before them. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from theta_tui.base.text import is_blank
from theta_tui.pretrain.content import Turns, said, shown
from theta_tui.pretrain.marks import Marks

ROLES = {
    "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant", "bot": "assistant", "chatbot": "assistant",
    "system": "system", "developer": "system",
}  # fmt: skip
_TOOLS = {"tool", "function", "ipython", "observation", "function_call", "tool_call", "tool_response"}
_UNDERSTOOD = {"role", "from", "content", "value"}


class Message(NamedTuple):
    """One message. `context_only`: the model is shown it and does not learn it."""

    role: str
    text: str
    context_only: bool = False


def read_messages(found: Any, marks: Marks, ignore: Callable[[str], None]) -> tuple[list[Message], list[str]]:
    """The messages of user and assistant, and the system messages before them. Raises ValueError.

    `ignore` hears the name of what is not understood.
    """
    if not isinstance(found, list):
        raise ValueError("its messages are not a list")
    messages: list[Message] = []
    system = []
    for message in found:
        if not isinstance(message, dict):
            raise ValueError("a message is not an object with role and content")
        role = _role(message.get("role") or message.get("from"))
        if message.get("tool_calls") or message.get("function_call"):
            raise ValueError("a message calls a tool, which cannot be learned here")
        used: set[str] = set()
        context_only = marks.reason(message, used) is not None
        content = message.get("content")
        text = flat_text(message.get("value") if content is None else content)
        if role == "system":
            if not isinstance(text, str) or is_blank(text):
                pass
            elif messages:
                ignore("a system message inside of a conversation")
            else:
                system.append(said(text))
        else:
            messages.append(Message(role, said(text), context_only))
        for name in message.keys() - _UNDERSTOOD - used:
            if message[name]:
                ignore(f"messages.{name}")
    return messages, system


def take_turns(messages: Iterable[Message]) -> tuple[Turns, frozenset[int]]:
    """From the first user message to the last assistant message, and the numbers of those that are context only.

    Neighbours of one role are joined; of a part that must not be learned nothing is. Raises ValueError.
    """
    turns: list[Message] = []
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
    hushed = frozenset(number for number, message in enumerate(turns) if message.context_only)
    return tuple((message.role, message.text) for message in turns), hushed


def flat_text(content: Any) -> Any:
    """Blocks of text as one text; anything else as it is. Raises ValueError where a block is not text."""
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
