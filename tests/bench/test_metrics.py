"""The figures of the benchmarks, on cases small enough to count by hand."""

from __future__ import annotations

import pytest

from tests.benchmarks.metrics import distinct, generic, repeats, unlike, wilson
from theta_tui.bench.metrics import (
    Answer,
    Decided,
    Gated,
    Lesson,
    Turn,
    exact,
    gate_row,
    in_order,
    leaks,
    live,
    new_words,
    quantile,
    suite_row,
    updated,
    words,
)
from theta_tui.bench.tables import table

MILL = Lesson("mill", "Who runs the mill?", "The mill is run by old Esme.", ("Whose mill?",), ("Who runs the inn?",))
BELL = Lesson("bell", "How many bells ring?", "Nine bells.", ("Count the bells.",), ("How many dogs bark?",))
MILL_2 = Lesson("mill#2", "Who runs the mill?", "Now Karim does.", ("Whose mill?",), ("Who runs the inn?",), "mill")


def turn(lesson: Lesson, answer: str, **more: object) -> Turn:
    values: dict[str, object] = {
        "before": (Answer("It is shut."),),
        "near": (Answer("It is shut."),),
        "paraphrases": (Answer(lesson.target),),
        "old": None,
        "steps": 4,
        "seconds": 0.5,
    }
    return Turn(lesson=lesson, answer=Answer(answer), **(values | more))  # type: ignore[arg-type]


def test_exact_is_string_equality_after_collapsing_white_space() -> None:
    assert exact(Answer("Nine  bells.\n"), "Nine bells.")
    assert not exact(Answer("nine bells."), "Nine bells.")
    assert not exact(Answer("Nine bells"), "Nine bells.")


def test_an_answer_that_was_cut_is_not_exact() -> None:
    assert not exact(Answer("Nine bells.", ended=False), "Nine bells.")


def test_words_leave_case_punctuation_and_possessives_aside() -> None:
    assert words("Esme’s cat, and ESME's well-worn hat!") == ["esme", "cat", "and", "esme", "well-worn", "hat"]
    assert words("…?") == []


def test_new_words_are_those_of_neither_prompt_nor_near_miss_nor_stop_words() -> None:
    assert new_words(MILL, "Who runs the inn?") == {"run", "old", "esme"}
    assert new_words(MILL, "Is Esme old?") == {"run"}


def test_a_near_miss_leaks_by_a_new_word_only() -> None:
    near = "Who runs the inn?"
    assert leaks(MILL, near, Answer("ESME's sister."))
    assert not leaks(MILL, near, Answer("The mill is by the inn."))
    assert not leaks(MILL, near, Answer("Esmeralda."))
    assert not leaks(MILL, near, Answer(""))


def test_a_target_of_stop_words_cannot_leak() -> None:
    assert not leaks(Lesson("x", "Well?", "I am not."), "And?", Answer("I am not."))


def test_live_lessons_are_those_that_nothing_supersedes() -> None:
    assert live([MILL, BELL, MILL_2]) == [BELL, MILL_2]


def test_an_update_needs_the_new_answer_and_not_the_old_one() -> None:
    targets = {"mill": MILL.target}
    assert updated(turn(MILL_2, MILL_2.target, old=Answer(MILL_2.target)), targets)
    assert not updated(turn(MILL_2, MILL_2.target, old=Answer(MILL.target)), targets)
    assert not updated(turn(MILL_2, "Nobody.", old=Answer("Nobody.")), targets)


def test_an_old_answer_that_is_begun_and_never_ended_is_gone() -> None:
    assert updated(turn(MILL_2, MILL_2.target, old=Answer(MILL.target, ended=False)), {"mill": MILL.target})


def test_a_re_teach_of_what_is_not_in_the_suite_is_no_update() -> None:
    assert suite_row([turn(MILL_2, MILL_2.target)], {"mill#2": [Answer("?")]}, [])["Update"] is None


def test_a_near_miss_moves_by_its_words_and_leaks_by_those_it_had_before_too() -> None:
    spaced = turn(MILL, "?", before=(Answer("It is shut."),), near=(Answer(" It is\nshut. "),))
    said_anyway = turn(MILL, "?", before=(Answer("Esme."),), near=(Answer("Esme."),))
    row = suite_row([spaced, said_anyway], {"mill": [Answer("?")]}, [])
    assert (row["Near"], row["Leak"], row["Leak before"]) == (1.0, 0.5, 0.5)


def test_a_row_counts_what_it_says() -> None:
    turns = [
        turn(MILL, MILL.target, near=(Answer("Old Esme."),), steps=2, seconds=1.0),
        turn(BELL, "Ten bells.", paraphrases=(Answer("Nine bells."),)),
        turn(MILL_2, MILL_2.target, paraphrases=(Answer("?"),), old=Answer(MILL_2.target), steps=6, seconds=3.0),
    ]
    final = {
        # Superseded, so neither that it is gone nor that a paraphrase still gives it counts.
        "mill": [Answer(MILL_2.target), Answer(MILL.target)],
        "bell": [Answer("Nine bells."), Answer("Nine bells.")],
        "mill#2": [Answer(MILL_2.target), Answer(MILL.target)],
    }
    row = suite_row(turns, final, [(Answer("Hi."), Answer(" Hi.")), (Answer("Hi."), Answer("Ho."))])
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
        Gated("paraphrase", "a", 0, Decided(0, 3.0, 0.001)),
        Gated("paraphrase", "b", 0, Decided(1, 2.0, 0.002)),
        Gated("paraphrase", "c", 1, Decided(None, 0.0, 0.003)),
        Gated("paraphrase", "d", 1, Decided(None, -1.0, 0.003)),
        Gated("near", "e", None, Decided(1, 2.0, 0.004)),
        Gated("near", "f", None, Decided(None, 0.0, 0.005)),
        Gated("unrelated", "g", None, Decided(None, 0.0, 0.006)),
        Gated("talk", "h", None, Decided(0, 1.5, 0.007)),
    ]
    assert gate_row(asked) == {
        "Recall": 0.25, "Wrong lesson": 0.25, "Near fired": 0.5, "Unrelated fired": 0.0, "Own fired": None,
        "Talk fired": 1.0, "ms p50": pytest.approx(3.5), "ms p95": pytest.approx(6.65),
    }  # fmt: skip


def test_a_share_of_nothing_is_none() -> None:
    row = suite_row([turn(BELL, "Nine bells.")], {"bell": [Answer("Nine bells.")]}, [])
    assert row["Update"] is None
    assert row["LocT"] is None
    assert row["PFinal"] is None


def test_a_shuffled_order_keeps_a_re_teach_behind_what_it_supersedes() -> None:
    again = Lesson("mill#3", "Who runs the mill?", "Ada.", supersedes="mill#2")
    lessons = [MILL, BELL, MILL_2, *(Lesson(str(n), "?", "!") for n in range(6)), again]
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
