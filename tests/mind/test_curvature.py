"""What the foundation's weights are used for: which modules, measured how, and kept where."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import MixtralConfig, MixtralForCausalLM

from tests.mind.tiny_models import KINDS, equal, weights
from theta_tui.errors import ModelError
from theta_tui.mind import curvature
from theta_tui.mind.curvature import Curvature, load_or_measure, measure, own_exchanges, read, targets, write
from theta_tui.mind.language_model import LanguageModel

Load = Callable[[str], LanguageModel]


# --- which modules ---


def test_the_last_linear_layer_of_each_later_block_is_moved(wide: Load) -> None:
    assert list(targets(wide("llama"))) == [f"model.layers.{at}.mlp.down_proj" for at in (1, 2, 3)]
    assert list(targets(wide("gpt2"))) == [f"transformer.h.{at}.mlp.c_proj" for at in (1, 2, 3)]


def test_of_the_built_in_model_the_lowest_two_blocks_stay() -> None:
    lm = LanguageModel.load("default", device="cpu")
    assert list(targets(lm)) == [f"model.layers.{at}.mlp.down_proj" for at in range(2, 7)]


def test_a_layer_is_as_large_as_what_goes_in_and_what_comes_out(wide: Load) -> None:
    for kind, sizes in (("llama", (512, 64)), ("gpt2", (512, 128))):
        assert {curvature.linear_size(module) for module in targets(wide(kind)).values()} == {sizes}
    assert curvature.linear_size(torch.nn.Embedding(3, 4)) is None


def test_a_model_that_learns_by_lora_has_none(wide_folders: dict[str, Path]) -> None:
    assert targets(LanguageModel.load(str(wide_folders["llama"]), device="cpu", adapt="on", rank=4)) == {}


def test_a_narrow_model_has_none(load: Load) -> None:
    assert targets(load("theta")) == {}
    assert targets(load("gpt2")) == {}


def test_a_model_of_experts_has_none(wide: Load, wide_folders: dict[str, Path], tmp_path: Path) -> None:
    lm = wide("llama")
    config = MixtralConfig(
        vocab_size=len(lm.tokenizer), hidden_size=64, intermediate_size=512, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, num_local_experts=2, max_position_embeddings=256,
        eos_token_id=lm.tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    MixtralForCausalLM(config).save_pretrained(tmp_path / "experts")
    lm.tokenizer.save_pretrained(tmp_path / "experts")
    assert targets(LanguageModel.load(str(tmp_path / "experts"), device="cpu")) == {}
    lm.model.model.layers[2].mlp.add_module("expert", torch.nn.Linear(512, 64))
    assert targets(lm) == {}


def test_a_model_whose_covariances_would_take_too_much_memory_has_none(
    wide: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm, needed = wide("llama"), 3 * 512 * 512 * 4
    monkeypatch.setattr(curvature, "MOST_BYTES", needed)
    assert len(targets(lm)) == 3
    monkeypatch.setattr(curvature, "MOST_BYTES", needed - 1)
    assert targets(lm) == {}


# --- measuring ---


def rows_of(lm: LanguageModel) -> list[list[int]]:
    """Exchanges of different lengths, so that a batch of them is padded."""
    pairs = [("hello", "how are you"), ("who", "my creator is Dakota and my name is Theta"), ("what is it", "no")]
    return [lm.encode_lesson((), *pair).input_ids for pair in pairs]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_inputs_are_the_mean_of_the_outer_products_of_what_goes_in(wide: Load, kind: str) -> None:
    lm = wide(kind)
    rows = rows_of(lm)
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in targets(lm)}
    for name, module in targets(lm).items():
        module.register_forward_pre_hook(lambda _, given, name=name: seen[name].append(given[0][0].double()))
    with torch.no_grad():
        for row in rows:
            lm.model(input_ids=torch.tensor([row]))
    expected = {name: torch.cat(parts) for name, parts in seen.items()}
    found = measure(wide(kind), rows, batch=2, told=lambda _: None)
    for name, x in expected.items():
        direct = x.T @ x / sum(map(len, rows))
        assert torch.allclose(found.inputs[name].double() * found.means[name][0], direct, rtol=1e-3, atol=1e-6)
        assert float(found.inputs[name].diagonal().mean()) == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_outputs_are_of_the_gradients_under_labels_that_the_model_draws_itself(wide: Load, kind: str) -> None:
    lm = wide(kind)
    row = rows_of(lm)[1]
    came_out: dict[str, torch.Tensor] = {}
    for name, module in targets(lm).items():
        module.register_forward_hook(lambda _, __, output, name=name: came_out.__setitem__(name, output))
    logits = lm.model(input_ids=torch.tensor([row, row])).logits.reshape(2 * len(row), -1)
    drawn = torch.multinomial(logits.detach().softmax(-1), 1, generator=torch.Generator().manual_seed(7))[:, 0]
    loss = torch.nn.functional.cross_entropy(logits, drawn, reduction="sum")
    gradients = torch.autograd.grad(loss, list(came_out.values()))
    found = measure(wide(kind), [row, row], seed=7, told=lambda _: None)
    for name, gradient in zip(came_out, gradients, strict=True):
        g = gradient.reshape(2 * len(row), -1).double()
        direct = g.T @ g / (2 * len(row))
        assert torch.allclose(
            found.outputs[name].double() * found.means[name][1], direct, rtol=1e-3, atol=1e-4 * float(direct.max())
        )


def test_measuring_changes_nothing_and_is_repeatable(wide: Load) -> None:
    lm = wide("llama")
    before, heard = weights(lm), []
    state = torch.random.get_rng_state()
    first = measure(lm, rows_of(lm), batch=2, told=heard.append)
    again = measure(lm, rows_of(lm), batch=2, told=lambda _: None)
    assert heard == [2, 3]
    assert equal(before, weights(lm))
    assert all(parameter.requires_grad and parameter.grad is None for parameter in lm.model.parameters())
    assert torch.equal(state, torch.random.get_rng_state())
    assert first.means == again.means
    for name in targets(lm):
        assert torch.equal(first.inputs[name], again.inputs[name])
        assert torch.equal(first.outputs[name], again.outputs[name])


def test_what_a_change_costs_is_half_its_square_in_the_curvature(ground: Curvature) -> None:
    name = next(iter(ground.inputs))
    change = torch.randn(64, 512, generator=torch.Generator().manual_seed(0)) * 0.01
    a, b = (matrix.double() for matrix in (ground.inputs[name], ground.outputs[name]))
    direct = 0.5 * float(torch.trace(b @ change.double() @ a @ change.double().T))
    scale = ground.means[name][0] * ground.means[name][1]
    assert ground.cost(name, change) == pytest.approx(direct * scale, rel=1e-3)
    assert ground.cost(name, 2 * change) == pytest.approx(4 * ground.cost(name, change), rel=1e-3)


# --- the model's own exchanges ---


def shared_start(rows: list[list[int]]) -> list[int]:
    same = [len(set(column)) == 1 for column in zip(*rows, strict=False)]
    return rows[0][: [*same, False].index(False)]


@pytest.mark.parametrize("kind", KINDS)
def test_own_exchanges_begin_as_the_template_does_and_end_with_an_end_or_at_the_limit(load: Load, kind: str) -> None:
    lm = load(kind)
    prompts = [lm.encode_prompt((), text, room=8).ids for text in ("hello", "who", "yes")]
    first = shared_start(prompts)
    handover = shared_start([ids[::-1] for ids in prompts])[::-1]
    assert first
    assert handover
    rows = own_exchanges(lm, 5, batch=3, most=6)
    assert len(rows) == 5
    limit = len(first) + 2 * 6 + len(handover) + 1
    for row in rows:
        assert row[: len(first)] == first
        assert len(row) == limit or (row[-1] in lm.end_ids and len(row) < limit)
        places = range(len(first), len(row))
        assert any(row[at : at + len(handover)] == handover for at in places)


def test_own_exchanges_of_the_built_in_model_mostly_end_and_repeat_by_their_seed() -> None:
    lm = LanguageModel.load("default", device="cpu")
    state = torch.random.get_rng_state()
    rows = own_exchanges(lm, 12, seed=3, most=16)
    assert rows == own_exchanges(lm, 12, seed=3, most=16)
    assert rows != own_exchanges(lm, 12, seed=4, most=16)
    assert torch.equal(state, torch.random.get_rng_state())
    assert sum(row[-1] in lm.end_ids for row in rows) >= 6
    for row in rows:
        text = lm.chat.spelled(row)
        assert text.startswith("<|user|>")
        assert text.count("<|assistant|>") == 1
        assert row[-2] not in lm.end_ids


# --- on disk ---


def test_what_is_written_is_read_as_it_was_but_for_half_precision(ground: Curvature, tmp_path: Path) -> None:
    path = tmp_path / "curvature.safetensors"
    write(ground, path)
    found = read(path)
    assert found.inputs.keys() == found.outputs.keys() == ground.inputs.keys()
    for name in ground.inputs:
        assert found.means[name] == pytest.approx(ground.means[name], rel=1e-6)
        for mine, stored in ((ground.inputs[name], found.inputs[name]), (ground.outputs[name], found.outputs[name])):
            assert torch.allclose(mine, stored, rtol=1e-3, atol=1e-6)
            assert torch.equal(stored, stored.T)
    write(found, tmp_path / "again")
    assert load_file(path).keys() == load_file(tmp_path / "again").keys()
    assert all(torch.equal(tensor, load_file(path)[key]) for key, tensor in load_file(tmp_path / "again").items())


@pytest.mark.parametrize("damage", ["cut", "no file", "not finite", "too long", "a part is missing", "negative scale"])
def test_a_damaged_file_is_told(ground: Curvature, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "curvature.safetensors"
    write(ground, path)
    name = next(iter(ground.inputs))
    tensors = load_file(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "no file":
        path.unlink()
    else:
        if damage == "not finite":
            tensors[f"outputs.{name}"][5] = float("nan")
        elif damage == "too long":
            tensors[f"inputs.{name}"] = torch.cat([tensors[f"inputs.{name}"], torch.zeros(1, dtype=torch.float16)])
        elif damage == "negative scale":
            tensors[f"means.{name}"][0] = -1.0
        else:
            del tensors[f"outputs.{name}"]
        save_file(tensors, path)
    with pytest.raises(ModelError, match=r"curvature\.safetensors"):
        read(path)


def test_a_tensor_of_another_shape_is_told_too(ground: Curvature, tmp_path: Path) -> None:
    path = tmp_path / "curvature.safetensors"
    write(ground, path)
    save_file(load_file(path) | {"inputs.what": torch.tensor(1.0)}, path)
    with pytest.raises(ModelError, match="damaged"):
        read(path)


@pytest.fixture
def own_folder(wide_folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the wide model's folder to write to."""
    return Path(shutil.copytree(wide_folders["llama"], tmp_path / "own"))


