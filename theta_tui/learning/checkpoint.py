"""Checkpoints: the lessons' own weights, what the optimizer needs to go on, and a manifest that proves both.

Where the shared weights moved, they are saved too, as a model folder that anyone can load, or as a peft adapter where
the model learns by LoRA. Else they are the base model's, which is not copied.

safetensors has no checksum of its own (of 2,000 flipped bits 1,986 loaded silently), so the manifest holds the sha256
of every file. A checkpoint appears under its name only when all of it is on disk and was read back.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from theta_tui.base.errors import HomeError, ModelError
from theta_tui.base.files import fsync_file, fsync_folder, make_folder
from theta_tui.base.text import plural, reason
from theta_tui.learning.learner import Learner
from theta_tui.model.language_model import LanguageModel

FORMAT = 1
MANIFEST = "manifest.json"
TRAINING_STATE = "training_state.safetensors"
_UNFINISHED = ".tmp-"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A checkpoint's description of itself. Its weights have learned the journal up to the record `position`; `files`
    maps each file's name to its sha256 and size; `learner` are the learner's plain values; `extra` is the caller's."""

    path: Path
    position: int
    step: int
    parameters: int
    machine: str
    saved_at: float
    files: Mapping[str, tuple[str, int]]
    learner: Mapping[str, Any]
    extra: Mapping[str, Any]

    @property
    def weights(self) -> Path | None:
        """The folder of the shared weights; None: they are the base model's."""
        return self.path if set(self.files) != {TRAINING_STATE} else None


def save(folder: Path, lm: LanguageModel, learner: Learner, *, position: int, extra: dict[str, Any], keep: int) -> Path:
    """Write the model and the learner as they are into a new checkpoint in `folder`, and return its path.

    Afterwards the `keep` newest are left, this one among them. Raises ModelError where the weights are not finite or
    do not read back as written, and HomeError where the disk refuses; then nothing is left behind and what was there
    before is untouched.
    """
    tensors, values = learner.state()
    # Weights that no lesson moves were checked when they were loaded.
    named = [*lm.trainable().items(), *tensors.items()]
    broken = next((name for name, tensor in named if not torch.isfinite(tensor).all()), None)
    if broken is not None:
        raise ModelError(
            f"the model holds values that are not numbers ({broken}) and is not saved; undo the last lesson"
        )
    unfinished = folder / f"{_UNFINISHED}step-{learner.step}-{os.getpid()}"
    path: Path | None = None
    try:
        make_folder(folder)
        for leftover in folder.glob(f"{_UNFINISHED}*"):
            _remove(leftover)
        unfinished.mkdir(mode=0o700)
        if learner.moved_shared:
            lm.save(unfinished)
        held = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
        save_file(held, str(unfinished / TRAINING_STATE))
        _write_manifest(
            unfinished,
            {
                "format": FORMAT,
                "position": position,
                "step": learner.step,
                "parameters": lm.parameters,
                "machine": lm.machine(),
                "saved_at": time.time(),
                "learner": values,
                "extra": extra,
            },
        )
        for file in unfinished.iterdir():
            file.chmod(0o600)
            fsync_file(file)
        fsync_folder(unfinished)
        path = _free_name(folder, f"step-{learner.step}")
        unfinished.rename(path)
        fsync_folder(folder)
        verify(path)
    except (OSError, SafetensorError) as error:
        _discard(unfinished, path)
        why = getattr(error, "strerror", None) or reason(error)
        raise HomeError(
            f"no checkpoint can be written to {folder} ({why}); make room or check its permissions; "
            "what was saved before is untouched"
        ) from error
    except BaseException:
        _discard(unfinished, path)
        raise
    # The new one is on disk and reads back, so there always is a valid one. What cannot be removed may stay.
    others = [manifest.path for manifest in list_checkpoints(folder) if manifest.path != path]
    _retire(folder, others[max(0, keep - 1) :])
    return path


def list_checkpoints(folder: Path) -> list[Manifest]:
    """The checkpoints in `folder`, newest position first. One whose manifest cannot be read is left out; whether the
    files are as the manifest says is for `verify` to find."""
    found: list[Manifest] = []
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name.startswith("step-"):
                with suppress(ModelError):
                    found.append(read_manifest(path))
    return sorted(found, key=lambda manifest: (manifest.position, manifest.step, manifest.saved_at), reverse=True)


def unreadable(folder: Path) -> list[str]:
    """For each checkpoint that `list_checkpoints` leaves out, a sentence that says what is wrong with it."""
    problems: list[str] = []
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.name.startswith("step-"):
                try:
                    read_manifest(path)
                except ModelError as error:
                    problems.append(str(error))
    return problems


