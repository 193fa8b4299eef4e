"""Undo snapshots: states of the learner before each of the last lessons, and before each lesson was taken back.

As many as fit a memory limit; a state without a snapshot is replayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theta_tui.learning.snapshot import Snapshot

UNDO_BYTES = 512 << 20
"""The memory that snapshots may take. The one from before the last lesson is always kept."""
MOST = 20
"""At most this many snapshots, however small: a thousand lessons of a tiny model took 400 MiB."""


class UndoSnapshots:
    """Snapshots by the seq of a lesson."""

    def __init__(self) -> None:
        self._before: list[tuple[int, Snapshot]] = []
        self._with: list[tuple[int, Snapshot]] = []

    def remember(self, seq: int, before: Snapshot) -> None:
        """Keep `before`, the state before lesson `seq` was learned."""
        self._before.append((seq, before))
        self._trim(before)

    def taught(self) -> None:
        """A new lesson was taught: nothing can be brought back now."""
        self._with.clear()

    def took_back(self, seq: int, state: Snapshot) -> None:
        """Lesson `seq` was taken back from `state`."""
        self._with.append((seq, state))
        self._trim(state)

    def taken_back(self, seq: int) -> Snapshot | None:
        """The state before `seq` was taken back, if it is the lesson that was taken back last. This call forgets it."""
        found, state = self._with.pop() if self._with else (0, None)
        if found == seq:
            return state
        self._with.clear()  # the others are of a time when `seq` was taken back
        return None

    def before(self, seq: int) -> tuple[int, Snapshot] | None:
        """The newest (lesson, state before it) not later than `seq`."""
        return next((item for item in reversed(self._before) if item[0] <= seq), None)

    def forget_after(self, position: int) -> None:
        """Forget the states before lessons after `position`, which are learned anew."""
        self._before = [item for item in self._before if item[0] <= position]

    def clear(self) -> None:
        self._before, self._with = [], []

    def copy(self) -> UndoSnapshots:
        other = UndoSnapshots()
        other._before, other._with = list(self._before), list(self._with)
        return other

    def _trim(self, state: Snapshot) -> None:
        """Drop the oldest first; drop states for redo only once a single one is left for undo."""
        while (count := len(self._before) + len(self._with)) > MOST or count * state.nbytes > UNDO_BYTES:
            if len(self._before) > 1:
                self._before.pop(0)
            elif self._with:
                self._with.pop(0)
            else:
                break
