"""Where a training stands, on disk: weights, optimizer state and counters, whole or not at all.

The newest state is beside the older one until it is complete: a kill at any instant leaves one that can be gone on
from, bit for bit.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from theta_tui.base.errors import ModelError
from theta_tui.base.files import fsync_file, fsync_folder, make_folder


@dataclass(slots=True)
class Counters:
    """What a training has done. `seconds` are those it ran, over all its sittings."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    epoch: int = 0
    row: int = 0
    best: float | None = None
    """Bits per byte of the best validation so far."""
    best_step: int = 0
    skipped: int = 0
    """Steps that were not taken because the gradient was not finite."""
    plan: dict[str, Any] = field(default_factory=dict)


def save_state(
    folder: Path,
    counters: Counters,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Write `folder`/step-N and take away the older ones."""
    make_folder(folder, 0o777)
    target = folder / f"step-{counters.step}"
    if (target / "state.json").is_file():
        # The same step once more: what is there stays until this one is complete.
        target = folder / f"step-{counters.step}-again"
    _remove(target)
    partial = folder / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    names: dict[torch.Tensor, str] = {parameter: name for name, parameter in parameters.items()}
    held = {
        f"{names[parameter]}|{key}": value.detach().float().cpu().contiguous()
        for optimizer in optimizers
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }
    save_file(
        {name: parameter.detach().cpu().contiguous() for name, parameter in parameters.items()},
        partial / "w.safetensors",
    )
    save_file(held, partial / "o.safetensors")
    (partial / "state.json").write_text(json.dumps(asdict(counters), indent=1), "utf-8")
    for path in partial.iterdir():
        fsync_file(path)
    fsync_folder(partial)
    partial.rename(target)
    fsync_folder(folder)
    for path in folder.glob("step-*"):
        if path != target:
            _remove(path)


def _remove(state: Path) -> None:
    """What makes it a state goes first: half removed, it is none."""
    (state / "state.json").unlink(missing_ok=True)
    shutil.rmtree(state, ignore_errors=True)


def newest(folder: Path) -> Path | None:
    """The newest complete state in `folder`."""
    found = [path for path in folder.glob("step-*") if (path / "state.json").is_file()]
    return max(found, key=lambda path: int(path.name.split("-")[1]), default=None)


def read_counters(state: Path) -> Counters:
    """Raises ModelError where the file cannot be read."""
    try:
        return Counters(**json.loads((state / "state.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{state} cannot be gone on from ({error}); --restart begins anew") from None


def load_state(
    state: Path,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Put weights and optimizer state of `state` in place. Raises ModelError where they do not fit."""
    try:
        weights, held = load_file(state / "w.safetensors"), load_file(state / "o.safetensors")
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(weights[name])
        owner = {
            parameter: (optimizer, group)
            for optimizer in optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        }
        for key, value in held.items():
            name, _, part = key.rpartition("|")
            parameter = parameters[name]
            optimizer, group = owner[parameter]
            if part != "step":
                value = value.to(parameter.device, parameter.dtype)
            elif group.get("fused") or group.get("capturable"):
                # A step count stays float32; the fused AdamW alone wants it beside the parameter.
                value = value.to(parameter.device)
            optimizer.state[parameter][part] = value
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise ModelError(f"{state} cannot be gone on from ({error}); --restart begins anew") from None
