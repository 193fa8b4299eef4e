"""Encoded data sets on disk, and the order in which training sees them.

Encoding happens once: the ids lie beside the model in the making as plain arrays, memory-mapped afterwards. What an
epoch holds and how it is packed follows from (seed, epoch) alone, so that training can go on after a kill exactly
where it was.
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
from theta_tui.pretrain.content import Tally
from theta_tui.pretrain.documents import Source, data_files, read
from theta_tui.pretrain.encode import Encoded, Encoder

READING = 2
"""Raised when the same files mean other documents than before: a training that was begun goes on with what it read."""

BATCH = 2000
"""Documents that are encoded together."""

OPEN_ROWS = 512
"""Rows that are being filled at one time. More pack tighter and disturb the order more; 512 leave under 1 % empty."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One data set as encoded: documents (pieces of long ones count each), tokens, those with a loss, bytes."""

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
    """For people: what was skipped, left out and not used, with the counts."""


@dataclass(slots=True)
class Counts:
    """The tally of a Summary while its data set is read."""

    documents: int = 0
    tokens: int = 0
    learned: int = 0
    size: int = 0
    held_out: int = 0

    def add(self, encoded: Encoded, *, held_out: bool = False) -> None:
        self.documents += 1
        self.tokens += len(encoded.ids)
        self.learned += sum(encoded.learn)
        self.size += encoded.size
        self.held_out += held_out

    def summary(self, source: Source, tally: Tally) -> Summary:
        return Summary(
            source.path.name, source.weight, **asdict(self),
            skipped=tally.bad.total(), context_only=tally.context_only, left_out=dict(tally.left_out),
            unused=dict(tally.unused), notices=tally.lines(),
        )  # fmt: skip


class Corpus:
    """Encoded data sets with their weights. Documents are numbered through all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        facts = json.loads((folder / "corpus.json").read_text("utf-8"))
        self.summaries = [Summary(**values) for values in facts["summaries"]]
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
        """Expected tokens of an epoch: each data set's, times its weight."""
        weights = np.array([summary.weight for summary in self.summaries])
        return int((self.lengths * weights[self.sets])[~self.held_out].sum())

    def epoch(self, seed: int, epoch: int) -> np.ndarray:
        """The documents of an epoch in the order in which they are packed: numbers, some more than once."""
        chance = np.random.default_rng([seed, epoch])
        chosen = []
        for number, summary in enumerate(self.summaries):
            own = np.flatnonzero((self.sets == number) & ~self.held_out)
            whole, part = divmod(summary.weight, 1.0)
            # The parts that successive epochs take are different ones: a data set of weight 0.3 is seen evenly.
            order = np.random.default_rng([seed, number]).permutation(own)
            begin, end = round(len(own) * part * epoch), round(len(own) * part * (epoch + 1))
            chosen.append(np.tile(own, int(whole)))
            if end > begin:
                chosen.append(np.take(order, np.arange(begin, end), mode="wrap"))
        documents = np.concatenate(chosen)
        chance.shuffle(documents)
        return documents

    def validation(self) -> np.ndarray:
        """The documents that training never sees."""
        return np.flatnonzero(self.held_out)

    def pack(self, documents: Sequence[int] | np.ndarray, length: int) -> list[list[int]]:
        """Rows of documents that fit `length` tokens together: best fit among OPEN_ROWS open rows.

        No document is cut here: one that is longer than `length` cannot be (the encoder cuts them).
        """
        open_rows: dict[int, list[list[int]]] = {}
        rows: list[list[int]] = []
        rooms = 0  # bit n: some open row has room for n tokens
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
                # Close the fullest: what fits into it is rarest.
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
    """Encode `sources` into `folder`, or find them there as they were. `validation`: the share held out, by content,
    so that a document and its repetitions fall on one side. Raises ModelError as the readers do."""
    key = _key(sources, encoder, tokenizer_key, validation)
    if (folder / "corpus.json").is_file():
        try:
            if json.loads((folder / "corpus.json").read_text("utf-8"))["key"] == key:
                return Corpus(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder} is damaged ({error}); --restart to begin anew", name="data") from None
        raise ModelError(
            f"{folder.parent} holds a training on other data or settings, or of a Theta that read the data otherwise; "
            "give another --out, or --restart",
            name="data",
        )
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    writer = _Writer(encoder.chat.tokenizer, validation)
    for number, source in enumerate(sources):
        tally = Tally()
        counts = Counts()
        documents = read(source.path, skip_bad=skip_bad, tally=tally)
        while batch := list(islice(documents, BATCH)):
            for encoded in encoder.encode(batch, tally):
                counts.add(encoded, held_out=writer.add(number, encoded))
            on_progress(source.path.name, counts.documents)
        writer.summaries.append(counts.summary(source, tally))
    if not writer.lengths:
        raise ModelError(
            f"no reply of the data sets begins within --length {encoder.length}; raise it, or bring other data",
            name="data",
        )
    if all(writer.held_out) and validation < 1:
        raise ModelError("every document was held out; bring more data or lower --validation", name="data")
    writer.write(partial, key, encoder.at)
    partial.rename(folder)
    return Corpus(folder)


class _Writer:
    """Gathers encoded documents and writes them as arrays."""

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
        self.summaries: list[Summary] = []

    def add(self, number: int, encoded: Encoded) -> bool:
        """Keep a document of data set `number`; whether it is held out."""
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
    """A number in [0, 1) that follows from the text."""
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _key(sources: Sequence[Source], encoder: Encoder, tokenizer_key: str, validation: float) -> str:
    digest = hashlib.sha256()
    for source in sources:
        # Of a folder what is read of it, and not whatever else turns up there.
        for path in data_files(source.path) if source.path.is_dir() else [source.path]:
            try:
                with path.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
            except OSError:
                next(read(path))  # Raises with the file's name and what to do.
                raise
        digest.update(repr(source.weight).encode())
    template = encoder.chat.tokenizer.chat_template
    digest.update(repr((READING, encoder.length, encoder.loss, validation, tokenizer_key, template)).encode())
    return digest.hexdigest()
