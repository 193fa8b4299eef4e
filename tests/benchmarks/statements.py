"""How well stated facts are read: precision and recall on 200 sentences, half of which are no facts.

`python -m tests.benchmarks.statements [tuning|kept]`. The templates were written against the half `tuning`; `kept` was
looked at only when they were done. A pair counts as right where question and answer are what the table says, word for
word; `/` parts questions that are all right. Intervals are Wilson's, 95 %.

When `kept` was first looked at, 49 of its 50 facts were read, all rightly, and none of its 50 others; "The war ended in
1945." was not, and is now. One hand wrote all the sentences, so both halves are alike.
"""

from __future__ import annotations

import csv
import math
import sys
from dataclasses import dataclass
from pathlib import Path

from theta_tui.facts.statements import Pair, load_dictionary, read

TABLE = Path(__file__).with_name("statements_200.tsv")


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence and what it should be read as (`questions` is empty where it is no fact)."""

    half: str
    sentence: str
    questions: tuple[str, ...]
    reply: str
    previous: str | None

    def right(self, pair: Pair) -> bool:
        return pair.prompt in self.questions and pair.reply == self.reply


def rows(half: str | None = None) -> list[Row]:
    """The table, or one half of it."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        found = [
            Row(
                line["half"],
                line["sentence"],
                tuple(line["question"].split("/")) if line["kind"] == "fact" else (),
                line["reply"],
                line["previous"] or None,
            )
            for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]
    return [row for row in found if half in {None, row.half}]


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The interval that holds the true share with 95 %."""
    if not total:
        return 0.0, 1.0
    share = hits / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, centre - spread), min(1.0, centre + spread)


@dataclass(frozen=True, slots=True)
class Score:
    """`offered` pairs of which `right` are what the table says, out of `facts`."""

    offered: int
    right: int
    facts: int
    misses: tuple[str, ...]


def score(table: list[Row]) -> Score:
    """Read every sentence of `table`."""
    dictionary = load_dictionary()
    offered = right = facts = 0
    misses: list[str] = []
    for row in table:
        pair = read(row.sentence, dictionary, previous=row.previous)
        facts += bool(row.questions)
        offered += pair is not None
        if pair is not None and row.right(pair):
            right += 1
        elif pair is not None:
            kind = "read otherwise" if row.questions else "read, and no fact"
            misses.append(f"{kind}: {row.sentence} → {pair.prompt} {pair.reply} [{pair.template}]")
        elif row.questions:
            misses.append(f"not read: {row.sentence}")
    return Score(offered, right, facts, tuple(misses))


def _share(name: str, hits: int, total: int) -> str:
    low, high = wilson(hits, total)
    return f"{name} {hits}/{total} = {hits / total if total else 1:.3f} [{low:.3f}, {high:.3f}]"


def main() -> int:
    for half in sys.argv[1:] or ["tuning", "kept"]:
        found = score(rows(half))
        precision, recall = _share("precision", found.right, found.offered), _share("recall", found.right, found.facts)
        print(f"{half:6}  {precision}  {recall}")
        for miss in found.misses:
            print(f"        {miss}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
