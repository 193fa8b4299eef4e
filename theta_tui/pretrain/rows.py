"""Reads one JSON object, or one row of a table, as a conversation or a text. Standard library only.

All parts of a prompt are used: an instruction's input or context, a passage before its question, choices after it, the
history, a system message. Unknown columns are counted by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from theta_tui.base.text import is_blank, visible
from theta_tui.pretrain.content import Content, ReadReport, required_text, shown, storable
from theta_tui.pretrain.learn_flags import LearnFlags
from theta_tui.pretrain.messages import ChatMessage, read_messages, take_turns

PROMPTS = ("prompt", "question", "instruction", "query", "user", "input", "q")
REPLIES = (
    "completion", "response", "reply", "answer", "answers", "output", "assistant", "a", "answerKey", "answerkey",
)  # fmt: skip
"""Names of the reply's column or key, the surest first; PROMPTS are those of the prompt's."""

_SYSTEM = ("system", "system_prompt", "system_message")
_HISTORY = ("history", "chat_history", "conversation_history")
_PASSAGES = ("context", "passage", "document", "article", "paragraph", "story", "background")
_CHOICES = ("choices", "options")
_SHAPES = "messages, conversations, prompt + completion (or chosen), question + answer, instruction + output, or text"
_MESSAGE_TEXTS = ("text", "content", "value")


class RowReader:
    """Reads the rows of one file. `report` counts what is not used."""

    def __init__(self, report: ReadReport) -> None:
        self.report = report
        self.flags = LearnFlags()
        self._ignored: set[str] = set()

    def read(self, row: Any) -> Content | None:
        """The content of a row; None if it is not to be learned. Raises ValueError that says what is wrong."""
        if not isinstance(row, dict):
            raise ValueError("it is not a JSON object")
        used = {"source"}
        self._ignored = set()
        if (reason := self.flags.reason(row, used)) is not None:
            self.report.leave_out("row", reason)
            return None
        content = self._content(row, used)
        replies = range(1, len(content.turns), 2)
        if replies and content.context_only.issuperset(replies):
            self.report.leave_out("row", "none of its replies may be learned")
            return None
        self._ignored.update(name for name, value in row.items() if name not in used and not _is_empty(value))
        for name in sorted(self._ignored):
            self.report.ignore(name)
        self.report.context_only += len(content.context_only)
        return content

    def _content(self, row: dict[str, Any], used: set[str]) -> Content:
        source = row.get("source")
        source = storable(source) if isinstance(source, str) and source.strip() else None
        lists = next((name for name in ("messages", "conversations") if row.get(name) is not None), None)
        if lists is not None:
            used.add(lists)
            messages, system = self._messages(row[lists])
            if row.get("chosen") and "chosen" not in used and messages and messages[-1].role == "user":
                used.update(("chosen", "rejected"))
                answer = _answer(row, "chosen")
                reply_list = answer if isinstance(answer, list) else [{"role": "assistant", "content": answer}]
                messages += self._messages(reply_list)[0]
            return self._conversation(row, used, messages, system, source)
        reply = next((name for name in ("chosen", *REPLIES) if row.get(name) is not None and name not in used), None)
        prompt = next((name for name in PROMPTS if row.get(name) is not None), None)
        if reply is not None and (prompt is not None or (reply == "chosen" and isinstance(row[reply], list))):
            messages, system = self._pair(row, used, prompt, reply)
            return self._conversation(row, used, messages, system, source)
        if isinstance(row.get("role") or row.get("from"), str) and any(row.get(name) for name in _MESSAGE_TEXTS):
            role = shown(row.get("role") or row.get("from"))
            raise ValueError(
                f"it is a single message (role {role}) without the message_id and parent_id that join messages"
            )
        if (text := row.get("text")) is not None:
            used.add("text")
            return Content(text=required_text(text, "text"), source=source)
        found = visible(", ".join(str(name) for name in row), one_line=True)[:120] or "none"
        raise ValueError(f"its keys are {found}; it needs {_SHAPES}")

    def _conversation(
        self, row: dict[str, Any], used: set[str], messages: list[ChatMessage], system: list[str], source: str | None
    ) -> Content:
        own = [_text(row, name, used) for name in _SYSTEM]
        if messages and messages[0].role == "assistant":
            self._ignored.add("an assistant message before the first user message")
        turns, context_only = take_turns(messages)
        whole = "\n".join(text for text in (*own, *system) if text)
        return Content(turns, source=source, system=whole, context_only=context_only)

    def _messages(self, found: Any) -> tuple[list[ChatMessage], list[str]]:
        return read_messages(found, self.flags, self._ignored.add)

    def _pair(
        self, row: dict[str, Any], used: set[str], prompt: str | None, reply: str
    ) -> tuple[list[ChatMessage], list[str]]:
        """Messages of a prompt and its reply, each a text or a list; the reply's list may begin with the prompt."""
        used.update((reply, "rejected"))
        history, system = self._history(row, used)
        before: list[ChatMessage] = []
        if prompt is not None and isinstance(row[prompt], list):
            used.add(prompt)
            before, more = self._messages(row[prompt])
            system += more
        elif prompt is not None:
            before = [ChatMessage("user", self._prompt(row, prompt, used))]
        answer = _answer(row, reply)
        if isinstance(answer, list):
            after, more = self._messages(answer)
            system += [text for text in more if text not in system]
        else:
            after = [ChatMessage("assistant", required_text(answer, reply))]
        if before and after and before[-1].role == "user" == after[0].role and after[: len(before)] != before:
            # The reply's list repeats the prompt: its last message, or a part of its text.
            again = after[0].text == before[-1].text or (len(before) == 1 and after[0].text in before[-1].text)
            pair = before + after[1:] if again else after
        else:
            pair = after if after[: len(before)] == before else before + after
        return (pair if pair[: len(history)] == history else history + pair), system

    def _prompt(self, row: dict[str, Any], name: str, used: set[str]) -> str:
        """The prompt with all its parts. A part that it already contains is not repeated."""
        prompt = required_text(row[name], name)
        before, behind = [], []
        first = name == "instruction"
        if not first and (instruction := _text(row, "instruction", used)):
            before.append(instruction)
        for more in ("input", "query") if first else ("input",):
            if more != name and (text := _text(row, more, used)):
                behind.append(text)
        for passage in _PASSAGES:
            if text := _text(row, passage, used):
                (behind if first else before).append(text)
        labels, choices = _choices(row, used)
        behind += [f"{label}. {text}" for label, text in zip(labels, choices, strict=True)]
        used.update(
            other for other in PROMPTS if isinstance(row.get(other), str) and _holds(prompt, row[other].strip())
        )
        if len(before + behind) > 1 and all(text in prompt for text in before + behind):
            return prompt  # It already consists of these.
        before, behind = ([text for text in part if not _holds(prompt, text)] for part in (before, behind))
        return "\n\n".join([*before, "\n".join([prompt, *behind])])

    def _history(self, row: dict[str, Any], used: set[str]) -> tuple[list[ChatMessage], list[str]]:
        """(messages, system texts) before the prompt, from pairs, messages, or alternating texts."""
        messages: list[ChatMessage] = []
        system: list[str] = []
        for name in _HISTORY:
            said_before = _parsed(row.get(name))
            if _is_empty(said_before):
                continue
            used.add(name)
            if not isinstance(said_before, list):
                raise ValueError(f"{name} is not a list of pairs or messages")
            if all(isinstance(turn, str) for turn in said_before):
                said_before = [said_before[start : start + 2] for start in range(0, len(said_before), 2)]
            if all(isinstance(turn, dict) and ("role" in turn or "from" in turn) for turn in said_before):
                messages, system = self._messages(said_before)
                continue
            for turn in said_before:
                if isinstance(turn, dict):
                    asked = next((turn[key] for key in PROMPTS if key in turn), None)
                    turn = [asked, next((turn[key] for key in REPLIES if key in turn), None)]
                if not isinstance(turn, list) or len(turn) != 2:
                    raise ValueError(f"{name} is not a list of pairs or messages")
                messages += [
                    ChatMessage("user", required_text(turn[0], name)),
                    ChatMessage("assistant", required_text(turn[1], name)),
                ]
        return messages, system


