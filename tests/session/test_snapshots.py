"""How many states of the learner are kept to go back to."""

from types import SimpleNamespace
from typing import Any

from theta_tui.session.snapshots import MOST, UNDO_BYTES, UndoSnapshots


def state(number: int, nbytes: int = 1) -> Any:
    return SimpleNamespace(number=number, nbytes=nbytes)


def test_a_thousand_lessons_of_a_tiny_model_keep_the_newest_states_only() -> None:
    memory = UndoSnapshots()
    for seq in range(1, 1001):
        memory.remember(seq, state(seq))
    assert memory.before(1000) == (1000, state(1000))
    assert memory.before(1001 - MOST) == (1001 - MOST, state(1001 - MOST))
    assert memory.before(1000 - MOST) is None


def test_of_a_large_model_as_many_as_fit_are_kept() -> None:
    memory = UndoSnapshots()
    for seq in range(1, 11):
        memory.remember(seq, state(seq, UNDO_BYTES // 3))
    assert memory.before(8) is not None
    assert memory.before(7) is None


def test_what_was_taken_back_makes_way_for_nothing_older() -> None:
    memory = UndoSnapshots()
    for seq in range(1, MOST + 1):
        memory.remember(seq, state(seq))
    memory.took_back(MOST, state(0))
    assert memory.taken_back(MOST) == state(0)
    assert memory.before(1) is None
