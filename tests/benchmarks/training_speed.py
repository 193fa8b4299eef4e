"""Tokens a second of `theta train` against a plain Transformers loop on the same documents, in the same run.

    python -m tests.benchmarks.training_speed FILE… [--size 10m] [--rounds 3] [--steps 4] [--compile] [--json OUT]

The peer pads each batch to its longest document, takes the model's own loss and steps with AdamW: what a first script
does. Only tokens of documents count, never padding. Rounds alternate; the figures are medians. The share is that of
the machine's matrix products: 6 operations a weight and token, and attention's own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from accelerate import Accelerator

import theta_tui.model  # noqa: F401  # its environment must stand before torch is imported
from theta_tui.bench.tables import table
from theta_tui.pretrain.batches import Batch, StreamPosition, stream
from theta_tui.pretrain.command import TrainOptions, flops_a_token, matrix_rate, model_for
from theta_tui.pretrain.corpus import Corpus, prepare
from theta_tui.pretrain.documents import parse_source
from theta_tui.pretrain.encode import Encoder
from theta_tui.pretrain.trainer import Budget, Plan, Trainer


def packed(trainer: Trainer, batches: Iterator[tuple[Batch, StreamPosition]], steps: int) -> int:
    """`steps` steps of ours; the tokens they took."""
    tokens = 0
    for _ in range(steps):
        batch, _ = next(batches)
        trainer.step(batch, 1.0)
        tokens += batch.tokens
    return tokens


def padded(model: Any, optimizer: torch.optim.Optimizer, documents: Iterator[list[list[int]]], steps: int) -> int:
    """`steps` steps of the plain loop; the tokens they took."""
    tokens = 0
    for _ in range(steps):
        rows = next(documents)
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        model(
            input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100), use_cache=False
        ).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tokens += sum(map(len, rows))
    return tokens


def chunks(corpus: Corpus, tokens: int) -> Iterator[list[list[int]]]:
    """Documents in the order of an epoch, about `tokens` at a time."""
    rows: list[list[int]] = []
    for number in corpus.epoch(1, 0):
        rows.append(corpus.tokens[corpus.starts[number] : corpus.starts[number + 1]].tolist())
        if sum(map(len, rows)) >= tokens:
            yield rows
            rows = []


def timed(work: Callable[[], int]) -> float:
    """Tokens a second."""
    began = time.perf_counter()
    tokens = work()
    return tokens / (time.perf_counter() - began)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--size", default="10m")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    with TemporaryDirectory() as name:
        folder = Path(name)
        options = TrainOptions(
            tuple(map(parse_source, given.files)), folder / "out", size=given.size, batch_tokens=6144
        )
        subject = model_for(options, folder, print)
        encoder = Encoder(subject.chat, length=options.length, loss="all")
        corpus = prepare(options.sources, encoder, folder / "data", tokenizer_key="", validation=0.0)
        plan = Plan(
            length=options.length, rows=options.batch_tokens // options.length, optimizer="muon", lr=3e-3,
            muon_lr=0.02, weight_decay=0.05, warmup=0.0, decay=0.0, seed=1,
        )  # fmt: skip
        accelerator = Accelerator(cpu=True)
        ours = Trainer(
            subject.model, corpus, plan, Budget(tokens=1), folder / "state", accelerator, compiled=given.compile
        )
        batches = stream(corpus, seed=1, rows=plan.rows, length=plan.length, start=StreamPosition())
        peer = model_for(options, folder, print).model
        adamw = torch.optim.AdamW(peer.parameters(), lr=3e-4, fused=True)
        documents = chunks(corpus, options.batch_tokens)
        packed(ours, batches, 1)  # compiles
        padded(peer, adamw, documents, 1)
        rates: dict[str, list[float]] = {"theta train": [], "plain loop": []}
        limits = []
        for _ in range(given.rounds):
            limits.append(matrix_rate("cpu", torch.float32))
            rates["theta train"].append(timed(lambda: packed(ours, batches, given.steps)))
            rates["plain loop"].append(timed(lambda: padded(peer, adamw, documents, given.steps)))
        limit = statistics.median(limits)
        flops = flops_a_token(subject.model, options.length)
        ratio = statistics.median(a / b for a, b in zip(rates["theta train"], rates["plain loop"], strict=True))
    found = {name: statistics.median(values) for name, values in rates.items()}
    rows = [[name, f"{rate:,.0f}", f"{rate * flops / limit:.0%}"] for name, rate in found.items()]
    print(table(["", "tokens/s", "share of a matrix product's rate"], rows))
    print(f"matrix products: {limit / 1e9:,.0f} GFLOP/s; theta train / plain loop: {ratio:.2f}")
    if given.json:
        given.json.write_text(json.dumps({"rates": rates, "limit": limit, "ratio": ratio}), "utf-8")


if __name__ == "__main__":
    main()
