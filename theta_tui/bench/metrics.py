"""The figures of teach-bench, as pure functions of answers: no model, no files, no clock.

A share of nothing is None, never 0 or 1. Details that the definitions leave open: Update is judged right after the
lesson, and the old answer must be gone for the old lesson's own prompt; an answer that was cut is never exact; Leak
counts a new word even if the answer had it before the lesson ("Leak before" is that share).
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

_STOP_WORDS = """
a about above after again against all also although always am an and another any anything are around as at away
back be because been before being below between both but by came can cannot come could did do does doing done
down during each either else enough ever every everything few first for from further get give go goes going good
got great had has have having he her here hers herself him himself his how however i if in into is it itself
just know last later least less let like made make many may maybe me might mine more most much must my myself
near never next no nobody none nor not nothing now of off often on once one only onto or other our ours
ourselves out over own per perhaps please quite rather really said same say see seen shall she should since so
some something soon still such than thank thanks that the their theirs them themselves then there these they
thing things this those though through thus till to together too toward towards two under until up upon us very
was way we well went were what whatever when where whether which while who whom whose why will with within
without would yes yet you your yours yourself yourselves
i'm i've i'd i'll you're you've you'd you'll he'd he'll she'd she'll we're we've we'd we'll they're they've
they'd they'll isn't aren't wasn't weren't hasn't haven't hadn't don't doesn't didn't won't wouldn't can't
couldn't shouldn't mustn't
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""English function words and the most common verbs: they can be in any answer, and show no lesson."""


ProbeKind = Literal["paraphrase", "front", "near", "unrelated", "own", "talk"]
"""Kinds of prompts for the gate: another wording of a suite's lesson or a generated one (`front`), a near miss, an
unrelated prompt, a question about the model itself, a user message of a held-out conversation."""


@dataclass(frozen=True, slots=True)
class GreedyAnswer:
    """A greedy answer. If not `ended`, it was cut at the limit."""

    text: str
    ended: bool = True


@dataclass(frozen=True, slots=True)
class SuiteLesson:
    """A lesson of a suite."""

    id: str
    prompt: str
    target: str
    paraphrases: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    supersedes: str | None = None


@dataclass(frozen=True, slots=True)
class LessonResult:
    """The answers around one lesson: to near misses right `before` it, and all others right after it.

    `old` is the answer to the superseded lesson's own prompt, if there is one.
    """

    lesson: SuiteLesson
    before: tuple[GreedyAnswer, ...]
    near: tuple[GreedyAnswer, ...]
    answer: GreedyAnswer
    paraphrases: tuple[GreedyAnswer, ...]
    old: GreedyAnswer | None
    steps: int
    seconds: float


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What the gate decided for a prompt, in `seconds`. `lesson` is the lesson whose module is on, by its place in the
    order of teaching, from 0; None: no module is on."""

    lesson: int | None
    score: float
    seconds: float


@dataclass(frozen=True, slots=True)
class GateProbe:
    """A prompt given to the gate after all lessons. `wanted` is the lesson that it belongs to, if any."""

    kind: ProbeKind
    prompt: str
    wanted: int | None
    decided: GateDecision

    @property
    def right(self) -> bool:
        return self.decided.lesson == self.wanted


def collapse(text: str) -> str:
    return " ".join(text.split())


def exact(answer: GreedyAnswer, target: str) -> bool:
    """Whether the answer ended and equals the target, once white space is collapsed."""
    return answer.ended and collapse(answer.text) == collapse(target)


def same(one: GreedyAnswer, other: GreedyAnswer) -> bool:
    return collapse(one.text) == collapse(other.text)


def words(text: str) -> list[str]:
    """The words of a text in lower case, without possessive 's."""
    return [re.sub(r"['’]s$", "", word).replace("’", "'") for word in _WORD.findall(text.casefold())]


def new_words(lesson: SuiteLesson, near: str) -> set[str]:
    """Words of the target, except stop words, that are in neither the taught prompt nor the near miss."""
    return set(words(lesson.target)) - set(words(lesson.prompt)) - set(words(near)) - STOP_WORDS


def leaks(lesson: SuiteLesson, near: str, answer: GreedyAnswer) -> bool:
    """Whether the answer to a near miss has a new word of the lesson, even if it had it before the lesson."""
    return not new_words(lesson, near).isdisjoint(words(answer.text))


def not_superseded(lessons: Sequence[SuiteLesson]) -> list[SuiteLesson]:
    """The lessons that no other one supersedes."""
    gone = {lesson.supersedes for lesson in lessons}
    return [lesson for lesson in lessons if lesson.id not in gone]


