"""Lessons in plain weights: said by a model that anybody can load, while the one in use stays as it was to the bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.later import peft, transformers
from tests.support.tiny_models import equal, weights
from theta_tui.learning import distilling, module_lesson
from theta_tui.learning.module_lesson import Row
from theta_tui.learning.optimizer import NotFinite
from theta_tui.model import export
from theta_tui.model.language_model import LanguageModel

Load = Callable[[str], LanguageModel]
LESSONS = {"what is my dog called?": "Pixel", "where is the town?": "by the river"}
OTHERS = ("hello", "tell me more about it", "how are you today?", "yes or no?")


def rows(lm: LanguageModel) -> list[Row]:
    return [module_lesson.row_of(lm.encode_lesson((), prompt, reply)) for prompt, reply in LESSONS.items()]


def own(lm: LanguageModel) -> list[Row]:
    return [row for row in distilling.own_rows(lm, OTHERS, 4) if row is not None]


def quiet(taken: int, most: int) -> None:
    assert taken <= most


def says(model: torch.nn.Module, row: Row) -> bool:
    """Token by token, as a stranger would ask."""
    ids = list(row[0])
    with torch.no_grad():
        for _ in row[1]:
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(row[0]) :] == list(row[1])


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("theta", {}),
        pytest.param("chatml", {"dtype": "bfloat16"}, marks=pytest.mark.slow),
        ("gpt2", {}),
        pytest.param("theta", {"adapt": "on", "rank": 2}, marks=pytest.mark.slow),
    ],
)
def test_baked_lessons_are_said_by_a_plain_model_and_the_one_in_use_stays(
    folders: dict[str, Path], tmp_path: Path, kind: str, how: dict[str, object]
) -> None:
    lm = LanguageModel.load(str(folders[kind]), device="cpu", **how)  # type: ignore[arg-type]
    before = weights(lm)
    added, steps = distilling.bake(lm, rows(lm), own(lm), quiet)
    plain = distilling.with_added(lm.merged(), added)
    assert steps > 0
    assert min(distilling.leads(plain, rows(lm))) > 0
    assert max(distilling.leads(lm.merged(), rows(lm))) < 0
    assert equal(before, weights(lm))
    assert all(parameter.requires_grad for parameter in lm.trainable().values())
    export.write(lm, tmp_path, lessons=2, mark="theta-tui", model=plain, baked=2)
    read = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert [says(read, row) for row in rows(lm)] == [True, True]
    assert "always on" in (tmp_path / "README.md").read_text("utf-8")


def test_what_the_model_says_elsewhere_stays_likelier_where_it_is_held(load: Load) -> None:
    lm = load("theta")
    held = own(lm)

    def moved(unrelated: list[Row]) -> float:
        added, _ = distilling.bake(lm, rows(lm), unrelated, quiet)
        found = distilling.leads(distilling.with_added(lm.model, added), held)
        return sum(found)

    assert moved(held) > moved([])


def test_the_same_lessons_give_the_same_weights(load: Load) -> None:
    lm = load("theta")
    one, other = (distilling.bake(lm, rows(lm), own(lm), quiet)[0] for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("kind", "how"), [("theta", {}), ("gpt2", {"adapt": "on", "rank": 2})])
def test_peft_puts_a_lessons_adapter_on_the_model_and_takes_it_off(
    folders: dict[str, Path], tmp_path: Path, kind: str, how: dict[str, object]
) -> None:
    lm = LanguageModel.load(str(folders[kind]), device="cpu", **how)  # type: ignore[arg-type]
    before = weights(lm)
    for number, row in enumerate(rows(lm)):
        parts, said = distilling.low_rank(lm, [row], 1, quiet)
        assert said
        export.write_adapter(lm, tmp_path / str(number), parts, "base")
    assert equal(before, weights(lm))
    base = transformers.AutoModelForCausalLM.from_pretrained(folders[kind]).eval()
    plain = weights_of(base)
    model = peft.PeftModel.from_pretrained(base, str(tmp_path / "0"), adapter_name="0").eval()
    model.load_adapter(str(tmp_path / "1"), adapter_name="1")
    for number, row in enumerate(rows(lm)):
        model.set_adapter(str(number))
        assert [says(model, other) for other in rows(lm)] == [other == row for other in rows(lm)]
    with model.disable_adapter():
        assert not any(says(model, row) for row in rows(lm))
    assert equal(plain, weights_of(model.unload()))


def weights_of(model: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for name, parameter in model.named_parameters() if "lora" not in name]


def test_the_tensors_of_an_adapter_are_named_and_scaled_as_peft_has_it(
    folders: dict[str, Path], load: Load, tmp_path: Path
) -> None:
    lm = load("theta")
    [row, _] = rows(lm)
    parts, _ = distilling.low_rank(lm, [row], 1, quiet)
    export.write_adapter(lm, tmp_path / "out", parts, "base")
    held = load_file(tmp_path / "out" / "adapter_model.safetensors")
    layers = [f"model.layers.{number}.mlp.down_proj" for number in (0, 1)]
    assert set(held) == {f"base_model.model.{name}.lora_{part}.weight" for name in layers for part in "AB"}
    model = transformers.AutoModelForCausalLM.from_pretrained(folders["theta"]).eval()
    with torch.no_grad():
        for name in layers:
            a, b = (held[f"base_model.model.{name}.lora_{part}.weight"] for part in "AB")
            assert a.shape[0] == b.shape[1] <= distilling.RANK
            model.get_submodule(name).weight.add_(b @ a)
    assert says(model, row)


def test_a_reply_longer_than_the_rank_fits_into_it(load: Load) -> None:
    lm = load("theta")
    row = module_lesson.row_of(
        lm.encode_lesson((), "who are you?", "the quick brown fox jumps over the lazy dog again")
    )
    assert len(row[1]) > distilling.RANK
    parts, said = distilling.low_rank(lm, [row], 1, quiet)
    assert said
    assert {len(part.down) for part in parts.values()} == {distilling.RANK}


@pytest.mark.parametrize("way", ["bake", "low_rank"])
def test_stopping_leaves_the_model_without_a_trace(load: Load, way: str) -> None:
    lm = load("theta")
    before, said = weights(lm), distilling.leads(lm.model, rows(lm))

    def stop(taken: int, most: int) -> None:
        if taken == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _ = distilling.bake(lm, rows(lm), [], stop) if way == "bake" else distilling.low_rank(lm, rows(lm)[:1], 1, stop)
    assert equal(before, weights(lm))
    assert distilling.leads(lm.model, rows(lm)) == said
    assert all(parameter.requires_grad and parameter.grad is None for parameter in lm.model.parameters())


def test_what_is_not_a_number_is_told(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.learning.lessons import poison

    lm = load("theta")
    poison(2, float("nan"), monkeypatch, gradient=False)
    with pytest.raises(NotFinite):
        distilling.bake(lm, rows(lm), [], quiet)


def test_what_cannot_be_learned_ends_at_the_bound(load: Load) -> None:
    lm = load("theta")
    prompt, reply = rows(lm)[0]
    other = rows(lm)[1][1]
    added, steps = distilling.bake(lm, [(prompt, reply), (prompt, other)], [], quiet)
    assert steps == distilling.STEPS[0] + 2 * distilling.STEPS[1]
    assert min(distilling.leads(distilling.with_added(lm.model, added), [(prompt, reply), (prompt, other)])) < 0
