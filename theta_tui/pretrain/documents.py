"""Reads the data sets of `theta train FILE…` as a stream of documents. Standard library only.

The format of a file is seen from its first bytes, not from its name. gzip and Zstandard files are decompressed piece by
piece. An unusable file raises ModelError, which names the file, the line and what to do.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from theta_tui.base.errors import JournalError, ModelError, UsageError
from theta_tui.base.text import plural, visible
from theta_tui.pretrain import formats
from theta_tui.pretrain.compressed import DAMAGE, decompressed
from theta_tui.pretrain.content import MAX_LINE, FormatError, Item, ReadReport, Refuse, explained
from theta_tui.pretrain.rows import PROMPTS, REPLIES, RowReader, find_columns
from theta_tui.pretrain.tables import read_table
from theta_tui.store import codec, context

FORMATS = (
    "JSON Lines or other JSON of conversations, exports of ChatGPT and Claude, CSV and TSV with a question and an "
    "answer column, a Theta journal "
    "or context.md, and plain UTF-8 text, each also as .gz or .zst"
)
_HEAD = 64 << 10
_PIECE = 1 << 20
_NAMED = 5
_DATA = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".text"}
_COMPRESSED = {".gz", ".zst"}
_ABOUT = {
    "config", "dataset_dict", "dataset_info", "dataset_infos", "generation_config", "license", "manifest", "notice",
    "package", "pending", "readme", "requirements", "special_tokens_map", "state", "tokenizer", "tokenizer_config",
    "vocab",
}  # fmt: skip
"""Names, without suffix, of files that often lie beside data but are none."""

_JSON_ROW = re.compile(r"\s*\{\s*[\"'}]")
_JSON_ARRAY = re.compile(r"\[\s*([{\"]|\]\s*$|\[\s*[\"\[{])")
_NAME = re.compile(r"[\w./#-]+( [\w./#-]+){0,2}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_BINARY = (
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x1f\x8b", "gzip in gzip"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"SQLite format 3", "SQLite"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """One conversation or one piece of plain text. `turns` are (role, text) pairs, user and assistant alternating.

    `source` names the data set in reports: the row's own name, or else the file's. `line` is where it begins, from 1.
    `system` is the system message, or empty. Turns whose indices are in `context_only` never have a loss.
    """

    turns: tuple[tuple[str, str], ...]
    text: str
    source: str
    line: int
    system: str = ""
    context_only: frozenset[int] = frozenset()

    @property
    def key(self) -> str:
        """The text of all turns: the same for a document and its repetitions."""
        return "\0".join(text for _, text in self.turns) or self.text


@dataclass(frozen=True, slots=True)
class Source:
    """A file or folder. `weight` is how often an epoch takes each document: 0.3 takes 30 % of them, 2 all twice."""

    path: Path
    weight: float


def parse_source(text: str) -> Source:
    """Parse `FILE` or `FILE:WEIGHT`. If a file has that name, colon included, it is that file. Raises UsageError."""
    head, colon, tail = text.rpartition(":")
    if not text.strip():
        raise UsageError("the name of a data set is empty; give a file or a folder")
    if os.path.exists(text) or not colon or not head:
        return Source(Path(text), 1.0)
    if not _NUMBER.fullmatch(tail):
        if os.path.exists(head):
            raise UsageError(f"{_shown(tail)!r} in {_shown(text)} is not a weight; say FILE:0.3 or FILE:2")
        return Source(Path(text), 1.0)
    weight = float(tail)
    if not (0 < weight < math.inf):
        raise UsageError(
            f"the weight {tail} in {_shown(text)} must be finite and above 0; to use none of a file, leave it out"
        )
    return Source(Path(head), weight)


def read(
    source_path: Path, *, skip_bad: bool = False, report: ReadReport | None = None, by_line: bool = False
) -> Iterator[Document]:
    """Yield the documents of a file, or of every data file in a folder, in order. Nothing is opened before the first.

    A bad line raises ModelError with file and line; with `skip_bad` it is skipped. `report` counts what is not used. A
    damaged journal raises JournalError. With `by_line` each line of plain text is a document.
    """
    report = ReadReport() if report is None else report
    if os.path.isdir(source_path):
        files = data_files(source_path)
        if not files:
            raise _error(source_path, "there are no data files in this folder", f"supported are {FORMATS}")
        for path in files:
            yield from _file(path, skip_bad, report, by_line)
    else:
        yield from _file(source_path, skip_bad, report, by_line)


def _file(path: Path, skip_bad: bool, report: ReadReport, by_line: bool) -> Iterator[Document]:
    before = report.left_out.copy()
    line: int | None

    def refuse(number: int, why: str) -> None:
        if not skip_bad:
            raise _error(path, why, "fix the line, or skip bad lines with --skip-bad", number)
        report.bad[str(path)] += 1
        if len(report.named) < _NAMED:
            report.named.append(f"{_place(path, number)}: {visible(why, one_line=True)}")

    found = False
    name = _data_name(path)
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below; errors of opening are handled apart
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    try:
        with file:
            for line, content in _items(path, decompressed(file), refuse, RowReader(report), by_line):
                found = True
                source = content.source or name
                yield Document(content.turns, content.text, source, line, content.system, content.context_only)
    except FormatError as error:
        raise _error(path, str(error), error.remedy, error.line) from None
    except ImportError:
        raise _error(path, "it is compressed with Zstandard", "pip install zstandard, or decompress it") from None
    except DAMAGE as error:
        raise _error(path, f"the compressed file is damaged or cut short ({error})", "get it again") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if not found and (left_out := report.left_out - before):
        raise _error(path, f"nothing in it can be learned ({'; '.join(explained(left_out))})", "leave the file out")
    if not found:
        skipped = report.bad[str(path)]
        why = f"{_all_lines(skipped)} bad" if skipped else "there is nothing in it to learn from"
        raise _error(path, why, "leave the file out or use another")


def _items(path: Path, stream: BinaryIO, refuse: Refuse, reader: RowReader, by_line: bool) -> Iterator[Item]:
    """Choose the format by the first bytes, and read the file."""
    head = stream.read(_HEAD).removeprefix(b"\xef\xbb\xbf")
    if not head.strip():
        head = _past_blanks(head, stream)
    _require_text(head)
    start = head.lstrip()
    if _begins_journal(start):
        try:
            return iter(list(formats.journal(_pieces(head, stream))))
        except FormatError as error:
            raise JournalError(f"{_place(path, error.line)}: the journal cannot be taught from: {error}") from None
    if start.startswith((context.USER.encode(), context.ASSISTANT.encode())):
        return formats.conversation(head + stream.read(context.MAX_BYTES), refuse)
    text = start.decode("utf-8", "replace")
    whole = len(head) < _HEAD - 3
    if _JSON_ARRAY.match(text) or (_JSON_ROW.match(text) and _spans_lines(text, whole)):
        return formats.json_rows(formats.json_values(_pieces(head, stream)), refuse, reader)
    lines = _lines(head, stream)
    sample = [line for line in text.split("\n")[:50] if line.strip()][:20]
    if _JSON_ROW.match(text) or 2 * sum(bool(_JSON_ROW.match(line)) for line in sample) > len(sample):
        return formats.json_rows(formats.json_lines(lines), refuse, reader)
    if (found := _table(path, text, sample, whole=whole)) is not None:
        return read_table(lines, refuse, reader, *found)
    return formats.text_lines(lines, refuse) if by_line else formats.plain_text(lines, refuse)


def _spans_lines(text: str, whole: bool) -> bool:
    """Whether a JSON object at the start of a file takes more than one line. `whole`: `text` is the whole file.

    In JSON Lines, the line after a bad one is an object again.
    """
    while (begin := text.find("{")) >= 0:
        text = text[begin:]
        line, _, rest = text.partition("\n")
        try:
            _, end = json.JSONDecoder().raw_decode(text)
        except json.JSONDecodeError as error:
            if rest.strip() and ((not whole and formats.is_cut_short(error, len(text))) or _goes_on(line, rest)):
                return True
        except (ValueError, RecursionError):
            return False
        else:
            if end > len(line):
                return True
        text = rest
    return False


def _goes_on(line: str, rest: str) -> bool:
    """Whether the JSON object of a line goes on in the next one."""
    try:
        json.JSONDecoder().raw_decode(line)
    except json.JSONDecodeError as error:
        return formats.is_cut_short(error, len(line)) and not rest.lstrip().startswith("{")
    return False


def _table(path: Path, text: str, sample: list[str], *, whole: bool) -> tuple[str, list[str] | None, bool] | None:
    """(delimiter, header, whether cells are quoted) of a table; None if the file is no table.

    Raises FormatError for a table with other columns.
    """
    if not sample:
        return None
    wrong: list[str] = []
    for delimiter in (",", ";", "\t"):
        names = _cells(sample[0], delimiter)
        quoted = delimiter != "\t" or _quotes_fit(text, whole)
        if find_columns([name.lower() for name in names]) is not None:
            return delimiter, [name.lower() for name in names], quoted
        if delimiter == "\t" and all(line.count("\t") == 1 for line in sample):
            return delimiter, None, quoted
        alike = len(sample) > 1 and all(len(_cells(line, delimiter)) == len(names) for line in sample[:10])
        if len(names) > 1 and alike and all(_NAME.fullmatch(name) for name in sample[0].strip().split(delimiter)):
            wrong = wrong or names
    if wrong or _suffixes(path)[:1] in ([".csv"], [".tsv"]):
        found = _shown(", ".join(wrong) or sample[0].strip())
        asked, said = " or ".join(PROMPTS), " or ".join(REPLIES)
        why = f"its columns are {found}; it needs a question ({asked}) and an answer ({said})"
        raise FormatError(why, 1, remedy="rename the columns in the first line")
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _quotes_fit(text: str, whole: bool) -> bool:
    """Whether quotes in a tab-separated file quote cells, and are not just text."""
    try:
        for _ in csv.reader(io.StringIO(text, newline="\n"), delimiter="\t", strict=True):
            pass
    except csv.Error as error:
        return not whole and "unexpected end" in str(error)
    return True


def _require_text(head: bytes) -> None:
    kind = next((name for magic, name in _BINARY if head.startswith(magic)), None)
    if kind is None and head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        kind = "a pickle"
    if kind is None and head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 100 << 20:
        kind = "safetensors"
    if kind is not None or b"\0" in head[:4096]:
        raise FormatError(f"it is {kind or 'binary'}, not text", remedy=f"supported are {FORMATS}")


def _lines(head: bytes, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(number, line), split at \\n only. A line longer than MAX_LINE is cut to MAX_LINE + 1 bytes."""
    number, rest = 0, b""
    for piece in _pieces(head, stream):
        if len(rest) > MAX_LINE:
            end = piece.find(b"\n")
            if end < 0:
                continue
            piece = piece[end:]
        found = (rest + piece).split(b"\n")
        rest = found.pop()[: MAX_LINE + 1]
        for line in found:
            number += 1
            yield number, line
    if rest:
        yield number + 1, rest


