"""What is decided of a prompt before a reply to it is written. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """The lesson in whose scope a prompt is, by its key; None: in none. `key` is the wording that it was found by,
    `score` the matcher's. Where it is not `sure`, the lesson is only likely enough to be offered."""

    lesson: int | None
    sure: bool = False
    score: float = float("-inf")
    key: str = ""


NOWHERE = Decision(None)
