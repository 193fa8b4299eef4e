"""Consolidation in idle time: journalled, exact to the bit, taken back with the lessons that it was for."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.session.conftest import Open, opened
from tests.session.test_teacher import PAIRS, same, state
from theta_tui import rebuilding
from theta_tui.config import Settings
from theta_tui.consolidating import MOST, STEPS, due
from theta_tui.errors import HomeError
from theta_tui.lessons import ledger
from theta_tui.lessons.records import Consolidated
from theta_tui.mind.language_model import LanguageModel
from theta_tui.mind.recipes import RECIPES
from theta_tui.record import HomeRecord
from theta_tui.teacher import Teacher


@pytest.fixture(scope="module")
def model(wide_model: Path) -> Path:
    return wide_model


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The clock decides nothing, and what is measured of the model is kept for all of these tests."""
    monkeypatch.setitem(RECIPES, "default", replace(RECIPES["default"], margin=1.0, max_steps=60, max_seconds=1000.0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "consolidation-cache"))


def taught(start: Open, count: int = 3) -> Teacher:
    teacher = start()
    for prompt, reply in PAIRS[:count]:
        teacher.teach(prompt, reply)
    return teacher


def consolidate(teacher: Teacher, steps: int) -> None:
    with contextlib.closing(teacher.consolidator.steps(teacher.recipe, steps)) as slices:
        for _ in slices:
            pass


def idle(teacher: Teacher) -> int:
    """Let the teacher do all there is to do; the steps taken."""
    before = teacher.learner.step
    with contextlib.closing(teacher.idle()) as slices:
        for _ in slices:
            pass
    return teacher.learner.step - before


def test_what_idle_time_did_is_there_after_the_next_start_to_the_bit(start: Open) -> None:
    teacher = taught(start)
    before = state(teacher)
    assert idle(teacher) == 3 * STEPS
    assert not same(before, teacher)
    assert teacher.learner.step == teacher.record.story.step
    after = state(teacher)
    teacher.close()
    again = start()
    assert same(after, again)
    again.save()
    assert not again.behind
    again.close()
    assert same(after, start())


def test_it_is_done_once_for_each_lesson_and_goes_on_where_it_was_left(start: Open) -> None:
    teacher = taught(start, 2)
    slices = teacher.consolidator.slices(teacher.recipe, 0)
    for _ in range(5):
        next(slices)
    assert teacher.consolidator.left == 2 * STEPS - 4
    slices.close()
    records = [entry.record for entry in teacher.record.journal.entries if isinstance(entry.record, Consolidated)]
    assert [(record.first, record.steps) for record in records] == [(0, 5)]
    assert teacher.consolidator.left == 0
    assert idle(teacher) == 2 * STEPS - 5
    assert idle(teacher) == 0
    assert teacher.record.story.consolidations[-1].done.first == 5
    teacher.teach(*PAIRS[2])
    assert due(teacher.record.story, 0) == STEPS
    assert STEPS * 1000 > MOST


