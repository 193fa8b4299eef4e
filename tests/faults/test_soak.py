"""A thousand exchanges cost what ten do: memory, threads and open files stay where they were once all was warm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.forking import Forks
from tests.faults.soaking import Usage

MEGABYTE = 1_000_000


def used(forks: Forks, function: str, folder: Path, model: Path, exchanges: int, every: int) -> list[Usage]:
    around = {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_CACHE_HOME": str(folder / "cache")}
    life = forks.fork(f"tests.faults.soaking:{function}", folder / "home", model, exchanges, every, environment=around)
    told: list[Usage] = life.rest()
    assert life.wait() == 0
    assert [each.exchanges for each in told] == list(range(every, exchanges + 1, every))
    for each in told:
        print(f"{each.exchanges}: {each.resident / MEGABYTE:.1f} MB, {each.threads} threads, {each.files} files")
    return told


def flat(told: list[Usage], warm: int) -> None:
    first = next(each for each in told if each.exchanges >= warm)
    last = told[-1]
    assert last.resident - first.resident <= 20 * MEGABYTE
    assert last.threads == first.threads
    # One more is the journal, which stays open for reading once an index covers the beginning of it.
    assert last.files - first.files in (0, 1)


def test_some_exchanges_leave_no_thread_and_no_file_open(forks: Forks, folder: Path, model: Path) -> None:
    flat(used(forks, "worker", folder, model, 30, 10), 10)


@pytest.mark.slow
def test_a_thousand_exchanges_through_the_worker(forks: Forks, folder: Path, model: Path) -> None:
    flat(used(forks, "worker", folder, model, 1000, 100), 100)


@pytest.mark.slow
def test_three_hundred_exchanges_through_the_app(forks: Forks, folder: Path, model: Path) -> None:
    flat(used(forks, "app", folder, model, 300, 10), 50)
