"""The figures of the benchmarks, on cases small enough to count by hand."""

from __future__ import annotations

import pytest

from tests.benchmarks.metrics import distinct, generic, repeats, unlike, wilson
from theta_tui.bench.metrics import (
    GateDecision,
    GateProbe,
    GreedyAnswer,
    LessonResult,
    SuiteLesson,
    exact,
    gate_figures,
    in_order,
    leaks,
    new_words,
    not_superseded,
    quantile,
    suite_figures,
    updated,
    words,
)
from theta_tui.bench.tables import table

MILL = SuiteLesson(
    "mill", "Who runs the mill?", "The mill is run by old Esme.", ("Whose mill?",), ("Who runs the inn?",)
)
BELL = SuiteLesson("bell", "How many bells ring?", "Nine bells.", ("Count the bells.",), ("How many dogs bark?",))
MILL_2 = SuiteLesson(
    "mill#2", "Who runs the mill?", "Now Karim does.", ("Whose mill?",), ("Who runs the inn?",), "mill"
)


def turn(lesson: SuiteLesson, answer: str, **more: object) -> LessonResult:
    values: dict[str, object] = {
        "before": (GreedyAnswer("It is shut."),),
        "near": (GreedyAnswer("It is shut."),),
        "paraphrases": (GreedyAnswer(lesson.target),),
        "old": None,
        "steps": 4,
        "seconds": 0.5,
    }
    return LessonResult(lesson=lesson, answer=GreedyAnswer(answer), **(values | more))  # type: ignore[arg-type]


def test_exact_is_string_equality_after_collapsing_white_space() -> None:
    assert exact(GreedyAnswer("Nine  bells.\n"), "Nine bells.")
    assert not exact(GreedyAnswer("nine bells."), "Nine bells.")
    assert not exact(GreedyAnswer("Nine bells"), "Nine bells.")


def test_an_answer_that_was_cut_is_not_exact() -> None:
    assert not exact(GreedyAnswer("Nine bells.", ended=False), "Nine bells.")


def test_words_leave_case_punctuation_and_possessives_aside() -> None:
    assert words("Esme’s cat, and ESME's well-worn hat!") == ["esme", "cat", "and", "esme", "well-worn", "hat"]
    assert words("…?") == []


def test_new_words_are_those_of_neither_prompt_nor_near_miss_nor_stop_words() -> None:
    assert new_words(MILL, "Who runs the inn?") == {"run", "old", "esme"}
    assert new_words(MILL, "Is Esme old?") == {"run"}


def test_a_near_miss_leaks_by_a_new_word_only() -> None:
    near = "Who runs the inn?"
    assert leaks(MILL, near, GreedyAnswer("ESME's sister."))
    assert not leaks(MILL, near, GreedyAnswer("The mill is by the inn."))
    assert not leaks(MILL, near, GreedyAnswer("Esmeralda."))
    assert not leaks(MILL, near, GreedyAnswer(""))


def test_a_target_of_stop_words_cannot_leak() -> None:
    assert not leaks(SuiteLesson("x", "Well?", "I am not."), "And?", GreedyAnswer("I am not."))


def test_live_lessons_are_those_that_nothing_supersedes() -> None:
    assert not_superseded([MILL, BELL, MILL_2]) == [BELL, MILL_2]


def test_an_update_needs_the_new_answer_and_not_the_old_one() -> None:
    targets = {"mill": MILL.target}
    assert updated(turn(MILL_2, MILL_2.target, old=GreedyAnswer(MILL_2.target)), targets)
    assert not updated(turn(MILL_2, MILL_2.target, old=GreedyAnswer(MILL.target)), targets)
    assert not updated(turn(MILL_2, "Nobody.", old=GreedyAnswer("Nobody.")), targets)


def test_an_old_answer_that_is_begun_and_never_ended_is_gone() -> None:
    assert updated(turn(MILL_2, MILL_2.target, old=GreedyAnswer(MILL.target, ended=False)), {"mill": MILL.target})


def test_a_re_teach_of_what_is_not_in_the_suite_is_no_update() -> None:
    assert suite_figures([turn(MILL_2, MILL_2.target)], {"mill#2": [GreedyAnswer("?")]}, [])["Update"] is None


def test_a_near_miss_moves_by_its_words_and_leaks_by_those_it_had_before_too() -> None:
    spaced = turn(MILL, "?", before=(GreedyAnswer("It is shut."),), near=(GreedyAnswer(" It is\nshut. "),))
    said_anyway = turn(MILL, "?", before=(GreedyAnswer("Esme."),), near=(GreedyAnswer("Esme."),))
    row = suite_figures([spaced, said_anyway], {"mill": [GreedyAnswer("?")]}, [])
    assert (row["Near"], row["Leak"], row["Leak before"]) == (1.0, 0.5, 0.5)


