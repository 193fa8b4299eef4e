"""What fits a slot of a template: a noun phrase, a name, a place, a time … Standard library only.

Strict on purpose: a phrase that could be something else (an opinion, a figure of speech) does not fit, because a wrong
offer costs more trust than a missing one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from theta_tui.facts import grammar

OWNERS = frozenset({"my", "your", "our"})
DETERMINERS = OWNERS | {"the", "a", "an"}
STARTERS = DETERMINERS | {"you", "we"}
"""Words that have a capital only where a sentence begins with them."""

CLOSED = (
    grammar.AUXILIARIES
    | grammar.QUESTION_WORDS
    | DETERMINERS
    | grammar.listed(
        "i you he she it we they me him us them this that these those there here his her its their mine yours hers "
        "and or but so if because than then as though although while until since unless "
        "of in on at to from by for with without about into onto over under behind after before during through up "
        "down off out away again between near beside above below inside outside across against "
        "not no never none nobody nothing very too quite rather really just only also even still yet always often "
        "sometimes usually already now today tomorrow tonight yesterday soon later maybe perhaps probably please "
        "some any every each all both much many more most few less least such own same other another "
        "be been being get gets got going gonna let lets like likes"
    )
)
PARTICIPLES = grammar.listed(
    "called named born made known married engaged allergic located kept stored parked buried hidden written painted "
    "built founded invented discovered signed held spoken used composed directed designed"
)
"""They stand behind a noun phrase, never at its end: the treaty | signed."""

_LINKS = grammar.listed("of the de la le da di del van von der den al y and &")
_TITLES = frozenset({"dr", "mr", "mrs", "ms", "prof", "sir", "professor", "doctor", "aunt", "uncle"})
_SUFFIXES = ("ful", "less", "ous", "ing", "ible", "able", "ive", "ish", "some", "ated", "tional", "ly")
_ABSTRACT = ("ness", "ity", "ism", "ship", "ing")
_CLOCK = frozenset({"am", "pm", "a.m", "p.m", "a.m.", "p.m.", "o'clock", "noon", "midnight", "morning", "evening"})
_TAILS = frozenset({"of"})


@dataclass(frozen=True, slots=True)
class Sight:
    """What a slot is judged with: the word lists, and whether the person types without capitals."""

    words: Mapping[str, frozenset[str]]
    lower: bool = False

    def has(self, name: str, word: str) -> bool:
        return word.lower() in self.words.get(name, frozenset())


Fits = Callable[[list[str], Sight, bool], bool]


def known(kind: str, words: Mapping[str, frozenset[str]]) -> bool:
    """Whether there is such a kind of slot, or list of words. `np/roles`: an np whose noun is in the list roles."""
    name, _, heads = kind.partition("/")
    return (name in KINDS or name in words) and (not heads or heads in words)


def fits(kind: str, found: list[str], sight: Sight, *, first: bool) -> bool:
    """Whether `found` may stand in a slot of `kind`; `first`: it begins the sentence."""
    name, _, heads = kind.partition("/")
    rule = KINDS.get(name)
    if rule is None:
        return len(found) <= 4 and " ".join(found).lower() in sight.words.get(name, frozenset())
    return rule(found, sight, first) and (not heads or sight.has(heads, head(found)))


def head(found: list[str]) -> str:
    """The noun of a phrase: the last word before an `of`."""
    lower = [word.lower() for word in found]
    end = lower.index("of") if "of" in lower[1:] else len(found)
    return lower[end - 1] if end else ""


def _content(word: str) -> bool:
    return word.lower() not in CLOSED and word[:1].isalnum() and not word.endswith((",", ";", ":"))


def _opinion(found: list[str], sight: Sight) -> bool:
    return any(sight.has("opinions", word) for word in found)


def proper(found: list[str], sight: Sight, first: bool) -> bool:
    """One to five words with capitals, small links between them allowed: `the Bank of England`, `Dr. Okafor`."""
    if not 1 <= len(found) <= 5 or found[0].lower() in CLOSED or found[-1].lower() in _LINKS:
        return False
    for at, word in enumerate(found):
        if at and word in _LINKS:
            continue
        if not (word[0].isupper() or (at and word[0].isdigit())) or word.lower() in CLOSED or word.endswith("'s"):
            return False
    single = found[0].lower()
    if first and len(found) == 1 and (sight.has("abstract", single) or single.endswith(_ABSTRACT)):
        return False
    return not _opinion(found[:1], sight)


def name(found: list[str], sight: Sight, first: bool) -> bool:
    """A proper name; where the person types without capitals, one or two words that can hardly be anything else."""
    if any(word.lower() in grammar.DAYS for word in found):
        return False
    if first:
        return proper(found, sight, first)
    bare = found[1:] if found[0].lower() == "the" and 1 < len(found) <= 4 else found
    if proper(bare, sight, first):
        return True
    if not sight.lower or not 1 <= len(found) <= 3:
        return False
    if len(found) == 3 and found[0].strip(".") not in _TITLES:
        return False
    return all(
        _content(word) and word.replace("'", "").replace("-", "").replace(".", "").isalpha() for word in found
    ) and not any(
        sight.has("opinions", word) or sight.has("colours", word) or sight.has("jobs", word) or word.endswith(_SUFFIXES)
        for word in found
    )


def nickname(found: list[str], sight: Sight, first: bool) -> bool:
    """A name where nothing else can stand (`… is called rex`): it needs no capital."""
    return name(found, Sight(sight.words, True), first)


def _noun_words(found: list[str]) -> bool:
    return 1 <= len(found) <= 4 and all(_content(word) for word in found)


def np(found: list[str], sight: Sight, first: bool) -> bool:
    """`my sister's dog`, `the boss of our team`, `Norway's capital`, `the Eiffel Tower`, `Machu Picchu`."""
    lower = [word.lower() for word in found]
    for at in range(1, len(found) - 1):
        if lower[at] in _TAILS:
            return np(found[:at], sight, first) and _tail(found[at + 1 :], sight)
    if lower[0] in OWNERS or lower[0] == "the":
        good = _noun_words(found[1:])
    elif len(found) > 1 and (found[0].endswith("'s") or (len(found) > 2 and found[1].endswith("'s"))):
        good = found[0][0].isupper() and _noun_words(found)
    else:
        good = proper(found, sight, first)
    ended = sight.has("abstract", lower[-1]) or lower[-1] in PARTICIPLES or found[-1].endswith("'s")
    return good and not ended


def _tail(found: list[str], sight: Sight) -> bool:
    return np(found, sight, False) or (sight.lower and len(found) == 1 and _content(found[0]))


def who(found: list[str], sight: Sight, first: bool) -> bool:
    """I, you, we, or a noun phrase."""
    return (len(found) == 1 and found[0].lower() in {"i", "you", "we"}) or np(found, sight, first)


def some(found: list[str], sight: Sight, first: bool) -> bool:
    """Who, or any one of a kind: `a spider`."""
    return who(found, sight, first) or (found[0].lower() in {"a", "an"} and _noun_words(found[1:]))


def person(found: list[str], sight: Sight, first: bool) -> bool:
    """I, we, you, or a noun phrase for someone: `my daughter`."""
    alone = len(found) == 1 and found[0].lower() in {"i", "you", "we"}
    return alone or (np(found, sight, first) and sight.has("people", head(found)))


def spot(found: list[str], sight: Sight, first: bool) -> bool:
    """Where something is: `the blue drawer`, `Peru`, `a small box under my desk`; no figure of speech."""
    lower = [word.lower() for word in found]
    for at in range(2, len(found) - 1):
        if lower[at] in {"in", "on", "under", "near", "behind", "at", "by"}:
            return spot(found[:at], sight, first) and spot(found[at + 1 :], sight, False)
    if sight.has("figurative", head(found)) or sight.has("abstract", head(found)) or _time(found, sight, first):
        return False
    return np(found, sight, False) or (lower[0] in {"a", "an"} and _noun_words(found[1:]))


def place(found: list[str], sight: Sight, first: bool) -> bool:
    """A spot, or a town typed without a capital."""
    if spot(found, sight, first):
        return True
    return (
        sight.lower
        and len(found) <= 2
        and all(_content(word) and word.isalpha() for word in found)
        and not any(sight.has("abstract", w) or sight.has("figurative", w) or sight.has("opinions", w) for w in found)
        and not _time(found, sight, first)
    )


def _time(found: list[str], sight: Sight, first: bool) -> bool:
    """A day, a date, an hour or a year: `Thursday`, `the 3rd of October`, `8:15`, `half past six`."""
    lower = [word.lower() for word in found]
    if len(found) > 5:
        return False
    sure = False
    for word in lower:
        named = word.rstrip("s") in grammar.DAYS or word in grammar.MONTHS or word in _CLOCK
        if named or grammar.is_ordinal(word) or grammar.is_number(word):
            sure = True
        elif word not in {"the", "of", "past", "to", "quarter", "at", "on"}:
            return False
    return sure and lower[-1] not in {"the", "of", "past", "to", "at", "on"}


def date(found: list[str], sight: Sight, first: bool) -> bool:
    """A time with a day or a month in it: not a bare number."""
    lower = {word.lower().rstrip("s") for word in found} | {word.lower() for word in found}
    return _time(found, sight, first) and bool(lower & (grammar.DAYS | grammar.MONTHS))


def year(found: list[str], sight: Sight, first: bool) -> bool:
    """`1648`, `44 BC`."""
    if not (found[0].isascii() and found[0].isdigit()):
        return False
    era = len(found) == 2 and found[1].lower() in {"bc", "ad", "bce", "ce"}
    return era or (len(found) == 1 and 3 <= len(found[0]) <= 4)


def number(found: list[str], sight: Sight, first: bool) -> bool:
    """`12`, `twenty-nine`, `two hundred`, `2.5 million`."""
    return len(found) <= 3 and all(grammar.is_number(word) for word in found)


def several(found: list[str], sight: Sight, first: bool) -> bool:
    """A number above one."""
    return number(found, sight, first) and " ".join(found).lower() not in {"one", "1", "zero", "0", "half"}


def plural(found: list[str], sight: Sight, first: bool) -> bool:
    """`children`, `bus stops`: countable things that last."""
    if not 1 <= len(found) <= 3 or not all(_content(word) for word in found) or _opinion(found, sight):
        return False
    return grammar.is_plural(found[-1]) and not sight.has("passing", found[-1])


def noun(found: list[str], sight: Sight, first: bool) -> bool:
    """One to three words of a noun."""
    return len(found) <= 3 and all(_content(word) for word in found) and not _opinion(found, sight)


def value(found: list[str], sight: Sight, first: bool) -> bool:
    """One to five words that name a thing, a number or a name, and are no opinion."""
    if not 1 <= len(found) <= 5 or _opinion(found, sight):
        return False
    lower = [word.lower() for word in found]
    rest = found[1:] if lower[0] in DETERMINERS else found
    if not rest or rest[-1].lower() in {"of", "and", "the"}:
        return False
    inner = [word for at, word in enumerate(rest) if not (at and word.lower() in {"of", "and", "the", "in"})]
    good = all(_content(word) or word[:1] in "+#@" for word in inner)
    return good and not (len(found) == 1 and lower[0].endswith(_SUFFIXES) and not sight.has("nouns", lower[0]))


def thing(found: list[str], sight: Sight, first: bool) -> bool:
    """What was made or found: a noun phrase, or one plain noun; never `a …`, which is anything."""
    return np(found, sight, False) or (len(found) <= 2 and noun(found, sight, first))


def favourite(found: list[str], sight: Sight, first: bool) -> bool:
    """A noun phrase with `favourite` in it: `my sister's favourite colour`."""
    lower = [word.lower() for word in found]
    return (
        np(found, sight, first)
        and bool({"favourite", "favorite"} & set(lower[1:-1]))
        and not any(word in lower for word in ("thing", "part"))
    )


KINDS: dict[str, Fits] = {
    "np": np, "who": who, "some": some, "person": person, "name": name, "nickname": nickname,
    "proper": proper, "spot": spot, "place": place,
    "time": _time, "date": date, "year": year, "number": number, "several": several, "plural": plural, "noun": noun,
    "value": value, "thing": thing, "favourite": favourite,
}  # fmt: skip
