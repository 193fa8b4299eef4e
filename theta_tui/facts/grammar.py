"""The English grammar that statements and questions need: words, persons, verb forms. Standard library only.

Nothing here guesses at meaning. An unknown form stays as it is.
"""

from __future__ import annotations

import re


def listed(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


ABBREVIATIONS = frozenset({"dr.", "mr.", "mrs.", "ms.", "prof.", "st.", "jr.", "sr.", "mt.", "no.", "a.m.", "p.m."})
AUXILIARIES = listed("am is are was were do does did have has had can could will would shall should may might must")
QUESTION_WORDS = listed("who whom whose what which where when why how")
BE = frozenset({"am", "is", "are", "was", "were"})

_EXPANDED = {
    "i'm": "I am", "you're": "you are", "we're": "we are", "they're": "they are", "it's": "it is", "he's": "he is",
    "she's": "she is", "that's": "that is", "there's": "there is", "i've": "I have", "you've": "you have",
    "we've": "we have", "im": "I am",
}  # fmt: skip
_SWAPPED = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "we": "you", "us": "you",
    "our": "your", "ours": "yours", "ourselves": "yourselves", "your": "my", "yours": "mine", "yourself": "myself",
    "am": "are",
}  # fmt: skip
_OBJECT = {"i": "me", "we": "us"}
DAYS = listed("monday tuesday wednesday thursday friday saturday sunday")
MONTHS = listed("january february march april may june july august september october november december")

