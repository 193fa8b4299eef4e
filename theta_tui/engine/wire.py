"""Frames between an engine and its clients: four bytes of length, big-endian, then a list in MessagePack.

A client greets with `["hello", protocol, version, wishes]` and gets `["hello", protocol, version, about]`, or
`["refused", protocol, version, why]`. Its wishes are `everything` (the events of others too) and `who`, a name: it then
has a conversation of its own. Then it sends `[number, command, fields, settings]`, and gets
`["event", number, event, fields]`, where the number is that of its own command that the event belongs to (0: it belongs
to somebody else's, or to none), and `["done", number]` when its command is over.

Commands and events are those of `commands`, `protocol`, `lists` and `completions` in `session/`, by name.
MessagePack, because JSON has no NaN.
"""

from __future__ import annotations

import collections.abc
import struct
import typing
from dataclasses import is_dataclass
from functools import cache
from typing import Any

import msgspec

from theta_tui.base.text import plural
from theta_tui.session import commands, completions, lists, protocol
from theta_tui.session.commands import Command
from theta_tui.session.protocol import Event, Snapshot
from theta_tui.store import plots, records

PROTOCOL = 2
"""Raised by one with every change that an older client or engine would misread."""
MAX_FRAME = 64 << 20
"""Bytes. A frame is far smaller: a message has at most a megabyte, a snapshot 200 turns."""
LENGTH = struct.Struct(">I")
FOR_ONE_COMMAND = frozenset({"temperature", "top_p", "top_k", "min_p", "max_tokens", "seed", "recipe"})
"""The settings that a client may give with a command."""


class BadFrameError(ValueError):
    """A frame that no Theta sends."""


def pack(*parts: Any) -> bytes:
    """A frame."""
    body = msgspec.msgpack.encode(parts)
    return LENGTH.pack(len(body)) + body


def unpack(body: bytes) -> list[Any]:
    """The parts of a frame without its length. Raises BadFrameError."""
    try:
        return msgspec.msgpack.decode(body, type=list)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BadFrameError(f"it is not MessagePack ({error})") from None


def size(head: bytes) -> int:
    """The length of the frame that begins with these four bytes. Raises BadFrameError if it is too long."""
    (found,) = LENGTH.unpack(head)
    if found > MAX_FRAME:
        raise BadFrameError(f"a frame of {plural(found, 'byte')} is longer than {MAX_FRAME:,}")
    return int(found)


def fields(value: Command | Event) -> dict[str, Any]:
    """The fields of a command or an event as plain values."""
    found: dict[str, Any] = msgspec.to_builtins(value)
    return found


def command(name: Any, values: Any) -> Command:
    """The command of this name. Raises BadFrameError."""
    found: Command = _made(Command, name, values)
    return found


def event(name: Any, values: Any) -> Event:
    """The event of this name. Raises BadFrameError."""
    found: Event = _made(Event, name, values)
    return found


def _made(base: Any, name: Any, values: Any) -> Any:
    kind = _kinds(base).get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(values, dict):
        raise BadFrameError(f"there is no {name!r} here")
    try:
        return _read(kind, values)
    except (msgspec.ValidationError, TypeError, KeyError) as error:
        raise BadFrameError(f"{name} is not as it should be ({error})") from None


def _read(kind: Any, values: dict[str, Any]) -> Any:
    """Our own dataclasses are read here, because msgspec does not know the names that they import for types only."""
    hints = _hints(kind)
    return kind(**{
        name: _read(Snapshot, value) if hints[name] is Snapshot else msgspec.convert(value, hints[name], strict=True)
        for name, value in values.items()
    })  # fmt: skip


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, localns=vars(collections.abc) | vars(records) | vars(plots) | vars(commands))


@cache
def _kinds(base: Any) -> dict[str, type[Any]]:
    there = [*vars(commands).values(), *vars(protocol).values(), *vars(lists).values(), *vars(completions).values()]
    return {
        kind.__name__: kind
        for kind in there
        if isinstance(kind, type) and is_dataclass(kind) and issubclass(kind, base) and kind is not base
    }
