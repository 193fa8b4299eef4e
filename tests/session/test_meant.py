"""A reply that was written with a lesson's own weights is marked. Picking it says that the lesson is meant here too,
picking another one that it is not: both live in the journal alone, and no weights move for the first."""

from __future__ import annotations

import json

import pytest

from tests.session.conftest import Open, Taught
from tests.support.sessions import same, state
from tests.support.tiny_models import equal, weights
from theta_tui.base.errors import HomeError
from theta_tui.learning.learner import Learner
from theta_tui.learning.scope import index
from theta_tui.learning.scope.decision import Decision
from theta_tui.session.session import Session
from theta_tui.store.records import Candidate, Learned, Outcome, Pending
from theta_tui.store.store import Store

DOG, TOWN = ("What is my dog's name?", "Pixel"), ("Where is the town of Orlebar?", "by the river")
CALLED, NEARER = "Which name did I give my dog?", "Which name did I give to my dog?"


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the same words are sure to ask the same."""
    monkeypatch.setattr(index, "SURE", 1000.0)


def offered(session: Session, prompt: str) -> Pending:
    waiting = session.propose(prompt)
    assert waiting is not None
    return waiting


def mark(session: Session, prompt: str) -> Candidate:
    found = offered(session, prompt).mark
    assert found is not None
    return found


def pick_marked(session: Session, prompt: str) -> Outcome:
    return session.pick(mark(session, prompt).index)


def pick_another(session: Session, prompt: str) -> Outcome:
    return session.pick(mark(session, prompt).index % 5 + 1)


def said(session: Session, prompt: str) -> str:
    return session.ask(prompt, with_context=False).reply


def seq(session: Session, number: int = 1) -> int:
    return session.store.state.lessons[number - 1].seq


def test_the_reply_of_a_lesson_is_marked_first_where_its_prompt_is_surely_in_scope(taught: Taught) -> None:
    session = taught(DOG)
    assert mark(session, DOG[0]) == Candidate(1, "Pixel", mark(session, DOG[0]).logprob, True, seq(session), True)
    waiting = offered(session, "Tell me a joke.")
    assert waiting.mark is None
    assert all(item.lesson is None and item.sure is None for item in waiting.candidates)


@pytest.mark.usefixtures("unsure")
def test_where_it_may_be_meant_its_reply_is_the_fifth(taught: Taught) -> None:
    session = taught(DOG)
    found = mark(session, CALLED)
    assert (found.index, found.text, found.lesson, found.sure) == (5, "Pixel", seq(session), False)


@pytest.mark.usefixtures("unsure")
def test_picking_the_marked_reply_widens_the_scope_and_moves_nothing(taught: Taught) -> None:
    session = taught(DOG)
    before, learned = weights(session.model), dict(session.learner.modules)
    assert said(session, CALLED) != "Pixel"
    outcome = pick_marked(session, CALLED)
    assert (outcome.steps, outcome.learned, outcome.meant, outcome.kind) == (0, True, 1, "pick")
    assert outcome.p_before < outcome.p_after
    assert outcome.losses == ()
    assert equal(before, weights(session.model))
    assert session.learner.modules == learned
    assert said(session, CALLED) == "Pixel"
    assert session.decide(CALLED) == Decision(seq(session), True, float("inf"), CALLED)
    assert session.decide(NEARER).key == CALLED
    assert [turn.reply for turn in session.store.state.turns] == ["Pixel"]
    assert session.pending is None
    assert [row.state for row in session.quiz()] == ["kept", "kept"]


@pytest.mark.usefixtures("unsure")
def test_undo_and_redo_take_the_wording_out_and_put_it_back(taught: Taught) -> None:
    session = taught(DOG)
    before = state(session)
    pick_marked(session, CALLED)
    both = state(session)
    session.undo()
    assert same(before, session)
    assert not session.decide(CALLED).sure
    assert session.pending is not None
    assert session.pending.mark is not None  # it waits again, marked as before
    session.redo()
    assert same(both, session)
    assert session.decide(CALLED).sure
    assert session.pending is None


@pytest.mark.usefixtures("unsure")
def test_an_old_widening_is_withdrawn_without_learning_anything_again(
    start: Open, taught: Taught, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = taught(DOG)
    pick_marked(session, CALLED)
    session.teach(*TOWN)
    session.propose("hello")
    session.pick(2)
    session.save()
    before = state(session)
    for name in ("learn", "learn_module"):
        monkeypatch.setattr(Learner, name, None)
    session.withdraw(2)
    assert not session.decide(CALLED).sure
    assert same(before, session)
    session.close()
    again = start()
    assert same(before, again)
    assert not again.decide(CALLED).sure
    again.redo()
    assert again.decide(CALLED).sure
    assert same(before, again)


@pytest.mark.usefixtures("unsure")
def test_picking_another_reply_keeps_the_lesson_away_from_that_prompt(taught: Taught) -> None:
    session = taught(DOG)
    outcome = pick_another(session, CALLED)
    assert outcome.meant is None
    assert outcome.steps > 0
    assert session.decide(CALLED).lesson is None
    assert session.decide(DOG[0]).sure
    assert offered(session, CALLED).mark is None
    assert said(session, DOG[0]) == "Pixel"
    session.undo()
    assert session.decide(CALLED).lesson == seq(session)


@pytest.mark.usefixtures("unsure")
def test_what_is_picked_is_not_weighed_against_the_reply_of_a_lesson(
    taught: Taught, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, heard = taught(DOG), list[list[str]]()
    learn = Learner.learn

    def hearing(self: Learner, *given: object, **named: object) -> object:
        heard.append(named["others"])  # type: ignore[arg-type]
        return learn(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "learn", hearing)
    pick_another(session, CALLED)
    assert len(heard[0]) == 3
    assert "Pixel" not in heard[0]


@pytest.mark.usefixtures("unsure")
def test_of_several_picks_on_one_question_the_newest_counts(taught: Taught) -> None:
    session = taught(DOG)
    pick_marked(session, CALLED)
    pick_another(session, CALLED)
    assert session.decide(CALLED).lesson is None
    session.undo()
    assert session.decide(CALLED).sure


@pytest.mark.usefixtures("unsure")
def test_the_widenings_of_a_withdrawn_lesson_do_nothing_until_it_comes_back(taught: Taught) -> None:
    session = taught(DOG, TOWN)
    pick_marked(session, CALLED)
    session.withdraw(1)
    assert session.decide(CALLED).lesson is None
    assert said(session, CALLED) != "Pixel"
    session.redo()
    assert said(session, CALLED) == "Pixel"


@pytest.mark.usefixtures("unsure")
def test_a_reply_whose_lesson_was_taken_back_while_it_waited_is_picked_as_any_other(taught: Taught) -> None:
    session = taught(DOG)
    found = mark(session, CALLED)
    session.withdraw(1)
    outcome = session.pick(found.index)
    assert outcome.meant is None
    assert outcome.steps > 0
    said_then = session.store.state.lessons[-1].exchange
    assert said_then.mark is None
    assert said_then.reply == "Pixel"


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.usefixtures("unsure")
def test_coming_back_finds_the_scopes_as_they_were(start: Open, taught: Taught, saved: bool) -> None:
    session = taught(DOG, TOWN)
    pick_marked(session, CALLED)
    pick_another(session, "Where do I find Orlebar?")
    if saved:
        session.save()
    before = state(session)
    asked = [DOG[0], CALLED, NEARER, TOWN[0], "Where do I find Orlebar?", "Tell me a joke."]
    decided = [session.decide(prompt) for prompt in asked]
    session.close()
    again = start()
    assert same(before, again)
    assert [again.decide(prompt) for prompt in asked] == decided


@pytest.mark.usefixtures("unsure")
def test_a_widening_whose_outcome_a_crash_lost_has_one_after_the_next_start(
    start: Open, taught: Taught, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = taught(DOG)
    found = mark(session, CALLED)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("theta_tui.session.session.outcome_of", killed)
        with pytest.raises(Killed):
            session.pick(found.index)
    session.close()
    again = start()
    last = again.store.state.lessons[-1]
    assert last.outcome is not None
    assert (last.outcome.meant, last.outcome.steps, last.outcome.learned) == (1, 0, True)
    assert again.pending is None
    assert said(again, CALLED) == "Pixel"


@pytest.mark.usefixtures("unsure")
def test_a_pick_that_the_disk_refuses_widens_nothing(taught: Taught, monkeypatch: pytest.MonkeyPatch) -> None:
    session = taught(DOG)
    found = mark(session, CALLED)
    append = Store.append

    def refusing(self: Store, record: object) -> object:
        if isinstance(record, Learned):
            raise HomeError("the disk is full")
        return append(self, record)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", refusing)
        with pytest.raises(HomeError):
            session.pick(found.index)
    assert not session.decide(CALLED).sure
    assert session.teach(*TOWN).learned  # under the number that the pick had
    assert not session.decide(CALLED).sure
    assert session.decide(TOWN[0]).sure


def test_a_lesson_that_leans_on_the_turn_before_it_is_said_after_such_a_turn_alone(start: Open) -> None:
    session = start()
    session.propose("Where does my sister live?")
    session.correct("in Wexmoor")
    session.propose("and my brother?")
    session.correct("in Quill")
    assert session.ask_lesson(2).reply == "in Quill"
    assert said(session, "and my brother?") != "in Quill"
    assert [row.state for row in session.quiz()] == ["kept", "kept"]
    session.store.begin_conversation()
    session.propose("Where does my sister live?")
    session.pick(1)
    assert mark(session, "and my brother?").lesson == seq(session, 2)


def test_an_answer_to_the_same_words_is_told_to_take_the_place_of_the_earlier_one(taught: Taught) -> None:
    session = taught(DOG)
    session.teach(DOG[0], "Biscuit")
    assert "#2 answers 'What is my dog's name?' from now on instead of #1" in session.store.take_notices()
    assert session.teach("what is my DOG's name, please?", "Rex").learned  # other letters, the same words
    assert [text for text in session.store.take_notices() if "instead of" in text] == [
        "#3 answers 'what is my DOG's name, please?' from now on instead of #2"
    ]


def test_an_answer_to_other_words_leaves_the_earlier_one_its_own(taught: Taught) -> None:
    session = taught(DOG)
    session.teach(CALLED, "Biscuit")
    assert session.store.take_notices() == [f"#2 answers '{CALLED}' from now on; #1 keeps its own wordings"]
    assert said(session, CALLED) == "Biscuit"
    assert said(session, DOG[0]) == "Pixel"


def test_the_same_answer_in_other_words_takes_nobodys_place(taught: Taught) -> None:
    session = taught(DOG)
    assert session.teach(CALLED, DOG[1]).learned
    assert session.store.take_notices() == []


def test_refusing_a_reply_that_was_sure_is_told(taught: Taught) -> None:
    session = taught(DOG)
    pick_another(session, CALLED)
    assert session.store.take_notices() == [f"#1 no longer answers '{CALLED}'"]


def test_a_home_without_marks_has_none_in_its_files(taught: Taught) -> None:
    session = taught(DOG)
    session.propose("hello")
    session.pick(1)
    session.propose("hello again")
    lines = [json.loads(line) for line in session.store.home.journal.read_text().splitlines()]
    found = [line["candidates"] for line in lines if line.get("candidates")]
    found.append(json.loads(session.store.home.pending.read_text())["candidates"])
    assert {key for candidates in found for item in candidates for key in item} == {"index", "text", "logprob", "ended"}
    assert not any("meant" in line.get("outcome", {}) for line in lines)


def test_scopes_are_brought_up_to_date_without_reading_every_lesson_again(
    taught: Taught, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = taught(DOG, TOWN)
    put: list[int] = []
    own = index.Scopes.put

    def counting(self: index.Scopes, lesson: int, *given: object, **named: object) -> None:
        put.append(lesson)
        own(self, lesson, *given, **named)  # type: ignore[arg-type]

    session.decide("")
    monkeypatch.setattr(index.Scopes, "put", counting)
    pick_marked(session, CALLED)
    session.decide(CALLED)
    assert put == [seq(session)]
    session.undo()
    session.decide(CALLED)
    session.quiz()
    session.decide(CALLED)
    assert put == [seq(session)] * 2
