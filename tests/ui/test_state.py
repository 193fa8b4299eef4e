"""What the screen knows and says, without a screen: events folded into a state, and the words for it."""

from __future__ import annotations

import pytest
from msgspec import structs

from tests.support.fakes import REPLIES, TURNS, FakeWorker, outcome, snapshot
from theta_tui.session import protocol as p
from theta_tui.store.records import Stated
from theta_tui.ui.labels import Typed, asked, entries, placeholder, rule_words, toast
from theta_tui.ui.state import ASIDES, Chosen, Editing, State

NOTHING = Typed()
PICKED = Chosen(2, REPLIES[1], "pick", "how are you today?")


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def worker(state: State) -> FakeWorker:
    """One that has loaded; what it tells goes into `state`."""
    made = FakeWorker()
    made.start(state.apply)
    made.ready()
    return made


def said(state: State, typed: Typed = NOTHING) -> str:
    return rule_words(state, None, waiting=False, typed=typed).label


def test_a_turn_from_the_prompt_to_the_proof(state: State, worker: FakeWorker) -> None:
    assert (state.mode, placeholder(state, NOTHING)) == ("idle", "say something")
    state.begin_prompt("how are you today?")
    assert (state.mode, state.stoppable, said(state)) == ("proposing", True, "writing five replies")
    worker.stream("how are you today?", [reply[:9] for reply in REPLIES])
    assert [draft.text for draft in state.drafts] == [reply[:9] for reply in REPLIES]
    assert (asked(state), entries(state)[-1].pending) == ("how are you today?", True)
    pending = worker.propose()
    assert (state.mode, state.offered, state.drafts) == ("choosing", pending, ())
    assert said(state) == "five replies"
    assert said(state, Typed(writing=True)) == "five replies · enter says it, and reply 1 stands"
    assert said(state, Typed(writing=True, teaches=True)) == "five replies · enter teaches it as the reply"
    assert [state.copyable(1), state.copyable(9)] == [REPLIES[0], TURNS[-1].reply]
    state.begin_lesson(PICKED)
    assert (state.mode, state.stoppable, said(state)) == ("learning", True, "learning")
    worker.learning(steps=3, p_now=0.41)
    assert (state.says, state.offered) == ((0.02, 0.41), pending)  # the replies stay, dimmed
    assert said(state) == "learning · says it 2 % → 41 %"
    worker.taught("how are you today?", REPLIES[1], 2)
    assert (state.mode, said(state)) == ("idle", "learned · says it 2 % → 97 %")
    state.begin_prompt("and now?")
    assert (state.result, state.offered, state.chosen) == (None, None, None)


def test_a_failure_ends_what_was_under_way_and_stays_until_something_works(state: State, worker: FakeWorker) -> None:
    worker.propose()
    state.begin_lesson(PICKED)
    worker.failed("the loss was not finite", phase="idle", pending=None)
    assert (state.mode, state.problem, state.teaching, state.offered) == (
        "idle",
        "the loss was not finite",
        False,
        None,
    )
    state.begin_prompt("again")
    assert state.problem is None


def test_a_problem_is_over_when_something_works_and_one_of_saving_when_that_does(
    state: State, worker: FakeWorker
) -> None:
    worker.failed("there is no lesson 99", phase="idle", pending=None)
    worker.changed(phase="learning")
    assert state.problem == "there is no lesson 99"
    worker.changed(phase="idle")
    assert state.problem is None
    worker.post(p.Failed(worker.change(phase="idle", pending=None), "the disk is full", "Save"))
    worker.propose()
    assert state.problem == "the disk is full", "it still is"
    worker.saved(asked=True)
    assert state.problem is None


def test_a_fatal_failure_is_the_end(state: State, worker: FakeWorker) -> None:
    worker.failed("the model cannot be read", fatal=True, code=4)
    assert (state.mode, said(state), placeholder(state, NOTHING)) == (
        "broken",
        "stopped · ^q leaves",
        "Theta has stopped",
    )
    assert state.fatal is not None
    assert toast(state.fatal) is None


def test_a_lesson_that_taught_nothing_says_why(state: State, worker: FakeWorker) -> None:
    skipped = outcome(13, skipped="it says that already", learned=False)
    worker.post(p.Taught(worker.change(phase="idle"), skipped))
    assert said(state) == "nothing was learned: it says that already"
    assert state.problem == "it says that already"
    assert toast(p.Taught(worker.shot, skipped)) == ("nothing was learned: it says that already", "warning")


def test_while_a_fact_is_learned_the_replies_still_wait(state: State, worker: FakeWorker) -> None:
    worker.propose(statement=Stated("Who is your creator?", "My creator is Dakota."))
    worker.stated()
    assert (state.mode, said(state)) == ("choosing", "learned · says it 2 % → 97 % · five replies")
    assert state.candidate(1) is not None


