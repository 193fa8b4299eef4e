"""What writing replies needs of a model: read a conversation once, then write several rows of tokens behind it.

A decoder keeps the conversation that it read last. The next one usually begins with it, so only its new tokens are
read. Once a weight has moved, nothing of it is used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from theta_tui.model.modules import LessonModule

Versions = tuple[tuple[int, int, int], ...]

SLICE = 64
"""Tokens of a conversation that are read at a time while nobody waits for them: some 20 ms with the default model."""


@dataclass(frozen=True, slots=True, eq=False)
class Prefill:
    """A conversation of `length` tokens that was read. `logits` [V] are those of a reply's first token, float32 on the
    CPU. `cache` is the decoder's own, and valid until the decoder reads something else."""

    length: int
    logits: torch.Tensor
    cache: Any


class Rows(Protocol):
    """Replies under way, all of the same length. They are behind one conversation, or behind several."""

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """Take the next token of each row. The logits of the one after it, [rows, V], float32 on the CPU."""

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, given by their index among those that are left."""


class Decoder(Protocol):
    """Decodes with one model: one conversation at a time, all from one thread."""

    @property
    def name(self) -> str:
        """`fast` or `general`."""

    @property
    def threads(self) -> int | None:
        """The number of threads for a step of few rows, and what is done with its logits; None: all there are."""

    @property
    def rereads(self) -> bool:
        """Whether the whole text is read again for every token."""

    def prefill(self, ids: Sequence[int]) -> Prefill:
        """Read a conversation of at least one token; only its new tokens are computed."""

    def prefill_ahead(self, ids: Sequence[int]) -> Iterator[None]:
        """Read a conversation in slices of SLICE tokens, with a yield after each. No slice where it was read before."""

    def branch(self, prefill: Prefill, rows: int, room: int, modules: Sequence[LessonModule | None] = ()) -> Rows:
        """Begin `rows` rows of up to `room` tokens each, row i with `modules[i]` on. Rows of an earlier call end."""

    def together(
        self,
        conversations: Sequence[Sequence[int]],
        rows: Sequence[int],
        room: int,
        modules: Sequence[LessonModule | None],
    ) -> Rows | None:
        """Read several conversations, and begin `rows[i]` rows behind number i, in order, as `branch` does. Those of
        the last such call are read already. None: this decoder reads one conversation at a time, or there is only one
        and it is yet to be read."""


def versions(tensors: Sequence[torch.Tensor]) -> Versions:
    """Identity, address and write count of each tensor: they differ once one was written to, or replaced.

    torch counts the writes to a tensor. Two kinds escape it: those through `.data`, which nothing here does, and those
    of fused optimizers, which `AdamW.step` counts itself.
    """
    return tuple((id(tensor), tensor.data_ptr(), tensor._version) for tensor in tensors)


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """The number of tokens that two conversations begin with alike."""
    size = min(len(one), len(other))
    return next((at for at in range(size) if one[at] != other[at]), size)


class PrefixCache:
    """The tokens that a decoder read last, with which versions of `weights`, and their prefill."""

    def __init__(self, weights: Callable[[], Sequence[torch.Tensor]]) -> None:
        self._weights = weights
        self._versions: Versions = ()
        self.ids: list[int] = []
        self.prefill: Prefill | None = None
        self.beside: dict[tuple[int, ...], slice] = {}
        """Where conversations that were read together lie. Forgotten once anything else is read."""

    def known(self, ids: Sequence[int]) -> int:
        """The number of first tokens of `ids` that need not be read again. Forgets all where a weight has moved."""
        now = versions(self._weights())
        if now != self._versions:
            self._versions, self.ids, self.prefill, self.beside = now, [], None, {}
        return common_prefix(self.ids, ids)

    def get(self, ids: Sequence[int]) -> Prefill | None:
        """The prefill of exactly these tokens, if they were read last."""
        return self.prefill if self.known(ids) == len(ids) == len(self.ids) else None

    def put(self, ids: Sequence[int], prefill: Prefill | None) -> None:
        """`ids` are what was read last."""
        self.ids, self.prefill, self.beside = list(ids), prefill, {}
