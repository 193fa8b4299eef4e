"""Loading: from the name of a model to its folder, its weights and its tokenizer.

Opens safetensors and JSON only and never runs code from a model folder. Imports torch and Transformers when needed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.base.errors import ModelError, Stoppable
from theta_tui.base.gc import gc_paused
from theta_tui.base.memory import shown, total_memory
from theta_tui.base.text import reason
from theta_tui.model import files as model_files
from theta_tui.model import gguf_header, lora

if TYPE_CHECKING:
    import torch

LARGE = 3_000_000_000
"""Parameters from which `auto` holds the weights in bfloat16: in float32 they would hardly fit beside Adam's state."""


def choose_device(asked: str) -> str:
    """The device `asked` for: cpu, cuda or mps (auto: the best there is). Raises ModelError where it is missing."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    names = [name for name, present in there.items() if present]
    if asked == "auto":
        return names[0]
    if not there.get(asked, False):
        raise ModelError(f"there is no {asked} device here (there is: {', '.join(names)}); use --device {names[0]}")
    return asked


def choose_dtype(asked: str, folder: Path) -> torch.dtype:
    """The precision of the weights. auto is float32, as the rounding of 16-bit weights swallows a lesson's steps."""
    import torch

    # Also looks at the files before transformers does, so that no pickle is ever opened.
    size = parameters(folder)
    if asked in ("float32", "bfloat16"):
        return torch.float32 if asked == "float32" else torch.bfloat16
    return torch.bfloat16 if size >= LARGE else torch.float32


def parameters(folder: Path) -> int:
    """Parameters in the files of a model folder."""
    shapes = [shape for path in model_files.weight_files(folder) for shape in model_files.tensor_shapes(path).values()]
    return sum(map(_numel, shapes))


def find_folder(target: Path | str, offline: bool, stage: Callable[[str], None]) -> Path:
    """The model folder that `--model` means: itself, what was made of a GGUF file, or what was fetched from the hub."""

    def long(words: str) -> None:
        stage(Stoppable(words))

    if isinstance(target, str):
        return _download(target, offline, long)
    if gguf_header.is_gguf(target):
        from theta_tui.model.gguf_reading import converted

        return converted(target, long)
    return target


def require_memory(name: str, folder: Path, kind: torch.dtype) -> None:
    """Raises ModelError where the weights alone take more memory than this machine has."""
    needed, there = parameters(folder) * kind.itemsize, total_memory()
    if there is not None and needed > there:
        raise ModelError(
            f"the weights of {name} take {shown(needed)} of memory as {str(kind).removeprefix('torch.')}, and this "
            f"machine has {shown(there)}; use a smaller model"
        )


def whole(folder: Path) -> Path:
    """`folder`, unless it is an adapter where a whole model is needed: ModelError then."""
    if lora.is_adapter(folder) and not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} holds an adapter, not a whole model, and this model learns whole; use --lora on for a model "
            "that learns by LoRA"
        )
    return folder


def _numel(shape: list[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _download(name: str, offline: bool, stage: Callable[[str], None]) -> Path:
    """The files of a hub model, from the Hugging Face cache or the hub. Neither pickles nor code are fetched."""
    from theta_tui.model import clients, hub_client

    if not offline:
        stage(f"fetching {name} from the Hugging Face hub")
        try:
            return clients.fetched_to_cache(name, stage)
        except clients.ClientError as error:
            raise ModelError(
                f"{name} is not a local folder and cannot be fetched from the Hugging Face hub ({error}); check the "
                f"name and the network, or use --model {model_files.DEFAULT}"
            ) from None
    stage(f"looking for {name} in the Hugging Face cache")
    try:
        return Path(hub_client.cached(name, None, clients.PATTERNS))
    except Exception:  # the library's errors, the operating system's
        raise ModelError(
            f"{name} is neither a local folder nor in the Hugging Face cache; drop --offline to fetch it"
        ) from None


def read_known(folder: Path, weights: Path, dtype: torch.dtype) -> Any | None:
    """The model of `folder` with the tensors of `weights`, where it can be had without Transformers; else None."""
    from theta_tui.model.llama import model as llama

    return llama.load(folder, weights, dtype)


def _quiet() -> None:
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def read_config(folder: Path) -> Any:
    with gc_paused():
        from transformers import CONFIG_MAPPING, AutoConfig

    values = model_files.read_config(folder)
    if "auto_map" in values and values.get("model_type") not in CONFIG_MAPPING:
        raise ModelError(
            f"{folder} brings its own Python code ({values.get('model_type', 'unknown type')}), which Theta never "
            "runs; use a model of a type that Transformers knows"
        )
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise ModelError(f"{folder} is not a model that Transformers knows ({reason(error)}); use another") from None


def read(folder: Path, config: Any, dtype: torch.dtype) -> Any:
    """The model with the weights of `folder`, on the CPU, in eval mode. Every tensor must be there and fit."""
    with gc_paused():
        from transformers import AutoModelForCausalLM

    _quiet()
    for path in model_files.weight_files(folder):
        model_files.tensor_shapes(path)
    model: Any
    info: dict[str, Any]
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # else the error only says that a report stands above it
        )  # type: ignore[misc]
    except MemoryError:
        raise ModelError(f"there is not enough memory to load {folder}; use a smaller model") from None
    except Exception as error:  # safetensors', transformers' and torch's ways of saying that the files do not fit
        raise ModelError(f"{folder} cannot be loaded as a causal language model ({reason(error)})") from None
    misfits = (key if isinstance(key, str) else key[0] for key in info.get("mismatched_keys", ()))
    wrong = sorted([*info.get("missing_keys", ()), *misfits])
    if wrong:
        # Transformers would fill them with random numbers and go on.
        raise ModelError(
            f"the weights in {folder} do not fit its config.json ({len(wrong)} missing or of another shape: "
            f"{wrong[0]}); download the model again"
        )
    _require_finite(model, folder)
    # Dropout stays off for learning too: generate() does not switch it off by itself, and with it on, "says it now"
    # would be measured on another network than the one that answers, and a lesson could not be repeated bit for bit.
    return model.eval()


def owned(model: Any) -> Any:
    """`model` with its weights copied. Transformers maps them from the file where it can: they would follow changes of
    the file, and products with unaligned memory round differently."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    return model


def _require_finite(model: Any, folder: Path) -> None:
    import torch

    if any(not torch.isfinite(parameter).all() for parameter in model.parameters()):
        raise model_files.not_numbers(folder)


def read_tokenizer(folder: Path, transformers: bool) -> Any:
    from theta_tui.model import tokenizer as tokens

    known = None if transformers else tokens.read(folder)
    if known is not None:
        return known
    from transformers import AutoTokenizer

    _quiet()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise ModelError(f"the tokenizer of {folder} cannot be loaded ({reason(error)})") from None
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise ModelError(f"{folder} has no tokenizer.json; use a model with a fast tokenizer")
    return tokenizer
