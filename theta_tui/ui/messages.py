"""The messages inside the app: the worker's events, and the widgets' messages to the screen."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from theta_tui.session.protocol import Event, Learning, Loading, Reviewed, Streaming


@dataclass
class WorkerEvent(Message):
    """An event from the worker's thread. Newer progress replaces progress that was not shown yet."""

    event: Event

    def can_replace(self, message: Message) -> bool:
        return (
            isinstance(message, WorkerEvent)
            and type(message.event) is type(self.event)
            and isinstance(self.event, (Streaming, Learning, Loading, Reviewed))
        )


@dataclass
class Sent(Message):
    """The person sent the composer's text."""

    text: str
    """The text, including all white space."""


class ComposerChanged(Message):
    """The composer has become empty or non-empty, or asks what a word means: other keys apply."""


@dataclass
class Corrected(Message):
    """The person wants `text` taught."""

    text: str
    edited: int | None
    """The candidate that it began as, None for free text."""


@dataclass
class FactGiven(Message):
    """The person wants a stated fact taught, as `prompt` → `reply`."""

    prompt: str
    reply: str


class EditLeft(Message):
    """The person left the editor without teaching."""


@dataclass
class Clicked(Message):
    """A click on a candidate that picks it: a double click, or the second on the same row."""

    index: int
    """1 to 5."""


@dataclass
class Told(Message):
    """A widget's notice for the person (a paste was cut)."""

    text: str
