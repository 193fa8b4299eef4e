"""A Hugging Face causal language model with its tokenizer, ready to generate and to learn.

Opens safetensors and JSON only and runs nobody's code. torch is imported when a model is loaded, not with this
module, so that `--offline` and the quiet settings are in force first; Transformers only where the model or its
tokenizer is not one that model/llama and model/tokenizer.py know, or where it learns by LoRA.
"""

from __future__ import annotations

import inspect
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from theta_tui.base.errors import ModelError
from theta_tui.base.gc import gc_paused
from theta_tui.base.memory import shown, total_memory
from theta_tui.base.text import reason
from theta_tui.model import catalogue, gguf_header, lora, token_rows
from theta_tui.model import files as model_files
from theta_tui.model.chat_template import ChatTemplate, Encoded, Example, Turns
from theta_tui.model.files import assets_dir, fingerprint, resolve
from theta_tui.model.instant import UNDATED

if TYPE_CHECKING:
    import torch

    from theta_tui.model.decoding.protocol import Decoder

__all__ = ["Encoded", "Example", "LanguageModel", "assets_dir", "fingerprint", "resolve"]

LARGE = 3_000_000_000
"""Parameters from which `auto` holds the weights in bfloat16: in float32 they would hardly fit beside Adam's state."""

REVISION = 2
"""Version of how steps are computed. It goes up when the same lessons, from the same state, give other bits than
before."""


