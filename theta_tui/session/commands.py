"""What can be asked of the worker, which answers with the events of `protocol`. Standard library only.

Each is a frozen dataclass of plain values that could be sent over a wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Deed = Literal["undo", "redo", "withdraw"]


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


@dataclass(frozen=True, slots=True)
class TeachPair(Command):
    """Teach `reply` to `prompt` outside of any conversation."""

    prompt: str
    reply: str


@dataclass(frozen=True, slots=True)
class CheckPair(Command):
    """Say why the pair cannot be taught, if so. Changes nothing."""

    prompt: str
    reply: str


LESSONS = frozenset({"Pick", "Correct", "TeachFact", "TeachPair", "TeachFile", "Decide"})
"""The commands that teach, by the names in `Failed`."""


VISITORS = LESSONS - {"TeachFile", "Decide"} | {
    "Propose", "Regenerate", "Continue", "CheckPair", "PassOver", "Say", "TakeBack", "NewConversation", "Ask",
    "AskLesson", "ShowHistory", "ShowTurns", "ShowConversations", "ChangeConversation", "ShowLessons", "ShowPlots",
    "ShowPeople", "Review", "Look",
}  # fmt: skip
"""What a person may do who is not the owner. Settings, files, checkpoints, the persona and the lessons of others are
the owner's."""


@dataclass(frozen=True, slots=True)
class Look(Command):
    """Report the present state."""


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
    """The greedy reply to `prompt`; changes nothing. Without `with_context`: as if there were no conversation."""

    prompt: str
    with_context: bool = True


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
class Review(Command):
    """Review lessons for about `seconds`, first those that the newest one most likely damaged."""

    seconds: float


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
