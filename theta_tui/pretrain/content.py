"""What the readers of data sets hand on: the content of a row, and a tally of what was not used. Standard library only.

What is wrong with one row is a ValueError inside of a reader, which goes to `refuse(line, why)`; what is wrong with
the whole file is a FormatError.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from theta_tui.base.text import REPLACEMENT, is_blank, plural, visible
from theta_tui.store import codec

Turns = tuple[tuple[str, str], ...]
"""(role, text): user and assistant take turns, from a user message to an assistant message."""

Lines = Iterable[tuple[int, bytes]]
"""(number, line without its newline). A line above MAX_LINE is cut, but is still above it."""

Refuse = Callable[[int, str], None]

MAX_LINE = codec.MAX_LINE
_NAMES = 100
"""Most names of columns that are counted: a damaged file may have a new one in every row."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Content:
    """What one row holds: `turns` or plain `text`, the other is empty. `source` is the row's own name of its source.

    `context_only` are the numbers of the turns that are not to be learned.
    """

    turns: Turns = ()
    text: str = ""
    source: str | None = None
    system: str = ""
    context_only: frozenset[int] = frozenset()


Item = tuple[int, Content]
"""Content with the number of the line where it begins."""


@dataclass(slots=True)
class Tally:
    """What of a data set was not used, and why. It is said once, before anything is learned."""

    bad: Counter[str] = field(default_factory=Counter)
    """Bad lines by file."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What is not to be learned, as `what: why`, both in the singular: `row: label is false`."""
    unused: Counter[str] = field(default_factory=Counter)
    """Rows with a column, or a part of a message, that is not understood, by its name."""
    context_only: int = 0
    """Messages that the model is shown and does not learn."""
    cut: int = 0
    """Conversations with a turn that is longer than a row of training."""

    def leave_out(self, what: str, why: str) -> None:
        self.left_out[f"{what}: {why}"] += 1

    def ignore(self, name: str) -> None:
        """A column, or a part of a message, is not understood in one row more."""
        shown = visible(name, one_line=True)[:60] or "(no name)"
        if shown in self.unused or len(self.unused) < _NAMES:
            self.unused[shown] += 1

    def lines(self) -> list[str]:
        """For people: a line for each kind of what was not used."""
        found = [f"{plural(number, 'bad line')} skipped"] if (number := self.bad.total()) else []
        found += explained(self.left_out)
        if self.context_only:
            found.append(f"{plural(self.context_only, 'message')} shown as context and not learned")
        if self.unused:
            most_first = sorted(self.unused.items(), key=lambda item: (-item[1], item[0]))
            names = ", ".join(f"{name} ({plural(number, 'row')})" for name, number in most_first)
            found.append(f"not used: {names}")
        if self.cut:
            found.append(f"{plural(self.cut, 'conversation')} cut: a turn is longer than --length")
        return found


def explained(left_out: Counter[str]) -> list[str]:
    """`3 rows left out: label is false`."""
    parts = [(*reason.partition(": "), number) for reason, number in sorted(left_out.items())]
    return [f"{plural(number, what)} left out: {why}" for what, _, why, number in parts]


class FormatError(ValueError):
    """The whole file cannot be used. `line` says where that was seen, if anywhere, `remedy` what to do."""

    def __init__(self, message: str, line: int | None = None, *, remedy: str = "mend the file there") -> None:
        super().__init__(message)
        self.line, self.remedy = line, remedy


def said(value: Any, name: str = "a message") -> str:
    """A text that says something. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text" if value is not None else f"{name} has no text")
    if not value[:1].isalnum() and is_blank(value):
        raise ValueError(f"{name} is blank")
    return value if value.isascii() and "\r" not in value else mended(value)


def mended(text: str) -> str:
    """As `text.repair`, but quick and not cut: a message may be as long as its line."""
    return _SURROGATE.sub(REPLACEMENT, text).replace("\r\n", "\n")


def shown(value: Any) -> str:
    """A value of a data set, short and on one line, for a message."""
    return visible(str(value), one_line=True)[:40]


def decoded(line: bytes) -> str:
    if len(line) > MAX_LINE:
        raise ValueError(f"it is longer than {MAX_LINE >> 20} MB")
    return line.decode("utf-8")


def why(error: BaseException) -> str:
    """What is wrong with a line, for people."""
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON ({error.msg[:1].lower()}{error.msg[1:]}, character {error.pos + 1})"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 (byte 0x{error.object[error.start]:02x})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)
