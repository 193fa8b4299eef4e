"""A suite file: lessons with what is asked around them, and prompts that have nothing to do with any of them.

A line is `{"type":"lesson","id","prompt","target","paraphrases":[…],"near":[…],"supersedes"?}` or
`{"type":"unrelated","prompt"}`. Other keys are let be. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from theta_tui.base.errors import ModelError
from theta_tui.base.json import loads
from theta_tui.base.text import is_blank, visible
from theta_tui.bench.metrics import Lesson
from theta_tui.store.codec import MAX_LINE


@dataclass(frozen=True, slots=True)
class Suite:
    """In file order. A lesson that supersedes another stands behind it."""

    lessons: tuple[Lesson, ...]
    unrelated: tuple[str, ...]


def read_suite(path: Path, limit: int | None = None) -> Suite:
    """The suite of a file, with the first `limit` lessons. Raises ModelError (exit 4) that names file and line."""
    lessons: dict[str, Lesson] = {}
    unrelated: list[str] = []
    for number, line in _lines(path):
        try:
            item = loads(line.decode("utf-8"))
            kind = item.get("type") if isinstance(item, dict) else None
            if kind == "unrelated":
                unrelated.append(_text(item, "prompt"))
            elif kind == "lesson":
                lesson = _lesson(item)
                older = lesson.supersedes
                if lesson.id in lessons:
                    raise ValueError(f"the id '{lesson.id[:40]}' stands on an earlier line too")
                if older is not None and older not in lessons:
                    raise ValueError(f"it supersedes '{older[:40]}', which no earlier line has as its id")
                lessons[lesson.id] = lesson
            else:
                found = f"its type is '{str(kind)[:40]}'" if isinstance(item, dict) else "it is not an object"
                raise ValueError(f"{found}; wanted is an object of type lesson or unrelated")
        except ValueError as error:
            _refuse(path, str(error), "mend the line", number)
    if not lessons:
        _refuse(path, "there are no lessons in it", 'a suite has lines of {"type":"lesson","id",…}')
    return Suite(tuple(lessons.values())[:limit], tuple(unrelated))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, numbered from 1."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    _refuse(path, "the line is too long", "mend the line", number)
                if line.strip():
                    yield number, line
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        _refuse(path, f"it cannot be read ({why})", "check the name and the permissions")


def _lesson(item: dict[str, Any]) -> Lesson:
    return Lesson(
        id=_text(item, "id"),
        prompt=_text(item, "prompt"),
        target=_text(item, "target"),
        paraphrases=_texts(item, "paraphrases"),
        near=_texts(item, "near"),
        supersedes=None if item.get("supersedes") is None else _text(item, "supersedes"),
    )


def _text(item: dict[str, Any], key: str) -> str:
    if key not in item:
        raise ValueError(f"there is no '{key}'")
    return _said(item[key], f"'{key}'")


def _texts(item: dict[str, Any], key: str) -> tuple[str, ...]:
    if not isinstance(item.get(key), list):
        raise ValueError(f"there is no list '{key}'; it may be empty")
    return tuple(_said(value, f"an item of '{key}'") for value in item[key])


def _said(value: Any, what: str) -> str:
    """As it would be typed: outer white space left off."""
    if not isinstance(value, str) or is_blank(value):
        raise ValueError(f"{what} is not text that says something")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError(f"{what} holds half of a character (a lone surrogate)")
    return value.strip()


def _refuse(path: Path, why: str, remedy: str, line: int | None = None) -> NoReturn:
    place = str(path) if line is None else f"{path}:{line}"
    raise ModelError(visible(f"{place}: {why}; {remedy}", one_line=True), name="data")
