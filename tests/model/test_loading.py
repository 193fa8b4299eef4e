from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from theta_tui.base.errors import ModelError
from theta_tui.base.files import assets_dir
from theta_tui.model.files import fingerprint, resolve
from theta_tui.model.language_model import LanguageModel

Load = Callable[[str], LanguageModel]


@pytest.fixture
def copy(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A model folder that a test may damage."""
    return Path(shutil.copytree(folders["theta"], tmp_path / "model"))


def refused(folder: Path | str, **options: str | bool) -> str:
    with pytest.raises(ModelError) as caught:
        LanguageModel.load(str(folder), **({"device": "cpu"} | options))  # type: ignore[arg-type]
    message = str(caught.value)
    assert caught.value.code == 4
    assert "\n" not in message
    return message.replace(str(folder), "FOLDER")  # which has the test's name in it


def test_files_are_found_and_identified_without_torch() -> None:
    program = (
        "import sys; from theta_tui.model.language_model import resolve, fingerprint, assets_dir;"
        "assert resolve('default') == assets_dir() / 'default'; assert fingerprint('default');"
        "assert not {'torch', 'transformers', 'textual'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_quiet_environment_is_set_before_torch_can_be_imported() -> None:
    program = (
        "import os, sys; import theta_tui.model; assert 'torch' not in sys.modules;"
        "assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'; assert os.environ['TOKENIZERS_PARALLELISM'] == 'true'"
    )
    environ = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environ | {"TOKENIZERS_PARALLELISM": "true"})


def test_a_local_folder_wins_over_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("someone/model") == "someone/model"
    (tmp_path / "someone" / "model").mkdir(parents=True)
    assert resolve("someone/model") == tmp_path / "someone" / "model"
    assert resolve("./nowhere") == tmp_path / "nowhere"
    assert resolve("default") == assets_dir() / "default"


def test_the_fingerprint_follows_the_weights_and_not_the_place(copy: Path, folders: dict[str, Path]) -> None:
    assert fingerprint(str(copy)) == fingerprint(str(folders["theta"]))
    file = copy / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert fingerprint(str(copy)) != fingerprint(str(folders["theta"]))


def test_the_fingerprint_follows_the_config_too(copy: Path, folders: dict[str, Path]) -> None:
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    assert fingerprint(str(copy)) != fingerprint(str(folders["theta"]))


def test_the_embedded_model_loads_in_float32_and_says_what_it_is() -> None:
    stages: list[str] = []
    lm = LanguageModel.load("default", device="cpu", on_stage=stages.append)
    assert lm.parameters == sum(p.numel() for p in lm.model.parameters()) > 1_000_000
    assert lm.window >= 512
    assert {p.dtype for p in lm.model.parameters()} == {torch.float32}
    assert lm.end_ids
    assert lm.notices == []
    assert len(stages) >= 3
    assert torch.__version__ in lm.machine()


def test_a_model_is_in_eval_mode_so_dropout_is_off(load: Load) -> None:
    lm = load("gpt2")
    assert not any(module.training for module in lm.model.modules())
    ids = torch.tensor([[1, 2, 3]])
    assert torch.equal(lm.model(ids).logits, lm.model(ids).logits)


def test_weights_can_come_from_another_folder(folders: dict[str, Path], copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, copy / "model.safetensors", {"format": "pt"})
    plain = LanguageModel.load(str(folders["theta"]), device="cpu")
    moved = LanguageModel.load(str(folders["theta"]), device="cpu", weights=copy)
    for one, other in zip(plain.model.parameters(), moved.model.parameters(), strict=True):
        assert torch.equal(one + 1, other)
    plain.load_weights(copy)
    for one, other in zip(plain.model.parameters(), moved.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "no model folder" in refused(tmp_path / "nowhere")


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    assert "config.json" in refused(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_refused_without_being_opened(copy: Path, name: str) -> None:
    (copy / "model.safetensors").unlink()
    trap = copy / "opened"
    # Unpickling this would make the file `opened`.
    (copy / name).write_bytes(b"cpathlib\nPath\n(V" + str(trap).encode() + b"\ntR.")
    (copy / name).chmod(0)
    assert "pickle" in refused(copy)
    assert not trap.exists()


def test_transformers_is_told_to_run_no_code_and_to_open_no_pickle(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second wall: it is not reached by what these tests know of."""
    import transformers

    told: dict[str, dict[str, Any]] = {}
    for name in ("AutoConfig", "AutoTokenizer", "AutoModelForCausalLM"):
        real = getattr(transformers, name).from_pretrained

        def heard(*args: Any, _name: str = name, _real: Any = real, **how: Any) -> Any:
            told.setdefault(_name, how)
            return _real(*args, **how)

        monkeypatch.setattr(getattr(transformers, name), "from_pretrained", heard)
    load("gpt2")
    assert {name: (how["trust_remote_code"], how["local_files_only"]) for name, how in told.items()} == {
        name: (False, True) for name in ("AutoConfig", "AutoTokenizer", "AutoModelForCausalLM")
    }
    assert told["AutoModelForCausalLM"]["use_safetensors"] is True


def test_a_model_that_wants_its_own_code_to_run_is_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "homemade", "auto_map": {"AutoConfig": "x.Y", "AutoModelForCausalLM": "x.Z"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "x.py").write_text("raise SystemExit('code was run')")
    assert "which Theta never runs" in refused(copy)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_cut_weights_are_refused(copy: Path, keep: int) -> None:
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    refused(copy)


@pytest.mark.parametrize("transformers", [False, True], ids=["our own reading", "by Transformers"])
@pytest.mark.parametrize("size", [2**62, 2**40])
def test_a_header_longer_than_its_file_is_refused_and_not_read(
    folders: dict[str, Path], copy: Path, size: int, transformers: bool
) -> None:
    (copy / "model.safetensors").write_bytes(size.to_bytes(8, "little") + b"{}")
    assert "cut short" in refused(copy, transformers=transformers)
    with pytest.raises(ModelError, match="cut short"):
        LanguageModel.load(str(folders["theta"]), device="cpu", weights=copy, transformers=transformers)


def test_a_shard_that_is_missing_is_named(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "model-1.safetensors")
    shards = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(shards))
    assert "lacks model-2.safetensors" in refused(copy)


def test_weights_of_another_shape_are_refused(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    tensors["model.norm.weight"] = torch.ones(16)
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    refused(copy)


def test_missing_weights_are_not_filled_with_random_ones(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    assert "model.norm.weight" in refused(copy)


@pytest.mark.parametrize("transformers", [False, True], ids=["our own reading", "by Transformers"])
def test_weights_that_are_not_finite_are_refused(copy: Path, transformers: bool) -> None:
    tensors = load_file(copy / "model.safetensors")
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    assert "not numbers" in refused(copy, transformers=transformers)


def test_a_config_that_is_no_json_is_refused(copy: Path) -> None:
    (copy / "config.json").write_text("{" * 100_000)
    assert "JSON" in refused(copy)


def test_a_model_without_a_tokenizer_is_refused(copy: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    assert "tokenizer" in refused(copy)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_with_what_is(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    message = refused("default", device=device)
    assert device in message
    assert "cpu" in message


def test_a_hub_model_that_is_not_cached_is_refused_offline() -> None:
    with pytest.raises(ModelError, match="--offline"):
        LanguageModel.load("nobody-here/no-such-model", device="cpu", offline=True)
