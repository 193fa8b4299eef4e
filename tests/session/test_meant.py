"""A reply that was written with a lesson's own weights is marked. Picking it says that the lesson is meant here too,
picking another one that it is not: both live in the journal alone, and no weights move for the first."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.session.test_teacher import same, state
from tests.support.tiny_models import equal, weights
from theta_tui.base.errors import HomeError
from theta_tui.learning.learner import Learner
from theta_tui.learning.scope import index
from theta_tui.learning.scope.decision import Decision
from theta_tui.session.session import Teacher
from theta_tui.store.records import Candidate, Learned, Outcome, Pending
from theta_tui.store.store import Store

Open = Callable[[], Teacher]
DOG, TOWN = ("What is my dog's name?", "Pixel"), ("Where is the town of Orlebar?", "by the river")
CALLED, NEARER = "Which name did I give my dog?", "Which name did I give to my dog?"


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the same words are sure to ask the same."""
    monkeypatch.setattr(index, "SURE", 1000.0)


def taught(start: Open, *pairs: tuple[str, str]) -> Teacher:
    teacher = start()
    for prompt, reply in pairs:
        assert teacher.teach(prompt, reply).learned
    return teacher


def offered(teacher: Teacher, prompt: str) -> Pending:
    waiting = teacher.propose(prompt)
    assert waiting is not None
    return waiting


def mark(teacher: Teacher, prompt: str) -> Candidate:
    found = offered(teacher, prompt).mark
    assert found is not None
    return found


def pick_marked(teacher: Teacher, prompt: str) -> Outcome:
    return teacher.pick(mark(teacher, prompt).index)


def pick_another(teacher: Teacher, prompt: str) -> Outcome:
    return teacher.pick(mark(teacher, prompt).index % 5 + 1)


def said(teacher: Teacher, prompt: str) -> str:
    return teacher.ask(prompt, with_context=False).reply


def seq(teacher: Teacher, number: int = 1) -> int:
    return teacher.store.state.lessons[number - 1].seq


def test_the_reply_of_a_lesson_is_marked_first_where_its_prompt_is_surely_in_scope(start: Open) -> None:
    teacher = taught(start, DOG)
    assert mark(teacher, DOG[0]) == Candidate(1, "Pixel", mark(teacher, DOG[0]).logprob, True, seq(teacher), True)
    waiting = offered(teacher, "Tell me a joke.")
    assert waiting.mark is None
    assert all(item.lesson is None and item.sure is None for item in waiting.candidates)


@pytest.mark.usefixtures("unsure")
def test_where_it_may_be_meant_its_reply_is_the_fifth(start: Open) -> None:
    teacher = taught(start, DOG)
    found = mark(teacher, CALLED)
    assert (found.index, found.text, found.lesson, found.sure) == (5, "Pixel", seq(teacher), False)


@pytest.mark.usefixtures("unsure")
def test_picking_the_marked_reply_widens_the_scope_and_moves_nothing(start: Open) -> None:
    teacher = taught(start, DOG)
    before, learned = weights(teacher.model), dict(teacher.learner.modules)
    assert said(teacher, CALLED) != "Pixel"
    outcome = pick_marked(teacher, CALLED)
    assert (outcome.steps, outcome.learned, outcome.meant, outcome.kind) == (0, True, 1, "pick")
    assert outcome.p_before < outcome.p_after
    assert outcome.losses == ()
    assert equal(before, weights(teacher.model))
    assert teacher.learner.modules == learned
    assert said(teacher, CALLED) == "Pixel"
    assert teacher.decide(CALLED) == Decision(seq(teacher), True, float("inf"), CALLED)
    assert teacher.decide(NEARER).key == CALLED
    assert [turn.reply for turn in teacher.store.state.turns] == ["Pixel"]
    assert teacher.pending is None
    assert [standing.state for standing in teacher.quiz()] == ["kept", "kept"]


@pytest.mark.usefixtures("unsure")
def test_undo_and_redo_take_the_wording_out_and_put_it_back(start: Open) -> None:
    teacher = taught(start, DOG)
    before = state(teacher)
    pick_marked(teacher, CALLED)
    both = state(teacher)
    teacher.undo()
    assert same(before, teacher)
    assert not teacher.decide(CALLED).sure
    assert teacher.pending is not None
    assert teacher.pending.mark is not None  # it waits again, marked as before
    teacher.redo()
    assert same(both, teacher)
    assert teacher.decide(CALLED).sure
    assert teacher.pending is None


