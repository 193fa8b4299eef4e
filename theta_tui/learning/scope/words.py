"""The words of a message in the form that the matcher compares. Standard library only."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

MOST = 40
"""At most this many words of a message are read; of a longer one, half from the start and half from the end."""

LONG = 4
"""A slip of one letter is forgiven in words longer than this."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[?!]")
_SHORT = {
    "n't": "not", "'re": "are", "'m": "am", "'ve": "have", "'ll": "will", "'d": "would", "'s": "'s",
}  # fmt: skip
_WHOLE = {
    "can't": ("can", "not"), "won't": ("will", "not"), "cannot": ("can", "not"), "u": ("you",), "ur": ("your",),
    "r": ("are",), "pls": ("please",), "plz": ("please",), "favourite": ("favorite",), "favourites": ("favorites",),
    "colour": ("color",), "colours": ("colors",), "mum": ("mom",), "mum's": ("mom", "'s"), "dont": ("do", "not"),
    "whats": ("what", "'s"), "wheres": ("where", "'s"), "whos": ("who", "'s"), "im": ("i", "am"),
    "doesnt": ("does", "not"), "didnt": ("did", "not"), "isnt": ("is", "not"), "thats": ("that", "'s"),
    "neighbour": ("neighbor",), "grey": ("gray",), "centre": ("center",), "theatre": ("theater",), "thx": ("thanks",),
}  # fmt: skip
_BEFORE_IS = frozenset(["what", "where", "who", "when", "how", "why", "that", "it", "there", "here", "he", "she"])
"""Words after which `'s` is "is", and not a possessive."""


@dataclass(frozen=True, slots=True)
class Word:
    """`text` in lower case; `named`: capitalised inside a sentence, or with a digit in it."""

    text: str
    named: bool


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[Word, ...]:
    """The words of a message, contractions split. A possessive `'s` is a word of its own."""
    text = unicodedata.normalize("NFKC", text).replace("’", "'")
    found: list[Word] = []
    end = 0
    for match in _WORD.finditer(text):
        shown = match.group()
        between = text[end : match.start()]
        begins = not found or any(mark in between for mark in '.!?:"') or found[-1].text in "?!"
        end = match.end()
        named = any(char.isdigit() for char in shown) or (shown[0].isupper() and not begins and shown != "I")
        parts = _parts(shown.lower())
        found += [Word(part, named and number == 0) for number, part in enumerate(parts)]
    return tuple(found if len(found) <= MOST else [*found[: MOST // 2], *found[-(MOST - MOST // 2) :]])


def normal_form(text: str) -> str:
    """The normal form of a wording, without case, punctuation, contractions and politeness: "What's" is "What is". A
    wording without words is its own normal form."""
    said = [word.text for word in words(text) if word.text not in "?!"]
    pairs = zip(["", *said], said, strict=False)
    whole = ["is" if word == "'s" and before in _BEFORE_IS else word for before, word in pairs]
    return " ".join(word for word in whole if word != "please") or text.strip()


def _parts(word: str) -> tuple[str, ...]:
    if word in _WHOLE:
        return _WHOLE[word]
    for ending, meaning in _SHORT.items():
        if word.endswith(ending) and len(word) > len(ending):
            return word[: -len(ending)], meaning
    return (word,)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The word without its commonest endings: `teaches`, `teaching` and `teach` have the same stem."""
    for ending in ("ingly", "ing", "edly", "ied", "ies", "ed", "es", "er", "ly", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            root = word[: -len(ending)]
            if ending in ("ied", "ies"):
                return root + "y"
            if ending in ("ing", "ed", "er") and len(root) > 3 and root[-1] == root[-2] and root[-1] not in "ls":
                return root[:-1]
            return root.removesuffix("e") if len(root) > 3 else root
    return word.removesuffix("e") if len(word) > 3 else word


@lru_cache(maxsize=65536)
def alike(one: str, other: str) -> bool:
    """Whether two words differ by a slip of one letter at most. Short words and numbers must be equal."""
    if one == other:
        return True
    if min(len(one), len(other)) <= LONG or abs(len(one) - len(other)) > 1 or any(map(str.isdigit, one + other)):
        return False
    if len(one) > len(other):
        one, other = other, one
    at = next((at for at, char in enumerate(one) if char != other[at]), len(one))
    if len(one) < len(other):
        return one[at:] == other[at + 1 :]
    swapped = one[at + 1 : at + 2] == other[at : at + 1] and one[at : at + 1] == other[at + 1 : at + 2]
    return one[at + 1 :] == other[at + 1 :] or (swapped and one[at + 2 :] == other[at + 2 :])
