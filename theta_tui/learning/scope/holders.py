"""Whose something is, and of what: the cat in "How old is my cat?", the teacher in "my son's teacher's name". Standard
library only.

The matcher weighs words by how rare they are, so one common word more, as "cat" in a question that is else the same,
hardly counts. Here it does.
"""

from __future__ import annotations

from collections.abc import Sequence

from theta_tui.facts.grammar import AUXILIARIES, BE, listed
from theta_tui.learning.scope.words import alike, stem

_KIN = (
    "mother parent parents folks/father parent parents folks/brother bro sibling/sister sis sibling/"
    "son boy child children/daughter girl child children/wife spouse partner/husband spouse partner/"
    "girlfriend partner/boyfriend partner/uncle/aunt auntie/cousin/nephew/niece/grandmother gran nan/"
    "grandfather grandad/dog pet/cat pet/horse pony pet/boss manager chief supervisor superior/teacher tutor/"
    "doctor/neighbor neighbors/"
    "landlord landlady/friend bestie mate/roommate flatmate/colleague coworker/car vehicle"
)
_SETS = tuple(map(listed, _KIN.split("/")))
KIN = {word: frozenset(at for at, kin in enumerate(_SETS) if word in kin) for word in frozenset().union(*_SETS)}
"""Words for who or what has something, each with the numbers of its meanings. Of words that mean the same everywhere
(synonyms.py) only the plain one is needed: "mother" for "mum"."""

_OWNERS = listed("my our your his her")
_BEFORE_NOUN = listed(
    "best closest old new little big first last next current usual upcoming own oldest youngest older younger "
    "late former front"
)
_ASKED = listed("what who which when where")
"""After these and a form of be stands what is asked for, and not who has it."""
_NO_HOLDER = _ASKED | listed("how why that it there here he she i you we they let today tomorrow yesterday")
_BEGINS_NOUN = _OWNERS | listed("the a an its their this")
"""Before these `'s` is "is", as in "what time's the train"."""
_NOT_AFTER = frozenset({"'s", "favorite"})
"""Where one of these follows "my", no holder does ("which one is my favorite song"), or 's tells it."""
_IS = BE | {"'s"}
_BEFORE_HOLDER = AUXILIARIES | {"'s", "of"}


def holders(words: Sequence[str]) -> tuple[str, ...]:
    """The words for who or what has, does or is something, in the words of a plain question (synonyms.py)."""
    found: list[str] = []
    for at, word in enumerate(words):
        before, after = words[at - 1 : at], words[at + 1 : at + 2]
        if word == "'s":
            is_is = at == 2 and words[0] in _ASKED | {"how"}  # how big's Iceland
            if before and after and not is_is and before[0] not in _NO_HOLDER and after[0] not in _BEGINS_NOUN:
                found += before
        elif word in _OWNERS and before:
            noun = next((to for to in range(at + 1, len(words)) if words[to] not in _BEFORE_NOUN), len(words))
            asked_for = before[0] in _IS and (at == 1 or words[at - 2] in _ASKED)
            one_of = before[0] == "of" and words[at - 2] == "one"
            stands_for_it = _NOT_AFTER.isdisjoint(words[noun : noun + 2])
            if before[0] in _BEFORE_HOLDER and stands_for_it and not asked_for and not one_of:
                found += words[noun : noun + 1]
    return tuple(found)


def lacks(words: Sequence[str], holder: str, times: int = 1) -> bool:
    """Whether `words`, plain ones too, have `holder`, or another word for it, less than so many times."""
    kin, root = KIN.get(holder), stem(holder)

    def is_it(word: str) -> bool:
        own = KIN.get(word)
        return stem(word) == root or (kin is not None and own is not None and not kin.isdisjoint(own))

    return sum(map(is_it, words)) < times and not (times == 1 and any(alike(holder, word) for word in words))
