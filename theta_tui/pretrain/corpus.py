"""Encoded data sets on disk, and the order in which training sees them.

Data sets are encoded once, into plain arrays in the run's folder that are memory-mapped afterwards. The documents of
an epoch and their packing follow from (seed, epoch) alone, so that a killed run can continue exactly where it was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from theta_tui.base.errors import ModelError
from theta_tui.pretrain.content import ReadReport
from theta_tui.pretrain.documents import Source, data_files, read
from theta_tui.pretrain.encode import EncodedDocument, Encoder

READER_VERSION = 2
"""Version of the readers. Increase it when the same files would give other documents, so that no run mixes the two."""

BATCH = 2000
"""Documents encoded together."""

OPEN_ROWS = 512
"""Rows that are open at a time. More pack tighter but disturb the order more; 512 leave less than 1 % empty."""


@dataclass(frozen=True, slots=True)
class DataSetSummary:
    """Counts of one encoded data set. Each piece of a long document counts as one.

    `learned` is the number of tokens with a loss, `size` the bytes of text that the loss covers.
    """

    name: str
    weight: float
    documents: int
    tokens: int
    learned: int
    size: int
    held_out: int
    skipped: int
    context_only: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    unused: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    """What was skipped, left out and not used, with counts, for people."""


@dataclass(slots=True)
class DocumentCounts:
    """Running counts of a DataSetSummary, while its data set is read."""

    documents: int = 0
    tokens: int = 0
    learned: int = 0
    size: int = 0
    held_out: int = 0

    def add(self, encoded: EncodedDocument, *, held_out: bool = False) -> None:
        self.documents += 1
        self.tokens += len(encoded.ids)
        self.learned += sum(encoded.learn)
        self.size += encoded.size
        self.held_out += held_out

    def summary(self, source: Source, report: ReadReport) -> DataSetSummary:
        return DataSetSummary(
            source.path.name, source.weight, **asdict(self),
            skipped=report.bad.total(), context_only=report.context_only, left_out=dict(report.left_out),
            unused=dict(report.unused), notices=report.lines(),
        )  # fmt: skip


class Corpus:
    """Encoded data sets with their weights. Document numbers run through all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        facts = json.loads((folder / "corpus.json").read_text("utf-8"))
        self.summaries = [DataSetSummary(**values) for values in facts["summaries"]]
        self.sources: list[str] = facts["sources"]
        self.tokens = np.load(folder / "tokens.npy", mmap_mode="r")
        self.learn = np.load(folder / "learn.npy", mmap_mode="r")
        self.starts = np.load(folder / "starts.npy")
        self.source = np.load(folder / "source.npy")
        self.sets = np.load(folder / "sets.npy")
        self.sizes = np.load(folder / "sizes.npy")
        self.held_out = np.load(folder / "held_out.npy")
        self.lengths = np.diff(self.starts)

    @property
    def tokens_an_epoch(self) -> int:
        """Expected tokens in an epoch: those of each data set times its weight."""
        weights = np.array([summary.weight for summary in self.summaries])
        return int((self.lengths * weights[self.sets])[~self.held_out].sum())

    def epoch(self, seed: int, epoch: int) -> np.ndarray:
        """The document numbers of an epoch in packing order, some more than once."""
        chance = np.random.default_rng([seed, epoch])
        chosen = []
        for number, summary in enumerate(self.summaries):
            own = np.flatnonzero((self.sets == number) & ~self.held_out)
            whole, part = divmod(summary.weight, 1.0)
            # Successive epochs take different parts, so that a data set of weight 0.3 is seen evenly.
            order = np.random.default_rng([seed, number]).permutation(own)
            begin, end = round(len(own) * part * epoch), round(len(own) * part * (epoch + 1))
            chosen.append(np.tile(own, int(whole)))
            if end > begin:
                chosen.append(np.take(order, np.arange(begin, end), mode="wrap"))
        documents = np.concatenate(chosen)
        chance.shuffle(documents)
        return documents

    def validation(self) -> np.ndarray:
        """The numbers of the held-out documents."""
        return np.flatnonzero(self.held_out)

    def pack(self, documents: Sequence[int] | np.ndarray, length: int) -> list[list[int]]:
        """Rows of document numbers, each of at most `length` tokens: best fit among OPEN_ROWS open rows.

        No document is longer than `length`: the encoder has cut them.
        """
        open_rows: dict[int, list[list[int]]] = {}
        rows: list[list[int]] = []
        rooms = 0  # bit n is set if an open row has room for n tokens
        count = 0
        lengths = self.lengths
        for document in documents:
            size = int(lengths[document])
            fitting = rooms >> size
            if fitting:
                room = size + (fitting & -fitting).bit_length() - 1
                row = open_rows[room].pop()
                if not open_rows[room]:
                    rooms &= ~(1 << room)
            else:
                room, row = length, []
                rows.append(row)
                count += 1
            row.append(int(document))
            left = room - size
            if left > 0:
                open_rows.setdefault(left, []).append(row)
                rooms |= 1 << left
            else:
                count -= 1
            if count > OPEN_ROWS:
                # Close the fullest row: few documents fit into it.
                room = (rooms & -rooms).bit_length() - 1
                open_rows[room].pop(0)
                if not open_rows[room]:
                    rooms &= ~(1 << room)
                count -= 1
        return rows


