"""teach-bench's figures from what was answered, as pure functions: no model, no files, no clock.

A share of nothing is None, never 0 or 1. What the definitions leave open is decided here: Update is judged right
after the turn, with "gone" asked by the old lesson's own prompt; an answer that was cut is never exact; Leak counts a
new word even where it was there before the turn ("Leak before" is that share).
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
"""English function words and the commonest verbs: said anywhere, they tell of no lesson."""


Of = Literal["paraphrase", "front", "near", "unrelated", "own", "talk"]
"""What a prompt is that a gate is asked about: another wording of a lesson, one of a lesson in front of the suite's, a
near miss, something unrelated, a question about the model itself, a message of a conversation."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A greedy answer. Where `ended` is false it was cut at the limit."""

    text: str
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Lesson:
    """A line of a suite."""

    id: str
    prompt: str
    target: str
    paraphrases: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    supersedes: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What was seen around one lesson: the near misses' answers just `before`, and the rest right after it.

    `old` is the answer to the superseded lesson's own prompt, for a lesson that supersedes one.
    """

    lesson: Lesson
    before: tuple[Answer, ...]
    near: tuple[Answer, ...]
    answer: Answer
    paraphrases: tuple[Answer, ...]
    old: Answer | None
    steps: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Decided:
    """What a gate decided of a prompt, in so many seconds. `lesson`: whose weights the reply is written with, by its
    place in the order of teaching, from 0; None: the model's alone."""

    lesson: int | None
    score: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Gated:
    """A prompt that the gate was asked about after all lessons. `wanted`: the lesson that it belongs to, if to one."""

    of: Of
    prompt: str
    wanted: int | None
    decided: Decided

    @property
    def right(self) -> bool:
        return self.decided.lesson == self.wanted


def collapse(text: str) -> str:
    return " ".join(text.split())


def exact(answer: Answer, target: str) -> bool:
    """Said to the end, and the target string for string once white space is collapsed."""
    return answer.ended and collapse(answer.text) == collapse(target)


def same(one: Answer, other: Answer) -> bool:
    return collapse(one.text) == collapse(other.text)


def words(text: str) -> list[str]:
    """The words of a text in lower case, a possessive 's left off."""
    return [re.sub(r"['’]s$", "", word).replace("’", "'") for word in _WORD.findall(text.casefold())]


def new_words(lesson: Lesson, near: str) -> set[str]:
    """Words of the target that are in neither the taught prompt nor the near miss, stop words aside."""
    return set(words(lesson.target)) - set(words(lesson.prompt)) - set(words(near)) - STOP_WORDS


def leaks(lesson: Lesson, near: str, answer: Answer) -> bool:
    """Whether the answer to a near miss has a new word of the lesson, whatever it was before the lesson."""
    return not new_words(lesson, near).isdisjoint(words(answer.text))


def live(lessons: Sequence[Lesson]) -> list[Lesson]:
    """Those that no other one supersedes."""
    gone = {lesson.supersedes for lesson in lessons}
    return [lesson for lesson in lessons if lesson.id not in gone]


def updated(turn: Turn, targets: Mapping[str, str]) -> bool:
    """For a lesson that supersedes one: the new answer exact, and the old one gone from the old prompt."""
    supersedes = turn.lesson.supersedes
    assert supersedes is not None
    assert turn.old is not None
    return exact(turn.answer, turn.lesson.target) and not exact(turn.old, targets[supersedes])


def in_order(lessons: Sequence[Lesson], order: int) -> list[Lesson]:
    """Order 1 is the file's; any other is shuffled with that seed, with a re-teach after what it supersedes."""
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
        # A chain keeps the places that it drew and takes them in the file's order, so every order is equally likely.
        for number, place in zip(chain, sorted(places[number] for number in chain), strict=True):
            shuffled[place] = lessons[number]
    return shuffled


def suite_row(
    turns: Sequence[Turn],
    final: Mapping[str, Sequence[Answer]],
    unrelated: Sequence[tuple[Answer, Answer]],
) -> dict[str, float | None]:
    """The row of one run. `final`: answers to prompt and paraphrases after the suite, by lesson id; `unrelated`: the
    foundation's answer and the one after the suite, prompt by prompt."""
    lessons = [turn.lesson for turn in turns]
    targets = {lesson.id: lesson.target for lesson in lessons}
    near = [
        (turn.lesson, prompt, before, after)
        for turn in turns
        for prompt, before, after in zip(turn.lesson.near, turn.before, turn.near, strict=True)
    ]
    held = [(lesson.target, final[lesson.id][0], final[lesson.id][1:]) for lesson in live(lessons)]
    seconds = [turn.seconds for turn in turns]
    steps = [turn.steps for turn in turns]
    return {
        "R1": mean(exact(turn.answer, turn.lesson.target) for turn in turns),
        "P1": mean_of_means([exact(a, turn.lesson.target) for a in turn.paraphrases] for turn in turns),
        "Final": mean(exact(answer, target) for target, answer, _ in held),
        "PFinal": mean_of_means([exact(a, target) for a in answers] for target, _, answers in held),
        "Near": mean(same(before, after) for _, _, before, after in near),
        "Leak": mean(leaks(lesson, prompt, after) for lesson, prompt, _, after in near),
        # What Leak would be had nothing been taught: words of the target that the model says anyway.
        "Leak before": mean(leaks(lesson, prompt, before) for lesson, prompt, before, _ in near),
        "LocT": mean(same(before, after) for before, after in unrelated),
        "Update": mean(updated(turn, targets) for turn in turns if turn.lesson.supersedes in targets),
        "Steps": mean(steps),
        "Steps max": max(steps, default=None),
        "p50": quantile(seconds, 0.5),
        "p95": quantile(seconds, 0.95),
    }


def gate_row(asked: Sequence[Gated]) -> dict[str, float | None]:
    """The gate's columns: the shares of paraphrases that get their own lesson or another one, the shares of other
    prompts that get any, and milliseconds a decision."""
    found: dict[str, float | None] = {}
    for of, name in (("paraphrase", ""), ("front", "Front ")):
        some = [gated for gated in asked if gated.of == of]
        if some or not name:
            found[f"{name}Recall"] = mean(gated.right for gated in some)
            found[f"{name}Wrong lesson"] = mean(not gated.right and gated.decided.lesson is not None for gated in some)
    for of in ("near", "unrelated", "own", "talk"):
        found[f"{of.capitalize()} fired"] = mean(gated.decided.lesson is not None for gated in asked if gated.of == of)
    milliseconds = [1000 * gated.decided.seconds for gated in asked]
    return found | {"ms p50": quantile(milliseconds, 0.5), "ms p95": quantile(milliseconds, 0.95)}


def mean(values: Iterable[float]) -> float | None:
    held = list(values)
    return math.fsum(held) / len(held) if held else None


def mean_of_means(groups: Iterable[Sequence[float]]) -> float | None:
    return mean(math.fsum(group) / len(group) for group in groups if group)


def quantile(values: Sequence[float], share: float) -> float | None:
    """Linear between the two nearest values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
