"""Weights read from files: the same values, each in memory of its own, in one pass."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.tiny_models import make_tiny
from theta_tui.base.errors import ModelError
from theta_tui.model.decoding.fast import FastDecoder, agrees
from theta_tui.model.llama import model as llama
from theta_tui.model.llama import reading


def written(path: Path, kind: torch.dtype) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    tensors = {"a": torch.randn(300, 7).to(kind), "b": torch.randn(5).to(kind), "none": torch.empty(0, 4, dtype=kind)}
    save_file(tensors, path)
    return tensors


def shapes_of(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


@pytest.mark.parametrize("held", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_values_are_those_that_safetensors_reads(
    kind: torch.dtype, held: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SLICE", 64)  # so that the last slice is a short one
    tensors = written(tmp_path / "x", kind)
    found = reading.read(tmp_path, [tmp_path / "x"], shapes_of(tensors), held)
    assert found is not None
    for name, tensor in tensors.items():
        assert found[name].dtype is held
        assert torch.equal(found[name], tensor.to(held))


def test_other_names_or_shapes_are_not_read(tmp_path: Path) -> None:
    shapes = shapes_of(written(tmp_path / "x", torch.float32))
    for other in (shapes | {"c": torch.Size([1])}, shapes | {"b": torch.Size([1, 5])}):
        assert reading.read(tmp_path, [tmp_path / "x"], other, torch.float32) is None


@pytest.mark.parametrize("change", ["cut", "longer", "moved", "another type"])
def test_a_file_that_is_not_as_it_should_be_is_not_read(change: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    shapes = shapes_of(written(path, torch.float32))
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    rest = data[8 + size :]
    if change == "moved":
        header["b"]["data_offsets"] = [0, 20]
    elif change == "another type":
        header["b"]["dtype"] = "I32"
    rest = {"cut": rest[:-4], "longer": rest + b"1234"}.get(change, rest)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + rest)
    assert reading.read(tmp_path, [path], shapes, torch.float32) is None


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_single_value_that_is_no_number_is_refused(value: float, tmp_path: Path) -> None:
    tensors = {"a": torch.ones(1000, 600)}
    tensors["a"][777, 5] = value
    save_file(tensors, tmp_path / "x")
    with pytest.raises(ModelError, match="not numbers"):
        reading.read(tmp_path, [tmp_path / "x"], shapes_of(tensors), torch.float32)


def test_numbers_whose_sum_is_too_large_are_numbers(tmp_path: Path) -> None:
    tensors = {"a": torch.full((10,), 3e38)}
    save_file(tensors, tmp_path / "x")
    found = reading.read(tmp_path, [tmp_path / "x"], shapes_of(tensors), torch.float32)
    assert found is not None
    assert torch.equal(found["a"], tensors["a"])


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    return make_tiny(tmp_path / "wide")


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_a_large_model_lies_joined_and_is_not_copied(
    stored: torch.dtype, wide: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = wide / "model.safetensors"
    save_file({name: tensor.to(stored) for name, tensor in load_file(file).items()}, file, {"format": "pt"})
    apart = llama.load(wide, wide, torch.float32)
    monkeypatch.setattr(reading, "COPIED", 0)
    joined = llama.load(wide, wide, torch.float32)
    assert apart is not None
    assert joined is not None
    assert all(map(torch.equal, apart.parameters(), joined.parameters()))

    ids = list(range(5, 75))
    one, other = FastDecoder(apart), FastDecoder(joined)
    assert torch.allclose(one.prefill(ids).logits, other.prefill(ids).logits, atol=1e-5)
    assert agrees(other, joined)
    attention = joined.model.layers[0].self_attn
    held = other._blocks[0]._qkv._weight
    assert held.data_ptr() == attention.q_proj.weight.data_ptr()
    assert torch.equal(
        held, torch.cat([part.weight for part in (attention.q_proj, attention.k_proj, attention.v_proj)])
    )

    # One of them is written to: seen by the decoder, and by nothing else.
    before = attention.q_proj.weight.clone()
    with torch.no_grad():
        attention.k_proj.weight.mul_(1.5)
    assert torch.equal(attention.q_proj.weight, before)
    fresh = FastDecoder(joined)
    assert torch.allclose(fresh.prefill(ids).logits, other.prefill(ids).logits, atol=1e-5)
    joined.save_pretrained(tmp_path / "saved")
    again = llama.load(tmp_path / "saved", tmp_path / "saved", torch.float32)
    assert again is not None
    assert all(map(torch.equal, again.parameters(), joined.parameters()))