def prepare(
    sources: Sequence[Source],
    encoder: Encoder,
    folder: Path,
    *,
    tokenizer_key: str,
    validation: float,
    skip_bad: bool = False,
    on_progress: Callable[[str, int], None] = lambda name, documents: None,
) -> Corpus:
    """Encode `sources` into `folder`, or load what an earlier call has encoded there.

    `validation` is the share held out, chosen by content, so that repetitions of a document are on the same side.
    Raises ModelError.
    """
    key = _key(sources, encoder, tokenizer_key, validation)
    if (folder / "corpus.json").is_file():
        try:
            if json.loads((folder / "corpus.json").read_text("utf-8"))["key"] == key:
                return Corpus(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder} is damaged ({error}); start over with --restart", name="data") from None
        raise ModelError(
            f"{folder.parent} holds a run with other data or settings, or of a Theta that read the data differently; "
            "give another --out, or start over with --restart",
            name="data",
        )
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    writer = _Writer(encoder.chat.tokenizer, validation)
    for number, source in enumerate(sources):
        report = ReadReport()
        counts = DocumentCounts()
        documents = read(source.path, skip_bad=skip_bad, report=report)
        while batch := list(islice(documents, BATCH)):
            for encoded in encoder.encode(batch, report):
                counts.add(encoded, held_out=writer.add(number, encoded))
            on_progress(source.path.name, counts.documents)
        writer.summaries.append(counts.summary(source, report))
    if not writer.lengths:
        raise ModelError(
            f"no reply in the data begins within --length {encoder.length}; raise it, or use other data",
            name="data",
        )
    if all(writer.held_out) and validation < 1:
        raise ModelError("every document was held out; use more data or lower --validation", name="data")
    writer.write(partial, key, encoder.at)
    partial.rename(folder)
    return Corpus(folder)


class _Writer:
    """Collects encoded documents and writes them as arrays."""

    def __init__(self, tokenizer: Any, validation: float) -> None:
        self.validation = validation
        self.kind = np.uint16 if len(tokenizer) <= 2**16 else np.uint32
        self.tokens: list[np.ndarray] = []
        self.learn: list[np.ndarray] = []
        self.lengths: list[int] = []
        self.sets: list[int] = []
        self.source: list[int] = []
        self.sizes: list[int] = []
        self.held_out: list[bool] = []
        self.names: dict[str, int] = {}
        self.summaries: list[DataSetSummary] = []

    def add(self, number: int, encoded: EncodedDocument) -> bool:
        """Add a document of data set `number`; true if it is held out."""
        held_out = share(encoded.key) < self.validation
        learn = np.frombuffer(bytes(encoded.learn), np.uint8)
        self.tokens.append(np.array(encoded.ids, self.kind))
        self.learn.append(learn)
        self.lengths.append(len(encoded.ids))
        self.sets.append(number)
        self.source.append(self.names.setdefault(encoded.source, len(self.names)))
        self.sizes.append(encoded.size)
        self.held_out.append(held_out)
        return held_out

    def write(self, folder: Path, key: str, at: float) -> None:
        np.save(folder / "tokens.npy", np.concatenate(self.tokens))
        np.save(folder / "learn.npy", np.concatenate(self.learn))
        np.save(folder / "starts.npy", np.cumsum([0, *self.lengths]))
        np.save(folder / "sets.npy", np.array(self.sets, np.uint16))
        np.save(folder / "source.npy", np.array(self.source, np.uint32))
        np.save(folder / "sizes.npy", np.array(self.sizes, np.uint32))
        np.save(folder / "held_out.npy", np.array(self.held_out, bool))
        facts = {
            "key": key,
            "rendered_at": at,
            "sources": list(self.names),
            "summaries": [asdict(summary) for summary in self.summaries],
        }
        (folder / "corpus.json").write_text(json.dumps(facts, indent=1), "utf-8")


def share(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _key(sources: Sequence[Source], encoder: Encoder, tokenizer_key: str, validation: float) -> str:
    digest = hashlib.sha256()
    for source in sources:
        # For a folder, only the files that are read from it.
        for path in data_files(source.path) if source.path.is_dir() else [source.path]:
            try:
                with path.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
            except OSError:
                next(read(path))  # raises an error that names the file and what to do
                raise
        digest.update(repr(source.weight).encode())
    template = encoder.chat.tokenizer.chat_template
    digest.update(repr((READER_VERSION, encoder.length, encoder.loss, validation, tokenizer_key, template)).encode())
    return digest.hexdigest()