def test_what_the_model_can_take_in_is_looked_at_once(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = taught(start)
    looked: list[str] = []
    real = teacher.model.encode_lesson
    monkeypatch.setattr(
        teacher.model,
        "encode_lesson",
        lambda turns, prompt, reply, at: looked.append(prompt) or real(turns, prompt, reply, at=at),
    )
    first = teacher.fold.taught(teacher.record.story, 1000)
    assert len(looked) == sum(len(one.prompts) for one in first)
    assert teacher.fold.taught(teacher.record.story, 1000) == first
    assert len(looked) == sum(len(one.prompts) for one in first)
    teacher.undo()
    assert teacher.fold.taught(teacher.record.story, 1000) == first[:-1]


def test_lessons_that_do_not_hold_are_worth_more_steps(start: Open) -> None:
    teacher = taught(start)
    real = teacher.asker.score
    teacher.asker.score = lambda lesson: real(lesson)._replace(p=0.0, says=False)
    for _ in teacher.asker.quiz():
        pass
    assert teacher.asker.weak == 3
    assert due(teacher.record.story, teacher.asker.weak) == 6 * STEPS


@pytest.mark.parametrize("restarted", [False, True])
def test_undo_takes_back_the_lesson_and_what_idle_time_did_since(start: Open, restarted: bool) -> None:
    teacher = taught(start, 1)
    consolidate(teacher, 4)
    before = state(teacher)
    teacher.teach(*PAIRS[1])
    consolidate(teacher, 3)
    after = state(teacher)
    if restarted:
        teacher.close()
        teacher = start()
    teacher.undo()
    assert same(before, teacher)
    assert [move.done.steps for move in teacher.record.story.consolidations] == [4]
    teacher.redo()
    assert same(after, teacher)
    assert [move.done.steps for move in teacher.record.story.consolidations] == [4, 3]


def test_a_lesson_is_brought_back_although_idle_time_came_in_between(start: Open) -> None:
    teacher = taught(start, 2)
    consolidate(teacher, 3)
    after = state(teacher)
    teacher.undo()
    without = state(teacher)
    consolidate(teacher, 2)
    assert not same(without, teacher)
    assert teacher.redo() is not None
    assert same(after, teacher)
    teacher.close()
    assert same(after, start())


def test_withdrawing_an_earlier_lesson_is_as_if_it_had_never_been_there(start: Open, settings: Settings) -> None:
    teacher = start()
    teacher.teach(*PAIRS[0])
    consolidate(teacher, 2)
    teacher.teach(*PAIRS[1])
    consolidate(teacher, 3)
    teacher.teach(*PAIRS[2])
    teacher.withdraw(2)
    other = opened(replace(settings, home=settings.home.parent / "other"))
    other.teach(*PAIRS[0])
    consolidate(other, 2)
    other.teach(*PAIRS[2])
    assert same(state(other), teacher)
    found = state(teacher)
    teacher.close()
    assert same(found, start())
    other.close()


def test_rebuilding_is_bit_equal_with_it(start: Open, settings: Settings) -> None:
    teacher = taught(start, 2)
    consolidate(teacher, 3)
    teacher.teach(*PAIRS[2])
    consolidate(teacher, 1)
    teacher.save()
    teacher.close()
    record = HomeRecord.open(settings)
    try:
        assert rebuilding.rebuild(record).exact
    finally:
        record.close()


def test_idle_time_on_another_machine_is_named_where_a_rebuild_differs(
    start: Open, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = taught(start, 1)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(LanguageModel, "machine", lambda self: "another machine")
        consolidate(teacher, 2)
    teacher.model.model.model.layers[-1].mlp.down_proj.weight.data.add_(1e-3)  # as it might have rounded there
    teacher.save()
    teacher.close()
    record = HomeRecord.open(settings)
    try:
        done = rebuilding.rebuild(record)
    finally:
        record.close()
    assert not done.exact
    assert "lessons or consolidations (1 of 2) were first learned on another machine" in done.why


def test_where_it_cannot_be_journalled_the_model_is_as_it_was(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = taught(start)
    before = state(teacher)
    slices = teacher.consolidator.steps(teacher.recipe, 9)
    next(slices)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(HomeError, match="No space"):
        slices.close()
    assert same(before, teacher)
    assert not teacher.record.story.consolidations


def test_lessons_still_hold_and_the_foundation_comes_nearer(start: Open) -> None:
    teacher = taught(start)
    for _ in range(20):
        teacher.propose("the quick brown fox")
    before = teacher.learner.drift()
    consolidate(teacher, 60)
    after = teacher.learner.drift()
    assert before is not None
    assert after is not None
    assert after < before
    assert {row.state for row in teacher.quiz()} == {"kept"}


def test_picks_are_not_learned_by_heart_and_what_they_added_stays(start: Open) -> None:
    teacher = taught(start, 1)
    teacher.propose("the quick brown fox")
    teacher.pick(2)
    leaning = {name: tensor.clone() for name, tensor in teacher.learner.natural.leaning.items()}
    assert leaning
    assert [lesson.reply for lesson in teacher.fold.taught(teacher.record.story, 1000)] == [PAIRS[0][1]]
    consolidate(teacher, 3)
    assert all(bool((leaning[name] == tensor).all()) for name, tensor in teacher.learner.natural.leaning.items())


def test_what_a_later_lesson_replaced_is_not_said_again(start: Open) -> None:
    teacher = start()
    teacher.teach("who made you?", "Dakota did.")
    teacher.teach("who made you?", "Mira did.")
    assert [lesson.reply for lesson in teacher.fold.taught(teacher.record.story, 1000)] == ["Mira did."]
    assert ledger.tally(teacher.asker.standings()).superseded == 1


def test_an_alarm_ends_when_what_it_named_holds_again(start: Open) -> None:
    teacher = taught(start, 2)
    real = teacher.asker.score
    teacher.asker.score = lambda lesson: real(lesson)._replace(p=0.0, says=False)
    for _ in teacher.asker.slices():
        pass
    assert teacher.asker.alarm == "teaching #2 cost 1 other (#1)"
    teacher.asker.score = real
    consolidate(teacher, 2)
    assert teacher.asker.alarm is not None, "nobody looked yet"
    teacher.record.take_notices()
    for _ in teacher.asker.slices():
        pass
    assert teacher.asker.alarm is None
    assert teacher.record.take_notices() == ["#1 holds again"]


def test_a_model_that_learns_by_other_steps_does_nothing_in_idle_time(start: Open) -> None:
    teacher = taught(start, 1)
    teacher.own_recipe = RECIPES["adamw"]
    assert idle(teacher) == 0
    assert teacher.consolidate(0.0) == 0
