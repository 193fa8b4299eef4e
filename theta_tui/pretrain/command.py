"""`theta train`, put together: data sets and options in, a model folder out."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from theta_tui.base.errors import ModelError, UsageError
from theta_tui.base.files import make_folder
from theta_tui.base.text import plural
from theta_tui.pretrain.documents import Source

STATE = "training"
"""Folder, inside the model's, of what is needed to go on. It may be deleted when training is done."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `theta train`, as given. None is: the default that suits a fresh, or a continued, model."""

    sources: tuple[Source, ...]
    out: Path
    model: str | None = None
    """Continue from this one; None trains from scratch."""
    size: str = "10m"
    vocabulary: int = 6144
    length: int = 512
    window: int | None = None
    """Most tokens that the model says it takes; None leaves a continued model's, and is `length` for a fresh one."""
    epochs: float | None = None
    minutes: float | None = None
    tokens: int | None = None
    batch_tokens: int = 8192
    optimizer: Literal["muon", "adamw"] | None = None
    lr: float | None = None
    muon_lr: float | None = None
    weight_decay: float = 0.05
    warmup: float = 0.02
    decay: float = 0.5
    loss: Literal["all", "reply"] | None = None
    validation: float = 0.01
    seed: int = 1
    device: str = "auto"
    dtype: str = "auto"
    """What the arithmetic runs in: auto measures whether bfloat16 is faster here."""
    compile: bool | None = None
    micro_rows: int = 0
    threads: int = 0
    save_minutes: float = 5.0
    validate_minutes: float = 10.0
    skip_bad: bool = False
    restart: bool = False
    offline: bool = False
    tensorboard: bool = False

    @property
    def covers(self) -> Literal["all", "reply"]:
        """What the loss is taken on: a fresh model learns all that was said, a continued one what it is to say."""
        return self.loss or ("reply" if self.model else "all")


@dataclass(frozen=True, slots=True)
class Made:
    """What came out. `stopped` is the signal that ended it early."""

    out: Path
    step: int
    tokens: int
    seconds: float
    bits_per_byte: float | None
    best_step: int
    stopped: int | None
    main: bool
    """Whether this is the process that speaks, of several."""


@dataclass(frozen=True, slots=True)
class Learnable:
    """A model in float32 on the CPU, with its tokenizer and chat."""

    model: Any
    tokenizer: Any
    chat: Any


