"""A whole turn: five replies to a prompt, a lesson, its proof. And whether the thousandth costs more than the tenth.

    python -m tests.benchmarks.turn [--rounds 5] [--model default] [--threads 2] [--json]
    python -m tests.benchmarks.turn --turns 1000 [--model tiny] [--tokens 8] [--recipe classic] [--json]

The first drives the real Session: 5 replies of 40 tokens, then a correction, with everything that belongs to it (the
journal on disk, the proof before and after). The peer does the same to the same tokens with plain Transformers:
`generate`, P of the reply, one step of fused AdamW, P of the reply. Rounds take turns and ratios are medians of those
within a round. The *classic* recipe is one step of AdamW as well, the same work; the default one goes on until the
model says the reply, which one step does not bring about: `learned` counts how often it did.

The second sends so many turns (a prompt, a pick) through the real Worker, a new conversation every fifth: the seconds
of a turn, on the wall and of CPU, as medians of the ten before turn 10, 100, 1,000, and the memory of the process then.
The model *tiny* is that of the tests, for which a turn is little more than what is done around the model.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import queue
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import theta_tui.model  # noqa: F401  # its environment must stand before torch is imported
from tests.benchmarks.candidates import endless
from tests.benchmarks.growth import phrase
from theta_tui.base.config import Settings
from theta_tui.bench.tables import table
from theta_tui.model.language_model import LanguageModel
from theta_tui.session.commands import NewConversation, Pick, Propose
from theta_tui.session.protocol import Event, Failed, Proposed, Ready, Taught
from theta_tui.session.session import Session
from theta_tui.session.thread import Worker
from theta_tui.store.store import Store
from theta_tui.ui.launch import open_session

REPLIES, TOKENS = 5, 40
RECIPES = ("default", "classic")
LR = 1e-5
CONVERSATION = 5
"""Turns of one, where there are many."""
MEBI = 1 << 20


class Plain:
    """The peer: a model of its own, Transformers' loop, AdamW's fused step."""

    def __init__(self, name: str, threads: int) -> None:
        import torch

        self.lm = LanguageModel.load(name, device="cpu", threads=threads, transformers=True)
        self.optimizer = torch.optim.AdamW(self.lm.model.parameters(), lr=LR, fused=True)

    def turn(self, asked: list[int], lesson: list[int], labels: list[int]) -> dict[str, float]:
        """Seconds of each stage, for the prompt's ids and those of the lesson."""
        import torch

        model: Any = self.lm.model
        ids, wanted = torch.tensor([lesson]), torch.tensor([labels])
        begun = time.perf_counter()
        given = torch.tensor([asked])
        model.generate(
            given, attention_mask=torch.ones_like(given), pad_token_id=0, eos_token_id=None, do_sample=True,
            temperature=0.7, num_return_sequences=REPLIES, max_new_tokens=TOKENS,
        )  # fmt: skip
        proposed = time.perf_counter()
        with torch.no_grad():
            before = float(model(input_ids=ids, labels=wanted, use_cache=False).loss)
        model(input_ids=ids, labels=wanted, use_cache=False).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        with torch.no_grad():
            after = float(model(input_ids=ids, labels=wanted, use_cache=False).loss)
        assert after != before
        return {"replies": proposed - begun, "lesson": time.perf_counter() - proposed}


def turn(session: Session, number: int) -> tuple[dict[str, float], bool, list[int], list[int], list[int]]:
    """One of ours: seconds of each stage, whether it says the reply now, and the ids that the peer needs."""
    prompt, reply = f"What is {phrase(number, 3)} {number}?", f"It is {phrase(number + 3, 5)}."
    record, model = session.store, session.model
    asked = model.encode_prompt(record.state.history, prompt, room=TOKENS, limit=session.settings.window).ids
    begun = time.perf_counter()
    with endless(model):
        session.propose(prompt)
    proposed = time.perf_counter()
    outcome = session.correct(reply)
    taken = {"replies": proposed - begun, "lesson": time.perf_counter() - proposed}
    example = model.encode_lesson(record.state.active[-1].context, prompt, reply)
    return taken, outcome.learned, asked, example.input_ids, example.labels


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Rounds of turns, ours by each recipe and the peer's."""
    taken: dict[str, list[dict[str, float]]] = {"plain script": []}
    learned: dict[str, int] = {}
    with TemporaryDirectory(prefix="theta-turn-") as folder:
        sessions: dict[str, Session] = {}
        for recipe in RECIPES:
            settings = Settings(
                home=Path(folder) / recipe, model=options.model, device="cpu", threads=options.threads,
                recipe=recipe, max_tokens=TOKENS, statements=False,
            )  # fmt: skip
            sessions[recipe] = Session(Store.open(settings))
            sessions[recipe].load()
            sessions[recipe].get_ready()
            taken[f"theta, {recipe}"], learned[f"theta, {recipe}"] = [], 0
        plain = Plain(options.model, options.threads)
        for number in range(options.rounds + 1):
            for recipe, session in sessions.items():
                name = f"theta, {recipe}"
                stages, says, asked, lesson, labels = turn(session, number)
                if number:  # the first round warms up
                    taken[name].append(stages)
                    learned[name] += says
                if recipe == RECIPES[0]:
                    theirs = plain.turn(asked, lesson, labels)
                    if number:
                        taken["plain script"].append(theirs)
        machine = plain.lm.machine()
        for session in sessions.values():
            session.close()
    return {
        "schema": 1, "benchmark": "turn", "model": options.model, "machine": machine, "rounds": options.rounds,
        "results": {
            name: {
                **{stage: statistics.median(one[stage] for one in some) for stage in ("replies", "lesson")},
                "turn": statistics.median(sum(one.values()) for one in some),
                "ratio": statistics.median(
                    sum(one.values()) / sum(other.values())
                    for one, other in zip(some, taken["plain script"], strict=True)
                ),
                "learned": learned.get(name),
            }
            for name, some in taken.items()
        },
    }  # fmt: skip


