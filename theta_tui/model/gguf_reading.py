"""A GGUF file as a model folder: safetensors, tokenizer, chat template and end tokens, made once and kept in the cache.

Transformers dequantizes: some seconds for 100 MB, and the memory of all weights in float32. A tensor is written in 16
bits where that is lossless (as F16 and BF16 files are), else in float32.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.base.errors import ModelError
from theta_tui.base.gc import gc_paused
from theta_tui.base.memory import shown, total_memory
from theta_tui.base.publish import fresh_folder
from theta_tui.base.text import reason
from theta_tui.model import catalogue, gguf_header, room

if TYPE_CHECKING:
    import torch

Stage = Callable[[str], None]

DIGITS_ALONE = frozenset(("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"))
"""Values of `tokenizer.ggml.pre` by which numbers are split into digits before text is split into words (llama.cpp's
src/llama-vocab.cpp). Transformers 5.24 takes them for GPT-2's rule, which has no such step."""
MEANINGLESS = ("_name_or_path", "_model_name_or_path", "quantization_config", "unk_token_id")
"""Keys of config.json that are left out: a plain model needs none. Those with a Llama's own keys alone are read without
Transformers, six seconds sooner."""


def converted(path: Path, on_stage: Stage = lambda _: None) -> Path:
    """The model folder that a GGUF file stands for; made where it is not in the cache yet.

    Raises ModelError where the file cannot be used, HomeError where the disk refuses.
    """
    found = gguf_header.fingerprint(path)
    place = catalogue.conversions() / found
    if not (place / "config.json").is_file():
        with catalogue.alone(place, on_stage):
            if not (place / "config.json").is_file():
                needed = read_header(path).bytes
                room.require(place, needed)
                with room.made(place, needed), fresh_folder(place, force=False) as folder:
                    convert(path, folder, on_stage)
                    catalogue.write_source(folder, file=str(path), fingerprint=found)
    return place


def convert(path: Path, folder: Path, on_stage: Stage = lambda _: None) -> None:
    """Write the model of a GGUF file into `folder`, which is there. Raises ModelError, and OSError where the disk
    refuses."""
    header = read_header(path)
    _require_memory(path, header)
    on_stage(f"converting {path.name} ({shown(path.stat().st_size)}), once: importing Transformers")
    with gc_paused():
        import torch
        import transformers
        from safetensors import SafetensorError

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model: Any
    info: dict[str, Any]
    place: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(path.parent, **place)
        with torch.device("meta"):
            empty = transformers.AutoModelForCausalLM.from_config(config)
        _require_fit(path, header, empty)
        on_stage(f"converting {path.name}, once: reading {header.parameters / 1e6:,.0f}M weights")
        kind = getattr(transformers, "GgufConfig", None)  # from 5.2x on: without it weights may stay in their blocks
        more = {} if kind is None else {"quantization_config": kind(dequantize=True)}
        with redirect_stderr(_Bars(lambda far: on_stage(f"converting {path.name}, once: {far} tensors"))):
            # With its config given the header, which takes seconds to read, is read once less.
            model, info = transformers.AutoModelForCausalLM.from_pretrained(
                path.parent, config=config, dtype=torch.float32, output_loading_info=True, **place, **more
            )  # type: ignore[misc]
        on_stage(f"converting {path.name}, once: reading its tokenizer")
        tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **place)
    except ModelError:
        raise
    except MemoryError:
        raise ModelError(f"there is not enough memory to convert {path}; use a smaller model") from None
    except Exception as error:  # gguf's, transformers', tokenizers' and torch's ways of saying that it does not fit
        raise ModelError(
            f"{path} (a GGUF file of architecture {header.architecture}) cannot be converted ({reason(error)}); use "
            "another file, or a model folder"
        ) from None
    if missing := sorted(info.get("missing_keys", ())):
        raise ModelError(f"{path} lacks weights of its own model ({missing[0]}); download it again, or use another")
    on_stage(f"converting {path.name}, once: writing the model")
    state = {name: _smallest(tensor, path) for name, tensor in model.state_dict().items()}
    # `save_pretrained` refuses a model that was read from quantized weights, whatever it holds now: so a fresh one.
    generation, config = model.generation_config, model.config
    for name in MEANINGLESS:
        if name in config.__dict__:
            delattr(config, name)
    with torch.device("meta"):
        fresh = transformers.AutoModelForCausalLM.from_config(config)
    del model, empty
    fresh.load_state_dict(state, assign=True)
    fresh.tie_weights()
    fresh.generation_config = generation
    if header.ends:
        generation.eos_token_id = header.ends[0] if len(header.ends) == 1 else header.ends
    if header.pre_tokenizer in DIGITS_ALONE:
        _split_digits(tokenizer)
    try:
        fresh.save_pretrained(folder)
    except SafetensorError as error:  # its way of saying that the disk refuses
        raise room.os_error(error, folder) from error
    from theta_tui.model.files import save_tokenizer

    save_tokenizer(tokenizer, folder)
    _without_rows(folder / "tokenizer.json", fresh.config.get_text_config().vocab_size)
    _tidy(folder / "config.json", {str(tensor.dtype).removeprefix("torch.") for tensor in state.values()})


