"""Small words that turn a question into another one."""

from __future__ import annotations

import pytest

from theta_tui.learning.scope.features import apart
from theta_tui.learning.scope.matcher import shipped
from theta_tui.learning.scope.synonyms import plainly
from theta_tui.learning.scope.turning import doing, turns
from theta_tui.learning.scope.words import words


def _plain(text: str) -> list[str]:
    return [word.text for word in words(plainly(text))]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("What can't you do?", {"not"}),
        ("Why did she not come?", {"not"}),
        ("I can't remember what my dog is called.", set()),
        ("I don't know where Quillane is. Where is it?", set()),
        ("Don't you like music?", set()),
        ("My dog is Pixel, isn't it?", set()),
        ("What is my ex-wife called?", {"ex"}),
        ("Who was my former boss?", {"ex"}),
        ("Where does my half-brother live?", {"half"}),
        ("How old is my stepsister?", {"step"}),
        ("How old is my step-sister?", {"step"}),
        ("How many steps has the tower?", set()),
        ("What is the first step?", set()),
        ("What is my mother-in-law's name?", {"in law"}),
        ("What is the law in France?", set()),
        ("", set()),
    ],
)
def test_what_turns_a_question_is_found(said: str, expected: set[str]) -> None:
    assert turns(_plain(said)) == expected


@pytest.mark.parametrize(
    ("said", "does", "done"),
    [
        ("What eats grells?", "eat", set()),
        ("What do grells eat?", "", {"eat", "?"}),
        ("Who taught me to cook?", "teach", set()),
        ("What sound does a grell make?", "", set()),
        ("Who is my boss?", "", set()),
        ("What happened?", "happen", set()),
        ("Where is it?", "", set()),
        ("what", "", set()),
    ],
)
def test_who_does_it_is_not_what_it_is_done_to(said: str, does: str, done: set[str]) -> None:
    assert doing(_plain(said)) == (does, done)


@pytest.mark.parametrize(
    ("taught", "asked", "expected"),
    [
        ("What can you do?", "What can't you do?", True),
        ("What is my dog called?", "I can't remember what my dog is called.", False),
        ("What is my wife's name?", "What was my ex-wife's name?", True),
        ("Who was my former boss?", "Who was my previous boss?", False),
        ("What do grells eat?", "What eats grells?", True),
        ("Who succeeded Queen Isvara?", "Who did Queen Isvara succeed?", True),
        ("Who succeeded Queen Isvara?", "Who came after Queen Isvara?", False),
        ("What is my favourite animal?", "What animal do I have?", True),
        ("What is my favourite animal?", "Which animal do I love the most?", False),
        ("What is my favourite animal?", "What animal am I most fond of?", False),
        ("How do I turn off the heater?", "How do I turn on the heater?", True),
        ("How do I turn off the heater?", "How do I turn the heater off on Sundays?", False),
        ("Where did we go last year?", "Where do we go this year?", True),
        ("Where did we go last year?", "Where did we go on holiday?", False),
        ("What does the light mean?", "The light is broken.", True),
        ("What does the light mean?", "the light's meaning", False),
        ("What happened to the ship?", "Nothing ever is bad on the ship.", True),
    ],
)
def test_such_questions_are_apart(taught: str, asked: str, expected: bool) -> None:
    read = shipped().reader.read
    assert apart(read(taught), read(asked)) is expected
    assert apart(read(asked), read(taught)) is expected
