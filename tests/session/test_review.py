"""Asking again: in slices, journalled only where it tells something, and with an alarm where a lesson cost others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.test_retention import teach
from theta_tui.base.config import Settings
from theta_tui.session.review import FIRST, Review
from theta_tui.store.records import Asked, Finding, Withdraw
from theta_tui.store.state import Lesson
from theta_tui.store.store import Store


class UndoSnapshots:
    """A model that says what it is told to: `p` by prompt, 0.8 where nothing else is known."""

    def __init__(self) -> None:
        self.p: dict[str, float] = {}
        self.asked: list[str] = []

    def score(self, lesson: Lesson) -> Finding:
        prompt = lesson.exchange.prompt
        self.asked.append(prompt)
        p = self.p.get(prompt, 0.8)
        return Finding(lesson.seq, p, p > 0.2)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(home=tmp_path / "home", lock_wait=0))
    yield opened
    opened.close()


@pytest.fixture
def memory() -> UndoSnapshots:
    return UndoSnapshots()


@pytest.fixture
def review(record: Store, memory: UndoSnapshots) -> Review:
    return Review(record, memory.score)


def teach_and_move(review: Review, prompt: str, reply: str = "yes") -> int:
    """As the Session does it."""
    review.settle()
    seq = teach(review.store, prompt, reply)
    review.moved()
    return seq


def askings(record: Store) -> list[Asked]:
    return [entry.record for entry in record.journal.entries if isinstance(entry.record, Asked)]


def test_a_slice_asks_one_lesson_and_can_be_left_and_taken_up_again(review: Review, memory: UndoSnapshots) -> None:
    for prompt in "abcd":
        teach_and_move(review, prompt)
    first = review.slices()
    next(first)
    assert len(memory.asked) == 1
    assert review.left == 2
    first.close()  # type: ignore[attr-defined]
    assert review.left == 0
    list(review.slices())
    assert sorted(memory.asked) == ["a", "b", "c"], "each once, and not the newest, which was measured when taught"
    list(review.slices())
    assert len(memory.asked) == 3, "nothing is left to ask"


def test_what_tells_nothing_new_is_not_journalled(review: Review, record: Store, memory: UndoSnapshots) -> None:
    teach_and_move(review, "a")
    teach_and_move(review, "b")
    memory.p["a"] = 0.82
    list(review.slices())
    assert askings(record) == []
    assert [row.p_now for row in review.rows()] == [0.82, 0.8]
    teach_and_move(review, "c")
    memory.p["a"] = 0.7
    list(review.slices())
    (found,) = askings(record)
    assert {record.state.lesson(seq).exchange.prompt: p for seq, p, _ in found.results} == {"a": 0.7, "b": 0.8}


def test_a_quiz_asks_everything_and_is_always_journalled(review: Review, record: Store, memory: UndoSnapshots) -> None:
    teach_and_move(review, "a")
    teach_and_move(review, "b", "old")
    teach_and_move(review, "b", "new")
    list(review.quiz())
    assert memory.asked == ["a", "b"], "what is superseded is not asked"
    assert len(askings(record)) == 1
    assert [row.state for row in review.rows()] == ["kept", "superseded", "kept"]


def test_a_lesson_that_costs_others_raises_the_alarm_once(review: Review, record: Store, memory: UndoSnapshots) -> None:
    for prompt in "abc":
        teach_and_move(review, prompt)
    list(review.slices())
    teach_and_move(review, "d")
    memory.p.update(a=0.01, c=0.01)
    list(review.slices())
    assert review.alarm == "teaching #4 cost 2 others (#1, #3)"
    assert record.take_notices() == ["teaching #4 cost 2 others (#1, #3); undo takes back #4"]
    assert review.tally().words == "kept 2/4, lost #1, #3"
    list(review.slices())
    list(review.quiz())
    assert record.take_notices() == []


def test_lessons_that_could_each_have_done_it_are_all_named(
    review: Review, record: Store, memory: UndoSnapshots
) -> None:
    for prompt in "abcd":
        teach_and_move(review, prompt)
    memory.p["a"] = 0.01
    list(review.slices())
    assert review.alarm == "teaching #2 to #4 cost 1 other (#1)"


def test_the_blame_falls_on_the_newest_where_all_was_well_before_it(review: Review, memory: UndoSnapshots) -> None:
    for prompt in "abc":
        teach_and_move(review, prompt)
    list(review.slices())  # tells nothing new, and is in no record
    teach_and_move(review, "d")
    memory.p["b"] = 0.01
    list(review.slices())
    assert review.alarm == "teaching #4 cost 1 other (#2)"


def test_undo_and_the_next_lesson_end_the_alarm(review: Review, record: Store, memory: UndoSnapshots) -> None:
    teach_and_move(review, "a")
    newest = teach_and_move(review, "b")
    memory.p["a"] = 0.01
    list(review.slices())
    assert review.alarm is not None
    record.append(Withdraw(newest))
    review.moved()
    assert review.alarm is None
    assert review.tally().words == "kept 1/1"
    teach_and_move(review, "c")
    list(review.slices())
    assert review.alarm == "teaching #3 cost 1 other (#1)"
    teach_and_move(review, "d")
    list(review.slices())
    assert review.alarm is None, "it was lost before"


def test_what_a_lesson_cost_is_said_after_a_handful_and_again_when_more_was_found(
    review: Review, record: Store, memory: UndoSnapshots
) -> None:
    for number in range(FIRST + 2):
        teach_and_move(review, f"q{number}")
    list(review.slices())
    teach_and_move(review, "last")
    memory.p.update(q0=0.0, q9=0.0)
    slices = review.slices()
    for _ in range(FIRST):
        next(slices)
    assert review.alarm == f"teaching #{FIRST + 3} cost 1 other (#1)"
    list(slices)
    assert review.alarm == f"teaching #{FIRST + 3} cost 2 others (#1, #10)"
    assert len(record.take_notices()) == 2


def test_a_lesson_taught_in_the_middle_ends_a_pass_and_its_results_stand_before_that_lesson(
    review: Review, record: Store, memory: UndoSnapshots
) -> None:
    for prompt in "abc":
        teach_and_move(review, prompt)
    memory.p["a"] = 0.01
    quiz = review.quiz()
    next(quiz)
    seq = teach_and_move(review, "d")
    list(quiz)
    assert memory.asked == ["a"]
    asked = [entry.seq for entry in record.journal.entries if isinstance(entry.record, Asked)]
    assert len(asked) == 1
    assert asked[0] < seq


def test_in_a_read_only_home_results_are_shown_and_not_journalled(review: Review, record: Store) -> None:
    teach_and_move(review, "a")
    record.journal.read_only = "it is damaged"
    list(review.quiz())
    assert askings(record) == []
    assert review.tally().kept == 1
