"""The matcher's view of two messages: the words of both, and for each word whether the other message has it too.

Which name a message has does not matter, only whether the other message has the same. So an unknown word is described
by its marks alone, and a matcher trained with some names works with all others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from theta_tui.learning.scope.asking import WHETHER, asked_with, asks, persons, seeks_advice, told
from theta_tui.learning.scope.holders import holders, lacks
from theta_tui.learning.scope.synonyms import plainly
from theta_tui.learning.scope.telling import numbers, opposed, sides, slip
from theta_tui.learning.scope.turning import doing, one_is_a_favorite, turns
from theta_tui.learning.scope.words import LONG, Word, alike, normal_form, stem, words

PAD, OPENING, DIVIDER, UNKNOWN, NUMBER = range(5)
SPECIAL = 5
"""Ids that stand for no word."""

MARKS = 16
"""The number of different marks: how the other message has the word (not, the same, its stem, nearly), whether it is
written as a name, whether the matcher knows it."""


RARE, COMMON = 9.0, 2.5
"""The rarity of an unknown word, and the rarity up to which a word gets no weight."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message, parsed once. `ids` are those of the matcher's vocabulary."""

    form: str
    """Its normal form."""
    words: tuple[Word, ...]
    stems: tuple[str, ...]
    ids: tuple[int, ...]
    known: frozenset[str]
    roots: frozenset[str]
    long: tuple[str, ...]
    """Words in which a slip is forgiven."""
    weights: Mapping[str, float]
    """The weight of each root; the commonest words have none."""
    size: float
    """The sum of the squared weights."""
    names: frozenset[str]
    """Words written as names, and words that the matcher does not know."""
    numbers: frozenset[str]
    sides: Mapping[int, frozenset[int]]
    """See scope/telling.py."""
    persons: frozenset[int]
    said: tuple[str, ...]
    holders: tuple[str, ...]
    """The words of its plainest form, and those of them for who or what has something."""
    turns: frozenset[str]
    does: str
    done: frozenset[str]
    """See scope/turning.py."""
    asked_with: frozenset[str]
    asks: bool
    told: bool
    """`asks`: it may well be a question. `told`: it surely is none."""
    advice: bool
    """Whether it seeks advice."""


class Reader:
    """Parses messages. `rarity` has −log of the frequency of each word of `vocabulary`."""

    def __init__(self, vocabulary: Sequence[str], rarity: Sequence[float]) -> None:
        self._rarity = list(rarity)
        self._ids: Mapping[str, int] = {word: SPECIAL + at for at, word in enumerate(vocabulary)}
        by_stem: dict[str, int] = {}
        for word, index in self._ids.items():
            by_stem.setdefault(stem(word), index)
        self._by_stem = by_stem
        self.read = lru_cache(maxsize=65536)(self._read)

    def _read(self, text: str) -> Message:
        found = words(text)
        roots = tuple(stem(word.text) for word in found)
        ids = tuple(self._id(word.text, root) for word, root in zip(found, roots, strict=True))
        weights = {
            root: max(0.0, (RARE if index < SPECIAL else self._rarity[index - SPECIAL]) - COMMON)
            for word, root, index in zip(found, roots, ids, strict=True)
            if word.text not in "?!"
        }
        said = tuple(word.text for word in found)
        plain = tuple(word.text for word in words(plainly(text)))
        known = frozenset(said)
        names = (word.text for word, index in zip(found, ids, strict=True) if word.named or index == UNKNOWN)
        does, done = doing(plain)
        return Message(
            form=normal_form(text), words=found, stems=roots, ids=ids, known=known, roots=frozenset(roots),
            long=tuple(word for word in known if len(word) > LONG), weights=weights,
            size=sum(weight**2 for weight in weights.values()),
            names=frozenset(names), numbers=numbers(known), sides=sides(said),
            persons=persons(said), said=plain, holders=holders(plain), turns=turns(plain),
            does=does, done=done, asked_with=asked_with(said), asks=asks(said),
            told=told(said), advice=seeks_advice(said),
        )  # fmt: skip

    def _id(self, word: str, root: str) -> int:
        if any(map(str.isdigit, word)):
            return NUMBER
        return self._ids.get(word) or self._by_stem.get(root) or UNKNOWN


def marks(one: Message, other: Message) -> list[int]:
    """The mark of each word of `one`, compared with `other`."""
    found = []
    for word, root, index in zip(one.words, one.stems, one.ids, strict=True):
        if word.text in other.known:
            same = 1
        elif root in other.roots:
            same = 2
        elif len(word.text) > LONG and any(alike(word.text, there) for there in other.long if there not in one.known):
            same = 3
        else:
            same = 0
        found.append(same * 4 + word.named * 2 + (index in (UNKNOWN, NUMBER)))
    return found


def pair(key: Message, query: Message) -> tuple[list[int], list[int], int]:
    """Ids and marks of both messages in sequence, and where the second begins."""
    ids = [OPENING, *key.ids, DIVIDER, *query.ids]
    shown = [0, *marks(key, query), 0, *marks(query, key)]
    return ids, shown, len(key.ids) + 1


def overlap(key: Message, query: Message) -> list[float]:
    """The weighted overlap of two messages: the cosine, the share of the key, the share of the query, and the largest
    weight of a word that only one of them has."""
    one, other = key.weights, query.weights
    shared = sum(weight**2 for root, weight in one.items() if root in other)
    first, second = key.size + 1e-3, query.size + 1e-3
    missing = [weight for root, weight in one.items() if root not in other]
    missing += [weight for root, weight in other.items() if root not in one]
    return [shared / math.sqrt(first * second), shared / first, shared / second, max(missing, default=0.0) / 7]


def _of_another(one: Message, other: Message) -> bool:
    """Whether `one` asks about somebody or something that `other` does not mention. A name counts if the other has
    none; which of two names is meant is another matter."""
    return any(
        lacks(other.said, holder, one.holders.count(holder))
        for holder in one.holders
        if holder not in one.names or not other.names
    )


def apart(key: Message, query: Message) -> bool:
    """Whether the two are about different things: they have different names, numbers or opposites; or one states what
    the other asks, one asks whether and the other what, or only one seeks advice; or they ask about different people or
    what different people have."""
    tells = query.told or (len(query.words) == 1 and not query.asks)
    if (key.told and "?" in query.known) or (tells and key.asks):
        return True
    if key.advice != query.advice or key.turns != query.turns:
        return True
    if one_is_a_favorite(key.said, query.said) or key.does in query.done or query.does in key.done:
        return True
    if key.persons and query.persons and key.persons.isdisjoint(query.persons):
        return True
    if _of_another(key, query) or _of_another(query, key):
        return True
    both = key.asked_with, query.asked_with
    if frozenset({WHETHER}) in both and all(both) and both[0] != both[1]:
        return True
    if key.numbers and query.numbers and key.numbers != query.numbers:
        return True
    mine, theirs = key.names - query.known - key.numbers, query.names - key.known - query.numbers
    mistyped = [(one, other) for one in mine for other in theirs if slip(one, other)]
    if mine.difference(one for one, _ in mistyped) and theirs.difference(other for _, other in mistyped):
        return True
    return opposed(key.sides, query.sides)
