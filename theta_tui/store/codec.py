"""Records ↔ one line of JSON, and a JSON reader that is bounded and strict. Standard library only.

A line is `{"seq":12,"crc":"0badcafe",…}`; the checksum covers the seq and every byte after it, so a line is checked
before it is parsed. Text is readable and greppable UTF-8, but control, bidirectional and invisible characters are
escaped: `cat journal.jsonl` is safe in a terminal, and a line is split on `\n` only.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from theta_tui.base.json import dumps, loads
from theta_tui.store.records import (
    Asked,
    Begin,
    Consolidated,
    ContextImported,
    ConversationStarted,
    Exchange,
    Failure,
    Finding,
    Learned,
    Outcome,
    Rebuilt,
    Record,
    Restore,
    Withdraw,
    candidate_from,
    number,
)

VERSION = 1
MAX_LINE = 16 << 20
"""Bytes. A record is far smaller; a longer line is damage."""

_TYPES: dict[str, type] = {
    "begin": Begin,
    "exchange": Exchange,
    "learned": Learned,
    "withdraw": Withdraw,
    "restore": Restore,
    "rebuilt": Rebuilt,
    "consolidated": Consolidated,
    "fresh": ConversationStarted,
    "brought": ContextImported,
    "failure": Failure,
    "asked": Asked,
}
_NAMES = {cls: name for name, cls in _TYPES.items()}
_TEXT: set[type] = {str}
_INTEGER: set[type] = {int}
_NUMERIC: set[type] = {int, float, type(None)}
_LIST: set[type] = {list}
_OBJECT: set[type] = {dict}
_KINDS: dict[str, set[type]] = {
    "kind": _TEXT, "prompt": _TEXT, "reply": _TEXT, "model": _TEXT, "fingerprint": _TEXT, "version": _TEXT,
    "machine": _TEXT, "message": _TEXT, "prompt_id": {str, type(None)}, "said": {str, type(None)},
    "skipped": {str, type(None)}, "lesson": _INTEGER, "meant": {int, type(None)}, "steps": _INTEGER, "step": _INTEGER,
    "after": _INTEGER, "first": _INTEGER, "of": _INTEGER, "pick": {int, type(None)}, "edited": {int, type(None)},
    "replaces": {int, type(None)}, "lora": {int, type(None)}, "conversation": {bool}, "learned": {bool},
    "loss_before": _NUMERIC, "loss_after": _NUMERIC, "p_before": _NUMERIC, "p_after": _NUMERIC, "seconds": _NUMERIC,
    "drift": _NUMERIC, "losses": _LIST, "variants": _LIST, "candidates": _LIST, "outcomes": _LIST, "turns": _LIST,
    "results": _LIST, "recipe": _OBJECT, "outcome": _OBJECT,
}  # fmt: skip
"""What JSON may give for the keys of a record: the checksum does not say that a Theta wrote it."""
_EXCHANGES = {"pick", "correction", "statement", "none"}
_HEAD = re.compile(rb'\{"seq":(0|[1-9][0-9]{0,17}),"crc":"([0-9a-f]{8})",')

_STRING = r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"'
_NUMBER = r"-?(?:0|[1-9][0-9]{0,300})(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_MARK = r'(?:,"lesson":[1-9][0-9]{0,17},"sure":(?:true|false))?'
_ONE = rf'\{{"index":[1-9][0-9]{{0,8}},"text":{_STRING},"logprob":(?:null|{_NUMBER}),"ended":(?:true|false){_MARK}\}}'
_OFFER = re.compile(rf',"candidates":\[({_ONE}(?:,{_ONE})*)?\],"recipe":(\{{[^{{}}]*\}})(?=[,}}])')
"""Candidates and recipe as `encode` writes them. They are three quarters of a journal: the candidates are checked here
and read when somebody asks for them, the recipe is mostly the one that was read last. Quotes are escaped inside of a
text, so no message can look like this. What is written otherwise is read at once."""


class BadLineError(ValueError):
    """A line that is not a record."""


class NewerError(ValueError):
    """A record that a newer version of Theta wrote."""


def encode(seq: int, at: float, record: Record) -> bytes:
    """The line of a record, newline included. `at` is Unix time."""
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"v": VERSION, "at": stamp, "type": _NAMES[type(record)]} | plain_fields(record)
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
        text = rest.decode("utf-8")
        offer = _OFFER.search(text)
        recipe = _recipe(offer.group(2)) if offer is not None else None
        if offer is not None and recipe is not None:
            text = text[: offer.start()] + text[offer.end() :]
        body = loads("{" + text)
        version = body.pop("v")
        if not isinstance(version, int) or version > VERSION or body["type"] not in _TYPES:
            raise NewerError(f"it is of version {version}, type {body.get('type')!r}; this Theta reads {VERSION}")
        at = datetime.fromisoformat(body.pop("at")).timestamp()
        kind = _TYPES[body.pop("type")]
        if offer is not None and recipe is not None:
            if kind is not Exchange or "candidates" in body or "recipe" in body:
                raise BadLineError("its candidates stand where none belong")
            return seq, at, Exchange.unread(offer.group(1) or "", _exchange_values(body | {"recipe": recipe}))
        return seq, at, _record(kind, body)
    except (NewerError, BadLineError):
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise BadLineError(f"it is not a record ({str(error)[:200]})") from None


def checksum(line: bytes) -> str:
    """The checksum that a good line carries: what a checkpoint knows the record by."""
    at = line.index(b'"crc":"') + 7
    return line[at : at + 8].decode()


def heads(line: bytes) -> int:
    """How many records begin in a line. Two in one bad line mean that a line end was damaged: quotes are escaped
    inside of a text, so no message can look like a head."""
    return len(_HEAD.findall(line))


def _checksum(seq: int, rest: bytes) -> bytes:
    return b"%08x" % zlib.crc32(rest, zlib.crc32(b"%d:" % seq))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return plain_fields(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def plain_fields(value: Any) -> dict[str, Any]:
    """Fields in order; those that are None or empty by default are left out while they are."""
    return {
        item.name: _plain(found)
        for item in fields(value)
        if (found := getattr(value, item.name)) != item.default or item.default not in (None, ())
    }


def _check(values: dict[str, Any]) -> None:
    """Raises BadLineError where a value is of a kind that it may not be."""
    for name, value in values.items():
        if type(value) not in _KINDS[name]:
            raise BadLineError(f"its {name} is no {' or '.join(sorted(kind.__name__ for kind in _KINDS[name]))}")
    if values.get("kind", "none") not in _EXCHANGES:
        raise BadLineError("its kind is none that is known")


def outcome_from(values: dict[str, Any]) -> Outcome:
    _check(values)
    values.pop("drift", None)  # of a version before
    for name in ("loss_before", "loss_after", "p_before", "p_after", "seconds"):
        values[name] = number(values[name])
    values["losses"] = tuple(map(number, values.get("losses", ())))
    return Outcome(**values)


def _recipe(text: str) -> dict[str, Any] | None:
    """The recipe that is spelled so; None where it is none. Lessons are nearly always learned by the same one, so that
    it is read once, and is one dictionary for all of them, which nobody changes."""
    if text not in _RECIPES:
        try:
            recipe = loads(text)
        except ValueError:  # cut out of a text that holds a brace
            return None
        if len(_RECIPES) >= 64:
            _RECIPES.clear()
        _RECIPES[text] = recipe
    return _RECIPES[text]


_RECIPES: dict[str, dict[str, Any]] = {}


def _exchange_values(values: dict[str, Any]) -> dict[str, Any]:
    _check(values)
    values["variants"] = tuple(map(str, values.get("variants", ())))
    return values


def _record(cls: type, values: dict[str, Any]) -> Record:
    if cls is Exchange:
        values = _exchange_values(values)
        values["candidates"] = tuple(candidate_from(item) for item in values["candidates"])
    elif cls is Failure and values.get("of") is None:
        _check({"message": values["message"]})
    else:
        _check(values)
    if cls is Learned:
        values["outcome"] = outcome_from(values["outcome"])
    elif cls is Rebuilt:
        values["outcomes"] = tuple((int(seq), outcome_from(outcome)) for seq, outcome in values["outcomes"])
    elif cls is ContextImported:
        values["turns"] = tuple((str(prompt), str(reply)) for prompt, reply in values["turns"])
    elif cls is Asked:
        values["results"] = tuple(Finding(int(seq), number(p), bool(says)) for seq, p, says in values["results"])
    record: Record = cls(**values)
    return record
