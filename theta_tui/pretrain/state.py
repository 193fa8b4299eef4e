"""The state of a training run on disk: weights, optimizer state and counters, whole or not at all.

The older state stays until the new one is complete: after a kill at any instant, the run can continue bit for bit.
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
    """What a run has done so far. `seconds` is the time it ran, over all its sessions."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    epoch: int = 0
    row: int = 0
    best: float | None = None
    """Bits per byte of the best validation so far; None before the first."""
    best_step: int = 0
    skipped: int = 0
    """Steps skipped because the gradient was not finite."""
    plan: dict[str, Any] = field(default_factory=dict)


def save_state(
    folder: Path,
    counters: Counters,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Write `folder`/step-N and remove the older states."""
    make_folder(folder, 0o777)
    target = folder / f"step-{counters.step}"
    if (target / "state.json").is_file():
        # The same step again: the existing state stays until this one is complete.
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
    """Remove state.json first: without it, a half-removed folder is no state."""
    (state / "state.json").unlink(missing_ok=True)
    shutil.rmtree(state, ignore_errors=True)


def newest(folder: Path) -> Path | None:
    """The newest complete state in `folder`."""
    found = [path for path in folder.glob("step-*") if (path / "state.json").is_file()]
    return max(found, key=lambda path: int(path.name.split("-")[1]), default=None)


def read_counters(state: Path) -> Counters:
    """The counters of a state. Raises ModelError if they cannot be read."""
    try:
        return Counters(**json.loads((state / "state.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"training cannot continue from {state} ({error}); start over with --restart") from None


def load_state(
    state: Path,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Load weights and optimizer state of `state`. Raises ModelError if they do not fit."""
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
                # A step count stays float32; only the fused AdamW wants it on the parameter's device.
                value = value.to(parameter.device)
            optimizer.state[parameter][part] = value
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise ModelError(f"training cannot continue from {state} ({error}); start over with --restart") from None
