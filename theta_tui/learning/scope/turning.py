"""Small words that turn a question into another one: "What can't you do?", "my ex-wife", "Who did she succeed?".

Standard library only. They are too common or too few to count among all the words of two messages that are else alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from theta_tui.facts.grammar import AUXILIARIES, BE, PAST, QUESTION_WORDS, listed
from theta_tui.learning.scope.holders import KIN
from theta_tui.learning.scope.words import stem

_SUBJECTS = listed("i you he she it we they that this there")
_FRAMES = listed(
    "know remember recall sure think mind find see understand get tell forget believe want need care be have hear"
)
"""After "not" these only say that somebody asks: "I can't remember"."""
_TURNS = {"ex": "ex", "former": "ex", "previous": "ex", "half": "half", "foster": "foster"}
_BEST = listed("best most like likes love loves prefer prefers enjoy enjoys fond")
"""Other words for what is a favorite."""
_WHO = listed("who what")
_PAST = PAST | {
    "gave": "give", "bought": "buy", "sold": "sell", "ate": "eat", "chose": "choose", "drew": "draw", "fed": "feed",
    "fought": "fight", "found": "find", "held": "hold", "knew": "know", "led": "lead", "lent": "lend", "lost": "lose",
    "paid": "pay", "sang": "sing", "saw": "see", "sent": "send", "took": "take", "told": "tell", "won": "win",
    "caught": "catch", "broke": "break", "stole": "steal",
}  # fmt: skip
_DID = listed("do does did")
_NO_DOING = AUXILIARIES | BE | {"'s"}


def turns(words: Sequence[str]) -> frozenset[str]:
    """What turns the question of these plain words (synonyms.py): two that ask the same have the same of these."""
    found = {_TURNS[word] for word in words if word in _TURNS}
    for at, word in enumerate(words):
        after = words[at + 1 : at + 3]
        if word == "not" and _FRAMES.isdisjoint(after):
            # "Don't you like it?" and "…, isn't it?" deny nothing.
            inverted = bool(after) and after[0] in _SUBJECTS and QUESTION_WORDS.isdisjoint(words[:at])
            if not inverted:
                found.add("not")
        elif word == "in" and after and after[0] == "law":
            found.add("in law")
        elif word.startswith("step") and (word[4:] in KIN or (word == "step" and after and after[0] in KIN)):
            found.add("step")
    return frozenset(found)


def doing(words: Sequence[str]) -> tuple[str, frozenset[str]]:
    """(the verb that "who" or "what" does, the verbs that may be done to it), as stems; one is empty. "What eats
    grells?" asks for who does it, "What do grells eat?" for what it is done to."""
    if len(words) < 3 or words[0] not in _WHO:
        return "", frozenset()
    if words[1] in _DID:
        return "", frozenset(map(_root, words[3:]))
    verb = words[1] not in _NO_DOING and _DID.isdisjoint(words)
    return _root(words[1]) if verb else "", frozenset()


def _root(verb: str) -> str:
    """The same for all forms of a verb."""
    return stem(stem(_PAST.get(verb, verb)))


def one_is_a_favorite(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one of two plain questions asks for a favorite, and the other for anything: "What animal do I have?"."""
    both = (one, other), (other, one)
    return any("favorite" in some and "favorite" not in rest and _BEST.isdisjoint(rest) for some, rest in both)
