"""What readers of data sets produce: the content of a row, and a report of what was not used. Standard library only.

A reader raises ValueError for a bad row, which its caller passes to `refuse(line, why)`, and FormatError if the whole
file is unusable.
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
"""(role, text) pairs: user and assistant alternate, from a user message to an assistant message."""

Lines = Iterable[tuple[int, bytes]]
"""(number, line without newline). A line longer than MAX_LINE is cut, but stays longer than it."""

Refuse = Callable[[int, str], None]

MAX_LINE = codec.MAX_LINE
_NAMES = 100
"""Most column names that are counted: a damaged file may have a new one in each row."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Content:
    """The content of one row: `turns` or plain `text`; the other is empty. `source` is the source that the row names.

    `context_only` holds the indices of turns that are shown but not learned.
    """

    turns: Turns = ()
    text: str = ""
    source: str | None = None
    system: str = ""
    context_only: frozenset[int] = frozenset()


Item = tuple[int, Content]
"""(line on which it begins, content)."""


@dataclass(slots=True)
class ReadReport:
    """What of a data set was not used, and why. It is shown once, before training begins."""

    bad: Counter[str] = field(default_factory=Counter)
    """Bad lines by file."""
    named: list[str] = field(default_factory=list)
    """The first bad lines, each with its file, its number and what is wrong."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What is not learned, by `what: why` with `what` in the singular: `row: label is false`."""
    unused: Counter[str] = field(default_factory=Counter)
    """Rows with an unknown column or message key, by its name."""
    context_only: int = 0
    """Messages that are shown to the model but not learned."""
    cut: int = 0
    """Conversations with a turn longer than a training row."""

    def leave_out(self, what: str, why: str) -> None:
        self.left_out[f"{what}: {why}"] += 1

    def ignore(self, name: str) -> None:
        """Count one more row with an unknown column or message key."""
        shown = visible(name, one_line=True)[:60] or "(no name)"
        if shown in self.unused or len(self.unused) < _NAMES:
            self.unused[shown] += 1

    def lines(self) -> list[str]:
        """One line per kind of unused content, for people."""
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
    """The whole file cannot be used. `line` is where that showed, if known; `remedy` is what to do."""

    def __init__(self, message: str, line: int | None = None, *, remedy: str = "fix the file there") -> None:
        super().__init__(message)
        self.line, self.remedy = line, remedy


def required_text(value: Any, name: str = "a message") -> str:
    """`value` as a text that can be stored. Raises ValueError if it is not text or is blank."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text" if value is not None else f"{name} has no text")
    if not value[:1].isalnum() and is_blank(value):
        raise ValueError(f"{name} is blank")
    return value if value.isascii() and "\r" not in value else storable(value)


def storable(text: str) -> str:
    """As `text.repair`, but fast and never cut: a message may be as long as its line."""
    return _SURROGATE.sub(REPLACEMENT, text).replace("\r\n", "\n")


def shown(value: Any) -> str:
    """A value of a data set on one short line, for an error message."""
    return visible(str(value), one_line=True)[:40]


def decoded(line: bytes) -> str:
    if len(line) > MAX_LINE:
        raise ValueError(f"it is longer than {MAX_LINE >> 20} MB")
    return line.decode("utf-8")


def describe(error: BaseException) -> str:
    """What is wrong with a line, as a clause for people."""
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON ({error.msg[:1].lower()}{error.msg[1:]}, character {error.pos + 1})"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 (byte 0x{error.object[error.start]:02x})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)
