"""What is offered for a prompt: five replies, and the fact that it states; and an answer. Needs torch only to generate
the replies."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from theta_tui.base.config import CANDIDATES, Settings, statement_files
from theta_tui.facts.statements import Dictionary, load_dictionary, read
from theta_tui.learning.scope.decision import Decision
from theta_tui.model import measured
from theta_tui.model.files import full_name
from theta_tui.session.care import caring, is_whole
from theta_tui.store.records import Candidate, Stated, shown
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from theta_tui.model.generate import Progress, Sampling, Written
    from theta_tui.model.language_model import LanguageModel
    from theta_tui.model.modules import LessonModule


@dataclass(frozen=True, slots=True)
class Answer:
    """The greedy reply to a question, and log P of it in nats. `cut`: it was cut at the token limit."""

    prompt: str
    reply: str
    logprob: float
    seconds: float
    cut: bool = False

    @property
    def shown(self) -> str:
        """The reply, with an ellipsis where it was cut."""
        return shown(self.reply, self.cut)


def sampling_of(settings: Settings) -> Sampling:
    """How replies are sampled."""
    from theta_tui.model.generate import Sampling

    return Sampling(
        temperature=settings.temperature, top_p=settings.top_p, top_k=settings.top_k, min_p=settings.min_p,
        max_tokens=settings.max_tokens, count=CANDIDATES,
    )  # fmt: skip


def candidates(
    model: LanguageModel,
    ids: Sequence[int],
    settings: Settings,
    decision: Decision,
    modules: Mapping[int, LessonModule],
    *,
    care: LessonModule | None = None,
    seed: int | None,
    avoid: Sequence[str],
    on_progress: Progress | None = None,
    due: Callable[[], bool] = lambda: True,
    cancelled: Callable[[], bool] = lambda: False,
    timed: bool = True,
) -> Written[tuple[Candidate, ...] | None]:
    """Distinct replies to the conversation `ids`, none of them in `avoid`. Those generated with the lesson of
    `decision` are marked with it; with a `care` module all others are written with that one. None: cancelled.
    `on_progress` gets the unfinished replies whenever it is `due`. `timed`: the speed of the model is noted. It
    cannot be told where others' replies are written in the same batch."""
    from theta_tui.model.generate import proposing

    started = time.perf_counter()
    how: dict[str, Any] = dict(
        seed=seed, avoid=avoid, on_progress=on_progress, due=due, cancelled=cancelled, care=care,
        module=None if decision.lesson is None else modules[decision.lesson], sure=decision.sure,
    )  # fmt: skip
    if care is None:
        replies = yield from proposing(model, ids, sampling_of(settings), **how)
    else:
        replies = yield from proposing(model, ids, caring(CANDIDATES), accept=is_whole, **how)
        if replies == []:  # better one that is not whole than another tone
            replies = yield from proposing(model, ids, caring(CANDIDATES), **how)
    if replies is None:
        return None
    if timed:
        tokens = sum(reply.tokens for reply in replies)
        measured.note_speed(full_name(settings.model), tokens, time.perf_counter() - started)
    found = []
    for index, reply in enumerate(replies, 1):
        item = Candidate(index, reply.text, reply.logprob, reply.ended, care=reply.care)
        found.append(replace(item, lesson=decision.lesson, sure=decision.sure) if reply.taught else item)
    return tuple(found)


def still_marked(candidates: Iterable[Candidate], modules: Container[int]) -> tuple[Candidate, ...]:
    """The replies without the marks of lessons that were taken back meanwhile: those that are not in `modules`."""
    return tuple(
        item if item.lesson is None or item.lesson in modules else replace(item, lesson=None, sure=None)
        for item in candidates
    )


class Statements:
    """Finds the facts that messages state, by the templates of one home."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dictionary: Dictionary | None = None

    @property
    def dictionary(self) -> Dictionary:
        """The templates, including the person's own. Errors in those are reported once."""
        if self._dictionary is None:
            self._dictionary = load_dictionary(*statement_files(self._store.home.path))
            self._store.notices.extend(self._dictionary.notices)
        return self._dictionary

    def read(self, prompt: str) -> Stated | None:
        """The fact that `prompt` states; None unless it surely states one."""
        if not self._store.settings.statements:
            return None
        turns = self._store.state.turns
        pair = read(prompt, self.dictionary, previous=turns[-1].prompt if turns else None)
        return None if pair is None else Stated(pair.prompt, pair.reply)
