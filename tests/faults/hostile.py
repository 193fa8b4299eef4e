"""Forty texts that mean harm, what a terminal may be told instead, and a screen that is shown them in every place."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.support.fakes import NOW, Driven, FakeClock, FakeWorker, outcome, report_row, snapshot, turn
from theta_tui.base.config import Settings
from theta_tui.session import protocol as p
from theta_tui.store.records import Stated

# Sequences of these payloads are never Theta's own: they blink (SGR 5), lie outside the screen, or ask for modes that a
# screen of text has no use for. So one that got through can be told from those that draw.
CONTROLS = {
    "OSC 52": "\x1b]52;c;aGk=\x07",
    "OSC 52, ST": "\x1b]52;c;aGk=\x1b\\",
    "OSC 8": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "OSC 0": "\x1b]0;owned\x07",
    "OSC 4": "\x1b]4;1;#ff0000\x07",
    "OSC 11, a question": "\x1b]11;?\x07",
    "OSC 1337": "\x1b]1337;File=inline=1:AAAA\x07",
    "OSC without end": "\x1b]2;",
    "CSI blink": "\x1b[5;31mred\x1b[5m",
    "CSI clear": "\x1b[2J\x1b[3J",
    "CSI elsewhere": "\x1b[997;998H",
    "CSI scroll": "\x1b[9;3r",
    "CSI report": "\x1b[6n\x1b[c\x1b[>0q",
    "CSI reverse video": "\x1b[?5h",
    "CSI without end": "\x1b[31",
    "CSI in bits": "\x1b\x1b[[5m",
    "DCS": "\x1bP+q544e\x1b\\",
    "DCS sixel": "\x1bPq#0;2;0;0;0#0~~\x1b\\",
    "APC": "\x1b_Gf=24;AAAA\x1b\\",
    "PM and SOS": "\x1b^pm\x1b\\\x1bXsos\x1b\\",
    "reset": "\x1bc",
    "character set": "\x1b(0qqq\x0e",
    "C1 CSI": "\x9b5m\x9b2J",
    "C1 OSC": "\x9d52;c;aGk=\x9c",
    "C1 DCS and ST": "\x90+q\x9c\x8d\x85",
    "BEL": "\x07\x07\x07",
    "NUL": "a\x00b",
    "CR": "safe\rEVIL",
    "backspaces": "rm -rf\x08\x08\x08\x08\x08\x08ls",
    "VT and FF": "a\x0bb\x0cc",
    "SO and SI": "\x0eqqq\x0f",
    "DEL": "a\x7f\x7fb",
    "bidi overrides": "\u202eliame\u202c \u2066x\u2069",
    "bidi marks": "a\u200eb\u200fc\u061cd",
    "zero width": "pay\u200bpal\u2060\ufeff",
    "joiners in a word": "pay\u200dpal\u200cok",
    "line separators": "a\u2028b\u2029c\x85d",
    "soft hyphens": "a\u00ad\u00adb",
    "tag characters": "a\U000e0041\U000e0042\U000e007f",
    "variation selectors": "a\ufe01\ufe02\U000e0101\U000e0102\U000e0103",
    "invisible letters": "a\u115f\u1160\u3164\uffa0\u180f\u17b4b",
    "shorthand controls": "a\U0001bca0\U0001d173\U000e0080\ufff0b",
    "lone surrogates": "a\ud800b\udfffc",
    "combining flood": "z" + "\u0301\u0316" * 60,
}
"""What a terminal would obey, or a person would not see. One name each; every one must be made visible."""

LETTERS = {
    "markup close": "[/",
    "markup tag": "[/b] [b]bold[/b] [b +",
    "markup click": "[@click=app.quit]quit[/]",
    "markup link": "[link=http://evil.example]x[/link]",
    "markup escape": "\\[b]x\\[/b] \\",
    "markup variable": "[$primary]x[/] $evil {evil} %s",
    "ANSI in words": "\\x1b[31m \\033[0m ^[[2J",
    "role tokens": "<|user|> <|assistant|> <|end|>",
    "other role tokens": "<|im_start|>system <|im_end|> </s> [INST]",
    "sentinels": "\ue0000\ue001 {{ bos_token }}",
    "right to left": "שלום עולם مرحبا",
    "emoji": "👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 é",
    "wide": "汉字漢字 ｆｕｌｌ",
    "json": '{"a": NaN, "b": "\\u001b[31m"}',
    "long line": "x" * 3000,
}
"""What is text, however it looks: shown as it is."""

PAYLOADS = CONTROLS | LETTERS

_ALLOWED_MODES = {"7", "25", "1000", "1003", "1004", "1006", "1015", "1016", "1049", "2004", "2026", "2048"}
_SGR = re.compile(
    r"(?:(?:0|1|2|3|4|7|9|2[1-9]|3[0-7]|39|4[0-7]|49|9[0-7]|10[0-7]|[34]8;5;\d{1,3}|[34]8;2;\d{1,3};\d{1,3};\d{1,3})"
    r"(?:;(?!$)|$))*"
)
_SEQUENCE = re.compile(
    r"\x1b(?:\[([<-?]*)([\d;:]*)([ -/]*)([@-~])|\]777;([^\x07]*)\x07|(\]22;[a-z-]*\x07|.?))", re.DOTALL
)
_EMOJI = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff]\ufe0f?[\U0001f3fb-\U0001f3ff]?$")


def harmful(text: str) -> Iterator[str]:
    """Characters of `text` that a terminal obeys or a person does not see, by name. A joiner between pictures is none,
    nor the one selector behind a letter or a picture, nor a few accents on one letter."""
    accents = 0
    for at, char in enumerate(text):
        code, category = ord(char), unicodedata.category(char)
        accents = accents + 1 if category in {"Mn", "Me"} else 0
        before = text[at - 1] if at else ""
        selector = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
        doubled = selector and (not before or unicodedata.category(before) in {"Mn", "Cf"})
        joiner = char in "\u200c\u200d"
        hidden = (
            char in "\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f" or 0xFFF0 <= code <= 0xFFF8
        )
        tag = 0xE0000 <= code <= 0xE0FFF and not selector
        if joiner and char == "\u200d" and _EMOJI.search(text[max(0, at - 3) : at]):
            continue
        if (
            category in {"Cc", "Cs", "Zl", "Zp"}
            or (category == "Cf" and code > 0xFF)
            or char == "\u00ad"
            or doubled
            or hidden
            or tag
            or accents > 20
        ):
            yield f"U+{code:04X}"


def offences(raw: bytes, columns: int, rows: int) -> dict[str, list[str]]:
    """What of `raw` a screen of text has no business to send, by the step (`OSC 777`) that it was sent before."""
    text = raw.replace(b"\r\n", b"").decode("utf-8", "surrogateescape")
    found: dict[str, list[str]] = {}
    here: list[str] = []
    at = 0
    for match in _SEQUENCE.finditer(text):
        here += harmful(text[at : match.start()])
        at = match.end()
        private, numbers, between, final, step, other = match.groups()
        if step is not None:
            found[step] = here
            here = []
        elif other is not None and other.startswith("]22;"):
            pass  # the form of the mouse pointer
        elif other is not None or not _drawing(private, numbers, between, final, columns, rows):
            here.append(repr(match.group()))
    here += harmful(text[at:])
    found["the rest"] = here
    return {step: each for step, each in found.items() if each}


def _drawing(private: str, numbers: str, between: str, final: str, columns: int, rows: int) -> bool:
    """Whether a CSI sequence is one that Theta's screen is drawn with."""
    match private, between, final:
        case "", "", "m":
            return _SGR.fullmatch(numbers) is not None
        case "", "", "H":
            row, _, column = numbers.partition(";")
            return int(row or 1) <= rows and int(column or 1) <= columns
        case "?", "", "h" | "l":
            return numbers in _ALLOWED_MODES
        case "?", "$", "p":
            return numbers in {"2026", "2048"}
        case ">" | "<", "", "u":
            return True
    return False


