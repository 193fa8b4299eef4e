"""What a newcomer sees: the five replies to everyday prompts, and how good and how different they are.

    python -m tests.benchmarks.first_impressions MODEL [MODEL…] [--temperature 0.7 …] [--markdown FILE] [--json FILE]
    python -m tests.benchmarks.first_impressions MODEL [MODEL…] --judge FILE     # a table for a reader to fill in
    python -m tests.benchmarks.first_impressions --judged FILE                   # … and what the reader picked
    python -m tests.benchmarks.first_impressions MODEL --sweep                   # a grid of sampling settings

Each prompt opens a fresh conversation. The figures describe; whether a reply is any good only a reader can tell.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from tests.benchmarks.metrics import distinct, generic, repeats, unlike, wilson
from theta_tui.base.config import Settings
from theta_tui.base.errors import ThetaError
from theta_tui.base.text import visible
from theta_tui.bench.metrics import mean, quantile, words
from theta_tui.bench.tables import number, table
from theta_tui.model.generate import Reply, Sampling, propose
from theta_tui.model.language_model import LanguageModel

PROMPTS: dict[str, tuple[str, ...]] = {
    "greeting": (
        "hello", "Hi there!", "HEY", "good evening", "Hello theta, nice to meet you.", "bye", "Good night!",
        "see you tomorrow then",
    ),
    "feeling": (
        "I had a terrible day at work.", "i'm so happy right now!!", "I feel a bit lonely lately",
        "I'm nervous about my exam on Monday.", "My best friend is moving away and I will miss her.", "i am bored",
        "I finally got the job!",
    ),
    "small talk": (
        "How's your day going?", "It is really hot outside.", "what did you have for breakfast",
        "Do you prefer tea or coffee?", "I just came back from a walk in the park.", "any plans for the holidays?",
        "My neighbour got a new puppy.", "What should I cook tonight?",
    ),
    "request": (
        "What is the capital of France?", "how many days are in a week", "Tell me something interesting.",
        "Can you help me with my homework?", "What sound does a cow make?", "Give me a name for a goldfish.",
        "what is 2 plus 3?",
    ),
    "itself": (
        "What is your name?", "who made you?", "Are you a human or a computer?", "What can you do?",
        "how old are you", "Do you remember me?",
    ),
    "nonsense": ("asdfjkl; qwepoi", "🙂🙂🎉", "banana", "????"),
}  # fmt: skip
"""Forty, written for this file. A suite that judges models must not be copied in here."""
NEW: dict[str, tuple[str, ...]] = {
    "any": (
        "I might go see a movie later.", "cats are better than dogs, change my mind", "what should i have for dinner",
        "burnt the toast and set off the smoke alarm", "Tell me a joke", "We're having a baby!",
        "Just made pancakes, they smell amazing.", "opposite of big", "Who made you?",
        "My grandpa is in the hospital and I'm worried.", "any plans for the weekend?",
        "How many days are in a week?", "What colour is snow?", "how do i teach you stuff", "i play the drums, badly",
        "im jake and im 13", "My favorite color is dark green.", "🙂", "Honestly, I'm just happy today for no reason.",
        "It's been raining here all day.", "im bored out of my mind", "What is the capital of France?",
        "Good night Theta, sleep well", "whats 4 plus 5", "capital of japan?", "What is 3 + 3?", "hey theta whats up",
        "I passed my driving test this morning!", "asdfghjk", "I grew up on a farm near Nairobi.",
        "which day comes after tuesday", "Are you smarter than my phone?", "blorp blorp potato",
        "my neighbor brought us fresh tomatoes from her garden", "What kind of music do you like?", "Howdy partner!",
        "how old are you", "are you a real person", "lets play a game", "Can you remember what I tell you?",
    ),
}  # fmt: skip
"""Forty more, by somebody who had not seen what the models learn from; a line or two is there all the same."""
SETS = {"first": PROMPTS, "new": NEW}

COUNT = 5
SAMPLING = ("temperature", "top_p", "min_p", "top_k")
GRID = {
    "temperature": (0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    "min_p": (0.02, 0.05, 0.1),
    "top_p": (0.9, 0.95, 1.0),
}
EVERY = 3
"""The sweep asks every third prompt, which takes from each kind."""

CRITERION = "balance = the harmonic mean of unlike and of P a token (e to nats a token), × ended × (1 − repeats)"


@dataclass(frozen=True, slots=True)
class Seen:
    """The replies to one prompt, likeliest first."""

    kind: str
    prompt: str
    replies: tuple[Reply, ...]
    seconds: float

    @property
    def texts(self) -> list[str]:
        return [reply.text for reply in self.replies]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one model and one setting. Shares are of all replies; `balance` is the sweep's criterion."""

    distinct: float
    unlike: float
    ended: float
    nats_a_token: float
    words: float
    repeats: float
    generic: float
    seconds: float

    @property
    def balance(self) -> float:
        p = math.exp(self.nats_a_token)
        together = 2 * self.unlike * p / (self.unlike + p) if self.unlike + p else 0.0
        return together * self.ended * (1 - self.repeats)

    @classmethod
    def of(cls, seen: Sequence[Seen]) -> Figures:
        replies = [reply for item in seen for reply in item.replies]
        return cls(
            distinct=statistics.fmean(distinct(item.texts) for item in seen),
            unlike=statistics.fmean(unlike(item.texts) for item in seen),
            ended=mean(reply.ended for reply in replies) or 0.0,
            nats_a_token=mean(reply.logprob / reply.tokens for reply in replies) or 0.0,
            words=mean(len(words(reply.text)) for reply in replies) or 0.0,
            repeats=mean(repeats(reply.text) for reply in replies) or 0.0,
            generic=generic([item.texts for item in seen]) or 0.0,
            seconds=quantile([item.seconds for item in seen], 0.5) or 0.0,
        )


