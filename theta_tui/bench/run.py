"""One row: teach a suite's lessons in turn to a pupil who knows none of them, ask around each, and count.

What is asked of a pupil stands in `Pupil`; nothing here knows how one is made. Everything is said outside of any
conversation, so that it is the weights that know.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from theta_tui.bench.metrics import Answer, Decided, Gated, Lesson, Of, Turn, gate_row, live, mean, suite_row
from theta_tui.bench.suite import Suite
from theta_tui.learning.scope.words import normal_form

if TYPE_CHECKING:
    from theta_tui.bench.held_out import Perplexity

UNDONE = 5
"""Lessons that are undone at the end."""

SAMPLED = 50
"""Of the lessons in front of the suite's, so many are asked."""

Final = Mapping[str, tuple[Answer, ...]]
"""The answers to prompt and paraphrases after all lessons, by the lesson's id."""


class Pupil(Protocol):
    """A model that can be taught, asked and put back."""

    @property
    def machine(self) -> str:
        """What does the arithmetic, in words."""

    @property
    def threads(self) -> int: ...

    def teach(self, prompt: str, reply: str) -> int:
        """Learn a lesson; the optimizer steps that it took."""

    def ask(self, prompts: Sequence[str]) -> list[Answer]:
        """The greedy answers; changes nothing."""

    def decide(self, prompts: Sequence[str]) -> list[Decided] | None:
        """Which lesson answers each of `prompts`; None where all that was learned is always on."""

    def perplexity(self) -> Perplexity | None:
        """On held-out conversations; None where there are none."""

    def keep(self) -> None:
        """Make the lessons so far quick to come back to."""

    def undo(self) -> None:
        """Take back the last lesson."""

    def digest(self) -> str:
        """The same only where every bit of the weights is."""


@dataclass(frozen=True, slots=True)
class Foundation:
    """What a pupil says and how it reads before the first lesson: the same for each order and recipe of a model."""

    unrelated: tuple[Answer, ...]
    perplexity: Perplexity | None


@dataclass(frozen=True, slots=True)
class Around:
    """What there is beside the suite: lessons taught in `front` of it, `own` questions about the model itself, and
    what people say in `talk`."""

    front: Sequence[Lesson] = ()
    own: Sequence[str] = ()
    talk: Sequence[str] = ()


NOTHING = Around()


