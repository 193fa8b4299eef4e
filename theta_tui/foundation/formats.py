"""The formats of data sets, one function each: the lines of a file → what is to be learned. Standard library only.

A format yields `Item`s. What is wrong with one line goes to `refuse(line, why)`, which either raises or counts; what
is wrong with the whole file raises `FormatError`. Which format a file has is decided in `documents`.
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from theta_tui.lessons import codec, context
from theta_tui.lessons.journal import Journal
from theta_tui.lessons.story import Story
from theta_tui.text import REPLACEMENT, is_blank, visible

Turns = tuple[tuple[str, str], ...]
"""(role, text): user and assistant take turns, from a user message to an assistant message."""

Content = tuple[Turns, str, str | None]
"""(turns, plain text, the row's own name of its source): turns or text, the other is empty."""

Item = tuple[int, Turns, str, str | None]
"""Content with the number of the line where it begins."""

Lines = Iterable[tuple[int, bytes]]
"""(number, line without its newline). A line above MAX_LINE is cut, but is still above it."""

Refuse = Callable[[int, str], None]

MAX_LINE = codec.MAX_LINE
MAX_ARRAY = 64 << 20
"""Bytes of a JSON array, which is held in memory."""
MAX_BLOCK = 2_000
"""Characters of plain text that are gathered into one document."""

PROMPTS = ("prompt", "question", "instruction", "query", "user", "input", "q")
REPLIES = ("completion", "response", "reply", "answer", "output", "assistant", "a")
"""What a column or a key is called, the surest name first."""

_ROLES = {
    "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "system": "system",
}  # fmt: skip
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile("[ \t\r\n]*")
_SHAPES = "messages, conversations, prompt + completion (or chosen), question + answer, instruction + output, text"


class FormatError(ValueError):
    """The whole file cannot be used. `line` says where that was seen, if anywhere, `remedy` what to do."""

    def __init__(self, message: str, line: int | None = None, *, remedy: str = "mend the file there") -> None:
        super().__init__(message)
        self.line, self.remedy = line, remedy


def json_lines(lines: Lines, refuse: Refuse) -> Iterator[Item]:
    """One JSON object a line."""
    for number, line in lines:
        if not line or line.isspace():
            continue
        try:
            turns, text, source = _content(codec.loads(_decoded(line)))
        except ValueError as error:
            refuse(number, _why(error))
        else:
            yield number, turns, text, source


def json_array(data: bytes, refuse: Refuse) -> Iterator[Item]:
    """One JSON array of the objects that `json_lines` reads a line each. `data` is the whole file."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(_why(error), data.count(b"\n", 0, error.start) + 1) from None
    scan = json.JSONDecoder().raw_decode
    at = _skip(text, text.index("[") + 1)
    number = 1 + text.count("\n", 0, at)
    while text[at : at + 1] != "]":
        try:
            _, end = scan(text, at)
        except (ValueError, RecursionError) as error:
            raise FormatError(_why(error), number) from None
        try:
            turns, plain, source = _content(codec.loads(text[at:end]))
        except ValueError as error:
            refuse(number, _why(error))
        else:
            yield number, turns, plain, source
        comma = _skip(text, end)
        if text[comma : comma + 1] not in (",", "]"):
            raise FormatError("the JSON array goes on without a comma or is cut short here", number)
        after = _skip(text, comma + 1) if text[comma] == "," else comma
        number += text.count("\n", at, after)
        at = after
    if text[at + 1 :].strip():
        raise FormatError("something stands after the end of the JSON array", number)


def journal(data: Iterator[bytes]) -> Iterator[Item]:
    """The lessons of a Theta journal that count, each a prompt and its reply. `line` is the record's.

    Not those that were withdrawn, that failed, or that a later lesson corrected. Raises FormatError where the journal
    is damaged, even though its beginning could be read: a lesson that is taken back further on would be taught.
    """
    with tempfile.NamedTemporaryFile(prefix="theta-", suffix=".journal") as file:
        for piece in data:
            file.write(piece)
        file.flush()
        read = Journal.read(Path(file.name))
    if read.damaged is not None:
        why = re.sub(
            r"the \d+ records before it are used\. Bring", "bring", read.damaged.replace(f" of {file.name}", "")
        )
        raise FormatError(why, read.last_seq + 1)
    lessons = Story.of(read.entries).live
    corrected = {lesson.exchange.replaces for lesson in lessons}
    for lesson in lessons:
        if lesson.seq not in corrected:
            turns = (("user", _mended(lesson.exchange.prompt)), ("assistant", _mended(lesson.exchange.reply)))
            yield lesson.seq, turns, "", None


def conversation(data: bytes, refuse: Refuse) -> Iterator[Item]:
    """Theta's context.md: one conversation. `data` is the whole file."""
    if len(data) > context.MAX_BYTES or data.count(context.USER.encode()) > context.MAX_TURNS:
        most = f"{context.MAX_BYTES >> 20} MB and {context.MAX_TURNS:,} turns"
        raise FormatError(f"a context file has at most {most}", remedy="make several files of it")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        refuse(data.count(b"\n", 0, error.start) + 1, _why(error))
    pairs, _ = context.parse(data)
    if pairs:
        yield 1, tuple(turn for pair in pairs for turn in zip(("user", "assistant"), pair, strict=True)), "", None
    else:
        refuse(1, "no <|user|> message is followed by an <|assistant|> message")


def table(lines: Lines, refuse: Refuse, delimiter: str, header: list[str] | None, quoted: bool) -> Iterator[Item]:
    """CSV or TSV. `header` is what the first row says (it is then skipped); without one a row is question, answer."""
    names = header or ["question", "answer"]
    ask, say = columns(names) or (0, 1)
    more = names.index("input") if names[ask] == "instruction" and "input" in names else None
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(_rows(lines, refuse), delimiter=delimiter, quoting=quoting, strict=True)
    due = header is not None
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
            if due and row:
                due = False
                continue
            if not row or not any(row):
                continue
            if len(row) != len(names) and (len(row) <= max(ask, say) or any(row[len(names) :])):
                raise ValueError(f"it has {len(row)} columns, the header has {len(names)}")
            if any(_SURROGATE.search(cell) for cell in row):
                raise ValueError("it is not UTF-8")
            prompt, reply = _said(row[ask].strip(), names[ask]), _said(row[say].strip(), names[say])
            if more is not None and more < len(row) and not is_blank(row[more]):
                prompt += f"\n{row[more].strip()}"
        except StopIteration:
            return
        except csv.Error as error:
            refuse(number, f"it is no row of a table ({error})")
        except ValueError as error:
            refuse(number, _why(error))
        else:
            yield number, (("user", prompt), ("assistant", reply)), "", None


def plain_text(lines: Lines, refuse: Refuse) -> Iterator[Item]:
    """Paragraphs, gathered up to MAX_BLOCK characters; one that is longer is cut at a line end."""
    block: list[str] = []  # whole paragraphs
    begun = size = 0
    paragraph: list[str] = []
    at = length = 0
    for number, line in lines:
        try:
            text = _decoded(line).removesuffix("\r")
        except ValueError as error:
            refuse(number, _why(error))
            continue
        if text and not text.isspace():
            at = at if paragraph else number
            paragraph.append(text)
            length += len(text) + 1
            if length < MAX_BLOCK:
                continue
        if paragraph:
            if block and size + length > MAX_BLOCK:
                yield begun, (), "\n\n".join(block), None
                block, size = [], 0
            begun = begun if block else at
            block.append("\n".join(paragraph))
            size += length + 1
            paragraph, length = [], 0
    if paragraph and block and size + length > MAX_BLOCK:
        yield begun, (), "\n\n".join(block), None
        block = []
    if paragraph:
        begun = begun if block else at
        block.append("\n".join(paragraph))
    if block:
        yield begun, (), "\n\n".join(block), None


def columns(names: list[str]) -> tuple[int, int] | None:
    """Where the question and the answer stand among lower-case column names; None where they do not."""
    ask = next((names.index(name) for name in PROMPTS if name in names), None)
    say = next((names.index(name) for name in REPLIES if name in names), None)
    return None if ask is None or say is None else (ask, say)


def _content(row: Any) -> Content:
    """What one JSON object holds. Raises ValueError with what is wrong with it."""
    if not isinstance(row, dict):
        raise ValueError("it is not a JSON object")
    get = row.get
    source = get("source")
    source = _mended(source) if isinstance(source, str) and source.strip() else None
    messages = get("messages")
    if messages is None:
        messages = get("conversations")
    if messages is not None:
        return _taking_turns(_messages(messages)), "", source
    chosen, prompt = get("chosen"), get("prompt")
    if chosen is not None and (prompt is not None or isinstance(chosen, list)):
        return _answered(prompt, chosen), "", source
    ask = next((name for name in PROMPTS if get(name) is not None), None)
    say = next((name for name in REPLIES if get(name) is not None), None)
    if ask is not None and say is not None:
        prompt, reply = row[ask], row[say]
        if isinstance(prompt, list) or isinstance(reply, list):
            return _answered(prompt, reply), "", source
        prompt, reply = _said(prompt, ask), _said(reply, say)
        more = get("input") if ask == "instruction" else None
        if isinstance(more, str) and not is_blank(more):
            prompt += f"\n{_mended(more)}"
        return (("user", prompt), ("assistant", reply)), "", source
    if (text := get("text")) is not None:
        return (), _said(text, "text"), source
    found = visible(", ".join(str(name) for name in row), one_line=True)[:120] or "none"
    raise ValueError(f"its keys are {found}; wanted are {_SHAPES}")


def _answered(prompt: Any, reply: Any) -> Turns:
    """A prompt and its reply, each a string or a list of messages; the reply's list may begin with the prompt."""
    before = [] if prompt is None else _messages(prompt) if isinstance(prompt, list) else [("user", _said(prompt))]
    after = _messages(reply) if isinstance(reply, list) else [("assistant", _said(reply))]
    whole = after[: len(before)] == before
    if before and after and before[-1][0] == "user" == after[0][0]:
        whole = True
    return _taking_turns(after if whole else before + after)


def _messages(messages: Any) -> list[tuple[str, str]]:
    """(role, text) without the system messages."""
    if not isinstance(messages, list):
        raise ValueError("its messages are not a list")
    found = []
    for message in messages:
        if not isinstance(message, dict):
            raise ValueError("a message is not an object with role and content")
        name = message.get("role") or message.get("from")
        role = _ROLES.get(name) if isinstance(name, str) else None
        if role is None:
            named = visible(str(name), one_line=True)[:40]
            raise ValueError(f"the role of a message is {named}, not user, assistant or system")
        if role != "system":
            content = message.get("content")
            found.append((role, _said(message.get("value") if content is None else content)))
    return found


def _taking_turns(messages: list[tuple[str, str]]) -> Turns:
    """From the first user message to the last assistant message; neighbours of one role are joined."""
    turns: list[tuple[str, str]] = []
    for role, text in messages:
        if turns and turns[-1][0] == role:
            turns[-1] = (role, f"{turns[-1][1]}\n{text}")
        elif turns or role == "user":
            turns.append((role, text))
    if turns and turns[-1][0] == "user":
        turns.pop()
    if not turns:
        raise ValueError("no user message in it has a reply")
    return tuple(turns)


def _said(value: Any, name: str = "a message") -> str:
    """A text that says something. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text" if value is not None else f"{name} has no text")
    if not value[:1].isalnum() and is_blank(value):
        raise ValueError(f"{name} is blank")
    return value if value.isascii() and "\r" not in value else _mended(value)


def _mended(text: str) -> str:
    """As `text.repair`, but quick and not cut: a message may be as long as its line."""
    return _SURROGATE.sub(REPLACEMENT, text).replace("\r\n", "\n")


def _decoded(line: bytes) -> str:
    if len(line) > MAX_LINE:
        raise ValueError(f"it is longer than {MAX_LINE >> 20} MB")
    return line.decode("utf-8")


def _rows(lines: Lines, refuse: Refuse) -> Iterator[str]:
    """Lines for the table reader; a byte that is no UTF-8 comes through as a surrogate."""
    for number, line in lines:
        if len(line) > MAX_LINE:
            refuse(number, f"it is longer than {MAX_LINE >> 20} MB")
            yield "\n"
        else:
            yield line.decode("utf-8", "surrogateescape") + "\n"


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _why(error: BaseException) -> str:
    """What is wrong with a line, for people."""
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON ({error.msg[:1].lower()}{error.msg[1:]}, character {error.pos + 1})"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 (byte 0x{error.object[error.start]:02x})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)
