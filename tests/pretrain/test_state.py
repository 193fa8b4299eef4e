"""A training on disk: what is loaded is what was saved, and a kill at any instant leaves something to load."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.pretrain import tiny
from theta_tui.base.errors import ModelError
from theta_tui.pretrain import state as state_module
from theta_tui.pretrain.muon import Muon
from theta_tui.pretrain.state import Counters, load_state, newest, read_counters, save_state

assert tiny.MARKS  # Sets the number of threads.


class Training:
    """A network with both optimizers, whose every step follows from its number."""

    def __init__(self, *, seed: int = 0, fused: bool = True, dtype: torch.dtype = torch.float32) -> None:
        torch.manual_seed(seed)
        self.dtype = dtype
        self.model = torch.nn.Sequential(
            torch.nn.Linear(6, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 8), torch.nn.Linear(8, 4, bias=False)
        ).to(dtype)
        self.parameters = dict(self.model.named_parameters())
        matrices = [parameter for parameter in self.model.parameters() if parameter.ndim == 2]
        rest = [parameter for parameter in self.model.parameters() if parameter.ndim != 2]
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices, 0.02, weight_decay=0.1),
            torch.optim.AdamW(rest, lr=0.01, betas=(0.9, 0.95), fused=fused),
        ]
        self.counters = Counters(plan={"seed": seed, "clip": 1.0})

    def steps(self, count: int) -> Training:
        for _ in range(count):
            generator = torch.Generator().manual_seed(self.counters.step)
            inputs = torch.randn(5, 6, generator=generator).to(self.dtype)
            self.model(inputs).square().mean().backward()
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad()
            self.counters.step += 1
        return self

    def save(self, folder: Path) -> None:
        save_state(folder, self.counters, self.parameters, self.optimizers)

    def load(self, folder: Path) -> Training:
        state = newest(folder)
        assert state is not None
        load_state(state, self.parameters, self.optimizers)
        self.counters = read_counters(state)
        return self

    def weights(self) -> list[torch.Tensor]:
        return [parameter.detach().clone() for parameter in self.parameters.values()]

    def momenta(self) -> list[torch.Tensor]:
        return [
            value
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
            for _, value in sorted(optimizer.state[parameter].items())
        ]


def equal(one: Training, other: Training) -> bool:
    pairs = [*zip(one.weights(), other.weights(), strict=True), *zip(one.momenta(), other.momenta(), strict=True)]
    return all(torch.equal(a, b) and a.dtype == b.dtype for a, b in pairs)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_going_on_is_bit_equal_to_never_having_stopped(tmp_path: Path, fused: bool, dtype: torch.dtype) -> None:
    whole = Training(fused=fused, dtype=dtype).steps(3)
    whole.save(tmp_path)
    again = Training(seed=9, fused=fused, dtype=dtype).steps(1).load(tmp_path)
    assert equal(again, whole)
    assert equal(again.steps(4), whole.steps(4))
    assert again.counters.step == 7


def test_a_state_before_the_first_step_can_be_gone_on_from(tmp_path: Path) -> None:
    whole = Training()
    whole.save(tmp_path)
    assert equal(Training(seed=9).load(tmp_path).steps(2), whole.steps(2))


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    def tied(seed: int) -> dict[str, torch.nn.Parameter]:
        torch.manual_seed(seed)
        model = torch.nn.ModuleList([torch.nn.Embedding(8, 4), torch.nn.Linear(4, 8, bias=False)])
        model[1].weight = model[0].weight
        parameters = dict(model.named_parameters())
        assert list(parameters) == ["0.weight"]
        return parameters

    one, other = tied(1), tied(2)
    save_state(tmp_path, Counters(), one, [])
    load_state(tmp_path / "step-0", other, [])
    assert torch.equal(one["0.weight"], other["0.weight"])


def test_counters_come_back_as_they_were(tmp_path: Path) -> None:
    training = Training()
    training.counters = Counters(
        step=7, tokens=12345, seconds=1.25, epoch=2, row=3, best=1.0 / 3, best_step=5, skipped=1, plan={"lr": 3e-3}
    )
    training.save(tmp_path)
    state = newest(tmp_path)
    assert state is not None
    assert read_counters(state) == training.counters


def test_the_step_count_of_a_fused_optimizer_lies_with_its_parameter(tmp_path: Path) -> None:
    """On an accelerator the fused AdamW takes no step count from elsewhere; "meta" stands for one."""
    training = Training(fused=False).steps(1)
    training.save(tmp_path)
    model = training.model.to("meta")
    parameters = dict(model.named_parameters())
    for fused, expected in ((True, "meta"), (False, "cpu")):
        optimizer = torch.optim.AdamW(parameters.values(), lr=0.01)
        optimizer.param_groups[0]["fused"] = fused
        state = newest(tmp_path)
        assert state is not None
        load_state(state, parameters, [optimizer])
        steps = [values["step"] for values in optimizer.state.values() if "step" in values]
        assert steps
        assert {step.device.type for step in steps} == {expected}
        assert {step.dtype for step in steps} == {torch.float32}


# --- which state it is ---


def test_without_a_state_there_is_none(tmp_path: Path) -> None:
    assert newest(tmp_path) is None
    assert newest(tmp_path / "nowhere") is None
    (tmp_path / "step-3").mkdir()
    assert newest(tmp_path) is None


def test_the_newest_state_is_that_of_the_most_steps(tmp_path: Path) -> None:
    for step in (9, 100, 20):
        (tmp_path / f"step-{step}").mkdir()
        (tmp_path / f"step-{step}" / "state.json").write_text("{}")
    (tmp_path / "step-200").mkdir()
    assert newest(tmp_path) == tmp_path / "step-100"


def test_older_states_are_taken_away(tmp_path: Path) -> None:
    training = Training()
    for _ in range(3):
        training.steps(1).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-3"]


def test_the_same_step_can_be_saved_again_and_again(tmp_path: Path) -> None:
    training = Training().steps(2)
    for best in (3.0, 2.0, 1.0, 0.5):
        training.counters.best = best
        training.save(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        assert Training(seed=9).load(tmp_path).counters.best == best
    assert equal(Training(seed=9).load(tmp_path), training)


# --- what goes wrong ---


def faults(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, attempt: Callable[[], None], error: BaseException
) -> Iterator[int]:
    """Let the N-th call of `owner.name` in `attempt` fail, for every N that there is."""
    kept = getattr(owner, name)
    for fatal in range(100):
        calls = 0

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == fatal + 1:  # noqa: B023 - called within this turn of the loop
                raise error
            return kept(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, call)
            try:
                attempt()
            except type(error):
                pass
            else:
                return
        yield fatal


@pytest.mark.parametrize("again", [False, True], ids=["next step", "same step"])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (state_module, "save_file"),
        (state_module, "fsync_folder"),
        (shutil, "rmtree"),
        (Path, "write_text"),
        (Path, "rename"),
        (Path, "unlink"),
        (Path, "mkdir"),
    ],
)
def test_a_kill_at_any_instant_of_saving_leaves_a_whole_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, again: bool
) -> None:
    training = Training().steps(2)
    training.save(tmp_path)
    before = Training(seed=9).load(tmp_path)
    later = Training().steps(2 if again else 3)
    later.counters.best = 0.5
    met = 0
    for _ in faults(monkeypatch, owner, name, lambda: later.save(tmp_path), KeyboardInterrupt()):
        met += 1
        found = Training(seed=9).load(tmp_path)
        assert equal(found, before) or equal(found, later)
        assert found.counters in (before.counters, later.counters)
        # Back to where it was, kill after kill.
        for path in tmp_path.glob("step-*"):
            shutil.rmtree(path)
        training.save(tmp_path)
    assert met
    assert Training(seed=9).load(tmp_path).counters == later.counters
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("again", [False, True], ids=["next step", "same step"])
def test_kills_one_after_the_other_leave_a_whole_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """Each saving is killed one call later than the last, and nobody tidies up in between."""
    training = Training().steps(2)
    training.save(tmp_path)
    for owner, name in ((Path, "unlink"), (shutil, "rmtree"), (Path, "rename")):
        later = Training().steps(training.counters.step + (not again))
        for _ in faults(monkeypatch, owner, name, lambda later=later: later.save(tmp_path), KeyboardInterrupt()):  # type: ignore[misc]
            found = Training(seed=9).load(tmp_path)
            assert equal(found, training) or equal(found, later)
        training = later
    assert equal(Training(seed=9).load(tmp_path), training)


def test_a_state_that_is_half_removed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training().steps(2)
    training.save(tmp_path)

    def half(path: Path, **kwargs: Any) -> None:
        if (path / "w.safetensors").is_file():
            (path / "w.safetensors").unlink()
            raise KeyboardInterrupt

    training.counters.best = 0.5
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", half)
        with pytest.raises(KeyboardInterrupt):
            training.save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert Training(seed=9).load(tmp_path).counters.best == 0.5


def test_a_full_disk_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training().steps(2)
    training.save(tmp_path)
    before = Training(seed=9).load(tmp_path)
    training.steps(1)
    error = OSError(28, "No space left on device")
    assert list(faults(monkeypatch, state_module, "save_file", lambda: training.save(tmp_path), error)) == [0, 1]
    assert Training(seed=9).load(tmp_path).counters.step == 3
    assert not equal(before, training)


@pytest.mark.parametrize("name", ["w.safetensors", "o.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "short", "garbage"])
def test_a_damaged_state_is_told_with_the_way_out(tmp_path: Path, name: str, damage: str) -> None:
    Training().steps(1).save(tmp_path)
    path = tmp_path / "step-1" / name
    data = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes({"empty": b"", "short": data[:-5], "garbage": b"\xff" * 100}[damage])
    with pytest.raises(ModelError, match="--restart"):
        Training(seed=9).load(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '{"steps": 3}', '{"step": 1, "x": 2}', "\udcff"])
def test_counters_that_cannot_be_read_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match="--restart"):
        read_counters(tmp_path)


@pytest.mark.parametrize("file", ["w.safetensors", "o.safetensors"])
def test_a_state_of_another_network_is_told(tmp_path: Path, file: str) -> None:
    Training().steps(1).save(tmp_path)
    path = tmp_path / "step-1" / file
    save_file({f"other.{name}": value for name, value in load_file(path).items()}, path)
    with pytest.raises(ModelError, match="--restart"):
        Training(seed=9).load(tmp_path)
    other = Training(seed=9)
    other.parameters = {name: torch.nn.Parameter(torch.zeros(3, 3)) for name in other.parameters}
    with pytest.raises(ModelError, match="--restart"):
        other.load(tmp_path)
