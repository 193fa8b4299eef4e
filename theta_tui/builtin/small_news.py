"""Conversations made of parts that meet in thousands of ways: small news, opinions, gifts, and facts about others.

A model that sees few lines learns the lines. Of parts it learns that "{dropped} {the butter} :(" is bad luck, whatever
was dropped, and that what is known of one's sister is not known of one's brother.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from theta_tui.builtin import news_words as words
from theta_tui.builtin import voice_words as told

Exchange = tuple[str, str]


class SmallNews:
    """Makes exchanges, all from the generator `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.forms = (
            self.mishap, self.mishap, self.success, self.find, self.animal, self.animal, self.opinion, self.opinion,
            self.opinion, self.gift, self.help, self.fact, self.test,
        )  # fmt: skip
        self.facts = [
            (thing, fact)
            for item in " ".join(words.ANIMAL_FACTS.split()).split(";")
            for thing, fact in re.findall(r"((?:the )?[a-z]+(?: [a-z]+)?) ([A-Z].*)", item)
        ]

    def exchange(self) -> Exchange:
        """One of any form; a test of the machine is rare."""
        form = self.rng.choice(self.forms)
        return form() if form != self.test or self.rng.random() < 0.4 else self.mishap()

    def one(self, of: Sequence[str], **slots: str) -> str:
        """One of the templates with its slots filled; a slot's upper-case letter is the same with a capital."""
        return self.rng.choice(of).format(**slots, **{name.upper(): begun(text) for name, text in slots.items()})

    def happened(self, table: str, ends: Sequence[str]) -> tuple[str, str]:
        """(what is said of it, the thing as the reply names it)."""
        rng = self.rng
        verb, _, things = rng.choice(table.strip().splitlines()).partition(": ")
        thing = rng.choice(things.split(", "))
        start = rng.choice(("I {v}", "I {v}", "i {v}", "{v}", "{V}", "just {v}", "Just {v}", "I just {v}"))
        said = start.format(v=verb, V=begun(verb)) + f" {thing}" + rng.choice(ends)
        return said, re.sub(r"\bmy\b", "your", thing)

    def mishap(self) -> Exchange:
        said, thing = self.happened(words.MISHAPS, words.MISHAP_ENDS)
        return said, self.one(words.HEAR_MISHAP, o=thing)

    def success(self) -> Exchange:
        return self.happened(words.SUCCESSES, words.GOOD_ENDS)[0], self.one(words.HEAR_SUCCESS)

    def find(self) -> Exchange:
        said, thing = self.happened(words.FINDS, words.GOOD_ENDS)
        return said, self.one(words.HEAR_FIND, o=thing)

    def animal(self) -> Exchange:
        """What an animal did."""
        animal, thing = self.rng.choice(words.ANIMALS), self.rng.choice(words.ANIMAL_OBJECTS)
        said = self.one(words.ANIMAL_FRAMES, a=animal, did=self.one(words.ANIMAL_DID, o=thing))
        return said, self.one(words.HEAR_ANIMAL, a=animal, o=thing)

    def opinion(self) -> Exchange:
        """What somebody likes or does not."""
        thing = self.rng.choice(words.THINGS)
        say, hear = self.rng.choice(((words.LIKE, words.HEAR_LIKE), (words.DISLIKE, words.HEAR_DISLIKE)))
        return self.one(say, t=thing), self.one(hear, t=thing)

    def gift(self) -> Exchange:
        who = self.rng.choice(words.PEOPLE)
        return self.one(words.ASK_GIFT, w=who), self.one(words.SAY_GIFT, w=who, g=self.rng.choice(words.GIFTS))

    def help(self) -> Exchange:
        who = self.rng.choice(words.PEOPLE)
        return self.one(words.ASK_HELP, w=who, d=self.rng.choice(words.DEEDS)), self.one(words.HEAR_HELP, w=who)

    def fact(self) -> Exchange:
        thing, fact = self.rng.choice(self.facts)
        return self.one(words.ASK_FACT, t=thing), fact

    def test(self) -> Exchange:
        return self.rng.choice(words.TESTS), self.rng.choice(words.HEAR_TEST)

    def others(self, name: str) -> list[Exchange]:
        """Facts about one or two people, asked for; what is asked of another one nobody has told. `name`: a town."""
        rng = self.rng
        people = rng.sample(words.PEOPLE, 3)
        known = {(who, rng.choice(sorted(words.OTHERS))) for who in people[: rng.choice((1, 2))]}
        turns, asks = [], []
        for who, fact in sorted(known):
            tell, hear, ask, say, _ = words.OTHERS[fact]
            food, job = rng.choice(told.FOODS), rng.choice(told.JOBS)
            number = (
                str(rng.randint(3, 99))
                if rng.random() < 0.7
                else rng.choice(("four", "seven", "nine", "thirty", "fifty"))
            )
            slots = {"w": who, "x": name, "j": job, "f": food, "n": number}
            turns.append((self.one(tell, **slots), self.one(hear, **slots)))
            asks.append((self.one(ask, w=who), self.one(say, **slots)))
        if rng.random() < 0.6:
            who, fact = rng.choice([(who, fact) for who in people for fact in words.OTHERS if (who, fact) not in known])
            asks.append((self.one(words.OTHERS[fact][2], w=who), self.one(words.OTHERS[fact][4], w=who)))
        rng.shuffle(asks)
        return turns + asks[: rng.randint(1, len(asks))]


def begun(text: str) -> str:
    """The text as a sentence begins: with a capital."""
    return text[0].upper() + text[1:]
