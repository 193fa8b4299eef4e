"""journal.idx: the past of a home in columns, beside its journal, so that a long history opens at once. Standard
library only.

It is derived: made of the journal, and made again wherever it is missing, damaged, of another version, or of another
journal than the one that lies there. It stops short of the end, so that taking back what was taught last folds only
what comes after it.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unicodedata import unidata_version

from theta_tui import __version__
from theta_tui.base.files import write_atomically
from theta_tui.base.json import dumps, loads
from theta_tui.store.active import mark, question
from theta_tui.store.book import STATES, Book
from theta_tui.store.entry import Entry
from theta_tui.store.history import History
from theta_tui.store.lesson import Lesson
from theta_tui.store.past import CHANGES, COLUMNS, KINDS, Figures, Past
from theta_tui.store.prefix import Prefix
from theta_tui.store.records import Asked, Begin, ContextImported, Exchange, Rebuilt, Restore, Withdraw
from theta_tui.store.state import Story, changes

FORMAT = 2
MADE_BY = f"{FORMAT} {__version__} {unidata_version}"
"""What wrote it: another version may judge lessons, or tell questions apart, by other rules."""
MAGIC = b"theta-index\n"
WORTH = 1 << 20
"""Bytes of journal since the last index from which a new one is worth its time: reading them takes some 30 ms."""
RECENT_LESSONS = 64
"""Lessons that are left out at the end: that many can be taken back, one after the other, without folding the rest."""
RECENT_RESULTS = 2000
"""Fewer are left out where more than so many results of asking came with them: each takes time at the next start."""


def load(path: Path, journal: Path) -> Past | None:
    """The past that the index at `path` holds; None where there is none that fits the `journal`."""
    try:
        data = path.read_bytes()
        if not data.startswith(MAGIC) or zlib.crc32(data[len(MAGIC) + 4 :]) != _number(data, len(MAGIC)):
            return None
        past = _read(data, len(MAGIC) + 4, journal)
        return past if past is not None and past.prefix.holds() else None
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return None


def save(path: Path, past: Past) -> None:
    """Write `past` to `path`. Raises HomeError; what was there before stays then."""
    columns = {"offsets": past.prefix.offsets} | past.columns
    meta = {
        "made_by": MADE_BY,
        "size": past.prefix.size,
        "crc": past.prefix.crc,
        "figures": asdict(past.figures),
        "counts": {name: len(column) for name, column in columns.items()},
    }
    head = dumps(meta).encode()
    body = b"".join([len(head).to_bytes(4, "little"), head, *map(_little, columns.values())])
    write_atomically(path, MAGIC + zlib.crc32(body).to_bytes(4, "little") + body)


def settled(entries: Sequence[Entry]) -> int:
    """How many of `entries`, those since the last index, the next one takes in.

    What comes after them takes back, or brings back, nothing in them.
    """
    lessons = results = count = 0
    for count in range(len(entries), 0, -1):
        record = entries[count - 1].record
        results += len(record.results) if isinstance(record, Asked) else 0
        lessons += isinstance(record, Exchange) and record.kind != "none"
        if isinstance(record, Rebuilt) or lessons > RECENT_LESSONS or results > RECENT_RESULTS:
            break
    else:
        count = 0
    for at, entry in enumerate(entries[count:], count + 1):
        if count and isinstance(entry.record, (Withdraw, Restore)) and entry.record.of <= entries[count - 1].seq:
            count = at
    return count


def capture(entries: Sequence[Entry], size: int, past: Past | None, journal: Path) -> Past:
    """The story of `past` and of `entries`, which come next and end at byte `size` of the file `journal`.

    Raises OSError where that cannot be opened.
    """
    story = Story.of(entries, past)
    past, entries = story.past, story.since  # where they changed it there is none, and these are all
    columns = {name: array(code, past.columns[name] if past is not None else ()) for name, code in COLUMNS.items()}
    conversations = _Conversations(columns, story, past, entries)
    for lesson in story.lessons.more:
        for name in ("seq", "kind", "withdrawn", "context", *_CHANGING):
            columns[name].append(0)
        at = lesson.number - 1
        columns["seq"][at] = lesson.seq
        columns["kind"][at] = KINDS.index(lesson.exchange.kind)
        columns["withdrawn"][at] = lesson.withdrawn
        columns["context"][at] = conversations.number(lesson.context)
        _set_down(columns, lesson)
    for lesson in story.lessons.made:
        _set_down(columns, lesson)
    _set_asked(columns, story, past)
    book = Book({})
    for seq, state in book.states(story).items():
        columns["state"][story.lesson(seq).number - 1] = STATES.index(state)
    marks = (mark(question(lesson.exchange.prompt)) << 32 | lesson.number for lesson in story.lessons.more)
    lately = list(changes(entries))
    columns |= {
        "questions": array("Q", sorted([*columns["questions"], *marks])),
        "fresh": array("I", sorted(book.fresh)),
        "marked": array("I", story.marked),
        "saying": array("I", story.last_said),
        "said_at": array("d", story.last_said.values()),
        "said": array("I", map(conversations.number, story.conversation)),
        "replacing": array("I", story.replaced),
        "replaced": array("I", map(conversations.number, story.replaced.values())),
    } | story.counting
    for what, of in lately:
        if 0 < of <= _MOST:  # another one is that of no record
            columns["change"].append(CHANGES.index(what))
            columns["changed"].append(of)
    offsets = array("Q", past.prefix.offsets if past is not None else ())
    offsets.extend(entry.offset for entry in entries)
    figures = Figures(story.begin, story.rebuilt, story.refolded, story.step, story.moved)
    return Past(Prefix(journal, offsets, size, entries[-1].total), figures, columns)


class _Conversations:
    """Numbers the conversations of `story` that its past has no number for, and sets them down."""

    def __init__(
        self, columns: dict[str, array[Any]], story: Story, past: Past | None, entries: Iterable[Entry]
    ) -> None:
        self._columns = columns
        self._story = story
        self._past = past
        self._numbers: dict[int, int] = {}
        self._brought: dict[int, tuple[tuple[str, str], ...]] = {
            entry.seq: entry.record.turns for entry in entries if isinstance(entry.record, ContextImported)
        }

    def number(self, dialogue: History) -> int:
        more: list[History] = []
        while (found := self._known(dialogue)) is None:
            more.append(dialogue)
            dialogue = dialogue.before
        for each in reversed(more):
            for name, value in (
                ("before", found), ("source", each.source), ("place", self._place(each)), ("count", len(each)),
            ):  # fmt: skip
                self._columns[name].append(value)
            found = self._numbers[id(each)] = len(self._columns["before"])
        return found

    def _known(self, dialogue: History) -> int | None:
        if not len(dialogue):
            return 0
        found = self._past.number_of_dialogue(dialogue) if self._past is not None else None
        return self._numbers.get(id(dialogue)) if found is None else found

    def _place(self, dialogue: History) -> int:
        """Which of the turns that were brought the newest one is; any with the same words will do."""
        if self._story.lessons.find(dialogue.source) is not None:
            return 0
        turns = self._brought.get(dialogue.source)
        if turns is None:
            assert self._past is not None
            record = self._past.prefix.entry(dialogue.source).record
            assert isinstance(record, ContextImported)
            turns = self._brought[dialogue.source] = record.turns
        return turns.index(dialogue.said)


_CHANGING = (
    "learned_by", "recipe_by", "failed_by", "learned", "loss_before", "loss_after", "p_before", "p_after", "seconds",
    "state", "askings",
)  # fmt: skip
_MOST = 0xFFFFFFFF


def _set_down(columns: dict[str, array[Any]], lesson: Lesson) -> None:
    """What later records may change of a lesson, but for what asking found."""
    at, outcome = lesson.number - 1, lesson.outcome
    columns["learned_by"][at] = lesson.learned_by
    columns["recipe_by"][at] = lesson.recipe_by
    columns["failed_by"][at] = lesson.failed_by
    columns["learned"][at] = outcome is not None and outcome.learned
    for name in ("loss_before", "loss_after", "p_before", "p_after", "seconds"):
        columns[name][at] = getattr(outcome, name) if outcome is not None else 0.0


def _set_asked(columns: dict[str, array[Any]], story: Story, past: Past | None) -> None:
    """What asking found: of most lessons as the past has it."""
    names = ("asked_by", "asked_at", "asked_p", "asked_says")
    found: dict[str, array[Any]] = {name: array(COLUMNS[name]) for name in names}
    done = 0  # lessons
    for lesson in [*sorted(story.lessons.made, key=lambda each: each.number), *story.lessons.more]:
        if past is not None:
            first, end = past.asked(done + 1, min(lesson.number - 1, past.taught))
            for name in names:
                found[name].extend(past.columns[name][first:end])
        for one in lesson.asked:
            for name, value in zip(names, (one.seq, one.at, one.p, one.says), strict=True):
                found[name].append(value)
        columns["askings"][lesson.number - 1] = len(lesson.asked)
        done = lesson.number
    if past is not None:
        first, end = past.asked(done + 1, past.taught)
        for name in names:
            found[name].extend(past.columns[name][first:end])
    columns |= found


def _read(data: bytes, at: int, journal: Path) -> Past | None:
    head = at + 4 + _number(data, at)
    meta = loads(data[at + 4 : head].decode())
    if meta["made_by"] != MADE_BY:
        return None
    counts, view = meta["counts"], memoryview(data)
    columns: dict[str, array[Any]] = {}
    for name, code in {"offsets": "Q", **COLUMNS}.items():
        column = array(code)
        end = head + counts[name] * column.itemsize
        column.frombytes(view[head:end])
        if sys.byteorder == "big":
            column.byteswap()
        if len(column) != counts[name]:
            return None
        columns[name], head = column, end
    figures = meta["figures"]
    begin = Begin(**figures.pop("begin")) if figures["begin"] is not None else figures.pop("begin")
    prefix = Prefix(journal, columns.pop("offsets"), meta["size"], meta["crc"])
    return Past(prefix, Figures(begin, **figures), columns)


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _little(column: array[Any]) -> bytes:
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column.tobytes()
