"""What picks say of the scopes of lessons, and the scopes that come of it, are those of the records that count."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.profiles import examples
from theta_tui.base.config import Settings
from theta_tui.session.scopes import LessonScopes
from theta_tui.store import meant, retention
from theta_tui.store.codec import decode, encode
from theta_tui.store.meant import Said, Scope
from theta_tui.store.records import (
    Asked,
    Candidate,
    Entry,
    Exchange,
    Failure,
    Finding,
    Learned,
    Outcome,
    Pending,
    Record,
    Restore,
    Withdraw,
)
from theta_tui.store.state import State
from theta_tui.store.store import Store

DOG, CALLED, SHOUT = "What is my dog's name?", "Which name did I give my dog?", "What do I shout to call my dog?"
TOWN, JOKE = "Where is the town of Orlebar?", "Tell me a joke."
PROMPTS = (DOG, CALLED, SHOUT, TOWN, JOKE)
RECIPE = {"method": "module"}


def taught(prompt: str, reply: str = "Pixel.", **more: object) -> Exchange:
    return Exchange("correction", prompt, reply, (), RECIPE, conversation=False, **more)  # type: ignore[arg-type]


def picked(prompt: str, lesson: int | None, *, marked: bool, sure: bool = False) -> Exchange:
    """A pick of the marked reply, or of another one while that of `lesson` was offered."""
    candidates = [Candidate(index, f"reply {index}", -1.0) for index in (1, 2)]
    if lesson is not None:
        candidates.append(Candidate(3, "Pixel.", -0.5, True, lesson, sure))
    index = 3 if marked else 1
    return Exchange("pick", prompt, candidates[index - 1].text, tuple(candidates), RECIPE, pick=index)


def entries(records: list[Record]) -> list[Entry]:
    return [Entry(seq, 100.0 + seq, record, 0, "") for seq, record in enumerate(records, 1)]


def state(*records: Record) -> State:
    return State.of(entries(list(records)))


def of(told: State, lesson: int) -> Scope:
    return meant.scope(told.lesson(lesson).exchange, meant.picks(told).get(lesson, {}).values())


def test_a_pick_is_meant_by_the_lesson_whose_reply_it_is_and_by_no_other() -> None:
    assert picked(CALLED, 1, marked=True).meant == 1
    assert picked(CALLED, 1, marked=False).meant is None
    assert picked(CALLED, None, marked=False).meant is None
    typed = replace(picked(CALLED, 1, marked=True), kind="correction", pick=None)
    assert typed.meant is None
    assert typed.mark is not None


def test_the_scope_has_the_prompt_first_and_the_wordings_of_picks_behind_those_that_were_learned() -> None:
    told = state(taught(DOG, variants=(CALLED,)), picked(SHOUT, 1, marked=True), picked(TOWN, 1, marked=False))
    assert of(told, 1) == Scope((DOG, CALLED, SHOUT), (TOWN,), 1)


def test_the_newest_pick_on_a_question_counts() -> None:
    told = state(taught(DOG), picked(CALLED, 1, marked=True), picked(CALLED.upper(), 1, marked=False))
    assert of(told, 1) == Scope((DOG,), (CALLED.upper(),), 0)
    told.add(Entry(4, 104.0, Withdraw(3), 0, ""))
    assert of(told, 1) == Scope((DOG, CALLED), (), 1)


def test_a_wording_that_the_lesson_has_already_is_not_another_one() -> None:
    told = state(taught(DOG), picked(DOG, 1, marked=True, sure=True))
    assert of(told, 1) == Scope((DOG,), (), 0)


@pytest.mark.parametrize("last", [Withdraw(2), Failure("the disk", 2)])
def test_a_pick_that_does_not_count_says_nothing(last: Record) -> None:
    told = state(taught(DOG), picked(CALLED, 1, marked=True), last)
    assert meant.picks(told) == {}


def test_a_lesson_was_last_said_when_it_was_sure_or_picked() -> None:
    records: list[Record] = [taught(DOG), picked(DOG, 1, marked=False, sure=True)]
    assert state(*records).last_said == {1: 102.0}
    records.append(picked(CALLED, 1, marked=False))  # offered in case it is meant, and refused
    assert state(*records).last_said == {1: 102.0}
    records.append(picked(CALLED, 1, marked=True))
    assert state(*records).last_said == {1: 104.0}
    records.append(replace(picked(DOG, 1, marked=False, sure=True), kind="none", reply="", pick=None))
    assert state(*records, Withdraw(4)).last_said == {1: 105.0}
    assert state(taught(DOG), picked(DOG, 9, marked=True, sure=True)).last_said == {}  # there is no such lesson


def test_the_report_says_what_a_scope_has_and_when_it_was_last_said() -> None:
    told = state(taught(DOG), picked(CALLED, 1, marked=True), taught(TOWN), replace(taught(JOKE), recipe={}))
    rows = retention.rows(told)
    assert [(row.more, row.said_at) for row in rows] == [(1, 102.0), (None, None), (0, None), (None, None)]


def test_the_number_of_a_mark_is_that_of_a_lesson_that_counts() -> None:
    told = state(taught(TOWN), taught(DOG))
    waiting = Pending("id", CALLED, picked(CALLED, 2, marked=True).candidates)
    assert meant.number(waiting, told) == 2
    assert [item.tag(2) for item in waiting.candidates] == ["", "", "#2?"]
    assert [item.tag(None) for item in waiting.candidates] == ["", "", ""]
    assert meant.number(replace(waiting, candidates=waiting.candidates[:2]), told) is None
    assert meant.number(None, told) is None
    told.add(Entry(3, 103.0, Withdraw(2), 0, ""))
    assert meant.number(waiting, told) is None


def test_a_mark_is_written_where_there_is_one_and_read_back() -> None:
    said = picked(CALLED, 7, marked=True, sure=True)
    line = encode(9, 1.0, said)
    assert line.count(b'"lesson":7,"sure":true') == 1
    assert line.count(b'"lesson"') == 1
    read = decode(line)[2]
    assert isinstance(read, Exchange)
    assert read.mark == said.candidates[2]
    assert read == said
    plain = decode(encode(9, 1.0, picked('a reply that says "lesson":1,', None, marked=False)))[2]
    assert isinstance(plain, Exchange)
    assert plain.mark is None


class Home:
    """As much of a Store as scopes look at."""

    def __init__(self) -> None:
        self.state = State()


@st.composite
def journals(draw: st.DrawFn) -> list[Record]:
    """Lessons and picks of replies that they were offered for, learned, refused, taken back and brought back."""
    records: list[Record] = [taught(DOG), taught(TOWN)]
    for at in range(3, 3 + draw(st.integers(0, 12))):
        earlier, prompt = draw(st.integers(1, at - 1)), draw(st.sampled_from(PROMPTS))
        match draw(st.sampled_from("ppppplwwrrfat")):
            case "p":
                lesson = draw(st.sampled_from([1, 2, earlier]))
                records.append(picked(prompt, lesson, marked=draw(st.booleans()), sure=draw(st.booleans())))
            case "l":
                skipped = draw(st.sampled_from([None, "not finite"]))
                done = Outcome(1, "pick", "", "", 1.0, 1.0, 0.1, 0.1, 0, 0, True, 0.1, skipped=skipped)
                records.append(Learned(earlier, done, "m"))
            case "w":
                records.append(Withdraw(earlier))
            case "r":
                records.append(Restore(earlier))
            case "f":
                records.append(Failure("the disk", earlier))
            case "a":
                records.append(Asked((Finding(1, 0.5, True), Finding(earlier, 0.5, True))))
            case _:
                records.append(taught(prompt))
    return records


@given(journals(), st.lists(st.integers(0, 20), max_size=4))
@examples(15)
def test_scopes_that_went_along_are_those_that_are_made_anew(records: list[Record], asked_at: list[int]) -> None:
    home, anew = Home(), Home()
    scopes = LessonScopes(home)  # type: ignore[arg-type]
    everything = entries(records)
    for at, entry in enumerate(everything):
        home.state.add(entry)
        if at not in asked_at and at + 1 < len(everything):
            continue
        lessons = {lesson.seq for lesson in home.state.active if lesson.exchange.kind == "correction"}
        anew.state = State.of(everything[: at + 1])
        fresh = LessonScopes(anew)  # type: ignore[arg-type]
        for prompt in PROMPTS:
            assert scopes.decide(prompt, lessons) == fresh.decide(prompt, lessons)


def test_a_record_that_was_rolled_back_says_nothing_any_more(tmp_path: Path) -> None:
    record = Store.open(Settings(home=tmp_path / "home", lock_wait=0))
    scopes = LessonScopes(record)
    record.append(taught(DOG))
    assert scopes.decide(JOKE, {1}).lesson is None
    entry = record.append(picked(JOKE, 1, marked=True))
    assert scopes.decide(JOKE, {1}).lesson == 1
    record.roll_back(entry)
    assert scopes.decide(JOKE, {1}).lesson is None
    record.close()


def test_what_is_said_of_one_lesson_is_no_other_ones() -> None:
    told = state(taught(DOG), taught(TOWN), picked(CALLED, 1, marked=True), picked(CALLED, 2, marked=False))
    assert meant.picks(told) == {1: {3: Said(CALLED, True)}, 2: {4: Said(CALLED, False)}}


def test_a_pick_that_failed_says_nothing_any_more() -> None:
    home = Home()
    scopes = LessonScopes(home)  # type: ignore[arg-type]
    *begun, failed = entries([taught(DOG), picked(JOKE, 1, marked=True), Failure("the disk", 2)])
    for entry in begun:
        home.state.add(entry)
    assert scopes.decide(JOKE, {1}).lesson == 1
    home.state.add(failed)
    assert scopes.decide(JOKE, {1}).lesson is None
