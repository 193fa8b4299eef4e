"""The retention report: which lessons hold, which one replaces another, and which are asked first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.test_state import entries, journals
from tests.support.profiles import examples
from theta_tui.base.config import Settings
from theta_tui.store import retention
from theta_tui.store.records import (
    Asked,
    Candidate,
    Exchange,
    Failure,
    Finding,
    Kind,
    Learned,
    Outcome,
    Record,
    Withdraw,
)
from theta_tui.store.state import State
from theta_tui.store.store import Store


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(home=tmp_path / "home", lock_wait=0))
    yield opened
    folded = State.of(opened.journal.entries)
    assert retention.rows(folded) == retention.rows(opened.state), "the journal alone tells the same"
    opened.close()


def teach(record: Store, prompt: str, reply: str, kind: Kind = "correction", **outcome: object) -> int:
    """A lesson without a model; its seq. By default it is said afterwards with P = 0.8."""
    candidates = (Candidate(1, "Hm.", -1.0),) if kind == "pick" else ()
    seq = record.append(Exchange(kind, prompt, reply, candidates, {}, conversation=False)).seq
    number = record.state.lesson(seq).number
    values = {"p_before": 0.01, "p_after": 0.8, "learned": True} | outcome
    done = Outcome(number, kind, prompt, reply, 2.0, 0.1, steps=1, step=number, seconds=0.1, **values)  # type: ignore[arg-type]
    record.append(Learned(seq, done, "machine"))
    return seq


def states(record: Store) -> list[str]:
    return [row.state for row in retention.rows(record.state)]


def test_a_lesson_that_was_said_when_it_was_taught_is_kept_until_asking_finds_otherwise(record: Store) -> None:
    seq = teach(record, "a", "1")
    (row,) = retention.rows(record.state)
    assert (row.state, row.p_before, row.p_then, row.p_now, row.fresh) == ("kept", 0.01, 0.8, 0.8, True)
    for p, says, state in ((0.5, True, "kept"), (0.39, True, "fading"), (0.3, False, "lost"), (0.9, True, "kept")):
        record.append(Asked((Finding(seq, p, says),)))
        assert states(record) == [state]
    assert retention.rows(record.state)[0].p_now == 0.9


@pytest.mark.parametrize(
    ("p", "says", "state"),
    [(0.11, False, "kept"), (0.09, False, "fading"), (0.04, False, "lost"), (0.04, True, "fading")],
)
def test_a_pick_is_judged_by_its_probability(record: Store, p: float, says: bool, state: str) -> None:
    seq = teach(record, "a", "1", "pick", p_before=0.05, p_after=0.2, learned=False)
    assert states(record) == ["kept"]
    record.append(Asked((Finding(seq, p, says),)))
    assert states(record) == [state]


def test_a_correction_that_never_took_is_not_called_kept(record: Store) -> None:
    teach(record, "a", "1", p_after=0.02, learned=False)
    assert states(record) == ["lost"]


def test_a_probability_that_is_not_a_number_is_lost(record: Store) -> None:
    for kind in ("pick", "correction"):
        seq = teach(record, kind, "1", kind)  # type: ignore[arg-type]
        record.append(Asked((Finding(seq, float("nan"), False),)))
    assert states(record) == ["lost", "lost"]


def test_lessons_that_moved_nothing_or_are_not_learned_yet_are_not_counted_as_kept(record: Store) -> None:
    failed = record.append(Exchange("correction", "a", "1", (), {})).seq
    record.append(Failure("no memory", failed))
    teach(record, "b", "2", skipped="not finite")
    record.append(Exchange("correction", "c", "3", (), {}))
    assert states(record) == ["failed", "failed", "unasked"]
    assert retention.tally(retention.rows(record.state)) == retention.Tally(live=1, unasked=1, stale=1)


def test_another_answer_to_the_same_question_supersedes_the_earlier_one(record: Store) -> None:
    teach(record, "What is your name?", "Theta.")
    teach(record, "who made you?", "Dakota.")
    teach(record, "  what is your NAME ", "Classic.")
    assert states(record) == ["superseded", "kept", "kept"]
    assert retention.rows(record.state)[0].by == 3
    assert [lesson.number for lesson in retention.active_answers(record.state)] == [2, 3]


def test_withdrawing_the_later_answer_brings_the_older_one_back(record: Store) -> None:
    teach(record, "name?", "Theta.")
    later = teach(record, "name?", "Classic.")
    record.append(Withdraw(later))
    assert states(record) == ["kept", "withdrawn"]
    assert [lesson.number for lesson in retention.active_answers(record.state)] == [1]


def test_the_same_answer_again_supersedes_nothing_and_revives_what_gave_it_before(record: Store) -> None:
    teach(record, "name?", "Theta.")
    teach(record, "name?", "Classic.")
    third = teach(record, "name?", "Theta.")
    assert states(record) == ["kept", "superseded", "kept"]
    assert [lesson.number for lesson in retention.superseded_by(record.state, record.state.lesson(third))] == [2]
    fourth = teach(record, "name?", "Theta.")
    assert retention.superseded_by(record.state, record.state.lesson(fourth)) == []


def test_replies_that_differ_in_a_letters_case_are_different_replies(record: Store) -> None:
    teach(record, "name?", "my name is theta")
    teach(record, "name?", "My name is Theta")
    assert states(record) == ["superseded", "kept"]


def test_questions_of_punctuation_alone_are_not_all_the_same(record: Store) -> None:
    teach(record, "?", "What?")
    teach(record, "!", "Wow!")
    assert states(record) == ["kept", "kept"]


def test_what_was_asked_before_the_newest_lesson_is_stale(record: Store) -> None:
    first = teach(record, "a", "1")
    teach(record, "b", "2")
    assert [row.fresh for row in retention.rows(record.state)] == [False, True]
    record.append(Asked((Finding(first, 0.8, True),)))
    assert [row.fresh for row in retention.rows(record.state)] == [True, True]
    teach(record, "c", "3")
    assert retention.tally(retention.rows(record.state)).stale == 2


def test_undo_brings_back_what_was_known_before(record: Store) -> None:
    first = teach(record, "a", "1")
    second = teach(record, "b", "2")
    record.append(Asked((Finding(first, 0.7, True), Finding(second, 0.7, True))))
    before = retention.rows(record.state)
    third = teach(record, "c", "3")
    record.append(Asked((Finding(first, 0.01, False),)))
    assert states(record) == ["lost", "kept", "kept"]
    record.append(Withdraw(third))
    after = retention.rows(record.state)
    assert after[:2] == before
    assert after[2].state == "withdrawn"


def test_taking_an_old_lesson_out_makes_all_others_stale(record: Store) -> None:
    first = teach(record, "a", "1")
    second = teach(record, "b", "2")
    teach(record, "c", "3")
    record.append(Withdraw(second))
    assert [row.fresh for row in retention.rows(record.state)] == [False, False, False]
    record.append(Asked((Finding(first, 0.8, True),)))
    assert [row.fresh for row in retention.rows(record.state)] == [True, False, False]


def test_what_was_found_and_is_not_journalled_counts_as_the_newest(record: Store) -> None:
    first = teach(record, "a", "1")
    teach(record, "b", "2")
    row = retention.rows(record.state, {first: Finding(first, 0.02, False)}, 5.0)[0]
    assert (row.state, row.p_now, row.asked_at, row.fresh) == ("lost", 0.02, 5.0, True)
    assert states(record) == ["kept", "kept"]


def test_only_a_bounded_number_of_results_is_kept_of_a_lesson(record: Store) -> None:
    seq = teach(record, "a", "1")
    for _ in range(40):
        record.append(Asked((Finding(seq, 0.8, True),)))
    assert len(record.state.lesson(seq).asked) < 10


def test_those_like_the_newest_lesson_are_asked_first_and_then_who_waits_longest(record: Store) -> None:
    for number, prompt in enumerate(["hello", "where is Quill?", "what time is it?", "where is Pixel?"]):
        teach(record, prompt, str(number))
    record.append(Asked((Finding(record.state.lessons[0].seq, 0.8, True),)))
    teach(record, "where is Dakota?", "there")
    rows = retention.rows(record.state)
    asked = [lesson.number for lesson in retention.due(record.state, rows)]
    assert set(asked[:3]) == {2, 3, 4}
    assert set(asked[:2]) == {2, 4}
    assert asked[3:] == [1], "the newest was measured when it was taught, the first a moment ago"


@given(journals(), st.randoms(use_true_random=False))
@examples(30)
def test_counting_says_what_the_rows_say(records: list[Record], chance: Random) -> None:
    state, found = State(), dict[int, Finding]()
    for entry in entries(records):
        state.add(entry)
        if state.lessons and chance.random() < 0.4:
            seq = chance.choice(state.lessons).seq
            found[seq] = Finding(seq, chance.random(), chance.random() < 0.5)
        if chance.random() < 0.2:
            found.clear()
        rows = retention.rows(state, found)
        assert retention.tally(retention.judged(state, found)) == retention.tally(rows)
        answers = [lesson.seq for lesson in retention.active_answers(state)]
        assert [row.seq for row in rows if row.state in retention.ANSWERS] == answers
        assert retention.rows(state, found, most=2) == rows[-2:]


@given(journals())
@examples(25)
def test_the_answer_that_holds_is_the_newest_on_its_question(records: list[Record]) -> None:
    state = State.of(entries(records))
    newest = retention.newest(state.active)
    assert [retention.holding(state, lesson) for lesson in state.active] == [
        newest[retention.question(lesson.exchange.prompt)] for lesson in state.active
    ]


def test_a_summary_says_what_is_kept_fading_and_lost() -> None:
    assert retention.Tally(16, 14, 1, 1, fading_first=(3,), lost_first=(5,)).words == "kept 14/16, fading #3, lost #5"
    assert retention.Tally(2, 2).words == "kept 2/2"
    many = retention.Tally(20, 0, 0, 20, lost_first=tuple(range(1, 9)))
    assert many.words.endswith("lost #1, #2, #3, #4, #5, #6, #7, #8 and 12 more")