class Lessons:
    """A Worker, and turns sent through it from this thread."""

    def __init__(self, settings: Settings) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._worker = Worker(settings, open_session)
        self._worker.start(self._events.put)
        self._until(Ready)

    def turn(self, number: int) -> tuple[float, float]:
        """One turn; its seconds on the wall and of CPU."""
        if number % CONVERSATION == 0:
            self._worker.send(NewConversation())
        begun, spent = time.perf_counter(), time.process_time()
        self._worker.send(Propose(f"What is {phrase(number, 5)} {number}?"))
        pending = self._until(Proposed).snapshot.pending
        assert pending is not None
        self._worker.send(Pick(pending.prompt_id, 1 + number % REPLIES))
        self._until(Taught)
        return time.perf_counter() - begun, time.process_time() - spent

    def close(self) -> None:
        self._worker.request_stop()
        assert self._worker.join(30)

    def _until(self, kind: type[Event]) -> Event:
        while not isinstance(event := self._events.get(timeout=600), kind):
            assert not isinstance(event, Failed), event.message
        return event


def tiny(folder: Path) -> Path:
    """The tests' model, written into `folder`."""
    from tests.support.tiny_models import make_tiny

    return make_tiny(folder)


def resident() -> int:
    """Bytes of this process that are in memory, without those that the C library keeps for later: how many those are
    hangs by what was freed last."""
    gc.collect()
    with suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * 4096


def grow(options: argparse.Namespace, told: Callable[[str], None]) -> dict[str, Any]:
    """Turns up to so many; what they cost along the way."""
    rows = []
    with TemporaryDirectory(prefix="theta-turns-") as folder:
        model = str(tiny(Path(folder) / "model")) if options.model == "tiny" else options.model
        lessons = Lessons(Settings(
            home=Path(folder) / "home", model=model, device="cpu", threads=options.threads, recipe=options.recipe,
            max_tokens=options.tokens, idle=False,
        ))  # fmt: skip
        looks = [count for count in (10, 30, 100, 300, 1_000, 3_000, 10_000) if count <= options.turns]
        last: list[tuple[float, float]] = []
        for number in range(1, options.turns + 1):
            last = [*last, lessons.turn(number)][-10:]
            if number in looks:
                wall, cpu = (statistics.median(some) for some in zip(*last, strict=True))
                rows.append({"turn": number, "seconds": wall, "cpu": cpu, "memory": resident()})
                told(f"turn {number}: {wall:.3f} s, {cpu:.3f} s of CPU, {rows[-1]['memory'] / MEBI:.0f} MiB")
        lessons.close()
    return {
        "schema": 1, "benchmark": "turns", "model": options.model, "recipe": options.recipe, "tokens": options.tokens,
        "results": rows,
    }  # fmt: skip


def shown(found: dict[str, Any]) -> str:
    if found["benchmark"] == "turns":
        base = found["results"][0]
        return f"{found['model']}, recipe {found['recipe']}, replies of {found['tokens']} tokens, picks\n" + table(
            ("turn", "seconds", "of CPU", "÷ first", "memory MiB", "more"),
            [
                [
                    f"{row['turn']:,}",
                    f"{row['seconds']:.3f}",
                    f"{row['cpu']:.3f}",
                    f"{row['cpu'] / base['cpu']:.2f}",
                    f"{row['memory'] / MEBI:.1f}",
                    f"{(row['memory'] - base['memory']) / MEBI:+.1f}",
                ]
                for row in found["results"]
            ],
        )
    rows = [
        [
            name,
            *(f"{1000 * row[stage]:.0f} ms" for stage in ("replies", "lesson", "turn")),
            f"{row['ratio']:.2f}",
            "" if row["learned"] is None else f"{row['learned']}/{found['rounds']}",
        ]
        for name, row in found["results"].items()
    ]
    head = f"{found['model']}, {found['machine']}\n{REPLIES} replies of {TOKENS} tokens, a correction; medians of"
    return f"{head} {found['rounds']}\n" + table(
        ("", "replies", "lesson and proof", "turn", "÷ plain script", "learned"), rows
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=0, help="go through so many, and tell what grew")
    parser.add_argument("--tokens", type=int, default=8, help="of a reply, with --turns")
    parser.add_argument("--recipe", default="classic", help="with --turns")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)

    def told(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    found = grow(options, told) if options.turns else measure(options)
    with suppress(BrokenPipeError):
        print(json.dumps(found) if options.json else shown(found))


if __name__ == "__main__":
    main()
