"""Lessons from a file: read, shown, taught one by one as a batch that one undo takes back. Needs torch only to teach.

The readers are those of `theta train`. A line of plain text is a fact, if it states one. A conversation gives a lesson
for each of its replies; lessons are asked alone, so what stood before in the conversation is not part of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from theta_tui.base.errors import ModelError, TeachError, ThetaError
from theta_tui.base.text import is_blank, normalised, plural, shortened, visible
from theta_tui.facts import statements
from theta_tui.store.lesson import question
from theta_tui.store.records import Imported

if TYPE_CHECKING:
    from theta_tui.pretrain.documents import Document
    from theta_tui.session.session import Session
    from theta_tui.store.lesson import Lesson
    from theta_tui.store.records import Candidate
    from theta_tui.store.store import Store

MOST = 10_000
"""Lessons in a batch. More are for `theta train`: ten thousand take the built-in model an hour."""
NAMED = 5
"""Failures and notices of a batch that are named; the others are counted."""

_MARKER = re.compile(r"(?:[-*•·]|\d{1,4}[.)])\s+")


@dataclass(frozen=True, slots=True)
class Pair:
    """A lesson to be: `prompt` → `reply`, from `place` (file and line). `said` is the line that states it, if any, and
    `offered` are the replies that it was picked from, if it was. `who` taught it elsewhere, as in Exchange."""

    prompt: str
    reply: str
    place: str
    said: str | None = None
    offered: tuple[Candidate, ...] = ()
    who: str = ""

    def fields(self) -> dict[str, Any]:
        """The fields of its record that say who taught it, if not who takes it in, and that make it a pick, if it is
        one. Marks are of lessons of another home."""
        return ({"who": self.who} if self.who else {}) | self._pick()

    def _pick(self) -> dict[str, Any]:
        picked = next((one for one in self.offered if one.text == self.reply), None)
        if picked is None:
            return {}
        offered = tuple(structs.replace(one, lesson=None, sure=None) for one in self.offered)
        return {"kind": "pick", "candidates": offered, "pick": picked.index, "cut": not picked.ended}


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to teach in the file `source`. `notes` say what is left out, `bad` names bad lines."""

    source: str
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taught:
    """The result of teaching a batch: the numbers of its lessons, what could not be learned, and how many pairs were
    left because it was stopped."""

    source: str
    lessons: tuple[int, ...]
    failed: tuple[str, ...] = ()
    failures: int = 0
    left: int = 0

    @property
    def words(self) -> str:
        parts = [f"taught {plural(len(self.lessons), 'lesson')} of {self.source}"]
        if self.failures:
            more = f" and {self.failures - len(self.failed):,} more" if self.failures > len(self.failed) else ""
            parts.append(f"{self.failures:,} could not be learned ({'; '.join(self.failed)}{more})")
        if self.left:
            parts.append(f"stopped with {self.left:,} left: importing it again goes on")
        return "; ".join(parts)


def find(store: Store, dictionary: statements.Dictionary, path: Path, *, skip_bad: bool = True) -> Found:
    """Read the lessons in a file or folder. Raises ModelError (exit 4), naming file and line, if it cannot be used;
    without `skip_bad` for any bad line."""
    from theta_tui.pretrain.content import ReadReport
    from theta_tui.pretrain.documents import read

    report = ReadReport()
    reader = _Reader(store, dictionary, skip_bad)
    for document in read(path.expanduser(), skip_bad=skip_bad, report=report, by_line=True):
        reader.add(document, visible(f"{path.name}:{document.line}", one_line=True))
    bad = (*report.named, *reader.unread)[:NAMED]
    refused = report.bad.total() + reader.refused
    left_out = [note for note in report.lines() if "bad line" not in note]
    if refused > len(bad):
        bad = (*bad, f"and {refused - len(bad):,} more")
    return Found(visible(path.name, one_line=True), tuple(reader.pairs.values()), (*left_out, *reader.notes()), bad)


