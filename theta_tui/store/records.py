"""The parts of a lesson, and the records of the journal. All frozen; msgspec besides the standard library.

A *turn* is what a person reads back, an *exchange* is what was decided about one prompt, an *outcome* is what the
lesson did to the model. An exchange is written before the weights change and its outcome after. Together they are
enough to repeat the lesson exactly, because the outcome holds the number of steps.

Fields are keys of the JSON, in this order. A field whose default is None or empty is left out while it has that value;
all others are always written. `msgspec.structs.replace` makes a changed copy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec

from theta_tui.store.report import Kind as Kind
from theta_tui.store.report import Teaching as Teaching
from theta_tui.store.report import shown as shown

TurnKind = Literal["pick", "correction", "said", "brought"]
Place = tuple[int, int]
"""The place of a turn in its conversation: the record that first put a turn there, and which of its turns, from 0. A
correction of the turn keeps it. Turns are in the order of their places."""


class _Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Plain values cannot form a cycle, so the garbage collector need not track them."""


def _written(default: bool) -> Any:
    """A field that is always written: msgspec omits fields that equal a plain default, but not a made one."""
    return msgspec.field(default_factory=lambda: default)


class Candidate(_Plain, frozen=True):
    """One of the five replies. `logprob` is log P(reply, end of turn | conversation) in nats, under the model as it is.

    `ended` is false if the reply was cut at the token limit (its log-probability then lacks the end token).
    `care`: it was written with the model's care module.

    A *marked* candidate was written with the weights of the lesson of record `lesson`. `sure`: the prompt is surely in
    the scope of that lesson, and not only likely enough to offer its reply.
    """

    index: int
    text: str
    logprob: float
    ended: bool = _written(True)
    lesson: int | None = None
    sure: bool | None = None
    care: bool = False

    def __post_init__(self) -> None:
        if (self.lesson is None) != (self.sure is None):
            raise ValueError("a marked reply names its lesson, and whether that was sure")

    @property
    def shown(self) -> str:
        """The text, with an ellipsis where it was cut."""
        return shown(self.text, not self.ended)

    def tag(self, number: int | None) -> str:
        """`#3` for a reply written with lesson `number` 3; `#3?` if it is not sure that this lesson is meant."""
        return "" if number is None or self.lesson is None else f"#{number}" if self.sure else f"#{number}?"


class Stated(_Plain, frozen=True):
    """A fact that a message states, as a question and its answer."""

    prompt: str
    reply: str


class Five(_Plain, frozen=True):
    """Replies that were offered together, and the id by which one of them is picked."""

    prompt_id: str
    candidates: tuple[Candidate, ...]


class Pending(_Plain, frozen=True):
    """A prompt that waits for its answer, with the five replies that were offered for it.

    `statement` is the fact that the prompt states, offered to be learned beside the conversation. `earlier` are the
    fives that were offered before others were asked for, oldest first; any of them can still be picked from.
    """

    prompt_id: str
    prompt: str
    candidates: tuple[Candidate, ...]
    statement: Stated | None = None
    earlier: tuple[Five, ...] = ()

    @property
    def mark(self) -> Candidate | None:
        """The marked reply; there is one at most."""
        return marked(self.candidates)

    @property
    def fives(self) -> tuple[Five, ...]:
        """All fives that can be picked from, oldest first."""
        return (*self.earlier, Five(self.prompt_id, self.candidates))

    def at(self, prompt_id: str) -> Pending | None:
        """The prompt with the five of this id in place of the newest; None if it has no such five."""
        found = next((five for five in self.fives if five.prompt_id == prompt_id), None)
        if found is None:
            return None
        return msgspec.structs.replace(self, prompt_id=prompt_id, candidates=found.candidates)

    def changed(self, prompt_id: str, candidates: tuple[Candidate, ...]) -> Pending:
        """The prompt with other replies in the five of this id."""
        if prompt_id == self.prompt_id:
            return msgspec.structs.replace(self, candidates=candidates)
        changed = (msgspec.structs.replace(five, candidates=candidates) for five in self.earlier)
        earlier = tuple(
            new if five.prompt_id == prompt_id else five for five, new in zip(self.earlier, changed, strict=True)
        )
        return msgspec.structs.replace(self, earlier=earlier)


