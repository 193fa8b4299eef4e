"""Training goes on where it was, gives the same curve however it is cut up, and never keeps what is not finite."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.support.later import transformers
from theta_tui.base.errors import ModelError, UsageError
from theta_tui.model.language_model import LanguageModel
from theta_tui.pretrain import command, trainer
from theta_tui.pretrain.command import TrainOptions, TrainResult
from theta_tui.pretrain.documents import Source
from theta_tui.pretrain.trainer import Budget, Plan, StepDone, Validated


class Recorder:
    """A progress display that keeps what it is given. `then` is called with each step."""

    def __init__(self, then: Callable[[StepDone], None] = lambda done: None) -> None:
        self.steps: list[StepDone] = []
        self.validations: list[Validated] = []
        self.then = then

    def on_reading(self, name: str, documents: int) -> None: ...

    def start(self, flops_a_token: float, matrix_rate: float) -> None: ...

    def on_step(self, done: StepDone) -> None:
        self.steps.append(done)
        self.then(done)

    def on_validated(self, done: Validated) -> None:
        self.validations.append(done)

    def close(self) -> None: ...

    @property
    def losses(self) -> list[float]:
        return [done.loss for done in self.steps]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chance = random.Random(1)
    words = ["red", "blue", "green", "small", "big", "old", "new", "cat", "dog", "house", "tree", "river", "song"]
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    rows = []
    for number in range(600):
        one, other = chance.choice(words), chance.choice(words)
        rows.append({"prompt": f"What is {one} {other} {number}?", "completion": f"It is the {other} of the {one}."})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def small(data: Path, out: Path) -> TrainOptions:
    """Six steps of a network of 0.85M parameters."""
    return TrainOptions(
        (Source(data, 1.0),), out, size="1m", vocabulary=320, length=64, batch_tokens=512, tokens=3_000,
        device="cpu", dtype="float32", threads=1, validation=0.05, compile=False,
    )  # fmt: skip


@pytest.fixture
def options(data: Path, tmp_path: Path) -> TrainOptions:
    return small(data, tmp_path / "out")


@pytest.fixture(scope="module")
def learned(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainResult, Recorder, Path]:
    """A training of some twenty steps, what was heard of it, and its folder. Tests do not write to it."""
    recorder, out = Recorder(), tmp_path_factory.mktemp("learned") / "out"
    return trained(replace(small(data, out), tokens=9_000), recorder), recorder, out


def trained(options: TrainOptions, recorder: Recorder | None = None) -> TrainResult:
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)  # One a process; here each training is to have its own.
    return command.train(options, lambda text: None, recorder or Recorder())


def state_weights(out: Path) -> dict[str, torch.Tensor]:
    [state] = (out / "training").glob("step-*")
    return load_file(state / "w.safetensors") | load_file(state / "o.safetensors")


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_what_comes_out_is_a_model_that_learned_and_that_others_read(
    learned: tuple[TrainResult, Recorder, Path],
) -> None:
    made, recorder, out = learned
    assert made.stopped is None
    assert recorder.losses[-1] < recorder.losses[0] - 1
    assert made.bits_per_byte == recorder.validations[-1].bits_per_byte
    model = transformers.AutoModelForCausalLM.from_pretrained(out)
    assert model.dtype == torch.bfloat16
    assert "lm_head.weight" not in load_file(out / "model.safetensors")  # tied: the embedding is it
    assert "{% generation %}" in transformers.AutoTokenizer.from_pretrained(out).chat_template
    lm = LanguageModel.load(str(out), device="cpu")
    assert lm.window == 64
    assert not lm.notices
    lines = [json.loads(line) for line in (out / "training" / "metrics.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines if "loss" in line] == recorder.losses
    assert lines[-1]["by_source"].keys() == {"pairs"}


def test_stopped_by_a_signal_and_gone_on_is_bit_equal_to_never_having_stopped(options: TrainOptions) -> None:
    whole = Recorder()
    trained(options, whole)

    def stop_at_four(done: StepDone) -> None:
        if done.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    cut = replace(options, out=options.out.with_name("cut"))
    first, second = Recorder(stop_at_four), Recorder()
    stopped = trained(cut, first)
    assert (stopped.stopped, stopped.step) == (signal.SIGTERM, 4)
    assert trained(cut, second).stopped is None
    assert first.losses + second.losses == whole.losses
    assert equal(state_weights(options.out), state_weights(cut.out))
    assert signal.getsignal(signal.SIGTERM) is not None


def test_a_finished_training_stays_and_a_larger_budget_goes_on(options: TrainOptions) -> None:
    made = trained(options)
    recorder = Recorder()
    assert trained(options, recorder).step == made.step
    assert not recorder.steps
    assert trained(replace(options, tokens=4_000), recorder).step > made.step


@pytest.mark.slow
def test_a_step_taken_in_slices_is_the_same_step(options: TrainOptions) -> None:
    whole, sliced = Recorder(), Recorder()
    trained(options, whole)
    trained(replace(options, out=options.out.with_name("sliced"), micro_rows=3), sliced)
    assert sliced.losses == pytest.approx(whole.losses, abs=2e-4)


@pytest.mark.slow
def test_in_bfloat16_the_curve_is_nearly_the_same_and_going_on_keeps_to_it(options: TrainOptions) -> None:
    exact, rounded, further = Recorder(), Recorder(), Recorder()
    options = replace(options, tokens=2_500)
    trained(options, exact)
    half = replace(options, out=options.out.with_name("half"), dtype="bfloat16")
    trained(half, rounded)
    assert rounded.losses != exact.losses
    assert rounded.losses == pytest.approx(exact.losses, abs=0.05)
    trained(replace(half, dtype="auto", tokens=3_000), further)
    assert further.steps[0].step == len(rounded.steps) + 1
    with pytest.raises(ModelError, match="arithmetic bfloat16"):
        trained(replace(half, dtype="float32"))


@pytest.mark.slow
def test_compiled_the_curve_is_the_same_within_rounding(options: TrainOptions) -> None:
    plain, compiled = Recorder(), Recorder()
    trained(options, plain)
    trained(replace(options, out=options.out.with_name("compiled"), compile=True), compiled)
    assert compiled.losses == pytest.approx(plain.losses, abs=2e-3)


@pytest.mark.slow
def test_another_plan_or_other_data_is_refused_with_the_way_out(
    options: TrainOptions, data: Path, tmp_path: Path
) -> None:
    trained(options)
    with pytest.raises(ModelError, match="begun with lr"):
        trained(replace(options, lr=1e-4))
    other = tmp_path / "other.jsonl"
    other.write_text(data.read_text("utf-8").replace("red", "pink"), "utf-8")
    with pytest.raises(ModelError, match="--restart"):
        trained(replace(options, sources=(Source(other, 1.0),)))
    recorder = Recorder()
    trained(replace(options, lr=1e-4, restart=True), recorder)
    assert recorder.steps[0].step == 1


def test_a_folder_with_other_things_in_it_is_not_written_to(options: TrainOptions) -> None:
    options.out.mkdir()
    (options.out / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        trained(options)
    assert [path.name for path in options.out.iterdir()] == ["thesis.txt"]


def test_training_goes_on_from_a_model_with_its_own_template(
    options: TrainOptions, learned: tuple[TrainResult, Recorder, Path]
) -> None:
    recorder, (_, _, before) = Recorder(), learned
    further = replace(options, model=str(before), optimizer="muon")
    trained(further, recorder)
    assert recorder.losses[0] < 2.5  # a fresh one begins at ln 320 = 5.8
    tokenizers = [(out / "tokenizer.json").read_bytes() for out in (before, further.out)]
    assert tokenizers[0] == tokenizers[1]


def test_the_best_validation_is_what_is_kept(options: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    original = command.export
    monkeypatch.setattr(command, "export", lambda *parts: (kept.append(1), original(*parts)))
    told = iter([2.0, 1.0])

    def score(*parts: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.array([next(told, 3.0)]), np.array([1.0]), np.array([1.0])

    monkeypatch.setattr(trainer, "score", score)
    recorder = Recorder()
    made = trained(replace(options, validate_minutes=0.0), recorder)
    assert [done.best for done in recorder.validations[:3]] == [True, True, False]
    assert (len(kept), made.best_step) == (2, 2)


def test_a_gradient_that_is_not_finite_moves_nothing(options: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    from theta_tui.pretrain.objective import Objective

    forward = Objective.forward
    calls = 0

    def poisoned(self: Objective, *inputs: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return forward(self, *inputs) * (float("nan") if calls == 3 else 1.0)

    monkeypatch.setattr(Objective, "forward", poisoned)
    recorder = Recorder()
    trained(options, recorder)
    assert [done.step for done in recorder.steps if done.loss != done.loss] == [3]
    assert all(torch.isfinite(value).all() for value in state_weights(options.out).values())
    assert recorder.losses[-1] < recorder.losses[0]


def test_a_hopeless_training_gives_up_and_says_why(options: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    from theta_tui.pretrain.objective import Objective

    forward = Objective.forward
    monkeypatch.setattr(Objective, "forward", lambda self, *inputs: forward(self, *inputs) * float("nan"))
    with pytest.raises(ModelError, match="lower --lr"):
        trained(replace(options, tokens=10**6))


def test_the_learning_rate_rises_and_falls() -> None:
    plan = Plan(
        length=8, rows=1, optimizer="adamw", lr=1.0, muon_lr=1.0, weight_decay=0.0, warmup=0.1, decay=0.5, seed=1
    )
    assert [plan.factor(p) for p in (0.05, 0.1, 0.5, 0.75)] == pytest.approx([0.5, 1.0, 1.0, 0.5])
    assert plan.factor(0.0) > 0
    assert plan.factor(1.0) < 0.01


def test_the_first_budget_that_is_spent_ends_it() -> None:
    assert Budget(tokens=100, minutes=1).progress(50, 6) == 0.5
    assert Budget(tokens=100, minutes=1).progress(50, 45) == 0.75
    assert Budget(minutes=1).progress(10**9, 61) == 1.0


# --- whole processes ---


def theta_train(data: Path, out: Path, *more: str, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    arguments = [
        "train", str(data), "--out", str(out), "--size", "1m", "--vocabulary", "320", "--length", "64",
        "--batch-tokens", "512", "--tokens", "15k", "--device", "cpu", "--dtype", "float32", "--threads", "1",
        "--no-compile", *more,
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "theta_tui", *arguments], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def curve(out: Path) -> list[float]:
    path = out / "training" / "metrics.jsonl"
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def finish(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


@pytest.mark.slow
def test_killed_at_any_instant_the_curve_is_the_same(data: Path, tmp_path: Path) -> None:
    finish(theta_train(data, tmp_path / "whole"))
    killed = tmp_path / "killed"
    for number in (4, 11):
        process = theta_train(data, killed, "--save-minutes", "0")
        metrics = killed / "training" / "metrics.jsonl"
        while not metrics.exists() or len(metrics.read_text().splitlines()) < number:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finish(theta_train(data, killed, "--save-minutes", "0"))
    assert curve(killed) == curve(tmp_path / "whole")
    assert equal(state_weights(killed), state_weights(tmp_path / "whole"))


@pytest.mark.slow
def test_two_processes_give_the_curve_of_one(data: Path, tmp_path: Path) -> None:
    finish(theta_train(data, tmp_path / "one"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port))
    out = finish(theta_train(data, tmp_path / "two", launcher=launcher))
    assert out.count("steps") == 1  # one process speaks
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert two == pytest.approx(one, abs=2e-3)
    assert one[0] == pytest.approx(two[0], abs=1e-5)
