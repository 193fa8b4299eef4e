"""How long a person waits at the start, stage by stage, each beside a peer in the same run.

    python -m tests.benchmarks.startup [--model default] [--rounds 5] [--only NAME …] [--keys] [--json]

Every figure is of a fresh process with warm files, and the median of the rounds; in a round the stages and their peers
take turns, so that what else the machine does falls on both. Wall seconds tell what a person waits; seconds of CPU
(user) are steadier on a busy machine. Memory is the most that a process held.

| stage | peer |
|---|---|
| `theta --help`, `history`, `lessons`, `stats` (a journal of 100 exchanges) | a Python that imports Textual |
| first frame, in a pseudo-terminal | a Textual app of one widget |
| model ready: model, tokenizer and learner | a script: `from_pretrained` of both, on the same folder |
| the same, back in a home with a checkpoint and lessons | that script |
| the app until it says that it is idle | that script |
| `theta prompt hello` in a fresh home | that script |

`--keys` also types into the app while it loads, a key every 50 ms: key to repaint, the median, 99 % and the worst.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.pseudo_terminal import Drawn
from theta_tui.base.config import Settings
from theta_tui.bench.tables import table
from theta_tui.model.files import resolve
from theta_tui.store.records import Candidate, Exchange, Learned, Outcome
from theta_tui.store.store import Store

EXCHANGES = 100
KEYS = "ЖЩЮЯЭФБГДЛПЦЧШЫЪЙИУКЕНЗХВАРОМСТЬжщюяэфбгдлпцчшыъйиукензхварость"
"""Characters that nothing else on the screen is made of."""
PAUSE = 0.05

READY = """
import sys
from pathlib import Path
from theta_tui.base.config import Settings
from theta_tui.ui.launch import open_session
session = open_session(Settings(home=Path(sys.argv[1]), model=sys.argv[2], device="cpu"))
session.load()
print(session.model.parameters)
session.close()
"""
PLAIN = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype="float32")
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
print(model.num_parameters())
"""
TAUGHT = """
import sys
from pathlib import Path
from theta_tui.base.config import Settings
from theta_tui.ui.launch import open_session
session = open_session(Settings(home=Path(sys.argv[1]), model=sys.argv[2], device="cpu"))
session.load()
for prompt, reply in (("Who made you?", "Dakota did."), ("Where is the key?", "Under the mat.")):
    session.teach(prompt, reply)
session.save()
session.close()
"""
TEXTUAL = """
from textual.app import App
from textual.widgets import Static
class One(App):
    def compose(self):
        yield Static("here I am")
One().run()
"""


@dataclass(frozen=True)
class Took:
    """Seconds of one run: on the wall, and of CPU in user mode. Memory in bytes."""

    wall: float
    cpu: float
    memory: float

    @classmethod
    def of(cls, wall: float, usage: resource.struct_rusage) -> Took:
        return cls(wall, usage.ru_utime, 1024.0 * usage.ru_maxrss)


@dataclass
class Stage:
    """Something to wait for. `peer` names the stage that it is compared with; `most` is the target in wall seconds."""

    name: str
    run: Callable[[], Took]
    peer: str | None = None
    most: float | None = None
    took: list[Took] = field(default_factory=list)

    @property
    def wall(self) -> float:
        return statistics.median(took.wall for took in self.took)

    @property
    def cpu(self) -> float:
        return statistics.median(took.cpu for took in self.took)

    @property
    def memory(self) -> float:
        return statistics.median(took.memory for took in self.took)


