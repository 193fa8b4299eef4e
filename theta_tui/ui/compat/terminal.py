"""Textual's terminal driver with corrections for pastes, invalid bytes, mouse pixels and the terminal's size.

Textual looks for escape sequences inside a paste too. It takes unknown ones for key presses, so a pasted text could
pick a reply or quit the app, and the rest of the text is lost. It also reads letter by letter: ten megabytes kept the
screen busy for half a minute. Bytes that are not UTF-8 ended the app.

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
"""The largest columns and lines: the picture is held in memory, cell by cell."""


# https://github.com/Textualize/textual/blob/v8.2.8/src/textual/_xterm_parser.py
# https://github.com/Textualize/textual/blob/v8.2.8/src/textual/_parser.py (`_timeout_time`)
class Input(XTermParser):
    """Reads keys and mouse like Textual, and a paste as one text, whatever it contains."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._held = ""
        """The end of the input, if it may be the beginning of a paste mark."""
        self._held_until = 0.0
        self._paste: list[str] | None = None
        """The pieces of the unfinished paste."""

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
                self._timeout_time = 0.0  # an escape that nothing follows is the key
        yield from super().tick()


def _beginning(text: str, mark: str) -> int:
    """The number of characters at the end of `text` that may be the beginning of `mark`."""
    return next((size for size in range(len(mark) - 1, 0, -1) if text.endswith(mark[:size])), 0)


def _possible(columns: int, lines: int) -> tuple[int, int]:
    """The reported size, limited to what can be drawn."""
    if columns < 1 or lines < 1:
        columns, lines = FALLBACK
    return min(columns, MOST[0]), min(lines, MOST[1])


class Terminal(LinuxDriver):
    """Textual's terminal driver with this input."""

    def __init__(self, app: App[Any], *, size: tuple[int, int] | None = None, **how: Any) -> None:
        super().__init__(app, size=size, **how)
        self._size = size or self._get_terminal_size()  # else Textual asks Rich, which may report another size

    # https://github.com/Textualize/textual/pull/6153
    def _get_terminal_size(self) -> tuple[int, int]:
        """The size that the terminal reports. COLUMNS and LINES, which shells export, may be outdated; they are used
        only if the terminal reports none, as on a serial line."""
        columns = lines = 0
        with suppress(OSError):
            columns, lines = os.get_terminal_size(self.fileno)
        if not (columns and lines):
            columns, lines = shutil.get_terminal_size(FALLBACK)
        return _possible(columns, lines)

    def process_message(self, message: Message) -> None:
        if isinstance(message, events.Resize):  # in-band: sent by the terminal itself
            size = Size(*_possible(*message.size))
            message = events.Resize(size, size, size, message.pixel_size)
        super().process_message(message)

    def run_input_thread(self) -> None:
        parser = Input(self._debug)
        # An invalid byte becomes a lone surrogate, which is replaced, with a notice, when the text is used.
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
                    if text := decode(data):  # a character may be incomplete
                        for message in parser.feed(text):
                            self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

    # Textual writes from its signal handlers. If one interrupts the main thread within `Queue.put`, whose lock is not
    # reentrant, the app hangs for ever. So the event loop does what they ask for.
    def _sigtstp_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(super()._sigtstp_application)

    def _sigcont_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._continue)

    # https://github.com/Textualize/textual/issues/1582
    def _continue(self) -> None:
        """Continue after a stop. If another process stopped the app, Textual had not restored the terminal: it would
        then start a second time, and take the raw mode for the one to restore at the end."""
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

    # linux_driver.py enables mouse pixels and never disables them.
    def _disable_mouse_support(self) -> None:
        super()._disable_mouse_support()
        if self._mouse_pixels:
            self.write("\x1b[?1016l")