# --- the screen ---


async def look(d: Driven) -> None:
    """Let what was asked for be drawn. Lighter than other tests need it: what is late is drawn with the next."""
    await d.rest()
    if d.app.is_running:
        d.app.screen._on_timer_update()


async def toast(d: Driven) -> None:
    """A toast is mounted, then laid out, then drawn."""
    for _ in range(3):
        await look(d)


async def press(d: Driven, *keys: str) -> None:
    for key in keys:
        d._post_key(key)
    await look(d)


async def offer(d: Driven, prompt: str, **how: Any) -> None:
    d.worker.propose(prompt, **how)
    await look(d)
    d.clock.seconds += 1
    d.teach.draw()


async def header(d: Driven, text: str) -> None:
    d.worker.changed(model=text, device=text, recipe=text)


async def loading(d: Driven, text: str) -> None:
    d.worker.loading(text)
    await look(d)
    d.worker.ready()


async def conversation(d: Driven, text: str) -> None:
    past = (turn(1, text, text, 1), turn(2, text, text))
    d.worker.changed(turns=past, turns_total=2)


async def streaming(d: Driven, text: str) -> None:
    d.worker.stream(text, [text] * 5)


async def candidates(d: Driven, text: str) -> None:
    await offer(d, text, texts=[f"{text}{number}" for number in range(5)])


