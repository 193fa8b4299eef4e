"""The nouns of a lesson, and the records that a journal is made of. All frozen; msgspec besides the standard library.

A *turn* is what a person reads back, an *exchange* is what was decided about one prompt, an *outcome* is what the
model made of it. An exchange is written before the model moves and its outcome after; the two together are enough
to repeat the lesson exactly, because the outcome holds how many steps were taken.

Fields are keys of the JSON, in this order. A field that is None or empty by default is left out while it is; any other
one is written. `msgspec.structs.replace` makes a changed copy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec

Kind = Literal["pick", "correction", "statement", "none"]
TurnKind = Literal["pick", "correction", "brought"]


class _Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Values only, which cannot form a cycle: the garbage collector passes over them."""


def _written(default: bool) -> Any:
    """A field that is written whatever it is: msgspec leaves out what equals a plain default."""
    return msgspec.field(default_factory=lambda: default)


class Candidate(_Plain, frozen=True):
    """One of the five replies. `logprob` is log P(reply, end of turn | conversation) in nats, under the model as it is.

    `ended` is false where the reply was cut at the token limit (its log-probability then lacks the end token).

    A *marked* one was written with the own weights of the lesson of record `lesson`. `sure` says whether the prompt was
    sure to be in the scope of that lesson, or only likely enough to offer its reply.
    """

    index: int
    text: str
    logprob: float
    ended: bool = _written(True)
    lesson: int | None = None
    sure: bool | None = None

    def __post_init__(self) -> None:
        if (self.lesson is None) != (self.sure is None):
            raise ValueError("a marked reply names its lesson, and whether that was sure")

    def tag(self, number: int | None) -> str:
        """`#3` where it was written with lesson `number` 3, `#3?` where that was not sure to be meant."""
        return "" if number is None or self.lesson is None else f"#{number}" if self.sure else f"#{number}?"


class Stated(_Plain, frozen=True):
    """A fact that a message states, as the question that it answers and the answer."""

    prompt: str
    reply: str


class Pending(_Plain, frozen=True):
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


class Outcome(_Plain, frozen=True):
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


class Turn(_Plain, frozen=True):
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


# --- what stands in the journal, by its `type` ---


class Begin(_Plain, frozen=True, tag="begin"):
    """The first record: which model this home belongs to, and whether it learns by LoRA (the rank; None: whole)."""

    model: str
    fingerprint: str
    version: str
    lora: int | None = None


class Exchange(_Plain, frozen=True, tag="exchange"):
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
    conversation: bool = _written(True)
    replaces: int | None = None
    prompt_id: str | None = None
    said: str | None = None
    variants: tuple[str, ...] = ()

    @property
    def mark(self) -> Candidate | None:
        """The marked one of the replies that were offered; there is one at most."""
        return marked(self.candidates)

    @property
    def meant(self) -> int | None:
        """The record of the lesson that a pick says is meant by its prompt as well: the marked reply was picked."""
        mark = self.mark if self.kind == "pick" else None
        return mark.lesson if mark is not None and mark.index == self.pick else None

    @property
    def first_offered(self) -> str | None:
        """The text of the first candidate."""
        return self.candidates[0].text if self.candidates else None


class Learned(_Plain, frozen=True, tag="learned"):
    """The outcome of exchange `of`. Written after the model moved and before the lesson is acknowledged.

    `machine` is the fingerprint of what did the arithmetic: under the same one a replay is bit-exact.
    """

    of: int
    outcome: Outcome
    machine: str


class Withdraw(_Plain, frozen=True, tag="withdraw"):
    """Exchange `of` is taken back: it counts no more, and its turn is gone from the conversation."""

    of: int


class Restore(_Plain, frozen=True, tag="restore"):
    """The withdrawal of exchange `of` is itself taken back: the lesson counts again, where it stood."""

    of: int


class Rebuilt(_Plain, frozen=True, tag="rebuilt"):
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


class Consolidated(_Plain, frozen=True, tag="consolidated"):
    """Of a version before: steps that the model took in idle time. They are read and passed over."""

    after: int
    first: int
    steps: int
    recipe: dict[str, Any]
    machine: str


class ConversationStarted(_Plain, frozen=True, tag="fresh"):
    """A fresh conversation begins. What was taught stays."""


class ContextImported(_Plain, frozen=True, tag="brought"):
    """A hand-edited `context.md` was read back: these (prompt, reply) turns are the conversation from here on."""

    turns: tuple[tuple[str, str], ...]


class Persona(_Plain, frozen=True, tag="persona"):
    """The system turn that the model speaks, and is taught, under from here on. None: its chat template's own."""

    text: str | None = None


class Failure(_Plain, frozen=True, tag="failure"):
    """Something went wrong in the worker; `of` is the exchange it happened in, if any."""

    message: str
    of: int | None = None


class Finding(NamedTuple):
    """What asking lesson `seq` (of its exchange) again found: P(reply), asked alone, and whether the model says it."""

    seq: int
    p: float
    says: bool


class Asked(_Plain, frozen=True, tag="asked"):
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
    | Persona
    | Failure
    | Asked
)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A record where it stands in the journal: its number (1, 2, 3 …), Unix time, where its line begins in the file,
    and its checksum."""

    seq: int
    at: float
    record: Record
    offset: int
    checksum: str
