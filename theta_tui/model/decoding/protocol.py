"""What candidates need of a model: read a conversation once, then write several rows of tokens behind it.

Whoever decodes keeps what was read last. The next conversation usually begins with it, and only what is new is read
then. Once a weight has moved, nothing of it is used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from theta_tui.model.modules import LessonModule

Marks = tuple[tuple[int, int, int], ...]

SLICE = 64
"""Tokens of a conversation that are read at a time while nobody waits for them: some 20 ms with the default model."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A conversation that was read. `logits` [V] are those of the first token of a reply, float32 on the CPU.

    `cache` is the decoder's own. It stands until the decoder reads something else.
    """

    length: int
    logits: torch.Tensor
    cache: Any


class Rows(Protocol):
    """Rows of tokens behind one conversation, equally long."""

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """Take the next token of each row; the logits of the one after it, [rows, V], float32 on the CPU."""

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, by their place among those that are left."""


class Decoder(Protocol):
    """One model's decoder. One conversation at a time, all from one thread."""

    @property
    def name(self) -> str:
        """Which way it goes, in a word."""

    @property
    def threads(self) -> int | None:
        """How many threads a step, and what is done with its logits, goes fastest on; None: all there are."""

    @property
    def rereads(self) -> bool:
        """Whether everything is read again for every token."""

    def prefill(self, ids: Sequence[int]) -> Start:
        """Read a conversation of at least one token, or what of it is new."""

    def warm(self, ids: Sequence[int]) -> Iterator[None]:
        """Read a conversation ahead, in slices of SLICE tokens, with a yield after each; nothing where it is read."""

    def branch(self, start: Start, rows: int, room: int, modules: Sequence[LessonModule | None] = ()) -> Rows:
        """`rows` rows, each to take up to `room` tokens, with its own of `modules` on. Those of an earlier call are
        void."""


def marks(tensors: Sequence[torch.Tensor]) -> Marks:
    """What tells whether any of these tensors was written to, or is another one, since it was last asked for.

    torch counts the writes to a tensor. Two kinds escape it: those through `.data`, which nothing here does, and those
    of fused optimizers, which `Adam.step` counts itself.
    """
    return tuple((id(tensor), tensor.data_ptr(), tensor._version) for tensor in tensors)


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two conversations begin with alike."""
    size = min(len(one), len(other))
    return next((at for at in range(size) if one[at] != other[at]), size)


class Reading:
    """What a decoder has read last: its tokens, of which weights, and the logits behind them."""

    def __init__(self, sources: Callable[[], Sequence[torch.Tensor]]) -> None:
        self._sources = sources
        self._marks: Marks = ()
        self.ids: list[int] = []
        self.start: Start | None = None

    def known(self, ids: Sequence[int]) -> int:
        """How many of the first of `ids` need not be read again. Forgets everything where the weights have moved."""
        now = marks(self._sources())
        if now != self._marks:
            self._marks, self.ids, self.start = now, [], None
        return common(self.ids, ids)

    def of(self, ids: Sequence[int]) -> Start | None:
        """The start of exactly these tokens, if that is what was read last."""
        whole = self.known(ids) == len(ids) == len(self.ids)
        return self.start if whole else None

    def took(self, ids: Sequence[int], start: Start | None) -> None:
        self.ids, self.start = list(ids), start


@contextmanager
def on_threads(number: int | None) -> Iterator[None]:
    """Within it, torch uses `number` threads; None: as many as before."""
    before = torch.get_num_threads()
    if number in (None, before):
        yield
        return
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
