"""What a long history costs: opening the journal, an append, the book-keeping of a turn, a report, memory.

    python -m tests.benchmarks.growth [--most 100000] [--conversation 100] [--json OUT]

Homes of 100, 1,000, 10,000 … exchanges are written by the real codec. Of a turn everything is done but what the model
does, through the real Session and the real Worker's snapshot. "opened" is the home read and the first report to the
screen made of it. The peers, in the same run and in turns with ours: for opening `json.loads` of the same lines, for
an append a bare write and fsync of the same bytes, for a turn and a report the smallest home. Times are medians; those
that no disk is waited for in are of the process, so that a busy machine does not count as ours.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from theta_tui.base.config import Settings
from theta_tui.bench.tables import table
from theta_tui.learning.recipes import RECIPES
from theta_tui.session import session as sessions
from theta_tui.session.service import Service
from theta_tui.session.session import Session
from theta_tui.session.thread import Worker
from theta_tui.store.codec import encode
from theta_tui.store.pending import new_prompt_id
from theta_tui.store.records import (
    Begin,
    Candidate,
    ConversationStarted,
    Exchange,
    Failure,
    Finding,
    Learned,
    Outcome,
    Pending,
    Record,
)
from theta_tui.store.store import Store

OPENINGS = 5
TURNS = 30
WORDS = ("river", "lantern", "seven", "bridge", "Nora", "green", "under", "letter", "harbour", "winter", "quiet", "tin")
MEBI = 1 << 20


def phrase(number: int, words: int) -> str:
    return " ".join(WORDS[(number // 7**at + at) % len(WORDS)] for at in range(words))


def candidates(number: int) -> tuple[Candidate, ...]:
    return tuple(Candidate(at, f"{phrase(number + at, 12)}.", -9.25 - at - 1 / 3) for at in range(1, 6))


def outcome(number: int, kind: str, prompt: str, reply: str) -> Outcome:
    losses = (2.7183, 1.2021, 0.5772, 0.2614)
    return Outcome(
        number, kind, prompt, reply, 2.718281828, 0.261497212, 1.6e-05, 0.8414709848, 3, 3 * number, True, 0.512,  # type: ignore[arg-type]
        losses,
    )  # fmt: skip


def history(exchanges: int, conversation: int) -> Iterator[Record]:
    """A home's records: picks and corrections by turns, one in fifty on an earlier question again."""
    recipe = RECIPES["default"].as_dict()
    yield Begin("default", "0" * 16, "0.1.0")
    seq = 1
    for number in range(1, exchanges + 1):
        if number % conversation == 0:
            yield ConversationStarted()
            seq += 1
        about = number // 2 if number % 50 == 0 else number
        prompt, offered = f"{phrase(about, 8)} {about}?", candidates(number)
        kind, reply = ("pick", offered[2].text) if number % 2 else ("correction", f"{phrase(number, 10)} {number}.")
        yield Exchange(kind, prompt, reply, offered, recipe, pick=3 if number % 2 else None, prompt_id=f"{number:08x}")  # type: ignore[arg-type]
        seq += 1
        yield Learned(seq, outcome(number, kind, prompt, reply), "m" * 16)
        seq += 1


def write_home(home: Path, exchanges: int, conversation: int) -> Settings:
    home.mkdir(mode=0o700)
    with open(home / "journal.jsonl", "wb") as file:
        for seq, record in enumerate(history(exchanges, conversation), 1):
            file.write(encode(seq, 1_700_000_000 + seq / 8, record))
    return Settings(home=home, lock_wait=1)


def learn(*given: Any, **hooks: Any) -> Any:
    return SimpleNamespace(
        loss_before=2.7, loss_after=0.2, p_before=1e-5, p_after=0.9, steps=3, learned=True, losses=(2.7, 0.2),
        skipped=None,
    )  # fmt: skip


class BookKeeper(Session):
    """A Session whose model is none: all else is as it is."""

    def furnish(self) -> None:
        sessions.learn = learn
        self.replay._model = SimpleNamespace(  # type: ignore[assignment]
            encode_lesson=lambda *given, **more: None, machine=lambda: "m" * 16, parameters=1, device="cpu"
        )
        state = SimpleNamespace(nbytes=256 * MEBI)
        self.replay._learner = SimpleNamespace(  # type: ignore[assignment]
            snapshot=lambda: state, restore=lambda state: None, step=1, modules={},
        )  # fmt: skip


