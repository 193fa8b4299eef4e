"""LoRA (Hu et al. 2021) for models too large to be trained whole: a small adapter learns, the base model does not.

The adapter is peft's, on every linear layer of the blocks (LoRA Without Regret: the MLPs have to be among them), not on
the embeddings or the head. With a fresh adapter the model answers as before, to the bit, and a checkpoint holds only
the adapter. peft is imported where an adapter is made, and nowhere else.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from theta_tui.base.errors import ModelError
from theta_tui.base.text import reason
from theta_tui.model import room

if TYPE_CHECKING:
    import torch

Choice = Literal["auto", "on", "off"]

FULL_UP_TO = 300_000_000
"""Parameters up to which `auto` moves the whole model. In float32 with Adam's second moment and the copies for undo
that takes about 5 GB at this size; a lesson also has to fit into a second."""

RANK = 16
ALPHA = 32
"""Over the rank, the weight of the adapter. The same for every rank, since then the best learning rate hardly depends
on the rank (LoRA Without Regret)."""

NAME = "default"
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
TEMPLATE = "chat_template.jinja"
_PEFT = "base_model.model."
_SEED = 0


@dataclass(frozen=True, slots=True)
class LowRank:
    """What is added to one layer's output: `up` [out, rank] times `down` [rank, in] times what goes in. Float32."""

    down: torch.Tensor
    up: torch.Tensor


def rank_for(choice: Choice, rank: int, parameters: int, limit: int = FULL_UP_TO) -> int | None:
    """The rank of the adapter for a model of so many parameters; None: the whole model learns."""
    return rank if choice == "on" or (choice == "auto" and parameters > limit) else None


def is_adapter(folder: Path) -> bool:
    """Whether `folder` holds an adapter instead of a whole model."""
    return (folder / CONFIG).is_file()


def wrap(model: Any, rank: int) -> Any:
    """Put a fresh adapter into `model`, in place, and return peft's handle on it. Only the adapter requires gradients,
    and the model answers as before, to the bit. Raises ModelError where it has no layer that peft can adapt."""
    import torch

    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ModelError(
            f"LoRA needs peft, which cannot be imported ({error}); pip install peft, or --lora off"
        ) from None
    targets = _targets(model)
    if not targets:
        raise ModelError("this model has no linear layers that LoRA could adapt; use --lora off")
    config = LoraConfig(
        r=rank, lora_alpha=ALPHA, lora_dropout=0.0, bias="none", target_modules=targets, task_type="CAUSAL_LM"
    )
    try:
        # Both warn of what is right here: GPT-2's layers are stored transposed, and peft then says that it sees it.
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            adapter = get_peft_model(model, config)
    except ValueError as error:
        raise ModelError(f"peft cannot adapt this model ({reason(error)}); use --lora off") from None
    model.eval()
    reset(adapter)
    return adapter


def reset(adapter: Any) -> None:
    """Reset the adapter in place, to the same numbers on every machine: the model is the base model again."""
    import torch

    generator = torch.Generator().manual_seed(_SEED)
    with torch.no_grad():
        for name, tensor in sorted(tensors(adapter).items()):
            fresh = torch.zeros(tensor.shape)
            if ".lora_A." in name:
                torch.nn.init.kaiming_uniform_(fresh, a=math.sqrt(5), generator=generator)
            tensor.copy_(fresh)


def tensors(adapter: Any) -> dict[str, torch.Tensor]:
    """The adapter's tensors by their names in peft's files. Writing to them changes the model."""
    from peft import get_peft_model_state_dict

    # Else peft would ask the Hugging Face hub whether the vocabulary was changed.
    found: dict[str, torch.Tensor] = get_peft_model_state_dict(adapter, adapter_name=NAME, save_embedding_layers=False)
    return found


def save(adapter: Any, folder: Path, base: str, dtype: torch.dtype | None = None) -> None:
    """Write the adapter into `folder` as peft reads it, for the base model named `base`; with `dtype`, in that."""
    from safetensors.torch import save_file

    held = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in tensors(adapter).items()}
    save_file(held, str(folder / WEIGHTS), metadata={"format": "pt"})
    _write_config(folder, adapter.peft_config[NAME], base)


def save_parts(model: Any, folder: Path, parts: Mapping[str, tuple[torch.Tensor, torch.Tensor]], base: str) -> None:
    """Write an adapter that is not in `model` into `folder` as peft reads it, for the base model named `base`: by a
    layer's name `A` [rank, in] and `B` [out, rank], of which B·A is added to its weight."""
    from peft import LoraConfig
    from safetensors.torch import save_file

    held = {
        f"{_PEFT}{name}.lora_{part}.weight": tensor.detach().to("cpu").contiguous()
        for name, (a, b) in parts.items()
        for part, tensor in (("A", a), ("B", b))
    }
    save_file(held, str(folder / WEIGHTS), metadata={"format": "pt"})
    rank = max(len(a) for a, _ in parts.values())
    # GPT-2's layers hold their weight as [in, out].
    layers = [model.get_submodule(name) for name in parts]
    turned = any(type(getattr(layer, "base_layer", layer)).__name__ == "Conv1D" for layer in layers)
    config = LoraConfig(
        r=rank, lora_alpha=rank, lora_dropout=0.0, bias="none", target_modules=sorted(parts), task_type="CAUSAL_LM",
        fan_in_fan_out=turned,
    )  # fmt: skip
    _write_config(folder, config, base)


