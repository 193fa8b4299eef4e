"""Which lesson a prompt belongs to, by the matcher that ships."""

from __future__ import annotations

import math

import pytest

from theta_tui.facts.own_questions import ABOUT_ITSELF
from theta_tui.learning.scope.decision import NOWHERE
from theta_tui.learning.scope.index import Scopes
from theta_tui.learning.scope.matcher import shipped

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


def test_a_wording_that_only_leaves_words_out_counts_word_for_word(scopes: Scopes) -> None:
    scopes.put(5, ["Where is Ulvish spoken?", "Ulvish spoken?", "In which region do they talk Ulvish?"])
    assert scopes.decide("ulvish spoken").lesson == 5
    assert scopes.decide("So in which region do they talk Ulvish?").lesson == 5
    assert not scopes.decide("By how many people is Ulvish spoken?").sure


def test_a_lesson_that_is_put_again_and_again_is_there_once(scopes: Scopes) -> None:
    for _ in range(20):
        scopes.put(1, [LESSONS[1]])
        assert scopes.decide("What is my dog called?").lesson == 1
    assert scopes.decide("What time does the library open?").lesson == 4


def test_a_prompt_that_fits_two_names_alike_is_offered_at_most(scopes: Scopes) -> None:
    scopes.put(5, ["Where does Lena Smith live?"])
    scopes.put(6, ["Where does Lena Jones live?"])
    assert not scopes.decide("Where does Lena live?").sure
    for prompt in ("Do you know where Lena Jones lives?", "Where does Lena Joens live?"):
        assert scopes.decide(prompt).lesson == 6
        assert scopes.decide(prompt).sure


def test_a_thousand_lessons_are_told_apart() -> None:
    scopes = Scopes(shipped())
    names = [f"{one}{two}{three}" for one in "bdfgklmnrt" for two in ("ar", "el", "on") for three in "abcdefghij"]
    for number, name in enumerate(names):
        scopes.put(number, [f"Where does {name.capitalize()} live?"])
    assert scopes.decide("Where does Feli live").lesson == names.index("feli")
    assert scopes.decide("where is feli living?").lesson in (names.index("feli"), None)
    assert not scopes.decide("Where does Xanthippe live?").sure


def test_what_a_lesson_is_said_not_to_be_meant_for_is_not_in_its_scope(scopes: Scopes) -> None:
    asked = "What is my dog called?"
    assert scopes.decide(asked).lesson == 1
    scopes.put(1, [LESSONS[1]], not_these=[asked])
    assert scopes.decide("what is my dog called") == NOWHERE
    assert scopes.decide("Tell me what my dog is called.").lesson is None
    assert scopes.decide(LESSONS[1]).lesson == 1


def test_where_the_best_lesson_is_not_meant_the_next_best_is_looked_at(scopes: Scopes) -> None:
    scopes.put(9, [LESSONS[1]], not_these=["What is my dog called?", LESSONS[1]])
    assert scopes.decide("What is my dog called?").lesson == 1
    assert scopes.decide(LESSONS[1]).lesson == 1


def test_wordings_that_are_not_meant_go_with_the_lesson(scopes: Scopes) -> None:
    scopes.put(1, [LESSONS[1]], not_these=[LESSONS[1]])
    assert scopes.decide(LESSONS[1]).lesson is None
    scopes.put(1, [LESSONS[1]])
    assert scopes.decide(LESSONS[1]).lesson == 1


def test_a_prompt_that_leans_on_the_turn_before_is_known_after_that_turn_alone(scopes: Scopes) -> None:
    scopes.put(7, ["And his?"], before="What is my sister's job?")
    assert scopes.decide("and his", "what is my sister's job").lesson == 7
    assert scopes.decide("And his?", "Do you know what my sister's job is?").lesson == 7
    assert scopes.decide("And his?", "When does the library open?").lesson is None
    assert scopes.decide("And his?").lesson is None


def test_the_turn_before_has_to_be_about_the_same_person(scopes: Scopes) -> None:
    scopes.put(7, ["And in winter?"], before="What does Lena Smith do for a living?")
    assert scopes.decide("And in winter?", "What is Lena Smith's job?").lesson == 7
    assert scopes.decide("And in winter?", "What does Lena Jones do for a living?").lesson is None


def test_one_prompt_that_leans_has_a_lesson_for_each_turn_before(scopes: Scopes) -> None:
    turns = {7: "What is my sister's job?", 8: "When does the library open?"}
    for number, before in turns.items():
        scopes.put(number, ["And in winter?"], before=before)
    for number, before in turns.items():
        assert scopes.decide("and in winter", before).lesson == number


def test_without_a_turn_before_a_prompt_that_leans_is_known_where_there_was_none(scopes: Scopes) -> None:
    scopes.put(7, ["Why?"])
    assert scopes.decide("why").lesson == 7
    assert scopes.decide("why", "What is my sister's job?").lesson is None


def test_a_prompt_that_leans_is_no_question_of_a_lesson_that_does_not(scopes: Scopes) -> None:
    scopes.put(7, ["What colour is hers?", "And hers?"])
    assert scopes.decide("what about hers?", LESSONS[1]).lesson is None
    assert scopes.decide("and hers", LESSONS[1]).lesson == 7


def test_the_turn_before_does_not_matter_where_nothing_leans_on_it(scopes: Scopes) -> None:
    for before in (None, "", "?", "Why?", LESSONS[2]):
        assert scopes.decide("What is my dog called?", before).lesson == 1


def test_no_question_that_a_lesson_answers_is_passed_over(scopes: Scopes) -> None:
    """`near` looks at many prompts at once, and leaves none out that `decide` gives to the lesson."""
    scopes.put(5, ["What is my name?", "What am I called?"])
    scopes.put(6, ["what's my dog's name"])  # in the words of lesson 1, and newer
    asked = [*ABOUT_ITSELF, "What is my dog called?", "Who created you?", "when does the library open", "Who am I?",
             "What time does the library open?", "Where can I find Orlebar?", "What name do I have?", "?!"]  # fmt: skip
    answered = 0
    for number in (*LESSONS, 5, 6):
        near = scopes.near(number, asked)
        found = [text for text in asked if scopes.decide(text).sure and scopes.decide(text).lesson == number]
        assert set(found) - {text for text in found if scopes.decide(text).score == math.inf} <= set(near)
        assert near == [text for text in asked if text in near]
        answered += len(found)
        assert len(near) < 8
    assert answered >= 5
