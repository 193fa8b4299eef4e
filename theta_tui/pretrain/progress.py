"""The progress of a training run: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.base.streams import shows_progress
from theta_tui.base.text import plural, visible

if TYPE_CHECKING:
    from theta_tui.pretrain.trainer import StepDone, Validated

LINE_SECONDS = 30.0
"""Seconds between two lines if there is no terminal."""


class ProgressDisplay:
    """Shows steps and validations on stderr and, if asked, in TensorBoard."""

    def __init__(self, *, quiet: bool, tensorboard: Path | None) -> None:
        self.quiet = quiet
        self.bar: Any = None
        self.writer = _writer(tensorboard)
        self.last_line = 0.0
        self.flops = self.rate = 0.0
        self.on_terminal = shows_progress()

    def on_reading(self, name: str, documents: int) -> None:
        """`documents` of the data set `name` have been read so far."""
        if self.on_terminal and not self.quiet:
            sys.stderr.write(f"\r\x1b[2K{visible(name, one_line=True)}: {plural(documents, 'document')}…")
            sys.stderr.flush()

    def start(self, flops_a_token: float, matrix_rate: float) -> None:
        """Start the bar. `matrix_rate` is FLOP/s of a matrix product, to which the achieved rate is compared."""
        self.flops, self.rate = flops_a_token, matrix_rate
        if self.on_terminal and not self.quiet:
            from tqdm import tqdm

            sys.stderr.write("\r\x1b[2K")
            self.bar = tqdm(
                total=1000, bar_format="{percentage:3.0f}% {bar} {desc}", file=sys.stderr, dynamic_ncols=True
            )

    def on_step(self, done: StepDone) -> None:
        left = done.seconds * (1 - done.progress) / done.progress if done.progress > 0 else 0.0
        share = self.flops * done.rate / self.rate if self.rate else 0.0
        words = (
            f"loss {done.loss:.3f}  {done.tokens / 1e6:.2f}M tokens  {done.rate:,.0f} tokens/s "
            f"({share:.0%} of a matrix product's rate)  {_duration(left)} left"
        )
        if self.bar is not None:
            self.bar.n = round(1000 * done.progress)
            self.bar.set_description_str(words, refresh=False)
            self.bar.refresh()
        elif not self.quiet and time.monotonic() - self.last_line >= LINE_SECONDS:
            self.last_line = time.monotonic()
            print(f"step {done.step:,}  {words}", file=sys.stderr, flush=True)
        if self.writer:
            for name in ("loss", "lr", "grad_norm", "rate"):
                self.writer.add_scalar(name, getattr(done, name), done.tokens)

    def on_validated(self, done: Validated) -> None:
        words = (
            f"step {done.step:,}  validation: {done.bits_per_byte:.4f} bits per byte, "
            f"loss {done.nats_per_token:.4f} (lower is better){'  best' if done.best else ''}"
        )
        if self.bar is not None:
            self.bar.write(words, file=sys.stderr)
        elif not self.quiet:
            print(words, file=sys.stderr, flush=True)
        if self.writer:
            self.writer.add_scalar("validation/bits_per_byte", done.bits_per_byte, done.tokens)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        if self.writer:
            self.writer.close()


def _writer(folder: Path | None) -> Any:
    if folder is None:
        return None
    from theta_tui.base.errors import UsageError

    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError("--tensorboard needs the package tensorboard: pip install 'theta-tui[train]'") from None
    writer: Any = SummaryWriter(str(folder))
    return writer


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02d} h" if minutes >= 60 else f"{minutes} min"
