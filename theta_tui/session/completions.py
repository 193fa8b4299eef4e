"""The messages about completions: replies to a conversation that a program brings along. Like those of `protocol`, and
served by `completing`. Standard library only.

They are for the one who asked alone: neither the screen nor anybody else gets them. A `Wrote` is a delta, so none is
left out for a slow reader; together they are as long as the replies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from theta_tui.session.commands import Command
from theta_tui.session.protocol import Event

MOST_CHOICES = 16
MOST_ALTERNATIVES = 20

Role = Literal["system", "user", "assistant"]

# --- commands: program → worker ---


@dataclass(frozen=True, slots=True)
class Complete(Command):
    """Write `count` replies to `messages`, (role, text) pairs; changes nothing. System messages replace the persona.

    None is the home's own setting; for `max_tokens`, as much as there is room for. A reply ends in front of the first
    of the texts `stop`. `alternatives`: measure each token, with that many of the likeliest at its place; None: do not.
    """

    messages: tuple[tuple[Role, str], ...]
    count: int = 1
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    alternatives: int | None = None


# --- events: worker → program ---


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a reply, its log-probability in nats (temperature 1), and the likeliest at its place with theirs. The
    text of one that is a part of a character has U+FFFD in it."""

    text: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """What was added to choice `index` (from 0)."""

    index: int
    text: str
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Private(Event):
    """An event for the origin of the command alone. Its snapshot is empty."""


@dataclass(frozen=True, slots=True)
class Wrote(Private):
    """The replies have grown by these pieces."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Completed(Private):
    """A `Complete` is done: all of it was written. `ended` says of each choice whether it has an end, or was cut.

    `lesson` is the number of the lesson that the first choice was written with, `care`: all were written with the care
    module. `journal` is the newest record of the journal: with the same one, the same seed gives the same replies.
    """

    ended: tuple[bool, ...]
    prompt_tokens: int
    completion_tokens: int
    journal: int
    lesson: int | None = None
    care: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused(Private):
    """The completion could not be written. `name` is a word for programs, `field` the part of the request that is
    wrong."""

    message: str
    name: str
    field: str = "messages"
