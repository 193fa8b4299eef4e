"""How well models foresee conversations that they were not trained on: bits per byte, by data set.

    python -m tests.benchmarks.bits_per_byte FILE… --model A --model B [--validation 0.005] [--json OUT]

`--validation` takes the share that `theta train --validation` holds out of the same files (1: all of them). Bits are
over everything that was said, control tokens included; bytes are those of the text, so that models with different
tokenizers can be compared.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from accelerate import Accelerator

import theta_tui.model  # noqa: F401  # its environment must stand before torch is imported
from theta_tui.bench.tables import table
from theta_tui.model.language_model import LanguageModel
from theta_tui.pretrain.corpus import prepare, share
from theta_tui.pretrain.documents import Document, Source, parse_source, read
from theta_tui.pretrain.encode import Encoder
from theta_tui.pretrain.objective import Objective
from theta_tui.pretrain.trainer import score

LENGTH = 512


def held_out(sources: Sequence[Source], validation: float, target: Path) -> None:
    """Those documents, one a line, in a form that the readers take."""
    with target.open("w", encoding="utf-8") as stream:
        for source in sources:
            for document in read(source.path):
                if share(document.key) < validation:
                    stream.write(json.dumps(row(document), ensure_ascii=False) + "\n")


def row(document: Document) -> dict[str, object]:
    if document.text:
        return {"source": document.source, "text": document.text}
    messages = [{"role": role, "content": text} for role, text in document.turns]
    return {"source": document.source, "messages": messages}


def measure(model: str, data: Path, tokens: int) -> dict[str, float]:
    """Bits per byte by data set, and `all`, of at most `tokens` tokens."""
    lm = LanguageModel.load(model, device="cpu", dtype="float32", transformers=True)
    encoder = Encoder(lm.chat, length=min(LENGTH, lm.window), loss="all")
    with TemporaryDirectory() as folder:
        corpus = prepare([Source(data, 1.0)], encoder, Path(folder) / "data", tokenizer_key="", validation=1.0)
        documents = np.random.default_rng(1).permutation(corpus.validation())
        documents = documents[: np.searchsorted(np.cumsum(corpus.lengths[documents]), tokens) + 1]
        nats, size, _ = score(Objective(lm.model), corpus, documents, encoder.length, 8, Accelerator(cpu=True))
    bits = {name: float(nats[k] / math.log(2) / size[k]) for k, name in enumerate(corpus.sources) if size[k]}
    return bits | {"all": float(nats.sum() / math.log(2) / size.sum())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--validation", type=float, default=0.005)
    parser.add_argument("--tokens", type=int, default=200_000, help="most tokens that are scored")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        data = Path(folder) / "held-out.jsonl"
        held_out([parse_source(file) for file in given.files], given.validation, data)
        found = {model: measure(model, data, given.tokens) for model in given.model}
    names = list(found[given.model[0]])
    print(table(["data set", *given.model], [[name, *(f"{found[m][name]:.3f}" for m in found)] for name in names]))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
