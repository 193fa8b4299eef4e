"""The training loop: steps, schedule, validation, saved states. Accelerate spreads it over processes.

A run depends on data, plan and seed alone, whether it was interrupted or not and (within rounding) on however many
processes: each step has the same rows, its loss is the mean over all its labels, and nothing is drawn at random on the
way.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator

from theta_tui.base.errors import ModelError
from theta_tui.base.signals import finishing_first
from theta_tui.pretrain.batches import Batch, StreamPosition, assemble, stream
from theta_tui.pretrain.corpus import Corpus
from theta_tui.pretrain.muon import Muon
from theta_tui.pretrain.objective import Objective
from theta_tui.pretrain.state import Counters, load_state, newest, read_counters, save_state

MAX_BAD_STEPS = 20
"""Steps in a row without a finite gradient, after which training gives up."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to train. The first limit that is reached ends the run."""

    tokens: int | None = None
    minutes: float | None = None

    def progress(self, tokens: int, seconds: float) -> float:
        """The share of the budget used, from 0 to 1."""
        shares = [tokens / self.tokens] if self.tokens else []
        shares += [seconds / 60 / self.minutes] if self.minutes else []
        return min(1.0, max(shares, default=1.0))


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings that define each step. `lr` is AdamW's; `muon_lr` is the matrices' if `optimizer` is muon."""

    length: int
    rows: int
    """Rows of `length` tokens per step, over all processes."""
    optimizer: Literal["muon", "adamw"]
    lr: float
    muon_lr: float
    weight_decay: float
    warmup: float
    """Share of the budget, at its start, in which learning rates rise from 0."""
    decay: float
    """Share of the budget, at its end, in which learning rates fall to 0."""
    seed: int
    arithmetic: str = "float32"
    """dtype of matrix products. A run that continues in another one would not be the same."""
    lora_rank: int = 0
    """Rank of the adapter that learns; 0: the whole model."""
    base: str = ""
    """Fingerprint of the model below an adapter, which a saved state does not hold."""
    clip: float = 1.0
    validation_tokens: int = 100_000

    def factor(self, progress: float) -> float:
        """The factor on learning rates at `progress`: a trapezoid over the budget."""
        rise = progress / self.warmup if progress < self.warmup else 1.0
        fall = (1 - progress) / self.decay if self.decay and progress > 1 - self.decay else 1.0
        return max(min(rise, fall), 1e-3)


@dataclass(frozen=True, slots=True)
class StepDone:
    """One optimizer step. `loss` is nats per label; `rate` is recent tokens per second."""

    step: int
    tokens: int
    seconds: float
    loss: float
    lr: float
    grad_norm: float
    rate: float
    progress: float


@dataclass(frozen=True, slots=True)
class Validated:
    """Scores of the held-out documents. `by_source` is bits per byte of each data set."""

    step: int
    tokens: int
    seconds: float
    bits_per_byte: float
    nats_per_token: float
    by_source: dict[str, float]
    best: bool


class Trainer:
    """One training run. Each process of a distributed run makes the same one."""

    def __init__(
        self,
        model: Any,
        corpus: Corpus,
        plan: Plan,
        budget: Budget,
        folder: Path,
        accelerator: Accelerator,
        *,
        micro_rows: int = 0,
        compiled: bool = False,
        muon_dtype: torch.dtype = torch.float32,
        save_seconds: float = 300.0,
        validate_seconds: float = 600.0,
        on_step: Callable[[StepDone], None] = lambda done: None,
        on_validated: Callable[[Validated], None] = lambda done: None,
        export: Callable[[], None] = lambda: None,
    ) -> None:
        self.corpus, self.plan, self.budget, self.folder = corpus, plan, budget, folder
        self.accelerator = accelerator
        self.on_step, self.on_validated, self.export = on_step, on_validated, export
        self.save_seconds, self.validate_seconds = save_seconds, validate_seconds
        own_rows = -(-plan.rows // accelerator.num_processes)
        self.micro_rows = min(micro_rows or own_rows, own_rows)
        # Dropout stays off, as in a lesson: models this small for their data do not need it, and a run with random
        # draws could not be continued exactly.
        model.eval()
        self.objective = Objective(model.to(accelerator.device), compiled=compiled)
        self.model = model
        self.parameters = {name: each for name, each in model.named_parameters() if each.requires_grad}
        if plan.arithmetic == "bfloat16":
            halve_frozen(model)
        self.optimizers = _optimizers(model, self.parameters, plan, muon_dtype)
        self.prepared: Any = accelerator.prepare(self.objective)
        self.counters = Counters(plan=asdict(plan))
        self.stopped: int | None = None
        """Number of the signal that ended the run early."""
        self._rate = 0.0

    def resume(self) -> bool:
        """Continue from the newest state; false if there is none. Raises ModelError if it has another plan."""
        state = newest(self.folder)
        if state is None:
            return False
        counters = read_counters(state)
        mine = asdict(self.plan)
        for name, value in counters.plan.items():
            if mine.get(name) != value:
                raise ModelError(
                    f"{self.folder} was begun with {name} {value}, but now it is {mine.get(name)}; "
                    "use the first value, give another --out, or start over with --restart",
                    name="data",
                )
        load_state(state, self.parameters, self.optimizers)
        self.counters = replace(counters)
        return True

    def run(self) -> None:
        """Train until the budget is spent or a signal asks to stop, then save the state."""
        counters = self.counters
        began = time.monotonic() - counters.seconds
        saved = validated = counters.seconds
        failures = 0
        batches = stream(
            self.corpus,
            seed=self.plan.seed,
            rows=self.plan.rows,
            length=self.plan.length,
            start=StreamPosition(counters.epoch, counters.row),
        )
        with self._signals():
            while (
                progress := self.budget.progress(counters.tokens, counters.seconds)
            ) < 1 and not self._stop_requested():
                batch, position = next(batches)
                before = counters.seconds
                factor = self.plan.factor(progress)
                loss, norm = self.step(batch, factor)
                finite = math.isfinite(loss) and math.isfinite(norm)
                failures = 0 if finite else failures + 1
                if failures >= MAX_BAD_STEPS:
                    raise ModelError(
                        f"{MAX_BAD_STEPS} steps in a row gave no finite gradient; lower --lr (it is {self.plan.lr:g})"
                    )
                counters.skipped += not finite
                counters.step += 1
                counters.tokens += batch.tokens
                counters.epoch, counters.row = position.epoch, position.row
                counters.seconds = self._main_clock(time.monotonic() - began)
                rate = batch.tokens / max(counters.seconds - before, 1e-9)
                self._rate = rate if not self._rate else 0.9 * self._rate + 0.1 * rate
                self.on_step(
                    StepDone(
                        counters.step, counters.tokens, counters.seconds, loss, self.plan.lr * factor, norm,
                        self._rate, self.budget.progress(counters.tokens, counters.seconds),
                    )
                )  # fmt: skip
                if counters.seconds - validated >= self.validate_seconds:
                    self.validate()
                    counters.seconds = self._main_clock(time.monotonic() - began)
                    validated = counters.seconds
                if counters.seconds - saved >= self.save_seconds:
                    self.save()
                    saved = counters.seconds
            if self.stopped is None:
                self.validate()
            elif counters.best is None and self.accelerator.is_main_process:
                self.export()  # so that there is a model even before the first validation
            self.save()

    def validate(self) -> Validated | None:
        """Score the held-out documents and export the model if it is the best so far. None if there are none."""
        documents = self._held_out()
        if not len(documents):
            if self.accelerator.is_main_process:
                self.export()
            return None
        nats, size, learned = score(
            self.objective, self.corpus, documents, self.plan.length, self.micro_rows, self.accelerator
        )
        per_byte = nats.sum() / math.log(2) / max(size.sum(), 1)
        before = self.counters.best
        best = bool(math.isfinite(per_byte) and (before is None or per_byte < before))
        if best:
            self.counters.best, self.counters.best_step = float(per_byte), self.counters.step
        by_source = {
            name: round(float(nats[k] / math.log(2) / size[k]), 4)
            for k, name in enumerate(self.corpus.sources)
            if size[k] > 0
        }
        done = Validated(
            self.counters.step, self.counters.tokens, self.counters.seconds, float(per_byte),
            float(nats.sum() / max(learned.sum(), 1)), by_source, best,
        )  # fmt: skip
        if best and self.accelerator.is_main_process:
            self.export()
        self.on_validated(done)
        return done

    def save(self) -> None:
        """Save the state, in the main process."""
        if self.accelerator.is_main_process:
            save_state(self.folder, self.counters, self.parameters, self.optimizers)
        self.accelerator.wait_for_everyone()

    # --- one step ---

    def step(self, batch: Batch, factor: float) -> tuple[float, float]:
        """One optimizer step over all processes: (nats per label, gradient norm). If not finite, no weight changes."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        count = max(batch.learned, 1)
        total = torch.zeros((), device=self.accelerator.device)
        mine = list(range(rank, len(batch.input_ids), world))
        slots = -(-self.plan.rows // world)
        pieces = [mine[start : start + self.micro_rows] for start in range(0, slots, self.micro_rows)]
        for number, rows in enumerate(pieces):
            last = number == len(pieces) - 1
            inputs = self._rows(batch, rows)
            with nullcontext() if last else self.accelerator.no_sync(self.prepared):
                summed = self.prepared(*inputs)
                # DistributedDataParallel averages over processes; the loss is a mean over all their labels.
                self.accelerator.backward(summed * (world / count))
            total += summed.detach()
        loss = float(self.accelerator.reduce(total, "sum")) / count
        norm = float(self.accelerator.clip_grad_norm_(self.parameters.values(), self.plan.clip))
        if math.isfinite(norm) and math.isfinite(loss):
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["base_lr"] * factor
                optimizer.step()
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=False)
        return loss, norm

    def _rows(self, batch: Batch, rows: list[int]) -> tuple[torch.Tensor, ...]:
        """Those rows on the device, padded to `micro_rows` with rows without labels."""
        tensors = []
        for tensor, fill in ((batch.input_ids, 0), (batch.position_ids, 0), (batch.labels, -100)):
            part = tensor[rows]
            lacking = self.micro_rows - len(rows)
            if lacking:
                part = torch.cat([part, part.new_full((lacking, part.shape[1]), fill)])
            tensors.append(part.to(self.accelerator.device))
        return tuple(tensors)

    def _held_out(self) -> np.ndarray:
        documents = np.random.default_rng(self.plan.seed).permutation(self.corpus.validation())
        enough = np.searchsorted(np.cumsum(self.corpus.lengths[documents]), self.plan.validation_tokens) + 1
        return documents[:enough]

    # --- time and signals ---

    def _main_clock(self, seconds: float) -> float:
        """The main process's time: processes that disagree on when to stop would wait for each other forever."""
        if self.accelerator.num_processes == 1:
            return seconds
        clock = torch.tensor([seconds if self.accelerator.is_main_process else 0.0], dtype=torch.float64)
        return float(self.accelerator.reduce(clock.to(self.accelerator.device), "sum"))

    def _stop_requested(self) -> bool:
        if self.accelerator.num_processes == 1:
            return self.stopped is not None
        number = torch.tensor([self.stopped or 0], device=self.accelerator.device)
        found = int(self.accelerator.gather(number).max())
        self.stopped = found or None
        return found > 0

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first SIGINT or SIGTERM ends training after the current step; a second one has its usual effect."""
        before: dict[signal.Signals, Any] = {}

        def stop(number: int, _frame: FrameType | None) -> None:
            self.stopped = number
            for one, handler in before.items():
                signal.signal(one, handler)

        for one in (signal.SIGINT, signal.SIGTERM):
            before[one] = signal.signal(one, stop)
        try:
            with finishing_first():
                yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def score(
    objective: Objective, corpus: Corpus, documents: np.ndarray, length: int, rows: int, accelerator: Accelerator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(nats, bytes, labels) of `documents` by source, summed over processes. Each is [sources], float64."""
    names = len(corpus.sources)
    nats, learned = np.zeros(names), np.zeros(names)
    packed = corpus.pack(documents, length)[accelerator.process_index :: accelerator.num_processes]
    for start in range(0, len(packed), rows):
        batch = assemble(corpus, packed[start : start + rows], length, rows)
        device = accelerator.device
        with accelerator.autocast():
            found = objective.nats(
                batch.input_ids.to(device), batch.position_ids.to(device), batch.labels.to(device)
            ).cpu()
        labelled = (batch.labels.numpy() >= 0) & (batch.document >= 0)
        source = corpus.source[batch.document[labelled]]
        nats += np.bincount(source, found.numpy()[labelled].astype(np.float64), names)
        learned += np.bincount(source, minlength=names)
    size = np.bincount(corpus.source[documents], corpus.sizes[documents].astype(np.float64), names)
    together = torch.tensor(np.stack([nats, learned]), device=accelerator.device)
    nats, learned = accelerator.reduce(together, "sum").cpu().numpy()
    return nats, size, learned


