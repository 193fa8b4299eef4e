"""The messages between screen and worker: commands one way, events the other. Standard library only.

Each is a frozen dataclass of plain values that could be sent over a wire. An event that reports progress carries the
whole bounded state, never a delta, so a later one can replace an earlier one that was not shown yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from theta_tui.store.report import ReportRow, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

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

Deed = Literal["undo", "redo", "withdraw"]

# --- commands: screen → worker ---


@dataclass(frozen=True, slots=True)
class Command:
    """A request to the worker."""


@dataclass(frozen=True, slots=True)
class Propose(Command):
    """Offer five replies to `prompt`. A prompt that was still waiting is passed over."""

    prompt: str


@dataclass(frozen=True, slots=True)
class Regenerate(Command):
    """Offer five other replies to the prompt that waits."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class Continue(Command):
    """Let candidate `index` (1 to 5) of the prompt that waits go on where it was cut."""

    prompt_id: str
    index: int


@dataclass(frozen=True, slots=True)
class Pick(Command):
    """Teach candidate `index` (1 to 5) of the prompt that waits."""

    prompt_id: str
    index: int


@dataclass(frozen=True, slots=True)
class Correct(Command):
    """Teach `text`. With `prompt_id`: as the answer to the prompt that waits (`edited`: the candidate it began as).

    Without: as a better reply to turn `turn` of the open conversation, from 1, whose prompt is `prompt`; None: to its
    last turn.
    """

    text: str
    prompt_id: str | None = None
    edited: int | None = None
    turn: int | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class TeachFact(Command):
    """Teach the fact that the waiting prompt states, as `prompt` → `reply`. The five replies still wait."""

    prompt_id: str
    prompt: str
    reply: str


LESSONS = frozenset({"Pick", "Correct", "TeachFact", "TeachFile"})
"""The commands that teach, by the names in `Failed`."""


@dataclass(frozen=True, slots=True)
class PassOver(Command):
    """Pick none of the replies: the prompt is dropped and nothing is learned."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class Say(Command):
    """The prompt that waits is answered by candidate `index` of the five of this id: it stands in the conversation and
    nothing is learned."""

    prompt_id: str
    index: int = 1


@dataclass(frozen=True, slots=True)
class TakeBack(Command):
    """Change which lessons count. `undo` takes back the last one, `redo` brings back the one taken back last,
    `withdraw` takes out lesson `number`, and the lessons since are learned again without it."""

    deed: Deed
    number: int | None = None


@dataclass(frozen=True, slots=True)
class NewConversation(Command):
    """Begin a fresh conversation; what was taught stays."""


@dataclass(frozen=True, slots=True)
class Persona(Command):
    """Speak under the system turn `text` from now on; `off`: under the model's own. Empty: say which one it is."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class ShowModels(Command):
    """Say which models have a name, or were made of a file; with a `name`, what going over to it would mean. Asks no
    network."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class SwitchModel(Command):
    """Go over to the model `name`, which is fetched where it is not here. The lessons are learned again on it, or
    (`apart`) it gets a home of its own beside this one. Cancel stops it, and nothing has changed then."""

    name: str
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Save(Command):
    """Write a checkpoint now."""


@dataclass(frozen=True, slots=True)
class Ask(Command):
    """The greedy reply to `prompt`; changes nothing."""

    prompt: str


@dataclass(frozen=True, slots=True)
class Export(Command):
    """Export as `kind` (hf, gguf, peft or trl) into the new folder `path`."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class ShowHistory(Command):
    """Report the whole conversation."""


@dataclass(frozen=True, slots=True)
class ShowLessons(Command):
    """Report the state of every lesson as last measured, without asking the model."""


@dataclass(frozen=True, slots=True)
class ShowPlots(Command):
    """Report what the plots show, among it lesson `number` (None: the last one)."""

    number: int | None = None


@dataclass(frozen=True, slots=True)
class Quiz(Command):
    """Review every live lesson, in slices: other commands are served in between."""


@dataclass(frozen=True, slots=True)
class AskLesson(Command):
    """The greedy reply to the prompt of lesson `number`, asked alone; changes nothing."""

    number: int


@dataclass(frozen=True, slots=True)
class Configure(Command):
    """Change a setting that the worker uses (temperature, recipe …); `value` is text as typed."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Cancel(Command):
    """Stop generating, or taking a lesson back, which then changes nothing. Served at once, whatever the worker is
    doing. A lesson ends within a step, as far as it got, and idle time goes on with it; a file ends after a lesson of
    it, and what was taught stays."""


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
    own. `conversation` is the number of the open conversation.
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
    """A lesson is done and on disk. `outcome.skipped` says why no weights changed, if so."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TakenBack(Event):
    """A `TakeBack` is done: lesson `number`, `prompt` → `reply`, counts no more, or counts again after `redo`. `words`
    name the lessons of a batch, if it was one. `conversation` is the lesson's, if that is not the open one."""

    deed: Deed
    number: int
    prompt: str
    reply: str
    words: str = ""
    conversation: int | None = None


@dataclass(frozen=True, slots=True)
class Saved(Event):
    """A checkpoint was written. `asked` is false for a periodic one."""

    path: str
    seconds: float
    asked: bool


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """The greedy reply to an `Ask`."""

    prompt: str
    reply: str


@dataclass(frozen=True, slots=True)
class Reviewed(Event):
    """Lessons were reviewed in idle time; only the retention report changed. `left` are still to be reviewed."""

    left: int = 0


@dataclass(frozen=True, slots=True)
class Quizzed(Event):
    """A `Quiz` is done; `snapshot.tally` is the result."""


@dataclass(frozen=True, slots=True)
class Ledger(Event):
    """The report rows of the last LESSONS_SHOWN lessons, oldest first. Long texts are cut at LESSON_TEXT characters."""

    rows: tuple[ReportRow, ...]


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
    """A command failed. The next one still works, unless `fatal`. `code` is the exit code of the error."""

    message: str
    command: str = ""
    code: int = 1
    fatal: bool = False
