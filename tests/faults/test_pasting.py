"""What is pasted is one text: however long it is, whatever it spells, however it arrives."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable

import pytest
from textual import events
from textual.message import Message

from tests.faults.hostile import PAYLOADS
from tests.faults.terminal import Start
from theta_tui.base.text import MAX_TEXT, repair
from theta_tui.ui.compat.terminal import Input

pytest_plugins = ["tests.faults.fixtures"]

BEGIN, END = "\x1b[200~", "\x1b[201~"


def read(pieces: Iterable[str]) -> list[Message]:
    """What comes of input that arrives in `pieces`, and then rests."""
    parser = Input()
    found = [message for piece in pieces for message in parser.feed(piece)]
    parser._held_until = 0.0
    return found + list(parser.tick())


def keys(messages: list[Message]) -> str:
    return "".join(message.character or "" for message in messages if isinstance(message, events.Key))


def pasted(messages: list[Message]) -> list[str]:
    return [message.text for message in messages if isinstance(message, events.Paste)]


@pytest.mark.parametrize("name", PAYLOADS)
def test_no_paste_becomes_a_key_and_nothing_of_it_is_lost(name: str) -> None:
    text = PAYLOADS[name] + "\x1b3\x1b\x11\x1b[A\x1b[200~\x1bOP\x1b"
    found = read(["a", BEGIN + text + END, "b"])
    assert pasted(found) == [text.replace("\r", "\n")]
    assert keys(found) == "ab"


def test_a_paste_may_arrive_in_any_pieces() -> None:
    whole = f"a{BEGIN}one \x1b[31m two\x1b[20{END}b{BEGIN}{END}c"
    for size in range(1, 12):
        found = read(whole[at : at + size] for at in range(0, len(whole), size))
        assert pasted(found) == ["one \x1b[31m two\x1b[20", ""]
        assert keys(found) == "abc"


def test_lines_end_as_they_do_in_a_text() -> None:
    assert pasted(read([f"{BEGIN}a\rb\r\nc\nd{END}"])) == ["a\nb\nc\nd"]


def test_an_escape_that_nothing_follows_is_the_key() -> None:
    found = read(["\x1b"])
    assert [message.key for message in found if isinstance(message, events.Key)] == ["escape"]
    assert [message.key for message in read(["\x1b[A"]) if isinstance(message, events.Key)] == ["up"]
    assert [message.key for message in read(["\x1b[2", "~"]) if isinstance(message, events.Key)] == ["insert"]


def test_a_long_paste_costs_no_more_than_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's own reading calls this once a letter."""
    called = 0
    real = Input.feed.__globals__["XTermParser"].feed

    def feed(parser: Input, data: str) -> Iterable[Message]:
        nonlocal called
        called += len(data)
        return real(parser, data)  # type: ignore[no-any-return]

    monkeypatch.setattr("textual._xterm_parser.XTermParser.feed", feed)
    text = "x" * 10_000_000
    assert pasted(read(["a", BEGIN, *(text[at : at + 65536] for at in range(0, len(text), 65536)), END])) == [text]
    assert called == 1


def test_what_is_too_long_is_cut_with_notice_and_bad_bytes_are_replaced_with_notice() -> None:
    text, notices = repair("x" * 10_000_000)
    assert len(text) == MAX_TEXT
    assert notices == ["the text had 10,000,000 characters; the first 100,000 were kept"]
    assert repair("a\udcffb") == ("a\ufffdb", ["some characters were not valid Unicode and were replaced"])


def test_bytes_that_are_no_text_do_not_end_the_app(start: Start) -> None:
    app = start()
    app.see("idle")
    app.press(b"caf\xe9 \xff\xfe x")
    app.wait(lambda text: "caf" in text and "x" in text.partition("›")[2], "what was typed")
    app.press(b"\x1b[200~ \xc3\x28 pasted\x1b[201~")
    app.see("pasted")
    app.press("\x11")
    assert app.leave()[0] == 0


def test_a_paste_picks_nothing_and_leaves_nothing(start: Start) -> None:
    app = start()
    app.see("idle")
    app.propose("hello")
    app.press(f"{BEGIN}one\x1b3\x1b\x11two\rthree{END}")
    app.wait(lambda text: re.search("one.*two", text) is not None and "three" in text, "the pasted text")
    app.press("\x11")
    assert app.leave()[0] == 0
    assert "1 lesson" not in app.text


@pytest.mark.slow
def test_ten_megabytes_are_told_and_cut_and_the_screen_lives(start: Start) -> None:
    rng = random.Random(1)
    text = "".join(rng.choice("abcdefgh ") for _ in range(1_000_000)) * 10
    app = start(columns=100, rows=40)
    app.see("idle")
    app.press("before ")
    began = time.monotonic()
    app.press(f"{BEGIN}{text}{END}")  # what is not done in a minute fails, and Textual alone takes more
    app.see("10,000,000 characters")
    taken = time.monotonic() - began
    typed = time.monotonic()
    app.press("Ω")
    app.see("Ω")
    print(f"10 MB taken in {taken:.1f} s; the next key drawn after {time.monotonic() - typed:.2f} s")
    app.press("\x11")
    assert app.leave()[0] == 0
