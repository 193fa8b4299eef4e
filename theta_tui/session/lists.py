"""The messages about conversations, their turns, and what a file holds. Like those of `protocol`, and served by
`errands`. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from theta_tui.session.commands import Command
from theta_tui.session.protocol import Event
from theta_tui.store.report import ConversationRow, PersonRow, Teaching

if TYPE_CHECKING:
    from theta_tui.store.records import Turn

CONVERSATIONS_SHOWN = 1000
TURNS_LISTED = 1000
TURN_TEXT = 4000
"""A `Turns` carries at most this many characters of a prompt and of a reply."""
PAIRS_SHOWN = 5
"""A `FileRead` carries at most this many of the pairs that it found."""

ConversationDeed = Literal["open", "rename", "delete"]
ProposalDeed = Literal["accept", "decline"]

# --- commands: screen → worker ---


@dataclass(frozen=True, slots=True)
class ShowConversations(Command):
    """List the conversations."""


@dataclass(frozen=True, slots=True)
class ChangeConversation(Command):
    """Go on with conversation `number`, call it `name` (empty: by its first words), or take it out of the list."""

    deed: ConversationDeed
    number: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class ShowTurns(Command):
    """Report the turns of the open conversation by their numbers."""


@dataclass(frozen=True, slots=True)
class ReadFile(Command):
    """Say which lessons there are in the file or folder `path`; nothing is taught."""

    path: str


@dataclass(frozen=True, slots=True)
class ReadHomes(Command):
    """Say which lessons of the homes `paths` this one lacks; nothing is taught."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TeachFile(Command):
    """Teach the lessons that the last `ReadFile` or `ReadHomes` found. Cancel stops after a lesson, and what was taught
    stays."""


@dataclass(frozen=True, slots=True)
class ShowPeople(Command):
    """List the people who teach this home besides the owner."""


@dataclass(frozen=True, slots=True)
class ChangePerson(Command):
    """Say what happens to what the person `name` teaches from now on."""

    name: str
    may: Teaching


@dataclass(frozen=True, slots=True)
class Decide(Command):
    """Learn the lesson that proposal `number` wants, or decline it."""

    deed: ProposalDeed
    number: int


# --- events: worker → screen ---


@dataclass(frozen=True, slots=True)
class Conversations(Event):
    """At most CONVERSATIONS_SHOWN conversations, the open one first, then those used last."""

    rows: tuple[ConversationRow, ...]


@dataclass(frozen=True, slots=True)
class Turns(Event):
    """The last TURNS_LISTED turns of the open conversation, oldest first; the first of them has the number `first`.
    Long texts are cut at TURN_TEXT characters."""

    first: int
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class People(Event):
    """Those who were here, in the order in which they came. `newcomers`: what happens to what others teach."""

    rows: tuple[PersonRow, ...]
    newcomers: Teaching


@dataclass(frozen=True, slots=True)
class FileRead(Event):
    """A `ReadFile` or `ReadHomes` found `count` lessons in `source`; `pairs` are the first ones. `notes` say what is
    left out, `bad` names bad lines by file and number."""

    source: str
    count: int
    pairs: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileTaught(Event):
    """A `TeachFile` is done, or was stopped: `words` say what was taught, `count` lessons."""

    words: str
    count: int
