"""Packed rows as tensors, and the endless, resumable stream of batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from theta_tui.model.chat_template import IGNORE
from theta_tui.pretrain.corpus import Corpus


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one step; each field is [rows, tokens]. `document` numbers each token's document, -1 for padding."""

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    labels: torch.Tensor
    document: np.ndarray

    @property
    def tokens(self) -> int:
        """Number of tokens that are not padding."""
        return int((self.document >= 0).sum())

    @property
    def learned(self) -> int:
        """Number of labels, over which the loss is a mean."""
        return int((self.labels[:, 1:] != IGNORE).sum())


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """A position in the stream: the next row is number `row` of `epoch`."""

    epoch: int = 0
    row: int = 0


def stream(
    corpus: Corpus, *, seed: int, rows: int, length: int, start: StreamPosition
) -> Iterator[tuple[Batch, StreamPosition]]:
    """Endless (batch, next position), from `start` on. A batch has `rows` rows; the last of an epoch may be short."""
    epoch, row = start.epoch, start.row
    while True:
        packed = corpus.pack(corpus.epoch(seed, epoch), length)
        if not packed and corpus.held_out.all():
            return
        while row < len(packed):
            batch = assemble(corpus, packed[row : row + rows], length, rows)
            row += rows
            yield batch, StreamPosition(epoch, row)
        epoch, row = epoch + 1, 0


def assemble(corpus: Corpus, packed: Sequence[Sequence[int]], length: int, rows: int) -> Batch:
    """`packed` rows as tensors of shape [rows, length], always the same, so that a network is compiled only once."""
    ids = np.zeros((rows, length), np.int64)
    positions = np.tile(np.arange(length), (rows, 1))
    labels = np.full((rows, length), IGNORE, np.int64)
    document = np.full((rows, length), -1, np.int64)
    for number, members in enumerate(packed):
        at = 0
        for member in members:
            start, stop = int(corpus.starts[member]), int(corpus.starts[member + 1])
            end = at + stop - start
            tokens = corpus.tokens[start:stop].astype(np.int64)
            ids[number, at:end] = tokens
            positions[number, at:end] = np.arange(end - at)
            labels[number, at:end] = np.where(corpus.learn[start:stop] > 0, tokens, IGNORE)
            # The token before a document's first one belongs to another document.
            labels[number, at] = IGNORE
            document[number, at:end] = member
            at = end
        positions[number, at:] = np.arange(length - at)
    return Batch(torch.from_numpy(ids), torch.from_numpy(positions), torch.from_numpy(labels), document)