class Bench:
    """The stages, in a folder of their own."""

    def __init__(self, folder: Path, model: str) -> None:
        self.home, self.taught, self.fresh = folder / "home", folder / "taught", folder / "fresh"
        # As installed: with compiled modules. The first round, which compiles them, is not counted.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.environment = kept | {"TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none", "THETA_DEVICE": "cpu"}
        self.environment["THETA_MODEL"] = model
        self.keys: list[float] = []
        _write_journal(self.home)
        self._teach(model)
        plain = str(resolve(model))
        self.stages = [
            Stage("python", self._process("-c", "pass")),
            Stage("import textual", self._process("-c", "import textual.app"), "python"),
            Stage("theta --help", self._theta("--help"), "import textual", 0.3),
            *(
                Stage(f"theta {name}", self._theta(name, "--home", str(self.home)), "import textual", 0.5)
                for name in ("history", "lessons", "stats")
            ),
            Stage("textual app", self._frame(["-c", TEXTUAL], b"here I am"), "python"),
            Stage("first frame", self._frame(["-m", "theta_tui"], b"theta"), "textual app", 0.6),
            Stage("import torch", self._process("-c", "import torch"), "python"),
            Stage("plain script", self._process("-c", PLAIN, plain), "import torch"),
            Stage("model ready", self._anew(self._process("-c", READY, str(self.fresh), model)), "plain script", 3.0),
            Stage("back in a home", self._process("-c", READY, str(self.taught), model), "plain script", 3.0),
            Stage("app until idle", self._anew(self._until_idle), "plain script", 3.0),
            Stage(
                "theta prompt hello",
                self._anew(self._theta("prompt", "hello", "--home", str(self.fresh))),
                "plain script",
                4.0,
            ),
        ]

    def measure(self, rounds: int, only: Sequence[str], told: Callable[[str], None]) -> list[Stage]:
        wanted = [stage for stage in self.stages if not only or any(word in stage.name for word in only)]
        peers = {stage.peer for stage in wanted}
        wanted = [stage for stage in self.stages if stage in wanted or stage.name in peers]
        for number in range(rounds + 1):
            for stage in wanted:
                told(f"round {number} of {rounds}: {stage.name}")
                took = stage.run()
                if number:
                    stage.took.append(took)
        told("")
        return wanted

    def type_while_loading(self) -> None:
        """Key to repaint, from the first frame until the app is idle."""
        app = self._app(self.fresh)
        app.until(b"theta")
        for key in KEYS:
            time.sleep(PAUSE)
            self.keys.append(app.press(key))
            if "idle" in app.text:
                break
        app.end()
        self._forget()

    # --- inside ---

    def _process(self, *arguments: str) -> Callable[[], Took]:
        def run() -> Took:
            began = time.perf_counter()
            with subprocess.Popen(
                [sys.executable, *arguments], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            ) as child:
                assert child.stderr is not None
                complaint = child.stderr.read()
                _, status, usage = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
            assert child.returncode == 0, complaint.decode()
            return Took.of(time.perf_counter() - began, usage)

        return run

    def _theta(self, *arguments: str) -> Callable[[], Took]:
        return self._process("-m", "theta_tui", *arguments)

    def _anew(self, run: Callable[[], Took]) -> Callable[[], Took]:
        def fresh() -> Took:
            try:
                return run()
            finally:
                self._forget()

        return fresh

    def _forget(self) -> None:
        for path in sorted(self.fresh.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

    def _app(self, home: Path) -> Drawn:
        return Drawn([sys.executable, "-m", "theta_tui", "--home", str(home)], self.environment)

    def _frame(self, arguments: list[str], what: bytes) -> Callable[[], Took]:
        def run() -> Took:
            drawn = Drawn([sys.executable, *arguments], self.environment | {"THETA_HOME": str(self.fresh)})
            try:
                wall = drawn.until(what)
            finally:
                usage = drawn.end()
            self._forget()
            return Took.of(wall, usage)

        return run

    def _until_idle(self) -> Took:
        app = self._app(self.fresh)
        try:
            while "idle" not in app.text:
                app.read(0.5)
                if time.perf_counter() - app.began > 60:
                    raise TimeoutError(app.text)
            wall = time.perf_counter() - app.began
        finally:
            usage = app.end()
        return Took.of(wall, usage)

    def _teach(self, model: str) -> None:
        arguments = [sys.executable, "-c", TAUGHT, str(self.taught), model]
        subprocess.run(arguments, env=self.environment, check=True, capture_output=True)


def _write_journal(home: Path) -> None:
    """A home with a conversation in it, and nothing else."""
    record = Store.open(Settings(home=home))
    for number in range(1, EXCHANGES + 1):
        prompt, reply = f"What is number {number}?", f"It is the number {number}."
        offered = tuple(Candidate(at, f"{reply} ({at})", -float(at)) for at in range(1, 6))
        seq = record.append(Exchange("pick", prompt, offered[0].text, offered, {"name": "default"}, pick=1)).seq
        outcome = Outcome(number, "pick", prompt, offered[0].text, 2.0, 1.0, 0.1, 0.9, 1, number, True, 0.3, (2.0, 1.0))
        record.append(Learned(seq, outcome, "some machine"))
    record.close()


def _shown(stages: Sequence[Stage]) -> str:
    by_name = {stage.name: stage for stage in stages}
    rows = []
    for stage in stages:
        peer = by_name.get(stage.peer or "")
        ratios = ("", "") if peer is None else (f"{stage.wall / peer.wall:.2f}", f"{stage.cpu / peer.cpu:.2f}")
        most = "" if stage.most is None else f"≤ {stage.most:g}"
        rows.append(
            [
                stage.name,
                f"{stage.wall:.3f}",
                f"{stage.cpu:.3f}",
                f"{stage.memory / 1e6:.0f}",
                stage.peer or "",
                *ratios,
                most,
            ]
        )
    return table(("stage", "wall s", "cpu s", "MB", "peer", "wall ÷", "cpu ÷", "target"), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="stages with one of these words in them")
    parser.add_argument("--keys", action="store_true", help="also type while it loads")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)

    def told(text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[2K{text}")

    with TemporaryDirectory(prefix="theta-startup-") as folder:
        bench = Bench(Path(folder), options.model)
        stages = bench.measure(options.rounds, options.only, told)
        if options.keys:
            for _ in range(options.rounds):
                bench.type_while_loading()
    keys = sorted(bench.keys)
    delays = {
        "keys": len(keys),
        "median": statistics.median(keys),
        "p99": keys[min(len(keys) - 1, round(0.99 * (len(keys) - 1)))],
        "worst": keys[-1],
    } if keys else None  # fmt: skip
    if options.json:
        figures = [
            {
                "stage": stage.name,
                "wall": stage.wall,
                "cpu": stage.cpu,
                "memory": stage.memory,
                "peer": stage.peer,
                "target": stage.most,
            }
            for stage in stages
        ]
        print(
            json.dumps(
                {
                    "schema": 1,
                    "benchmark": "startup",
                    "model": options.model,
                    "rounds": options.rounds,
                    "stages": figures,
                    "typing": delays,
                }
            )
        )
        return
    print(_shown(stages))
    if delays is not None:
        print(
            f"key to repaint while it loads, {delays['keys']} keys: median {1e3 * delays['median']:.0f} ms, "
            f"99 % {1e3 * delays['p99']:.0f} ms, worst {1e3 * delays['worst']:.0f} ms"
        )


if __name__ == "__main__":
    main()
