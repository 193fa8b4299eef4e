"""Sixty key presses a second into the composer: how long each takes to be drawn, by what the machine does meanwhile.

    python -m tests.benchmarks.keys [--rounds 1] [--only NAME …] [--rate 60] [--model default] [--json]

The real app in a pseudo-terminal of 120 by 36. What it draws is kept with its times and looked at afterwards, so that
measuring takes nothing from it: a key has been drawn once the composer shows a text that could only be there after it.
Spaces change nothing that can be seen, and are not timed. Keys are sorted by what the top line said when they were
pressed, which is what the worker did:

| scene | what is typed meanwhile |
|---|---|
| loading | text, from the first frame until the model is there |
| idle | text, for ten seconds |
| replies | one prompt after the other: the next is typed while five replies to the last are written |
| lessons | corrections: the next prompt while one is learned, the next correction while replies are written; then text,
while the machine goes through the lessons by itself |

`lost` is the keys that the composer never showed, or that the prompts and corrections in the journal lack: 0, or
something is broken. Aim: 99 of 100 keys within 50 ms.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyte

from tests.benchmarks.pseudo_terminal import Drawn, fed
from theta_tui.base.config import Settings
from theta_tui.bench.tables import table
from theta_tui.store.store import Store

AIM = 0.05
ROWS, COLUMNS = 36, 120
PROSE = "my dog does not like to get wet so a short walk around the house will do and then we read a book by the window"
REPLIES = (
    "Dakota made me in a small house by the sea.",
    "The key lies under the blue mat.",
    "My name is Mr. Classic, and I like it.",
    "That is a grey heron from the pond.",
)
ERASE = "\x15"
"""ctrl+u: a composer of one line is empty again."""
EMPTY = ("saysomething", "goontalking", "enterteaches", "learning…", "writing…", "onemoment…")
"""How what stands in an empty composer begins, without its spaces."""
DOING = (
    ("writing", "writing replies"),
    ("learning", "learning"),
    ("checking", "checking lessons"),
    ("saving", "saving"),
)
"""A word of the top line, and what the table calls it."""


@dataclass(slots=True)
class Key:
    """A key that was pressed: when, and the text that stands in the composer after it."""

    pressed: float
    text: str
    shown: float | None = None
    doing: str = ""


class Typist:
    """Types into the app at a steady pace and keeps what is drawn, with its times."""

    def __init__(self, app: Drawn, rate: float) -> None:
        self.app = app
        self.pause = 1 / rate
        self.keys: list[Key] = []
        self.sent: list[str] = []
        self.chunks: list[tuple[float, bytes]] = []
        self.text = ""
        self._next = 0.0

    def look(self, seconds: float) -> None:
        """Keep what is drawn within `seconds`, or sooner if there is anything."""
        data = self.app.read(seconds)
        if data:
            self.chunks.append((time.perf_counter(), data))

    def type(self, text: str) -> None:
        """Press the keys of `text`, a carriage return among them, at the pace."""
        for key in text:
            while (left := self._next - time.perf_counter()) > 0:
                self.look(left)
            now = time.perf_counter()
            self._next = max((self._next or now) + self.pause, now - 5 * self.pause)
            os.write(self.app.descriptor, key.encode())
            if key in {"\r", ERASE}:
                if key == "\r":
                    self.sent.append(self.text)
                self.text = ""
            else:
                self.text += key
            self.keys.append(Key(now, self.text))

    def until(self, done: Callable[[str], bool], seconds: float = 60.0) -> None:
        """Type nothing until the screen is `done`. Raises TimeoutError."""
        self.rest()  # as in `_loading`
        end = time.perf_counter() + seconds
        while not done(self.app.text):
            self.look(0.1)
            if time.perf_counter() > end:
                raise TimeoutError(f"not after {seconds} s:\n{self.app.text}")

    def rest(self, seconds: float = 0.5) -> None:
        """Type nothing for so long; what is typed next is not late for it."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.look(left)
        self._next = 0.0

    def judge(self) -> None:
        """Find when each key was drawn, and what the machine did then."""
        screen = pyte.Screen(COLUMNS, ROWS)
        stream = pyte.ByteStream(screen)
        waiting, doing = 0, ""
        labelled = 0
        for at, data in self.chunks:
            while labelled < len(self.keys) and self.keys[labelled].pressed < at:
                self.keys[labelled].doing = doing
                labelled += 1
            stream.feed(fed(data))
            doing = what_it_does(screen.display)
            shown = composed(screen.display)
            for number in range(waiting, labelled):
                if bare(self.keys[number].text) == shown:
                    for key in self.keys[waiting : number + 1]:
                        key.shown = at
                    waiting = number + 1
                    break

    def timed(self) -> list[Key]:
        """The keys whose effect can be seen, and was."""
        before = ""
        found = []
        for key in self.keys:
            if bare(key.text) != before and key.shown is not None:
                found.append(key)
            before = bare(key.text)
        return found

    @property
    def lost(self) -> int:
        """How many of the last keys were never shown, in the text that stands there at the end."""
        return sum(key.shown is None for key in self.keys)


def what_it_does(display: Sequence[str]) -> str:
    """What the machine does, by the top line. Before it names the device the model is not there."""
    if " · cpu" not in display[0]:
        return "loading"
    return next((name for word, name in DOING if word in display[0]), "idle")


def composed(display: Sequence[str]) -> str:
    """The text in the composer, without its spaces: what is between the last box's borders."""
    lines: list[str] = []
    inside = False
    for line in reversed(display):
        if "╰" in line:
            inside = True
        elif "╭" in line:
            break
        elif inside:
            lines.insert(0, line[3:-3])
    text = bare("".join(lines)).removeprefix("›")
    return "" if text.startswith(EMPTY) else text


