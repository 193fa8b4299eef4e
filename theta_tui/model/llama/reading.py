"""Weights from safetensors files into memory of their own, in one pass.

Not mapped: left in the map of a file they would follow its changes, and end the process where it is cut short. Nor
copied off a map, which takes the memory of both while it lasts: 1.29 GB instead of .76 for 135M weights in float32.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

import torch

from theta_tui.model import files as model_files
from theta_tui.model.threads import on_threads

COPIED = 40_000_000
"""Parameters of a model up to which every weight lies for itself. In a larger one those of a block that read the same
lie one behind the other, so that the fast decoder multiplies with both or all three at once without a copy, which
would be half of the model (decoding/packed_linear.py)."""

SLICE = 2**18
"""Numbers that are read, widened and looked at together, while the processor's cache holds them."""

ALIGNED = 64
"""Bytes: products with weights that begin elsewhere round differently."""

TOGETHER = {"q_proj": "qkv", "k_proj": "qkv", "v_proj": "qkv", "gate_proj": "gate_up", "up_proj": "gate_up"}
KINDS = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}

Shapes = Mapping[str, torch.Size]


class Place(NamedTuple):
    """Where a tensor lies in its file, in bytes."""

    begin: int
    end: int
    shape: torch.Size
    kind: torch.dtype


def read(folder: Path, files: list[Path], wanted: Shapes, dtype: torch.dtype) -> dict[str, torch.Tensor] | None:
    """The tensors of the files of `folder`, by name. None where they are not exactly the `wanted` ones, or a file is
    not as it should be. Raises ModelError where there are values that are not numbers."""
    try:
        places = {path: _places(path) for path in files}
        shapes = {name: place.shape for some in places.values() for name, place in some.items()}
        if shapes != wanted or sys.byteorder != "little":
            return None
        found = room(wanted, dtype)
        for path, some in places.items():
            # Two threads take turns at each slice: ten times as long as one where another process has one of the cores.
            with path.open("rb") as stream, on_threads(1):
                for name, place in some.items():
                    if not _fill(found[name].view(-1), stream, place):
                        raise model_files.not_numbers(folder)
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        return None
    return found


def room(wanted: Shapes, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Memory for tensors, in the order of a model's parameters."""
    apart = sum(map(math.prod, wanted.values())) <= COPIED

    def group(name: str) -> str:
        owner, _, layer = name.removesuffix(".weight").rpartition(".")
        shape = wanted[name]
        together = name.endswith(".weight") and layer in TOGETHER and shape.numel() * dtype.itemsize % ALIGNED == 0
        return f"{owner}.{TOGETHER[layer]}" if together and not apart else name

    found = {}
    for _, some in groupby(wanted, group):
        names = list(some)
        if len(names) == 1:
            found[names[0]] = torch.empty(wanted[names[0]], dtype=dtype)
            continue
        rows = [wanted[name][0] for name in names]
        whole = torch.empty((sum(rows), *wanted[names[0]][1:]), dtype=dtype)
        found |= dict(zip(names, whole.split(rows), strict=True))
    return found


def _places(path: Path) -> dict[str, Place]:
    """Of each tensor, in the order of the file. Raises ValueError where they do not fill it from end to end, and
    KeyError for another type of numbers."""
    size, header = model_files.header(path)
    found = {
        name: Place(
            size + int(entry["data_offsets"][0]),
            size + int(entry["data_offsets"][1]),
            torch.Size(entry["shape"]),
            KINDS[entry["dtype"]],
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }
    at = size
    for name, place in sorted(found.items(), key=lambda item: item[1][:2]):
        if place.begin != at or place.end != at + place.shape.numel() * place.kind.itemsize:
            raise ValueError(f"{name} does not lie where it should")
        at = place.end
    if at != path.stat().st_size:
        raise ValueError(f"{path} is longer than what is in it")
    return dict(sorted(found.items(), key=lambda item: item[1].begin))


def _fill(numbers: torch.Tensor, stream: BinaryIO, place: Place) -> bool:
    """Read a tensor into `numbers`, which is flat; whether they are finite. Raises EOFError where the file ends."""
    stream.seek(place.begin)
    same = place.kind is numbers.dtype
    held = torch.empty(0 if same else min(SLICE, len(numbers)), dtype=place.kind)
    for part in numbers.split(SLICE):
        raw = part if same else held[: len(part)]
        if stream.readinto(raw.view(torch.uint8).numpy()) < raw.nbytes:  # type: ignore[attr-defined]
            raise EOFError
        if not same:
            part.copy_(raw)
        # A sum of finite numbers is finite, but for what exceeds the type: only then each is looked at.
        if not part.sum().isfinite() and not part.isfinite().all():
            return False
    return True