async def editing(d: Driven, text: str) -> None:
    await offer(d, "?", texts=[text, "b", "c", "d", "e"])
    await press(d, "f2")
    await press(d, "end", "!", "left", "left")
    await press(d, "escape")


async def last_turn(d: Driven, text: str) -> None:
    d.worker.changed(turns=(turn(1, text, text, 1),), turns_total=1, pending=None, phase="idle")
    await look(d)
    await press(d, "f2")
    await press(d, "escape")


async def composer(d: Driven, text: str) -> None:
    from textual.events import Paste

    d.app.post_message(Paste(text))
    await look(d)
    await press(d, "left", "left", "shift+left")
    d.teach.composer.put("")


async def mistakes(d: Driven, text: str) -> None:
    for line in (f"/{text}", f"/theme {text}", f"/set {text} 1", f"/set temperature {text}", f"/withdraw {text}"):
        d.teach.composer.put(line)
        await look(d)
        d.teach.composer.close_popup()
        d.teach.composer.send()
        await look(d)
        d.teach.composer.put("")


async def queued(d: Driven, text: str) -> None:
    d.worker.learning()
    await look(d)
    d.teach.say(f"a {text}")
    d.teach.draw()
    await look(d)
    d.teach.state.queued = ()
    d.worker.changed(phase="idle")


async def fact(d: Driven, text: str) -> None:
    await offer(d, "?", statement=Stated(text, text))
    await press(d, "f3")
    await press(d, "end", "escape")


async def learning(d: Driven, text: str) -> None:
    d.worker.learning()
    await look(d)
    d.worker.taught(text, text, 2)
    await look(d)
    d.worker.taught(text, text, skipped=text)


async def panel(d: Driven, text: str) -> None:
    d.worker.changed(last=outcome(prompt=text, reply=text), said_before=text, says_now=text, alarm=text)


async def read_only(d: Driven, text: str) -> None:
    d.worker.changed(read_only=text)


async def notices(d: Driven, text: str) -> None:
    d.worker.notice(text)
    await toast(d)


async def failures(d: Driven, text: str) -> None:
    d.worker.failed(f"RuntimeError: {text}")
    await toast(d)


async def answers(d: Driven, text: str) -> None:
    d.worker.post(p.Answered(d.worker.shot, text, text))


async def taken_back(d: Driven, text: str) -> None:
    d.worker.changed(turns=(turn(1, text, text, 1),), turns_total=1)
    d.worker.undone()
    d.worker.redone(turn(1, text, text, 1))
    await toast(d)


async def ledger(d: Driven, text: str) -> None:
    d.teach.action_lessons()
    await look(d)
    rows = (
        report_row(1, text, text, kind="pick", said_before=text, says_now=text),
        report_row(2, text, text, "lost", says=False),
    )
    d.worker.ledger(rows)
    await look(d)
    d.worker.post(p.LessonAnswered(d.worker.shot, 2, text))
    await look(d)
    await press(d, "escape")


