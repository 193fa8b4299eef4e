"""What the worker reports, in answer to the commands of `commands` and by itself. Standard library only.

Each is a frozen dataclass of plain values that could be sent over a wire. An event that reports progress carries the
whole bounded state, never a delta, so a later one can replace an earlier one that was not shown yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from theta_tui.base.text import percent
from theta_tui.store.report import ReportRow, Tally, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from theta_tui.session.commands import Deed
    from theta_tui.store.plots import Plot
    from theta_tui.store.records import Beside, Outcome, Pending, Turn

TURNS_SHOWN = 200
BESIDE_SHOWN = 200
HISTORY_SHOWN = 2000
LOSSES_SHOWN = 240
LESSONS_SHOWN = 1000
MODELS_SHOWN = 200
LESSON_TEXT = 400
"""A `Ledger` carries at most this many characters of a lesson's prompt and of each of its replies."""

# --- state ---

Phase = Literal["loading", "idle", "proposing", "choosing", "learning", "saving", "stopped"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the screen shows, bounded.

    `activity` says in a few words what the machine is doing. `turns` are the last TURNS_SHOWN of `turns_total`.
    `losses` are the last LOSSES_SHOWN mean reply losses in nats, oldest first, finite only. `saved_at` is the Unix time
    of the newest checkpoint, `unsaved` counts the lessons since. `read_only` says why nothing can be taught, if so.
    `undo` is the record of the lesson that undo takes back, `redo` that of the one that redo brings back; 0: none.
    `beside` is the last BESIDE_SHOWN of what happened beside the turns. `said_before` and `says_now` are the replies to
    the last lesson's prompt before it and now, as far as they are known. `marked` has record and number of each lesson
    that a reply of `pending` was written with. `tally` summarises the retention report. `alarm` says which lessons the
    last one damaged, if any. `persona` is the system turn in force, cut at LESSON_TEXT characters; None: the model's
    own. `conversation` is the number of the open conversation. `who` is the person whose conversation, waiting prompt,
    `undo` and `redo` these are ("": the owner); all else is shared. `last_by` taught the last lesson. `proposals` of
    lessons wait for the owner: all of them, or those of this person. `stoppable`: a model is fetched or converted while
    it loads, which Cancel stops. `continuous`: talking teaches.
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
    undo: int = 0
    redo: int = 0
    beside: tuple[Beside, ...] = ()
    said_before: str | None = None
    says_now: str | None = None
    marked: Mapping[int, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    alarm: str | None = None
    persona: str | None = None
    conversation: int = 1
    who: str = ""
    last_by: str = ""
    proposals: int = 0
    stoppable: bool = False
    continuous: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply that is being generated. `done`: it has ended."""

    index: int
    text: str
    done: bool = False


# --- events: worker → screen ---


@dataclass(frozen=True, slots=True)
class Event:
    """A report of the worker, with its state at that time."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Loading(Event):
    """The model is loading; `snapshot.activity` names the stage. The snapshot already has the conversation."""


@dataclass(frozen=True, slots=True)
class Ready(Event):
    """The model is loaded and knows what was taught."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Streaming(Event):
    """The five replies as far as they are generated."""

    prompt: str
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, slots=True)
class Proposed(Event):
    """Five replies are ready to pick from: `snapshot.pending`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Continued(Event):
    """A reply of `snapshot.pending` went on, or was stopped and is as it was."""


@dataclass(frozen=True, slots=True)
class Cancelled(Event):
    """Generation was stopped, and no replies are kept."""

    prompt: str


@dataclass(frozen=True, slots=True)
class Learning(Event):
    """A lesson is under way: `steps` taken so far of at most `limit`, P(reply) before and now."""

    steps: int
    limit: int
    loss: float
    p_before: float
    p_now: float


@dataclass(frozen=True, slots=True)
class Taught(Event):
    """A lesson of `who` is done and on disk. `outcome.skipped` says why no weights changed, if so; where
    `outcome.lesson` is 0 it was only proposed."""

    outcome: Outcome
    who: str = ""


@dataclass(frozen=True, slots=True)
class TakenBack(Event):
    """A `TakeBack` is done: lesson `number`, `prompt` → `reply`, counts no more, or counts again after `redo`. `words`
    name the lessons of a batch, if it was one. `conversation` is the lesson's, if that is not the open one. `who` had
    taught it."""

    deed: Deed
    number: int
    prompt: str
    reply: str
    words: str = ""
    conversation: int | None = None
    who: str = ""


@dataclass(frozen=True, slots=True)
class Heard(Event):
    """Somebody else did something about lesson `number`, `prompt` → `reply`, which `who` taught ("": the owner): `by`
    taught, proposed, undid … it. `p_before` and `p_after` as in Outcome, where it was taught."""

    deed: Literal["teach", "propose", "undo", "redo", "withdraw"]
    who: str
    by: str
    number: int
    prompt: str
    reply: str
    p_before: float = 0.0
    p_after: float = 0.0

    @property
    def words(self) -> str:
        """`Ada taught: hello → Hi · 2 % → 97 %`."""
        by, who = (name or "the owner" for name in (self.by, self.who))
        whose = "" if self.by == self.who else f" {who}'s lesson"
        did = {"teach": f"accepted{whose}" if whose else "taught", "propose": "proposes", "undo": f"took back{whose}",
               "redo": f"brought back{whose}", "withdraw": f"took out{whose}"}[self.deed]  # fmt: skip
        proof = f" · {percent(self.p_before)} → {percent(self.p_after)}" if self.deed == "teach" else ""
        return f"{by} {did}: {self.prompt} → {self.reply}{proof}"


@dataclass(frozen=True, slots=True)
class Saved(Event):
    """A checkpoint was written. `asked` is false for a periodic one."""

    path: str
    seconds: float
    asked: bool


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """The greedy reply to an `Ask`, and log P of it in nats."""

    prompt: str
    reply: str
    logprob: float = 0.0
    seconds: float = 0.0
    cut: bool = False

    @property
    def shown(self) -> str:
        """The reply, with an ellipsis where it was cut."""
        return shown(self.reply, self.cut)


@dataclass(frozen=True, slots=True)
class Checked(Event):
    """The answer to a `CheckPair`: why the pair cannot be taught, or None."""

    why: str | None


@dataclass(frozen=True, slots=True)
class Reviewed(Event):
    """Lessons were reviewed in idle time; only the retention report changed. `left` are still to be reviewed."""

    left: int = 0


@dataclass(frozen=True, slots=True)
class Quizzed(Event):
    """A `Quiz` is done; `snapshot.tally` is the result."""


@dataclass(frozen=True, slots=True)
class Ledger(Event):
    """The report rows of the last LESSONS_SHOWN lessons, oldest first, and of as many proposals that wait. Long texts
    are cut at LESSON_TEXT characters."""

    rows: tuple[ReportRow, ...]
    proposals: tuple[ReportRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Plots(Event):
    """What the plots show. `number` is the lesson of the last one (None: nothing was taught), `wanted`: it was asked
    for by its number. `lessons` were ever taught."""

    plots: tuple[Plot, ...]
    number: int | None
    wanted: bool
    lessons: int


@dataclass(frozen=True, slots=True)
class History(Event):
    """The last HISTORY_SHOWN turns of the conversation, and as much of what happened beside them."""

    turns: tuple[Turn, ...]
    beside: tuple[Beside, ...]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model by the name that `--model` takes. `size` is what it takes here, or what would be fetched, in words;
    `license` is empty where it is not known. `speed` is how fast it wrote on this machine, if it did."""

    name: str
    here: bool
    size: str
    license: str
    title: str
    speed: str = ""

    @property
    def about(self) -> str:
        """What is known of it, in a line."""
        return ", ".join(filter(None, (self.size, self.speed, self.license, self.title)))


@dataclass(frozen=True, slots=True)
class Models(Event):
    """The models that have a name, MODELS_SHOWN at most. `asked`: the person wants to see them."""

    rows: tuple[ModelRow, ...]
    asked: bool = True


@dataclass(frozen=True, slots=True)
class ModelOffered(Event):
    """The model that could be gone over to: `lessons` would be learned again, or it would get the home `apart`, which
    was begun before or not (`begun`)."""

    row: ModelRow
    lessons: int
    apart: str
    begun: bool


@dataclass(frozen=True, slots=True)
class Switched(Event):
    """Another model speaks now, as `words` say. `home`: the home of its own that it is in; "" in the same home."""

    words: str
    home: str = ""


@dataclass(frozen=True, slots=True)
class LessonAnswered(Event):
    """The greedy reply to an `AskLesson`."""

    number: int
    reply: str


@dataclass(frozen=True, slots=True)
class Changed(Event):
    """Something else changed (a passed-over prompt, a new conversation, a setting)."""


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something that the person should know, but not an error."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """A command failed. The next one still works, unless `fatal`. `code` is the exit code of the error, `name` its
    word for programs, and `hint` what to type in a shell."""

    message: str
    command: str = ""
    code: int = 1
    fatal: bool = False
    name: str = "failed"
    hint: str = ""