def find_columns(names: list[str]) -> tuple[int, int] | None:
    """Indices of the question and the answer among the column names; None if one is missing."""
    ask = next((names.index(name) for name in PROMPTS if name in names), None)
    say = next((names.index(name) for name in ("chosen", *REPLIES) if name in names), None)
    return None if ask is None or say is None else (ask, say)


def _holds(prompt: str, part: str) -> bool:
    """Whether a prompt already contains a part: on lines of its own, or too long to be there by chance."""
    return f"\n{part}\n" in f"\n{prompt}\n" or (len(part) >= 40 and part in prompt)


def _text(row: Mapping[str, Any], name: str, used: set[str]) -> str:
    """A part of the prompt, or \"\". A list of texts becomes paragraphs. Raises ValueError."""
    value = row.get(name)
    if _is_empty(value):
        return ""
    used.add(name)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = "\n\n".join(value)
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return storable(value.strip())


def _choices(row: Mapping[str, Any], used: set[str]) -> tuple[list[str], list[str]]:
    """(labels, texts) of choices: a list, {"text": […], "label": […]}, or {"A": …, "B": …}. Raises ValueError."""
    for name in _CHOICES:
        value = _parsed(row.get(name))
        if _is_empty(value):
            continue
        used.add(name)
        labels: Any = None
        if isinstance(value, dict):
            labels, value = value.get("label", list(value)), value.get("text", list(value.values()))
        if not isinstance(value, list) or not all(isinstance(choice, (str, int, float)) for choice in value):
            raise ValueError(f"{name} is not a list of texts")
        if not isinstance(labels, list) or len(labels) != len(value):
            labels = [chr(ord("A") + number) if len(value) <= 26 else number + 1 for number in range(len(value))]
        return [str(label) for label in labels], [required_text(str(choice), name) for choice in value]
    return [], []


def _answer(row: Mapping[str, Any], name: str) -> Any:
    """The reply: the first of several right answers, or the choice that a number or a letter names."""
    answer = _parsed(row[name]) if name == "answers" else row[name]
    if isinstance(answer, dict) and ("role" in answer or "from" in answer):
        return [answer]
    if isinstance(answer, dict):
        answer = answer.get("text", answer.get("value"))
    if isinstance(answer, list) and all(isinstance(text, str) for text in answer):
        if not answer:
            raise ValueError(f"{name} is empty")
        answer = answer[0]
    labels, choices = _choices(row, set())
    if not choices or isinstance(answer, bool) or not isinstance(answer, (str, int)) or answer in choices:
        return answer
    if isinstance(answer, int):
        number = answer if 0 <= answer < len(choices) else None
    else:
        number = labels.index(answer.strip()) if answer.strip() in labels else None
    if number is not None:
        return f"{labels[number]}. {choices[number]}"
    if isinstance(answer, int) or len(answer.strip()) == 1:
        raise ValueError(f"{name} is {shown(answer)}, which is not one of the choices")
    return answer


def _parsed(value: Any) -> Any:
    """A value that may be a JSON list or object in a cell of a table, parsed."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {}) or (isinstance(value, str) and is_blank(value))