def _pieces(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    while head:
        yield head
        head = stream.read(_PIECE)


def _past_blanks(head: bytes, stream: BinaryIO) -> bytes:
    """A blank head, extended until there is something in it."""
    while not head.strip() and len(head) < MAX_LINE:
        more = stream.read(_PIECE)
        if not more:
            break
        head += more
    return head


def data_files(folder: Path) -> list[Path]:
    """The data files below a folder, sorted. From a Theta home only the journal is read: it contains all the rest."""
    found: list[Path] = []

    def refused(error: OSError) -> NoReturn:
        raise _error(Path(error.filename), f"it cannot be read ({error.strerror})", "check the permissions")

    for place, folders, names in os.walk(folder, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if "journal.jsonl" in names and _is_journal(Path(place, "journal.jsonl")):
            folders[:], names = [], ["journal.jsonl"]
        found.extend(Path(place, name) for name in names if _is_data(name))
    return sorted(found)


def _is_journal(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return _begins_journal(file.read(100))
    except OSError:
        return False


def _begins_journal(start: bytes) -> bool:
    return start.startswith(b'{"seq":') and codec.heads(start[:100]) > 0


def _is_data(name: str) -> bool:
    if name.startswith("."):
        return False
    suffixes = _suffixes(Path(name))
    if name.lower().removesuffix(".gz").removesuffix(".zst") == "context.md":
        return True
    return bool(suffixes) and suffixes[0] in _DATA and _data_name(Path(name)).lower() not in _ABOUT


def _suffixes(path: Path) -> list[str]:
    """The suffix that names the format, without those of compression; at most one."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1:]


def _data_name(path: Path) -> str:
    """The name without suffixes: `talk` for `talk.jsonl.gz`."""
    while path.suffix.lower() in _COMPRESSED and path.stem:
        path = path.with_suffix("")
    return (path.stem if path.suffix.lower() in _DATA | {".md"} else path.name) or "data"


def _all_lines(count: int) -> str:
    return "its only line is" if count == 1 else f"all of its {plural(count, 'line')} are"


def _shown(text: str) -> str:
    return visible(text if len(text) <= 200 else f"{text[:200]}…", one_line=True)


def _place(path: Path, line: int | None) -> str:
    shown = visible(str(path), one_line=True)
    return shown if line is None else f"{shown}:{line}"


def _unreadable(path: Path, error: OSError | ValueError) -> ModelError:
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return _error(path, f"it cannot be read ({why})", "check the name and the permissions")


def _error(path: Path, why: str, remedy: str, line: int | None = None) -> ModelError:
    return ModelError(f"{_place(path, line)}: {visible(why, one_line=True)}; {remedy}", name="data")
