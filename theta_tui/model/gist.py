"""Whether two replies say the same in other words or marks: "Hello there.", "Hello." and "Hi there!" do. No model."""

from __future__ import annotations

import re

_WORDS = re.compile(r"[^\W_]+")
_APART = re.compile(r"n't\b|'(?:m|s|re|ve|ll|d)\b")
_SPELLED = {"n't": " not", "'m": " am", "'s": " is", "'re": " are", "'ve": " have", "'ll": " will", "'d": " would"}
_SAME = dict.fromkeys(("hi", "hey", "hiya", "heya", "hello"), "hello") | {"okay": "ok", "yeah": "yes", "yep": "yes"}
_FILL = frozenset(
    ("a", "an", "the", "there", "so", "well", "oh", "ah", "just", "very", "really", "quite", "too", "and",
     "then", "also", "now", "here", "right", "much", "again", "all")
)  # fmt: skip

ALIKE = 0.75
"""Replies that share this much of their words, fillers apart, are the same."""


def gist(text: str) -> frozenset[str]:
    """The words that carry a reply; all words where none does."""
    plain = _APART.sub(lambda match: _SPELLED[match.group()], text.lower().replace("’", "'"))
    words = [_SAME.get(word, word) for word in _WORDS.findall(plain)]
    return frozenset(word for word in words if word not in _FILL) or frozenset(words)


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two gists are of replies that say the same. Those without words (emoji, say) are alike if equal texts."""
    return bool(one) and len(one & other) >= ALIKE * len(one | other)