def halve_frozen(model: Any) -> None:
    """Hold the matrices that do not learn in bfloat16, in place: autocast would convert them anew in each pass. The
    embedding stays, so that the residual stream is in float32."""
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not model.get_output_embeddings():
            for parameter in module.parameters(recurse=False):
                if not parameter.requires_grad:
                    parameter.data = parameter.data.to(torch.bfloat16)


def _optimizers(
    model: Any, parameters: dict[str, torch.nn.Parameter], plan: Plan, muon_dtype: torch.dtype
) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices and AdamW for the rest, or AdamW for all. Only matrices have weight decay."""
    outside = {id(model.get_input_embeddings().weight)}
    if model.get_output_embeddings() is not None:
        outside.add(id(model.get_output_embeddings().weight))
    matrices = [p for p in parameters.values() if p.ndim == 2 and id(p) not in outside]
    rest = [p for p in parameters.values() if p.ndim != 2 or id(p) in outside]
    made: list[torch.optim.Optimizer] = []
    if plan.optimizer == "muon" and matrices:
        made.append(Muon(matrices, plan.muon_lr, weight_decay=plan.weight_decay, dtype=muon_dtype))
        groups = [{"params": rest, "weight_decay": 0.0}]
    else:
        groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    made.append(torch.optim.AdamW(groups, lr=plan.lr, betas=(0.9, 0.95), eps=1e-10, fused=True))
    for optimizer in made:
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"]
    return made


def write_metric(path: Path, values: Any) -> None:
    """Append a dataclass to metrics.jsonl as one line, NaN as null."""
    line = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(values).items()
    }
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
