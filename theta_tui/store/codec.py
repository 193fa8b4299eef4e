"""Records ↔ one line of JSON.

A line is `{"seq":12,"crc":"0badcafe",…}`; the checksum covers the seq and every byte after it, so a line is checked
before it is parsed. Text is readable and greppable UTF-8, but control, bidirectional and invisible characters are
escaped: `cat journal.jsonl` is safe in a terminal, and a line is split on `\n` only.

msgspec checks the values and `base.json` the JSON, because msgspec's own reader accepts duplicate keys and takes the
last. That costs 0.3 s for 20,000 lines of 0.9 kB; msgspec alone would read them in 0.05 s.
"""

from __future__ import annotations

import marshal
import math
import re
import zlib
from datetime import UTC, datetime
from typing import Any, TypeVar, get_args

import msgspec

from theta_tui.base.json import dumps, loads
from theta_tui.store.records import (
    ConversationStarted,
    Declined,
    Exchange,
    Imported,
    Proposal,
    Rebuilt,
    Record,
    Said,
    Standing,
    Withdraw,
)

T = TypeVar("T")

VERSION = 3
"""Of the records that this version writes. 3: a person other than the owner did it, or may do something. 2: an
exchange, or what was said, names its conversation, its place or its batch, or was cut. All others are of version 1, and
an earlier Theta reads them."""
MAX_LINE = 16 << 20
"""Bytes. A record is far smaller; a longer line is damage."""

_TYPES: dict[Any, type] = {kind.__struct_config__.tag: kind for kind in get_args(Record)}
_NUMBERS = {"logprob", "loss_before", "loss_after", "p_before", "p_after", "seconds"}
_HEAD = re.compile(rb'\{"seq":(0|[1-9][0-9]{0,17}),"crc":"([0-9a-f]{8})",')


class BadLineError(ValueError):
    """A line that is not a record."""


class NewerError(ValueError):
    """A record that a newer version of Theta wrote."""


def encode(seq: int, at: float, record: Record) -> bytes:
    """A record as its line, newline included. `at` is Unix time."""
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"v": _version(record), "at": stamp} | plain_fields(record)
    rest = dumps(body)[1:].encode("utf-8") + b"\n"
    return b'{"seq":%d,"crc":"%s",' % (seq, _checksum(seq, rest)) + rest


def decode(line: bytes) -> tuple[int, float, Record]:
    """(seq, Unix time, record) of one line, newline included. Raises BadLineError or NewerError."""
    if len(line) > MAX_LINE or not line.endswith(b"\n"):
        raise BadLineError("it is cut short" if len(line) <= MAX_LINE else "it is too long")
    head = _HEAD.match(line)
    if head is None:
        raise BadLineError("it does not begin as a record does")
    seq = int(head.group(1))
    rest = line[head.end() :]
    if _checksum(seq, rest) != head.group(2):
        raise BadLineError("its checksum does not fit")
    try:
        body = loads("{" + rest.decode("utf-8"))
        version = body.pop("v")
        if not isinstance(version, int) or version > VERSION or body["type"] not in _TYPES:
            raise NewerError(f"it is of version {version}, type {body.get('type')!r}; this Theta reads {VERSION}")
        at = datetime.fromisoformat(body.pop("at")).timestamp()
        record: Record = from_plain(body, _TYPES[body["type"]])
        if isinstance(record, (Exchange, Rebuilt)):
            msgspec.structs.force_setattr(record, "recipe", _shared(record.recipe))
    except NewerError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise BadLineError(f"it is not a record ({str(error)[:200]})") from None
    return seq, at, record


def _version(record: Record) -> int:
    if isinstance(record, (Exchange, Withdraw, ConversationStarted, Imported)) and record.who:
        return VERSION
    if isinstance(record, Exchange):
        plain = (record.turn, record.conversation_id, record.batch) == (None, None, None) and not record.cut
        return 1 if plain else 2
    if isinstance(record, Said):
        return 2 if record.cut or record.conversation_id is not None else 1
    return VERSION if isinstance(record, (Proposal, Declined, Standing)) else 1


def checksum(line: bytes) -> str:
    """The checksum that a good line carries. A checkpoint identifies the record by it."""
    at = line.index(b'"crc":"') + 7
    return line[at : at + 8].decode()


def heads(line: bytes) -> int:
    """Count the records that begin in a line. Two in one bad line mean that a line end was damaged: texts have their
    quotes escaped, so no message can look like the start of a record."""
    return len(_HEAD.findall(line))


def plain_fields(value: msgspec.Struct) -> dict[str, Any]:
    """The fields as JSON values; a record has its `type` first."""
    found: dict[str, Any] = msgspec.to_builtins(value)
    return found


def from_plain(values: dict[str, Any], kind: type[T]) -> T:
    """The inverse of `plain_fields`, for values read from JSON. Raises ValueError if they do not make a `kind`."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError:
        try:
            mended = {name: value if name == "recipe" else _mended(value) for name, value in values.items()}
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        return msgspec.convert(mended, kind)


def _mended(value: Any) -> Any:
    """Turn null back into NaN where a number was not finite, and drop the `drift` that an earlier version wrote into an
    outcome."""
    if isinstance(value, list):
        return [math.nan if item is None else _mended(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: math.nan if item is None and name in _NUMBERS else _mended(item)
        for name, item in value.items()
        if name != "drift" or "loss_before" not in value
    }


_RECIPES: dict[bytes, dict[str, Any]] = {}


def _shared(recipe: dict[str, Any]) -> dict[str, Any]:
    """One dictionary, never changed, for all lessons with the same recipe: it takes more memory than the texts of a
    lesson. Recipes are compared as bytes, because 1, 1.0 and True are equal."""
    if len(_RECIPES) >= 64:
        _RECIPES.clear()
    return _RECIPES.setdefault(marshal.dumps(recipe, 2), recipe)


def _checksum(seq: int, rest: bytes) -> bytes:
    return b"%08x" % zlib.crc32(rest, zlib.crc32(b"%d:" % seq))