_UNITS = listed("one two three four five six seven eight nine")
_TENS = listed("twenty thirty forty fifty sixty seventy eighty ninety")
NUMBERS = (
    _UNITS
    | _TENS
    | listed("zero ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
    | listed("hundred thousand million billion half dozen")
    | {f"{ten}-{unit}" for ten in _TENS for unit in _UNITS}
)
_NUMERAL = re.compile(r"[€$£]?\d[\d.,:/]*\d?%?|[€$£]?\d[\d,]*\.\d+%?")
_ORDINAL = re.compile(r"\d{1,2}(st|nd|rd|th)")
ORDINALS = listed("first second third fourth fifth sixth seventh eighth ninth tenth last")

PAST = {
    "left": "leave", "ran": "run", "began": "begin", "built": "build", "wrote": "write", "had": "have",
    "went": "go", "came": "come",
    "spoke": "speak", "drove": "drive", "lived": "live", "closed": "close", "died": "die", "arrived": "arrive",
    "moved": "move", "used": "use", "studied": "study", "married": "marry", "made": "make", "grew": "grow",
    "taught": "teach", "met": "meet", "retired": "retire", "invented": "invent", "ended": "end",
}  # fmt: skip
_PARTICIPLES = {"written": "wrote", "drawn": "drew", "sung": "sang", "given": "gave", "known": "knew", "sewn": "sewed"}
_PLURALS = listed("children people men women feet teeth mice geese wives sheep fish")


def words(text: str) -> list[str]:
    """The words of a sentence without its end mark, with straight apostrophes."""
    text = text.replace("’", "'").replace("‘", "'").replace("`", "'").strip()
    found = text.split()
    if found and found[-1].lower() not in ABBREVIATIONS:
        found[-1] = found[-1].rstrip(".!?…")
    return [word for word in found if word]


def expand(found: list[str]) -> list[str]:
    """Contractions spelled out, word by word: `I'm` → `I am`."""
    spread: list[str] = []
    for at, word in enumerate(found):
        full = _EXPANDED.get(word.lower())
        if full is None:
            spread.append("I" if word == "i" else word)
            continue
        pronoun, verb = full.split()
        spread += [pronoun[0].upper() + pronoun[1:] if at == 0 and word[0].isupper() else pronoun, verb]
    return spread


def swap(found: list[str]) -> list[str]:
    """The sentence as the other speaker says it: my ↔ your, I ↔ you, am ↔ are; `we`, `our` → `you`, `your`."""
    said: list[str] = []
    lower = [word.lower() for word in found]
    for at, word in enumerate(lower):
        before = lower[at - 1] if at else ""
        after = lower[at + 1] if at + 1 < len(lower) else ""
        if word == "you":
            said.append("I" if at == 0 or after in AUXILIARIES else "me")
        elif word in _SWAPPED:
            said.append(_SWAPPED[word])
        elif before == "you" and word in {"are", "were"}:
            said.append("am" if word == "are" else "was")
        elif before == "i" and word == "was":
            said.append("were")
        else:
            said.append(found[at])
    return said


def sentence(found: list[str], end: str = ".") -> str:
    """Words as a sentence: a capital for the first letter, days and months, and one end mark."""
    shown = [word.capitalize() if word in DAYS or is_month(found, at) else word for at, word in enumerate(found)]
    text = " ".join(shown)
    if end == "." and text.lower().endswith(tuple(ABBREVIATIONS)):
        end = ""
    return text[:1].upper() + text[1:] + end


def is_month(found: list[str], at: int) -> bool:
    """Whether the word at `at` is a month: `may` is one in `in may` and `may 4`."""
    word = found[at].lower()
    if word not in {"may", "march"}:
        return word in MONTHS
    before, after = found[at - 1].lower() if at else "", found[at + 1] if at + 1 < len(found) else ""
    dated = any(is_number(near) or is_ordinal(near) for near in (before, after) if near)
    return dated or before in {"in", "of", "since"}


def lowered(found: list[str], known: frozenset[str]) -> list[str]:
    """The words of a sentence; the first one loses its capital if its lower-case form is in `known`."""
    first = found[0].lower()
    return [first if first in known and first != "i" else found[0], *found[1:]]


def is_number(word: str) -> bool:
    """`12`, `5,199`, `8:15`, `twenty-nine`."""
    return word.lower() in NUMBERS or _NUMERAL.fullmatch(word) is not None


def is_ordinal(word: str) -> bool:
    """`3rd`, `third`."""
    return word.lower() in ORDINALS or _ORDINAL.fullmatch(word.lower()) is not None


def is_plural(word: str) -> bool:
    """Whether a noun looks like a plural."""
    lower = word.lower()
    return lower in _PLURALS or (lower.endswith("s") and not lower.endswith(("ss", "us", "is")))


def possessive(found: list[str]) -> list[str]:
    """my dog → my dog's; I → my, you → your."""
    alone = {"i": "my", "you": "your", "we": "our"}.get(found[0].lower()) if len(found) == 1 else None
    if alone is not None:
        return [alone]
    last = found[-1]
    return [*found[:-1], f"{last}'" if last.endswith("s") and is_plural(last) else f"{last}'s"]


def owner(found: list[str]) -> list[str] | None:
    """my dog's → my dog; my → I. None if it is no possessive."""
    if not found:
        return None
    alone = {"my": "I", "your": "you", "our": "we"}.get(found[0].lower()) if len(found) == 1 else None
    if alone is not None:
        return [alone]
    last = found[-1]
    if last.endswith("'s") and len(last) > 2:
        return [*found[:-1], last[:-2]]
    return [*found[:-1], last[:-1]] if last.endswith("s'") else None


def as_object(found: list[str]) -> list[str]:
    """I → me, we → us; anything else as it is."""
    return [_OBJECT.get(found[0].lower(), found[0])] if len(found) == 1 else found


def as_subject(found: list[str]) -> list[str]:
    """me → I, us → we; anything else as it is."""
    return [{"me": "I", "us": "we"}.get(found[0].lower(), found[0])] if len(found) == 1 else found


def base_form(verb: str) -> str:
    """lives, lived → live."""
    if verb in BE:
        return "be"
    if verb == "has":
        return "have"
    if verb in PAST:
        return PAST[verb]
    if verb.endswith("ed") and len(verb) > 4:
        return verb[:-2]
    if verb.endswith(("ches", "shes", "sses", "xes", "oes")):
        return verb[:-2]
    if verb.endswith("ies"):
        return f"{verb[:-3]}y"
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def do_support(verb: str) -> str:
    """`do`, `does` or `did`, whichever goes with this verb form."""
    if verb in {"was", "were"} or verb in PAST or (verb.endswith("ed") and len(verb) > 4):
        return "did"
    return "does" if verb == "is" or (base_form(verb) != verb and verb not in BE) else "do"


def past_tense(participle: str) -> str:
    """written → wrote. A regular participle is its own past."""
    return _PARTICIPLES.get(participle, participle)


def conjugated(verb: str, help_verb: str) -> str | None:
    """The verb without do-support: (live, does) → lives, (leave, did) → left. None if it is not known."""
    if help_verb == "do":
        return verb
    if help_verb == "does":
        if verb == "have":
            return "has"
        if verb.endswith(("ch", "sh", "ss", "x", "o", "z")):
            return f"{verb}es"
        if verb.endswith("y") and verb[-2:-1] not in set("aeiou"):
            return f"{verb[:-1]}ies"
        return f"{verb}s"
    for form, root in PAST.items():
        if root == verb:
            return form
    if verb in {"open", "start", "work", "play", "happen", "depart", "end", "discover", "paint", "ask", "learn"}:
        return f"{verb}ed"
    return None
