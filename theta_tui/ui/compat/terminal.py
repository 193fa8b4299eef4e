"""The terminal as Textual drives it, with what it gets wrong put right: pastes, bytes that are no text, mouse pixels,
and its size.

Textual looks for escape sequences inside a paste too. What it does not understand there it takes for key presses, so a
text copied from somewhere could pick a reply or leave; the rest of the text is lost, and it reads a letter at a time:
ten megabytes kept the screen busy for half a minute. Bytes that are no UTF-8 ended the app.

Upstream: https://github.com/Textualize/textual/blob/v8.2.8/src/textual/drivers/linux_driver.py
"""

from __future__ import annotations

import os
import selectors
import shutil
from codecs import getincrementaldecoder
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from textual import events
from textual._time import get_time
from textual._xterm_parser import BRACKETED_PASTE_END as END
from textual._xterm_parser import BRACKETED_PASTE_START as START
from textual._xterm_parser import XTermParser
from textual.constants import ESCAPE_DELAY
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App

READ = 1 << 16
FALLBACK = (80, 24)
MOST = (2000, 1000)
"""Columns and lines: what is drawn is in memory, cell by cell."""


# https://github.com/Textualize/textual/blob/v8.2.8/src/textual/_xterm_parser.py
# https://github.com/Textualize/textual/blob/v8.2.8/src/textual/_parser.py (`_timeout_time`)
class Input(XTermParser):
    """Keys and mouse as Textual reads them; a paste as one text, whatever it spells."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._held = ""
        """The end of what came, where it may be the beginning of a mark."""
        self._held_until = 0.0
        self._paste: list[str] | None = None
        """The pieces of the paste under way."""

    def feed(self, data: str) -> Iterable[Message]:
        if not data:
            yield from super().feed(data)
            return
        data, self._held = self._held + data, ""
        while data:
            mark = START if self._paste is None else END
            before, found, data = data.partition(mark)
            if not found:
                keep = _beginning(before, mark)
                before, self._held = before[: len(before) - keep], before[len(before) - keep :]
                self._held_until = get_time() + ESCAPE_DELAY
            if self._paste is not None:
                self._paste.append(before)
            elif before:
                yield from super().feed(before)
            if found and self._paste is None:
                self._paste = []
            elif found and self._paste is not None:
                text, self._paste = "".join(self._paste), None
                # Most terminals send a carriage return where the text has a newline.
                yield events.Paste(text.replace("\r\n", "\n").replace("\r", "\n"))

    def tick(self) -> Iterable[Message]:
        if self._held and self._paste is None and get_time() >= self._held_until:
            held, self._held = self._held, ""
            yield from super().feed(held)
            if self._timeout_time is not None:
                self._timeout_time = 0.0  # it waited here: an escape that nothing follows is the key
        yield from super().tick()


def _beginning(text: str, mark: str) -> int:
    """How many characters at the end of `text` may be the beginning of `mark`."""
    return next((size for size in range(len(mark) - 1, 0, -1) if text.endswith(mark[:size])), 0)


def _possible(columns: int, lines: int) -> tuple[int, int]:
    """A size that can be drawn, however wrong the one is that was told."""
    if columns < 1 or lines < 1:
        columns, lines = FALLBACK
    return min(columns, MOST[0]), min(lines, MOST[1])


class Terminal(LinuxDriver):
    """Textual's driver of a terminal, with this input."""

    def __init__(self, app: App[Any], *, size: tuple[int, int] | None = None, **how: Any) -> None:
        super().__init__(app, size=size, **how)
        self._size = size or self._get_terminal_size()  # else Textual asks Rich, which may be of another opinion

    # https://github.com/Textualize/textual/pull/6153
    def _get_terminal_size(self) -> tuple[int, int]:
        """What the terminal says: COLUMNS and LINES, which shells export, are those of a moment that is past. They
        count where it says nothing, as on a serial line."""
        columns = lines = 0
        with suppress(OSError):
            columns, lines = os.get_terminal_size(self.fileno)
        if not (columns and lines):
            columns, lines = shutil.get_terminal_size(FALLBACK)
        return _possible(columns, lines)

    def process_message(self, message: Message) -> None:
        if isinstance(message, events.Resize):  # told by the terminal itself, in what it sends
            size = Size(*_possible(*message.size))
            message = events.Resize(size, size, size, message.pixel_size)
        super().process_message(message)

    def run_input_thread(self) -> None:
        parser = Input(self._debug)
        # A byte that is no UTF-8 becomes a lone surrogate, which is replaced, with notice, where a text is taken.
        # https://github.com/Textualize/textual/issues/6456
        decode = getincrementaldecoder("utf-8")(errors="surrogateescape").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    try:
                        data = os.read(self.fileno, READ)
                    except OSError:
                        data = b""
                    if not data:
                        return  # the terminal has gone
                    if text := decode(data):  # a letter may have come in part
                        for message in parser.feed(text):
                            self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

    # https://github.com/Textualize/textual/issues/1582
    def _sigcont_application(self, *_: object) -> None:
        """Going on. Where it was stopped from outside nothing was put back before: Textual would begin a second time
        on top, and take the raw terminal for the one to give back."""
        if not self._must_signal_resume and self._key_thread is not None and self._in_foreground():
            self.suspend_application_mode()
            self._must_signal_resume = True
        if self._must_signal_resume:
            super()._sigcont_application()

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self.fileno) == os.getpgrp()
        except OSError:
            return False  # the terminal has gone

    # linux_driver.py asks for pixels where a terminal has them, and never takes that back.
    def _disable_mouse_support(self) -> None:
        super()._disable_mouse_support()
        if self._mouse_pixels:
            self.write("\x1b[?1016l")
