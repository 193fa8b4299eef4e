"""Measures one row: teaches the lessons of a suite to an untaught subject, asks around each lesson, and counts.

`Subject` says what a subject can do; nothing here knows how it is made. All is taught and asked outside any
conversation, so that the answers come from the weights.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from theta_tui.bench.metrics import (
    GateDecision,
    GateProbe,
    GreedyAnswer,
    LessonResult,
    ProbeKind,
    SuiteLesson,
    gate_figures,
    mean,
    not_superseded,
    suite_figures,
)
from theta_tui.bench.suite import Suite
from theta_tui.learning.scope.words import normal_form

if TYPE_CHECKING:
    from theta_tui.bench.held_out import Perplexity

UNDO_COUNT = 5
"""Number of lessons undone at the end."""

SAMPLE_SIZE = 50
"""Number of generated lessons that are asked about."""

Final = Mapping[str, tuple[GreedyAnswer, ...]]
"""Answers to prompt and paraphrases after all lessons, by lesson id."""


class Subject(Protocol):
    """A model that can be taught, asked and put back."""

    @property
    def machine(self) -> str:
        """A description of what computes."""

    @property
    def threads(self) -> int: ...

    def teach(self, prompt: str, reply: str) -> int:
        """Learn a lesson and return the optimizer steps that it took."""

    def ask(self, prompts: Sequence[str]) -> list[GreedyAnswer]:
        """The greedy answers. Changes nothing."""

    def decide(self, prompts: Sequence[str]) -> list[GateDecision] | None:
        """The gate's decision for each of `prompts`; None if there is no gate."""

    def perplexity(self) -> Perplexity | None:
        """Perplexity on held-out conversations; None if there are none."""

    def checkpoint(self) -> None:
        """Save the lessons so far, so that returning to them is quick."""

    def undo(self) -> None:
        """Take back the last lesson."""

    def digest(self) -> str:
        """A digest that is the same only if all bits of the weights are."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Answers and perplexity before the first lesson, which each order and recipe of a model shares."""

    unrelated: tuple[GreedyAnswer, ...]
    perplexity: Perplexity | None


@dataclass(frozen=True, slots=True)
class Extras:
    """What is added to a suite: lessons taught before it (`front`), questions about the model itself (`own`), and user
    messages of held-out conversations (`talk`)."""

    front: Sequence[SuiteLesson] = ()
    own: Sequence[str] = ()
    talk: Sequence[str] = ()


NO_EXTRAS = Extras()


@dataclass(frozen=True, slots=True)
class RowLabel:
    """What a row measures. `order` 1 is the file's, k is shuffled with seed k, `mean` is the mean of several."""

    model: str
    recipe: str
    order: int | str
    max_seconds: float


