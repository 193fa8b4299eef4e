"""Does the gate find wordings of relations that it was never trained on?

    python -m tests.benchmarks.unseen_relations [--pairs 400] [--draws 3]

The training of the matcher asks one group of relations in seven and never learns from it. Pairs are drawn of these: two
wordings of one relation, the same with another name, and wordings of two relations that look alike. `found at 5 %` is
the share of the first that score higher than all but one in twenty of the others. `network` is the matcher's network
alone, `gate` is the decision with all rules, for a lesson that is alone. Draws differ by several points, since one
relation is in many pairs, so the mean of several is shown with the least and the most.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from theta_tui.base.files import assets_dir
from theta_tui.bench.tables import table
from theta_tui.learning.scope.index import Scopes
from theta_tui.learning.scope.matcher import Matcher, batch, shipped
from theta_tui.learning.scope.training.__main__ import HELD_OUT
from theta_tui.learning.scope.training.pairs import Pairs
from theta_tui.learning.scope.training.wordings import held_out, read_relations

KINDS = "same", "name", "group"

Drawn = dict[str, list[tuple[str, str]]]
"""(taught, asked) by kind."""


def draw(count: int, seed: int) -> Drawn:
    """So many pairs of each kind, of the groups that are only asked."""
    relations = read_relations(sorted((assets_dir() / "scope").glob("*.txt")))
    held = held_out(relations, HELD_OUT)
    asked = [relation for relation in relations if relation.group in held]
    nothing = torch.zeros(1)  # what an encoder says of them is needed for other kinds only
    pairs = Pairs(asked, {text: nothing for one in asked for text in one.wordings}, [])
    rng = random.Random(seed)
    return {kind: [pairs.draw(rng, kind)[:2] for _ in range(count)] for kind in KINDS}


def network(matcher: Matcher, pairs: Sequence[tuple[str, str]]) -> Iterator[float]:
    read = matcher.reader.read
    for at in range(0, len(pairs), 64):
        yield from matcher._forward(*batch([(read(one), read(other)) for one, other in pairs[at : at + 64]]))


def gate(matcher: Matcher, pairs: Sequence[tuple[str, str]]) -> Iterator[float]:
    for taught, asked in pairs:
        scopes = Scopes(matcher)
        scopes.put(0, [taught])
        found = scopes.decide(asked)
        yield found.score if found.sure else min(found.score, 1.0) - 1e-6


def figures(drawn: Drawn, matcher: Matcher) -> list[float]:
    """Network: found at 5 %. Gate: found at 5 %; then what it finds, and what it takes of each of the others."""
    alone = {kind: np.array(list(network(matcher, pairs))) for kind, pairs in drawn.items()}
    whole = {kind: np.array(list(gate(matcher, pairs))) for kind, pairs in drawn.items()}
    at = [float((some["same"] > np.quantile([*some["name"], *some["group"]], 0.95)).mean()) for some in (alone, whole)]
    return [*at, *(float((whole[kind] >= 1).mean()) for kind in KINDS)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--draws", type=int, default=3)
    options = parser.parse_args(arguments)
    rows = np.array([figures(draw(options.pairs, seed), shipped()) for seed in range(options.draws)])
    names = "network: found at 5 %", "gate: found at 5 %", "gate: found", "takes another name", "takes another relation"
    cells = [
        (name, *(f"{of(row):.3f}" for of in (np.mean, np.min, np.max))) for name, row in zip(names, rows.T, strict=True)
    ]
    print(table(("", "mean", "least", "most"), cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