def seconds(work: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    began = clock()
    work()
    return clock() - began


def serving(session: Session) -> Service:
    """What reports of `session`, on no thread."""
    worker = Worker(session.settings, lambda _: session)
    return Service(session, lambda _: None, worker, worker.idle)


def told(settings: Settings) -> Service:
    """The home opened for reading, and the first report made of it."""
    service = serving(BookKeeper(Store.read(settings)))
    service.snapshot()
    return service


def opening(settings: Settings) -> dict[str, Any]:
    """Opening against parsing alone, in turns."""
    lines = (settings.home / "journal.jsonl").read_bytes().splitlines()
    ours, first, peer = [], [], []
    for _ in range(OPENINGS):
        gc.collect()
        ours.append(seconds(lambda: Store.read(settings)))
        gc.collect()
        first.append(seconds(lambda: told(settings)))
        gc.collect()
        peer.append(seconds(lambda: [json.loads(line) for line in lines]))
    ratio = statistics.median(a / b for a, b in zip(ours, peer, strict=True))
    medians = {name: statistics.median(of) for name, of in (("open_s", ours), ("opened_s", first), ("json_s", peer))}
    return medians | {"open_ratio": ratio}


def held(settings: Settings, exchanges: int) -> float:
    """Bytes an exchange that an open home holds."""
    gc.collect()
    tracemalloc.start()
    service = told(settings)
    gc.collect()
    found = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert service is not None
    return (found - 4096) / exchanges


def turning(settings: Settings) -> dict[str, Any]:
    """Appends, turns and reports in an open home."""
    record = Store.open(settings)
    session = BookKeeper(record)
    session.furnish()
    record.write_context()
    service = serving(session)
    service.snapshot()
    line = encode(record.journal.last_seq + 1, time.time(), Failure("x" * 900))
    bare = os.open(settings.home / "bare", os.O_WRONLY | os.O_CREAT, 0o600)
    times: dict[str, list[float]] = {"turn": [], "append": [], "bare": [], "report": []}

    def bare_append() -> None:
        os.write(bare, line)
        os.fsync(bare)

    def turn(number: int) -> None:
        prompt, offered = f"{phrase(number, 8)} {number} again?", candidates(number)
        record.keep(Pending(new_prompt_id(), prompt, offered))
        service.snapshot()
        session.pick(1 + number % 5)
        service.snapshot()
        assert session.unsaved

    def report(number: int) -> None:
        review, lesson = session.review, record.state.lessons[number]
        review._found[lesson.seq] = Finding(lesson.seq, 0.2, number % 2 == 0)
        review.changes += 1
        service.snapshot()

    gc.collect()
    for number in range(TURNS):
        times["turn"].append(seconds(lambda n=number: turn(n)))  # type: ignore[misc]
        times["append"].append(seconds(lambda: record.append(Failure("x" * 900)), time.perf_counter))
        times["bare"].append(seconds(bare_append, time.perf_counter))
        times["report"].append(seconds(lambda n=number: report(n % 8)))  # type: ignore[misc]
    os.close(bare)
    session.review._found.clear()
    record.close()
    found: dict[str, Any] = {f"{name}_s": statistics.median(values) for name, values in times.items()}
    ratio = statistics.median(a / b for a, b in zip(times["append"], times["bare"], strict=True))
    return found | {"append_ratio": ratio}


def shown(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{1000 * value:,.2f}" if name.endswith("_s") else f"{value:,.2f}" if "ratio" in name else f"{value:,.0f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=100_000, help="exchanges of the largest home")
    parser.add_argument("--conversation", type=int, default=100, help="exchanges of one conversation")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    sizes = [10**power for power in range(2, 9) if 10**power <= given.most]
    found: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        for size in sizes:
            settings = write_home(Path(folder) / str(size), size, given.conversation)
            one = {"exchanges": size} | opening(settings) | {"held_bytes": held(settings, size)}
            found.append(one | turning(settings))
    names = {
        "open_s": "open, ms", "open_ratio": "× json.loads", "opened_s": "opened, ms", "append_s": "append, ms",
        "append_ratio": "× write+fsync", "turn_s": "turn, ms", "report_s": "report, ms", "held_bytes": "bytes held",
    }  # fmt: skip
    rows = []
    for one in found:
        cells = [shown(name, one.get(name)) for name in names]
        rows.append([f"{one['exchanges']:,}", *cells])
    print(table(("exchanges", *names.values()), rows))
    for name in ("turn", "report"):
        ratio = found[-1][f"{name}_s"] / found[0][f"{name}_s"]
        print(f"a {name} at {found[-1]['exchanges']:,} / at {found[0]['exchanges']:,} exchanges: {ratio:.2f}")
    if given.json:
        given.json.write_text(json.dumps({"conversation": given.conversation, "homes": found}), "utf-8")


if __name__ == "__main__":
    main()