@pytest.mark.usefixtures("unsure")
def test_an_old_widening_is_withdrawn_without_learning_anything_again(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = taught(start, DOG)
    pick_marked(teacher, CALLED)
    teacher.teach(*TOWN)
    teacher.propose("hello")
    teacher.pick(2)
    teacher.save()
    before = state(teacher)
    for name in ("learn", "learn_module"):
        monkeypatch.setattr(Learner, name, None)
    teacher.withdraw(2)
    assert not teacher.decide(CALLED).sure
    assert same(before, teacher)
    teacher.close()
    again = start()
    assert same(before, again)
    assert not again.decide(CALLED).sure
    again.redo()
    assert again.decide(CALLED).sure
    assert same(before, again)


@pytest.mark.usefixtures("unsure")
def test_picking_another_reply_keeps_the_lesson_away_from_that_prompt(start: Open) -> None:
    teacher = taught(start, DOG)
    outcome = pick_another(teacher, CALLED)
    assert outcome.meant is None
    assert outcome.steps > 0
    assert teacher.decide(CALLED).lesson is None
    assert teacher.decide(DOG[0]).sure
    assert offered(teacher, CALLED).mark is None
    assert said(teacher, DOG[0]) == "Pixel"
    teacher.undo()
    assert teacher.decide(CALLED).lesson == seq(teacher)


@pytest.mark.usefixtures("unsure")
def test_what_is_picked_is_not_weighed_against_the_reply_of_a_lesson(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, heard = taught(start, DOG), list[list[str]]()
    learn = Learner.learn

    def hearing(self: Learner, *given: object, **named: object) -> object:
        heard.append(named["others"])  # type: ignore[arg-type]
        return learn(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "learn", hearing)
    pick_another(teacher, CALLED)
    assert len(heard[0]) == 3
    assert "Pixel" not in heard[0]


@pytest.mark.usefixtures("unsure")
def test_of_several_picks_on_one_question_the_newest_counts(start: Open) -> None:
    teacher = taught(start, DOG)
    pick_marked(teacher, CALLED)
    pick_another(teacher, CALLED)
    assert teacher.decide(CALLED).lesson is None
    teacher.undo()
    assert teacher.decide(CALLED).sure


@pytest.mark.usefixtures("unsure")
def test_the_widenings_of_a_withdrawn_lesson_do_nothing_until_it_comes_back(start: Open) -> None:
    teacher = taught(start, DOG, TOWN)
    pick_marked(teacher, CALLED)
    teacher.withdraw(1)
    assert teacher.decide(CALLED).lesson is None
    assert said(teacher, CALLED) != "Pixel"
    teacher.redo()
    assert said(teacher, CALLED) == "Pixel"


@pytest.mark.usefixtures("unsure")
def test_a_reply_whose_lesson_was_taken_back_while_it_waited_is_picked_as_any_other(start: Open) -> None:
    teacher = taught(start, DOG)
    found = mark(teacher, CALLED)
    teacher.withdraw(1)
    outcome = teacher.pick(found.index)
    assert outcome.meant is None
    assert outcome.steps > 0
    said_then = teacher.store.state.lessons[-1].exchange
    assert said_then.mark is None
    assert said_then.reply == "Pixel"


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.usefixtures("unsure")
def test_coming_back_finds_the_scopes_as_they_were(start: Open, saved: bool) -> None:
    teacher = taught(start, DOG, TOWN)
    pick_marked(teacher, CALLED)
    pick_another(teacher, "Where do I find Orlebar?")
    if saved:
        teacher.save()
    before = state(teacher)
    asked = [DOG[0], CALLED, NEARER, TOWN[0], "Where do I find Orlebar?", "Tell me a joke."]
    decided = [teacher.decide(prompt) for prompt in asked]
    teacher.close()
    again = start()
    assert same(before, again)
    assert [again.decide(prompt) for prompt in asked] == decided


@pytest.mark.usefixtures("unsure")
def test_a_widening_whose_outcome_a_crash_lost_has_one_after_the_next_start(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = taught(start, DOG)
    found = mark(teacher, CALLED)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Teacher, "_outcome", killed)
        with pytest.raises(Killed):
            teacher.pick(found.index)
    teacher.close()
    again = start()
    last = again.store.state.lessons[-1]
    assert last.outcome is not None
    assert (last.outcome.meant, last.outcome.steps, last.outcome.learned) == (1, 0, True)
    assert again.pending is None
    assert said(again, CALLED) == "Pixel"


@pytest.mark.usefixtures("unsure")
def test_a_pick_that_the_disk_refuses_widens_nothing(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = taught(start, DOG)
    found = mark(teacher, CALLED)
    append = Store.append

    def refusing(self: Store, record: object) -> object:
        if isinstance(record, Learned):
            raise HomeError("the disk is full")
        return append(self, record)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", refusing)
        with pytest.raises(HomeError):
            teacher.pick(found.index)
    assert not teacher.decide(CALLED).sure
    assert teacher.teach(*TOWN).learned  # under the number that the pick had
    assert not teacher.decide(CALLED).sure
    assert teacher.decide(TOWN[0]).sure


def test_a_lesson_that_leans_on_the_turn_before_it_is_said_after_such_a_turn_alone(start: Open) -> None:
    teacher = start()
    teacher.propose("Where does my sister live?")
    teacher.correct("in Wexmoor")
    teacher.propose("and my brother?")
    teacher.correct("in Quill")
    assert teacher.ask_lesson(2).reply == "in Quill"
    assert said(teacher, "and my brother?") != "in Quill"
    assert [standing.state for standing in teacher.quiz()] == ["kept", "kept"]
    teacher.store.begin_conversation()
    teacher.propose("Where does my sister live?")
    teacher.pick(1)
    assert mark(teacher, "and my brother?").lesson == seq(teacher, 2)


def test_an_answer_to_the_same_words_is_told_to_take_the_place_of_the_earlier_one(start: Open) -> None:
    teacher = taught(start, DOG, (DOG[0], "Biscuit"))
    assert "#2 answers 'What is my dog's name?' from now on instead of #1" in teacher.store.take_notices()
    assert teacher.teach("what is my DOG's name, please?", "Rex").learned  # other letters, the same words
    assert [text for text in teacher.store.take_notices() if "instead of" in text] == [
        "#3 answers 'what is my DOG's name, please?' from now on instead of #2"
    ]


def test_an_answer_to_other_words_leaves_the_earlier_one_its_own(start: Open) -> None:
    teacher = taught(start, DOG, (CALLED, "Biscuit"))
    assert teacher.store.take_notices() == [f"#2 answers '{CALLED}' from now on; #1 keeps its own wordings"]
    assert said(teacher, CALLED) == "Biscuit"
    assert said(teacher, DOG[0]) == "Pixel"


def test_the_same_answer_in_other_words_takes_nobodys_place(start: Open) -> None:
    teacher = taught(start, DOG, (CALLED, DOG[1]))
    assert teacher.store.take_notices() == []


def test_refusing_a_reply_that_was_sure_is_told(start: Open) -> None:
    teacher = taught(start, DOG)
    pick_another(teacher, CALLED)
    assert teacher.store.take_notices() == [f"#1 is not meant by '{CALLED}'"]


def test_a_home_without_marks_has_none_in_its_files(start: Open) -> None:
    teacher = taught(start, DOG)
    teacher.propose("hello")
    teacher.pick(1)
    teacher.propose("hello again")
    lines = [json.loads(line) for line in teacher.store.home.journal.read_text().splitlines()]
    found = [line["candidates"] for line in lines if line.get("candidates")]
    found.append(json.loads(teacher.store.home.pending.read_text())["candidates"])
    assert {key for candidates in found for item in candidates for key in item} == {"index", "text", "logprob", "ended"}
    assert not any("meant" in line.get("outcome", {}) for line in lines)


def test_scopes_are_brought_up_to_date_without_reading_every_lesson_again(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = taught(start, DOG, TOWN)
    put: list[int] = []
    own = index.Scopes.put

    def counting(self: index.Scopes, lesson: int, *given: object, **named: object) -> None:
        put.append(lesson)
        own(self, lesson, *given, **named)  # type: ignore[arg-type]

    teacher.decide("")
    monkeypatch.setattr(index.Scopes, "put", counting)
    pick_marked(teacher, CALLED)
    teacher.decide(CALLED)
    assert put == [seq(teacher)]
    teacher.undo()
    teacher.decide(CALLED)
    teacher.quiz()
    teacher.decide(CALLED)
    assert put == [seq(teacher)] * 2