HEADER = (
    "distinct of 5", "unlike", "ended", "nats a token", "words", "repeated 4-gram", "generic", "s a prompt", "balance",
)  # fmt: skip


def cells(figures: Figures) -> list[str]:
    values = (*asdict(figures).values(), figures.balance)
    return [number(value, digits) for value, digits in zip(values, (2, 2, 3, 2, 1, 3, 3, 2, 3), strict=True)]


def everyday(every: int = 1, sets: Sequence[str] = ("first",)) -> list[tuple[str, str]]:
    kinds = [item for name in sets for item in SETS[name].items()]
    return [(kind, prompt) for kind, prompts in kinds for prompt in prompts][::every]


def ask(
    lm: LanguageModel, prompts: Sequence[tuple[str, str]], sampling: Sampling, seed: int, window: int
) -> Iterator[Seen]:
    """The five replies to each prompt, each in a conversation of its own and with a seed of its own."""
    for place, (kind, prompt) in enumerate(prompts):
        ids = lm.encode_prompt((), prompt, room=sampling.max_tokens, limit=window).ids
        started = time.perf_counter()
        replies = propose(lm, ids, sampling, seed=1000 * seed + place)
        yield Seen(kind, prompt, tuple(replies or ()), time.perf_counter() - started)


def show(seen: Seen) -> None:
    print(f"\n{visible(seen.prompt, one_line=True)}")
    for place, reply in enumerate(seen.replies, 1):
        cut = "" if reply.ended else " [cut]"
        print(f"  {place}  {visible(reply.text, one_line=True)}{cut}  ({reply.logprob:.1f})")


def as_table(seen: Sequence[Seen]) -> str:
    rows = [[item.prompt, *item.texts, *[""] * (COUNT - len(item.replies))] for item in seen]
    return table(("prompt", *map(str, range(1, COUNT + 1))), rows)


def summary(rows: Sequence[tuple[str, Figures]]) -> str:
    return table(("model", *HEADER), [[name, *cells(figures)] for name, figures in rows])


# --- a reader's judgement ---

JUDGE_HEADER = ("prompt", *map(str, range(1, COUNT + 1)), "picked", "meanings", "model")