def updated(result: LessonResult, targets: Mapping[str, str]) -> bool:
    """For a lesson that supersedes one: whether the new answer is exact and the old prompt has lost the old one."""
    supersedes = result.lesson.supersedes
    assert supersedes is not None
    assert result.old is not None
    return exact(result.answer, result.lesson.target) and not exact(result.old, targets[supersedes])


def in_order(lessons: Sequence[SuiteLesson], order: int) -> list[SuiteLesson]:
    """Order 1 is the file's; any other is shuffled with that seed. A lesson stays after the one it supersedes."""
    if order == 1:
        return list(lessons)
    above = {lesson.id: lesson.supersedes for lesson in lessons}

    def root(lesson_id: str) -> str:
        while (older := above.get(lesson_id)) in above and older is not None:
            lesson_id = older
        return lesson_id

    places = list(range(len(lessons)))
    random.Random(order).shuffle(places)
    chains: dict[str, list[int]] = {}
    for number, lesson in enumerate(lessons):
        chains.setdefault(root(lesson.id), []).append(number)
    shuffled = list(lessons)
    for chain in chains.values():
        # A chain gets the places it drew, in the file's order, so that all orders are equally likely.
        for number, place in zip(chain, sorted(places[number] for number in chain), strict=True):
            shuffled[place] = lessons[number]
    return shuffled


def suite_figures(
    results: Sequence[LessonResult],
    final: Mapping[str, Sequence[GreedyAnswer]],
    unrelated: Sequence[tuple[GreedyAnswer, GreedyAnswer]],
) -> dict[str, float | None]:
    """The figures of one run by column. `final` has the answers to prompt and paraphrases after the suite, by lesson
    id; `unrelated` has for each prompt the answers before the first lesson and after the last."""
    lessons = [result.lesson for result in results]
    targets = {lesson.id: lesson.target for lesson in lessons}
    near = [
        (result.lesson, prompt, before, after)
        for result in results
        for prompt, before, after in zip(result.lesson.near, result.before, result.near, strict=True)
    ]
    held = [(lesson.target, final[lesson.id][0], final[lesson.id][1:]) for lesson in not_superseded(lessons)]
    seconds = [result.seconds for result in results]
    steps = [result.steps for result in results]
    return {
        "R1": mean(exact(result.answer, result.lesson.target) for result in results),
        "P1": mean_of_means([exact(a, result.lesson.target) for a in result.paraphrases] for result in results),
        "Final": mean(exact(answer, target) for target, answer, _ in held),
        "PFinal": mean_of_means([exact(a, target) for a in answers] for target, _, answers in held),
        "Near": mean(same(before, after) for _, _, before, after in near),
        "Leak": mean(leaks(lesson, prompt, after) for lesson, prompt, _, after in near),
        # What Leak would be without any lesson: words of the target that the model says anyway.
        "Leak before": mean(leaks(lesson, prompt, before) for lesson, prompt, before, _ in near),
        "LocT": mean(same(before, after) for before, after in unrelated),
        "Update": mean(updated(result, targets) for result in results if result.lesson.supersedes in targets),
        "Steps": mean(steps),
        "Steps max": max(steps, default=None),
        "p50": quantile(seconds, 0.5),
        "p95": quantile(seconds, 0.95),
    }


def gate_figures(asked: Sequence[GateProbe]) -> dict[str, float | None]:
    """The gate's figures: shares of paraphrases that get their own lesson or a wrong one, shares of other prompts that
    get any lesson, and milliseconds per decision."""
    found: dict[str, float | None] = {}
    for kind, name in (("paraphrase", ""), ("front", "Front ")):
        some = [probe for probe in asked if probe.kind == kind]
        if some or not name:
            found[f"{name}Recall"] = mean(probe.right for probe in some)
            found[f"{name}Wrong lesson"] = mean(not probe.right and probe.decided.lesson is not None for probe in some)
    for kind in ("near", "unrelated", "own", "talk"):
        found[f"{kind.capitalize()} fired"] = mean(
            probe.decided.lesson is not None for probe in asked if probe.kind == kind
        )
    milliseconds = [1000 * probe.decided.seconds for probe in asked]
    return found | {"ms p50": quantile(milliseconds, 0.5), "ms p95": quantile(milliseconds, 0.95)}


def mean(values: Iterable[float]) -> float | None:
    held = list(values)
    return math.fsum(held) / len(held) if held else None


def mean_of_means(groups: Iterable[Sequence[float]]) -> float | None:
    return mean(math.fsum(group) / len(group) for group in groups if group)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The quantile, linear between the two nearest values; None if there are none."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
