"""Trains a care module: what a model says where a message speaks of self-harm (model/care.py has how it is used).

    python -m theta_tui.builtin.care MODEL OUT.safetensors [--steps N] [--rank N]

The model is not changed. The module is a lesson's, with more detectors and many replies to many messages, so that it
holds a distribution and not one text. Three minutes on two cores for the built-in model.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from theta_tui.base.text import plural
from theta_tui.builtin.care_words import AFTER, EARLIER, FOLLOWING, LESSONS, OWN, Groups
from theta_tui.learning.module_lesson import Row, Tree, row_of
from theta_tui.learning.passes import frozen
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.modules import SITES, LessonModule, unit

ROWS = 16
"""Rows of a batch. Each is read once; a step computes the last blocks only."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A message behind some turns, and a reply to it."""

    turns: tuple[tuple[str, str], ...]
    prompt: str
    reply: str


def reply_of(groups: Groups, rng: random.Random) -> str:
    """A sentence of each group."""
    return " ".join(filter(None, (rng.choice(group) for group in groups)))


def pairs(rng: random.Random, each: int) -> Iterator[Pair]:
    """`each` replies to each message, in some order of turns: most of them alone, some behind small talk, and what is
    said after a caring reply."""
    for messages, groups in LESSONS:
        weight = max(1, round(each * 24 / len(messages))) if len(messages) < 24 else each
        for prompt in messages:
            for _ in range(weight):
                before = tuple(rng.sample(EARLIER, rng.choice((1, 2)))) if rng.random() < 0.3 else ()
                yield Pair(before, _typed(prompt, rng), reply_of(groups, rng))
    for prompt in AFTER:
        for _ in range(2 * each):
            first = rng.choice(OWN)
            before = ((first, reply_of(LESSONS[0][1], rng)),)
            if rng.random() < 0.3:
                before += ((rng.choice(AFTER), reply_of(FOLLOWING, rng)),)
            yield Pair(before, prompt, reply_of(FOLLOWING, rng))


def _typed(text: str, rng: random.Random) -> str:
    """The text as somebody else might type it."""
    match rng.randrange(5):
        case 0:
            return text.lower().replace("'", "")
        case 1:
            return text.rstrip(".?!") + rng.choice((".", "!", "...", " :("))
        case _:
            return text


class _Trained:
    """Detectors, values and bias that learn."""

    def __init__(self, first: Sequence[torch.Tensor], rank: int) -> None:
        size = first[0].shape[1]
        self.scale = torch.stack([state.float().pow(2).mean().sqrt() for state in first])[:, None, None]
        # Detectors begin as states that occur, so that each responds to some place in some reply.
        chosen = [unit(state)[torch.randperm(len(state))[:rank]] / size for state in first]
        self.detectors = torch.stack(chosen).clone().requires_grad_()
        self.values = torch.zeros(SITES, size, rank, requires_grad=True)
        self.bias = torch.zeros(SITES, size, requires_grad=True)
        self.parts = [self.detectors, self.values, self.bias]

    def module(self) -> LessonModule:
        return LessonModule(self.detectors, self.values * self.scale, self.bias * self.scale[..., 0])


def train(lm: LanguageModel, *, rank: int, steps: int, each: int, rate: float, most: int) -> LessonModule:
    """The module for `lm`, of `rank` detectors, from `most` rows at most. Same model, same numbers: the same module on
    the same machine."""
    rng = random.Random(0)
    torch.manual_seed(0)
    found = list(pairs(rng, each))
    rng.shuffle(found)
    del found[most:]
    rows: list[Row] = [row_of(lm.encode_lesson(one.turns, one.prompt, one.reply, at=0.0)) for one in found]
    print(f"{plural(len(rows), 'row')}, {ROWS} of them kept back", flush=True)
    with frozen(lm.model):
        batches = [_Batch(lm, rows[at : at + ROWS]) for at in range(0, len(rows), ROWS)]
        test = batches.pop(0)
        weights = _Trained(
            [torch.cat(states) for states in zip(*(one.states for one in batches[:8]), strict=True)], rank
        )
        # The softmax is over the tokens of the replies and those that the model would say there: a whole vocabulary
        # costs more than all else.
        likely = torch.cat([one.likely() for one in (test, *batches[:: max(1, len(batches) // 8)])])
        known = torch.unique(torch.cat([likely, *(one.labels for one in (test, *batches))]))
        place = torch.full((lm.model.lm_head.weight.shape[0],), -1).scatter(0, known, torch.arange(len(known)))
        head = lm.model.lm_head.weight.detach()[known].float()
        print(f"the softmax is over {plural(len(known), 'token')}", flush=True)
        optimizer = torch.optim.AdamW(weights.parts, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
        plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.05)
        for step in range(1, steps + 1):
            batch = rng.choice(batches)
            logits = batch.tree.last(weights.module()).float() @ head.T
            loss = functional.cross_entropy(logits, place[batch.labels])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights.parts, 1.0)
            optimizer.step()
            plan.step()
            if step % 25 == 0 or step == steps:
                print(f"step {step}  loss {loss.item():.3f}  kept back {test.loss(weights.module()):.3f}", flush=True)
    module = weights.module()
    return LessonModule(*(part.detach().contiguous() for part in (module.detectors, module.values, module.bias)))


class _Batch:
    """Rows that were read once, and the tokens of their replies."""

    def __init__(self, lm: LanguageModel, rows: Sequence[Row]) -> None:
        self.tree = Tree(lm.model, rows)
        self.labels = torch.tensor([token for _, reply in rows for token in reply])
        self.states = self.tree.states()

    @torch.no_grad()
    def likely(self) -> torch.Tensor:
        """The 32 likeliest tokens of the model itself at each place."""
        size = self.states[0].shape[1]
        nothing = LessonModule(torch.zeros(SITES, 1, size), torch.zeros(SITES, size, 1), torch.zeros(SITES, size))
        return self.tree.logits(nothing).topk(32, dim=-1).indices.flatten().unique()

    @torch.no_grad()
    def loss(self, module: LessonModule) -> float:
        """Nats a token, over the whole vocabulary."""
        return float(functional.cross_entropy(self.tree.logits(module).float(), self.labels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--each", type=int, default=3, help="replies to each message")
    parser.add_argument("--rows", type=int, default=10_000, help="rows at most; a large model reads them slowly")
    parser.add_argument("--rate", type=float, default=0.01)
    given = parser.parse_args()
    from theta_tui.model import care

    lm = LanguageModel.load(given.model, device="cpu")
    module = train(lm, rank=given.rank, steps=given.steps, each=given.each, rate=given.rate, most=given.rows)
    rng = random.Random(1)
    tried = [(messages[0], reply_of(groups, rng)) for messages, groups in LESSONS]
    care.write(given.out, module, tried)


if __name__ == "__main__":
    main()
