"""A conversation that grows, and what came before each of its turns. Standard library only.

Every lesson keeps the conversation that it was taught in. Copies would take memory quadratic in its length, so
histories share their turns: each turn points to the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

Said = tuple[str, str]
"""A prompt and its reply."""


class History(Sequence[Said]):
    """(prompt, reply) turns, oldest first. Immutable; `then` returns a history that is one turn longer.

    Reading the newest n turns costs n steps, however long the conversation is.
    """

    __slots__ = ("_before", "_count", "said", "source")

    def __init__(self, before: History | None = None, said: Said = ("", ""), source: int = 0) -> None:
        self._before = before
        self.said = said
        """The newest turn."""
        self._count: int = 0 if before is None else before._count + 1
        self.source = source
        """The seq of the journal record that holds the newest turn; 0: unknown."""

    def then(self, prompt: str, reply: str, source: int = 0) -> History:
        return History(self, (prompt, reply), source)

    @property
    def asked(self) -> str | None:
        """The prompt of the newest turn; None if there is no turn."""
        return self.said[0] if len(self) else None

    def since(self, earlier: History) -> tuple[Said, ...] | None:
        """The turns after `earlier`; None if this history did not grow from it."""
        here, more = self, len(self) - len(earlier)
        for _ in range(more):
            assert here._before is not None
            here = here._before
        return self._newest(more) if here is earlier else None

    def __len__(self) -> int:
        return self._count

    def __reversed__(self) -> Iterator[Said]:
        here: History | None = self
        while here is not None and here._count:
            yield here.said
            here = here._before

    def __iter__(self) -> Iterator[Said]:
        return iter(self._newest(self._count))

    @overload
    def __getitem__(self, index: int) -> Said: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Said, ...]: ...
    def __getitem__(self, index: int | slice) -> Said | tuple[Said, ...]:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._count)
            first = min(start, stop) if step > 0 else 0
            wanted = slice(start - first, max(stop - first, 0), step) if step > 0 else index
            return self._newest(self._count - first)[wanted]
        at = range(self._count)[index]
        return self._newest(self._count - at)[0]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, History):
            if len(self) != len(other):
                return False
            one: History | None = self
            two: History | None = other
            while one is not two:  # both grew from here: the rest is the same
                assert one is not None
                assert two is not None
                if not one._count:
                    break
                if one.said != two.said:
                    return False
                one, two = one._before, two._before
            return True
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash((self._count, self.said))

    def __repr__(self) -> str:
        return f"History{tuple(self)!r}"

    def _newest(self, count: int) -> tuple[Said, ...]:
        found: list[Said] = []
        here = self
        while count:
            found.append(here.said)
            assert here._before is not None
            here, count = here._before, count - 1
        found.reverse()
        return tuple(found)


NOTHING = History()
"""The empty history."""
