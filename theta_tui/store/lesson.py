"""A lesson as the story knows it, and all of them in order. Standard library only.

Of a long history only the newest lessons are in memory from the start: an earlier one is made when it is asked for, and
what was said in it, and what came of it, is read from the journal when somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, overload

from theta_tui.store.history import History
from theta_tui.store.records import Exchange, Outcome

if TYPE_CHECKING:
    from theta_tui.store.past import Past

T = TypeVar("T")

SLICE = 200
"""Lessons that are read at once while nobody asks for anything."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How well the model knew a lesson when record `seq` was written, at Unix time `at`."""

    seq: int
    at: float
    p: float
    says: bool


class _Later:
    """What is not set yet is read from the past when it is asked for."""

    __slots__ = ("_past",)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Only where the attribute is not set.
            if name not in _READ_LATER:
                raise AttributeError(name)
            past = object.__getattribute__(self, "_past")
            for found, value in past.told(self.number, name).items():
                try:
                    object.__getattribute__(self, found)
                except AttributeError:
                    setattr(self, found, value)
            return object.__getattribute__(self, name)


_READ_LATER = frozenset({"at", "exchange", "context", "outcome", "machine", "failed", "recipe"})


@dataclass(slots=True)
class Lesson(_Later):
    """A pick or a correction. `context` is the conversation that stood before it when it was taught.

    `recipe` are the numbers that it is learned with: the exchange's, until a rebuild. `failed` says why nothing moved,
    where it could not be learned. `asked` is what asking it again found, newest last. `learned_by`, `recipe_by` and
    `failed_by` are the records that its outcome, recipe and failure stand in; 0: none, or the exchange.
    """

    number: int
    seq: int
    at: float
    exchange: Exchange
    context: History
    outcome: Outcome | None = None
    machine: str | None = None
    withdrawn: bool = False
    failed: str | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    asked: list[Measured] = field(default_factory=list)
    learned_by: int = field(default=0, repr=False, compare=False)
    recipe_by: int = field(default=0, repr=False, compare=False)
    failed_by: int = field(default=0, repr=False, compare=False)

    @property
    def moves(self) -> bool:
        """Whether this lesson is part of the weights (or is to be, where it has no outcome yet)."""
        return not self.withdrawn and self.failed is None and (self.outcome is None or self.outcome.skipped is None)


class View(Sequence[T]):
    """A sequence that makes its items when they are asked for; equal to any other with equal items."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (View, list, tuple)):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))

    def _at(self, index: int) -> T:
        """Item `index`, 0 to below the length."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._at(at) for at in range(*index.indices(len(self)))]
        return self._at(index if 0 <= index < len(self) else range(len(self))[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._at, range(len(self)))

    def __reversed__(self) -> Iterator[T]:
        return map(self._at, range(len(self) - 1, -1, -1))


class Lessons(View[Lesson]):
    """Every lesson that was ever taught, in order: those of the past, which are made once asked for, and more."""

    def __init__(self, past: Past | None = None) -> None:
        self.past = past
        self._earlier = past.taught if past is not None else 0
        self._made: dict[int, Lesson] = {}
        self._more: list[Lesson] = []
        self._by_seq: dict[int, Lesson] = {}
        self._looked = 0

    def __len__(self) -> int:
        return self._earlier + len(self._more)

    def look(self) -> Iterator[None]:
        """Read what is not read yet of those of the past, a slice of some ten milliseconds at a time; a yield after
        each. It goes on where it was left."""
        while self._looked < self._earlier:
            for lesson in self[self._looked : self._looked + SLICE]:
                lesson.exchange, lesson.outcome  # noqa: B018  # are read when they are looked at
            self._looked += SLICE
            yield

    def _at(self, index: int) -> Lesson:
        if index >= self._earlier:
            return self._more[index - self._earlier]
        made = self._made.get(index)
        if made is None:
            assert self.past is not None
            made = self._made[index] = self.past.lesson(index + 1)
        return made

    def numbered(self, number: int) -> Lesson:
        """The lesson that a person knows by `number`, which is there."""
        return self._at(number - 1)

    def append(self, lesson: Lesson) -> None:
        self._more.append(lesson)
        self._by_seq[lesson.seq] = lesson

    def find(self, seq: int) -> Lesson | None:
        """The lesson of record `seq`; None where that is none."""
        found = self._by_seq.get(seq)
        if found is None and self.past is not None:
            number = self.past.number_of(seq)
            return self._at(number - 1) if number else None
        return found

    def seq(self, number: int) -> int:
        """The record of lesson `number`."""
        if number > self._earlier:
            return self._more[number - 1 - self._earlier].seq
        assert self.past is not None
        return self.past.seq_of(number)

    @property
    def more(self) -> Sequence[Lesson]:
        """Those since the past."""
        return self._more

    @property
    def made(self) -> Iterable[Lesson]:
        """Those of the past that were asked for, which may have changed since."""
        return self._made.values()