def scaled(ground: Curvature, mean: float) -> Curvature:
    """Told from another by its means."""
    return Curvature(ground.inputs, ground.outputs, dict.fromkeys(ground.means, (mean, mean)))


def scale(found: Curvature) -> float:
    [mean] = {mean for means in found.means.values() for mean in means}
    return mean


def unwanted() -> LanguageModel:
    raise AssertionError("nothing is to be measured")


def test_the_models_folder_comes_first_then_the_cache(ground: Curvature, own_folder: Path, tmp_path: Path) -> None:
    lm, cache = LanguageModel.load(str(own_folder), device="cpu"), tmp_path / "cache.safetensors"
    write(scaled(ground, 2.0), cache)
    assert scale(load_or_measure(lm, cache, unwanted)) == 2.0
    write(scaled(ground, 3.0), own_folder / curvature.FILE)
    assert scale(load_or_measure(lm, cache, unwanted)) == 3.0
    assert scale(load_or_measure(lm, None, unwanted)) == 3.0
    (own_folder / curvature.FILE).write_bytes(b"damaged")
    assert scale(load_or_measure(lm, cache, unwanted)) == 2.0


def test_a_curvature_of_other_modules_is_not_taken(ground: Curvature, own_folder: Path, tmp_path: Path) -> None:
    lm, cache = LanguageModel.load(str(own_folder), device="cpu"), tmp_path / "cache.safetensors"
    few = list(ground.inputs)[:2]
    write(
        Curvature(
            {name: ground.inputs[name] for name in few},
            {name: ground.outputs[name] for name in few},
            {name: (3.0, 3.0) for name in few},
        ),
        own_folder / curvature.FILE,
    )
    write(scaled(ground, 2.0), cache)
    assert scale(load_or_measure(lm, cache, unwanted)) == 2.0