def read_manifest(path: Path) -> Manifest:
    """The manifest of checkpoint `path`. Raises ModelError where it is missing, damaged or of a newer version."""
    damaged = ModelError(f"the checkpoint {path.name} is damaged ({MANIFEST} is missing or cannot be read)")
    try:
        if path.is_symlink() or (path / MANIFEST).is_symlink():
            raise ModelError(f"the checkpoint {path.name} is not used: it is a symbolic link or holds one")
        values = json.loads((path / MANIFEST).read_bytes())
        check = values.pop("check")
        if values["format"] != FORMAT:
            raise ModelError(
                f"the checkpoint {path.name} was written by another version of Theta (format {values['format']})"
            )
        if check != _checksum(values):
            raise damaged
        return Manifest(
            path=path,
            position=int(values["position"]),
            step=int(values["step"]),
            parameters=int(values["parameters"]),
            machine=str(values["machine"]),
            saved_at=float(values["saved_at"]),
            files={str(name): (str(entry["sha256"]), int(entry["size"])) for name, entry in values["files"].items()},
            learner=dict(values["learner"]),
            extra=dict(values["extra"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise damaged from None


def verify(path: Path) -> Manifest:
    """Read the whole checkpoint and return its manifest. Raises ModelError naming what is wrong: a file that is
    missing, cut short, changed or a symbolic link, or a value that is not finite."""
    manifest = read_manifest(path)
    for name, (digest, size) in manifest.files.items():
        file = path / name
        problem = None
        if Path(name).name != name or file.is_symlink():
            problem = "is a symbolic link or lies elsewhere"
        elif not file.is_file():
            problem = "is missing"
        else:
            try:
                if file.stat().st_size != size:
                    problem = f"has {plural(file.stat().st_size, 'byte')} instead of {size:,}"
                else:
                    with file.open("rb") as stream:
                        if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                            problem = "was changed since it was written"
            except OSError as error:
                problem = f"cannot be read ({error.strerror})"
        if problem:
            raise ModelError(f"the checkpoint {path.name} is damaged: {name} {problem}")
    for name in manifest.files:
        if name.endswith(".safetensors"):
            _verify_finite(path, name)
    return manifest


def restore(path: Path, learner: Learner) -> Manifest:
    """Give `learner` the optimizer state and step count of checkpoint `path`, whose weights its model already has
    (`LanguageModel.load(…, weights=manifest.weights)`). Raises ModelError where they do not fit; the learner is then as
    it was."""
    manifest = read_manifest(path)
    try:
        with safe_open(str(path / TRAINING_STATE), framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dict)
        learner.load_state(tensors, manifest.learner)
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(
            f"the checkpoint {path.name} cannot be used: {TRAINING_STATE} does not fit ({error})"
        ) from None
    return manifest


def load_into(path: Path, learner: Learner) -> Manifest:
    """Put a learner and its model where checkpoint `path` was, in place, bit for bit. Verified first: on an error
    neither has changed, unless the training state alone does not fit."""
    learner.load_weights(verify(path).weights)
    return restore(path, learner)


# --- inside ---


def _write_manifest(folder: Path, values: dict[str, Any]) -> None:
    files: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.iterdir()):
        with file.open("rb") as stream:
            files[file.name] = {
                "sha256": hashlib.file_digest(stream, "sha256").hexdigest(),
                "size": file.stat().st_size,
            }
    values = json.loads(json.dumps(values | {"files": files}, allow_nan=False))
    text = json.dumps(values | {"check": _checksum(values)}, indent=1, sort_keys=True, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", "utf-8")


def _checksum(values: Mapping[str, Any]) -> str:
    """Over the manifest itself: a flipped digit in `position` would count lessons twice."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _verify_finite(path: Path, name: str) -> None:
    try:
        with safe_open(str(path / name), framework="pt") as stored:
            for key in stored.keys():  # noqa: SIM118 (not a dict)
                tensor = stored.get_tensor(key)
                if tensor.is_floating_point() and not math.isfinite(
                    float(tensor.abs().amax() if tensor.numel() else 0)
                ):
                    raise ModelError(f"the checkpoint {path.name} holds values that are not numbers ({name}: {key})")
    except (OSError, SafetensorError) as error:
        raise ModelError(f"the checkpoint {path.name} is damaged: {name} cannot be read ({error})") from None


def _retire(folder: Path, old: list[Path]) -> None:
    """Remove checkpoints. Their names go first, and for good: half of one that had its name back after a power loss
    would be reported as damaged. What cannot be removed stays, under one name or the other."""
    retired = []
    for path in old:
        with suppress(OSError):
            retired.append(path.rename(folder / f"{_UNFINISHED}retired-{path.name}"))
    with suppress(OSError):
        if retired:
            fsync_folder(folder)
        for path in retired:
            with suppress(OSError):
                _remove(path)


def _free_name(folder: Path, name: str) -> Path:
    path, number = folder / name, 1
    while path.exists() or path.is_symlink():
        number += 1
        path = folder / f"{name}-{number}"
    return path


def _discard(unfinished: Path, published: Path | None) -> None:
    for path in (unfinished, published):
        if path is not None:
            with suppress(OSError):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
