"""What the plots show, from journals without a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.store.test_retention import teach
from theta_tui.base.config import Settings
from theta_tui.store import retention
from theta_tui.store.plots import MOST_POINTS, Curve, Plot, plots, ticks
from theta_tui.store.records import Asked, Finding, Restore, Withdraw
from theta_tui.store.store import Store


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(home=tmp_path / "home", lock_wait=0))
    yield opened
    opened.close()


def curves(record: Store, number: int | None = None) -> dict[str, tuple[tuple[float, float], ...]]:
    return {curve.name: curve.points for plot in plots(record.state, number) for curve in plot.curves}


def test_the_curves_follow_the_lessons(record: Store) -> None:
    first = teach(record, "a", "1")
    teach(record, "b", "2", learned=False)
    record.append(Asked((Finding(first, 0.1, False),)))
    teach(record, "c", "3")
    found = curves(record, 1)
    assert found["before"] == ((1, 2.0), (2, 2.0), (3, 2.0))
    assert found["after"] == ((1, 0.1), (2, 0.1), (3, 0.1))
    assert found["taught"] == ((1, 1), (2, 2), (3, 3))
    assert found["kept"] == ((1, 1), (2, 0), (3, 1)), "one was never said, one was lost after lesson 2"
    assert [x for x, _ in found["says it"]] == [0, 1, 2]
    assert [y for _, y in found["says it"]] == pytest.approx([1.0, 80.0, 10.0])


def test_a_lesson_that_is_superseded_or_taken_back_counts_no_more(record: Store) -> None:
    teach(record, "a", "1")
    second = teach(record, "a", "2")
    assert curves(record)["taught"] == ((1, 1), (2, 1))
    record.append(Withdraw(second))
    assert curves(record)["kept"] == ((1, 1), (2, 1)), "the earlier answer holds again"
    assert [x for x, _ in curves(record)["after"]] == [1]
    record.append(Restore(second))
    teach(record, "b", "3")
    assert curves(record)["taught"] == ((1, 1), (2, 1), (3, 2))


@pytest.mark.parametrize("seed", range(20))
def test_the_curve_of_what_is_kept_ends_where_the_report_stands(record: Store, seed: int) -> None:
    random, taught = Random(seed), []
    for _ in range(30):
        deed = random.choice(("teach", "teach", "ask", "take back", "bring back"))
        if deed == "teach" or not taught:
            taught.append(teach(record, random.choice("abcd"), random.choice("12"), learned=random.random() < 0.8))
        elif deed == "ask":
            record.append(Asked((Finding(random.choice(taught), random.random(), random.random() < 0.5),)))
        else:
            lesson = record.state.lesson(random.choice(taught))
            if lesson.withdrawn == (deed == "bring back"):
                record.append((Restore if lesson.withdrawn else Withdraw)(lesson.seq))
    found, report = curves(record), retention.tally(retention.judged(record.state))
    assert found["taught"][-1][1] == report.live
    if not any(isinstance(entry.record, (Withdraw, Restore)) for entry in record.state.entries):
        assert found["kept"][-1][1] == report.kept


def test_a_long_curve_is_thinned_out_with_its_ends(record: Store) -> None:
    for number in range(3 * MOST_POINTS // 2):
        teach(record, f"q{number}", "1")
    points = curves(record)["after"]
    assert len(points) <= MOST_POINTS + 1
    assert (points[0][0], points[-1][0]) == (1, 3 * MOST_POINTS // 2)


def test_a_home_without_lessons_has_empty_plots(record: Store) -> None:
    assert [plot.empty for plot in plots(record.state)] == [True, True]


def test_a_table_has_the_newest_places_first() -> None:
    plot = Plot(
        "loss", "loss", (Curve("before", "secondary", ((1, 3.0), (2, 2.5))), Curve("after", "success", ((2, 0.1),)))
    )
    assert [line.split() for line in plot.table(5)] == [
        ["lessons", "before", "after"], ["2", "2.50", "0.10"], ["1", "3.00"],
    ]  # fmt: skip
    assert len(plot.table(1)) == 2


@pytest.mark.parametrize(
    ("low", "high", "found"), [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 100, [0, 20, 40, 60, 80, 100])]
)
def test_ticks_are_round(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high) == found
    assert ticks(1, 3, whole=True) == [1, 2, 3]
