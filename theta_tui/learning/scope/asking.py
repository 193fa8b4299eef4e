"""What a message asks, by its words in order: about whom, with which question word, or nothing. Standard library only.

These words are too common to get weights, yet a different one makes a different question.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from theta_tui.facts.grammar import QUESTION_WORDS, listed

_PERSON = {
    word: person
    for person, group in enumerate(("i me myself we us", "you yourself", "he him she they them"), 1)
    for word in group.split()
}
_OWNERS = {
    word: person
    for person, group in enumerate(("my mine our ours", "your yours", "his her hers their theirs"), 1)
    for word in group.split()
}

_ADVICE = listed("should shall ought suggest suggestion suggestions recommend recommendation recommendations advice")
_GOOD = listed("good nice great better cool fun")

WHETHER = "whether"
_YES_OR_NO = listed("do does did is are was were am has have")
_REQUESTS = listed("know remember have there")

_SUBJECTS = listed("i we he she they you")
_TELLS = _SUBJECTS | listed("it my your our that this there these those his her their nothing nobody everybody")
_NOUNS_BEGIN = listed("the a an")
_GREETINGS = listed("hi hello hey oh so well yes yeah no ok okay")
_VERBS = listed("am is are was were 's have has had can will would do did does not")
_VERBS_AFTER_NOUN = _VERBS - {"'s"}
_ASKS = QUESTION_WORDS | listed(
    "? tell remind know wonder wondering forgot forget name say explain show give list guess remember need curious "
    "hear idea look find whether if"
)


def persons(words: Sequence[str]) -> frozenset[int]:
    """Whom a message asks about (1: me, 2: you, 3: others), by the words after its last question word.

    The owner of what is asked for decides: "Can you tell me my name?" is about me.
    """
    asked = [at for at, word in enumerate(words) if word in QUESTION_WORDS]
    for start in (*reversed(asked), 0):
        for known in (_OWNERS, _PERSON):
            found = frozenset(known[word] for word in words[start:] if word in known)
            if found:
                return found
    return frozenset()


def asked_with(words: Sequence[str]) -> frozenset[str]:
    """The question words of a message; `whether` if it begins like a yes-or-no question."""
    found = QUESTION_WORDS.intersection(words)
    whether = not found and words and words[0] in _YES_OR_NO and _REQUESTS.isdisjoint(words)
    return frozenset({WHETHER}) if whether else found


def asks(words: Sequence[str]) -> bool:
    """Whether a message may well be a question."""
    return not _ASKS.isdisjoint(words)


def seeks_advice(words: Sequence[str]) -> bool:
    """Whether a message seeks advice: "What should I call my dog?" does not ask what it is called."""
    if not _ADVICE.isdisjoint(words):
        return True
    return any(one in ("a", "some") and other in _GOOD for one, other in pairwise(words))


def told(words: Sequence[str]) -> bool:
    """Whether a message is surely a statement: "My favorite color is blue." asks nothing."""
    if asks(words):
        return False
    begins = next((at for at, word in enumerate(words) if word not in _GREETINGS), 0)
    starts = [begins, *(at + 1 for at, word in enumerate(words) if word == "!")]
    return any(_states(words[at], words[at + 1 : -1]) for at in starts if at + 1 < len(words))


def _states(first: str, rest: Sequence[str]) -> bool:
    """Whether a sentence states something; `rest` lacks its last word. After "the" 's is no verb: "the boss's name"."""
    if first in _NOUNS_BEGIN:
        return not _VERBS_AFTER_NOUN.isdisjoint(rest)
    return first in _SUBJECTS or (first in _TELLS and not _VERBS.isdisjoint(rest))