def _write_config(folder: Path, config: Any, base: str) -> None:
    values = config.to_dict() | {"base_model_name_or_path": base, "inference_mode": True}
    values["target_modules"] = sorted(values["target_modules"])
    (folder / CONFIG).write_text(json.dumps(values, indent=2, sort_keys=True, default=_plain) + "\n", "utf-8")


def load(adapter: Any, folder: Path) -> None:
    """Take the adapter of `folder`, in place. Raises ModelError where it does not fit; nothing has changed then."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not is_adapter(folder):
        raise ModelError(f"{folder} holds a whole model, not an adapter, and this model learns by LoRA; use --lora off")
    mine = tensors(adapter)
    try:
        theirs = load_file(str(folder / WEIGHTS))
        scale = float(json.loads((folder / CONFIG).read_text("utf-8"))["lora_alpha"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"the adapter in {folder} is damaged ({reason(error)})") from None
    shapes = [{name: tensor.shape for name, tensor in some.items()} for some in (mine, theirs)]
    if shapes[0] != shapes[1] or scale != adapter.peft_config[NAME].lora_alpha:
        raise ModelError(f"the adapter in {folder} is of another rank or for another model")
    if any(not torch.isfinite(tensor).all() for tensor in theirs.values()):
        raise ModelError(f"the adapter in {folder} holds values that are not numbers")
    with torch.no_grad():
        for name, tensor in mine.items():
            tensor.copy_(theirs[name])


def merge_into(adapter: Any, fresh: Any) -> None:
    """Add the adapter to the weights of `fresh`, a base model on the CPU, with sums in float32. The adapter and its own
    model stay as they are."""
    import torch

    with torch.no_grad():
        for name, module in adapter.get_base_model().named_modules():
            if NAME in getattr(module, "lora_A", {}):
                weight = fresh.get_submodule(name).weight
                delta = module.get_delta_weight(NAME).to("cpu", torch.float32)
                weight.copy_(weight.float() + delta)


def merge_files(adapter: Path, folder: Path) -> None:
    """Add the adapter of the folder `adapter` to the weights of the model folder `folder`, in its files, with sums in
    float32. A chat template beside the adapter takes the model's place.

    Raises ModelError where the adapter is damaged or for another model, and OSError where the disk refuses: the files
    may be half written then.
    """
    import shutil

    import torch
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file, save_file

    from theta_tui.model.files import tensor_shapes, weight_files

    try:
        config = json.loads((adapter / CONFIG).read_text("utf-8"))
        scale = float(config["lora_alpha"]) / float(config["r"])
        held = {name: tensor.float() for name, tensor in load_file(str(adapter / WEIGHTS)).items()}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"the adapter in {adapter} is damaged ({reason(error)})") from None
    pairs = [(name, name.replace(".lora_A.", ".lora_B.")) for name in held if name.endswith(".lora_A.weight")]
    parts = {
        f"{down.removeprefix(_PEFT).removesuffix('.lora_A.weight')}.weight": (held[down], held[up])
        for down, up in pairs
        if up in held
    }
    there = {name: shape for path in weight_files(folder) for name, shape in tensor_shapes(path).items()}
    fits = all(
        there.get(name) == [len(up), down.shape[1]] and len(down) == up.shape[1] for name, (down, up) in parts.items()
    )
    if not parts or len(held) != 2 * len(parts) or not fits or config.get("fan_in_fan_out"):
        raise ModelError(f"the adapter in {adapter} is for another model than the one in {folder}")
    if any(not torch.isfinite(tensor).all() for tensor in held.values()):
        raise ModelError(f"the adapter in {adapter} holds values that are not numbers")
    for path in weight_files(folder):
        with safe_open(path, "pt") as opened:
            weights = {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118
        for name in weights.keys() & parts.keys():
            down, up = parts[name]
            weights[name] = (weights[name].float() + up @ down * scale).to(weights[name].dtype)
        fresh = path.with_name(f".{path.name}.merged")
        try:
            save_file(weights, str(fresh), metadata={"format": "pt"})
        except SafetensorError as error:
            raise room.os_error(error, path) from error
        fresh.replace(path)
    if (adapter / TEMPLATE).is_file():
        shutil.copyfile(adapter / TEMPLATE, folder / TEMPLATE)


def _targets(model: Any) -> list[str]:
    """Names of the layers to adapt: only their last parts where no other layer has one of those."""
    from theta_tui.model.modules import linear_size

    head = model.get_output_embeddings()
    linear: set[str] = set()
    others: set[str] = set()
    for name, module in model.named_modules():
        wanted = linear_size(module) is not None and module is not head
        (linear if wanted else others).add(name)
    short = {name.rpartition(".")[2] for name in linear}
    clash = any(name.rpartition(".")[2] in short for name in others)
    return sorted(linear if clash else short)


def _plain(value: Any) -> Any:
    """Sets and enumerations of a LoraConfig, as JSON can have them."""
    return sorted(value) if isinstance(value, (set, frozenset)) else getattr(value, "value", str(value))
