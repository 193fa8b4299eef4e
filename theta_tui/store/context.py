r"""context.md: the conversation as a file that a person can read, edit and bring along. Standard library only.

A turn is a line: `<|user|> hello <|assistant|> Hi how are you?`. The two role marks are the format; anything else is
text. Inside a message a backslash, a line end, a control character and `<|` are written `\\`, `\n`, `\x1b`, `<\|`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from theta_tui.base.text import plural

USER = "<|user|>"
ASSISTANT = "<|assistant|>"
MAX_BYTES = 4 << 20
MAX_TURNS = 10_000

_MARK = re.compile(r"<\|(user|assistant)\|>")
_ESCAPE = re.compile(
    "\\\\|<\\||[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_UNESCAPE = re.compile(r"\\(\\|n|t|\||x[0-9a-f]{2}|u[0-9a-f]{4})")

Turns = tuple[tuple[str, str], ...]


def render(turns: Iterable[tuple[str, str]]) -> bytes:
    """The file's bytes for (prompt, reply) turns."""
    return "".join(f"{USER} {_escaped(prompt)} {ASSISTANT} {_escaped(reply)}\n" for prompt, reply in turns).encode()


def parse(data: bytes) -> tuple[Turns, list[str]]:
    """The turns of a file, and notices of what was left out. Never fails: anything but a role mark is text.

    At most the last MAX_BYTES and MAX_TURNS are read. A prompt without a reply, or a reply without a prompt, is left
    out.
    """
    notices: list[str] = []
    if len(data) > MAX_BYTES:
        data = data[-MAX_BYTES:]
        data = data[data.find(b"\n") + 1 :]
        notices.append(f"only the last {MAX_BYTES >> 20} MB of the context file were read")
    text = data.decode("utf-8-sig", errors="replace")
    if "\ufffd" in text and "\ufffd".encode() not in data:
        notices.append("the context file was not valid UTF-8; bad bytes were replaced")
    text = text.replace("\r\n", "\n")
    marks = list(_MARK.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    messages = [
        (mark.group(1), _unescaped(text[mark.end() : end].strip())) for mark, end in zip(marks, ends, strict=False)
    ]
    left_out = 1 if text[: marks[0].start() if marks else len(text)].strip() else 0
    turns: list[tuple[str, str]] = []
    prompt: str | None = None
    for role, content in messages:
        if role == "user":
            left_out += prompt is not None
            prompt = content
        elif prompt is None:
            left_out += 1
        else:
            if prompt.strip() and content.strip():
                turns.append((prompt, content))
            else:
                left_out += 1
            prompt = None
    left_out += prompt is not None
    if left_out:
        notices.append(f"left out {plural(left_out, 'part')} of the context file that had no message to go with")
    if len(turns) > MAX_TURNS:
        notices.append(f"only the last {plural(MAX_TURNS, 'turn')} of the context file were used")
    return tuple(turns[-MAX_TURNS:]), notices


def digest(data: bytes) -> str:
    """The digest that tells whether a file was changed."""
    return hashlib.sha256(data).hexdigest()


def _escaped(text: str) -> str:
    return _ESCAPE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    found = match.group()
    if found == "\\":
        return "\\\\"
    if found == "<|":
        return "<\\|"
    if found == "\n":
        return "\\n"
    if found == "\t":
        return "\\t"
    return f"\\x{ord(found):02x}" if ord(found) < 0x100 else f"\\u{ord(found):04x}"


def _unescaped(text: str) -> str:
    return _UNESCAPE.sub(_unescape, text)


def _unescape(match: re.Match[str]) -> str:
    found = match.group(1)
    if found[0] in "xu":
        code = int(found[1:], 16)
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
    return {"\\": "\\", "n": "\n", "t": "\t", "|": "|"}[found]
