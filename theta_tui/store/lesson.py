"""A lesson as the journal's records make it. No model, no files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from theta_tui.base.text import normalised
from theta_tui.store.history import History
from theta_tui.store.records import Exchange, Outcome

ASKINGS_KEPT = 8
"""Review results kept of one lesson. The newest counts; older ones count again when later lessons are withdrawn."""


def question(prompt: str) -> str:
    """The key of a question: two prompts with the same key differ in case, white space or outer punctuation only."""
    return normalised(prompt) or prompt


class Measured(msgspec.Struct, frozen=True, gc=False):
    """How well the model knew a lesson when record `seq` was written, at Unix time `at`."""

    seq: int
    at: float
    p: float
    says: bool


@dataclass(slots=True)
class Lesson:
    """A pick or a correction. `context` is the conversation before it when it was taught.

    `recipe` are the numbers that it is learned with: the exchange's, until a rebuild. `failed` says why it could not
    be learned. `asked` are its review results, newest last. `learned_by` is the record that holds its outcome; 0: none.
    `persona` was in force when it was taught, and is whenever it is learned. `said_before` and `says_now` are the
    replies that were asked right after it (Compared). `conversation` is the number of the
    conversation that it was taught in; None: outside of any.
    """

    number: int
    seq: int
    at: float
    exchange: Exchange
    context: History
    outcome: Outcome | None = None
    machine: str | None = None
    withdrawn: bool = False
    failed: str | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    asked: list[Measured] = field(default_factory=list)
    persona: str | None = None
    said_before: str | None = None
    says_now: str | None = None
    conversation: int | None = None
    learned_by: int = field(default=0, repr=False, compare=False)
    question: str = field(init=False, repr=False, compare=False)
    """The key for `State.about`."""

    def __post_init__(self) -> None:
        self.question = question(self.exchange.prompt)

    @property
    def who(self) -> str:
        """Who taught it; "" is the owner."""
        return self.exchange.who

    @property
    def moves(self) -> bool:
        """Whether this lesson is part of the weights, or will be once it has an outcome."""
        return not self.withdrawn and self.failed is None and (self.outcome is None or self.outcome.skipped is None)