@dataclass(frozen=True, slots=True)
class BenchRow:
    """A result. `figures` are by column, with `dPPL` for ΔPPL; `undo` says whether each undo was bit-exact.

    The rest is the transcript, empty for a mean: `unrelated` has the answers before the first lesson and after the
    last, `fired` the probes for which the gate chose a wrong lesson (by id) or none.
    """

    label: RowLabel
    lessons: int
    threads: int
    machine: str
    figures: Mapping[str, float | None]
    undo: bool
    results: tuple[LessonResult, ...] = ()
    final: Final = field(default_factory=dict)
    unrelated: tuple[tuple[str, GreedyAnswer, GreedyAnswer], ...] = ()
    fired: tuple[tuple[GateProbe, str | None], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The row as flat plain values, without the transcript."""
        return {
            "model": self.label.model,
            "recipe": self.label.recipe,
            "order": self.label.order,
            "lessons": self.lessons,
            **{name: value if value is None else round(value, 6) for name, value in self.figures.items()},
            "Undo": self.undo,
            "max_seconds": self.label.max_seconds,
            "threads": self.threads,
            "machine": self.machine,
        }

    def transcript(self) -> dict[str, Any]:
        """All questions and answers as plain values."""
        return {
            "turns": [_lesson_as_dict(result, self.final[result.lesson.id]) for result in self.results],
            "unrelated": [
                {"prompt": prompt, "before": _answer_as_dict(before), "after": _answer_as_dict(after)}
                for prompt, before, after in self.unrelated
            ],
            "fired": [
                {"of": probe.kind, "prompt": probe.prompt, "lesson": lesson, "score": _finite(probe.decided.score)}
                for probe, lesson in self.fired
            ],
        }


def measure_baseline(subject: Subject, unrelated: Sequence[str]) -> Baseline:
    """The baseline of a subject that has not been taught yet."""
    return Baseline(tuple(subject.ask(unrelated)), subject.perplexity())


def measure(
    subject: Subject,
    suite: Suite,
    baseline: Baseline,
    label: RowLabel,
    *,
    extras: Extras = NO_EXTRAS,
    clock: Callable[[], float] = time.perf_counter,
    on_lesson: Callable[[int], None] = lambda count: None,
) -> BenchRow:
    """Teach the lessons of `extras.front`, then those of `suite` in order, and measure. The last UNDO_COUNT lessons are
    undone at the end."""
    prompts = {lesson.id: lesson.prompt for lesson in suite.lessons}
    undo: deque[str] = deque(maxlen=UNDO_COUNT)
    results: list[LessonResult] = []
    front, seconds = _teach_front(subject, extras.front, clock, on_lesson)
    last = max(0, len(suite.lessons) - UNDO_COUNT)
    for count, lesson in enumerate(suite.lessons):
        on_lesson(len(extras.front) + count + 1)
        if count == last and (last or extras.front):
            subject.checkpoint()
        if count >= last:
            undo.append(subject.digest())
        results.append(_teach(subject, lesson, prompts.get(lesson.supersedes or ""), clock))
    final = _final(subject, suite.lessons)
    after = subject.ask(suite.unrelated)
    unrelated = list(zip(baseline.unrelated, after, strict=True))
    figures = suite_figures(results, final, unrelated)
    before, now = baseline.perplexity, subject.perplexity()
    figures["dPPL"] = None if before is None or now is None else now.with_lessons / before.with_lessons - 1
    asked = _probe_gate(subject, suite, extras, {result.lesson.id for result in front})
    if asked:
        figures |= gate_figures(asked)
        figures["dPPL weights"] = (
            None if before is None or now is None else now.shared_weights / before.shared_weights - 1
        )
    if extras.front:
        own = suite_figures(front, _final(subject, [result.lesson for result in front]), [])
        figures |= {f"Front {name}": own[name] for name in ("R1", "P1", "Final", "PFinal")}
        figures["Seconds"] = seconds + sum(result.seconds for result in results)
    taught = [*extras.front, *suite.lessons]
    return BenchRow(
        label=label,
        lessons=len(taught),
        threads=subject.threads,
        machine=subject.machine,
        figures=figures,
        undo=_undo_is_exact(subject, undo),
        results=tuple(results),
        final=final,
        unrelated=tuple(zip(suite.unrelated, baseline.unrelated, after, strict=True)),
        fired=tuple(
            (probe, None if probe.decided.lesson is None else taught[probe.decided.lesson].id)
            for probe in {(probe.kind, probe.prompt): probe for probe in asked if not probe.right}.values()
        ),
    )


def average(rows: Sequence[BenchRow]) -> BenchRow:
    """The mean of several orders, p50 and p95 included; Steps max is the maximum, and Undo holds if it held in all."""
    names = rows[0].figures
    figures = {name: mean(value for row in rows if (value := row.figures[name]) is not None) for name in names}
    most = [value for row in rows if (value := row.figures["Steps max"]) is not None]
    return replace(
        rows[0],
        label=replace(rows[0].label, order="mean"),
        figures=figures | {"Steps max": max(most, default=None)},
        undo=all(row.undo for row in rows),
        results=(),
        final={},
        unrelated=(),
        fired=(),
    )


def _teach_front(
    subject: Subject, lessons: Sequence[SuiteLesson], clock: Callable[[], float], on_lesson: Callable[[int], None]
) -> tuple[list[LessonResult], float]:
    """Teach `lessons`: (results of at most SAMPLE_SIZE of them, evenly spread; seconds for all)."""
    results, seconds = [], 0.0
    every = -(-len(lessons) // SAMPLE_SIZE)
    for count, lesson in enumerate(lessons):
        on_lesson(count + 1)
        if count % every == 0:
            results.append(_teach(subject, lesson, None, clock))
            seconds += results[-1].seconds
            continue
        begun = clock()
        subject.teach(lesson.prompt, lesson.target)
        seconds += clock() - begun
    return results, seconds


def _final(subject: Subject, lessons: Sequence[SuiteLesson]) -> Final:
    answers = iter(subject.ask([prompt for lesson in lessons for prompt in (lesson.prompt, *lesson.paraphrases)]))
    return {lesson.id: tuple(next(answers) for _ in (lesson.prompt, *lesson.paraphrases)) for lesson in lessons}


def _probe_gate(subject: Subject, suite: Suite, extras: Extras, sampled: Collection[str]) -> list[GateProbe]:
    """The gate's decisions for all prompts around the suite, and for other wordings of the `sampled` generated lessons;
    empty if there is no gate. Own questions that the suite teaches an answer to are left out."""
    places = {lesson.id: place for place, lesson in enumerate(suite.lessons, len(extras.front))}
    held = not_superseded(suite.lessons)
    taught = {normal_form(prompt) for lesson in held for prompt in (lesson.prompt, *lesson.paraphrases)}
    asked: list[tuple[ProbeKind, str, int | None]] = [
        *(("paraphrase", prompt, places[lesson.id]) for lesson in held for prompt in lesson.paraphrases),
        *(
            ("front", prompt, place)
            for place, lesson in enumerate(extras.front)
            if lesson.id in sampled
            for prompt in lesson.paraphrases
        ),
        *(("near", prompt, None) for lesson in held for prompt in lesson.near),
        *(("unrelated", prompt, None) for prompt in suite.unrelated),
        *(("own", prompt, None) for prompt in extras.own if normal_form(prompt) not in taught),
        *(("talk", prompt, None) for prompt in extras.talk),
    ]
    decided = subject.decide([prompt for _, prompt, _ in asked])
    return [] if decided is None else [GateProbe(*one, found) for one, found in zip(asked, decided, strict=True)]


def _teach(subject: Subject, lesson: SuiteLesson, old_prompt: str | None, clock: Callable[[], float]) -> LessonResult:
    """Teach one lesson and ask around it. `old_prompt` is the prompt of the lesson that it supersedes."""
    before = subject.ask(lesson.near)
    begun = clock()
    steps = subject.teach(lesson.prompt, lesson.target)
    seconds = clock() - begun
    old = [] if old_prompt is None else [old_prompt]
    answer, *said = subject.ask([lesson.prompt, *lesson.paraphrases, *old])
    # In a batch of their own, as before the lesson: in another batch the last bits differ, which may decide a near tie.
    near = subject.ask(lesson.near)
    return LessonResult(
        lesson=lesson,
        before=tuple(before),
        near=tuple(near),
        answer=answer,
        paraphrases=tuple(said[: len(lesson.paraphrases)]),
        old=said[-1] if old else None,
        steps=steps,
        seconds=seconds,
    )


def _undo_is_exact(subject: Subject, before: Sequence[str]) -> bool:
    """Undo the last lessons, newest first; whether each time all bits of the weights are as before the lesson."""
    held = True
    for digest in reversed(before):
        subject.undo()
        held = subject.digest() == digest and held
    return held


def _lesson_as_dict(result: LessonResult, final: Sequence[GreedyAnswer]) -> dict[str, Any]:
    return {
        "id": result.lesson.id,
        "prompt": result.lesson.prompt,
        "target": result.lesson.target,
        "answer": _answer_as_dict(result.answer),
        "paraphrases": list(map(_answer_as_dict, result.paraphrases)),
        "near_before": list(map(_answer_as_dict, result.before)),
        "near": list(map(_answer_as_dict, result.near)),
        "old": None if result.old is None else _answer_as_dict(result.old),
        "final": list(map(_answer_as_dict, final)),
        "steps": result.steps,
        "seconds": round(result.seconds, 4),
    }


def _finite(score: float) -> float | None:
    return round(score, 3) if math.isfinite(score) else None


def _answer_as_dict(answer: GreedyAnswer) -> dict[str, Any]:
    return {"text": answer.text, "ended": answer.ended}
