"""The nouns of a lesson, and the records that a journal is made of. All frozen; standard library only.

A *turn* is what a person reads back, an *exchange* is what was decided about one prompt, an *outcome* is what the
model made of it. An exchange is written before the model moves and its outcome after; the two together are enough
to repeat the lesson exactly, because the outcome holds how many steps were taken.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

Kind = Literal["pick", "correction", "statement", "none"]
TurnKind = Literal["pick", "correction", "brought"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the five replies. `logprob` is log P(reply, end of turn | conversation) in nats, under the model as it is.

    `ended` is false where the reply was cut at the token limit (its log-probability then lacks the end token).

    A *marked* one was written with the own weights of the lesson of record `lesson`. `sure` says whether the prompt was
    sure to be in the scope of that lesson, or only likely enough to offer its reply.
    """

    index: int
    text: str
    logprob: float
    ended: bool = True
    lesson: int | None = None
    sure: bool | None = None

    def tag(self, number: int | None) -> str:
        """`#3` where it was written with lesson `number` 3, `#3?` where that was not sure to be meant."""
        return "" if number is None or self.lesson is None else f"#{number}" if self.sure else f"#{number}?"


@dataclass(frozen=True, slots=True)
class Stated:
    """A fact that a message states, as the question that it answers and the answer."""

    prompt: str
    reply: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A prompt that waits for its answer, with the five replies that were offered for it.

    `statement` is the fact that the prompt states, offered to be learned beside the conversation.
    """

    prompt_id: str
    prompt: str
    candidates: tuple[Candidate, ...]
    statement: Stated | None = None

    @property
    def mark(self) -> Candidate | None:
        """The marked one of the replies; there is one at most."""
        return marked(self.candidates)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one lesson did. Losses are mean nats a reply token, P is the probability of the whole reply, asked alone.

    `losses` are those seen along the way, one a forward pass; `steps` were taken by this lesson and `step` is the
    count since the home began. `learned` says that the model now says the reply; `skipped` says why nothing moved.
    `meant` is the number of the lesson whose scope a pick widened: then nothing moved either, and the reply is said.
    """

    lesson: int
    kind: Kind
    prompt: str
    reply: str
    loss_before: float
    loss_after: float
    p_before: float
    p_after: float
    steps: int
    step: int
    learned: bool
    seconds: float
    losses: tuple[float, ...] = ()
    skipped: str | None = None
    meant: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of the conversation as a person reads it back, and what was learned from it.

    `kind` is `brought` where it came in with a hand-edited `context.md`. `outcome` is None until the lesson is done.
    """

    seq: int
    prompt: str
    reply: str
    kind: TurnKind
    pick: int | None = None
    outcome: Outcome | None = None


def marked(candidates: Iterable[Candidate]) -> Candidate | None:
    """The marked one of some replies."""
    return next((candidate for candidate in candidates if candidate.lesson is not None), None)


# --- what stands in the journal: `type` names the class, the fields are the record's keys ---


@dataclass(frozen=True, slots=True)
class Begin:
    """The first record: which model this home belongs to, and whether it learns by LoRA (the rank; None: whole)."""

    model: str
    fingerprint: str
    version: str
    lora: int | None = None


def number(value: Any) -> float:
    """A number as JSON has it: null where it is not finite."""
    return value if type(value) is float else math.nan if value is None else float(value)


def candidate_from(values: dict[str, Any]) -> Candidate:
    plain = int(values["index"]), str(values["text"]), number(values["logprob"]), bool(values["ended"])
    lesson = values.get("lesson")
    return Candidate(*plain) if lesson is None else Candidate(*plain, int(lesson), bool(values["sure"]))


def _candidates_from(text: str) -> tuple[Candidate, ...]:
    """The candidates of an exchange, of which `_OFFER` found `text` to be well-formed."""
    return tuple(candidate_from(item) for item in json.loads(f"[{text}]"))


def _first_text(text: str) -> str:
    """What the first of them says."""
    return str(json.JSONDecoder().raw_decode(text)[0]["text"])


class _Unread:
    """Keeps the candidates as they stand in the journal until somebody asks for them: of most nobody does, and they
    are more than half of what a journal holds."""

    __slots__ = ("_unread",)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Only where the attribute is not set.
            if name != "candidates":
                raise AttributeError(name)
            found = _candidates_from(object.__getattribute__(self, "_unread"))
            object.__setattr__(self, "candidates", found)
            object.__delattr__(self, "_unread")
            return found


@dataclass(frozen=True, slots=True)
class Exchange(_Unread):
    """One prompt and what was decided about it. `recipe` holds every number that the lesson was to be learned with.

    `conversation` is false for a lesson that was taught outside of one (`teach --for`), which then adds no turn.
    `replaces` is the seq of an earlier record whose (last) turn this one corrects. `edited` is the candidate that a
    correction began as. For kind `none` nothing is learned and `reply` is empty. `said` is the message that a statement
    was read from. `variants` are the other wordings of the prompt that were learned beside it.
    """

    kind: Kind
    prompt: str
    reply: str
    candidates: tuple[Candidate, ...]
    recipe: dict[str, Any]
    pick: int | None = None
    edited: int | None = None
    conversation: bool = True
    replaces: int | None = None
    prompt_id: str | None = None
    said: str | None = None
    variants: tuple[str, ...] = ()

    @classmethod
    def unread(cls, candidates: str, values: dict[str, Any]) -> Exchange:
        """With `candidates` as they stand in the journal, one after the other, known to be well-formed."""
        exchange = cls(candidates=(), **values)
        object.__delattr__(exchange, "candidates")
        object.__setattr__(exchange, "_unread", candidates)
        return exchange

    @property
    def mark(self) -> Candidate | None:
        """The marked one of the replies that were offered; there is one at most."""
        unread: str | None = getattr(self, "_unread", None)
        # Quotes are escaped inside of a text.
        return None if unread is not None and '"lesson":' not in unread else marked(self.candidates)

    @property
    def meant(self) -> int | None:
        """The record of the lesson that a pick says is meant by its prompt as well: the marked reply was picked."""
        mark = self.mark if self.kind == "pick" else None
        return mark.lesson if mark is not None and mark.index == self.pick else None

    @property
    def first_offered(self) -> str | None:
        """The text of the first candidate."""
        unread: str | None = getattr(self, "_unread", None)
        if unread is not None:
            return _first_text(unread) if unread else None
        return self.candidates[0].text if self.candidates else None


@dataclass(frozen=True, slots=True)
class Learned:
    """The outcome of exchange `of`. Written after the model moved and before the lesson is acknowledged.

    `machine` is the fingerprint of what did the arithmetic: under the same one a replay is bit-exact.
    """

    of: int
    outcome: Outcome
    machine: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Exchange `of` is taken back: it counts no more, and its turn is gone from the conversation."""

    of: int


