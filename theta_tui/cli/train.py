"""`theta train`: checks options, passes them to `pretrain.command`, and prints the result.

Imports neither torch nor transformers, so that `theta train -h` is fast.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theta_tui.base.errors import UsageError
from theta_tui.base.text import plural
from theta_tui.cli.console import Invocation

if TYPE_CHECKING:
    from theta_tui.pretrain.command import TrainOptions, TrainResult

_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9}


def train(
    call: Invocation,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE[:WEIGHT]…",
            help="Data sets: files or folders, plain, .gz or .zst. Weight 0.3 takes 30 % an epoch, 2 takes all twice.",
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The model folder to create or continue.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show three samples with their loss mask and the token counts.")
    ] = False,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Passes over the data.")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Time to train for.")] = None,
    tokens: Annotated[str | None, typer.Option("--tokens", help="Tokens to train on, as in 10M.")] = None,
    size: Annotated[str, typer.Option("--size", help="From scratch: 1m, 4m, 10m, 25m, 50m or 100m.")] = "10m",
    vocabulary: Annotated[int, typer.Option("--vocabulary", help="From scratch: tokens of the tokenizer.")] = 6144,
    length: Annotated[
        int, typer.Option("--length", help="Tokens per row; from scratch, also the context window.")
    ] = 512,
    batch_tokens: Annotated[int, typer.Option("--batch-tokens", help="Tokens per step.")] = 8192,
    rows: Annotated[int, typer.Option("--rows", help="Rows per pass, to save memory; 0 takes all at once.")] = 0,
    optimizer: Annotated[str | None, typer.Option("--optimizer", help="muon (from scratch) or adamw.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="AdamW's learning rate.")] = None,
    muon_lr: Annotated[float | None, typer.Option("--muon-lr", help="Muon's learning rate.")] = None,
    loss: Annotated[
        str | None, typer.Option("--loss", help="What the loss covers: all (from scratch) or reply.")
    ] = None,
    validation: Annotated[float, typer.Option("--validation", help="Share of the data that is held out.")] = 0.01,
    compiled: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Use torch.compile; by default when it pays off.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", help="CPU threads; 0 lets PyTorch choose.")] = 0,
    save_minutes: Annotated[
        float, typer.Option("--save-minutes", help="Minutes between saves from which a killed run continues.")
    ] = 5.0,
    validate_minutes: Annotated[float, typer.Option("--validate-minutes", help="Minutes between validations.")] = 10.0,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Skip bad lines and count them.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Start over instead of continuing.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard logs.")] = False,
) -> None:
    """Batch training on data sets: from scratch, or continued from --model. With --lora on an adapter learns alone."""
    from theta_tui.model.lora import RANK
    from theta_tui.pretrain.command import TrainOptions
    from theta_tui.pretrain.documents import parse_source

    sources = tuple(parse_source(file) for file in files)
    if out is None and not dry_run:
        raise UsageError("say where the model goes: --out DIR")
    for name, value, choices in (("--optimizer", optimizer, ("muon", "adamw")), ("--loss", loss, ("all", "reply"))):
        if value is not None and value not in choices:
            raise UsageError(f"{name} {value} is not one of {', '.join(choices)}")
    for name, number, low in (
        ("--epochs", epochs, 0.0), ("--minutes", minutes, 0.0), ("--lr", lr, 0.0), ("--muon-lr", muon_lr, 0.0),
        ("--batch-tokens", batch_tokens, 0), ("--length", length, 7), ("--vocabulary", vocabulary, 259),
    ):  # fmt: skip
        if number is not None and not low < number < math.inf:
            raise UsageError(f"{name} {number:g} must be more than {low:g}")
    if not 0 <= validation < 1:
        raise UsageError(f"--validation {validation:g} must be at least 0 and less than 1")
    model = call.flags.get("model")
    options = TrainOptions(
        sources=sources,
        out=out or Path("."),
        model=None if model is None else str(model),
        size=size,
        vocabulary=vocabulary,
        length=length,
        epochs=epochs,
        minutes=minutes,
        tokens=None if tokens is None else _count(tokens),
        batch_tokens=batch_tokens,
        micro_rows=rows,
        optimizer=optimizer,  # type: ignore[arg-type]
        lr=lr,
        muon_lr=muon_lr,
        loss=loss,  # type: ignore[arg-type]
        lora_rank=(call.settings.lora_rank or RANK) if call.settings.lora == "on" else None,
        validation=validation,
        seed=1 if call.settings.seed is None else call.settings.seed,
        device=call.settings.device,
        dtype=call.settings.dtype,
        compile=compiled,
        threads=threads or call.settings.threads,
        save_minutes=save_minutes,
        validate_minutes=validate_minutes,
        skip_bad=skip_bad,
        restart=restart,
        offline=call.settings.offline,
        tensorboard=tensorboard,
    )
    from theta_tui.pretrain import command

    if dry_run:
        _dry_run(call, options)
        return
    from theta_tui.pretrain.progress import ProgressDisplay

    progress = ProgressDisplay(
        quiet=call.settings.quiet, tensorboard=options.out / command.STATE if tensorboard else None
    )
    result = command.train(options, call.note, progress)
    call.done = f"{result.out} was written"
    if result.main:
        _report(call, result)
    if result.stopped is not None:
        raise typer.Exit(128 + result.stopped)


def _report(call: Invocation, result: TrainResult) -> None:
    if call.json:
        call.emit(
            out=str(result.out), step=result.step, tokens=result.tokens, seconds=round(result.seconds, 3),
            bits_per_byte=result.bits_per_byte, best_step=result.best_step, finished=result.stopped is None,
        )  # fmt: skip
    elif result.stopped is not None:
        call.out(f"stopped at step {result.step:,}; the same command continues from there")
    else:
        scored = "" if result.bits_per_byte is None else f", {result.bits_per_byte:.4f} bits per byte"
        done = f"{plural(result.step, 'step')}, {plural(result.tokens, 'token')}"
        call.out(f"{result.out}: {done}{scored}; try: theta --model {result.out}")


def _dry_run(call: Invocation, options: TrainOptions) -> None:
    from theta_tui.pretrain import preview

    previewed = preview.make_preview(options, call.stage)
    call.stage("")
    if call.json:
        call.emit(
            samples=[
                {"place": item.place, "pieces": item.pieces, "tokens": item.tokens, "learned": item.learned}
                for item in previewed.samples
            ],
            data=[
                {"name": item.name, "weight": item.weight, "documents": item.documents, "tokens": item.tokens,
                 "learned": item.learned, "skipped": item.skipped, "context_only": item.context_only,
                 "left_out": item.left_out, "unused": item.unused, "notices": item.notices}
                for item in previewed.summaries
            ],
        )  # fmt: skip
        return
    for item in previewed.samples:
        call.out(f"{item.place}: {plural(item.tokens, 'token')}, {item.learned:,} learned (between ⟦ and ⟧)")
        call.out("".join(f"⟦{text}⟧" if learned else text for text, learned in item.pieces))
        call.out("")
    for summary in previewed.summaries:
        call.out(
            f"{summary.name}: {plural(summary.documents, 'document')}, {plural(summary.tokens, 'token')}, "
            f"{summary.learned:,} learned, weight {summary.weight:g}"
        )
        for notice in summary.notices:
            call.out(f"{summary.name}: {notice}")


def _count(text: str) -> int:
    """`10M`, `500k` or `1000000` as a number."""
    word = text.strip().lower().replace(",", "").replace("_", "")
    unit = _UNITS.get(word[-1:], 1.0)
    try:
        number = float(word[:-1] if unit != 1.0 else word) * unit
    except ValueError:
        number = math.nan
    if not 1 <= number < 1e15:
        raise UsageError(f"--tokens {text} is not a number of tokens, as in 10M")
    return int(number)
