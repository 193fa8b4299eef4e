"""Other wordings of a prompt, so that a lesson teaches the fact and not only the sentence. Standard library only.

They come first from the dictionary, then from grammar: "Where does my brother live?" → "Tell me where my brother
lives." A prompt that is not understood keeps its words; only case and end mark change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from theta_tui.base.text import is_blank, visible
from theta_tui.facts import grammar
from theta_tui.facts.phrases import DETERMINERS, PARTICIPLES
from theta_tui.facts.templates import Dictionary, fill, match

MAX_VARIANTS = 12
FROM_DICTIONARY = 5
MAX_CHARACTERS = 300

_LIGHT = grammar.listed(
    "what what's which who who's whom whose where where's when when's why how how's is are was were am do does did "
    "a an the of to in on at for with by it that this there can could would will should may has have had"
)
"""Words that a question can drop and still be understood."""
_PRONOUNS = grammar.listed("i you we he she it they this that these those there")
_DO = frozenset({"do", "does", "did"})
_CONTRACTED = {"what is": "What's", "who is": "Who's", "where is": "Where's", "when is": "When's", "how is": "How's"}
_TAILS = PARTICIPLES | {"due", "open", "closed"}
_ADJECTIVES = ("English", "Spanish", "Polish", "French", "Dutch", "ese", "ian", "can", "day")
"""Endings of capitalised words that are no names of their own: the French president is no president of French."""
_PREPOSITIONS = grammar.listed("from to for in on at with of about by after like near under")
_VERBS = grammar.listed(
    "live work come speak play have open close start begin end leave depart arrive finish run study teach drive weigh "
    "cost boil freeze melt die retire eat drink like love want need know think say do go make take get give keep "
    "use mean call sleep sing write read paint cook bake grow wear own sell buy collect hate prefer happen belong "
    "measure contain look sound taste smell feel walk travel fly swim stand sit stay move meet see hear find win "
    "celebrate support follow believe enjoy hold turn marry build invent discover last train rain snow"
)


def variants(prompt: str, dictionary: Dictionary) -> tuple[str, ...]:
    """Other wordings of `prompt` with the same meaning, best first. At most MAX_VARIANTS, no two alike."""
    said = prompt.strip()
    if is_blank(said) or len(said) > MAX_CHARACTERS or visible(said, one_line=True) != said:
        return ()
    found = list(dict.fromkeys(_wordings(said, dictionary)))
    return tuple(text for text in found if text not in (said, prompt) and not is_blank(text))[:MAX_VARIANTS]


@dataclass(frozen=True, slots=True)
class _Question:
    """A parsed question: `asks` (what, how old, `whether`), then the clause in statement order."""

    asks: str
    subject: list[str]
    rest: list[str]

    @property
    def clause(self) -> str:
        return " ".join([*self.subject, *self.rest])


def _wordings(said: str, dictionary: Dictionary) -> Iterator[str]:
    words = grammar.words(said)
    plain = _several_sentences(words)
    asked = None if plain else _question_words(words)
    if asked:
        yield from _of(asked)
        yield from list(dict.fromkeys(_from_dictionary(asked, dictionary)))[:FROM_DICTIONARY]
    question = _parse(asked) if asked else None
    if question is not None:
        indirect = f"{question.asks} {question.clause}".strip()
        yield f"Tell me {indirect}."
        yield from _key_words(said)
        yield from _contractions(said, words)
        yield _bare(said)
        if indirect.split()[:2] != ["whether", "you"]:
            yield f"Do you know {indirect}?"
        yield from _echo(question)
        yield f"Can you tell me {indirect}?"
        yield f"I'd like to know {indirect}."
        yield from _topic(asked or [], question)
        yield f"I was wondering {indirect}."
    else:
        yield from _contractions(said, words)
        yield _bare(said)
    yield said[:1].upper() + said[1:]
    yield said[:1].lower() + said[1:] if words and words[0] not in {"I", "I'm", "I'd"} else said
    yield said.rstrip("?!. ") or said
    if asked and not said.endswith("?"):
        yield f"{said.rstrip('!. ')}?"
    if not asked and not plain and said[-1].isalnum():
        yield f"{said}."
    if not asked and said[-1:] in ".!":
        yield said[:-1].rstrip(".! ") + ("!" if said[-1] == "." else ".")


def _of(asked: list[str]) -> Iterator[str]:
    """`What colour is the flag of Lorrin?` for `the Lorrin flag`.

    It comes first, as a model copies what stands in front. Without this order of the words a lesson is said with both
    ("The flag of Lorrin flag is white").
    """
    for at in range(2, len(asked) - 1):
        article, name, thing = asked[at - 1 : at + 2]
        ends = at + 2 == len(asked) or asked[at + 2].lower() in _VERBS | _TAILS
        named = name.isalpha() and name.istitle() and not name.endswith(_ADJECTIVES)
        if ends and article == "the" and named and thing.isalpha() and thing.islower() and not thing.endswith("ing"):
            yield grammar.sentence([*asked[:at], thing, "of", name, *asked[at + 2 :]], "?")


def _key_words(said: str) -> Iterator[str]:
    """Only the words that carry the question, in order, as somebody in a hurry types it."""
    kept = [word for word in said.rstrip("?!. ").split() if word.lower().strip(",") not in _LIGHT]
    if len(kept) > 1:
        yield f"{' '.join(kept)}?"


def _several_sentences(words: list[str]) -> bool:
    return any(word[-1] in ".!?,;:" and word.lower() not in grammar.ABBREVIATIONS for word in words[:-1])


def _question_words(words: list[str]) -> list[str] | None:
    """The words of a question, with contractions spelled out and the first word in lower case; None if it is none."""
    words = grammar.expand(words)
    if not words:
        return None
    first = words[0].lower()
    if first.endswith("'s") and first[:-2] in grammar.QUESTION_WORDS:
        words = [first[:-2], "is", *words[1:]]
    words = [words[0].lower(), *words[1:]]
    asks = words[0] in grammar.QUESTION_WORDS or words[0] in grammar.AUXILIARIES
    return words if asks and len(words) > 1 else None


def _from_dictionary(asked: list[str], dictionary: Dictionary) -> Iterator[str]:
    """The dictionary's other wordings, if `asked` is a question that it offers.

    Only the first wording of a template counts: others may be looser ("Who are you?" asks for more than a name).
    """
    lower = not any(word[0].isupper() for word in asked if word != "I")
    for template in dictionary.templates:
        if template.follows:
            continue
        filled = match(template.questions[0], asked, dictionary, lower=lower)
        if filled is None:
            continue
        for question in template.questions:
            text = fill(question, filled)
            if text is not None:
                yield grammar.sentence(text, "?")


def _parse(asked: list[str]) -> _Question | None:
    """The question in statement order; None if that is not certain."""
    lower = [word.lower() for word in asked]
    if lower[0] not in grammar.QUESTION_WORDS:
        return _yes_no(asked, lower)
    auxiliary = next((at for at, word in enumerate(lower) if at and (word in grammar.AUXILIARIES)), None)
    if auxiliary is None or auxiliary > 4:
        # The question word is the subject: who made you, what causes rain.
        if auxiliary is None and lower[0] in {"who", "what"} and len(asked) > 2 and _may_be_verb(lower[1]):
            return _Question(lower[0], [], asked[1:])
        return None
    if auxiliary == 1 and lower[0] in {"who", "whom"} and lower[1] not in grammar.BE | _DO:
        return None
    asks = " ".join([lower[0], *asked[1:auxiliary]])
    # Why is the sky blue? What follows is not the subject alone.
    split = _clause(lower[auxiliary], asked[auxiliary + 1 :], closed=asks == "why")
    return None if split is None else _Question(asks, *split)


def _yes_no(asked: list[str], lower: list[str]) -> _Question | None:
    split = _clause(lower[0], asked[1:], closed=True)
    return None if split is None else _Question("whether", *split)


def _clause(auxiliary: str, after: list[str], *, closed: bool = False) -> tuple[list[str], list[str]] | None:
    """(subject, verb and rest) of the words after the auxiliary verb, in statement order."""
    lower = [word.lower() for word in after]
    if not after:
        return None
    noun_follows = lower[0] in {"this", "that", "these", "those"} and len(after) > 2
    at = 1 if lower[0] in _PRONOUNS and not noun_follows else None
    if auxiliary in _DO:
        if at is None:
            at = _verb_place(lower)
        if at is None or at >= len(after):
            return None
        verb = grammar.conjugated(lower[at], auxiliary)
        return None if verb is None else (after[:at], [verb, *after[at + 1 :]])
    if auxiliary in grammar.BE:
        if at is None:
            at = _be_place(lower, closed)
        return None if at is None else (after[:at], [auxiliary, *after[at:]])
    if at is None or at >= len(after):
        return None
    return after[:at], [auxiliary, *after[at:]]


def _verb_place(lower: list[str]) -> int | None:
    """Index of the verb after the subject: the only known verb, or the only word that it can be."""
    found = [at for at, word in enumerate(lower) if at and word in _VERBS]
    if len(found) == 1:
        return found[0]
    if found:
        return None
    end = len(lower) - 1 if lower[-1] not in _PREPOSITIONS else len(lower) - 2
    sure = lower[0] in DETERMINERS and end == 2
    return end if sure else None


def _be_place(lower: list[str], closed: bool) -> int | None:
    """Index at which the subject ends after a form of be: at a participle, a last preposition, or the end."""
    for at, word in enumerate(lower):
        if at and word in _TAILS:
            return at
    if lower[-1] in _PREPOSITIONS - {"of"}:
        return len(lower) - 1 if len(lower) > 1 else None
    if not closed:
        return len(lower)
    # Is my dog brown? The subject is two words if the rest is one.
    return 2 if lower[0] in DETERMINERS and len(lower) == 3 else None


def _may_be_verb(word: str) -> bool:
    return (
        grammar.base_form(word) in _VERBS or word.endswith("ed") or word in {"made", "wrote", "built", "founded", "won"}
    )


def _contractions(said: str, words: list[str]) -> Iterator[str]:
    start = " ".join(words[:2]).lower()
    if start in _CONTRACTED and len(words) > 2:
        yield _CONTRACTED[start] + said[said.index(words[1]) + len(words[1]) :]
    if words and words[0].lower().endswith("'s") and words[0].lower()[:-2] in grammar.QUESTION_WORDS:
        yield f"{words[0][:-2]} is{said[len(words[0]) :]}"


def _bare(said: str) -> str:
    """Lower case without an end mark, as somebody in a hurry types."""
    return said.lower().rstrip("?!. ") or said


def _echo(question: _Question) -> Iterator[str]:
    """`My brother lives where?`"""
    if question.subject and question.asks in {"what", "who", "where", "when"} and len(question.rest) <= 2:
        last = question.rest[-1].lower()
        if last not in _PREPOSITIONS:
            yield grammar.sentence([*question.subject, *question.rest, question.asks], "?")


def _topic(asked: list[str], question: _Question) -> Iterator[str]:
    """`The capital of France, please.`, `The capital of France?`"""
    alone = question.subject and question.rest and len(question.rest) == 1 and question.rest[0] in grammar.BE
    if not alone or question.subject[0].lower() in _PRONOUNS:
        return
    topic = " ".join(question.subject)
    topic = topic[:1].upper() + topic[1:]
    if question.asks == "what":
        yield f"{topic}, please."
        yield f"{topic}?"
    elif question.asks == "who":
        yield f"{' '.join(grammar.possessive(topic.split()))} name?"
    elif question.asks in {"where", "when"}:
        yield f"{topic}: {question.asks}?"
