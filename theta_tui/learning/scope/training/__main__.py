"""`python -m theta_tui.learning.scope.training`: train the matcher from the wordings of `assets/scope/`.

It also takes everyday messages, which are in no lesson's scope, and a sentence encoder (all-MiniLM-L6-v2), from which
it learns what words and sentences mean. Both are needed here only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch.nn import functional

from theta_tui.base.files import assets_dir
from theta_tui.learning.scope.features import Reader
from theta_tui.learning.scope.matcher import FILE
from theta_tui.learning.scope.training.network import Network, rate, save_mean
from theta_tui.learning.scope.training.pairs import KINDS, Pairs
from theta_tui.learning.scope.training.wordings import fill, held_out, put, read_relations
from theta_tui.learning.scope.words import words

MESSAGES = 30_000
"""The number of everyday messages used."""

KNOWN = 12
"""A word of the messages enters the vocabulary from this count on. Words of the wordings always do."""

HELD_OUT = 0.15
"""The share of the groups that are only asked; `tests/benchmarks/unseen_relations.py` asks the same."""

PAIRS_A_STEP, DISTILLED_A_STEP = 208, 48
RATE, RATE_OF_WORDS = 2e-3, 1e-3
DISTILLED = 2.0
"""The weight of the encoder's similarity in the loss."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m theta_tui.learning.scope.training", description=__doc__)
    parser.add_argument("--messages", type=Path, nargs="+", required=True, help="conversations, as JSON Lines (.gz)")
    parser.add_argument("--encoder", type=Path, required=True, help="the folder of all-MiniLM-L6-v2")
    parser.add_argument("--cache", type=Path, required=True, help="a file for what the encoder says; made once")
    parser.add_argument("--out", type=Path, default=assets_dir() / "scope" / FILE)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--held-out", type=float, default=HELD_OUT, help="share of the groups that are only asked")
    parser.add_argument("--start", type=Path, help="a matcher of the same cache to go on from; the mean is kept")
    given = parser.parse_args()
    torch.manual_seed(0)
    relations = read_relations(sorted((assets_dir() / "scope").glob("*.txt")))
    if not given.cache.is_file():
        _prepare(given.messages, given.encoder, [text for each in relations for text in each.wordings], given.cache)
    cache: dict[str, Any] = torch.load(given.cache)
    reader = Reader(cache["vocabulary"], cache["rarity"].tolist())
    held = held_out(relations, given.held_out)
    said = {text: vector for text, vector in zip(cache["wordings"], cache["wording_vectors"], strict=True)}
    asked = Pairs([one for one in relations if one.group in held], said, cache["messages"]) if held else None
    pairs = Pairs([one for one in relations if one.group not in held], said, cache["messages"])
    network = Network(cache["vectors"].float(), cache["rarity"])
    if given.start is not None:
        stored = {name: part.float() for name, part in load_file(given.start).items()}
        network.start(stored.pop("word.weight"), stored)
    learned = [{"params": [network.delta], "lr": RATE_OF_WORDS}]
    rest = [part for name, part in network.named_parameters() if name != "delta"]
    optimizer = torch.optim.AdamW([*learned, {"params": rest, "lr": RATE}], betas=(0.9, 0.98), weight_decay=0.01)
    full = [group["lr"] for group in optimizer.param_groups]
    near = _Neighbours(cache["messages"], cache["message_vectors"], said)
    rng, begun = random.Random(9), time.monotonic()
    for step in range(given.steps):
        for group, most in zip(optimizer.param_groups, full, strict=True):
            group["lr"] = most * rate(step, given.steps)
        some = [pairs.draw(rng) for _ in range(PAIRS_A_STEP)]
        alike = list(near.draw(rng, DISTILLED_A_STEP))
        found = network([(reader.read(one), reader.read(other)) for one, other, *_ in (*some, *alike)])
        same = torch.tensor([float(same) for *_, same in some])
        loss = functional.binary_cross_entropy_with_logits(found[: len(some), 0], same)
        wanted = torch.tensor([similarity for *_, similarity in alike])
        loss = loss + DISTILLED * functional.mse_loss(found[len(some) :, 1], wanted)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 500 == 0 or step + 1 == given.steps:
            print(f"step {step + 1:,}, {time.monotonic() - begun:.0f} s, loss {float(loss.detach()):.3f}", flush=True)
            network.eval()
            if asked is not None:
                print(_report(network, reader, asked), flush=True)
            network.save(given.out, cache["vocabulary"])
            network.train()
    if given.start is not None:
        save_mean(given.start, given.out)


