"""What other homes were taught, found so that `importing.teach` takes it into this one. No torch.

Of several answers to one question the newest counts, wherever it was taught. A pick is a taste and no answer, so all
picks are taken, each with the replies that were offered beside it. What a lesson was learned as is not read: it is
taught anew, so the homes may be of different models. A lesson of a person stays theirs; what the other owners taught
becomes the lessons of who merges.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from theta_tui.base.errors import ModelError, UsageError
from theta_tui.base.text import normalised, person, plural, shortened, visible
from theta_tui.session.importing import MOST, Found, Pair
from theta_tui.store.home import Home

if TYPE_CHECKING:
    from theta_tui.store.lesson import Lesson
    from theta_tui.store.records import Candidate
    from theta_tui.store.store import Store


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two answers to `prompt`: `reply`, taught in the home `of` at Unix time `at`, counts instead of the older one. ""
    is the home that is merged into."""

    prompt: str
    reply: str
    of: str
    at: float
    older: str
    older_of: str

    @property
    def words(self) -> str:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.at))
        return (
            f"'{shortened(self.prompt)}': '{shortened(self.reply)}' ({self.of or 'this home'}, {day}) "
            f"instead of '{shortened(self.older)}' ({self.older_of or 'this home'})"
        )


@dataclass(frozen=True, slots=True)
class Merged(Found):
    """What there is to teach in the homes `source`, oldest first."""

    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class _Answer:
    reply: str
    of: str
    at: float


def find(store: Store, homes: Sequence[Path]) -> Merged:
    """Read the lessons that count in `homes`. Raises UsageError (exit 2) where one is the home of `store` or is given
    twice, and ModelError (exit 4) where one cannot be read or there are too many lessons."""
    names = _names(store, homes)
    lessons = sorted(
        ((lesson, name) for path, name in zip(homes, names, strict=True) for lesson in _lessons(store, path)),
        key=lambda found: found[0].at,
    )
    counting = (held[-1] for held in store.state.questions)
    answers = {one.question: _Answer(one.exchange.reply, "", one.at) for one in counting}
    pairs: dict[str, Pair] = {}
    conflicts: dict[str, Conflict] = {}
    picks: list[Pair] = []
    known = older = 0
    for lesson, name in lessons:
        pair = _pair(lesson, name)
        if pair.offered:
            picks.append(pair)
            continue
        asked, held = lesson.question, answers.get(lesson.question)
        if held is not None and normalised(held.reply) == normalised(pair.reply):
            known += 1
            continue
        if held is not None and held.at > lesson.at:  # this home's own is newer
            conflicts[asked] = Conflict(lesson.exchange.prompt, held.reply, held.of, held.at, pair.reply, name)
            older += 1
            continue
        if held is not None:
            conflicts[asked] = Conflict(lesson.exchange.prompt, pair.reply, name, lesson.at, held.reply, held.of)
            older += pairs.pop(asked, None) is not None
        answers[asked], pairs[asked] = _Answer(pair.reply, name, lesson.at), pair
    found = (*pairs.values(), *_untold(store, picks))
    if len(found) > MOST:
        raise ModelError(f"there are more than {MOST:,} lessons in these homes; merge fewer at once", name="data")
    notes = [f"{plural(known, 'lesson')} taught already"] if known else []
    if older:
        notes.append(f"{plural(older, 'lesson')} with a newer answer elsewhere")
    return Merged(", ".join(names), found, tuple(notes), conflicts=tuple(conflicts.values()))


def _names(store: Store, homes: Sequence[Path]) -> list[str]:
    """What the homes are called: their folder, or the whole path where folders have one name."""
    seen = {store.settings.home.resolve()}
    for path in homes:
        if path.resolve() in seen:
            raise UsageError(f"{path} is given twice, or is the home that is merged into")
        seen.add(path.resolve())
    short = [path.resolve().name for path in homes]
    names = [name if short.count(name) == 1 else str(path) for path, name in zip(homes, short, strict=True)]
    return [visible(name, one_line=True) for name in names]


def _lessons(store: Store, path: Path) -> list[Lesson]:
    """The lessons that count in the home `path`."""
    from theta_tui.store.store import Store

    if not Home(path).journal.is_file():
        raise ModelError(f"{path} is no home of Theta: it has no journal", name="data")
    other = Store.read(replace(store.settings, home=path))
    try:
        return [lesson for lesson in other.state.active if lesson.outcome is not None]
    finally:
        other.close()


def _pair(lesson: Lesson, name: str) -> Pair:
    """`lesson` of the home `name`. A pick that put its prompt into another lesson's scope is an answer like that one's;
    another pick keeps the replies that it was chosen from."""
    said = lesson.exchange
    place = f"{name}: lesson {lesson.number}"
    by = person(lesson.who)
    if said.kind != "pick" or said.meant is not None:
        return Pair(said.prompt, said.reply, place, said.said, who=by)
    return Pair(said.prompt, said.reply, place, offered=said.candidates, who=by)


def _untold(store: Store, picks: list[Pair]) -> Iterator[Pair]:
    """The picks without those that an earlier merge has taken over."""
    there = [one.exchange for one in store.state.active if one.exchange.kind == "pick"]
    left = [(said.prompt, said.reply, _texts(said.candidates)) for said in there]
    for pair in picks:
        key = (pair.prompt, pair.reply, _texts(pair.offered))
        if key in left:
            left.remove(key)
        else:
            yield pair


def _texts(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    return tuple(candidate.text for candidate in candidates)
