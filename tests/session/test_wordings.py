"""Other wordings and earlier lessons, learned beside a lesson: journalled, repeated exactly, and never against it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from msgspec import structs

from tests.learning.lessons import spoil
from tests.support.tiny_models import equal, weights
from theta_tui.base.config import Settings
from theta_tui.facts.paraphrases import variants
from theta_tui.learning.recipes import RECIPES
from theta_tui.session.session import Teacher
from theta_tui.store.records import Exchange

Open = Callable[[], Teacher]

QUESTION, REPLY = "Where does my brother live?", "He lives in Oslo."


def everything(teacher: Teacher) -> list[torch.Tensor]:
    tensors, _ = teacher.learner.state()
    return [*weights(teacher.model), *(tensors[name].clone() for name in sorted(tensors))]


def exchanges(teacher: Teacher) -> list[Exchange]:
    return [lesson.exchange for lesson in teacher.store.state.lessons]


def past(teacher: Teacher) -> set[tuple[str, str]]:
    """All that may be rehearsed with the newest lesson, each as of when it was taught."""
    lessons = teacher.store.state.lessons
    found = teacher._past(lessons[-1], 99)
    assert len(set(found)) == len(found)
    assert {at for _, _, at in found} <= {lesson.at for lesson in lessons}
    return {(prompt, reply) for prompt, reply, _ in found}


def test_the_exchange_holds_the_wordings_that_were_learned_beside_it(start: Open, settings: Settings) -> None:
    teacher = start()
    teacher.teach(QUESTION, REPLY)
    teacher.propose(QUESTION)
    teacher.pick(2)
    teacher.propose("hello")
    teacher.pass_over()
    expected = variants(QUESTION, teacher.dictionary)[: RECIPES["adamw"].variants]
    assert len(expected) == 2
    assert QUESTION not in expected
    assert [exchange.variants for exchange in exchanges(teacher)] == [expected, expected]
    journal = settings.home / "journal.jsonl"
    teacher.close()
    written = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    found = [record.get("variants") for record in written if record.get("kind") in ("correction", "pick", "none")]
    assert [list(expected)] * 2 == [some for some in found if some]


def test_the_classic_recipe_has_no_other_wordings(start: Open) -> None:
    teacher = start()
    teacher.settings = replace(teacher.settings, recipe="classic")
    teacher.teach(QUESTION, REPLY)
    assert exchanges(teacher)[0].variants == ()
    teacher.close()


def test_a_replay_uses_the_wordings_of_the_journal(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = start()
    teacher.teach(QUESTION, REPLY)
    teacher.teach("What is my dog called?", "Rex")
    before = everything(teacher)
    teacher.close()
    # Another version may word them otherwise; what was learned stays what it was.
    monkeypatch.setattr("theta_tui.session.session.variants", lambda *_: ("something else", "and else"))
    again = start()
    assert equal(before, everything(again))
    again.undo()
    again.redo()
    assert equal(before, everything(again))
    again.teach(QUESTION, REPLY)
    assert exchanges(again)[-1].variants == ("something else", "and else")
    again.close()


def test_the_wordings_make_a_difference(start: Open, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = start()
    untaught = teacher.learner.snapshot()
    teacher.teach(QUESTION, REPLY)
    [lesson] = teacher.store.state.lessons
    with_them = everything(teacher)
    teacher.learner.restore(untaught)
    teacher._learn(lesson, teacher.recipe)
    assert equal(with_them, everything(teacher))
    teacher.learner.restore(untaught)
    teacher._learn(replace(lesson, exchange=structs.replace(lesson.exchange, variants=())), teacher.recipe)
    assert not equal(with_them, everything(teacher))
    teacher.close()


def test_what_is_rehearsed_holds_neither_the_question_nor_an_answer_that_was_replaced(start: Open) -> None:
    teacher = start()
    teacher.teach("my dog?", "Rex")
    assert past(teacher) == set()
    teacher.teach("My  dog", "Bello")
    assert past(teacher) == set()
    teacher.teach(QUESTION, REPLY)
    assert past(teacher) == {("My  dog", "Bello")}
    teacher.propose("hello")
    teacher.correct("hello my friend")
    assert past(teacher) == {("My  dog", "Bello"), (QUESTION, REPLY)}
    teacher.correct_last("hello you")
    assert past(teacher) == {("My  dog", "Bello"), (QUESTION, REPLY)}
    teacher.teach("and you", "I am fine")
    assert past(teacher) == {("My  dog", "Bello"), (QUESTION, REPLY), ("hello", "hello you")}
    # What came later is no past of an earlier lesson, however often that is learned again.
    assert [pair[:2] for pair in teacher._past(teacher.store.state.lessons[2], 99)] == [("My  dog", "Bello")]
    teacher.close()


def test_what_was_taken_back_is_not_rehearsed_and_what_it_had_replaced_is(start: Open) -> None:
    teacher = start()
    teacher.teach("my dog?", "Rex")
    teacher.teach("my dog?", "Bello")
    teacher.undo()
    teacher.teach(QUESTION, REPLY)
    assert past(teacher) == {("my dog?", "Rex")}
    teacher.withdraw(1)
    assert past(teacher) == set()
    teacher.close()


def test_what_was_skipped_is_not_rehearsed(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = start()
    with monkeypatch.context() as patch:
        spoil(patch, lambda logits: logits * float("nan"))
        teacher.settings = replace(teacher.settings, recipe="adamw")
        assert teacher.teach("my dog?", "Rex").skipped
    teacher.teach(QUESTION, REPLY)
    assert past(teacher) == set()
    teacher.close()


def test_a_few_of_many_are_rehearsed_and_the_same_ones_each_time(start: Open) -> None:
    teacher = start()
    for number in range(7):
        teacher.teach(f"number {number}", f"it is {number}")
    state = teacher.store.state
    chosen = [teacher._past(lesson, 2) for lesson in state.lessons]
    assert [len(some) for some in chosen] == [0, 1, 2, 2, 2, 2, 2]
    assert chosen == [teacher._past(lesson, 2) for lesson in state.lessons]
    assert teacher._past(state.lessons[-1], 0) == []
    before = everything(teacher)
    teacher.close()
    again = start()
    assert equal(before, everything(again))
    again.close()


def test_no_wording_of_the_lesson_is_rehearsed_with_another_answer(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = start()
    teacher.teach("What's my dog called?", "Rex")
    monkeypatch.setattr("theta_tui.session.session.variants", lambda *_: ("What's my dog called?",))
    teacher.teach("What is my dog called?", "Bello")
    assert exchanges(teacher)[-1].variants == ("What's my dog called?",)
    assert past(teacher) == set()
    teacher.close()
