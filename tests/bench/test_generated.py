"""Lessons that are made up: always the same ones, none like another, none that the suite has."""

from __future__ import annotations

from itertools import combinations

from theta_tui.bench.generated import RELATIONS, generated
from theta_tui.bench.metrics import SuiteLesson, words
from theta_tui.bench.suite import Suite
from theta_tui.learning.scope.words import alike, normal_form

NONE = Suite((), ())


def names(lessons: tuple[SuiteLesson, ...]) -> set[str]:
    """The words of the prompts that stand in none of the relations' questions."""
    told = {word for relation in RELATIONS for question in relation.questions for word in words(question)}
    return {word for lesson in lessons for word in words(lesson.prompt)} - told


def test_the_same_seed_gives_the_same_lessons_and_another_one_others() -> None:
    assert generated(200, NONE, 3) == generated(200, NONE, 3)
    assert not {lesson.prompt for lesson in generated(50, NONE, 3)} & {lesson.prompt for lesson in generated(50, NONE)}


def test_there_are_as_many_as_are_asked_for_and_no_two_ask_the_same() -> None:
    lessons = generated(1000, NONE)
    wordings = [wording for lesson in lessons for wording in (lesson.prompt, *lesson.paraphrases)]
    assert len({lesson.id for lesson in lessons}) == 1000
    assert len({normal_form(wording) for wording in wordings}) == 3000
    assert max(len(lesson.target.split()) for lesson in lessons) <= 8
    assert not any("{" in text for lesson in lessons for text in (lesson.prompt, lesson.target, *lesson.paraphrases))
    assert generated(0, NONE) == ()


def test_no_two_names_are_alike_and_a_name_has_several_facts() -> None:
    found = names(generated(300, NONE))
    assert 30 < len(found) < 150
    assert not [pair for pair in combinations(found, 2) if alike(*pair)]


def test_what_the_suite_asks_or_names_is_left_out() -> None:
    lessons = generated(60, NONE)
    [name] = names(lessons[:1])
    asked = SuiteLesson(
        "a", lessons[1].prompt.lower(), "x", paraphrases=(lessons[2].prompt,), near=(lessons[3].prompt,)
    )
    suite = Suite((asked, SuiteLesson("b", f"Who is {name}?", "A cook.")), (lessons[4].prompt,))
    others = generated(60, suite)
    assert len(others) == 60
    assert name not in names(others)
    assert not {normal_form(lesson.prompt) for lesson in others} & {
        normal_form(lesson.prompt) for lesson in lessons[1:5]
    }
