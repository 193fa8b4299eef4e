"""What travels inside the screen: the worker's events, and what the widgets tell the screen."""

from __future__ import annotations

from textual.message import Message

from theta_tui.session.protocol import Event, Learning, Loading, Reviewed, Streaming


class WorkerEvent(Message):
    """An event from the worker's thread. Progress that was not shown yet is replaced by newer progress."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event

    def can_replace(self, message: Message) -> bool:
        return (
            isinstance(message, WorkerEvent)
            and type(message.event) is type(self.event)
            and isinstance(self.event, (Streaming, Learning, Loading, Reviewed))
        )


class Sent(Message):
    """The composer was sent. `text` is what stands in it, white space and all."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class ComposerChanged(Message):
    """The composer has become empty, or is so no more: other keys apply."""


class Corrected(Message):
    """The person wants `text` taught. `edited` is the candidate it began as, None for free text."""

    def __init__(self, text: str, edited: int | None) -> None:
        super().__init__()
        self.text = text
        self.edited = edited


class FactGiven(Message):
    """The person wants a stated fact taught, as `prompt` → `reply`."""

    def __init__(self, prompt: str, reply: str) -> None:
        super().__init__()
        self.prompt = prompt
        self.reply = reply


class EditLeft(Message):
    """The editor was left without teaching."""


class Clicked(Message):
    """A click on candidate `index` (1 to 5) that picks it: a double click, or the second on the same row."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index


class Told(Message):
    """A widget has something to tell the person (a paste was cut)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
