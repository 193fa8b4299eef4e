"""A stated fact → the question it answers: "Your creator is Dakota." → ("Who is your creator?", "My creator is
Dakota."). Standard library only.

Precision comes first: questions, wishes, guesses, negations, quotations, opinions and anything longer than a plain
sentence are ignored. A fact is only offered: the person may edit it, and nothing is learned before they agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from theta_tui.base.text import is_blank, visible
from theta_tui.facts import grammar
from theta_tui.facts.phrases import STARTERS
from theta_tui.facts.templates import Dictionary, Filled, Slot, Template, fill, load_dictionary, match

__all__ = ["Dictionary", "Pair", "load_dictionary", "read"]

MAX_CHARACTERS = 140
MAX_WORDS = 16

_QUOTES = re.compile("[\"“”„«»<>|{}\\[\\]()*_~;…]|(?:^|\\s)['‘]|--|—|–")
_CAPITALISED = {"name", "nickname", "place", "first-names"}
"""Kinds of slots that get capitals if the person types without."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its answer. `paraphrases` are other wordings of the question; `template` names the template."""

    prompt: str
    reply: str
    paraphrases: tuple[str, ...]
    template: str


def read(message: str, dictionary: Dictionary, *, previous: str | None = None) -> Pair | None:
    """The question and answer that `message` states; None if it states none or that is not certain.

    `previous` is the prompt just before in the conversation: "No, it's Friday." corrects its answer.
    """
    found = _plain_sentence(message)
    if found is None:
        return None
    found, contradicts = _without_prefixes(found, dictionary)
    if not found or _is_no_statement(found, dictionary):
        return None
    lower = not any(word[0].isupper() for word in found if word not in {"I", "I'm", "I've"})
    # First as written: "my sister's name is Ingrid" is not "my sister is name is Ingrid".
    for words in _readings(grammar.expand(found)):
        words = grammar.lowered(words, STARTERS)
        for template in dictionary.templates:
            if template.follows and not (previous and contradicts):
                continue
            filled = match(template.statement, words, dictionary, lower=lower)
            if filled is None:
                continue
            pair = _pair(template, words, filled, previous, lower)
            if pair is not None:
                return pair
    return None


def _plain_sentence(message: str) -> list[str] | None:
    """The words of the message if it is one plain sentence; None otherwise."""
    text = message.strip().replace("’", "'")
    if len(text) > MAX_CHARACTERS or is_blank(text) or visible(text, one_line=True) != text or _QUOTES.search(text):
        return None
    text = re.sub(r"\s+", " ", text)
    if text.endswith("?"):
        return None
    words = text.split(" ")
    for at, word in enumerate(words[:-1]):
        if word[-1] in ".!?" and word.lower() not in grammar.ABBREVIATIONS and at < len(words) - 1:
            return None
    found = grammar.words(text)
    if not 2 <= len(found) <= MAX_WORDS or any(not any(char.isalnum() for char in word) for word in found):
        return None
    return None if any("?" in word or "!" in word for word in found) else found


def _without_prefixes(found: list[str], dictionary: Dictionary) -> tuple[list[str], bool]:
    """(the sentence without a leading `Remember that` or `No,`; whether such a prefix contradicts).

    With a comma anywhere else it is no plain sentence, and no words are returned.
    """
    prefixes = sorted(dictionary.words.get("prefixes", ()), key=lambda text: -len(text.split()))
    contradictions = dictionary.words.get("contradictions", frozenset())
    contradicts = False
    for _ in range(3):
        bare = [word.lower().rstrip(",:") for word in found]
        for prefix in prefixes:
            size = len(prefix.split())
            if bare[:size] != prefix.split() or len(found) <= size:
                continue
            if any(word[-1] in ",:" for word in found[: size - 1]):
                continue
            contradicts = contradicts or prefix in contradictions
            found = found[size:]
            break
        else:
            break
    return ([], contradicts) if any(word[-1] in ",:" for word in found) else (found, contradicts)


def _is_no_statement(found: list[str], dictionary: Dictionary) -> bool:
    """Whether the sentence is a question, a denial, a guess or a wish."""
    lower = [word.lower() for word in found]
    if lower[0] in grammar.QUESTION_WORDS or lower[0] in grammar.AUXILIARIES - {"may", "will"}:
        return True
    unsure = dictionary.words.get("hedges", frozenset()) | dictionary.words.get("negations", frozenset())
    # A name may look like a hedge: Will, May, Hope. Inside a sentence its capital tells them apart.
    return any(
        (word.lower() in unsure and not (at and word[0].isupper()) and not grammar.is_month(found, at))
        or word.lower().endswith(("n't", "'ll", "'d"))
        for at, word in enumerate(found)
    )


def _readings(found: list[str]) -> list[list[str]]:
    """The sentence as it is, then with each `'s` in turn read as `is`."""
    readings = [found]
    for at, word in enumerate(found):
        if word.lower().endswith("'s") and len(word) > 2:
            readings.append([*found[:at], word[:-2], "is", *found[at + 1 :]])
    return readings


def _pair(template: Template, words: list[str], filled: Filled, previous: str | None, lower: bool) -> Pair | None:
    if template.follows:
        assert previous is not None
        asked = " ".join(previous.split()).rstrip("?!. ")
        plain = " ".join(grammar.expand(_asked(asked).split())).lower()
        if not asked or visible(previous, one_line=True) != previous or len(asked) > MAX_CHARACTERS:
            return None
        if not plain.startswith(tuple(f"{start} " for start in template.follows)) and plain not in template.follows:
            return None
        reply = fill(template.reply, filled) if template.reply else grammar.swap(words)
        # The question stays as it was asked: only its answer is corrected.
        return None if reply is None else Pair(previous.strip(), grammar.sentence(reply), (), template.name)
    if isinstance(template.statement[0], Slot) and template.statement[0].kind == "noun":
        # "Water boils at …": the capital only marks the start of the sentence.
        name = template.statement[0].name
        filled = filled | {name: [filled[name][0][:1].lower() + filled[name][0][1:], *filled[name][1:]]}
    if lower:
        named = [slot.name for slot in template.statement if isinstance(slot, Slot) and slot.kind in _CAPITALISED]
        for name in named:
            if filled[name][0] not in STARTERS | {"home"}:
                capital = [word[:1].upper() + word[1:] for word in filled[name]]
                words = _replaced(words, filled[name], capital)
                filled = filled | {name: capital}
    questions = [fill(question, filled) for question in template.questions]
    texts = [grammar.sentence(question, "?") for question in questions if question]
    if not texts:
        return None
    reply = fill(template.reply, filled) if template.reply else grammar.swap(words)
    if reply is None:
        return None
    others = tuple(dict.fromkeys(text for text in texts[1:] if text != texts[0]))
    return Pair(texts[0], grammar.sentence(reply), others, template.name)


def _asked(text: str) -> str:
    """`What's` → `What is`."""
    first, _, rest = text.partition(" ")
    return f"{first[:-2]} is {rest}".strip() if first.lower().endswith("'s") else text


def _replaced(words: list[str], part: list[str], by: list[str]) -> list[str]:
    """`words` with the last occurrence of `part` replaced: names come late in a statement."""
    for at in range(len(words) - len(part), -1, -1):
        if words[at : at + len(part)] == part:
            return [*words[:at], *by, *words[at + len(part) :]]
    return words