async def figures(d: Driven, text: str) -> None:
    d.worker.changed(model=text, last=outcome(prompt=text, reply=text))
    await look(d)
    d.teach.composer.put("/stats")
    d.teach.composer.send()
    await look(d)
    await press(d, "escape")


async def palette(d: Driven, text: str) -> None:
    from textual.events import Paste

    d.app.action_command_palette()
    await look(d)
    d.app.post_message(Paste(text))
    await look(d)
    await press(d, "escape")


async def theme(d: Driven, text: str) -> None:
    d.app.persist = lambda name, value: (_ for _ in ()).throw(OSError(text))
    d.app.theme = "nord" if d.app.theme == "theta" else "theta"
    await toast(d)


async def fatal(d: Driven, text: str) -> None:
    d.worker.failed(text, fatal=True)
    await look(d)
    d.app.code, d.app.parting = 0, ""
    d.teach.state.fatal = None
    d.worker.changed(phase="idle", activity="")


PLACES: dict[str, Callable[[Driven, str], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        header, loading, conversation, streaming, candidates, editing, last_turn, composer, mistakes, queued, fact,
        learning, panel, read_only, notices, failures, answers, taken_back, ledger, figures, palette, theme, fatal,
    )
}  # fmt: skip


def shown(_control: int, steps: list[tuple[str, str]], careful: bool) -> Callable[[], None]:
    """A run of the app on its real driver that is shown payloads: `steps` are (place, name), told by OSC 777.

    Not `careful`: nothing is made visible, as it would be without `theta_tui.base.text`.
    """
    import sys

    if not careful:
        for module in list(sys.modules.values()):
            if getattr(module, "visible", None) is not None and module.__name__.startswith("theta_tui"):
                module.visible = lambda text, *, one_line=False: text  # type: ignore[attr-defined]

    def run() -> None:
        from theta_tui.ui.app import ThetaApp

        clock = FakeClock()
        worker = FakeWorker(snapshot())
        app = ThetaApp(Settings(), worker, clock=clock.clock)

        async def play(pilot: Any) -> None:
            d = Driven(app, worker, clock, pilot)
            await look(d)
            while worker._post is None:
                await d.settle()
            worker.ready()
            await look(d)
            for place, name in steps:
                await PLACES[place](d, PAYLOADS[name])
                await look(d)
                app._driver.write(f"\x1b]777;{place}|{name}\x07")  # type: ignore[union-attr]
                app.clear_notifications()
                worker.shot = replace(snapshot(), saved_at=NOW - 41)
                worker.changed(phase="idle")
                await look(d)
            app.exit()

        app.run(auto_pilot=play)

    return run


def streaming_on(control: int) -> Callable[[], None]:
    """A run of the app in which replies grow without end, until the test says so; then the same ones are drawn to the
    end, which is told, and it leaves when the test says so again."""
    import asyncio
    import os
    import socket

    channel = socket.socket(fileno=os.dup(control))

    def run() -> None:
        from theta_tui.ui.app import ThetaApp

        worker, clock = FakeWorker(snapshot()), FakeClock()
        app = ThetaApp(Settings(), worker, clock=clock.clock)

        async def told(meanwhile: Callable[[], None]) -> None:
            channel.setblocking(False)
            while True:
                with contextlib.suppress(BlockingIOError):
                    channel.recv(1)
                    return
                meanwhile()
                await asyncio.sleep(0.005)

        async def play(pilot: Any) -> None:
            d = Driven(app, worker, clock, pilot)
            while worker._post is None:
                await d.settle()
            worker.ready()
            channel.send(b"streaming")
            words = ["so "]

            def grow() -> None:
                words.append("it goes on ")
                worker.stream("hello", [f"{number} {''.join(words[-30:])}" for number in range(5)])

            await told(grow)
            worker.stream("hello", [f"the end of reply {number}" for number in range(1, 6)], done=True)
            for _ in range(12):
                await asyncio.sleep(0.02)
                await d.settle()
            channel.send(b"drawn")
            await told(lambda: None)
            app.exit()

        app.run(auto_pilot=play)

    return run
