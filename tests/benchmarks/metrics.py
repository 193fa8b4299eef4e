"""What first impressions are summed up by, as pure functions: no model, no files, no clock."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from theta_tui.base.text import normalised
from theta_tui.bench.metrics import mean, words


def unlike(texts: Sequence[str]) -> float:
    """1 − the mean word-Jaccard similarity of all pairs; 0 for fewer than two texts."""
    sets = [set(words(text)) for text in texts]
    pairs = [len(a & b) / len(a | b) if a | b else 1.0 for a, b in combinations(sets, 2)]
    return 1 - statistics.fmean(pairs) if pairs else 0.0


def distinct(texts: Sequence[str]) -> int:
    return len({normalised(text) for text in texts})


def repeats(text: str, size: int = 4) -> bool:
    """Whether the same run of `size` words comes twice in it."""
    said = words(text)
    grams = [tuple(said[at : at + size]) for at in range(len(said) - size + 1)]
    return len(set(grams)) < len(grams)


def generic(prompts: Sequence[Sequence[str]]) -> float | None:
    """The share of replies that are given to another prompt as well."""
    sets = [{normalised(text) for text in texts} for texts in prompts]
    count = Counter(text for texts in sets for text in texts)
    return mean(count[normalised(text)] > 1 for texts in prompts for text in texts)


def wilson(hits: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score (1927); (0, 1) for nothing."""
    if not total:
        return 0.0, 1.0
    share, weight = hits / total, z * z / total
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    return max(0.0, centre - half), min(1.0, centre + half)
