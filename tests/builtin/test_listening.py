"""The conversations in which the built-in model has to listen: the same again, right, and none of the names and things
that measure it."""

from __future__ import annotations

import re

import pytest

from tests.benchmarks import voice as judged
from theta_tui.builtin import listening
from theta_tui.builtin import voice_words as told

Exchange = tuple[str, str]


@pytest.fixture(scope="module")
def made() -> list[list[Exchange]]:
    rows = listening.conversations(1, share=0.1)
    texts = [[message["content"] for message in row["messages"]] for row in rows]
    return [list(zip(said[::2], said[1::2], strict=True)) for said in texts]


def test_the_same_conversations_are_made_again() -> None:
    first, again = (list(listening.conversations(1, share=0.01)) for _ in range(2))
    assert first == again
    assert {message["role"] for row in first for message in row["messages"]} == {"user", "assistant"}


def test_replies_are_short_and_whole(made: list[list[Exchange]]) -> None:
    replies = [reply for turns in made for _, reply in turns]
    assert len(replies) > 10_000
    assert all("{" not in reply and len(reply.split()) <= listening.MOST_WORDS for reply in replies)
    assert not any("SmolLM" in reply for reply in replies)


def test_a_name_is_said_again_where_it_was_told_and_nowhere_else(made: list[list[Exchange]]) -> None:
    tells, _, asks, _, unknown = told.FACTS["name"]
    asked, all_tells = [], (*tells, *listening.words.TELL_OWN_NAME)
    for turns in made:
        if not any(said != said.lower() for said, _ in turns):
            continue  # typed in small letters
        names = [name for said, _ in turns for tell in all_tells if (name := _slot(tell, said))]
        names += [name for said, _ in turns for tell in told.NAME_IN_SHORT if (name := _opening(tell, said))]
        for said, reply in turns:
            if said in asks:
                asked.append(bool(names))
                assert any(name in reply for name in names) if names else reply in unknown
    assert 100 < sum(asked) < len(asked) - 10


def test_whoever_is_asked_for_is_named(made: list[list[Exchange]]) -> None:
    questions, answers = told.ITSELF[0]
    own = [reply for turns in made for said, reply in turns if said in questions]
    # Small talk asks for the name as well, with replies of its own.
    assert len(own) > 500
    assert all("Theta" in reply or reply not in answers for reply in own)
    assert sum(reply in answers for reply in own) > 0.7 * len(own)


def test_sums_are_right_in_digits_and_in_words() -> None:
    maker, numbers = listening.Listening(1), listening.words.NUMBERS
    seen = set()
    for asked, reply in (maker.reckoned() for _ in range(3000)):
        a, sign, b, c = re.fullmatch(r"(\w+) (plus|minus|\+|-) (\w+) (?:is|=) (\w+)\.", reply).groups()  # type: ignore[union-attr]
        first, second, result = (int(n) if n.isdigit() else numbers.index(n.lower()) for n in (a, b, c))
        assert result == (first + second if sign in ("plus", "+") else first - second)
        assert max(first, second, result) <= 20
        assert re.search(rf"\b{a}\b", asked, re.IGNORECASE)
        seen.add((first, second, sign in ("plus", "+")))
    assert len(seen) > 250


def test_a_fact_has_one_answer_in_all_its_wordings() -> None:
    found: dict[str, set[str]] = {}
    for asked, answer in listening.facts():
        found.setdefault(asked, set()).add(answer)
    assert len(found) > 2000
    assert not {asked: answers for asked, answers in found.items() if len(answers) > 1}
    assert found["capital of France"] == {"The capital of France is Paris."}
    assert found["A spider has how many legs?"] == {"A spider has eight legs."}


def test_no_name_and_no_thing_is_learned_that_the_benchmark_asks_for(made: list[list[Exchange]]) -> None:
    names = {name for _, name in judged.THINGS} | set(judged.PEOPLE)
    every = " ".join(text for turns in made for exchange in turns for text in exchange)
    assert not [name for name in names if re.search(rf"\b{name}\b", every)]
    users = {said.lower() for turns in made for said, _ in turns}
    assert not users & {prompt.lower() for prompt in judged.PROMPTS}


def _slot(template: str, said: str) -> str | None:
    found = re.fullmatch(re.escape(template).replace(r"\{x\}", r"([A-Z].*)"), said)
    return found[1] if found else None


def _opening(template: str, said: str) -> str | None:
    """The name where other facts stand behind it."""
    found = re.match(re.escape(template).replace(r"\{x\}", r"([A-Z][^,]*?)") + "(?:, | and )", said)
    return found[1] if found else None