def test_a_curvature_of_other_sizes_is_not_taken(ground: Curvature, own_folder: Path, tmp_path: Path) -> None:
    lm, cache = LanguageModel.load(str(own_folder), device="cpu"), tmp_path / "cache.safetensors"
    small = {name: torch.eye(8) for name in ground.inputs}
    write(Curvature(small, small, dict.fromkeys(small, (3.0, 3.0))), own_folder / curvature.FILE)
    write(scaled(ground, 2.0), cache)
    assert scale(load_or_measure(lm, cache, unwanted)) == 2.0


def test_a_linked_curvature_is_not_taken(ground: Curvature, own_folder: Path, tmp_path: Path) -> None:
    lm, cache = LanguageModel.load(str(own_folder), device="cpu"), tmp_path / "cache.safetensors"
    write(scaled(ground, 3.0), tmp_path / "elsewhere")
    (own_folder / curvature.FILE).symlink_to(tmp_path / "elsewhere")
    write(scaled(ground, 2.0), cache)
    assert scale(load_or_measure(lm, cache, unwanted)) == 2.0


@pytest.mark.parametrize("part", ["inputs", "outputs"])
def test_one_that_is_no_curvature_is_not_taken(ground: Curvature, own_folder: Path, tmp_path: Path, part: str) -> None:
    """Symmetric and finite, and in some direction less than nothing."""
    lm, cache = LanguageModel.load(str(own_folder), device="cpu"), tmp_path / "cache.safetensors"
    name = next(iter(ground.inputs))
    spoiled = scaled(ground, 3.0)
    matrices = dict(getattr(spoiled, part))
    matrices[name] = matrices[name] - 2 * torch.diag(matrices[name].diagonal())
    write(replace(spoiled, **{part: matrices}), own_folder / curvature.FILE)
    write(scaled(ground, 2.0), cache)
    assert scale(load_or_measure(lm, cache, unwanted)) == 2.0


