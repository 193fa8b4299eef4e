"""`theta train --dry-run`: shows how the data is read, before an hour is spent on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from theta_tui.base.text import plural
from theta_tui.model.chat_template import ChatTemplate
from theta_tui.pretrain.command import TrainOptions, model_for
from theta_tui.pretrain.content import ReadReport
from theta_tui.pretrain.corpus import BATCH, DataSetSummary, DocumentCounts
from theta_tui.pretrain.documents import Document, read
from theta_tui.pretrain.encode import EncodedDocument, Encoder

SAMPLES = 3
SHOWN = 400
"""Most tokens of a sample to show."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A document as the model sees it. `pieces` are (text, whether it has a loss)."""

    place: str
    pieces: list[tuple[str, bool]]
    tokens: int
    learned: int


@dataclass(frozen=True, slots=True)
class Preview:
    samples: list[Sample]
    summaries: list[DataSetSummary]


def make_preview(options: TrainOptions, on_stage: Callable[[str], None]) -> Preview:
    """Encode all data and keep nothing; from scratch, a tokenizer is trained first. Raises what training raises."""
    with TemporaryDirectory() as folder:
        chat = model_for(options, Path(folder), on_stage).chat
        encoder = Encoder(chat, length=options.length, loss=options.loss_on)
        samples: list[Sample] = []
        summaries = []
        for number, source in enumerate(options.sources):
            left = SAMPLES - len(samples)
            wanted = -(-left // (len(options.sources) - number))
            report = ReadReport()
            counts = DocumentCounts()
            documents = read(source.path, skip_bad=options.skip_bad, report=report)
            while batch := list(islice(documents, BATCH)):
                for document, encoded in zip(batch, _first_pieces(encoder, batch, counts, report), strict=True):
                    if wanted and encoded is not None:
                        samples.append(_sample(chat, f"{source.path.name}:{document.line}", encoded))
                        wanted -= 1
                on_stage(f"reading {source.path.name}: {plural(counts.documents, 'document')}")
            summaries.append(counts.summary(source, report))
    return Preview(samples, summaries)


def _first_pieces(
    encoder: Encoder, batch: list[Document], counts: DocumentCounts, report: ReadReport
) -> Iterator[EncodedDocument | None]:
    """The first piece of each document, None if it has nothing to learn; all pieces are counted."""
    for document in batch:
        pieces = list(encoder.encode([document], report))
        for piece in pieces:
            counts.add(piece)
        yield pieces[0] if pieces else None


def _sample(chat: ChatTemplate, place: str, encoded: EncodedDocument) -> Sample:
    tokens = list(zip(encoded.ids, encoded.learn, strict=True))[:SHOWN]
    pieces = [
        (chat.spelled([index for index, _ in run]), bool(learned))
        for learned, run in ((learned, list(run)) for learned, run in groupby(tokens, key=lambda item: item[1]))
    ]
    if len(encoded.ids) > SHOWN:
        pieces.append(("…", False))
    return Sample(place, pieces, len(encoded.ids), sum(encoded.learn))
