"""A row of teach-bench, of subjects who follow a script: what each column says of one who learns all, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from theta_tui.bench.held_out import Perplexity
from theta_tui.bench.metrics import GateDecision, GreedyAnswer, SuiteLesson
from theta_tui.bench.run import (
    NO_EXTRAS,
    SAMPLE_SIZE,
    Baseline,
    BenchRow,
    Extras,
    RowLabel,
    average,
    measure,
    measure_baseline,
)
from theta_tui.bench.suite import Suite

LABEL = RowLabel("script", "default", 1, 1.0)
GATE = SuiteLesson("gate", "Who keeps the gate?", "Ursel keeps the gate.", ("Whose gate?",), ("Who keeps the hens?",))
WELL = SuiteLesson("well", "How deep is the well?", "Forty feet.", ("The well's depth?",), ("How deep is the pond?",))
GATE_2 = SuiteLesson(
    "gate#2", "Who has the gate?", "Now Piet does.", ("Whose gate?",), ("Who keeps the hens?",), "gate"
)
SUITE = Suite((GATE, WELL, GATE_2), ("hello", "what time is it"))
MANY = Suite(tuple(SuiteLesson(f"n{n}", f"What is {n}?", f"It is {n}.") for n in range(8)), ())

Policy = Callable[[dict[str, str], SuiteLesson], None]
"""What a lesson does to the answers."""


def nothing(answers: dict[str, str], lesson: SuiteLesson) -> None:
    pass


def everything(answers: dict[str, str], lesson: SuiteLesson) -> None:
    """The prompt, its paraphrases and, where one is superseded, the old prompt."""
    for prompt in (lesson.prompt, *lesson.paraphrases, *([GATE.prompt] if lesson.supersedes else [])):
        answers[prompt] = lesson.target


def the_newest_only(answers: dict[str, str], lesson: SuiteLesson) -> None:
    """Whatever is asked, the last lesson is said."""
    answers["*"] = lesson.target


@dataclass
class Script:
    """A subject whose answers are a table. A lesson takes one step more than the one before, and a second more."""

    policy: Policy
    lessons: Sequence[SuiteLesson]
    answers: dict[str, str] = field(default_factory=dict)
    taught: list[dict[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    now: float = 0.0
    ppl: float | None = 10.0
    undo_leaves: str | None = None
    gate: Callable[[str], int | None] | None = None
    machine = "a script"
    threads = 1

    def teach(self, prompt: str, reply: str) -> int:
        [lesson] = [lesson for lesson in self.lessons if (lesson.prompt, lesson.target) == (prompt, reply)]
        self.taught.append(dict(self.answers))
        self.policy(self.answers, lesson)
        self.now += len(self.taught)
        if self.ppl is not None:
            self.ppl += 0.1
        return len(self.taught)

    def ask(self, prompts: Sequence[str]) -> list[GreedyAnswer]:
        self.now += 100.0
        self.asked += prompts
        return [GreedyAnswer(self.answers.get("*", self.answers.get(prompt, "What?"))) for prompt in prompts]

    def decide(self, prompts: Sequence[str]) -> list[GateDecision] | None:
        """A score of 2, and four milliseconds."""
        return None if self.gate is None else [GateDecision(self.gate(prompt), 2.0, 0.004) for prompt in prompts]

    def perplexity(self) -> Perplexity | None:
        """With a gate the weights that are always on stay as they were."""
        return None if self.ppl is None else Perplexity(self.ppl, 10.0 if self.gate else self.ppl)

    def checkpoint(self) -> None:
        self.kept.append(len(self.taught))

    def undo(self) -> None:
        self.answers = self.taught.pop()
        if self.undo_leaves is not None and len(self.taught) == 1:
            self.answers = self.answers | {self.undo_leaves: "!"}

    def digest(self) -> str:
        return json.dumps(self.answers, sort_keys=True)


def row_of(subject: Script, suite: Suite = SUITE, *, extras: Extras = NO_EXTRAS) -> BenchRow:
    return measure(
        subject, suite, measure_baseline(subject, suite.unrelated), LABEL, extras=extras, clock=lambda: subject.now
    )


def test_one_who_never_learns_keeps_all_and_knows_nothing() -> None:
    row = row_of(Script(nothing, SUITE.lessons, ppl=None))
    assert row.figures == {
        "R1": 0.0, "P1": 0.0, "Final": 0.0, "PFinal": 0.0, "Near": 1.0, "Leak": 0.0, "Leak before": 0.0, "LocT": 1.0,
        "Update": 0.0, "Steps": 2.0, "Steps max": 3, "p50": 2.0, "p95": pytest.approx(2.9), "dPPL": None,
    }  # fmt: skip
    assert row.undo


def test_one_who_learns_all_that_is_asked_and_nothing_else_has_the_perfect_row() -> None:
    row = row_of(Script(everything, SUITE.lessons))
    perfect = dict.fromkeys(("R1", "P1", "Final", "PFinal", "Near", "LocT", "Update"), 1.0)
    assert {name: row.figures[name] for name in perfect} == perfect
    assert row.figures["Leak"] == 0.0
    assert row.figures["dPPL"] == pytest.approx(0.03)
    assert row.undo


def test_one_who_says_the_last_lesson_to_everything_is_found_out() -> None:
    row = row_of(Script(the_newest_only, SUITE.lessons))
    assert (row.figures["R1"], row.figures["P1"], row.figures["Update"]) == (1.0, 1.0, 1.0)
    # Of the two that are not superseded the newer is said. Every near miss moved and got the new words.
    assert (row.figures["Final"], row.figures["PFinal"]) == (0.5, 0.5)
    assert (row.figures["Near"], row.figures["Leak"], row.figures["LocT"]) == (0.0, 1.0, 0.0)
    # Before a turn the near miss gets the words of the lesson before, which are none of this one's.
    assert row.figures["Leak before"] == 0.0


def test_the_old_answer_is_asked_for_by_the_old_prompt() -> None:
    def keeps_the_old(answers: dict[str, str], lesson: SuiteLesson) -> None:
        answers[lesson.prompt] = lesson.target

    row = row_of(Script(keeps_the_old, SUITE.lessons))
    assert row.figures["R1"] == 1.0
    assert row.figures["Update"] == 0.0
    assert row.results[-1].old == GreedyAnswer(GATE.target)


def test_a_turn_is_timed_without_what_is_asked_around_it() -> None:
    row = row_of(Script(everything, SUITE.lessons))
    assert [result.seconds for result in row.results] == [1.0, 2.0, 3.0]
    assert [result.steps for result in row.results] == [1, 2, 3]


def test_near_misses_are_asked_right_before_and_right_after_the_lesson() -> None:
    subject = Script(everything, SUITE.lessons)
    row_of(subject)
    asked = subject.asked[len(SUITE.unrelated) :]
    assert asked[:4] == [*GATE.near, GATE.prompt, *GATE.paraphrases, *GATE.near]


def test_five_lessons_are_undone_and_the_older_ones_are_kept_first() -> None:
    subject = Script(everything, MANY.lessons)
    assert row_of(subject, MANY).undo
    assert (len(subject.taught), subject.kept) == (3, [3])
    few = Script(everything, SUITE.lessons)
    assert row_of(few).undo
    assert (few.taught, few.kept) == ([], [])


def test_an_undo_that_leaves_something_behind_is_told_even_if_the_next_one_mends_it() -> None:
    assert not row_of(Script(everything, SUITE.lessons, undo_leaves="hello")).undo


def test_a_suite_with_nothing_unrelated_has_no_locality() -> None:
    row = row_of(Script(everything, MANY.lessons), MANY)
    assert (row.figures["LocT"], row.figures["Near"], row.figures["Leak"], row.figures["P1"]) == (None,) * 4
    assert row.figures["R1"] == 1.0


def test_the_mean_of_orders_leaves_out_what_was_not_measured() -> None:
    one = row_of(Script(everything, SUITE.lessons))
    other = row_of(Script(nothing, SUITE.lessons, ppl=None, undo_leaves="hello"))
    mean = average([one, other])
    assert mean.label.order == "mean"
    assert (mean.figures["R1"], mean.figures["Near"], mean.figures["Steps max"]) == (0.5, 1.0, 3)
    assert mean.figures["dPPL"] == one.figures["dPPL"]
    assert (one.undo, other.undo, mean.undo) == (True, False, False)
    assert mean.transcript() == {"turns": [], "unrelated": [], "fired": []}
    assert average([other, other]).figures["dPPL"] is None


def test_a_row_as_plain_values_has_every_column_and_what_was_said() -> None:
    row = row_of(Script(the_newest_only, SUITE.lessons))
    plain = json.loads(json.dumps(row.as_dict()))
    assert set(plain) == {
        "model", "recipe", "order", "lessons", "threads", "machine", "max_seconds", "R1", "P1", "Final", "PFinal",
        "Near", "Leak", "Leak before", "LocT", "dPPL", "Update", "Steps", "Steps max", "p50", "p95", "Undo",
    }  # fmt: skip
    said = json.loads(json.dumps(row.transcript()))
    assert [turn["id"] for turn in said["turns"]] == ["gate", "well", "gate#2"]
    assert said["turns"][0]["near_before"] == [{"text": "What?", "ended": True}]
    assert said["turns"][0]["near"] == [{"text": GATE.target, "ended": True}]
    assert [answer["text"] for answer in said["turns"][0]["final"]] == [GATE_2.target] * 2
    after = {"text": GATE_2.target, "ended": True}
    assert said["unrelated"][0] == {"prompt": "hello", "before": {"text": "What?", "ended": True}, "after": after}


def test_the_base_model_is_what_the_untaught_pupil_says() -> None:
    assert measure_baseline(Script(nothing, ()), ("hello",)) == Baseline(
        (GreedyAnswer("What?"),), Perplexity(10.0, 10.0)
    )


def test_the_gate_is_asked_after_all_lessons_by_what_must_not_fire_as_well() -> None:
    # "gate" is superseded by lesson 2. Its wording is right there, the well's gets another lesson, and one of two near
    # misses, of unrelated prompts and of what people say fires.
    fires = {"Whose gate?": 2, "The well's depth?": 2, "How deep is the pond?": 1, "hello": 0, "good day": 1}
    around = Extras(own=("Who are you?", "the well's depth"), talk=("good day", "bye"))
    row = row_of(Script(everything, SUITE.lessons, gate=fires.get), extras=around)
    shares = {name: row.figures[name] for name in ("Recall", "Wrong lesson", "Near fired", "Unrelated fired")}
    assert shares == dict.fromkeys(shares, 0.5)
    # A question about itself that the suite teaches an answer to is none of those that must not fire.
    assert (row.figures["Own fired"], row.figures["Talk fired"]) == (0.0, 0.5)
    assert (row.figures["ms p50"], row.figures["ms p95"]) == (pytest.approx(4), pytest.approx(4))
    assert row.figures["dPPL"] == pytest.approx(0.03)
    assert row.figures["dPPL weights"] == 0
    found = {fired["prompt"]: (fired["of"], fired["lesson"]) for fired in row.transcript()["fired"]}
    assert found == {
        "The well's depth?": ("paraphrase", "gate#2"), "How deep is the pond?": ("near", "well"),
        "hello": ("unrelated", "gate"), "good day": ("talk", "well"),
    }  # fmt: skip
    assert average([row, row]).figures["Recall"] == 0.5
    assert average([row, row]).transcript()["fired"] == []


def test_a_paraphrase_that_no_lesson_answers_is_listed_without_one() -> None:
    row = row_of(Script(everything, SUITE.lessons, gate=lambda prompt: None))
    assert (row.figures["Recall"], row.figures["Wrong lesson"]) == (0.0, 0.0)
    assert [(fired["prompt"], fired["lesson"]) for fired in row.transcript()["fired"]] == [
        ("The well's depth?", None),
        ("Whose gate?", None),
    ]


def test_one_who_has_no_gate_has_no_columns_of_it() -> None:
    row = row_of(Script(everything, SUITE.lessons))
    assert not {"Recall", "Near fired", "ms p50", "dPPL weights", "Front R1", "Seconds"} & set(row.as_dict())
    assert row.transcript()["fired"] == []


def test_lessons_in_front_come_first_and_a_sample_of_them_is_asked() -> None:
    front = tuple(SuiteLesson(f"f{n}", f"Where is {n}?", f"At {n}.", (f"{n}, where?",)) for n in range(2 * SAMPLE_SIZE))

    def all_but_the_first_wording(answers: dict[str, str], lesson: SuiteLesson) -> None:
        everything(answers, lesson)
        answers.pop("0, where?", None)

    subject = Script(
        all_but_the_first_wording,
        (*front, *SUITE.lessons),
        gate={"Whose gate?": len(front) + 2, "2, where?": 2, "4, where?": 2}.get,
    )
    row = row_of(subject, extras=Extras(front))
    assert (row.lessons, len(row.results)) == (len(front) + 3, 3)
    assert [result.steps for result in row.results] == [len(front) + 1, len(front) + 2, len(front) + 3]
    assert [row.figures[f"Front {name}"] for name in ("R1", "Final")] == [1.0, 1.0]
    assert [row.figures[f"Front {name}"] for name in ("P1", "PFinal")] == [pytest.approx(1 - 1 / SAMPLE_SIZE)] * 2
    assert row.figures["Seconds"] == sum(range(1, len(front) + 4))
    assert row.figures["Recall"] == 0.5
    assert row.figures["Front Recall"] == row.figures["Front Wrong lesson"] == pytest.approx(1 / SAMPLE_SIZE)
    assert row.undo
    assert {"Where is 0?", "Where is 98?"} <= set(subject.asked)
    assert "Where is 1?" not in subject.asked