def test_a_row_counts_what_it_says() -> None:
    turns = [
        turn(MILL, MILL.target, near=(GreedyAnswer("Old Esme."),), steps=2, seconds=1.0),
        turn(BELL, "Ten bells.", paraphrases=(GreedyAnswer("Nine bells."),)),
        turn(
            MILL_2,
            MILL_2.target,
            paraphrases=(GreedyAnswer("?"),),
            old=GreedyAnswer(MILL_2.target),
            steps=6,
            seconds=3.0,
        ),
    ]
    final = {
        # Superseded, so neither that it is gone nor that a paraphrase still gives it counts.
        "mill": [GreedyAnswer(MILL_2.target), GreedyAnswer(MILL.target)],
        "bell": [GreedyAnswer("Nine bells."), GreedyAnswer("Nine bells.")],
        "mill#2": [GreedyAnswer(MILL_2.target), GreedyAnswer(MILL.target)],
    }
    row = suite_figures(
        turns, final, [(GreedyAnswer("Hi."), GreedyAnswer(" Hi.")), (GreedyAnswer("Hi."), GreedyAnswer("Ho."))]
    )
    assert row == {
        "R1": pytest.approx(2 / 3),
        "P1": pytest.approx(2 / 3),
        "Final": 1.0,
        "PFinal": 0.5,
        "Near": pytest.approx(2 / 3),
        "Leak": pytest.approx(1 / 3),
        "Leak before": 0.0,
        "LocT": 0.5,
        "Update": 1.0,
        "Steps": 4.0,
        "Steps max": 6,
        "p50": 1.0,
        "p95": pytest.approx(2.8),
    }


def test_the_gates_row_counts_what_fires_and_what_should_have() -> None:
    asked = [
        GateProbe("paraphrase", "a", 0, GateDecision(0, 3.0, 0.001)),
        GateProbe("paraphrase", "b", 0, GateDecision(1, 2.0, 0.002)),
        GateProbe("paraphrase", "c", 1, GateDecision(None, 0.0, 0.003)),
        GateProbe("paraphrase", "d", 1, GateDecision(None, -1.0, 0.003)),
        GateProbe("near", "e", None, GateDecision(1, 2.0, 0.004)),
        GateProbe("near", "f", None, GateDecision(None, 0.0, 0.005)),
        GateProbe("unrelated", "g", None, GateDecision(None, 0.0, 0.006)),
        GateProbe("talk", "h", None, GateDecision(0, 1.5, 0.007)),
    ]
    assert gate_figures(asked) == {
        "Recall": 0.25, "Wrong lesson": 0.25, "Near fired": 0.5, "Unrelated fired": 0.0, "Own fired": None,
        "Talk fired": 1.0, "ms p50": pytest.approx(3.5), "ms p95": pytest.approx(6.65),
    }  # fmt: skip


def test_a_share_of_nothing_is_none() -> None:
    row = suite_figures([turn(BELL, "Nine bells.")], {"bell": [GreedyAnswer("Nine bells.")]}, [])
    assert row["Update"] is None
    assert row["LocT"] is None
    assert row["PFinal"] is None


def test_a_shuffled_order_keeps_a_re_teach_behind_what_it_supersedes() -> None:
    again = SuiteLesson("mill#3", "Who runs the mill?", "Ada.", supersedes="mill#2")
    lessons = [MILL, BELL, MILL_2, *(SuiteLesson(str(n), "?", "!") for n in range(6)), again]
    assert in_order(lessons, 1) == lessons
    orders = [in_order(lessons, order) for order in range(2, 40)]
    assert len({tuple(lesson.id for lesson in order) for order in orders}) == len(orders)
    for order in orders:
        assert sorted(lesson.id for lesson in order) == sorted(lesson.id for lesson in lessons)
        assert order.index(MILL) < order.index(MILL_2) < order.index(again)
    assert in_order(lessons, 7) == in_order(lessons, 7)


def test_unlike_is_one_for_no_word_in_common_and_zero_for_the_same() -> None:
    assert unlike(["a b", "c d", "e"]) == 1
    assert unlike(["Yes, sir.", "yes sir"]) == 0
    assert unlike(["red hat", "red cap", "red hat"]) == pytest.approx(1 - (1 / 3 + 1 + 1 / 3) / 3)
    assert unlike(["alone"]) == 0


def test_distinct_and_generic_see_replies_as_the_app_does() -> None:
    assert distinct(["Hi!", "hi", "Ho"]) == 2
    assert generic([["Yes.", "No."], ["yes", "Maybe."]]) == 0.5
    assert generic([["Yes.", "No."], ["Ja", "Nein"]]) == 0
    assert generic([]) is None


def test_a_repeated_run_of_four_words_is_found_anywhere() -> None:
    assert repeats("I do not know, well I do not know.")
    assert repeats("ha ha ha ha ha")
    assert not repeats("I do not know. I do not care.")
    assert not repeats("so so so")


def test_the_wilson_interval_is_the_published_one() -> None:
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for hits, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        assert wilson(hits, total) == pytest.approx((low, high), abs=1e-4)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)
    assert wilson(0, 0) == (0, 1)


def test_quantiles_are_linear_between_values() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([1, 2], 0.95) == pytest.approx(1.95)
    assert quantile([], 0.5) is None


def test_a_table_takes_hostile_text() -> None:
    lines = table(("a", "b"), [["x|y\n", "\x1b[31m"]]).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| x\\|y␊ | ␛[31m")
