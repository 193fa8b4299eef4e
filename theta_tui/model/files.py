"""Where a model's files are and what identifies them. No torch here: a command can ask before anything heavy loads."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from theta_tui.base.errors import ModelError
from theta_tui.base.files import assets_dir
from theta_tui.model import catalogue, gguf_header, room

DEFAULT = "default"
FULL_HASH_LIMIT = 256 * 2**20
"""Bytes of weights up to which the fingerprint reads all of them; beyond, the header and the size stand for a file."""

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
MAX_HEADER = 100 * 2**20


def resolve(name: str) -> Path | str:
    """`default` (or nothing), the place of a model of the catalogue, a local folder or a GGUF file (which win over a
    hub id of the same name), or else the hub id itself.

    What is spelled as a path (`./x`, `/x`, `~/x`, `a/b/c`, `x.gguf`) is one, there or not.
    """
    if name in ("", DEFAULT):
        return assets_dir() / DEFAULT
    if catalogue.find(name) is not None:
        return catalogue.folder(name)
    path = Path(name).expanduser()
    spelled = name.startswith((".", "/", "~")) or name.count("/") > 1 or (os.sep != "/" and os.sep in name)
    if path.exists() or spelled or path.suffix.lower() == gguf_header.SUFFIX:
        return path.absolute()
    return name


def full_name(name: str) -> str:
    """`name` such that it means the same model from any working folder."""
    if name in ("", DEFAULT) or catalogue.find(name) is not None:
        return name or DEFAULT
    return str(resolve(name))


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold the weights of a model folder, in a fixed order. Opens no pickle.

    Raises ModelError: no folder, no model in it, only pickled weights, or a shard that is missing.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {folder}; check --model, or use --model {DEFAULT}")
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} is not a model: it has no config.json; --model takes a folder that "
            "AutoModelForCausalLM.from_pretrained reads"
        )
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        shards = _read_json(folder / INDEX).get("weight_map")
        names = sorted({Path(str(name)).name for name in shards.values()}) if isinstance(shards, dict) else []
        missing = [name for name in names if not (folder / name).is_file()]
        if missing or not names:
            raise ModelError(f"{folder} lacks {missing[0] if missing else 'its weights'}; download the model again")
        return [folder / name for name in names]
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles:
        raise ModelError(
            f"{folder} has only pickled weights ({pickles[0]}), which can run code and are never opened; "
            "convert them to safetensors"
        )
    raise ModelError(f"{folder} has no weights ({WEIGHTS}); download the model again")


def read_config(folder: Path) -> dict[str, object]:
    """config.json as a mapping. Raises ModelError where it is no JSON object."""
    return _read_json(folder / "config.json")


def tensor_shapes(path: Path) -> dict[str, list[int]]:
    """Name → shape of each tensor, from the header of a safetensors file. Raises ModelError where it is damaged."""
    shapes: dict[str, list[int]] = {}
    try:
        for name, entry in header(path)[1].items():
            if name != "__metadata__":
                shapes[name] = [int(size) for size in entry["shape"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelError(f"{path} is damaged (its header cannot be read); download the model again") from None
    return shapes


def header(path: Path) -> tuple[int, Any]:
    """Of a safetensors file: where the tensors begin, in bytes, and its header. Raises ModelError, and ValueError or
    RecursionError where it is no JSON."""
    found = _header(path)
    return len(found), json.loads(found[8:])


def not_numbers(folder: Path) -> ModelError:
    return ModelError(f"the weights in {folder} hold values that are not numbers; download the model again")


def fingerprint(name: str) -> str:
    """What identifies the model that `name` means: a short sha256 over config and weights.

    A hub id is identified by its name: whether it has been downloaded yet must not change the answer.
    A GGUF file is identified by itself, not by what a version of Transformers makes of it; so is a model of the
    catalogue that came as one. Raises ModelError where there is no usable model.
    """
    place = resolve(name)
    if isinstance(place, str):
        return hashlib.sha256(b"hub:" + place.encode()).hexdigest()[:16]
    if gguf_header.is_gguf(place):
        return gguf_header.fingerprint(place)
    catalogue.require(name)
    if catalogue.find(name) is not None and (known := catalogue.source(place).get("fingerprint")):
        return str(known)
    files = weight_files(place)
    whole = sum(path.stat().st_size for path in files) <= FULL_HASH_LIMIT
    digest = hashlib.sha256()
    try:
        digest.update((place / "config.json").read_bytes())
        for path in files:
            if whole:
                with path.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
            else:
                digest.update(_header(path) + str(path.stat().st_size).encode())
    except OSError as error:
        raise ModelError(f"{place} cannot be read ({error.strerror}); check its permissions") from None
    return digest.hexdigest()[:16]


def _header(path: Path) -> bytes:
    """The length word and the JSON header of a safetensors file."""
    try:
        with path.open("rb") as stream:
            length = stream.read(8)
            size = int.from_bytes(length, "little")
            if len(length) < 8 or size > min(MAX_HEADER, path.stat().st_size - 8):
                raise ModelError(f"{path} is damaged (cut short, or no safetensors file); download the model again")
            return length + stream.read(size)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check its permissions") from None


def _read_json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ModelError(f"{path} is not valid JSON; download the model again")
    return value


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write `tokenizer` into `folder`. Raises OSError, also where the disk refuses the library's own writer, which
    raises a bare Exception."""
    try:
        tokenizer.save_pretrained(folder)
    except Exception as error:
        if type(error) is not Exception or (refused := room.os_error(error, folder)).errno is None:
            raise
        raise refused from error
