"""Rewrites a question in its plainest form: "How old am I?" becomes "What is my age?". Standard library only.

The matcher learned the meaning of words from their use, so it is unsure of synonyms with different uses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_SAME = """
job profession occupation; home house; movie film; movies films; city town; store shop; stores shops; bike bicycle;
car automobile; doctor physician; vacation holiday; vacations holidays; live reside; lives resides; living residing;
dog puppy doggy pup; cat kitten kitty; mother mom mum mama mommy mummy; father dad papa daddy; phone telephone;
grandmother grandma granny; grandfather grandpa granddad; child kid; children kids; fix repair; fixed repaired;
favorite favourite preferred fav fave; television tv; fridge refrigerator; sofa couch; apartment flat;
friend buddy pal; photo photograph picture; salary wage wages; buy purchase; bought purchased; starts begins;
start begin; started began; ends finishes; end finish; ended finished; biggest largest; smallest littlest; sick ill;
created made
"""
_PLAIN = {word: group.split()[0] for group in _SAME.split(";") for word in group.split()[1:]}

_OWNERS = {
    "i": "my", "me": "my", "you": "your", "he": "his", "him": "his", "she": "her", "it": "its", "we": "our",
    "us": "our", "they": "their", "them": "their",
}  # fmt: skip
_OWNED = {"my": "me", "your": "you", "his": "him", "her": "her", "its": "it", "our": "us", "their": "them"}
_ARE = {"i": "am", "you": "are", "we": "are", "they": "are"}
_DOERS = {
    "author": "wrote", "writer": "wrote", "founder": "founded", "inventor": "invented", "painter": "painted",
    "builder": "built", "discoverer": "discovered", "composer": "composed", "director": "directed",
    "designer": "designed", "creator": "created", "maker": "created", "owner": "owns", "leader": "leads",
}  # fmt: skip

_BE, _DO = "(?:'s|is|are|was|were|am)", "(?:do|does|did)"
_THING = "(?P<x>.+)"
_NOUNS = "age|height|weight|price|name|color|job|birthday|birthplace|salary|capital|last name|first name"


def _of(owner: str, thing: str) -> str:
    owner = owner.strip()
    return f"what is {_OWNERS.get(owner.lower()) or owner + chr(39) + 's'} {thing}"


def _asks_for(thing: str) -> Callable[[re.Match[str]], str]:
    return lambda match: _of(match["x"], thing)


def _done_by(match: re.Match[str]) -> str:
    owner = match["x"].strip()
    return f"who {_DOERS[match['doer'].lower()]} {_OWNED.get(owner.lower()) or owner.removesuffix(chr(39) + 's')}"


def _comes_from(match: re.Match[str]) -> str:
    who = match["x"].strip()
    return f"where {_ARE.get(who.lower(), 'is')} {who} from"


_DOER = f"(?P<doer>{'|'.join(_DOERS)})"
_WAYS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (rf"how old {_BE} {_THING}", _asks_for("age")),
    (rf"how tall {_BE} {_THING}", _asks_for("height")),
    (rf"how heavy {_BE} {_THING}", _asks_for("weight")),
    (rf"how much {_DO} {_THING} weigh", _asks_for("weight")),
    (rf"how much {_DO} {_THING} cost", _asks_for("price")),
    (rf"what {_DO} {_THING} cost", _asks_for("price")),
    (rf"how much {_DO} {_THING} (?:earn|make)", _asks_for("salary")),
    (rf"what {_DO} {_THING} (?:do(?: for a living| for work)?|work as)", _asks_for("job")),
    (rf"where {_DO} {_THING} work", _asks_for("workplace")),
    (rf"(?:what|how) ?{_BE} {_THING} (?:called|named)", _asks_for("name")),
    (rf"what {_DO} (?:you|they|we|people) call {_THING}", _asks_for("name")),
    (rf"where (?:was|were) {_THING} born", _asks_for("birthplace")),
    (rf"when (?:was|were) {_THING} born", lambda match: _of(match["x"], "birthday").replace("what", "when", 1)),
    (r"(?:on )?(?:what|which) (?:day|date) is (?P<x>.+ birthday)", lambda match: f"when is {match['x']}"),
    (rf"what ?{_BE} (?:the date of )?(?P<x>(?:my|your|his|her|their|our|\w+'s) (?:birthday|date of birth|birth date))",
     lambda match: "when is " + re.sub("date of birth|birth date", "birthday", match["x"])),
    (rf"(?:what|which) (?P<kind>\w+) {_DO} {_THING} (?:like|love|enjoy|prefer) (?:the )?(?:best|most)",
     lambda match: _of(match["x"], f"favorite {match['kind']}")),
    (rf"what ?{_BE} the (?P<kind>{_NOUNS}) of {_THING}", lambda match: _of(match["x"], match["kind"])),
    (rf"who ?{_BE} the {_DOER} of {_THING}", _done_by),
    (rf"who ?{_BE} {_THING} {_DOER}", _done_by),
    (rf"where {_DO} {_THING} come from", _comes_from),
)  # fmt: skip
_COMPILED = tuple((re.compile(way, re.IGNORECASE), plain) for way, plain in _WAYS)
_WORD = re.compile(r"[A-Za-z]+")


@lru_cache(maxsize=65536)
def plainly(text: str) -> str:
    """`text` with each word replaced by its plainer synonym, if any, and its question in the plainest form."""
    said = _WORD.sub(lambda match: _PLAIN.get(match.group(), match.group()), text.replace("’", "'").strip())
    asked = said.rstrip("?!. ")
    for way, plain in _COMPILED:
        if match := way.fullmatch(asked):
            return plain(match) + "?"
    return said


_ASKED_FOR = re.compile(
    rf"(?:what|when|where|who) ?{_BE} .*\b"
    r"(age|height|weight|price|name|job|workplace|birthday|birthplace|salary|home)\??",
    re.IGNORECASE,
)
_HOME = re.compile(rf"where {_DO} .+ live\??", re.IGNORECASE)


def asked_for(plain: str) -> str | None:
    """What a plain question asks for, if anybody could be asked for it: "name", "age" …"""
    if _HOME.fullmatch(plain):
        return "home"
    match = _ASKED_FOR.fullmatch(plain)
    return match[1].lower() if match else None