def train(options: Options, say: Callable[[str], None], watch: Any) -> Made:
    """Train, or go on with, the model in `options.out`. `watch` hears steps and validations (see `progress`).

    Raises UsageError and ModelError with what to do.
    """
    _check(options)
    folder = options.out / STATE
    accelerator, rate = _accelerator(options, folder)
    import torch

    from theta_tui.pretrain.corpus import Corpus, prepare
    from theta_tui.pretrain.encode import Encoder
    from theta_tui.pretrain.trainer import Budget, Plan, Trainer, write_metric

    main = accelerator.is_main_process
    tell = say if main else (lambda text: None)
    if main:
        _clear(options, folder)
    accelerator.wait_for_everyone()
    with accelerator.main_process_first():
        subject = model_for(options, folder, tell)
        # Encoded once: going on with a training finds the documents as they were rendered when it was begun.
        encoder = Encoder(subject.chat, length=options.length, loss=options.covers, at=time.time())
        corpus: Corpus = prepare(
            options.sources, encoder, folder / "data",
            tokenizer_key=_tokenizer_key(subject.tokenizer), validation=options.validation, skip_bad=options.skip_bad,
            on_progress=watch.reading if main else lambda name, count: None,
        )  # fmt: skip
    muon = options.optimizer == "muon" or (options.optimizer is None and options.model is None)
    plan = Plan(
        length=options.length,
        rows=max(1, options.batch_tokens // options.length),
        optimizer="muon" if muon else "adamw",
        lr=options.lr or ((3e-4 if muon else 2e-5) if options.model else 3e-3),
        muon_lr=options.muon_lr or (0.004 if options.model else 0.02),
        weight_decay=options.weight_decay,
        warmup=options.warmup,
        decay=options.decay,
        seed=options.seed,
        arithmetic="bfloat16" if accelerator.mixed_precision == "bf16" else "float32",
    )
    tokens = options.tokens or (max(1, int(corpus.tokens_an_epoch * options.epochs)) if options.epochs else None)
    budget = Budget(tokens=tokens, minutes=options.minutes)
    for summary in corpus.summaries:
        tell(
            f"{summary.name}: {plural(summary.documents, 'document')} ({summary.held_out:,} held out), "
            f"{plural(summary.tokens, 'token')}, {summary.learned / max(summary.tokens, 1):.0%} learned, "
            f"weight {summary.weight:g}"
        )
        for notice in summary.notices:
            tell(f"{summary.name}: {notice}")
    parameters = sum(parameter.numel() for parameter in subject.model.parameters())
    tell(
        f"{plural(parameters, 'parameter')}, {plural(corpus.tokens_an_epoch, 'token')} an epoch, {plan.optimizer}, "
        f"{plan.arithmetic}; matrix products run at {rate / 1e9:,.0f} GFLOP/s here"
    )
    metrics = folder / "metrics.jsonl"

    def heard(show: Callable[[Any], None]) -> Callable[[Any], None]:
        """What is done is shown and written down, once for all processes."""

        def hear(done: Any) -> None:
            if main:
                show(done)
                write_metric(metrics, done)

        return hear

    trainer = Trainer(
        subject.model, corpus, plan, budget, folder, accelerator,
        micro_rows=options.micro_rows,
        compiled=_compiled(options, accelerator.device.type),
        muon_dtype=torch.bfloat16 if accelerator.mixed_precision == "bf16" else torch.float32,
        save_seconds=options.save_minutes * 60,
        validate_seconds=options.validate_minutes * 60,
        on_step=heard(watch.step),
        on_validated=heard(watch.validated),
        export=lambda: export(subject.model, subject.tokenizer, options.out),
    )  # fmt: skip
    if trainer.resume():
        tell(f"going on at step {trainer.counters.step:,}")
        if main:
            _cut_metrics(metrics, trainer.counters.step)
    if main:
        watch.begin(flops_a_token(subject.model, options.length), rate)
    try:
        trainer.run()
    finally:
        watch.close()
    counters = trainer.counters
    return Made(
        options.out, counters.step, counters.tokens, counters.seconds, counters.best, counters.best_step,
        trainer.stopped, main,
    )  # fmt: skip


def export(model: Any, tokenizer: Any, out: Path) -> None:
    """Write a model folder that `from_pretrained` reads, in bfloat16, file by file and each as a whole."""
    import torch

    partial = out / STATE / ".export"
    shutil.rmtree(partial, ignore_errors=True)
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    half = {
        name: value.detach().to("cpu", torch.bfloat16) if value.is_floating_point() else value.detach().cpu()
        for name, value in model.state_dict().items()
        if name not in tied
    }
    model.save_pretrained(partial, state_dict=half)
    # Transformers notes the dtype of the model in memory there, and loads as what it finds.
    _mend_json(partial / "config.json", dtype="bfloat16")
    tokenizer.save_pretrained(partial)
    # How it was loaded here is nobody else's business.
    _mend_json(partial / "tokenizer_config.json", is_local=None, local_files_only=None)
    for path in sorted(partial.iterdir()):
        path.replace(out / path.name)
    partial.rmdir()


def _mend_json(path: Path, **values: Any) -> None:
    """Set keys of a JSON object in a file; None takes one out."""
    changed = json.loads(path.read_text("utf-8")) | values
    kept = {key: value for key, value in changed.items() if key not in values or value is not None}
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", "utf-8")


def flops_a_token(model: Any, length: int) -> float:
    """Multiply-adds of a training step, two a piece, by token: 6 a weight that takes part, and attention's own."""
    head = model.get_output_embeddings()
    embeddings = model.get_input_embeddings().weight
    weights = sum(parameter.numel() for parameter in model.parameters())
    if head is None or head.weight is not embeddings:
        weights -= embeddings.numel()
    config = model.config.get_text_config()
    attention = 12 * getattr(config, "num_hidden_layers", 0) * getattr(config, "hidden_size", 0) * length
    return float(6 * weights + attention)


# --- parts ---


def _check(options: Options) -> None:
    from theta_tui.pretrain.shapes import SHAPES

    if not (options.epochs or options.minutes or options.tokens):
        raise UsageError("say how much to train: --epochs 3, --minutes 60 or --tokens 10M")
    if options.size not in SHAPES:
        raise UsageError(f"there is no size {options.size}; there are {', '.join(SHAPES)}")
    if options.length > options.batch_tokens:
        raise UsageError(f"--batch-tokens {options.batch_tokens} is less than one row of --length {options.length}")
    if options.out.exists() and not options.out.is_dir():
        raise UsageError(f"--out {options.out} is a file; name a folder")
    for source in options.sources:
        if options.out.resolve().is_relative_to(source.path.resolve()):
            raise UsageError(f"--out {options.out} lies in the data set {source.path}; name a folder outside it")


def _clear(options: Options, folder: Path) -> None:
    if options.out.is_dir() and any(options.out.iterdir()) and not folder.is_dir():
        raise UsageError(f"--out {options.out} is not empty and holds no training to go on with; name another folder")
    if options.restart:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        make_folder(folder, 0o777)
    except OSError as error:
        raise ModelError(f"{options.out} cannot be made ({error.strerror}); name another --out") from None


def _accelerator(options: Options, folder: Path) -> tuple[Any, float]:
    """Accelerate, on the device, in the arithmetic that is faster here; and FLOP/s of a matrix product in it."""
    import torch

    from theta_tui.model.language_model import choose_device

    if options.threads > 0:
        torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    from theta_tui.pretrain.state import newest, read_counters

    begun = None if options.restart else newest(folder)
    dtype = options.dtype
    if begun is not None and dtype == "auto":
        dtype = str(read_counters(begun).plan.get("arithmetic", dtype))
    asked = ("float32", "bfloat16") if dtype == "auto" else (dtype,)
    rates = {name: matrix_rate(device, getattr(torch, name)) for name in asked}
    dtype = max(rates, key=lambda name: rates[name])
    import transformers
    from accelerate import Accelerator

    transformers.logging.disable_progress_bar()
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision="bf16" if dtype == "bfloat16" else "no")
    return accelerator, rates[dtype]


