"""`theta train`: its options, checked, turned into what `foundation.command` takes, and what it prints.

Imports neither torch nor transformers: `theta train -h` is as quick as any help.
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
    from theta_tui.pretrain.command import Made, Options

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
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The model folder to make, or to go on with.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show three samples with their loss mask and the token counts.")
    ] = False,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Passes over the data.")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Time to train for.")] = None,
    tokens: Annotated[str | None, typer.Option("--tokens", help="Tokens to train on, as in 10M.")] = None,
    size: Annotated[str, typer.Option("--size", help="From scratch: 1m, 4m, 10m, 25m, 50m or 100m.")] = "10m",
    vocabulary: Annotated[int, typer.Option("--vocabulary", help="From scratch: tokens of the tokenizer.")] = 6144,
    length: Annotated[int, typer.Option("--length", help="Tokens a row; from scratch, the window.")] = 512,
    batch_tokens: Annotated[int, typer.Option("--batch-tokens", help="Tokens a step.")] = 8192,
    rows: Annotated[int, typer.Option("--rows", help="Rows at a time, to save memory; 0 is all of a step's.")] = 0,
    optimizer: Annotated[str | None, typer.Option("--optimizer", help="muon (from scratch) or adamw.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="AdamW's learning rate.")] = None,
    muon_lr: Annotated[float | None, typer.Option("--muon-lr", help="Muon's learning rate.")] = None,
    loss: Annotated[
        str | None, typer.Option("--loss", help="all (from scratch) or reply: what the loss is taken on.")
    ] = None,
    validation: Annotated[float, typer.Option("--validation", help="Share of the data that is held out.")] = 0.01,
    compiled: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="torch.compile; by default where it pays.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", help="CPU threads; 0 lets PyTorch choose.")] = 0,
    save_minutes: Annotated[
        float, typer.Option("--save-minutes", help="Between two states to go on from, after a kill say.")
    ] = 5.0,
    validate_minutes: Annotated[float, typer.Option("--validate-minutes", help="Between two validations.")] = 10.0,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad lines out and count them.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew instead of going on.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write what TensorBoard reads.")] = False,
) -> None:
    """Batch training on data sets: from scratch, or continued from --model."""
    from theta_tui.pretrain.command import Options
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
        raise UsageError(f"--validation {validation:g} must be a share from 0 to below 1")
    model = call.flags.get("model")
    options = Options(
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
    from theta_tui.pretrain.progress import Watch

    watch = Watch(quiet=call.settings.quiet, tensorboard=options.out / command.STATE if tensorboard else None)
    made = command.train(options, call.note, watch)
    call.done = f"{made.out} was written"
    if made.main:
        _report(call, made)
    if made.stopped is not None:
        raise typer.Exit(128 + made.stopped)


def _report(call: Invocation, made: Made) -> None:
    if call.json:
        call.emit(
            out=str(made.out), step=made.step, tokens=made.tokens, seconds=round(made.seconds, 3),
            bits_per_byte=made.bits_per_byte, best_step=made.best_step, finished=made.stopped is None,
        )  # fmt: skip
    elif made.stopped is not None:
        call.out(f"stopped at step {made.step:,}; the same command goes on from there")
    else:
        scored = "" if made.bits_per_byte is None else f", {made.bits_per_byte:.4f} bits per byte"
        done = f"{plural(made.step, 'step')}, {plural(made.tokens, 'token')}"
        call.out(f"{made.out}: {done}{scored}; try: theta --model {made.out}")


def _dry_run(call: Invocation, options: Options) -> None:
    from theta_tui.pretrain import preview

    looked = preview.look(options, call.stage)
    call.stage("")
    if call.json:
        call.emit(
            samples=[
                {"place": item.place, "pieces": item.pieces, "tokens": item.tokens, "learned": item.learned}
                for item in looked.samples
            ],
            data=[
                {"name": item.name, "weight": item.weight, "documents": item.documents, "tokens": item.tokens,
                 "learned": item.learned, "skipped": item.skipped, "context_only": item.context_only,
                 "left_out": item.left_out, "unused": item.unused, "notices": item.notices}
                for item in looked.summaries
            ],
        )  # fmt: skip
        return
    for item in looked.samples:
        call.out(f"{item.place}: {plural(item.tokens, 'token')}, {item.learned:,} learned (between ⟦ and ⟧)")
        call.out("".join(f"⟦{text}⟧" if learned else text for text, learned in item.pieces))
        call.out("")
    for summary in looked.summaries:
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
