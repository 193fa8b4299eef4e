"""The decision for a prompt, made before the reply is generated. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """The lesson in whose scope a prompt is; None: in none. `key` is the wording that matched and `score` the
    matcher's score. If not `sure`, the lesson is only likely enough to be offered."""

    lesson: int | None
    sure: bool = False
    score: float = float("-inf")
    key: str = ""


NOWHERE = Decision(None)
