"""`theta train`: from data sets and options to a model folder."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from theta_tui.base.errors import ModelError, UsageError
from theta_tui.base.files import make_folder
from theta_tui.base.text import plural
from theta_tui.model import lora
from theta_tui.model.files import fingerprint
from theta_tui.pretrain.documents import Source

if TYPE_CHECKING:
    from theta_tui.model.language_model import LanguageModel

STATE = "training"
"""Folder inside the model folder with what a run needs to continue. It may be deleted when training is done."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """The options of `theta train`. None is the default, which may differ for a fresh and a continued model."""

    sources: tuple[Source, ...]
    out: Path
    model: str | None = None
    """The model to continue from; None trains from scratch."""
    size: str = "10m"
    vocabulary: int = 6144
    length: int = 512
    lora_rank: int | None = None
    """Rank of an adapter that learns in place of the whole model. What comes out is the merged model, and the adapter
    alone in `adapter/`, as with `theta export hf`."""
    window: int | None = None
    """Context window written to the model's config; None keeps a continued model's, and is `length` for a fresh one."""
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
    """Arithmetic: float32, bfloat16, or auto, which measures whether bfloat16 is faster here."""
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
    def loss_on(self) -> Literal["all", "reply"]:
        """What the loss covers. By default a fresh model learns all turns, a continued one only the replies."""
        return self.loss or ("reply" if self.model else "all")


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The result of a run. `stopped` is the number of the signal that ended it early."""

    out: Path
    step: int
    tokens: int
    seconds: float
    bits_per_byte: float | None
    best_step: int
    stopped: int | None
    main: bool
    """Whether this is the main process; only that one prints."""


@dataclass(frozen=True, slots=True)
class ModelParts:
    """A model in float32 on the CPU, with its tokenizer and chat template."""

    model: Any
    tokenizer: Any
    chat: Any
    adapted: LanguageModel | None = None
    """The same where an adapter in `model` learns."""


