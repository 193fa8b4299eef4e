"""What the screen and the worker say to each other: commands one way, events the other. Standard library only.

Every one is a frozen dataclass of plain values that could be sent over a wire. An event that reports progress
carries the whole bounded state, never a delta, so that a later one can replace an earlier one that was not yet shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from theta_tui.store.standing import Standing, Tally

if TYPE_CHECKING:
    from theta_tui.store.records import Outcome, Pending, Turn

TURNS_SHOWN = 200
LOSSES_SHOWN = 240
LESSONS_SHOWN = 1000
LESSON_TEXT = 400
"""Characters of a lesson's prompt and of its replies that a `Ledger` carries."""

# --- commands: screen → worker ---


@dataclass(frozen=True, slots=True)
class Propose:
    """Offer five replies to `prompt`. A prompt that was still waiting is passed over."""

    prompt: str


@dataclass(frozen=True, slots=True)
class Regenerate:
    """Offer five other replies to the prompt that waits."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class Pick:
    """Teach candidate `index` (1 to 5) of the prompt that waits."""

    prompt_id: str
    index: int


@dataclass(frozen=True, slots=True)
class Correct:
    """Teach `text`. With `prompt_id`: as the answer to the prompt that waits (`edited`: the candidate it began as).

    Without: as a better reply to the last turn of the conversation.
    """

    text: str
    prompt_id: str | None = None
    edited: int | None = None


@dataclass(frozen=True, slots=True)
class TeachFact:
    """Teach the fact that the waiting prompt states, as `prompt` → `reply`; the five replies still wait."""

    prompt_id: str
    prompt: str
    reply: str


@dataclass(frozen=True, slots=True)
class PassOver:
    """None of these: the prompt is dropped and nothing is learned."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back the last lesson."""


@dataclass(frozen=True, slots=True)
class Redo:
    """Bring back the lesson that was taken back last."""


@dataclass(frozen=True, slots=True)
class WithdrawLesson:
    """Take out lesson `number`; those since are learned again without it."""

    number: int


@dataclass(frozen=True, slots=True)
class NewConversation:
    """Begin a fresh conversation; what was taught stays."""


@dataclass(frozen=True, slots=True)
class Save:
    """Write a checkpoint now."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The greedy reply to `prompt`; changes nothing."""

    prompt: str


@dataclass(frozen=True, slots=True)
class Export:
    """Write the model (`hf`) or the lessons (`trl`) into the folder `path`, which is not there yet."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class ShowLessons:
    """Say how every lesson stands, as far as it is known; asks the model nothing."""


@dataclass(frozen=True, slots=True)
class Quiz:
    """Ask every live lesson again, in slices: other commands are served in between."""


@dataclass(frozen=True, slots=True)
class AskLesson:
    """The greedy reply to the prompt of lesson `number`, asked alone; changes nothing."""

    number: int


@dataclass(frozen=True, slots=True)
class Configure:
    """Change a setting that the worker uses (temperature, recipe …); `value` is text as typed."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop generating, or taking a lesson back (nothing has changed then). Served at once, whatever the worker is
    doing; a lesson is not cancelled by it."""


Command = (
    Propose
    | Regenerate
    | Pick
    | Correct
    | TeachFact
    | PassOver
    | Undo
    | Redo
    | WithdrawLesson
    | NewConversation
    | Save
    | Ask
    | Export
    | ShowLessons
    | Quiz
    | AskLesson
    | Configure
    | Cancel
)

# --- state ---

Phase = Literal["loading", "idle", "proposing", "choosing", "learning", "saving", "stopped"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the screen shows, bounded. Every event carries the newest one that the worker had.

    `activity` is what the machine is doing now, in a few words. `turns` are the last TURNS_SHOWN of `turns_total`.
    `losses` are the last LOSSES_SHOWN mean reply losses in nats, oldest first, finite only. `saved_at` is Unix time of
    the newest checkpoint, `unsaved` the lessons since. `read_only` says why nothing can be taught, if so. `redo` says
    that a lesson was taken back and can be brought back. `offered` is the first reply that was offered for the last
    lesson's prompt. `marked` is the number of the lesson that one of the replies of `pending` was written with. `tally`
    says how many lessons hold, `alarm` says what the last lesson cost, if it did.
    """

    phase: Phase = "loading"
    activity: str = ""
    model: str = ""
    parameters: int = 0
    device: str = ""
    recipe: str = ""
    turns: tuple[Turn, ...] = ()
    turns_total: int = 0
    pending: Pending | None = None
    lessons: int = 0
    step: int = 0
    losses: tuple[float, ...] = ()
    last: Outcome | None = None
    saved_at: float | None = None
    unsaved: int = 0
    read_only: str | None = None
    redo: bool = False
    offered: str | None = None
    marked: int | None = None
    tally: Tally = field(default_factory=Tally)
    alarm: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply that is still being written. `done` once it has ended."""

    index: int
    text: str
    done: bool = False


# --- events: worker → screen ---


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is on its way; `snapshot.activity` says which stage. The conversation is already in the snapshot."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded and the record folded in."""

    snapshot: Snapshot
    seconds: float


