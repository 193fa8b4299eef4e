"""Which lesson a prompt belongs to, by the matcher that ships."""

from __future__ import annotations

import pytest

from theta_tui.scope.decision import NOWHERE
from theta_tui.scope.index import Scopes
from theta_tui.scope.matcher import shipped

LESSONS = {
    1: "What is my dog's name?",
    2: "Where is the town of Orlebar?",
    3: "Who is your creator?",
    4: "When does the library open?",
}


@pytest.fixture
def scopes() -> Scopes:
    found = Scopes(shipped())
    for number, prompt in LESSONS.items():
        found.put(number, [prompt])
    return found


@pytest.mark.parametrize("number", LESSONS)
def test_a_prompt_is_in_the_scope_of_its_own_lesson(scopes: Scopes, number: int) -> None:
    for wording in (LESSONS[number], LESSONS[number].lower().rstrip("?"), f"{LESSONS[number]} please"):
        decision = scopes.decide(wording)
        assert decision.lesson == number
        assert decision.sure


@pytest.mark.parametrize(
    ("prompt", "number"),
    [
        ("What is my dog called?", 1),
        ("Can you tell me where Orlebar is?", 2),
        ("Can you tell me who your creator is?", 3),
        ("What time does the library open?", 4),
    ],
)
def test_other_words_for_the_same_question_find_it_too(scopes: Scopes, prompt: str, number: int) -> None:
    assert scopes.decide(prompt).lesson == number


@pytest.mark.parametrize(
    "prompt",
    [
        "What is your name?",
        "What is your dog's name?",
        "What is my cat's name?",
        "Where is the town of Wexmoor?",
        "Who is your best friend?",
        "When does the library close?",
        "I had pancakes for breakfast.",
        "Tell me a joke.",
        "",
        "?!",
    ],
)
def test_what_only_looks_alike_is_not_sure_to_be_in_a_scope(scopes: Scopes, prompt: str) -> None:
    assert not scopes.decide(prompt).sure


def test_without_lessons_nothing_is_in_a_scope() -> None:
    assert Scopes(shipped()).decide("What is my dog's name?") == NOWHERE


def test_a_lesson_that_is_dropped_has_no_scope(scopes: Scopes) -> None:
    scopes.drop(1)
    assert scopes.decide(LESSONS[1]).lesson != 1
    assert scopes.lessons == {2, 3, 4}
    scopes.drop(1)


def test_of_two_lessons_on_one_question_the_newer_one_answers(scopes: Scopes) -> None:
    scopes.put(9, [LESSONS[1]])
    assert scopes.decide(LESSONS[1]).lesson == 9
    assert scopes.decide("What is my dog called?").lesson == 9


def test_other_wordings_of_a_lesson_are_keys_as_well(scopes: Scopes) -> None:
    scopes.put(5, ["How do I take my coffee?", "xylophone marmalade"])
    assert scopes.decide("Xylophone marmalade!").lesson == 5


def test_a_thousand_lessons_are_told_apart() -> None:
    scopes = Scopes(shipped())
    names = [f"{one}{two}{three}" for one in "bdfgklmnrt" for two in ("ar", "el", "on") for three in "abcdefghij"]
    for number, name in enumerate(names):
        scopes.put(number, [f"Where does {name.capitalize()} live?"])
    assert scopes.decide("Where does Feli live").lesson == names.index("feli")
    assert scopes.decide("where is feli living?").lesson in (names.index("feli"), None)
    assert not scopes.decide("Where does Xanthippe live?").sure