class LanguageModel:
    """The model, its tokenizer and what it takes to talk to it. Belongs to one thread."""

    def __init__(
        self, name: str, folder: Path, model: Any, tokenizer: Any, device: str, adapter: Any | None = None
    ) -> None:
        self.name = name
        self.folder = folder
        self.model = model
        self.adapter = adapter
        """peft's handle on the adapter in `model`, where it learns by LoRA; None where it learns whole."""
        self.tokenizer = tokenizer
        self.device = device
        every = {name: parameter.numel() for name, parameter in model.named_parameters()}
        self.adapter_parameters = sum(every[name] for name in self.trainable()) if adapter is not None else 0
        self.parameters = sum(every.values()) - self.adapter_parameters
        """Of the base model; those of an adapter are not counted."""
        self.window = _window(model, tokenizer)
        self.chat = ChatTemplate(tokenizer, window=self.window, end_ids=_generation_ends(model))
        token_rows.require(model, self.chat)
        self.end_ids = self.chat.end_ids
        self.notices = list(self.chat.notices)
        self.last_logits = {"logits_to_keep": 1} if _can_keep_last(model) else {}
        """Arguments of a forward pass for the logits of the last token only."""

    @classmethod
    def load(
        cls,
        name: str,
        *,
        device: str = "auto",
        dtype: str = "auto",
        offline: bool = False,
        threads: int = 0,
        on_stage: Callable[[str], None] | None = None,
        weights: Path | None = None,
        adapt: lora.Choice = "off",
        rank: int = lora.RANK,
        transformers: bool = False,
    ) -> LanguageModel:
        """The model that `name` (`default`, a folder, a hub id) means; with `weights`, its tensors from there.

        `adapt` says whether it is to learn by LoRA, of `rank` (auto: where it is large). `weights` is a model folder
        of the same architecture, such as a checkpoint, or a folder with an adapter where it learns by LoRA.
        With `transformers` model and tokenizer are its classes whatever they are, for more than talk and lessons.
        `on_stage` hears what is going on. Raises ModelError with what is wrong and what to do.
        """
        stage = on_stage or (lambda _: None)
        stage("importing PyTorch")
        if offline:
            os.environ["HF_HUB_OFFLINE"] = "1"
        import torch

        if threads > 0:
            torch.set_num_threads(threads)
        place = choose_device(device)
        target = resolve(name)
        catalogue.require(name)
        folder = _folder(target, offline, stage)
        stage("reading the model")
        kind = _dtype(dtype, folder)
        _require_memory(name, folder, kind)
        chosen = lora.rank_for(adapt, rank, _size(folder))
        adapter = None
        model = None
        if chosen is None:
            source = _whole(weights or folder)
            model = None if transformers else _known(folder, source, kind)
            if model is None:
                stage("importing Transformers")
                model = _owned(_read(source, _config(folder), kind))
        else:
            stage("importing Transformers")
            model = _read(folder, _config(folder), kind)
            stage("adding the adapter")
            adapter = lora.wrap(model, chosen)
            if weights is not None:
                lora.load(adapter, weights)
        stage("reading the tokenizer")
        lm = cls(name, folder, model.to(place), _tokenizer(folder, transformers), place, adapter)
        from theta_tui.model.llama.block import recognised

        if not recognised(model):
            stage("trying the model on a few tokens")
            if lm.decoder.rereads:
                lm.notices.append(
                    "this model is read anew for every token of a reply, because it keeps no cache or its cached steps "
                    "differ from its own: replies are right, and slow"
                )
        return lm

    @property
    def lora_rank(self) -> int | None:
        """The rank of the adapter that learns; None where the whole model does."""
        return None if self.adapter is None else int(self.adapter.peft_config[lora.NAME].r)

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """The parameters that lessons may move, by name. A tied head is the embedding, and comes once."""
        own = self.model.named_parameters(remove_duplicate=True)
        if self.adapter is None:
            return dict(own)
        return {name: parameter for name, parameter in own if ".lora_" in name and f".{lora.NAME}." in name}

    @cached_property
    def decoder(self) -> Decoder:
        """The fastest exact decoder of this model; it keeps what was read last (`decoding.protocol`). Raises ModelError
        where the model is none that can write or be taught."""
        from theta_tui.model.decoding import fast

        found = fast.proven(self.model) if self.adapter is None else None
        if found is not None:
            return found
        # Imported only here: it takes Transformers, which the built-in model does without.
        from theta_tui.model.decoding import general

        ids = self.encode_prompt((), "hello, who are you?", room=1).ids
        return general.proven(self.model, self.last_logits, ids)

    def encode_prompt(
        self, turns: Turns, prompt: str, *, room: int, limit: int | None = None, at: float = UNDATED
    ) -> Encoded:
        """Token ids of the conversation, with room for a reply of `room` tokens: see `ChatTemplate.encode_prompt`."""
        return self.chat.encode_prompt(turns, prompt, room=room, limit=limit, at=at)

    def read_ahead(self, turns: Turns, *, room: int, limit: int | None = None, at: float = UNDATED) -> Iterator[None]:
        """Prefill the tokens in front of the next prompt, in slices of some 20 ms with a yield after each, so that
        replies to it begin at once. Yields nothing where they were read before, or where no turn would be kept."""
        from theta_tui.model.decoding.protocol import common_prefix

        if turns:
            one, other = (self.encode_prompt(turns, text, room=room, limit=limit, at=at).ids for text in ("a", "b"))
            yield from self.decoder.prefill_ahead(one[: common_prefix(one, other)])

    def encode_lesson(
        self,
        turns: Turns,
        prompt: str,
        reply: str,
        *,
        limit: int | None = None,
        loss: Literal["reply", "all"] = "reply",
        at: float = UNDATED,
    ) -> Example:
        """Token ids of the conversation with its reply, and labels: see `ChatTemplate.encode_lesson`."""
        return self.chat.encode_lesson(turns, prompt, reply, limit=limit, loss=loss, at=at)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of reply tokens, without control tokens."""
        return self.chat.decode(ids)

    def load_weights(self, folder: Path | None = None) -> None:
        """Take the weights of `folder` (None: the base model's), in place. On an error nothing has changed.

        Call `Learner.load_state` or `Learner.reset` afterwards, since a Learner keeps copies.
        """
        import torch

        if self.adapter is not None:
            if folder is None:
                lora.reset(self.adapter)
            else:
                lora.load(self.adapter, folder)
            return
        from theta_tui.model.llama.model import LlamaForCausalLM

        source, own = _whole(folder or self.folder), isinstance(self.model, LlamaForCausalLM)
        fresh = _known(self.folder, source, self.dtype) if own else None
        if fresh is None:
            fresh = _read(source, _config(self.folder) if own else self.model.config, self.dtype)
        mine, theirs = (
            (_tensors(self.model), _tensors(fresh))
            if type(self.model) is type(fresh)
            else (list(self.model.parameters()), list(fresh.parameters()))
        )
        with torch.no_grad():
            for here, there in zip(mine, theirs, strict=True):
                here.copy_(there)

    def save(self, folder: Path) -> None:
        """Write what lessons may have moved into `folder`: the whole model with its tokenizer, or the adapter alone."""
        if self.adapter is not None:
            target = resolve(self.name)
            lora.save(self.adapter, folder, target if isinstance(target, str) else str(self.folder))
            return
        self.model.save_pretrained(folder)
        save_tokenizer(self.tokenizer, folder)

    def merged(self) -> Any:
        """The model without an adapter: itself, or a copy on the CPU that has the adapter added to its weights."""
        if self.adapter is None:
            return self.model
        fresh = _read(self.folder, self.model.config, self.dtype)
        lora.merge_into(self.adapter, fresh)
        return fresh

    @property
    def dtype(self) -> torch.dtype:
        return next(self.model.parameters()).dtype

    def machine(self) -> str:
        """The arithmetic in words: versions, device, threads, precision. With the same, the same lessons give the same
        bits."""
        from importlib.metadata import version

        import torch

        versions = f"torch {torch.__version__}, transformers {version('transformers')}"
        kind = f"{str(self.dtype).removeprefix('torch.')}, steps {REVISION}"
        if self.adapter is not None:
            import peft

            kind += f", lora rank {self.lora_rank} (peft {peft.__version__})"
        if self.device == "cuda":
            return f"{versions}, cuda {torch.version.cuda} {torch.cuda.get_device_name()}, {kind}"
        place = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
        return f"{versions}, {self.device} {place}, {torch.get_num_threads()} threads, {kind}"


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


def _dtype(asked: str, folder: Path) -> torch.dtype:
    """The precision of the weights. auto is float32, as the rounding of 16-bit weights swallows a lesson's steps."""
    import torch

    # Also looks at the files before transformers does, so that no pickle is ever opened.
    size = _size(folder)
    if asked in ("float32", "bfloat16"):
        return torch.float32 if asked == "float32" else torch.bfloat16
    return torch.bfloat16 if size >= LARGE else torch.float32


def _size(folder: Path) -> int:
    """Parameters in the files of a model folder."""
    shapes = [shape for path in model_files.weight_files(folder) for shape in model_files.tensor_shapes(path).values()]
    return sum(map(_numel, shapes))


def _folder(target: Path | str, offline: bool, stage: Callable[[str], None]) -> Path:
    """The model folder that `--model` means: itself, what was made of a GGUF file, or what was fetched from the hub."""
    if isinstance(target, str):
        return _download(target, offline, stage)
    if gguf_header.is_gguf(target):
        from theta_tui.model.gguf_reading import converted

        return converted(target, stage)
    return target


def _require_memory(name: str, folder: Path, kind: torch.dtype) -> None:
    """Raises ModelError where the weights alone take more memory than this machine has."""
    needed, there = _size(folder) * kind.itemsize, total_memory()
    if there is not None and needed > there:
        raise ModelError(
            f"the weights of {name} take {shown(needed)} of memory as {str(kind).removeprefix('torch.')}, and this "
            f"machine has {shown(there)}; use a smaller model"
        )


def _whole(folder: Path) -> Path:
    """`folder`, unless it is an adapter where a whole model is needed: ModelError then."""
    if lora.is_adapter(folder) and not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} holds an adapter and no whole model, and this model learns whole; use --lora on for a model "
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
    from huggingface_hub import snapshot_download

    stage(f"looking for {name} in the Hugging Face cache" if offline else f"fetching {name} from the Hugging Face hub")
    try:
        return Path(
            snapshot_download(
                name,
                local_files_only=offline,
                allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"],
                ignore_patterns=["*/*", "consolidated*"],
            )
        )
    except Exception as error:  # the hub client's errors, its network library's, the operating system's
        why = reason(error)
        if offline:
            message = f"{name} is neither a local folder nor in the Hugging Face cache; drop --offline to fetch it"
        else:
            message = (
                f"{name} is not a local folder and cannot be fetched from the Hugging Face hub ({why}); "
                f"check the name and the network, or use --model {model_files.DEFAULT}"
            )
        raise ModelError(message) from None


