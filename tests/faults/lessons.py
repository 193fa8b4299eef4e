"""Homes to hurt: lessons without a model, and every kind of record."""

from __future__ import annotations

import math

from theta_tui.store.records import (
    Asked,
    Begin,
    Candidate,
    Consolidated,
    ContextImported,
    ConversationStarted,
    Exchange,
    Failure,
    Finding,
    Kind,
    Learned,
    Outcome,
    Pending,
    Record,
    Restore,
    Said,
    Withdraw,
)
from theta_tui.store.store import Store

OFFERED = (Candidate(1, "Hi\u2028", -1.5), Candidate(2, "ho \ud800", math.nan, ended=False))


def outcome(number: int, kind: Kind = "pick") -> Outcome:
    return Outcome(number, kind, "a", "b", 2.5, 0.5, 0.02, 0.97, 1, number, True, 0.25, (2.5, 0.5))


def fifty() -> list[Record]:
    """Fifty records, short ones, of every kind but the one that moves a home to another model."""
    records: list[Record] = [Begin("m", "f" * 16, "0.1")]
    for number in range(1, 12):
        seq = len(records) + 1
        kind: Kind = ("pick", "correction", "statement")[number % 3]  # type: ignore[assignment]
        records += [
            Exchange(kind, f"p{number}", f"r{number}\x1b\u202e", OFFERED[: number % 3], {"lr": 1e-4}, prompt_id="ab12"),
            Learned(seq, outcome(number, kind), "torch"),
        ]
        records.append(
            (
                Withdraw(seq),
                Asked((Finding(2, 0.5, True),)),
                Said(f"s{number}", "so.", OFFERED, "cd34") if number % 2 else ConversationStarted(),
                ContextImported((("a", 'b"\\'),)),
                Failure("it broke"),
                Consolidated(seq, 1, 2, {"lr": 1e-4}, "torch"),
            )[number % 6]
        )
        if number % 6 == 0:
            records.append(Restore(seq))
    while len(records) < 50:
        records.append(Exchange("none", f"p{len(records)}", "", (), {}))
    return records


def teach(record: Store, prompt: str, reply: str) -> int:
    """What a Session journals of a lesson and does beside it, without a model. Returns the exchange's seq."""
    waiting = record.pending
    answers = waiting is not None and waiting.prompt == prompt
    said = Exchange(
        "correction", prompt, reply, waiting.candidates if waiting and answers else (), {},
        prompt_id=waiting.prompt_id if waiting and answers else None,
    )  # fmt: skip
    seq = record.append(said).seq
    record.append(Learned(seq, outcome(record.state.lesson(seq).number, "correction"), "torch"))
    if answers:
        record.follow(None)
    record.write_context()
    return seq


def offer(record: Store, prompt: str) -> Pending:
    waiting = Pending(f"{record.journal.last_seq:08x}", prompt, OFFERED)
    record.keep(waiting)
    return waiting