def matrix_rate(device: str, dtype: Any) -> float:
    """FLOP/s of a square matrix product: the limit that training is measured against. Takes some 0.2 s."""
    import torch

    size = 1024 if device == "cpu" else 8192
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    times: list[float] = []
    while len(times) < 3 or (sum(times) < 0.1 and len(times) < 20):
        began = time.perf_counter()
        product = left @ right
        if device == "cuda":
            torch.cuda.synchronize()
        del product
        times.append(time.perf_counter() - began)
    return 2 * size**3 / min(times)


def model_for(options: Options, folder: Path, tell: Callable[[str], None]) -> Learnable:
    """Continued from `--model`, or made for the data; a tokenizer that was made is kept in `folder`."""
    from theta_tui.model.chat_template import ChatTemplate
    from theta_tui.model.language_model import LanguageModel

    if options.model is not None:
        lm = LanguageModel.load(
            options.model, device="cpu", dtype="float32", offline=options.offline, transformers=True
        )
        if options.length > lm.window:
            raise UsageError(f"--length {options.length} is more than the window of {options.model} ({lm.window})")
        if options.window is not None:
            lm.model.config.max_position_embeddings = lm.tokenizer.model_max_length = min(options.window, lm.window)
        return Learnable(lm.model, lm.tokenizer, lm.chat)
    from theta_tui.pretrain.shapes import SHAPES, build
    from theta_tui.pretrain.tokenizer import train_tokenizer

    kept = folder / "tokenizer"
    if not (kept / "tokenizer.json").is_file():
        tell("training the tokenizer")
        made = train_tokenizer(
            options.sources, vocabulary=options.vocabulary, length=options.length, skip_bad=options.skip_bad
        )
        partial = folder / "tokenizer.partial"
        shutil.rmtree(partial, ignore_errors=True)
        made.save_pretrained(partial)
        shutil.rmtree(kept, ignore_errors=True)
        partial.rename(kept)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(kept, local_files_only=True)
    model = build(SHAPES[options.size], tokenizer, length=options.length, seed=options.seed)
    return Learnable(model, tokenizer, ChatTemplate(tokenizer, window=options.length))


def _compiled(options: Options, device: str) -> bool:
    """Compiling costs a minute: it pays on a long run."""
    if options.compile is not None:
        return options.compile
    return device == "cuda" or (options.minutes or 0) >= 20


def _tokenizer_key(tokenizer: Any) -> str:
    import hashlib

    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


def _cut_metrics(path: Path, step: int) -> None:
    """Leave out what was written after the state that training goes on from: those steps are taken again."""
    if path.is_file():
        # A kill may have torn the last line; nothing reads what is after the state.
        whole = path.read_text("utf-8", errors="replace").splitlines(keepends=True)
        lines = [line for line in whole if line.endswith("\n") and json.loads(line)["step"] <= step]
        path.write_text("".join(lines), "utf-8")
