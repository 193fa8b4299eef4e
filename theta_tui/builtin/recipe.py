"""Makes the built-in model again: `python -m theta_tui.builtin.recipe DATA OUT`.

DATA is a folder with the conversation shards that the model card names. This module adds conversations that are
teachable by construction, others in which the model has to listen, small talk for the first minute, and the
assistant's name, and thins out what the shards repeat a thousand times. There are two stages: chit-chat from scratch,
then the full mix.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from theta_tui.builtin import listening, small_talk, teachable
from theta_tui.builtin.exclusion import Excluder
from theta_tui.builtin.shards import lines, named, sound, thinned, write
from theta_tui.pretrain.documents import Source

MIX = {
    # people talking
    "self_dialogue": 0.35,
    "topical_chat": 0.5,
    "synthetic_persona_chat": 1.0,
    # the assistant's voice
    "project_basics": 0.6,
    "personality_chat_authored": 1.0,
    "personality_chat": 0.5,
    "clinc_assistant": 0.3,
    "chatterbot_corpus": 2.0,
    "small_talk": 1.0,
    "teachable": 1.0,
    "listening": 1.5,
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
"""Weight of each shard in the second stage: how often an epoch takes each of its conversations."""

FIRST_STAGE = {
    "self_dialogue": 0.8,
    "synthetic_persona_chat": 2.0,
    "topical_chat": 0.7,
    "personality_chat_authored": 0.6,
}

NAMED = ("project_basics", "personality_chat_authored", "personality_chat", "clinc_assistant", "chatterbot_corpus")
"""Shards in which the assistant speaks: it is renamed Theta there, and repeated openings are thinned."""

TEACHABLE, SMALL_TALK = 40_000, 4_000
"""Numbers of generated conversations."""
LISTENING = 1.0
"""Share of the conversations that `listening` makes."""


def prepare_data(data: Path, out: Path, exclude: Path | None) -> None:
    """Write the shards for training into `out`, without the questions of the suite `exclude`."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(data.glob("*.jsonl.gz")):
        name = path.name.removesuffix(".jsonl.gz")
        if name in MIX:
            rows = sound(lines(path))
            write(out / path.name, thinned(named(rows)) if name in NAMED else rows)
    excluder = Excluder(exclude.read_text("utf-8").splitlines() if exclude else [])
    made = {"small_talk": small_talk.conversations(1, SMALL_TALK), "listening": listening.conversations(1, LISTENING)}
    for name, rows in made.items():
        write(out / f"{name}.jsonl.gz", (row for row in rows if excluder.hit(row) is None))
    arguments = ["--seed", "1", "--count", str(TEACHABLE), "--out", str(out / "teachable.jsonl.gz")]
    teachable.main([*arguments, *(["--exclude", str(exclude)] if exclude else [])])


def mix(folder: Path, weights: dict[str, float]) -> tuple[Source, ...]:
    return tuple(Source(folder / f"{name}.jsonl.gz", weight) for name, weight in weights.items())


def main() -> None:
    from theta_tui.pretrain.command import TrainOptions, train
    from theta_tui.pretrain.progress import ProgressDisplay

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with the shards")
    parser.add_argument("out", type=Path, help="working folder; the model is written to its `model`")
    parser.add_argument("--exclude", type=Path, help="a teach-bench suite whose questions are left out")
    parser.add_argument("--minutes", type=float, default=90.0, help="minutes per stage")
    parser.add_argument("--model", help="continue from this model instead of training the first stage")
    given = parser.parse_args()
    shards = given.out / "shards"
    if not (shards / "teachable.jsonl.gz").is_file():
        prepare_data(given.data, shards, given.exclude)

    def report(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    progress = ProgressDisplay(quiet=False, tensorboard=None)
    options = TrainOptions(
        mix(shards, FIRST_STAGE), given.out / "first", minutes=given.minutes,
        optimizer="muon", batch_tokens=6144, length=512, loss="all", validation=0.005,
    )  # fmt: skip
    if given.model is None:
        train(options, report, progress)
    second = replace(
        options, sources=mix(shards, MIX), out=given.out / "model", model=given.model or str(given.out / "first"),
        window=512, muon_lr=0.012, lr=1.5e-3, decay=0.8, warmup=0.03,
    )  # fmt: skip
    report(str(train(second, report, progress)))


if __name__ == "__main__":
    main()
