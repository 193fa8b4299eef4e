"""Idle work: a slice at a time, only when nothing is to do, and never on battery."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from theta_tui.session.idle import IdleRunner, running_on_battery


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def runner(clock: Clock, *, battery: bool = False) -> IdleRunner:
    return IdleRunner(2.0, clock=clock, on_battery=lambda: battery)


def test_it_waits_after_a_command_and_rests_when_the_work_ran_out() -> None:
    clock = Clock()
    idle = runner(clock)
    assert not idle.wanted
    clock.now = 2.0
    assert idle.wanted
    assert idle.run(iter([None, None]), lambda: False, lambda: None)
    assert not idle.wanted
    clock.now = 100.0
    assert not idle.wanted
    idle.busy()
    assert not idle.wanted
    clock.now = 102.0
    assert idle.wanted


def test_work_makes_way_after_the_slice_that_was_under_way() -> None:
    clock = Clock(5.0)
    idle = runner(clock)
    done: list[int] = []

    def work() -> Iterator[None]:
        for number in range(10):
            done.append(number)
            yield

    slices = work()
    assert not idle.run(slices, lambda: len(done) == 3, lambda: None)
    assert done == [0, 1, 2]
    clock.now += 2.0
    assert idle.wanted, "there is more to do"
    assert idle.run(slices, lambda: False, lambda: None)
    assert len(done) == 10


def test_work_that_broke_is_not_begun_again_until_something_happened() -> None:
    clock = Clock()
    idle = runner(clock)
    clock.now = 2.0

    def broken() -> Iterator[None]:
        yield
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        idle.run(broken(), lambda: False, lambda: None)
    assert not idle.wanted
    idle.busy()
    clock.now = 4.0
    assert idle.wanted


def test_nothing_is_begun_on_battery() -> None:
    clock = Clock()
    idle = runner(clock, battery=True)
    clock.now = 10.0
    assert not idle.wanted


@pytest.mark.parametrize(("plugged", "expected"), [(False, True), (True, False), (None, False)])
def test_on_macos_the_system_is_asked(monkeypatch: pytest.MonkeyPatch, plugged: bool | None, expected: bool) -> None:
    battery = SimpleNamespace(sensors_battery=lambda: SimpleNamespace(power_plugged=plugged))
    monkeypatch.setitem(sys.modules, "psutil", battery)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert running_on_battery() == expected
    monkeypatch.setattr(battery, "sensors_battery", lambda: None)
    assert not running_on_battery()


def supply(root: Path, name: str, **values: str) -> None:
    (root / name).mkdir(parents=True)
    for key, value in values.items():
        (root / name / key).write_text(value + "\n")


def test_a_machine_that_runs_down_its_battery_is_on_battery(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "BAT0", type="Battery", status="Discharging")
    assert running_on_battery(tmp_path)


@pytest.mark.parametrize(
    "supplies",
    [
        {},
        {"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Discharging"}},
        {"BAT0": {"type": "Battery", "status": "Charging"}},
        {"mouse": {"type": "Battery", "status": "Discharging", "scope": "Device"}},
        {"odd": {}},
    ],
    ids=["nothing there", "plugged in", "charging", "a mouse", "unreadable"],
)
def test_any_other_machine_is_not(tmp_path: Path, supplies: dict[str, dict[str, str]]) -> None:
    for name, values in supplies.items():
        supply(tmp_path, name, **values)
    assert not running_on_battery(tmp_path)
    assert not running_on_battery(tmp_path / "nowhere")