def train(options: TrainOptions, on_message: Callable[[str], None], progress: Any) -> TrainResult:
    """Train the model in `options.out`, or continue its run. `progress` is a `ProgressDisplay` or has its methods.

    Raises UsageError and ModelError.
    """
    _check(options)
    folder = options.out / STATE
    accelerator, rate = _accelerator(options, folder)
    import torch

    from theta_tui.pretrain.corpus import Corpus, prepare
    from theta_tui.pretrain.encode import Encoder
    from theta_tui.pretrain.trainer import Budget, Plan, Trainer, write_metric

    main = accelerator.is_main_process
    report = on_message if main else (lambda text: None)
    if main:
        _clear(options, folder)
    accelerator.wait_for_everyone()
    with accelerator.main_process_first():
        parts = model_for(options, folder, report)
        # Encoded once: a run that continues finds the documents as they were rendered at its start.
        encoder = Encoder(parts.chat, length=options.length, loss=options.loss_on, at=time.time())
        corpus: Corpus = prepare(
            options.sources, encoder, folder / "data",
            tokenizer_key=_tokenizer_key(parts.tokenizer), validation=options.validation, skip_bad=options.skip_bad,
            on_progress=progress.on_reading if main else lambda name, count: None,
        )  # fmt: skip
    muon = options.optimizer == "muon" or (options.optimizer is None and options.model is None)
    rate_of_model = 1e-3 if options.lora_rank else 3e-4 if muon else 2e-5
    plan = Plan(
        length=options.length,
        rows=max(1, options.batch_tokens // options.length),
        optimizer="muon" if muon else "adamw",
        lr=options.lr or (rate_of_model if options.model else 3e-3),
        muon_lr=options.muon_lr or (0.004 if options.model else 0.02),
        weight_decay=options.weight_decay,
        warmup=options.warmup,
        decay=options.decay,
        seed=options.seed,
        arithmetic="bfloat16" if accelerator.mixed_precision == "bf16" else "float32",
        lora_rank=options.lora_rank or 0,
        base=fingerprint(parts.adapted.name) if parts.adapted else "",
    )
    tokens = options.tokens or (max(1, int(corpus.tokens_an_epoch * options.epochs)) if options.epochs else None)
    budget = Budget(tokens=tokens, minutes=options.minutes)
    for summary in corpus.summaries:
        report(
            f"{summary.name}: {plural(summary.documents, 'document')} ({summary.held_out:,} held out), "
            f"{plural(summary.tokens, 'token')}, {summary.learned / max(summary.tokens, 1):.0%} learned, "
            f"weight {summary.weight:g}"
        )
        for notice in summary.notices:
            report(f"{summary.name}: {notice}")
    parameters = sum(parameter.numel() for parameter in parts.model.parameters() if parameter.requires_grad)
    report(
        f"{plural(parameters, 'parameter')}{' in an adapter' if parts.adapted else ''}, "
        f"{plural(corpus.tokens_an_epoch, 'token')} an epoch, {plan.optimizer}, "
        f"{plan.arithmetic}; matrix products run at {rate / 1e9:,.0f} GFLOP/s here"
    )
    metrics = folder / "metrics.jsonl"

    def recorded(show: Callable[[Any], None]) -> Callable[[Any], None]:
        """Show an event and append it to the metrics, in the main process only."""

        def on_event(event: Any) -> None:
            if main:
                show(event)
                write_metric(metrics, event)

        return on_event

    trainer = Trainer(
        parts.model, corpus, plan, budget, folder, accelerator,
        micro_rows=options.micro_rows,
        compiled=_compiled(options, accelerator.device.type),
        muon_dtype=torch.bfloat16 if accelerator.mixed_precision == "bf16" else torch.float32,
        save_seconds=options.save_minutes * 60,
        validate_seconds=options.validate_minutes * 60,
        on_step=recorded(progress.on_step),
        on_validated=recorded(progress.on_validated),
        export=lambda: export(parts, options.out),
    )  # fmt: skip
    if trainer.resume():
        report(f"continuing at step {trainer.counters.step:,}")
        if main:
            _cut_metrics(metrics, trainer.counters.step)
    if main:
        progress.start(flops_a_token(parts.model, options.length), rate)
    try:
        trainer.run()
    finally:
        progress.close()
    counters = trainer.counters
    return TrainResult(
        options.out, counters.step, counters.tokens, counters.seconds, counters.best, counters.best_step,
        trainer.stopped, main,
    )  # fmt: skip


def export(parts: ModelParts, out: Path) -> None:
    """Write a model folder for `from_pretrained`, in bfloat16, and an adapter that learned, in float16. Each file is
    replaced as a whole."""
    import torch

    model = parts.adapted.merged() if parts.adapted else parts.model
    partial = out / STATE / ".export"
    shutil.rmtree(partial, ignore_errors=True)
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    half = {
        name: value.detach().to("cpu", torch.bfloat16) if value.is_floating_point() else value.detach().cpu()
        for name, value in model.state_dict().items()
        if name not in tied
    }
    model.save_pretrained(partial, state_dict=half)
    # Transformers writes the dtype of the model in memory there, and loads in the dtype that it finds.
    _edit_json(partial / "config.json", dtype="bfloat16")
    parts.tokenizer.save_pretrained(partial)
    # How it was loaded here says nothing to others.
    _edit_json(partial / "tokenizer_config.json", is_local=None, local_files_only=None)
    if parts.adapted:
        from theta_tui.model.export import ADAPTER, base_name

        (partial / ADAPTER).mkdir()
        lora.save(parts.adapted.adapter, partial / ADAPTER, base_name(parts.adapted), dtype=torch.float16)
        make_folder(out / ADAPTER, 0o777)
    for path in sorted(partial.rglob("*")):
        if path.is_file():
            path.replace(out / path.relative_to(partial))
    shutil.rmtree(partial)


def _edit_json(path: Path, **values: Any) -> None:
    """Set keys of the JSON object in a file; None removes a key."""
    changed = json.loads(path.read_text("utf-8")) | values
    kept = {key: value for key, value in changed.items() if key not in values or value is not None}
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", "utf-8")


def flops_a_token(model: Any, length: int) -> float:
    """FLOPs of a training step per token: 6 per weight that learns, 4 per other one that takes part, and attention's. A
    multiply-add counts 2."""
    head = model.get_output_embeddings()
    embeddings = model.get_input_embeddings().weight
    untied = head is None or head.weight is not embeddings
    used = [each for each in model.parameters() if not (untied and each is embeddings)]
    products = sum((6 if each.requires_grad else 4) * each.numel() for each in used)
    config = model.config.get_text_config()
    attention = 12 * getattr(config, "num_hidden_layers", 0) * getattr(config, "hidden_size", 0) * length
    return float(products + attention)


# --- parts ---


def _check(options: TrainOptions) -> None:
    from theta_tui.pretrain.shapes import SHAPES

    if options.lora_rank and (options.model is None or options.optimizer == "muon"):
        raise UsageError("--lora on puts an adapter on a model, and AdamW trains it: say which --model, and not muon")
    if not (options.epochs or options.minutes or options.tokens):
        raise UsageError("say how long to train: --epochs 3, --minutes 60 or --tokens 10M")
    if options.size not in SHAPES:
        raise UsageError(f"--size {options.size} is not one of {', '.join(SHAPES)}")
    if options.length > options.batch_tokens:
        raise UsageError(f"--batch-tokens {options.batch_tokens} is less than one row (--length {options.length})")
    if options.out.exists() and not options.out.is_dir():
        raise UsageError(f"--out {options.out} is a file; give a folder")
    for source in options.sources:
        if options.out.resolve().is_relative_to(source.path.resolve()):
            raise UsageError(f"--out {options.out} lies in the data set {source.path}; give a folder outside it")


def _clear(options: TrainOptions, folder: Path) -> None:
    if options.out.is_dir() and any(options.out.iterdir()) and not folder.is_dir():
        raise UsageError(f"--out {options.out} is not empty and holds no run to continue; give another folder")
    if options.restart:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        make_folder(folder, 0o777)
    except OSError as error:
        raise ModelError(f"{options.out} cannot be created ({error.strerror}); give another --out") from None


def _accelerator(options: TrainOptions, folder: Path) -> tuple[Any, float]:
    """(the Accelerator in the faster arithmetic, FLOP/s of a matrix product in it)."""
    import torch

    from theta_tui.model.loading import choose_device

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
    """FLOP/s of a square matrix product, the peak that training is measured against. Takes about 0.2 s."""
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


def model_for(options: TrainOptions, folder: Path, report: Callable[[str], None]) -> ModelParts:
    """The model of `--model`, or a fresh one with a tokenizer trained on the data, which is kept in `folder`."""
    from theta_tui.model.chat_template import ChatTemplate
    from theta_tui.model.language_model import LanguageModel

    if options.model is not None:
        lm = LanguageModel.load(
            options.model, device="cpu", dtype="float32", offline=options.offline, transformers=True,
            adapt="on" if options.lora_rank else "off", rank=options.lora_rank or lora.RANK,
        )  # fmt: skip
        if options.length > lm.window:
            raise UsageError(f"--length {options.length} is more than the window of {options.model} ({lm.window})")
        if options.window is not None:
            lm.model.config.max_position_embeddings = lm.tokenizer.model_max_length = min(options.window, lm.window)
        return ModelParts(lm.model, lm.tokenizer, lm.chat, lm if options.lora_rank else None)
    from theta_tui.pretrain.shapes import SHAPES, build
    from theta_tui.pretrain.tokenizer import train_tokenizer

    kept = folder / "tokenizer"
    if not (kept / "tokenizer.json").is_file():
        report("training the tokenizer")
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
    return ModelParts(model, tokenizer, ChatTemplate(tokenizer, window=options.length))


def _compiled(options: TrainOptions, device: str) -> bool:
    """Compiling takes a minute, which pays off on a long run."""
    if options.compile is not None:
        return options.compile
    return device == "cuda" or (options.minutes or 0) >= 20


def _tokenizer_key(tokenizer: Any) -> str:
    import hashlib

    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


def _cut_metrics(path: Path, step: int) -> None:
    """Drop metrics written after `step`: training continues from there and takes the later steps again."""
    if path.is_file():
        # A kill may have torn the last line.
        whole = path.read_text("utf-8", errors="replace").splitlines(keepends=True)
        lines = [line for line in whole if line.endswith("\n") and json.loads(line)["step"] <= step]
        path.write_text("".join(lines), "utf-8")
