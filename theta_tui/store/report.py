"""The rows and the summary of the retention report, as plain values. Standard library only.

In a module of their own because the screen shows them, and its first frame must not load what reads a journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from theta_tui.base.text import plural

Kind = Literal["pick", "correction", "statement", "none"]
Holding = Literal["kept", "fading", "lost", "unasked", "superseded", "withdrawn", "failed", "proposed"]
Teaching = Literal["teach", "propose", "hold"]
"""What happens to what a person teaches: it is learned at once, it waits for the owner, or it is refused."""

WORDS: dict[Holding, str] = {"unasked": "not checked", "superseded": "replaced", "failed": "not learned"}
"""What people read for a state; the others are their own words."""
DOES: dict[Teaching, str] = {
    "teach": "is learned at once",
    "propose": "waits for the owner",
    "hold": "is refused",
}
NAMED = 8
"""At most this many lessons are named in a summary; the others are counted."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A row of the retention report: one lesson. `p_before`, `p_then` and `p_now` are P(reply) before it was taught,
    right after, and when it was last asked, at Unix time `asked_at`. `fresh`: no weights changed since. `by` is the
    number of the lesson that supersedes it. `said_before` is what the model said to its prompt before: the first of the
    offered replies, if there were some. `says_now` is what it says, as last asked. `more` counts the wordings that
    picks have added to its scope (None: it has no scope), and `said_at` is when its reply was last
    offered as the answer. `who` taught it; "" is the owner. A lesson that is only proposed has the number of the
    proposal."""

    number: int
    seq: int
    kind: Kind
    prompt: str
    reply: str
    at: float
    state: Holding
    p_before: float | None = None
    p_then: float | None = None
    p_now: float | None = None
    says: bool | None = None
    asked_at: float | None = None
    fresh: bool = False
    by: int | None = None
    said_before: str | None = None
    says_now: str | None = None
    more: int | None = None
    said_at: float | None = None
    who: str = ""

    @property
    def words(self) -> str:
        """The state as people read it: `kept`, `replaced by #4`."""
        return WORDS.get(self.state, self.state) + (f" by #{self.by}" if self.by is not None else "")

    def shortened(self, most: int) -> ReportRow:
        """The row with its texts cut at `most` characters."""
        before, now = (None if text is None else text[:most] for text in (self.said_before, self.says_now))
        return replace(self, prompt=self.prompt[:most], reply=self.reply[:most], said_before=before, says_now=now)


@dataclass(frozen=True, slots=True)
class Tally:
    """The summary of the retention report. `live` lessons are neither withdrawn nor superseded; `stale` of them were
    not asked since the newest lesson. `fading_first` and `lost_first` are the numbers of at most NAMED lessons."""

    live: int = 0
    kept: int = 0
    fading: int = 0
    lost: int = 0
    unasked: int = 0
    stale: int = 0
    superseded: int = 0
    withdrawn: int = 0
    fading_first: tuple[int, ...] = ()
    lost_first: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """`kept 14/16, fading #3, lost #5`."""
        parts = [f"kept {self.kept}/{self.live}"]
        for name, count, numbers in (
            ("fading", self.fading, self.fading_first),
            ("lost", self.lost, self.lost_first),
        ):
            if count:
                parts.append(f"{name} {named(numbers, count)}")
        return ", ".join(parts)


def shown(reply: str, cut: bool) -> str:
    """A reply as people see it: one that was cut at the token limit has an ellipsis behind it."""
    return f"{reply} …" if cut else reply


def named(numbers: Sequence[int], count: int | None = None) -> str:
    """`#3, #5`, and `and 7 more` if `count` is larger."""
    shown = [f"#{number}" for number in numbers[:NAMED]]
    more = (len(numbers) if count is None else count) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation in the list of them. `title` is its name if it is `named`, else its first words; `turns` counts
    its turns; `began_at` and `used_at` (its newest turn) are Unix times."""

    number: int
    title: str
    named: bool
    turns: int
    began_at: float
    used_at: float
    is_open: bool = False
    deleted: bool = False
    who: str = ""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person other than the owner. `may` says what happens to what they teach, and `named` whether the owner said so
    of this person. `lessons` count, `proposals` wait."""

    name: str
    may: Teaching
    named: bool
    lessons: int
    proposals: int

    @property
    def words(self) -> str:
        """`3 lessons, 1 proposal; what they teach is learned at once`."""
        waits = f", {plural(self.proposals, 'proposal')}" if self.proposals else ""
        return f"{plural(self.lessons, 'lesson')}{waits}; what they teach {DOES[self.may]}"
