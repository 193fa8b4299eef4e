"""Conversations in which the built-in model has to listen: what was just said is asked for, or was never said.

Names, places, numbers and favourites are told and asked for at once or later; Theta's name stands beside the person's;
what nobody said gets "you haven't told me". Then sums to twenty and the best-known facts, in many wordings. It shares
its forms with the voice of SmolLM2 (builtin/voice.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from theta_tui.builtin import listening_words as words
from theta_tui.builtin import voice
from theta_tui.builtin import voice_words as told
from theta_tui.builtin.small_news import Exchange, begun
from theta_tui.builtin.voice import MOST_WORDS, Voice

MADE = {
    "names": 24_000, "facts": 10_000, "introduced": 5_000, "speakers": 5_000, "itself": 4_000, "unknown": 4_000,
    "sums": 10_000, "known": 9_000, "everyday": 13_000, "plans": 3_000, "mashed": 600, "small_talk": 2_500,
    "news": 14_000, "others": 7_000, "beside": 24_000,
}  # fmt: skip
"""Conversations made of each form."""


class Listening(Voice):
    """Makes conversations, all from one seeded generator."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.things = (*told.NAMED, *words.THINGS)
        self.about_itself = (*told.ITSELF[:2], *words.MADE, *told.ITSELF[3:])
        self.questions = list(facts())
        self.forms |= {"speakers": self.speakers, "sums": self.sums}

    def name(self) -> str:
        name = super().name()
        return self.one(words.TITLES, x=name) if self.rng.random() < 0.12 else name

    def fact(self, fact: str) -> tuple[Exchange, Exchange]:
        (tells, hears), asked = super().fact(fact)
        if fact == "name" and self.rng.random() < 0.3:
            name = self.name()
            hear, ask, say = told.FACTS[fact][1:4]
            tells, hears = self.one(words.TELL_OWN_NAME, x=name), self.one(hear, x=name)
            asked = self.one(ask), self.one(say, x=name)
        return (tells, hears), asked

    def speakers(self) -> list[Exchange]:
        """The person's name and age beside Theta's: who is "you" and who is "I"."""
        rng = self.rng
        facts = rng.sample(["name", "age", "town", "job"], rng.choice((1, 2)))
        facts = facts if "name" in facts or rng.random() < 0.3 else ["name", *facts]
        turns, asks = self.between(0.2), []
        for fact in facts:
            tells, asked = self.fact(fact)
            turns.append(tells)
            asks.append(asked)
        asks += [(rng.choice(said), rng.choice(answers)) for said, answers in rng.sample(self.about_itself, 2)]
        said, answers = self.about_itself[0]
        asks.append((rng.choice(said), rng.choice(answers)))
        rng.shuffle(asks)
        return turns + asks[: rng.randint(2, len(asks))]

    def sums(self) -> list[Exchange]:
        """Sums to twenty, and differences, in digits or in words."""
        return self.between(0.1) + [self.reckoned() for _ in range(self.rng.choice((1, 2, 3)))]

    def reckoned(self) -> Exchange:
        rng = self.rng
        whole = rng.randint(2, 20)
        first = rng.randint(1, whole - 1)
        minus, signs = rng.random() < 0.15, rng.random() < 0.35
        numbers = (whole, first, whole - first) if minus else (first, whole - first, whole)
        a, b, c = (words.NUMBERS[n] for n in numbers) if not signs and rng.random() < 0.3 else map(str, numbers)
        if signs:
            asked, sign = (words.LESS_SIGNS, "-") if minus else (words.SUM_SIGNS, "+")
            return self.one(asked, a=a, b=b), f"{a} {sign} {b} = {c}."
        in_words, word = (words.LESS_ASKS, "minus") if minus else (words.SUM_ASKS, "plus")
        reply = f"{a} {word} {b} is {c}."
        return self.one(in_words, a=a, b=b), begun(reply)


def facts() -> Iterator[Exchange]:
    """The best-known facts, each in all its wordings, with one answer."""
    seen = set()
    for asked, answer in _tabled():
        seen.add(asked)
        yield asked, answer
    for listed in (words.KNOWN, told.KNOWN):
        for item in " ".join(listed.split()).split(";"):
            said, _, answer = item.strip().partition("= ")
            if said not in seen:
                yield from [(said, answer)] * 6


def _tabled() -> Iterator[Exchange]:
    for country, capital in (*voice.pairs(words.CAPITALS), *words.LONG_CAPITALS):
        yield from _asked(words.CAPITAL_ASKS, country, f"The capital of {country} is {capital}.")
    for word, other in voice.pairs(words.OPPOSITES):
        yield from _asked(words.OPPOSITE_ASKS, word, f"The opposite of {word} is {other}.")
    for thing, colour in voice.pairs(words.COLOURED):
        yield from _asked(words.COLOUR_ASKS, thing, f"{begun(thing)} is {colour}.")
    for animal, count in voice.pairs(words.LEGS):
        yield from _asked(words.LEG_ASKS, animal, f"{begun(animal)} has {count} legs.")
    for animal, young in voice.pairs(words.YOUNG):
        article = "an" if young[0] in "aeiou" else "a"
        yield from _asked(words.YOUNG_ASKS, animal, f"A baby {animal} is {article} {young}.")
    for animal, sound in voice.pairs(words.SOUNDS):
        yield from _asked(words.SOUND_ASKS, animal, f"{begun(animal)} {sound}.")
    for kind, row in (("day", words.DAYS), ("month", words.MONTHS)):
        for name, after in zip(row, (*row[1:], row[0]), strict=True):
            yield from _asked(words.AFTER_ASKS, name, f"{after} comes after {name}.", k=kind)
            yield from _asked(words.BEFORE_ASKS, after, f"{name} comes before {after}.", k=kind)


def _asked(wordings: tuple[str, ...], about: str, answer: str, **slots: str) -> Iterator[Exchange]:
    for wording in wordings:
        asked = wording.format(x=about, **slots)
        yield (begun(asked) if wording[0] == "{" else asked), answer


def conversations(seed: int, share: float = 1.0) -> Iterator[dict[str, Any]]:
    """All of them in random order, as rows that `theta train` reads."""
    listening = Listening(seed)
    found = [listening.forms[form]() for form, count in MADE.items() for _ in range(round(count * share))]
    listening.rng.shuffle(found)
    for turns in found:
        if all(len(reply.split()) <= MOST_WORDS for _, reply in turns):
            yield {"source": "listening", "messages": listening.messages(turns)}
