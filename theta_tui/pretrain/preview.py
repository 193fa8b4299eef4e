"""`theta train --dry-run`: what was understood of the data, before an hour is spent on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from theta_tui.base.text import plural
from theta_tui.model.chat_template import ChatTemplate
from theta_tui.pretrain.command import Options, model_for
from theta_tui.pretrain.content import Tally
from theta_tui.pretrain.corpus import BATCH, Counts, Summary
from theta_tui.pretrain.documents import Document, read
from theta_tui.pretrain.encode import Encoded, Encoder

SAMPLES = 3
SHOWN = 400
"""Most tokens of a sample that are shown."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A document as the model sees it. `pieces` are (text, whether the loss is taken on it)."""

    place: str
    pieces: list[tuple[str, bool]]
    tokens: int
    learned: int


@dataclass(frozen=True, slots=True)
class Preview:
    samples: list[Sample]
    summaries: list[Summary]


def look(options: Options, stage: Callable[[str], None]) -> Preview:
    """Encode everything, keep nothing. From scratch a tokenizer is trained for the occasion. Raises as training."""
    with TemporaryDirectory() as folder:
        chat = model_for(options, Path(folder), stage).chat
        encoder = Encoder(chat, length=options.length, loss=options.covers)
        samples: list[Sample] = []
        summaries = []
        for number, source in enumerate(options.sources):
            left = SAMPLES - len(samples)
            wanted = -(-left // (len(options.sources) - number))
            tally = Tally()
            counts = Counts()
            documents = read(source.path, skip_bad=options.skip_bad, tally=tally)
            while batch := list(islice(documents, BATCH)):
                for document, encoded in zip(batch, _firsts(encoder, batch, counts, tally), strict=True):
                    if wanted and encoded is not None:
                        samples.append(_sample(chat, f"{source.path.name}:{document.line}", encoded))
                        wanted -= 1
                stage(f"reading {source.path.name}: {plural(counts.documents, 'document')}")
            summaries.append(counts.summary(source, tally))
    return Preview(samples, summaries)


def _firsts(encoder: Encoder, batch: list[Document], counts: Counts, tally: Tally) -> Iterator[Encoded | None]:
    """The first piece of each document, None where there is nothing to learn in it; all pieces are counted."""
    for document in batch:
        pieces = list(encoder.encode([document], tally))
        for piece in pieces:
            counts.add(piece)
        yield pieces[0] if pieces else None


def _sample(chat: ChatTemplate, place: str, encoded: Encoded) -> Sample:
    tokens = list(zip(encoded.ids, encoded.learn, strict=True))[:SHOWN]
    pieces = [
        (chat.spelled([index for index, _ in run]), bool(learned))
        for learned, run in ((learned, list(run)) for learned, run in groupby(tokens, key=lambda item: item[1]))
    ]
    if len(encoded.ids) > SHOWN:
        pieces.append(("…", False))
    return Sample(place, pieces, len(encoded.ids), sum(encoded.learn))