@pytest.fixture
def few_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curvature, "EXCHANGES", 6)


@pytest.mark.usefixtures("few_exchanges")
def test_else_the_foundation_is_measured_and_kept_in_the_cache(wide: Load, tmp_path: Path) -> None:
    lm, cache = wide("llama"), tmp_path / "new" / "folder" / "cache.safetensors"
    with torch.no_grad():
        for parameter in lm.model.parameters():
            parameter.mul_(2)  # It was taught since: the foundation is another one.
    stages: list[str] = []
    found = load_or_measure(lm, cache, lambda: wide("llama"), stages.append)
    foundation = wide("llama")
    direct = measure(foundation, own_exchanges(foundation, 6), told=lambda _: None)
    for name in targets(lm):
        assert torch.allclose(found.inputs[name], direct.inputs[name], rtol=1e-3, atol=1e-6)
        assert found.means[name] == pytest.approx(direct.means[name], rel=1e-6)
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]
    assert stages[0] != stages[-1]
    assert "6 of 6" in stages[-1]
    again = load_or_measure(lm, cache, unwanted)
    assert all(torch.equal(found.inputs[name], again.inputs[name]) for name in targets(lm))
    assert all(torch.equal(found.outputs[name], again.outputs[name]) for name in targets(lm))


@pytest.mark.usefixtures("few_exchanges")
def test_a_damaged_cache_is_measured_again_and_replaced(wide: Load, tmp_path: Path) -> None:
    lm, cache = wide("llama"), tmp_path / "cache.safetensors"
    cache.write_bytes(b"\0" * 100)
    found = load_or_measure(lm, cache, lambda: lm)
    assert torch.equal(read(cache).inputs[next(iter(targets(lm)))], found.inputs[next(iter(targets(lm)))])


@pytest.mark.usefixtures("few_exchanges")
def test_a_cache_that_cannot_be_written_gives_the_same_numbers_as_one_that_can(wide: Load, tmp_path: Path) -> None:
    lm = wide("llama")
    (tmp_path / "file").write_text("in the way")
    found = load_or_measure(lm, tmp_path / "file" / "cache.safetensors", lambda: lm)
    kept = load_or_measure(lm, tmp_path / "cache.safetensors", lambda: lm)
    # A lesson that is learned again with the other one would not be the same to the bit.
    assert all(torch.equal(found.inputs[name], kept.inputs[name]) for name in targets(lm))


# --- what the model says ---


def test_what_the_model_says_is_kept_with_it_and_read_back(wide: Load, tmp_path: Path) -> None:
    lm = wide("llama")
    rows = rows_of(lm)
    found = measure(lm, rows, own=2, told=lambda _: None)
    assert found.exchanges == tuple(map(tuple, rows[:2]))
    write(found, tmp_path / "c.safetensors")
    assert read(tmp_path / "c.safetensors").exchanges == found.exchanges


@pytest.mark.parametrize("spoiled", ["missing", "lengths", "negative"])
def test_a_file_whose_exchanges_are_damaged_is_refused(wide: Load, tmp_path: Path, spoiled: str) -> None:
    lm = wide("llama")
    write(measure(lm, rows_of(lm), told=lambda _: None), tmp_path / "c.safetensors")
    tensors = load_file(tmp_path / "c.safetensors")
    if spoiled == "missing":
        del tensors[curvature.LENGTHS]
    elif spoiled == "lengths":
        tensors[curvature.LENGTHS] = tensors[curvature.LENGTHS] + 1
    else:
        tensors[curvature.EXCHANGED] = -tensors[curvature.EXCHANGED]
    save_file(tensors, tmp_path / "c.safetensors")
    with pytest.raises(ModelError, match="damaged"):
        read(tmp_path / "c.safetensors")


def test_the_built_in_model_brings_a_thousand_exchanges() -> None:
    lm = LanguageModel.load("default", device="cpu")
    found = read(lm.folder / curvature.FILE).exchanges
    assert len(found) == 1024
    assert len(set(found)) > 900
    assert all(row[0] == found[0][0] for row in found), "all of them open as a turn of the user does"
