"""The built-in model, made again: `python -m theta_tui.builtin.recipe DATA OUT`.

DATA is a folder with the conversation shards that the model card names. What this adds to them is ours: conversations
that are teachable by construction, a first minute of small talk, the assistant's name, and a thinning of what the
shards repeat a thousand times. Two stages: chit-chat and the full mix from scratch, then the final mix.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.builtin import small_talk, teachable
from theta_tui.builtin.exclusion import Excluder
from theta_tui.pretrain.documents import Source

if TYPE_CHECKING:
    pass

MIX = {
    # people talking
    "self_dialogue": 0.35,
    "topical_chat": 0.5,
    "synthetic_persona_chat": 1.0,
    # the assistant's voice
    "project_basics": 0.6,
    "personality_chat_authored": 1.0,
    "personality_chat": 0.5,
    "clinc_assistant": 1.0,
    "chatterbot_corpus": 2.0,
    "small_talk": 1.0,
    "teachable": 1.0,
    # knowledge, a little
    "wordnet_definitions": 0.5,
    "tldr_shell": 0.5,
    "open_trivia_qa": 0.1,
    "tatoeba_sentences": 0.2,
    # tasks, less
    "star": 0.1,
    "taskmaster3_movies": 0.2,
    "taskmaster4_coffee": 0.2,
    "casino_camping": 0.2,
    "schema_guided_dialogue": 0.05,
}
"""How often each conversation of a shard is seen in an epoch of the second stage."""

FIRST_STAGE = {
    "self_dialogue": 0.8,
    "synthetic_persona_chat": 2.0,
    "topical_chat": 0.7,
    "personality_chat_authored": 0.6,
}

NAMED = ("project_basics", "personality_chat_authored", "personality_chat", "clinc_assistant", "chatterbot_corpus")
"""Shards in which the assistant speaks: there it is called Theta, and repeated openings are thinned."""

OPENINGS = 20
"""A conversation that opens with the same exchange as this many others loses that exchange."""

TEACHABLE, SMALL_TALK = 40_000, 4_000
"""Conversations that are generated."""


def prepare_data(data: Path, out: Path, exclude: Path | None) -> None:
    """Write the shards as they are trained on into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(data.glob("*.jsonl.gz")):
        name = path.name.removesuffix(".jsonl.gz")
        if name in MIX:
            write(out / path.name, thinned(named(lines(path))) if name in NAMED else lines(path))
    excluder = Excluder(exclude.read_text("utf-8").splitlines() if exclude else [])
    said = (row for row in small_talk.conversations(1, SMALL_TALK) if excluder.hit(row) is None)
    write(out / "small_talk.jsonl.gz", said)
    arguments = ["--seed", "1", "--count", str(TEACHABLE), "--out", str(out / "teachable.jsonl.gz")]
    teachable.main([*arguments, *(["--exclude", str(exclude)] if exclude else [])])


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def named(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The assistant's name in its own replies."""
    for row in rows:
        for message in row["messages"]:
            if message["role"] == "assistant":
                message["content"] = re.sub(r"\bAssistant\b", "Theta", message["content"])
        yield row


def thinned(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Without the opening exchanges that too many conversations share; what follows them stays."""
    seen: Counter[tuple[str, str]] = Counter()
    for row in rows:
        messages = row["messages"]
        while messages:
            opening = messages[0]["content"].lower(), messages[1]["content"]
            seen[opening] += 1
            if seen[opening] <= OPENINGS:
                break
            messages = messages[2:]
        if messages:
            yield row | {"messages": messages}


EXCHANGES = 1024
"""What the model says to itself to be measured on (25,000 tokens), and about as many conversations beside it."""


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def mix(folder: Path, weights: dict[str, float]) -> tuple[Source, ...]:
    return tuple(Source(folder / f"{name}.jsonl.gz", weight) for name, weight in weights.items())


def main() -> None:
    from theta_tui.pretrain.command import Options, train
    from theta_tui.pretrain.progress import Watch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with the shards")
    parser.add_argument("out", type=Path, help="folder to work in; the model comes to lie in its `model`")
    parser.add_argument("--exclude", type=Path, help="a teach-bench suite whose questions never enter")
    parser.add_argument("--minutes", type=float, default=90.0, help="of the second stage; the first takes as long")
    parser.add_argument("--model", help="go on from this model instead of a first stage")
    given = parser.parse_args()
    shards = given.out / "shards"
    if not (shards / "teachable.jsonl.gz").is_file():
        prepare_data(given.data, shards, given.exclude)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    watch = Watch(quiet=False, tensorboard=None)
    options = Options(
        mix(shards, FIRST_STAGE), given.out / "first", minutes=given.minutes,
        optimizer="muon", batch_tokens=6144, length=512, loss="all", validation=0.005,
    )  # fmt: skip
    if given.model is None:
        train(options, say, watch)
    second = replace(
        options, sources=mix(shards, MIX), out=given.out / "model", model=given.model or str(given.out / "first"),
        window=512, muon_lr=0.012, lr=1.5e-3, decay=0.8, warmup=0.03,
    )  # fmt: skip
    say(str(train(second, say, watch)))


if __name__ == "__main__":
    main()