@dataclass(frozen=True, slots=True)
class Label:
    """What a row is of. `order` 1 is the file's, k is shuffled with seed k, `mean` is of several."""

    model: str
    recipe: str
    order: int | str
    max_seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """What came out. `figures` by column, with `dPPL` for ΔPPL; `undo` is whether each undo was bit-exact.

    The rest is what was said, empty for a mean: `unrelated` has the foundation's answer and the one after the suite,
    `fired` where the gate named another lesson than it should, or none, by its id.
    """

    label: Label
    lessons: int
    threads: int
    machine: str
    figures: Mapping[str, float | None]
    undo: bool
    turns: tuple[Turn, ...] = ()
    final: Final = field(default_factory=dict)
    unrelated: tuple[tuple[str, Answer, Answer], ...] = ()
    fired: tuple[tuple[Gated, str | None], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The row as plain values, flat, what was said left out."""
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

    def said(self) -> dict[str, Any]:
        """Everything that was asked and answered, as plain values."""
        return {
            "turns": [_turn(turn, self.final[turn.lesson.id]) for turn in self.turns],
            "unrelated": [
                {"prompt": prompt, "before": _answer(before), "after": _answer(after)}
                for prompt, before, after in self.unrelated
            ],
            "fired": [
                {"of": gated.of, "prompt": gated.prompt, "lesson": lesson, "score": _finite(gated.decided.score)}
                for gated, lesson in self.fired
            ],
        }


def look(pupil: Pupil, unrelated: Sequence[str]) -> Foundation:
    """The foundation of a pupil who was taught nothing yet."""
    return Foundation(tuple(pupil.ask(unrelated)), pupil.perplexity())


def measure(
    pupil: Pupil,
    suite: Suite,
    foundation: Foundation,
    label: Label,
    *,
    around: Around = NOTHING,
    clock: Callable[[], float] = time.perf_counter,
    on_lesson: Callable[[int], None] = lambda count: None,
) -> Row:
    """Teach the lessons in front, then those of `suite` in their order, and measure. Leaves the pupil as the undone
    lessons leave it."""
    prompts = {lesson.id: lesson.prompt for lesson in suite.lessons}
    undo: deque[str] = deque(maxlen=UNDONE)
    turns: list[Turn] = []
    front, seconds = _in_front(pupil, around.front, clock, on_lesson)
    last = max(0, len(suite.lessons) - UNDONE)
    for count, lesson in enumerate(suite.lessons):
        on_lesson(len(around.front) + count + 1)
        if count == last and (last or around.front):
            pupil.keep()
        if count >= last:
            undo.append(pupil.digest())
        turns.append(_teach(pupil, lesson, prompts.get(lesson.supersedes or ""), clock))
    final = _final(pupil, suite.lessons)
    after = pupil.ask(suite.unrelated)
    unrelated = list(zip(foundation.unrelated, after, strict=True))
    figures = suite_row(turns, final, unrelated)
    before, now = foundation.perplexity, pupil.perplexity()
    figures["dPPL"] = None if before is None or now is None else now.met / before.met - 1
    asked = _gated(pupil, suite, around, {turn.lesson.id for turn in front})
    if asked:
        figures |= gate_row(asked)
        figures["dPPL weights"] = None if before is None or now is None else now.weights / before.weights - 1
    if around.front:
        own = suite_row(front, _final(pupil, [turn.lesson for turn in front]), [])
        figures |= {f"Front {name}": own[name] for name in ("R1", "P1", "Final", "PFinal")}
        figures["Seconds"] = seconds + sum(turn.seconds for turn in turns)
    taught = [*around.front, *suite.lessons]
    return Row(
        label=label,
        lessons=len(taught),
        threads=pupil.threads,
        machine=pupil.machine,
        figures=figures,
        undo=_undone(pupil, undo),
        turns=tuple(turns),
        final=final,
        unrelated=tuple(zip(suite.unrelated, foundation.unrelated, after, strict=True)),
        fired=tuple(
            (gated, None if gated.decided.lesson is None else taught[gated.decided.lesson].id)
            for gated in {(gated.of, gated.prompt): gated for gated in asked if not gated.right}.values()
        ),
    )


def average(rows: Sequence[Row]) -> Row:
    """The mean of several orders, p50 and p95 too; of Steps max the most, and Undo holds where it held in all."""
    names = rows[0].figures
    figures = {name: mean(value for row in rows if (value := row.figures[name]) is not None) for name in names}
    most = [value for row in rows if (value := row.figures["Steps max"]) is not None]
    return replace(
        rows[0],
        label=replace(rows[0].label, order="mean"),
        figures=figures | {"Steps max": max(most, default=None)},
        undo=all(row.undo for row in rows),
        turns=(),
        final={},
        unrelated=(),
        fired=(),
    )


def _in_front(
    pupil: Pupil, lessons: Sequence[Lesson], clock: Callable[[], float], on_lesson: Callable[[int], None]
) -> tuple[list[Turn], float]:
    """Teach `lessons`; the turns of SAMPLED of them, evenly from the first to the last, and the seconds of all."""
    turns, seconds = [], 0.0
    every = -(-len(lessons) // SAMPLED)
    for count, lesson in enumerate(lessons):
        on_lesson(count + 1)
        if count % every == 0:
            turns.append(_teach(pupil, lesson, None, clock))
            seconds += turns[-1].seconds
            continue
        begun = clock()
        pupil.teach(lesson.prompt, lesson.target)
        seconds += clock() - begun
    return turns, seconds


def _final(pupil: Pupil, lessons: Sequence[Lesson]) -> Final:
    answers = iter(pupil.ask([prompt for lesson in lessons for prompt in (lesson.prompt, *lesson.paraphrases)]))
    return {lesson.id: tuple(next(answers) for _ in (lesson.prompt, *lesson.paraphrases)) for lesson in lessons}


def _gated(pupil: Pupil, suite: Suite, around: Around, sampled: Collection[str]) -> list[Gated]:
    """What the gate says of everything that can be asked around the suite, and of the wordings of the lessons `sampled`
    in front of it; nothing where there is no gate. An own question that the suite teaches an answer to is left out."""
    places = {lesson.id: place for place, lesson in enumerate(suite.lessons, len(around.front))}
    held = live(suite.lessons)
    taught = {normal_form(prompt) for lesson in held for prompt in (lesson.prompt, *lesson.paraphrases)}
    asked: list[tuple[Of, str, int | None]] = [
        *(("paraphrase", prompt, places[lesson.id]) for lesson in held for prompt in lesson.paraphrases),
        *(
            ("front", prompt, place)
            for place, lesson in enumerate(around.front)
            if lesson.id in sampled
            for prompt in lesson.paraphrases
        ),
        *(("near", prompt, None) for lesson in held for prompt in lesson.near),
        *(("unrelated", prompt, None) for prompt in suite.unrelated),
        *(("own", prompt, None) for prompt in around.own if normal_form(prompt) not in taught),
        *(("talk", prompt, None) for prompt in around.talk),
    ]
    decided = pupil.decide([prompt for _, prompt, _ in asked])
    return [] if decided is None else [Gated(*one, found) for one, found in zip(asked, decided, strict=True)]


def _teach(pupil: Pupil, lesson: Lesson, old_prompt: str | None, clock: Callable[[], float]) -> Turn:
    """One turn with what is asked around it. `old_prompt`: that of the lesson which this one supersedes."""
    before = pupil.ask(lesson.near)
    begun = clock()
    steps = pupil.teach(lesson.prompt, lesson.target)
    seconds = clock() - begun
    old = [] if old_prompt is None else [old_prompt]
    answer, *said = pupil.ask([lesson.prompt, *lesson.paraphrases, *old])
    # By themselves, as before the lesson: in another batch the last bits differ, and with them a near tie.
    near = pupil.ask(lesson.near)
    return Turn(
        lesson=lesson,
        before=tuple(before),
        near=tuple(near),
        answer=answer,
        paraphrases=tuple(said[: len(lesson.paraphrases)]),
        old=said[-1] if old else None,
        steps=steps,
        seconds=seconds,
    )


def _undone(pupil: Pupil, before: Sequence[str]) -> bool:
    """Undo the last lessons, newest first: is each time every bit of the weights as it was before the lesson?"""
    held = True
    for digest in reversed(before):
        pupil.undo()
        held = pupil.digest() == digest and held
    return held


def _turn(turn: Turn, final: Sequence[Answer]) -> dict[str, Any]:
    return {
        "id": turn.lesson.id,
        "prompt": turn.lesson.prompt,
        "target": turn.lesson.target,
        "answer": _answer(turn.answer),
        "paraphrases": list(map(_answer, turn.paraphrases)),
        "near_before": list(map(_answer, turn.before)),
        "near": list(map(_answer, turn.near)),
        "old": None if turn.old is None else _answer(turn.old),
        "final": list(map(_answer, final)),
        "steps": turn.steps,
        "seconds": round(turn.seconds, 4),
    }


def _finite(score: float) -> float | None:
    return round(score, 3) if math.isfinite(score) else None


def _answer(answer: Answer) -> dict[str, Any]:
    return {"text": answer.text, "ended": answer.ended}