class Outcome(_Plain, frozen=True):
    """What one lesson did. Losses are mean nats per reply token; P is the probability of the whole reply, asked alone.

    `losses` has one value per forward pass. `steps` counts the steps of this lesson and `step` all steps since the
    home began. `learned`: the model now says the reply. `skipped` says why no weights changed. `meant` is the number
    of the lesson whose scope a pick widened; that changes no weights either, and the reply is said.
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
    """One turn of the conversation as a person reads it back, and what was learned from it.

    `kind` is `said` where nothing was taught by it, and `brought` where it came in with a hand-edited `context.md`.
    `outcome` is None until the lesson is done. `cut`: the reply was cut at the token limit.
    """

    seq: int
    prompt: str
    reply: str
    kind: TurnKind
    pick: int | None = None
    outcome: Outcome | None = None
    cut: bool = False

    @property
    def shown(self) -> str:
        """The reply, with an ellipsis where it was cut."""
        return shown(self.reply, self.cut)


class Beside(_Plain, frozen=True):
    """Something that happened beside the turns of the conversation, after `after` of them: a fact or another lesson
    taught outside of it, a message that got no answer (`none`, without a reply), or a lesson that was taken back.
    `said` is the message that stated the fact. `more` counts the lessons taught outside right before it that are not
    told one by one."""

    seq: int
    after: int
    kind: Kind
    prompt: str
    reply: str
    withdrawn: bool = False
    outcome: Outcome | None = None
    said: str | None = None
    more: int = 0


def marked(candidates: Iterable[Candidate]) -> Candidate | None:
    """The marked one of `candidates`, if there is one."""
    return next((candidate for candidate in candidates if candidate.lesson is not None), None)


# --- the records of the journal, by `type` ---


class Begin(_Plain, frozen=True, tag="begin"):
    """The first record: which model this home belongs to, and whether it learns by LoRA (the rank; None: whole)."""

    model: str
    fingerprint: str
    version: str
    lora: int | None = None


class Exchange(_Plain, frozen=True, tag="exchange"):
    """One prompt and what was decided about it. `recipe` holds every number that the lesson is learned with.

    `conversation` is false for a lesson taught outside of one (`teach --for`); it adds no turn.
    `replaces` is the seq of an earlier record whose (last) turn this one corrects. `edited` is the candidate that a
    correction began as. For kind `none` nothing is learned and `reply` is empty. `said` is the message that a statement
    was read from. `variants` are the other wordings of the prompt that were learned beside it. `cut`: the picked reply
    was cut at the token limit, so it is learned without an end token. Earlier versions taught one; their records lack
    the field, and are learned as they were.

    `turn` is the place of the turn that this one takes; earlier versions left it out, and meant that of the turn of
    `replaces`. `conversation_id` is the number of its conversation; without one it is in the one that is open. `batch`
    is the record of the `Imported` that it belongs to. `who` taught it: the name of a person, "" for the owner of the
    home. `proposal` is the record of the `Proposal` that it was accepted from.
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
    turn: Place | None = None
    conversation_id: int | None = None
    batch: int | None = None
    cut: bool = False
    who: str = ""
    proposal: int | None = None

    @property
    def mark(self) -> Candidate | None:
        """The marked one of the offered replies; there is one at most."""
        return marked(self.candidates)

    @property
    def meant(self) -> int | None:
        """If the marked reply was picked: the record of its lesson, whose scope now includes this prompt."""
        mark = self.mark if self.kind == "pick" else None
        return mark.lesson if mark is not None and mark.index == self.pick else None

    @property
    def first_offered(self) -> str | None:
        """The text of the first candidate."""
        return self.candidates[0].text if self.candidates else None


class Said(_Plain, frozen=True, tag="said"):
    """A prompt was answered by `reply`, one of the replies that were offered, and nothing was taught: a turn of the
    conversation and no lesson. `cut`: the reply was cut at the token limit. `conversation_id` as in Exchange."""

    prompt: str
    reply: str
    candidates: tuple[Candidate, ...]
    prompt_id: str | None = None
    conversation_id: int | None = None
    cut: bool = False


class Proposal(_Plain, frozen=True, tag="proposal"):
    """A person wants `exchange` to be learned, and the owner has not decided yet. Until then its reply is said, and not
    taught: a turn of the conversation, unless it is a better reply to an earlier one."""

    exchange: Exchange


class Declined(_Plain, frozen=True, tag="declined"):
    """The owner declined proposal `of`. What was said stays."""

    of: int


class Standing(_Plain, frozen=True, tag="standing"):
    """What happens from here on to what the person `who` teaches."""

    who: str
    may: Teaching