@dataclass(frozen=True, slots=True)
class Restore:
    """The withdrawal of exchange `of` is itself taken back: the lesson counts again, where it stood."""

    of: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was taught was learned again on another foundation, or in another way (`lora`, as in Begin), which this home
    belongs to from here on.

    `outcomes` are (seq of the exchange, outcome) of every lesson that was tried, in order, with `recipe`; they take
    the place of the earlier ones. To keep the line short their prompt and reply are empty and their losses left out.
    """

    model: str
    fingerprint: str
    version: str
    machine: str
    recipe: dict[str, Any]
    outcomes: tuple[tuple[int, Outcome], ...]
    lora: int | None = None


@dataclass(frozen=True, slots=True)
class Consolidated:
    """Of a version before: steps that the model took in idle time. They are read and passed over."""

    after: int
    first: int
    steps: int
    recipe: dict[str, Any]
    machine: str


@dataclass(frozen=True, slots=True)
class ConversationStarted:
    """A fresh conversation begins. What was taught stays."""


@dataclass(frozen=True, slots=True)
class ContextImported:
    """A hand-edited `context.md` was read back: these (prompt, reply) turns are the conversation from here on."""

    turns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Something went wrong in the worker; `of` is the exchange it happened in, if any."""

    message: str
    of: int | None = None


class Finding(NamedTuple):
    """What asking lesson `seq` (of its exchange) again found: P(reply), asked alone, and whether the model says it."""

    seq: int
    p: float
    says: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """Lessons were asked again, of the model as the records before this one make it. Nothing moved."""

    results: tuple[Finding, ...]


Record = (
    Begin
    | Exchange
    | Learned
    | Withdraw
    | Restore
    | Rebuilt
    | Consolidated
    | ConversationStarted
    | ContextImported
    | Failure
    | Asked
)
