"""What fits a slot of a template: a noun phrase, a name, a place, a time … Standard library only.

The rules are strict: a phrase that could be something else (an opinion, a figure of speech) does not fit, because a
wrong offer costs more trust than a missing one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from theta_tui.facts import grammar

OWNERS = frozenset({"my", "your", "our"})
DETERMINERS = OWNERS | {"the", "a", "an"}
STARTERS = DETERMINERS | {"you", "we"}
"""Words that have a capital only at the start of a sentence."""

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
"""Words that follow a noun phrase and are no part of it: the treaty | signed."""

_LINKS = grammar.listed("of the de la le da di del van von der den al y and &")
_TITLES = frozenset({"dr", "mr", "mrs", "ms", "prof", "sir", "professor", "doctor", "aunt", "uncle"})
_SUFFIXES = ("ful", "less", "ous", "ing", "ible", "able", "ive", "ish", "some", "ated", "tional", "ly")
_ABSTRACT = ("ness", "ity", "ism", "ship", "ing")
_CLOCK = frozenset({"am", "pm", "a.m", "p.m", "a.m.", "p.m.", "o'clock", "noon", "midnight", "morning", "evening"})
_TAILS = frozenset({"of"})


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The word lists by name, and whether the person types without capitals."""

    words: Mapping[str, frozenset[str]]
    lower: bool = False

    def has(self, name: str, word: str) -> bool:
        return word.lower() in self.words.get(name, frozenset())


Fits = Callable[[list[str], Lexicon, bool], bool]


def known(kind: str, words: Mapping[str, frozenset[str]]) -> bool:
    """Whether `kind` is a kind of slot or a word list. `np/roles` is an np whose noun is in the list `roles`."""
    name, _, heads = kind.partition("/")
    return (name in KINDS or name in words) and (not heads or heads in words)


def fits(kind: str, found: list[str], lexicon: Lexicon, *, first: bool) -> bool:
    """Whether `found` fits a slot of `kind`; `first`: it begins the sentence."""
    name, _, heads = kind.partition("/")
    rule = KINDS.get(name)
    if rule is None:
        return len(found) <= 4 and " ".join(found).lower() in lexicon.words.get(name, frozenset())
    return rule(found, lexicon, first) and (not heads or lexicon.has(heads, head(found)))


def head(found: list[str]) -> str:
    """The noun of a phrase: the last word before an `of`."""
    lower = [word.lower() for word in found]
    end = lower.index("of") if "of" in lower[1:] else len(found)
    return lower[end - 1] if end else ""


def _is_content(word: str) -> bool:
    return word.lower() not in CLOSED and word[:1].isalnum() and not word.endswith((",", ";", ":"))


def _has_opinion(found: list[str], lexicon: Lexicon) -> bool:
    return any(lexicon.has("opinions", word) for word in found)


