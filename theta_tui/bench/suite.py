"""Reads a suite file: lessons, the questions around each, and prompts unrelated to all of them.

A line is `{"type":"lesson","id","prompt","target","paraphrases":[…],"near":[…],"supersedes"?}` or
`{"type":"unrelated","prompt"}`. Other keys are ignored. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from theta_tui.base.errors import ModelError
from theta_tui.base.json import loads
from theta_tui.base.text import is_blank, visible
from theta_tui.bench.metrics import SuiteLesson
from theta_tui.store.codec import MAX_LINE


@dataclass(frozen=True, slots=True)
class Suite:
    """The lines of a suite in file order. A lesson comes after the one it supersedes."""

    lessons: tuple[SuiteLesson, ...]
    unrelated: tuple[str, ...]


def read_suite(path: Path, limit: int | None = None) -> Suite:
    """Read a suite, with at most its first `limit` lessons. Raises ModelError that names file and line."""
    lessons: dict[str, SuiteLesson] = {}
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
                    raise ValueError(f"the id '{lesson.id[:40]}' is already used in an earlier line")
                if older is not None and older not in lessons:
                    raise ValueError(f"it supersedes '{older[:40]}', which is not the id of an earlier line")
                lessons[lesson.id] = lesson
            else:
                found = f"its type is '{str(kind)[:40]}'" if isinstance(item, dict) else "it is not an object"
                raise ValueError(f"{found}; a line must be an object of type lesson or unrelated")
        except ValueError as error:
            _refuse(path, str(error), "fix the line", number)
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
                    _refuse(path, "the line is too long", "fix the line", number)
                if line.strip():
                    yield number, line
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        _refuse(path, f"it cannot be read ({why})", "check the name and the permissions")


def _lesson(item: dict[str, Any]) -> SuiteLesson:
    return SuiteLesson(
        id=_text(item, "id"),
        prompt=_text(item, "prompt"),
        target=_text(item, "target"),
        paraphrases=_texts(item, "paraphrases"),
        near=_texts(item, "near"),
        supersedes=None if item.get("supersedes") is None else _text(item, "supersedes"),
    )


def _text(item: dict[str, Any], key: str) -> str:
    if key not in item:
        raise ValueError(f"'{key}' is missing")
    return _said(item[key], f"'{key}'")


def _texts(item: dict[str, Any], key: str) -> tuple[str, ...]:
    if not isinstance(item.get(key), list):
        raise ValueError(f"the list '{key}' is missing; it may be empty")
    return tuple(_said(value, f"an item of '{key}'") for value in item[key])


def _said(value: Any, what: str) -> str:
    """The text without outer white space. Raises ValueError."""
    if not isinstance(value, str) or is_blank(value):
        raise ValueError(f"{what} is blank or not text")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError(f"{what} contains half a character (a lone surrogate)")
    return value.strip()


def _refuse(path: Path, why: str, remedy: str, line: int | None = None) -> NoReturn:
    place = str(path) if line is None else f"{path}:{line}"
    raise ModelError(visible(f"{place}: {why}; {remedy}", one_line=True), name="data")
