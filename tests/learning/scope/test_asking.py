"""Whom a message asks about, with which question word, and whether it asks at all."""

from __future__ import annotations

import pytest

from theta_tui.learning.scope.asking import asked_with, persons, told
from theta_tui.learning.scope.words import words


def texts(message: str) -> list[str]:
    return [word.text for word in words(message)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("What is my name?", "What is your name?", False),
        ("What is my name?", "Who are you?", False),
        ("What is my favorite food?", "What food do you like best?", False),
        ("What is my favorite food?", "What food do I like best?", True),
        ("What is my name?", "Can you tell me my name?", True),
        ("Where were you born?", "Tell me where you were born.", True),
        ("What is your dog's name?", "the dog's name?", True),
        ("Where is the town of Orlebar?", "Do you know where Orlebar is?", True),
        ("What is his job?", "What is my job?", False),
        ("Who am I?", "Who are you?", False),
        ("Who are you?", "Can you tell me who you are?", True),
    ],
)
def test_what_is_mine_is_not_yours(one: str, other: str, expected: bool) -> None:
    first, second = (persons(texts(message)) for message in (one, other))
    assert (not first or not second or first == second) is expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Where is it?", {"where"}),
        ("Tell me when it is and where.", {"when", "where"}),
        ("Tell me of it.", set()),
        ("Do you like music?", {"whether"}),
        ("Do you know my name?", set()),
        ("Can you tell me of it?", set()),
    ],
)
def test_a_message_asks_with_its_question_words_or_for_yes_or_no(message: str, expected: set[str]) -> None:
    assert asked_with(texts(message)) == expected


@pytest.mark.parametrize(
    "message",
    [
        "My favorite color is blue.",
        "That's my favorite color too!",
        "Me too! They're my favorite band.",
        "Hi, I'm Ann.",
        "I want to see a movie tonight with my wife.",
    ],
)
def test_what_asks_nothing_is_told(message: str) -> None:
    assert told(texts(message))


@pytest.mark.parametrize(
    "message",
    [
        "What is my favorite color?",
        "Tell me my favorite color.",
        "my dog's name",
        "I never found out how she pays her bills.",
        "I'd like to know your name.",
        "the capital of France is",
        "blue",
        "Hello!",
        "?",
        "",
    ],
)
def test_what_may_ask_something_is_not_told(message: str) -> None:
    assert not told(texts(message))
