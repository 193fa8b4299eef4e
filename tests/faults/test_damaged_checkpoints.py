"""Checkpoints that were flipped, cut, zeroed, swapped, replaced by a link or made of no numbers: each is caught and
named, the one before it is used, and the weights come out the same."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from theta_tui.base.config import Settings
from theta_tui.base.errors import ModelError
from theta_tui.learning import checkpoint
from theta_tui.learning.compare import differing
from theta_tui.learning.snapshot import Snapshot
from theta_tui.session.replay import Replay
from theta_tui.session.session import Session
from theta_tui.store.store import Store

WEIGHTS = "model.safetensors"


class Taught:
    """A home with three checkpoints of different weights, and the weights that it stands for."""

    def __init__(self, home: Path, model: Path) -> None:
        torch.set_num_threads(1)
        self.settings = Settings(
            home=home, model=str(model), device="cpu", lock_wait=0, seed=1, threads=1, recipe="classic"
        )
        session = Session(Store.open(self.settings))
        session.load()
        for number in range(3):
            session.teach(f"question {number}", f"answer {number}")
            session.save()
        self.state: Snapshot = session.learner.snapshot()
        session.close()
        self.folder = home / "checkpoints"
        self.oldest, self.older, self.newest = (
            manifest.path for manifest in reversed(checkpoint.list_checkpoints(self.folder))
        )

    def chosen(self) -> tuple[Path | None, str]:
        """The checkpoint that coming back would begin with, and what it says of others."""
        record = Store.read(self.settings)
        fold = Replay(record)
        manifest = next(fold._valid_checkpoints(lambda _: None), None)
        return manifest and manifest.path, " ".join(record.take_notices())

    def comes_back(self) -> str:
        """Load it all; the weights must be right. Returns what was told."""
        session = Session(Store.open(self.settings))
        try:
            session.load()
            assert not differing(session.learner.snapshot(), self.state)
            return " ".join(session.store.take_notices())
        finally:
            session.close()


@pytest.fixture(scope="module")
def pristine(in_memory: Path, model: Path) -> Taught:
    return Taught(in_memory / "taught", model)


@pytest.fixture
def taught(pristine: Taught) -> Iterator[Taught]:
    """The same home for every test, as it was."""
    kept = pristine.folder.with_name("kept")
    shutil.copytree(pristine.folder, kept)
    yield pristine
    shutil.rmtree(pristine.folder)
    kept.rename(pristine.folder)


def caught(taught: Taught, damaged: Path, file: str) -> None:
    """The newest checkpoint is not used, it and `file` are named, and the one before it is used instead."""
    path, told = taught.chosen()
    assert path == taught.older
    assert damaged.name in told
    assert file in told
    with pytest.raises(ModelError):
        checkpoint.verify(damaged)


def flip(taught: Taught, times: int) -> None:
    rng = random.Random(1)
    files = sorted(taught.newest.iterdir())
    for _ in range(times):
        file = rng.choice(files)
        data = bytearray(file.read_bytes())
        at = rng.randrange(len(data))
        sound = bytes(data)
        data[at] ^= 1 << rng.randrange(8)
        file.write_bytes(data)
        if file.name == checkpoint.MANIFEST and _says_the_same(sound, bytes(data)):
            assert taught.chosen()[0] == taught.newest  # white space between two values
        else:
            caught(taught, taught.newest, file.name)
        file.write_bytes(sound)
    assert taught.chosen() == (taught.newest, "")


def _says_the_same(one: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def cut(taught: Taught, times: int) -> None:
    rng = random.Random(2)
    files = sorted(taught.newest.iterdir())
    for number in range(times):
        file = files[number % len(files)]
        data = file.read_bytes()
        file.write_bytes(data[: rng.randrange(len(data) - 1)])
        caught(taught, taught.newest, file.name)
        file.write_bytes(data)


def test_some_flips_and_cuts_are_caught_and_named(taught: Taught) -> None:
    flip(taught, 40)
    cut(taught, 16)


@pytest.mark.slow
def test_two_thousand_flips_and_fifty_cuts_are_caught_and_named(taught: Taught) -> None:
    flip(taught, 2000)
    cut(taught, 50)


def test_zeroed_files_and_sectors_are_caught(taught: Taught) -> None:
    for file in sorted(taught.newest.iterdir()):
        data = file.read_bytes()
        for start in {0, len(data) // 1024 * 512}:
            file.write_bytes(data[:start] + bytes(min(512, len(data) - start)) + data[start + 512 :])
            caught(taught, taught.newest, file.name)
        file.write_bytes(bytes(len(data)))
        caught(taught, taught.newest, file.name)
        file.write_bytes(data)


def test_files_of_another_checkpoint_or_in_another_place_are_caught(taught: Taught) -> None:
    for name in (WEIGHTS, checkpoint.TRAINING_STATE, checkpoint.MANIFEST):
        sound = (taught.newest / name).read_bytes()
        shutil.copyfile(taught.oldest / name, taught.newest / name)
        path, told = taught.chosen()
        assert path == taught.older, name
        # With an older manifest it is an older one, which nobody asked for yet.
        assert (taught.newest.name in told) == (name != checkpoint.MANIFEST)
        (taught.newest / name).write_bytes(sound)
    one, other = taught.newest / WEIGHTS, taught.newest / checkpoint.TRAINING_STATE
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    path, told = taught.chosen()
    assert (path, taught.newest.name in told) == (taught.older, True)


def test_checkpoints_whose_names_were_swapped_are_known_by_what_is_in_them(taught: Taught) -> None:
    aside = taught.folder / "aside"
    taught.newest.rename(aside)
    taught.oldest.rename(taught.newest)
    aside.rename(taught.oldest)
    assert taught.comes_back() == ""


def _nan(tensors: dict[str, torch.Tensor]) -> None:
    next(iter(tensors.values())).view(-1)[0] = float("nan")


def _shape(tensors: dict[str, torch.Tensor]) -> None:
    name, tensor = next(iter(tensors.items()))
    tensors[name] = torch.zeros(tensor.numel() + 1)


def _missing(tensors: dict[str, torch.Tensor]) -> None:
    tensors.pop(next(iter(tensors)))


@pytest.mark.parametrize(
    ("name", "worse"),
    [
        (WEIGHTS, _nan), (WEIGHTS, _shape), (WEIGHTS, _missing),
        (checkpoint.TRAINING_STATE, _nan), (checkpoint.TRAINING_STATE, _shape),
    ],
)  # fmt: skip
def test_one_that_proves_itself_but_cannot_be_used_is_passed_over(
    taught: Taught, name: str, worse: Callable[[dict[str, torch.Tensor]], None]
) -> None:
    """Its digests are right: it was written so."""
    tensors = load_file(taught.newest / name)
    worse(tensors)
    save_file(tensors, taught.newest / name, metadata={"format": "pt"})
    values = json.loads((taught.newest / checkpoint.MANIFEST).read_text())
    (taught.newest / checkpoint.MANIFEST).unlink()
    checkpoint._write_manifest(
        taught.newest, {key: value for key, value in values.items() if key not in ("check", "files")}
    )
    assert checkpoint.read_manifest(taught.newest)
    assert taught.newest.name in taught.comes_back()


def test_links_are_not_followed(taught: Taught, folder: Path) -> None:
    for name in (WEIGHTS, checkpoint.MANIFEST):
        shutil.move(taught.newest / name, folder / name)
        (taught.newest / name).symlink_to(folder / name)
        path, told = taught.chosen()
        assert (path, taught.newest.name in told, "symbolic link" in told) == (taught.older, True, True)
        (taught.newest / name).unlink()
        shutil.move(folder / name, taught.newest / name)
    shutil.move(taught.newest, folder / "elsewhere")
    taught.newest.symlink_to(folder / "elsewhere")
    path, told = taught.chosen()
    assert (path, "symbolic link" in told) == (taught.older, True)
    taught.newest.unlink()
    shutil.move(folder / "elsewhere", taught.newest)


def test_where_all_are_damaged_everything_is_learned_again(taught: Taught) -> None:
    for path in (taught.oldest, taught.older, taught.newest):
        (path / WEIGHTS).write_bytes(b"")
    told = taught.comes_back()
    assert all(path.name in told for path in (taught.oldest, taught.older, taught.newest))


def test_the_last_valid_one_is_never_removed(taught: Taught) -> None:
    """Not for those that cannot be used, and not while the new one is not proven."""
    session = Session(Store.open(taught.settings))
    session.load()
    for path in (taught.oldest, taught.older):
        (path / WEIGHTS).write_bytes(b"")
    (taught.folder / "step-99").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "verify", _refuses)
        for keep in (1, 2, 3):
            with pytest.raises(ModelError, match="not read back"):
                checkpoint.save(taught.folder, session.model, session.learner, position=9, extra={}, keep=keep)
            assert taught.newest.is_dir()
    checkpoint.verify(taught.newest)
    saved = checkpoint.save(taught.folder, session.model, session.learner, position=9, extra={}, keep=1)
    assert checkpoint.verify(saved).position == 9
    assert [manifest.path for manifest in checkpoint.list_checkpoints(taught.folder)] == [saved]
    session.close()


def _refuses(path: Path) -> None:
    raise ModelError("it does not read back: not read back")
