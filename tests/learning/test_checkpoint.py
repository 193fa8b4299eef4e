from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.later import transformers
from tests.support.tiny_models import equal, weights
from theta_tui.base.errors import HomeError, ModelError
from theta_tui.learning import checkpoint
from theta_tui.learning.learner import Learner
from theta_tui.learning.recipes import RECIPES
from theta_tui.model.language_model import LanguageModel

Load = Callable[[str], LanguageModel]

QUICK = replace(RECIPES["adamw"], lr=1e-2, max_steps=3, max_seconds=1000.0)


def teach(learner: Learner, number: int, recipe: str = "adamw") -> None:
    chosen = QUICK if recipe == "adamw" else RECIPES[recipe]
    learner.learn("correction", f"question {number}", f"answer {number}", chosen, seed=number)


def save(folder: Path, learner: Learner, position: int = 1, keep: int = 3) -> Path:
    return checkpoint.save(folder, learner.lm, learner, position=position, extra={"said": "so"}, keep=keep)


@pytest.fixture
def learner(lm: LanguageModel) -> Learner:
    learner = Learner(lm)
    teach(learner, 0)
    return learner


@pytest.fixture(scope="module")
def pristine(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint to copy from."""
    learner = Learner(LanguageModel.load(str(folders["theta"]), device="cpu"))
    teach(learner, 0)
    return save(tmp_path_factory.mktemp("checkpoints"), learner)


@pytest.fixture
def saved(pristine: Path, tmp_path: Path) -> Path:
    """A checkpoint that a test may damage."""
    return Path(shutil.copytree(pristine, tmp_path / "checkpoints" / pristine.name))


@pytest.mark.parametrize("kind", ["theta", "chatml", "gpt2"])
@pytest.mark.parametrize("recipe", ["adamw", "classic"])
def test_a_checkpoint_goes_on_bit_for_bit(
    load: Load, folders: dict[str, Path], tmp_path: Path, kind: str, recipe: str
) -> None:
    learner = Learner(load(kind))
    teach(learner, 0, recipe)
    path = save(tmp_path, learner, position=17)
    resumed = Learner(LanguageModel.load(str(folders[kind]), device="cpu", weights=path))
    manifest = checkpoint.restore(path, resumed)
    assert (manifest.position, manifest.step, resumed.step) == (17, learner.step, learner.step)
    assert equal(weights(resumed.lm), weights(learner.lm))
    for taught in (learner, resumed):
        teach(taught, 1, recipe)
        teach(taught, 2, "classic")
    assert equal(weights(resumed.lm), weights(learner.lm))


def test_loading_into_a_model_in_use_takes_it_back_bit_for_bit(learner: Learner, tmp_path: Path) -> None:
    path = save(tmp_path, learner)
    before, step = weights(learner.lm), learner.step
    teach(learner, 1)
    assert not equal(weights(learner.lm), before)
    checkpoint.load_into(path, learner)
    assert equal(weights(learner.lm), before)
    assert learner.step == step


def test_a_damaged_one_is_not_loaded_into_a_model_in_use(learner: Learner, tmp_path: Path) -> None:
    path = save(tmp_path, learner)
    teach(learner, 1)
    before, step = weights(learner.lm), learner.step
    data = bytearray((path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match="was changed"):
        checkpoint.load_into(path, learner)
    assert equal(weights(learner.lm), before)
    assert learner.step == step


@pytest.mark.parametrize("kind", ["theta", "chatml", "gpt2"])
def test_from_pretrained_reads_a_checkpoint_with_its_chat_template(load: Load, tmp_path: Path, kind: str) -> None:
    learner = Learner(load(kind))
    teach(learner, 0)
    path = save(tmp_path, learner)
    model = transformers.AutoModelForCausalLM.from_pretrained(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    assert equal(list(model.parameters()), weights(learner.lm))
    messages = [{"role": "user", "content": "hello"}]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == learner.lm.chat.render([], "hello")


def test_shared_weights_that_nothing_moved_are_not_copied(load: Load, tmp_path: Path) -> None:
    learner = Learner(load("theta"))
    learner.learn_module(1, "hello", "yes", RECIPES["default"], steps=2)
    manifest = checkpoint.read_manifest(save(tmp_path, learner))
    assert (set(manifest.files), manifest.weights) == ({checkpoint.TRAINING_STATE}, None)
    learner.learn("pick", "hello", "yes", RECIPES["default"], seed=2, others=["no"])
    manifest = checkpoint.read_manifest(path := save(tmp_path, learner))
    assert manifest.weights == path
    assert "model.safetensors" in manifest.files


def test_the_manifest_says_what_it_stands_for(learner: Learner, tmp_path: Path) -> None:
    path = save(tmp_path, learner, position=5)
    assert path.name == f"step-{learner.step}"
    manifest = checkpoint.verify(path)
    assert manifest.extra == {"said": "so"}
    assert manifest.parameters == learner.lm.parameters
    assert manifest.machine == learner.lm.machine()
    assert set(manifest.files) | {"manifest.json"} == {file.name for file in path.iterdir()}


def test_files_and_folders_are_for_their_owner_only(learner: Learner, tmp_path: Path) -> None:
    path = save(tmp_path / "home" / "checkpoints", learner)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o600}


def test_a_name_that_is_taken_gets_a_number(learner: Learner, tmp_path: Path) -> None:
    names = [save(tmp_path, learner, position).name for position in (1, 2, 3)]
    assert names == [f"step-{learner.step}", f"step-{learner.step}-2", f"step-{learner.step}-3"]
    assert [manifest.position for manifest in checkpoint.list_checkpoints(tmp_path)] == [3, 2, 1]


def test_the_newest_few_are_kept(learner: Learner, tmp_path: Path) -> None:
    for position in range(1, 6):
        save(tmp_path, learner, position, keep=2)
    assert [manifest.position for manifest in checkpoint.list_checkpoints(tmp_path)] == [5, 4]
    assert len(list(tmp_path.iterdir())) == 2


def test_one_that_cannot_be_retired_keeps_none_of_the_others(
    learner: Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (save(tmp_path, learner, position, keep=9) for position in (1, 2))
    rename = Path.rename

    def stuck(path: Path, target: Path) -> Path:
        if path == second:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stuck)
    third = save(tmp_path, learner, 3, keep=1)
    assert not first.exists()
    assert {manifest.position for manifest in checkpoint.list_checkpoints(tmp_path)} == {2, 3}
    assert checkpoint.verify(third)
    assert checkpoint.verify(second)


def test_what_a_crash_left_behind_is_removed_and_never_listed(learner: Learner, tmp_path: Path) -> None:
    (tmp_path / ".tmp-step-9-1").mkdir()
    (tmp_path / ".tmp-step-9-1" / "model.safetensors").write_bytes(b"half")
    assert checkpoint.list_checkpoints(tmp_path) == []
    path = save(tmp_path, learner)
    assert list(tmp_path.iterdir()) == [path]


# --- damage ---


def damaged(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        checkpoint.verify(path)
    return str(caught.value)


def test_any_flipped_bit_is_caught_and_named(saved: Path) -> None:
    for file in sorted(saved.iterdir()):
        data = file.read_bytes()
        for place in {0, 7, 8, len(data) // 3, len(data) // 2, len(data) - 1}:
            file.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
            assert file.name in damaged(saved)
        file.write_bytes(data)
    checkpoint.verify(saved)


def test_any_cut_or_zeroed_or_missing_file_is_caught_and_named(saved: Path) -> None:
    for file in sorted(saved.iterdir()):
        data = file.read_bytes()
        for worse in (b"", data[:-1], data[: len(data) // 2], bytes(len(data)), data + b"\0"):
            file.write_bytes(worse)
            if not (file.name == checkpoint.MANIFEST and worse == data[:-1]):  # its last byte is a newline
                assert file.name in (found := damaged(saved))
                assert ("bytes instead of" in found) == (len(worse) != len(data)) or file.name == checkpoint.MANIFEST
        file.unlink()
        assert file.name in damaged(saved)
        file.write_bytes(data)


def test_a_symbolic_link_is_refused(saved: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "manifest.json"):
        moved = tmp_path / name
        (saved / name).rename(moved)
        (saved / name).symlink_to(moved)
        assert "symbolic link" in damaged(saved)
        (saved / name).unlink()
        moved.rename(saved / name)
    link = saved.with_name("step-99")
    link.symlink_to(saved)
    assert "symbolic link" in damaged(link)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "format": 2}', "[" * 100_000, '{"position": NaN}'])
def test_a_manifest_that_is_none_is_left_out_and_said_to_be(saved: Path, text: str) -> None:
    (saved / "manifest.json").write_text(text)
    assert checkpoint.list_checkpoints(saved.parent) == []
    assert saved.name in checkpoint.unreadable(saved.parent)[0]


def test_one_of_another_format_is_left_out_and_said_to_be(saved: Path) -> None:
    values = json.loads((saved / "manifest.json").read_text())
    del values["check"]
    values["format"] += 1
    (saved / "manifest.json").write_text(json.dumps(values | {"check": checkpoint._checksum(values)}))
    assert checkpoint.list_checkpoints(saved.parent) == []
    assert "another version of Theta (format" in checkpoint.unreadable(saved.parent)[0]


def test_a_changed_position_is_noticed(saved: Path) -> None:
    values = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps(values | {"position": 2}))
    assert checkpoint.list_checkpoints(saved.parent) == []


def test_a_training_state_of_another_model_is_refused(saved: Path, load: Load) -> None:
    other = Learner(load("gpt2"))
    with pytest.raises(ModelError, match="training_state"):
        checkpoint.restore(saved, other)


# --- what goes wrong while saving ---


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_never_published(learner: Learner, tmp_path: Path, value: float) -> None:
    kept = save(tmp_path, learner)
    with torch.no_grad():
        list(learner.lm.model.parameters())[-1].view(-1)[0] = value
    with pytest.raises(ModelError, match=r"not numbers .* and is not saved; undo the last lesson"):
        save(tmp_path, learner, 2)
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize("call", ["fsync", "rename", "mkdir"])
def test_a_disk_that_refuses_leaves_what_was_there(
    learner: Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The n-th call fails, for every n until it is not reached any more."""
    kept = save(tmp_path, learner)
    before = {file.name: file.read_bytes() for file in kept.iterdir()}
    for nth in range(1, 40):
        count = 0
        owner: Any = os if call == "fsync" else Path
        real = getattr(owner, call)

        def failing(*args: Any, _real: Any = real, _nth: int = nth, **names: Any) -> Any:
            nonlocal count
            count += 1
            if count == _nth:
                raise OSError(28, "No space left on device")
            return _real(*args, **names)

        with monkeypatch.context() as patch:
            patch.setattr(owner, call, failing)
            try:
                save(tmp_path, learner, 2, keep=9)
                break
            except HomeError as error:
                message = str(error)
        assert str(tmp_path) in message
        assert [path.name for path in tmp_path.iterdir()] == [kept.name]
    assert nth > 1
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == before
    assert len(checkpoint.list_checkpoints(tmp_path)) == 2


def test_a_folder_that_cannot_be_made_is_named(learner: Learner, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HomeError, match="file"):
        save(tmp_path / "file", learner)


def test_old_ones_stay_where_the_new_one_does_not_read_back(
    learner: Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = save(tmp_path, learner, keep=1)

    def bad(path: Path) -> None:
        raise ModelError("it does not read back")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "verify", bad)
        with pytest.raises(ModelError):
            save(tmp_path, learner, 2, keep=1)
    assert list(tmp_path.iterdir()) == [kept]