def _known(folder: Path, weights: Path, dtype: torch.dtype) -> Any | None:
    """The model of `folder` with the tensors of `weights`, where it can be had without Transformers; else None."""
    from theta_tui.model.llama import model as llama

    return llama.load(folder, weights, dtype)


def _quiet() -> None:
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def _config(folder: Path) -> Any:
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
        raise ModelError(f"{folder} is no model that Transformers knows ({reason(error)}); use another") from None


def _read(folder: Path, config: Any, dtype: torch.dtype) -> Any:
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


def _owned(model: Any) -> Any:
    """`model` with its weights copied. Transformers maps them from the file where it can: they would follow changes of
    the file, and products with unaligned memory round differently."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    return model


def _require_finite(model: Any, folder: Path) -> None:
    import torch

    if any(not torch.isfinite(parameter).all() for parameter in model.parameters()):
        raise model_files.not_numbers(folder)


def _tokenizer(folder: Path, transformers: bool) -> Any:
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


def _can_keep_last(model: Any) -> bool:
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def _tensors(model: Any) -> list[torch.Tensor]:
    return [*model.parameters(), *model.buffers()]


def _window(model: Any, tokenizer: Any) -> int:
    """The most tokens that the model takes, by its files and its tables of positions."""
    learned = token_rows.positions(model)
    for source in (model.config, model.config.get_text_config()):
        for name in ("max_position_embeddings", "max_seq_len", "max_target_positions"):
            size = getattr(source, name, None)
            if isinstance(size, int) and size > 0:
                return size if learned is None else min(size, learned)
    return learned or (int(tokenizer.model_max_length) if tokenizer.model_max_length < 10**6 else 1024)


def _generation_ends(model: Any) -> list[int]:
    """The tokens that end a reply, by the model's files, without those that the model has no row for."""
    found = getattr(model.generation_config, "eos_token_id", None)
    if found is None:
        found = model.config.get_text_config().eos_token_id
    rows = min(token_rows.tables(model).values(), default=sys.maxsize)
    ends = [] if found is None else [found] if isinstance(found, int) else list(found)
    return [index for index in ends if 0 <= index < rows]


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write `tokenizer` into `folder`. Raises OSError, also where the disk refuses the library's own writer, which
    raises a bare Exception."""
    try:
        tokenizer.save_pretrained(folder)
    except Exception as error:
        found = re.fullmatch(r"(.*) \(os error (\d+)\)", str(error))
        if type(error) is not Exception or found is None:
            raise
        raise OSError(int(found[2]), found[1], str(folder)) from error
