"""The formats of data sets, one function each: from the lines of a file to `Item`s. Standard library only.

A bad line goes to `refuse(line, why)`, which raises or counts it; an unusable file raises `FormatError`. `documents`
chooses the format; `rows`, `exports` and `trees` read one row.
"""

from __future__ import annotations

import codecs
import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from theta_tui.base.json import loads
from theta_tui.pretrain.content import Content, FormatError, Item, Lines, Refuse, decoded, describe, storable
from theta_tui.pretrain.exports import is_export, read_export
from theta_tui.pretrain.rows import RowReader
from theta_tui.pretrain.trees import Forest, is_tree, is_tree_row, read_tree
from theta_tui.store import context
from theta_tui.store.journal import Journal
from theta_tui.store.state import State

MAX_VALUE = 64 << 20
"""Most bytes of a JSON object that takes several lines; it is held in memory."""
MAX_BLOCK = 2_000
"""Most characters of plain text in one document."""

_SPACE = re.compile("[ \t\r\n]*")


def json_rows(rows: Iterable[tuple[int, str | ValueError]], refuse: Refuse, reader: RowReader) -> Iterator[Item]:
    """Read JSON texts, each with its line number: rows, conversations, trees, and messages that form trees."""
    forest = Forest(reader.flags, reader.report)
    for number, text in rows:
        try:
            if isinstance(text, ValueError):
                raise text
            row = loads(text)
            if is_tree_row(row):
                forest.add(number, row)
                continue
            content = _content(row, number, reader)
        except FormatError:
            raise
        except ValueError as error:
            refuse(number, describe(error))
        else:
            if content is not None:
                yield number, content
    yield from forest.conversations(refuse)


def _content(row: Any, number: int, reader: RowReader) -> Content | None:
    if is_export(row):
        return read_export(row, reader.flags, reader.report)
    if is_tree(row):
        return read_tree(row, number, reader.flags, reader.report)
    return reader.read(row)


def json_lines(lines: Lines) -> Iterator[tuple[int, str | ValueError]]:
    """The rows of JSON Lines: one JSON object per line."""
    for number, line in lines:
        if not line or line.isspace():
            continue
        try:
            yield number, decoded(line)
        except ValueError as error:
            yield number, error


def json_values(pieces: Iterator[bytes]) -> Iterator[tuple[int, str]]:
    """The rows of a JSON array, or JSON objects one after another, over any number of lines.

    Holds one object in memory at a time. Raises FormatError at the first JSON error: what follows cannot be told apart.
    """
    text = _Window(pieces)
    is_array = text.follows("[")
    while not text.follows("]" if is_array else ""):
        number, value = text.value()
        yield number, value
        if is_array and not text.follows(","):
            if text.follows("]", leave=True):
                continue
            raise FormatError("the JSON array goes on without a comma or is cut short here", number)
    if not text.follows(""):
        raise FormatError("there is something after the end of the JSON array", text.line)