class _Bars(io.TextIOBase):
    """Takes what Transformers draws on standard error, which it does for GGUF files whatever it was told, and says how
    far it is: `40 of 272`."""

    def __init__(self, on_stage: Stage) -> None:
        self.on_stage, self.screen = on_stage, sys.stderr

    def write(self, text: str) -> int:
        if found := re.search(r" (\d+)/(\d+) \[", text):
            with redirect_stderr(self.screen):
                self.on_stage(f"{found[1]} of {found[2]}")
        return len(text)


def read_header(path: Path) -> gguf_header.Header:
    """The header of a GGUF file, checked. Raises ModelError."""
    from gguf.constants import GGML_QUANT_SIZES

    return gguf_header.read(path, {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()})


def _require_memory(path: Path, header: gguf_header.Header) -> None:
    needed, there = 4 * header.parameters, total_memory()
    if there is not None and needed > there:
        raise ModelError(
            f"{path} takes {shown(needed)} of memory to convert ({header.parameters / 1e9:.1f}B weights in float32), "
            f"and this machine has {shown(there)}; use a smaller model"
        )


def _require_fit(path: Path, header: gguf_header.Header, empty: Any) -> None:
    """Raises ModelError where the model that the header describes is larger than what the file holds: its missing
    weights would be allocated, and filled with random numbers."""
    promised = sum(parameter.numel() for parameter in empty.parameters())
    if promised > header.parameters:
        raise ModelError(
            f"{path} describes a model of {promised:,} weights and holds {header.parameters:,}; download it again, or "
            "use another"
        )


def _smallest(tensor: torch.Tensor, path: Path) -> torch.Tensor:
    """The same values in 16 bits, where those hold them. Raises ModelError where some are no numbers."""
    import torch

    if not tensor.is_floating_point():
        return tensor
    if not all(extreme.isfinite() for extreme in torch.aminmax(tensor)):
        raise ModelError(f"the weights in {path} hold values that are not numbers; download it again")
    first = tensor.flatten()[:4096]  # nearly always tells already that those do not
    for kind in (torch.bfloat16, torch.float16):
        if torch.equal(first.to(kind).to(tensor.dtype), first):
            small = tensor.to(kind)
            if torch.equal(small.to(tensor.dtype), tensor):
                return small
    return tensor


def _split_digits(tokenizer: Any) -> None:
    from tokenizers import pre_tokenizers

    backend = tokenizer.backend_tokenizer
    if isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel):
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )


def _without_rows(path: Path, rows: int) -> None:
    """Leave out the tokens that the model has no rows for: Transformers adds one for what is unknown, needed or not."""
    values = json.loads(path.read_text("utf-8"))
    kept = [token for token in values["added_tokens"] if token["id"] < rows]
    if len(kept) < len(values["added_tokens"]):
        path.write_text(json.dumps(values | {"added_tokens": kept}, ensure_ascii=False), "utf-8")


def _tidy(path: Path, kinds: set[str]) -> None:
    """Leave out of config.json what says nothing, and let it say the widest type of what is stored."""
    values = {key: value for key, value in json.loads(path.read_text("utf-8")).items() if key not in MEANINGLESS}
    values["dtype"] = "float32" if len(kinds) > 1 else kinds.pop()
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", "utf-8")