@dataclass(frozen=True, slots=True)
class Streaming:
    """The five replies as far as they are written."""

    prompt: str
    drafts: tuple[Draft, ...]
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Proposed:
    """Five replies are ready to pick from; they are `snapshot.pending`."""

    snapshot: Snapshot
    seconds: float


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Generation was stopped; no replies are kept."""

    snapshot: Snapshot
    prompt: str


@dataclass(frozen=True, slots=True)
class Learning:
    """A lesson is under way: `steps` taken so far of at most `limit`, P(reply) before and now."""

    snapshot: Snapshot
    steps: int
    limit: int
    loss: float
    p_before: float
    p_now: float


@dataclass(frozen=True, slots=True)
class Taught:
    """A lesson is done and on disk; `outcome.skipped` says why where nothing moved."""

    snapshot: Snapshot
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Undone:
    """The last lesson was taken back."""

    snapshot: Snapshot
    prompt: str
    reply: str


@dataclass(frozen=True, slots=True)
class Redone:
    """The lesson that was taken back last counts again."""

    snapshot: Snapshot
    prompt: str
    reply: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Lesson `number` was taken out."""

    snapshot: Snapshot
    number: int
    prompt: str
    reply: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint was written. `asked` is false for a periodic one."""

    snapshot: Snapshot
    path: str
    seconds: float
    asked: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """The greedy reply to an `Ask`."""

    snapshot: Snapshot
    prompt: str
    reply: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Lessons were asked again while nothing else was to do; only what is known of them changed. `left` are still to be
    asked."""

    snapshot: Snapshot
    left: int = 0


@dataclass(frozen=True, slots=True)
class Quizzed:
    """A `Quiz` is through; `snapshot.tally` is what it found."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Ledger:
    """How the last LESSONS_SHOWN lessons stand, oldest first; long texts are cut at LESSON_TEXT characters."""

    snapshot: Snapshot
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class LessonAnswered:
    """The greedy reply to an `AskLesson`."""

    snapshot: Snapshot
    number: int
    reply: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Something else changed (a passed-over prompt, a fresh conversation, a setting)."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person should know; not an error."""

    snapshot: Snapshot
    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A command could not be carried out; the next still works, unless `fatal`. `code` is the exit code it maps to."""

    snapshot: Snapshot
    message: str
    command: str = ""
    code: int = 1
    fatal: bool = False


Event = (
    Loading
    | Ready
    | Streaming
    | Proposed
    | Cancelled
    | Learning
    | Taught
    | Undone
    | Redone
    | Withdrawn
    | Saved
    | Answered
    | Reviewed
    | Quizzed
    | Ledger
    | LessonAnswered
    | Changed
    | Notice
    | Failed
)
