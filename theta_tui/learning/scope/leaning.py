"""Whether a message leans on the turn before it: "and his?" asks nothing by itself. Standard library only.

In doubt a message does not lean: "What is your name?" is short and complete.
"""

from __future__ import annotations

from theta_tui.facts.grammar import AUXILIARIES, QUESTION_WORDS, listed
from theta_tui.learning.scope.words import words

_JOINS = frozenset({"and", "but", "or"})
_ABOUT = frozenset({"what", "how"})
_VERBS = AUXILIARIES | {"be", "been", "'s"}
_OTHERS = listed("he him his she her hers they them their theirs it its this that these those one ones")
"""Words for somebody or something named before."""
_OURS = listed("me my mine you your yours us our ours")
_BEGINS = listed("in on at for with from by about after before during without since until under")
_POINTING = _OTHERS | _BEGINS | {"really"}
_LITTLE = listed("not so else then too also really long much many far often come like ever now")
_SUGGESTS = frozenset({"a", "an", "another", "some", "we", "i", "us", "if", "the"})
_POINTS = frozenset({"you", "that", "this", "those", "these", "them"})
"""Words after which a suggestion is complete, the second set if more words follow: "How about a game?" and "How about
those Lions?" are complete."""
_WHOLE = frozenset(
    {"tell me more", "say more", "go on", "more", "again", "one more", "another", "another one", "for example",
     "anything else", "the other one", "same here"}
)  # fmt: skip


def leans(message: str) -> bool:
    """Whether `message` cannot be understood without the turn before it."""
    found = [word.text for word in words(message)]
    asked = "?" in found
    said = [word for word in found if word not in "?!" and word != "please"]
    if not said:
        return False
    if said[0] in _JOINS and len(said) > 1:
        rest = said[1:]
        joins = asked or rest[0] in _OTHERS | _OURS | _BEGINS | QUESTION_WORDS
        return _hangs(rest, asked) or (joins and len(rest) <= 4 and _VERBS.isdisjoint(rest))
    return _hangs(said, asked)


def _hangs(said: list[str], asked: bool) -> bool:
    if " ".join(said) in _WHOLE:
        return True
    if len(said) > 2 and said[0] in _ABOUT and said[1] == "about":
        suggests = said[2] in _SUGGESTS or said[2].endswith("ing") or (len(said) > 3 and said[2] in _POINTS)
        return len(said) <= 6 and not suggests
    if set(said) <= _OTHERS | QUESTION_WORDS | _VERBS | _BEGINS | _LITTLE:
        # Nothing is named: "why?", "who is she", "since when?". A message with only a verb is no question.
        return not set(said).isdisjoint(QUESTION_WORDS) or (
            asked and not set(said).isdisjoint(_OTHERS | _BEGINS | {"really"})
        )
    if not asked:
        return False
    if len(said) == 2 and said[0] in _VERBS and said[1] in {"i", "you", "we"}:
        return True
    fragment = len(said) <= 3 and _VERBS.isdisjoint(said)
    return fragment and (said[0] in _BEGINS or (said[0] in _OTHERS and said[0] != "one") or set(said) <= _OURS)