class Learned(_Plain, frozen=True, tag="learned"):
    """The outcome of exchange `of`. Written after the weights changed and before the lesson is acknowledged.

    `machine` is a fingerprint of the hardware and libraries: with the same one a replay is bit-exact.
    """

    of: int
    outcome: Outcome
    machine: str


class Compared(_Plain, frozen=True, tag="compared"):
    """What the model said to the prompt of lesson `of` before it was taught, and what it says now: greedy replies,
    asked after the lesson. None: not asked, because other records tell it, or because it cannot be known."""

    of: int
    before: str | None = None
    now: str | None = None


class Withdraw(_Plain, frozen=True, tag="withdraw"):
    """Exchange `of` is taken back: it no longer counts, and its turn leaves the conversation. If record `of` is an
    `Imported`, its whole batch is, as far as it was taught. `who` did it, as in Exchange."""

    of: int
    who: str = ""


class Restore(_Plain, frozen=True, tag="restore"):
    """The withdrawal of exchange `of`, or of a batch, is taken back: its lessons count again, in their old places."""

    of: int


class Rebuilt(_Plain, frozen=True, tag="rebuilt"):
    """All lessons were learned again on another base model, or in another way (`lora`, as in Begin). The home belongs
    to that model from here on.

    `outcomes` are (seq of the exchange, outcome) of every lesson that was tried with `recipe`, in order; they replace
    the earlier ones. To keep the line short their prompt and reply are empty and their losses left out.
    """

    model: str
    fingerprint: str
    version: str
    machine: str
    recipe: dict[str, Any]
    outcomes: tuple[tuple[int, Outcome], ...]
    lora: int | None = None


class Consolidated(_Plain, frozen=True, tag="consolidated"):
    """Steps that an earlier version took in idle time. Read and ignored."""

    after: int
    first: int
    steps: int
    recipe: dict[str, Any]
    machine: str


class ConversationStarted(_Plain, frozen=True, tag="fresh"):
    """A new conversation begins, and is the open one of `who`, as in Exchange. It gets the next number; the first one
    is the owner's, has 1 and no record. What was taught stays."""

    who: str = ""


class ConversationOpened(_Plain, frozen=True, tag="opened"):
    """Conversation `of` goes on: it is the open one. One that was deleted is back."""

    of: int


class ConversationRenamed(_Plain, frozen=True, tag="renamed"):
    """Conversation `of` is called `name` from here on. None: by its first words."""

    of: int
    name: str | None = None


class ConversationDeleted(_Plain, frozen=True, tag="deleted"):
    """Conversation `of` is listed no more. Its records stay, and what was taught in it."""

    of: int


class ContextImported(_Plain, frozen=True, tag="brought"):
    """A hand-edited `context.md` was read: these (prompt, reply) turns are the open conversation from here on."""

    turns: tuple[tuple[str, str], ...]


class Imported(_Plain, frozen=True, tag="imported"):
    """A batch begins: the next lessons of the file `source` have this record as their `batch`. `who` took them in, and
    can take them back, as in Exchange; who taught them may be others."""

    source: str
    who: str = ""


class Persona(_Plain, frozen=True, tag="persona"):
    """The system turn that the model speaks, and is taught, under from here on. None: its chat template's own."""

    text: str | None = None


class Failure(_Plain, frozen=True, tag="failure"):
    """An error in the worker; `of` is the exchange in which it happened, if any."""

    message: str
    of: int | None = None


class Finding(NamedTuple):
    """The result of reviewing lesson `seq` (of its exchange): P(reply), asked alone, and whether the model says it."""

    seq: int
    p: float
    says: bool


class Asked(_Plain, frozen=True, tag="asked"):
    """A review: lessons were asked again, of the model that the records before this one make. No weights changed."""

    results: tuple[Finding, ...]


Record = (
    Begin
    | Exchange
    | Said
    | Proposal
    | Declined
    | Standing
    | Learned
    | Compared
    | Withdraw
    | Restore
    | Rebuilt
    | Consolidated
    | ConversationStarted
    | ConversationOpened
    | ConversationRenamed
    | ConversationDeleted
    | ContextImported
    | Imported
    | Persona
    | Failure
    | Asked
)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A record and its place in the journal: number (1, 2, 3 …), Unix time, byte offset of its line, checksum."""

    seq: int
    at: float
    record: Record
    offset: int
    checksum: str