@torch.no_grad()
def _report(network: Network, reader: Reader, pairs: Pairs, count: int = 600) -> str:
    """Print how many pairs of each kind score above 0, 1, 2 and 3, in relations that were never trained on."""
    rng = random.Random(5)
    scores: dict[str, torch.Tensor] = {}
    for kind in KINDS:
        some = [pairs.draw(rng, kind) for _ in range(count)]
        read = [(reader.read(one), reader.read(other)) for one, other, _ in some]
        scores[kind] = torch.cat([network(read[at : at + 200])[:, 0] for at in range(0, count, 200)])
    near = torch.cat([scores["name"], scores["group"]]).quantile(0.95)
    shares = ", ".join(
        f"{kind} " + "/".join(f"{float((found > limit).float().mean()):.3f}" for limit in (0, 1, 2, 3))
        for kind, found in scores.items()
    )
    return f"  never trained on: {float((scores['same'] > near).float().mean()):.3f} at 5 % of near; {shares}"


class _Neighbours:
    """Draws pairs of messages and of wordings with the encoder's similarity; three of four are near each other."""

    FIRST, NEAREST = 6000, 12

    def __init__(self, messages: Sequence[str], vectors: torch.Tensor, said: dict[str, torch.Tensor]) -> None:
        self._messages, self._vectors = messages, vectors
        first = vectors[: self.FIRST]
        self._nearest = torch.cat([(some @ vectors.T).topk(self.NEAREST).indices for some in first.split(500)])
        self._wordings = [text for text in said if "{" not in text]
        self._said = said

    def draw(self, rng: random.Random, count: int) -> Iterator[tuple[str, str, float]]:
        for number in range(count):
            if number % 3 == 0:
                one, other = rng.sample(self._wordings, 2)
                yield one, other, float(self._said[one] @ self._said[other])
                continue
            at = rng.randrange(min(self.FIRST, len(self._messages)))
            close = rng.random() < 0.75
            to = int(self._nearest[at, rng.randrange(1, self.NEAREST)]) if close else rng.randrange(len(self._messages))
            yield self._messages[at], self._messages[to], float(self._vectors[at] @ self._vectors[to])


def _prepare(paths: Sequence[Path], encoder: Path, wordings: Sequence[str], cache: Path) -> None:
    """The encoder's vectors of words, wordings and messages."""
    said, named, within = Counter[str](), Counter[str](), Counter[str]()
    messages: list[str] = []
    total = 0
    for text in _said(paths):
        found = words(text)
        total += 1
        said.update(word.text for word in found)
        named.update(word.text for word in found if word.named)
        within.update({word.text for word in found})
        if len(found) <= 25:
            messages.append(text)
    random.Random(0).shuffle(messages)
    messages = messages[:MESSAGES]
    often = [word for word, count in said.most_common() if count >= KNOWN and (named[word] < 0.7 * count)]
    written = Counter(word.text for text in wordings for word in words(text))
    own = [word for word, _ in written.most_common() if not any(map(str.isdigit, word))]
    vocabulary = list(dict.fromkeys(["?", "!", *often, *own]))
    rng = random.Random(0)
    filled = [put(text, fill(_slots(text), rng)) for text in wordings]
    vectors = _encoded(encoder, [*vocabulary, *filled, *messages])
    of_words, of_wordings, of_messages = vectors.split([len(vocabulary), len(filled), len(messages)])
    torch.save(
        {
            "vocabulary": vocabulary,
            "rarity": torch.tensor([math.log((total + 1) / (within[word] + 1)) for word in vocabulary]),
            "vectors": (of_words - of_words.mean(0)).half(),
            "wordings": list(wordings),
            "wording_vectors": of_wordings,
            "messages": messages,
            "message_vectors": of_messages,
        },
        cache,
    )


def _slots(text: str) -> list[str]:
    from theta_tui.learning.scope.training.wordings import SLOT

    return SLOT.findall(text)


def _said(paths: Sequence[Path]) -> Iterator[str]:
    """The user messages of some conversation files."""
    for path in paths:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for line in lines:
                row = json.loads(line)
                yield from [one["content"] for one in row.get("messages", ()) if one["role"] == "user"][:3]
                if "text" in row:
                    yield row["text"]


@torch.no_grad()
def _encoded(folder: Path, texts: Sequence[str]) -> torch.Tensor:
    """[texts, 384], each of length 1: the mean of the encoder's last hidden states."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    found = torch.empty(len(texts), model.config.hidden_size)
    by_length = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    for start in range(0, len(texts), 128):
        places = by_length[start : start + 128]
        read = tokenizer(
            [texts[at] for at in places], padding=True, truncation=True, max_length=48, return_tensors="pt"
        )
        states, real = model(**read).last_hidden_state, read["attention_mask"][..., None]
        found[places] = functional.normalize((states * real).sum(1) / real.sum(1), dim=-1)
    return found


if __name__ == "__main__":
    main()
