"""Does picking shape what is offered? A hidden scorer always picks by one trait; is the trait then offered more often?

    python -m tests.benchmarks.picks [--trait short polite question] [--listwise 0.1]

Prompts are what the model itself thinks a user would say (sampled, so nobody's text is needed); those that are picked
on and those that are measured on never meet. Each pick is one lesson of kind `pick` with the four others beside it.
After 0, 10, 30 and 100 picks: the share of the five candidates that have the trait, the distinct ones of the five,
the mean log-probability of the candidates in nats a token under the base model (is it still good language?), and
ΔPPL on what the untaught model wrote.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from theta_tui.base.text import normalised
from theta_tui.bench.tables import number, table
from theta_tui.learning.learner import Learner
from theta_tui.learning.recall import score
from theta_tui.learning.recipes import RECIPES, Recipe
from theta_tui.model.generate import Sampling, probabilities, propose
from theta_tui.model.language_model import LanguageModel

AFTER = (0, 10, 30, 100)
MEASURED = 24

TRAITS: dict[str, Callable[[str], float]] = {
    "short": lambda text: -len(text.split()),
    "polite": lambda text: sum(
        word in normalised(text).split() for word in ("please", "thank", "thanks", "sorry", "glad")
    ),
    "question": lambda text: float("?" in text),
}
HAS: dict[str, Callable[[str], bool]] = {
    "short": lambda text: len(text.split()) <= 4,
    "polite": lambda text: TRAITS["polite"](text) > 0,
    "question": lambda text: "?" in text,
}


def said_by_users(lm: LanguageModel, count: int) -> list[str]:
    """What the model thinks a user would say: sampled where a user's turn begins, up to the next mark."""
    sampling = Sampling(temperature=1.0, top_p=1.0, top_k=0, min_p=0.02, max_tokens=24)
    generator = torch.Generator().manual_seed(11)
    one, other = (lm.encode_prompt((), text, room=8).ids for text in ("a", "b"))
    start = lm.decoder.prefill(
        one[: next(at for at, pair in enumerate(zip(one, other, strict=False)) if len({*pair}) > 1)]
    )
    marks = lm.end_ids | lm.chat.control_ids
    found: dict[str, None] = {}
    while len(found) < count:
        rows: list[list[int]] = [[] for _ in range(64)]
        writing, logits = lm.decoder.branch(start, len(rows), sampling.max_tokens), start.logits.expand(len(rows), -1)
        for step in range(sampling.max_tokens):
            if step:
                logits = writing.step([row[-1] for row in rows])
            drawn = torch.multinomial(probabilities(logits, sampling), 1, generator=generator)[:, 0].tolist()
            for row, token in zip(rows, drawn, strict=True):
                row.append(token)
        for row in rows:
            end = next((at for at, token in enumerate(row) if token in marks), len(row))
            text = lm.tokenizer.decode(row[:end]).strip()
            if 2 <= len(text.split()) <= 14:
                found.setdefault(text)
    return list(found)[:count]


def offered(lm: LanguageModel, prompt: str, seed: int) -> list[str]:
    sampling = Sampling(temperature=0.7, top_p=0.95, top_k=0, min_p=0.1, max_tokens=32, count=5)
    replies = propose(lm, lm.encode_prompt((), prompt, room=32).ids, sampling, seed=seed)
    assert replies is not None
    return [reply.text for reply in replies]


def nats(lm: LanguageModel, pairs: Sequence[tuple[str, str]]) -> float:
    seen = [score(lm, (), prompt, reply) for prompt, reply in pairs if reply.strip()]
    return sum(one.logprob for one in seen) / sum(one.tokens for one in seen)


def run(lm: LanguageModel, trait: str, recipe: Recipe, prompts: Sequence[str], most: int) -> list[list[str]]:
    """A row for each of AFTER."""
    lm.load_weights()
    learner = Learner(lm)
    fresh, used = prompts[:MEASURED], prompts[MEASURED:]
    wrote = [(prompt, offered(lm, prompt, 1)[0]) for prompt in used[-24:]]
    before = nats(lm, wrote)
    rows: list[list[str]] = []
    gathered: list[list[tuple[str, str]]] = []
    for count in range(most + 1):
        if count in AFTER:
            five = [offered(lm, prompt, 7) for prompt in fresh]
            replies = [(prompt, text) for prompt, texts in zip(fresh, five, strict=True) for text in texts]
            gathered.append(replies)
            share = sum(HAS[trait](text) for _, text in replies) / len(replies)
            distinct = sum(len(set(map(normalised, texts))) for texts in five) / len(five)
            ppl = float(torch.tensor(before - nats(lm, wrote)).exp()) - 1
            rows.append([recipe.name, trait, str(count), number(share), f"{distinct:.2f}", f"{100 * ppl:+.1f} %"])
            print(f"{recipe.name} {trait} {count}: {share:.3f}", file=sys.stderr, flush=True)
        if count < most:
            prompt = used[count % (len(used) - 24)]
            texts = offered(lm, prompt, 100 + count)
            chosen = max(texts, key=TRAITS[trait])
            others = [text for text in texts if text != chosen]
            learner.learn("pick", prompt, chosen, recipe, seed=count, others=others)
    lm.load_weights()
    for row, replies in zip(rows, gathered, strict=True):
        row.insert(5, number(nats(lm, replies)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="default")
    parser.add_argument("--trait", nargs="+", choices=TRAITS, default=list(TRAITS))
    parser.add_argument("--recipe", nargs="+", choices=RECIPES, default=["default"])
    parser.add_argument("--listwise", type=float, nargs="+", help="instead of the recipe's")
    parser.add_argument("--rate", type=float, help="pick_lr, instead of the recipe's")
    parser.add_argument("--decay", type=float, help="pick_decay, instead of the recipe's")
    parser.add_argument("--picks", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    lm = LanguageModel.load(given.model, device="cpu", threads=given.threads)
    prompts = said_by_users(lm, MEASURED + 24 + given.picks)
    rows: list[list[str]] = []
    for name in given.recipe:
        recipe = RECIPES[name]
        if given.rate is not None:
            recipe = replace(recipe, pick_lr=given.rate)
        if given.decay is not None:
            recipe = replace(recipe, pick_decay=given.decay)
        for weight in given.listwise or [recipe.listwise]:
            named = replace(recipe, listwise=weight, name=f"{name} λ{weight:g}")
            for trait in given.trait:
                rows += run(lm, trait, named, prompts, given.picks)
    print(table(("recipe", "trait", "picks", "share", "distinct", "nats", "ΔPPL"), rows))


if __name__ == "__main__":
    main()