def proper(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """One to five capitalised words, with small words between them allowed: `the Bank of England`, `Dr. Okafor`."""
    if not 1 <= len(found) <= 5 or found[0].lower() in CLOSED or found[-1].lower() in _LINKS:
        return False
    for at, word in enumerate(found):
        if at and word in _LINKS:
            continue
        if not (word[0].isupper() or (at and word[0].isdigit())) or word.lower() in CLOSED or word.endswith("'s"):
            return False
    single = found[0].lower()
    if first and len(found) == 1 and (lexicon.has("abstract", single) or single.endswith(_ABSTRACT)):
        return False
    return not _has_opinion(found[:1], lexicon)


def name(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """A proper name; if the person types without capitals, one or two words that can hardly be anything else."""
    if any(word.lower() in grammar.DAYS for word in found):
        return False
    if first:
        return proper(found, lexicon, first)
    bare = found[1:] if found[0].lower() == "the" and 1 < len(found) <= 4 else found
    if proper(bare, lexicon, first):
        return True
    if not lexicon.lower or not 1 <= len(found) <= 3:
        return False
    if len(found) == 3 and found[0].strip(".") not in _TITLES:
        return False
    return all(
        _is_content(word) and word.replace("'", "").replace("-", "").replace(".", "").isalpha() for word in found
    ) and not any(
        lexicon.has("opinions", word)
        or lexicon.has("colours", word)
        or lexicon.has("jobs", word)
        or word.endswith(_SUFFIXES)
        for word in found
    )


def nickname(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """A name in a place where only a name can be (`… is called rex`): it needs no capital."""
    return name(found, Lexicon(lexicon.words, True), first)


def _noun_words(found: list[str]) -> bool:
    return 1 <= len(found) <= 4 and all(_is_content(word) for word in found)


def np(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """`my sister's dog`, `the boss of our team`, `Norway's capital`, `the Eiffel Tower`, `Machu Picchu`."""
    lower = [word.lower() for word in found]
    for at in range(1, len(found) - 1):
        if lower[at] in _TAILS:
            return np(found[:at], lexicon, first) and _tail(found[at + 1 :], lexicon)
    if lower[0] in OWNERS or lower[0] == "the":
        good = _noun_words(found[1:])
    elif len(found) > 1 and (found[0].endswith("'s") or (len(found) > 2 and found[1].endswith("'s"))):
        good = found[0][0].isupper() and _noun_words(found)
    else:
        good = proper(found, lexicon, first)
    ended = lexicon.has("abstract", lower[-1]) or lower[-1] in PARTICIPLES or found[-1].endswith("'s")
    return good and not ended


def _tail(found: list[str], lexicon: Lexicon) -> bool:
    return np(found, lexicon, False) or (lexicon.lower and len(found) == 1 and _is_content(found[0]))


def who(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """I, you, we, or a noun phrase."""
    return (len(found) == 1 and found[0].lower() in {"i", "you", "we"}) or np(found, lexicon, first)


def some(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """What `who` accepts, or any one of a kind: `a spider`."""
    return who(found, lexicon, first) or (found[0].lower() in {"a", "an"} and _noun_words(found[1:]))


def person(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """I, we, you, or a noun phrase for someone: `my daughter`."""
    alone = len(found) == 1 and found[0].lower() in {"i", "you", "we"}
    return alone or (np(found, lexicon, first) and lexicon.has("people", head(found)))


def spot(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """Where something is: `the blue drawer`, `Peru`, `a small box under my desk`. Never a figure of speech."""
    lower = [word.lower() for word in found]
    for at in range(2, len(found) - 1):
        if lower[at] in {"in", "on", "under", "near", "behind", "at", "by"}:
            return spot(found[:at], lexicon, first) and spot(found[at + 1 :], lexicon, False)
    if lexicon.has("figurative", head(found)) or lexicon.has("abstract", head(found)) or _time(found, lexicon, first):
        return False
    return np(found, lexicon, False) or (lower[0] in {"a", "an"} and _noun_words(found[1:]))


def place(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """A spot, or a town typed without a capital."""
    if spot(found, lexicon, first):
        return True
    return (
        lexicon.lower
        and len(found) <= 2
        and all(_is_content(word) and word.isalpha() for word in found)
        and not any(
            lexicon.has("abstract", w) or lexicon.has("figurative", w) or lexicon.has("opinions", w) for w in found
        )
        and not _time(found, lexicon, first)
    )


def _time(found: list[str], lexicon: Lexicon, first: bool) -> bool:
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


def date(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """A time with a day or a month in it, so never a bare number."""
    lower = {word.lower().rstrip("s") for word in found} | {word.lower() for word in found}
    return _time(found, lexicon, first) and bool(lower & (grammar.DAYS | grammar.MONTHS))


def year(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """`1648`, `44 BC`."""
    if not (found[0].isascii() and found[0].isdigit()):
        return False
    era = len(found) == 2 and found[1].lower() in {"bc", "ad", "bce", "ce"}
    return era or (len(found) == 1 and 3 <= len(found[0]) <= 4)


def number(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """`12`, `twenty-nine`, `two hundred`, `2.5 million`."""
    return len(found) <= 3 and all(grammar.is_number(word) for word in found)


def several(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """A number above one."""
    return number(found, lexicon, first) and " ".join(found).lower() not in {"one", "1", "zero", "0", "half"}


def plural(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """`children`, `bus stops`: countable things that last."""
    if not 1 <= len(found) <= 3 or not all(_is_content(word) for word in found) or _has_opinion(found, lexicon):
        return False
    return grammar.is_plural(found[-1]) and not lexicon.has("passing", found[-1])


def noun(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """A noun of one to three words."""
    return len(found) <= 3 and all(_is_content(word) for word in found) and not _has_opinion(found, lexicon)


def value(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """One to five words for a thing, a number or a name, and no opinion."""
    if not 1 <= len(found) <= 5 or _has_opinion(found, lexicon):
        return False
    lower = [word.lower() for word in found]
    rest = found[1:] if lower[0] in DETERMINERS else found
    if not rest or rest[-1].lower() in {"of", "and", "the"}:
        return False
    inner = [word for at, word in enumerate(rest) if not (at and word.lower() in {"of", "and", "the", "in"})]
    good = all(_is_content(word) or word[:1] in "+#@" for word in inner)
    return good and not (len(found) == 1 and lower[0].endswith(_SUFFIXES) and not lexicon.has("nouns", lower[0]))


def thing(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """What was made or found: a noun phrase or a plain noun; never `a …`, which could be anything."""
    return np(found, lexicon, False) or (len(found) <= 2 and noun(found, lexicon, first))


def favourite(found: list[str], lexicon: Lexicon, first: bool) -> bool:
    """A noun phrase with `favourite` in it: `my sister's favourite colour`."""
    lower = [word.lower() for word in found]
    return (
        np(found, lexicon, first)
        and bool({"favourite", "favorite"} & set(lower[1:-1]))
        and not any(word in lower for word in ("thing", "part"))
    )


KINDS: dict[str, Fits] = {
    "np": np, "who": who, "some": some, "person": person, "name": name, "nickname": nickname,
    "proper": proper, "spot": spot, "place": place,
    "time": _time, "date": date, "year": year, "number": number, "several": several, "plural": plural, "noun": noun,
    "value": value, "thing": thing, "favourite": favourite,
}  # fmt: skip