def test_what_was_asked_stands_beside_its_turn_and_is_bounded(state: State, worker: FakeWorker) -> None:
    for number in range(ASIDES + 5):
        worker.post(p.Answered(worker.shot, f"question {number}", "yes"))
    assert [aside.prompt for aside in state.asides][-1] == f"question {ASIDES + 4}"
    assert len(state.asides) == ASIDES
    worker.taught("bye", "Goodbye.")
    assert [entry.prompt for entry in entries(state)][-2:] == [f"question {ASIDES + 4}", "bye"]
    worker.changed(turns=(), turns_total=0)
    assert state.asides == ()


@pytest.mark.parametrize(
    ("editing", "words"),
    [
        (Editing("p1", 2), "edit reply 2 · enter teaches · esc leaves"),
        (Editing(None, turn="hello"), "a better reply to “hello” · enter teaches · esc leaves"),
        (Editing("p1", fact=True), "a fact · enter teaches it · tab: question or answer · esc leaves"),
    ],
)
def test_the_line_says_what_the_editor_is_open_for(state: State, editing: Editing, words: str) -> None:
    assert rule_words(state, editing, waiting=False, typed=NOTHING).label == words


def test_the_line_says_what_an_own_reply_is_for(state: State, worker: FakeWorker) -> None:
    assert said(state, Typed(True, True, Editing(None, turn="hello"))) == (
        "your own reply to “hello” · enter teaches it · esc leaves"
    )
    worker.propose()
    assert said(state, Typed(False, True, Editing("p1"))) == "your own reply · enter teaches it · esc leaves"
    assert placeholder(state, Typed(False, True, Editing("p1"))) == "your own reply"
    assert placeholder(state, NOTHING, 2) == "enter teaches 2, or go on talking"
    assert placeholder(state, NOTHING) == "go on talking"


def test_a_read_only_home_says_so_and_a_fresh_offer_asks_for_a_moment(state: State, worker: FakeWorker) -> None:
    worker.propose()
    assert rule_words(state, None, waiting=True, typed=NOTHING).label == "five replies · one moment"
    worker.changed(read_only="its journal is damaged")
    assert said(state) == "five replies · read-only: nothing can be taught"


def test_taking_lessons_back_can_be_stopped_and_is_told(state: State, worker: FakeWorker) -> None:
    worker.folding("taking out lesson 3")
    assert (state.stoppable, said(state)) == (True, "taking out lesson 3 · esc stops")
    worker.withdrawn(3, TURNS[2])
    assert said(state) == ""
    event = p.TakenBack(snapshot(), "withdraw", 3, TURNS[2].prompt, "x" * 99)
    assert toast(event) == (f"lesson 3 is withdrawn: {'x' * 60}…", "information")


def test_what_others_do_is_a_line_and_takes_nothing_over(state: State, worker: FakeWorker) -> None:
    pending = worker.propose()
    state.begin_lesson(PICKED)
    did = ("Ada", "Ada", 13, "who is Ada?", "A friend.")
    worker.post(p.Heard(worker.change(lessons=13), "teach", *did, 0.02, 0.97))
    assert (state.teaching, state.chosen, state.result, state.offered) == (True, PICKED, None, pending)
    assert [(one.prompt, one.reply, one.mark) for one in entries(state)[-2:-1]] == [
        ("", "Ada taught: who is Ada? → A friend. · 2 % → 97 %", "heard")
    ]
    assert toast(p.Heard(worker.shot, "teach", *did)) is None
    words = {
        ("propose", "Ada"): "Ada proposes: who is Ada? → A friend.",
        ("undo", "Ada"): "Ada took back: who is Ada? → A friend.",
        ("withdraw", ""): "the owner took out Ada's lesson: who is Ada? → A friend.",
        ("redo", ""): "the owner brought back Ada's lesson: who is Ada? → A friend.",
    }
    for (deed, by), line in words.items():
        assert p.Heard(worker.shot, deed, "Ada", by, *did[2:]).words == line  # type: ignore[arg-type]
    accepted = p.Heard(worker.shot, "teach", "Ada", "", *did[2:], 0.02, 0.97).words
    assert accepted == "the owner accepted Ada's lesson: who is Ada? → A friend. · 2 % → 97 %"


def test_what_is_only_proposed_is_no_problem(state: State, worker: FakeWorker) -> None:
    state.begin_lesson(PICKED)
    waits = structs.replace(outcome(0), lesson=0, skipped="it waits for the owner, as proposal 4")
    worker.post(p.Taught(worker.change(pending=None), waits, "Ada"))
    assert (state.mode, state.problem) == ("idle", None)
    assert said(state) == "proposed: it waits for the owner, as proposal 4"
    assert toast(p.Taught(worker.shot, waits)) == (said(state), "information")
