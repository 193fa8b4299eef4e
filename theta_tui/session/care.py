"""Where a message speaks of self-harm, all that is offered is written with the model's care module.

What counts: the message itself (facts/self_harm.py), and a few words said in answer to a caring reply. A lesson is
offered there only if its own prompt speaks of self-harm: a person may teach whom to call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from theta_tui.facts.self_harm import speaks_of_self_harm
from theta_tui.learning.scope.decision import NOWHERE, Decision

if TYPE_CHECKING:
    from theta_tui.model.generate import Reply, Sampling
    from theta_tui.model.language_model import LanguageModel
    from theta_tui.model.modules import LessonModule
    from theta_tui.store.history import History
    from theta_tui.store.state import State

MAX_TOKENS = 112
"""Longest caring reply: the number that it names must not be cut off. Those of the training have 75 at most."""

NUMBERS = frozenset({"988", "116", "123", "911", "112", "999"})
"""What the numbers of the training are made of. A reply with any other, or with none, is not offered: of 448 sampled
for 90 messages, four had a wrong one."""

FEW_WORDS = 5
"""A message of so many words, said after a caring reply, is still about the same."""

TURNS = 4
"""How many such messages in a row."""


def is_meant(prompt: str, before: Iterable[tuple[str, str]]) -> bool:
    """Whether `prompt` is to be answered with care. `before`: the turns before it, newest first."""
    if speaks_of_self_harm(prompt):
        return True
    said = prompt
    for asked, _ in islice(before, TURNS):
        if len(said.split()) > FEW_WORDS:
            return False
        if speaks_of_self_harm(asked):
            return True
        said = asked
    return False


def caring(count: int) -> Sampling:
    """How caring replies are sampled, whatever the settings: by the network's own probabilities, without the tail."""
    from theta_tui.model.generate import Sampling

    return Sampling(temperature=1.0, top_p=1.0, top_k=0, min_p=0.15, max_tokens=MAX_TOKENS, count=count)


def is_whole(reply: Reply) -> bool:
    """Whether a caring reply has an end, and names numbers that exist and no others."""
    named = set(re.findall(r"\d+", reply.text))
    return reply.ended and bool(named) and named <= NUMBERS


def answer(model: LanguageModel, ids: Sequence[int], module: LessonModule, cancelled: Callable[[], bool]) -> Reply:
    """The greedy reply with the care module on; the likeliest of some samples where that is not whole."""
    from theta_tui.model.generate import greedy, propose

    found = propose(model, ids, caring(1), seed=0, care=module, accept=is_whole, cancelled=cancelled)
    return found[0] if found else greedy(model, ids, max_tokens=MAX_TOKENS, module=module, cancelled=cancelled)


class Care:
    """The care module of one model, looked for when it is first needed."""

    def __init__(self) -> None:
        self._found: LessonModule | None = None
        self._of: LanguageModel | None = None

    def module(self, model: LanguageModel) -> LessonModule | None:
        """None where none was trained for this model."""
        if self._of is not model:
            from theta_tui.model.care import fitting

            self._found, self._of = fitting(model), model
        return self._found

    def decide(
        self, prompt: str, turns: History, decision: Decision, state: State, model: LanguageModel
    ) -> tuple[Decision, LessonModule | None]:
        """The decision for `prompt` after `turns`, and the module that all other replies are written with, if any."""
        if not is_meant(prompt, reversed(turns)):
            return decision, None
        lesson = None if decision.lesson is None else state.lesson(decision.lesson)
        taught = lesson is not None and decision.sure and speaks_of_self_harm(lesson.exchange.prompt)
        return decision if taught else NOWHERE, self.module(model)
