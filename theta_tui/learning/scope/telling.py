"""Words that exclude one another: names, numbers, days, opposites. Standard library only.

The matcher learned meaning from use, so it takes Lena for Lina and Monday for Tuesday, which are used alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

_NUMBERS = """
two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
twenty
"""
_VALUES = {word: str(number) for number, word in enumerate(_NUMBERS.split(), 2)}

_CLASSES = (
    "monday/tuesday/wednesday/thursday/friday/saturday/sunday",
    "january/february/march/april/june/july/august/september/october/november/december",
    "spring/summer/autumn/winter",
    "yesterday/today/tomorrow",
    "morning/afternoon/evening/night",
    "breakfast/lunch/dinner supper",
    "mother mom mum mama/father dad papa/brother/sister/son/daughter/wife/husband/uncle/aunt/cousin/grandmother "
    "grandma granny/grandfather grandpa/nephew/niece",
    "north/south/east/west",
    "red/blue/green/yellow/black/white/brown/purple/orange/pink/gray",
    "open opens opened/close closes closed shut shuts",
    "arrive arrives arrived arrival/leave leaves depart departs departure",
    "begin begins began start starts/end ends ended finish finishes",
    "first/last/second/third/fourth/fifth",
    "buy buys bought/sell sells sold",
    "win wins won/lose loses lost",
    "love loves/hate hates",
    "best/worst",
    "biggest largest/smallest",
    "on/off",
    "good/bad",
    "most/least",
    "before/after",
    "with/without",
    "inside/outside",
    "early/late",
    "oldest/youngest newest",
    "tallest highest longest/shortest lowest",
    "fastest/slowest",
    "hottest/coldest",
    "nearest closest/farthest furthest",
    "borrow borrowed/lend lent",
)
_DEGREES = "old/tall high/deep/often/fast/cold/hot"
"""Opposites after "how"."""


def _sides(number: int, row: str) -> dict[str, tuple[int, int]]:
    return {word: (number, side) for side, words in enumerate(row.split("/")) for word in words.split()}


_SIDES = {word: place for number, row in enumerate(_CLASSES) for word, place in _sides(number, row).items()}
_HOW = _sides(len(_CLASSES), _DEGREES)
_WHEN = _sides(len(_CLASSES) + 1, "last/this/next")
_TIMES = frozenset(("year", "month", "week", "weekend", "spring", "summer", "autumn", "winter", "time", "day", "night"))


def numbers(words: Iterable[str]) -> frozenset[str]:
    """The numbers among some words, in digits; a word with a digit in it is one."""
    return frozenset(_VALUES.get(word, word) for word in words if word in _VALUES or any(map(str.isdigit, word)))


def sides(words: Sequence[str]) -> Mapping[int, frozenset[int]]:
    """For each class of words that exclude one another, the members among `words`."""
    found: dict[int, set[int]] = {}
    for before, word in zip(("", *words), words, strict=False):
        places = [known[word] for known in ((_SIDES, _HOW) if before == "how" else (_SIDES,)) if word in known]
        if before in _WHEN and word in _TIMES:
            places.append(_WHEN[before])
        for number, side in places:
            found.setdefault(number, set()).add(side)
    return {number: frozenset(here) for number, here in found.items()}


def opposed(one: Mapping[int, frozenset[int]], other: Mapping[int, frozenset[int]]) -> bool:
    """Whether both have words of one class, but different ones."""
    return any(here.isdisjoint(other[number]) for number, here in one.items() if number in other)


def slip(one: str, other: str) -> bool:
    """Whether one name is the other mistyped: two letters swapped, or a letter doubled or not. Any other difference
    makes another name."""
    if abs(len(one) - len(other)) == 1:
        short, long = sorted((one, other), key=len)
        return any(long[:at] + long[at + 1 :] == short for at in range(1, len(long)) if long[at] == long[at - 1])
    at = next((at for at, (here, there) in enumerate(zip(one, other, strict=False)) if here != there), len(one))
    return len(one) == len(other) and one[:at] + one[at + 1 : at + 2] + one[at : at + 1] + one[at + 2 :] == other