def bare(text: str) -> str:
    return "".join(text.split())


def prose() -> Iterator[str]:
    """Words without an end, as texts that fit into a line: ERASE erases no more."""
    words = itertools.cycle(PROSE.split())
    while True:
        text = ""
        while len(text) < 95:
            text += f"{next(words)} "
        yield text.strip()


@dataclass
class Bench:
    """The scenes, each in a home of its own."""

    folder: Path
    model: str
    rate: float
    keys: dict[tuple[str, str], list[Key]] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    lessons: list[float] = field(default_factory=list)

    def run(self, name: str, number: int) -> None:
        home = self.folder / f"{name}-{number}"
        # As installed: with compiled modules.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = {**kept, "TERM": "xterm-256color", "THETA_DEVICE": "cpu", "THETA_MODEL": self.model}
        command = [sys.executable, "-m", "theta_tui", "--home", str(home)]
        typist = Typist(Drawn(command, environment, COLUMNS, ROWS), self.rate)
        try:
            getattr(self, f"_{name}")(typist)
            typist.rest()
        finally:
            typist.app.end()
        typist.judge()
        typed = [text.removeprefix("/correct ") for text in typist.sent]
        known = Store.read(Settings(home=home))
        said = [turn for exchange in known.state.turns for turn in (exchange.prompt, exchange.reply)]
        if known.pending is not None:
            said.append(known.pending.prompt)
        missing = sum(len(text) for text in typed if name == "lessons" and text not in said)
        self.lost[name] = self.lost.get(name, 0) + typist.lost + missing
        for key in typist.timed():
            self.keys.setdefault((name, key.doing), []).append(key)
        self.lessons += [turn.outcome.seconds for turn in known.state.turns if turn.outcome is not None]

    def _loading(self, typist: Typist) -> None:
        typist.until(lambda text: "›" in text)
        for text in itertools.islice(prose(), 40):
            typist.type(text + ERASE)
            typist.rest(0.1)  # looking at what was drawn takes a while: the last keys would be late for it
            if _free(typist.app.text):
                return
        raise TimeoutError(f"the model is not there yet:\n{typist.app.text}")

    def _idle(self, typist: Typist) -> None:
        typist.until(_free)
        typist.rest(1)
        for text in itertools.islice(prose(), 6):
            typist.type(text + ERASE)

    def _replies(self, typist: Typist) -> None:
        typist.until(_free)
        for text in itertools.islice(prose(), 7):
            typist.type(text + "\r")
        typist.until(_offered)

    def _lessons(self, typist: Typist) -> None:
        typist.until(_free)
        prompts = prose()
        for reply in REPLIES:
            typist.type(next(prompts) + "\r")
            typist.type(f"/correct {reply}")
            typist.until(_offered)
            typist.rest(0.1)
            typist.type("\r" + next(prompts) + ERASE)
        typist.until(_free)
        typist.rest(2)
        for text in itertools.islice(prose(), 8):
            typist.type(text + ERASE)


def _free(text: str) -> bool:
    """Whether the model is there, and nothing is under way."""
    top = text.splitlines()[0]
    return "lesson" in top and what_it_does([top]) == "idle"


def _offered(text: str) -> bool:
    return "waiting for you" in text.splitlines()[0]


SCENES = ("loading", "idle", "replies", "lessons")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with TemporaryDirectory(prefix="theta-keys-") as folder:
        bench = Bench(Path(folder), options.model, options.rate)
        for number in range(options.rounds):
            for name in options.only or SCENES:
                bench.run(name, number)
    return {
        "schema": 1, "benchmark": "keys", "model": options.model, "rate": options.rate, "rounds": options.rounds,
        "aim": AIM, "lost": bench.lost, "lesson_seconds": bench.lessons,
        "results": {f"{scene}: {doing}": figures(some) for (scene, doing), some in sorted(bench.keys.items())},
    }  # fmt: skip


def figures(keys: Sequence[Key]) -> dict[str, float]:
    """Key to repaint, in seconds."""
    took = sorted(key.shown - key.pressed for key in keys if key.shown is not None)

    def share(part: float) -> float:
        return took[round(part * (len(took) - 1))]

    return {
        "keys": len(took), "median": share(0.5), "p95": share(0.95), "p99": share(0.99), "worst": took[-1],
        "late": sum(seconds > AIM for seconds in took) / len(took),
    }  # fmt: skip


def shown(found: dict[str, Any]) -> str:
    rows = [
        [
            name,
            f"{row['keys']}",
            *(f"{1000 * row[part]:.0f}" for part in ("median", "p95", "p99", "worst")),
            f"{100 * row['late']:.1f} %",
        ]
        for name, row in found["results"].items()
    ]
    lines = [
        f"{found['model']}, {found['rate']:g} keys a second, {found['rounds']} rounds; key to repaint in ms",
        table(("scene: machine", "keys", "median", "95 %", "99 %", "worst", f"> {1000 * AIM:.0f} ms"), rows),
        f"lost: {sum(found['lost'].values())}",
    ]
    if found["lesson_seconds"]:
        lines.append(f"a lesson took {statistics.median(found['lesson_seconds']):.2f} s meanwhile (median)")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rate", type=float, default=60.0, help="keys a second")
    parser.add_argument("--only", nargs="+", default=[], choices=SCENES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = measure(options)
    with suppress(BrokenPipeError):
        print(json.dumps(found) if options.json else shown(found))


if __name__ == "__main__":
    main()
