"""States of the learner to go back to at once: before each of the last lessons, and with those taken back since.

As far as the memory for them reaches; what is not here is folded again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theta_tui.learning.learner import Snapshot

UNDO_BYTES = 512 << 20
"""How much memory the snapshots may take; one from before the last lesson is kept in any case."""
MOST = 20
"""Snapshots, however small they are: a thousand lessons of a tiny model took 400 MiB."""


class UndoSnapshots:
    """Snapshots by the seq of a lesson."""

    def __init__(self) -> None:
        self._before: list[tuple[int, Snapshot]] = []
        self._with: list[tuple[int, Snapshot]] = []

    def remember(self, seq: int, before: Snapshot) -> None:
        """`before` was the state when lesson `seq` was learned."""
        self._before.append((seq, before))
        self._trim(before)

    def taught(self) -> None:
        """A new lesson was taught: nothing can be brought back any more."""
        self._with.clear()

    def took_back(self, seq: int, state: Snapshot) -> None:
        """Lesson `seq` was taken back from `state`."""
        self._with.append((seq, state))
        self._trim(state)

    def taken_back(self, seq: int) -> Snapshot | None:
        """The state from which `seq`, the lesson taken back last, was taken; it is forgotten with this call."""
        state = None
        while self._with and state is None:
            found, snapshot = self._with.pop()
            state = snapshot if found == seq else None
        return state

    def before(self, seq: int) -> tuple[int, Snapshot] | None:
        """The newest (lesson, state before it) that is no later than `seq`."""
        return next((item for item in reversed(self._before) if item[0] <= seq), None)

    def forget_after(self, position: int) -> None:
        """Lessons after `position` are learned anew: what was before them is no more."""
        self._before = [item for item in self._before if item[0] <= position]

    def clear(self) -> None:
        self._before, self._with = [], []

    def copy(self) -> UndoSnapshots:
        other = UndoSnapshots()
        other._before, other._with = list(self._before), list(self._with)
        return other

    def _trim(self, state: Snapshot) -> None:
        """Oldest first, and those to bring back only once no more than one is left of the others."""
        while (count := len(self._before) + len(self._with)) > MOST or count * state.nbytes > UNDO_BYTES:
            if len(self._before) > 1:
                self._before.pop(0)
            elif self._with:
                self._with.pop(0)
            else:
                break