class _Window:
    """The text of a file from the next JSON value on, read when needed."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._data = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def follows(self, mark: str, *, leave: bool = False) -> bool:
        """Whether `mark` comes next after white space; if so, skip it unless `leave`. An empty mark is the end."""
        while True:
            found = _SPACE.match(self._data, self._at)
            end = self._at if found is None else found.end()
            self._go(end)
            if end < len(self._data) or self._ended:
                break
            self._more()
        if not mark:
            return end == len(self._data)
        is_next = self._data.startswith(mark, end)
        if is_next and not leave:
            self._go(end + len(mark))
        return is_next

    def value(self) -> tuple[int, str]:
        """(line, text) of the next value. Raises FormatError."""
        while True:
            try:
                _, end = json.JSONDecoder().raw_decode(self._data, self._at)
            except RecursionError as error:
                raise FormatError(describe(error), self.line) from None
            except json.JSONDecodeError as error:
                if self._ended or not is_cut_short(error, len(self._data)):
                    place = json.JSONDecodeError(error.msg, "", error.pos - self._at)
                    raise FormatError(describe(place), self.line) from None
            except ValueError as error:  # a number with thousands of digits
                raise FormatError(describe(error), self.line) from None
            else:
                found = self.line, self._data[self._at : end]
                self._go(end)
                return found
            if len(self._data) - self._at > MAX_VALUE:
                raise FormatError(f"one of its JSON objects is larger than {MAX_VALUE >> 20} MB", self.line)
            self._more()

    def _go(self, place: int) -> None:
        self.line += self._data.count("\n", self._at, place)
        self._at = place

    def _more(self) -> None:
        """Read about as much again as is left, so that a long value is not parsed from its start too often."""
        parts = [self._data[self._at :]]
        size = len(parts[0])
        added = 0
        while added <= size and not self._ended:
            piece = next(self._pieces, None)
            self._ended = piece is None
            try:
                parts.append(self._decoder.decode(piece or b"", self._ended))
            except UnicodeDecodeError as error:
                before = sum(part.count("\n") for part in parts) + error.object.count(b"\n", 0, error.start)
                raise FormatError(describe(error), self.line + before) from None
            added += len(parts[-1])
        self._data, self._at = "".join(parts), 0


def is_cut_short(error: json.JSONDecodeError, size: int) -> bool:
    """Whether JSON of `size` characters may be valid so far and only end too early."""
    return error.pos + 16 >= size or error.msg.startswith("Unterminated")


def journal(data: Iterator[bytes]) -> Iterator[Item]:
    """The active lessons of a Theta journal, each a prompt and its reply, with the line of its record.

    Lessons that were withdrawn, failed or corrected later are left out. Raises FormatError for a damaged journal, even
    if its beginning is readable: a lesson that is taken back further on would be learned.
    """
    with tempfile.NamedTemporaryFile(prefix="theta-", suffix=".journal") as file:
        for piece in data:
            file.write(piece)
        file.flush()
        read = Journal.read(Path(file.name))
    if read.damaged is not None:
        reason = re.sub(
            r"up to there it has [\d,]+ records?\. Bring", "bring", read.damaged.replace(f" of {file.name}", "")
        )
        raise FormatError(reason, read.last_seq + 1)
    lessons = State.of(read.entries).active
    corrected = {lesson.exchange.replaces for lesson in lessons}
    for lesson in lessons:
        if lesson.seq not in corrected:
            turns = (("user", storable(lesson.exchange.prompt)), ("assistant", storable(lesson.exchange.reply)))
            yield lesson.seq, Content(turns)


def conversation(data: bytes, refuse: Refuse) -> Iterator[Item]:
    """A context.md of Theta's, which is one conversation. `data` is the whole file."""
    if len(data) > context.MAX_BYTES or data.count(context.USER.encode()) > context.MAX_TURNS:
        most = f"{context.MAX_BYTES >> 20} MB and {context.MAX_TURNS:,} turns"
        raise FormatError(f"a context file has at most {most}", remedy="split it into several files")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        refuse(data.count(b"\n", 0, error.start) + 1, describe(error))
    pairs, _ = context.parse(data)
    if pairs:
        yield 1, Content(tuple(turn for pair in pairs for turn in zip(("user", "assistant"), pair, strict=True)))
    else:
        refuse(1, "no <|user|> message is followed by an <|assistant|> message")


def plain_text(lines: Lines, refuse: Refuse) -> Iterator[Item]:
    """Paragraphs, joined up to MAX_BLOCK characters; a longer one is cut at the end of a line."""
    block: list[str] = []  # whole paragraphs
    begun = size = 0
    paragraph: list[str] = []
    at = length = 0
    for number, line in lines:
        try:
            text = decoded(line).removesuffix("\r")
        except ValueError as error:
            refuse(number, describe(error))
            continue
        if text and not text.isspace():
            at = at if paragraph else number
            paragraph.append(text)
            length += len(text) + 1
            if length < MAX_BLOCK:
                continue
        if paragraph:
            if block and size + length > MAX_BLOCK:
                yield begun, Content(text="\n\n".join(block))
                block, size = [], 0
            begun = begun if block else at
            block.append("\n".join(paragraph))
            size += length + 1
            paragraph, length = [], 0
    if paragraph and block and size + length > MAX_BLOCK:
        yield begun, Content(text="\n\n".join(block))
        block = []
    if paragraph:
        begun = begun if block else at
        block.append("\n".join(paragraph))
    if block:
        yield begun, Content(text="\n\n".join(block))


def text_lines(lines: Lines, refuse: Refuse) -> Iterator[Item]:
    """The lines of plain text that are not blank, one at a time."""
    for number, line in lines:
        try:
            text = decoded(line).strip()
        except ValueError as error:
            refuse(number, describe(error))
            continue
        if text:
            yield number, Content(text=storable(text))
