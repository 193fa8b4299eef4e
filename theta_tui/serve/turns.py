"""How many requests of one kind the engine gets at a time: it takes a limited number of connections, and serves all in
turn, so that a program with many requests would delay everybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from theta_tui.serve.answers import ApiError


class Turns:
    """At most `at_once` have their turn, and at most `places` have it or wait for it; more are refused."""

    def __init__(self, at_once: int, places: int) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._free = places

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place to wait, and to be served. Raises ApiError where there is none."""
        if self._free < 1:
            raise ApiError(429, "too many requests wait; try again in a while", code="rate_limit_exceeded")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits until it is one's turn. Take a place first."""
        async with self._turn:
            yield

    @asynccontextmanager
    async def both(self) -> AsyncIterator[None]:
        async with self.place(), self.turn():
            yield