class _Reader:
    """Collects the pairs of one file: one answer to each question, and none that is taught already."""

    def __init__(self, store: Store, dictionary: statements.Dictionary, skip_bad: bool) -> None:
        self.pairs: dict[str, Pair] = {}
        self.unread: list[str] = []
        self.refused = 0
        self._state = store.state
        self._dictionary = dictionary
        self._skip_bad = skip_bad
        self._known = self._again = self._systems = 0

    def add(self, document: Document, place: str) -> None:
        self._systems += bool(document.system)
        if not document.turns:
            self._line(document.text, place)
        turns = document.turns
        for at in range(1, len(turns), 2):
            if at not in document.context_only:
                self._pair(Pair(turns[at - 1][1].strip(), turns[at][1].strip(), place))

    def notes(self) -> list[str]:
        found = [f"{plural(self._known, 'pair')} taught already"] if self._known else []
        if self._again:
            found.append(f"{plural(self._again, 'pair')} answered again further down: the last answer counts")
        if self._systems:
            found.append(f"{plural(self._systems, 'system message')} not used")
        return found

    def _line(self, text: str, place: str) -> None:
        text = _MARKER.sub("", text, count=1) if _MARKER.match(text) else text
        stated = statements.read(text, self._dictionary)
        if stated is not None:
            self._pair(Pair(stated.prompt, stated.reply, place, text))
            return
        why = f"{place}: it states no fact that could be asked ('{visible(shortened(text), one_line=True)}')"
        if not self._skip_bad:
            raise ModelError(f"{why}; write it as a pair, or leave such lines out with --skip-bad", name="data")
        self.refused += 1
        if len(self.unread) < NAMED:
            self.unread.append(why)

    def _pair(self, pair: Pair) -> None:
        if is_blank(pair.prompt) or is_blank(pair.reply):
            return
        asked = question(pair.prompt)
        held = self._state.about(asked)
        if held and normalised(held[-1].exchange.reply) == normalised(pair.reply):
            self._known += 1
            return
        self._again += self.pairs.pop(asked, None) is not None
        self.pairs[asked] = pair
        if len(self.pairs) > MOST:
            raise ModelError(
                f"{pair.place}: there are more than {MOST:,} lessons in it; give a part of it, or train on it with "
                "`theta train`",
                name="data",
            )


def teach(
    session: Session,
    found: Found,
    on_lesson: Callable[[int, int], None] = lambda at, of: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Taught:
    """Teach the pairs of `found` as one batch, and stop after a lesson once `cancelled`; what was taught stays. A pair
    that does not fit the model is left out. `on_lesson` gets the position and the number of the next one."""
    store = session.store
    store.require_writable()
    batch = store.append(Imported(found.source, store.who)).seq
    before, lessons, failed, failures, at = store.take_notices(), list[int](), list[str](), 0, 0
    try:
        for at, pair in enumerate(found.pairs, 1):
            if cancelled():
                at -= 1
                break
            on_lesson(at, len(found.pairs))
            try:
                fields = {"batch": batch, **pair.fields()}
                if pair.said is None:
                    outcome = session.teach(pair.prompt, pair.reply, fields=fields)
                else:
                    outcome = session.state(pair.prompt, pair.reply, said=pair.said, fields=fields)
                why = outcome.skipped
            except TeachError as error:
                why = str(error)
            if why is None:
                lessons.append(outcome.lesson)
                _save_if_due(session)
                continue
            failures += 1
            if len(failed) < NAMED:
                failed.append(f"{pair.place}: {why}")
    except ThetaError:
        if lessons:
            store.notices.append(
                f"what was taught before that stays: {plural(len(lessons), 'lesson')} of {found.source}"
            )
        raise
    finally:
        store.notices = [*before, *_few(store.take_notices())]
    return Taught(found.source, tuple(lessons), tuple(failed), failures, len(found.pairs) - at)


def _save_if_due(session: Session) -> None:
    """Write a checkpoint as often as a conversation does: a crash in the middle of a long batch costs no more."""
    due = session.settings.checkpoint_lessons
    if due and session.unsaved >= due:
        try:
            session.save()
        except ThetaError as error:
            session.store.notices.append(str(error))


def _few(notices: list[str]) -> list[str]:
    notices = list(dict.fromkeys(notices))
    more = len(notices) - NAMED
    return notices if more <= 0 else [*notices[:NAMED], f"and {more:,} more like these"]


# --- what undo and redo take together ---


@dataclass(frozen=True, slots=True)
class Together:
    """Lessons that undo takes back, or redo brings back, as one. `source` is their file; None: it is one lesson."""

    lessons: tuple[Lesson, ...]
    source: str | None = None

    @property
    def numbers(self) -> list[int]:
        return [lesson.number for lesson in self.lessons]

    @property
    def words(self) -> str:
        if self.source is None:
            return f"lesson {self.lessons[-1].number}"
        return f"{plural(len(self.lessons), 'lesson')} of {self.source}"


def together(store: Store, lesson: Lesson) -> Together:
    """`lesson` with those of its batch that count now."""
    state = store.state
    batch = state.together(lesson)
    if batch not in state.imports:
        return Together((lesson,))
    return Together(tuple(one for one in state.batches[batch] if one.moves), state.imports[batch].source)
