"""A queue that serves several people in turn, so that nobody waits behind all that another one has sent."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First in, first out for each origin; one item of each origin in turn. Safe to use from any thread."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[T]] = {}  # whose turn it is comes first
        self._changed = threading.Condition()

    def put(self, origin: Hashable, item: T) -> None:
        with self._changed:
            self._waiting.setdefault(origin, deque()).append(item)
            self._changed.notify()

    def get(self, timeout: float | None = None) -> T:
        """The next item. Raises queue.Empty after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting, timeout):
                raise queue.Empty
            return self._pop(next(iter(self._waiting)))

    def take(self, wanted: Callable[[T], bool], most: int) -> list[T]:
        """The next items of up to `most` origins, in turn, of those whose next item is `wanted`."""
        with self._changed:
            found = [origin for origin, items in self._waiting.items() if wanted(items[0])][:most]
            return [self._pop(origin) for origin in found]

    def _pop(self, origin: Hashable) -> T:
        """The next item of `origin`, whose turn comes last now."""
        items = self._waiting.pop(origin)
        item = items.popleft()
        if items:
            self._waiting[origin] = items
        return item

    def empty(self) -> bool:
        return not self._waiting

    def drop(self, origin: Hashable, unwanted: Callable[[T], bool]) -> list[T]:
        """Take out the items of `origin` that are `unwanted`."""
        with self._changed:
            items = self._waiting.pop(origin, deque())
            kept = deque(item for item in items if not unwanted(item))
            if kept:
                self._waiting[origin] = kept
            return [item for item in items if unwanted(item)]