def write_judge(path: Path, all_seen: Sequence[tuple[str, Sequence[Seen]]], seed: int) -> None:
    """A row a prompt and model; where there are several models, mixed, and the model's name comes last."""
    rows = [
        [item.prompt, *item.texts, *[""] * (COUNT - len(item.replies)), "", "", name]
        for name, seen in all_seen
        for item in seen
    ]
    if len(all_seen) > 1:
        random.Random(seed).shuffle(rows)
    lines = ["\t".join(" ".join(visible(cell).split()) for cell in row) for row in (JUDGE_HEADER, *rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def read_judged(path: Path, column: str = "picked") -> dict[str, list[int | None]]:
    """The numbers of a column (None not judged), by model. Raises ValueError naming the line."""
    found: dict[str, list[int | None]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE), 2):
            given = (row.get(column) or "").strip()
            if given and given not in map(str, range(COUNT + 1)):
                raise ValueError(f"{path}, line {line}: '{given}' is not 0 to {COUNT}")
            found.setdefault(row.get("model") or "", []).append(int(given) if given else None)
    return found


def judged(path: Path) -> str:
    rows = []
    meanings = read_judged(path, "meanings")
    for name, picks in read_judged(path).items():
        filled = [pick for pick in picks if pick is not None]
        hits = sum(pick > 0 for pick in filled)
        low, high = wilson(hits, len(filled))
        share = hits / len(filled) if filled else None
        counted = [count for count in meanings[name] if count is not None]
        rows.append([name, f"{hits}/{len(filled)}", number(share), f"{low:.2f}–{high:.2f}"])
        rows[-1] += [str(len(picks) - len(filled)), number(mean(count == COUNT for count in counted))]
    header = ("model", "prompts with a pick", "share", "Wilson 95 %", "not judged", "all five differ in meaning")
    return table(header, rows)


# --- the sweep ---


def sweep(lm: LanguageModel, sampling: Sampling, seed: int, window: int) -> list[dict[str, Any]]:
    """The figures at each point of the grid, best balance first."""
    points = list(product(*GRID.values()))
    found: list[dict[str, Any]] = []
    for count, (temperature, min_p, top_p) in enumerate(points, 1):
        point = replace(sampling, temperature=temperature, min_p=min_p, top_p=top_p)
        figures = Figures.of(list(ask(lm, everyday(EVERY), point, seed, window)))
        found.append({"temperature": temperature, "min_p": min_p, "top_p": top_p, "figures": figures})
        print(f"\r{count}/{len(points)}", end="", file=sys.stderr, flush=True)
    print("\r", end="", file=sys.stderr)
    return sorted(found, key=lambda row: -row["figures"].balance)


def sweep_table(rows: Sequence[dict[str, Any]]) -> str:
    return table((*GRID, *HEADER), [[*(f"{row[name]:g}" for name in GRID), *cells(row["figures"])] for row in rows])


# --- the command ---


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.first_impressions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default, a folder or a Hugging Face id")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prompts", choices=SETS, action="append", help="which forty; both may be named")
    for name in SAMPLING:
        value = getattr(defaults, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, help=f"default {value:g}")
    parser.add_argument("--max-tokens", type=int, default=defaults.max_tokens)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="figures and replies")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="a table of the replies, and the figures")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="write a TSV whose columns a reader fills")
    parser.add_argument("--judged", type=Path, metavar="FILE", help="read it back: the share of prompts with a pick")
    parser.add_argument("--sweep", action="store_true", help=f"a grid of sampling settings, best first: {CRITERION}")
    given = parser.parse_args(argv)
    if not given.models and not given.judged:
        parser.error("name a MODEL, or give --judged FILE")
    return given


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments(argv)
    if given.judged:
        print(judged(given.judged))
        return 0
    window = Settings().window
    sampling = Sampling(max_tokens=given.max_tokens, count=COUNT, **{name: getattr(given, name) for name in SAMPLING})
    parts: list[str] = []
    data: list[dict[str, Any]] = []
    all_seen: list[tuple[str, list[Seen]]] = []
    for name in given.models:
        lm = LanguageModel.load(name, device=given.device, threads=given.threads)
        if given.sweep:
            rows = sweep(lm, sampling, given.seed, window)
            parts.append(f"## {name}\n\n{len(everyday(EVERY))} prompts; {CRITERION}\n\n{sweep_table(rows)}")
            print(parts[-1])
            data += [row | {"model": name, "figures": asdict(row["figures"])} for row in rows]
            continue
        print(f"\n## {name}")
        seen = []
        for item in ask(lm, everyday(sets=given.prompts or tuple(SETS)), sampling, given.seed, window):
            show(item)
            seen.append(item)
        all_seen.append((name, seen))
        parts.append(f"## {name}\n\n{as_table(seen)}")
        prompts = [asdict(item) for item in seen]
        data.append({"model": name, "figures": asdict(Figures.of(seen)), "sampling": asdict(sampling), "seen": prompts})
    if all_seen:
        figures = summary([(name, Figures.of(seen)) for name, seen in all_seen])
        settings = ", ".join(f"{name} {value:g}" for name, value in asdict(sampling).items())
        parts.insert(0, f"# First impressions\n\n{settings}, seed {given.seed}\n\n{figures}")
        print(f"\n{settings}, seed {given.seed}\n\n{figures}")
    if given.markdown:
        given.markdown.write_text("\n\n".join(parts) + "\n", "utf-8")
    if given.json:
        given.json.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", "utf-8")
    if given.judge and all_seen:
        write_judge(given.judge, all_seen, given.seed)
        print(f"\nfill in {given.judge}, then --judged it: 'picked' is 1 to {COUNT}, or 0 for none of them;")
        print(f"'meanings' is how many of the five differ in what they mean, {COUNT} where all do")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ThetaError, ValueError, OSError) as error:
        sys.exit(str(error))
