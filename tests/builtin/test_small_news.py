"""Small news made of parts: the reply fits what was said, and nothing that measures the models is among them."""

from __future__ import annotations

import random
import re

import pytest

from tests.benchmarks import first_impressions as impressions
from tests.benchmarks import knowledge
from tests.benchmarks import voice as judged
from theta_tui.builtin import news_words as words
from theta_tui.builtin.small_news import Exchange, SmallNews
from theta_tui.builtin.voice import MOST_WORDS


@pytest.fixture(scope="module")
def made() -> list[Exchange]:
    news = SmallNews(random.Random(3))
    return [news.exchange() for _ in range(6000)]


def test_they_are_many_short_and_whole(made: list[Exchange]) -> None:
    assert len({said for said, _ in made}) > 3000
    assert all(len(reply.split()) <= MOST_WORDS and reply[-1] in ".?!" for _, reply in made)
    assert not [text for exchange in made for text in exchange if "{" in text or "  " in text]


def test_a_reply_speaks_of_the_persons_things_as_theirs(made: list[Exchange]) -> None:
    assert not [reply for _, reply in made if re.search(r"\bmy\b", reply)]
    lost = [(said, reply) for said, reply in made if "your glove" in reply.lower()]
    assert lost
    assert all("my glove" in said for said, _ in lost)


def test_what_is_bad_news_gets_no_congratulations() -> None:
    news = SmallNews(random.Random(4))
    for _ in range(500):
        assert not re.search(r"Well done|Congrat|Great!|Lucky|Bravo", news.mishap()[1])
        assert not re.search(r"[Ss]orry|Oh no|bad luck", news.success()[1])


def test_each_subject_has_one_fact() -> None:
    facts = SmallNews(random.Random(1)).facts
    assert len(dict(facts)) == len(facts) == len(words.ANIMAL_FACTS.split(";")) == 30
    assert ("frogs", "Frogs drink through their skin.") in facts
    assert ("the moon", "The moon moves a little away from us each year.") in facts


def test_of_others_is_said_what_was_told_of_them_and_nothing_else() -> None:
    news, unknown, known = SmallNews(random.Random(5)), 0, 0
    for _ in range(400):
        turns = news.others("Quorvo")
        told = [said for said, _ in turns if not _question(said)]
        for asked, reply in (turn for turn in turns if _question(turn[0])):
            who = next(who for who in sorted(words.PEOPLE, key=len, reverse=True) if f"my {who}" in asked)
            about = [said for said in told if re.search(rf"\b[Mm]y {who}\b", said)]
            fact = next(f for f, forms in words.OTHERS.items() if asked in {ask.format(w=who) for ask in forms[2]})
            if reply in {text.format(w=who) for text in words.OTHERS[fact][4]}:
                unknown += 1
                assert not any(_tells(fact, who, said) for said in about)
            else:
                known += 1
                assert any(_tells(fact, who, said) for said in about)
    assert unknown > 100
    assert known > 300


def _question(said: str) -> bool:
    return bool(re.match(r"(?i)how old|what|where|which|do you", said))


def _tells(fact: str, who: str, said: str) -> bool:
    forms = (re.escape(form.replace("{w}", who)).replace(r"\{n\}", r"\w+") for form in words.OTHERS[fact][0])
    return any(re.fullmatch(re.sub(r"\\\{[xjf]\\\}", ".+", form), said) for form in forms)


def test_none_of_the_lines_is_judged_with(made: list[Exchange]) -> None:
    prompts = [*judged.PROMPTS, *judged.OWN, *(prompt for _, prompt in impressions.everyday())]
    prompts += [question.text for question in knowledge.questions()]
    assert not {_plain(said) for said, _ in made} & {_plain(prompt) for prompt in prompts}


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
