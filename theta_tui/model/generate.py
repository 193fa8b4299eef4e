"""Five distinct replies, streamed together, from one prefill of the conversation.

This is our own loop instead of `generate`: every row is reported at every token, a row that has ended leaves the batch,
and a key press stops it between two tokens. The rows of one prompt stay of one length, so nothing is padded. Those of
several prompts, each behind a conversation of its own, are one batch too: ten rows take 1.35 times as long as five with
the built-in model. `decoding` has the forward passes, `sampling` how a token is drawn.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import torch

from theta_tui.base.errors import ModelError
from theta_tui.base.text import REPLACEMENT, is_blank, normalised
from theta_tui.model.gist import alike, gist
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.modules import LessonModule
from theta_tui.model.sampling import Sampling, draw, probabilities
from theta_tui.model.threads import on_threads

__all__ = ["Progress", "Reply", "Sampling", "Task", "alone", "greedy", "probabilities", "propose", "proposing", "write"]

HOTTER = (1.0, 1.4)
"""Temperature factors of the rounds of sampling. Each round only fills the slots that still lack a distinct reply."""

DRAWN = 0.02
"""A reply may be made to begin with a token of at least this share of the likeliest one's probability. Below it lie
emoji and words of other languages, which a person would never see by sampling."""

OPENING = 3
"""First tokens of a reply that the factor holds for. Another beginning is enough to lead elsewhere; hot all the way,
the built-in model babbles (replies of -50 to -300 nats)."""

SPARE = 2
"""Rows for each missing reply in a further round: in a batch, a second chance to be distinct costs little."""

BRANCHES = 48
"""Most first tokens, and most other beginnings, that are tried, likeliest first, where sampling gives nothing
distinct."""

FORKS = 3
"""Other tokens that are looked at behind each token of the greedy reply."""

MANY = 16
"""Rows from which a small model writes on all threads (decoding/fast.py): several people's. Twenty rows of the built-in
model behind four long conversations take half as long on two quiet cores as on one. Five of one person's gain a fifth
and lose more where others use the cores, the screen for one."""

CARE_ROUNDS = 4
"""Rounds of sampling with a care module: its replies are distinct at the first temperature, and are never forced."""

MIN_HEAT = 0.7
"""Lowest temperature of a further round: near zero, sampling again gives the same again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the model. `logprob` is its log-probability in nats under the model (temperature 1), and `tokens`
    counts its tokens, both with the end token. Where `ended` is false, the reply was cut at the limit and has no end
    token. `taught`: it was written with a lesson's module on; `care`: with the care module."""

    text: str
    logprob: float
    ended: bool
    tokens: int
    taught: bool = False
    care: bool = False


Progress = Callable[[tuple[tuple[str, bool], ...]], None]


def propose(lm: LanguageModel, ids: Sequence[int], sampling: Sampling, **how: Any) -> list[Reply] | None:
    """As `proposing`, which has the arguments, for nobody else at the same time."""
    return alone(lm, proposing(lm, ids, sampling, **how))


def proposing(
    lm: LanguageModel,
    ids: Sequence[int],
    sampling: Sampling,
    *,
    seed: int | None,
    module: LessonModule | None = None,
    sure: bool = True,
    care: LessonModule | None = None,
    accept: Callable[[Reply], bool] = lambda _: True,
    avoid: Sequence[str] = (),
    on_progress: Progress | None = None,
    due: Callable[[], bool] = lambda: True,
    cancelled: Callable[[], bool] = lambda: False,
) -> Written[list[Reply] | None]:
    """`sampling.count` replies to the conversation `ids`, likeliest first; None once `cancelled()` is true. Whoever
    drives it writes the tasks that it yields, several people's in one batch.

    They differ from each other and from `avoid` after `text.normalised`, and none is blank. The greedy reply is among
    them unless it is to be avoided. Until there are enough that differ in more than spelling (`gist.alike`), a further
    round samples hotter; then others begin with other first tokens that might be drawn, or leave the greedy reply where
    another token might be. What says the same in other words fills up the rest, then replies with any first token; a
    model that cannot say so many different things gives fewer. `on_progress` gets all slots, (text so far,
    whether it is done), at every token at which `due()`, and at the end of a round. The same `seed` gives the same
    replies; the global random state is left alone.

    With a `module`, one reply is the greedy one with the module on. It comes first where the prompt is `sure` to be in
    the lesson's scope, and last elsewhere. With a `care` module all others are written with that one on, and only
    those that `accept` takes are kept.
    """
    generator = seeded(seed)
    found = _Found(sampling.count, avoid, on_progress, due, accept)
    limit = max(1, min(sampling.max_tokens, lm.window - len(ids)))

    forks: list[tuple[float, tuple[int, ...]]] = []
    firsts: torch.Tensor | None = None

    def run(rows: list[Row], opening: Sampling) -> Written[bool]:
        nonlocal firsts
        slots = found.missing()
        task = Task(ids, rows, (opening, sampling), limit, generator, cancelled, partial(found.report, slots))
        yield task
        if task.ran:
            firsts = task.firsts if firsts is None and rows[-1].module is None else firsts
            found.take(rows)
        return task.ran

    rounds = HOTTER if care is None else (1.0,) * CARE_ROUNDS
    for number, factor in enumerate(rounds if sampling.temperature > 0 else (0.0,)):
        need = len(found.missing())
        heat = sampling.temperature if number == 0 else max(sampling.temperature, MIN_HEAT) * factor
        first = []
        if number == 0:
            taught = [Row(lm, greedy=True, module=module, taught=True)] if module is not None else []
            first = taught if taught and sure else [*taught, Row(lm, greedy=True, module=care)]
        wanted = (need if number == 0 else need * SPARE) if sampling.temperature > 0 else 1
        rows = first + [Row(lm, module=care) for _ in range(wanted - len(first))]
        if need and not (yield from run(rows, replace(sampling, temperature=heat))):
            return None
        if number == 0 and first:
            forks = sorted(first[-1].forks)
    for forced in _beginnings(lm, ids, firsts, forks) if found.missing() and care is None else ([],):
        while forced and (need := len(found.missing())):
            rows = [Row(lm, greedy=True, forced=tokens) for tokens in forced[: need * SPARE]]
            del forced[: len(rows)]
            if not (yield from run(rows, sampling)):
                return None
        found.fill_up()
    replies = found.replies()
    return replies if module is None else sorted(replies, key=lambda reply: reply.taught != sure)


def greedy(
    lm: LanguageModel,
    ids: Sequence[int],
    *,
    max_tokens: int,
    module: LessonModule | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Reply:
    """The likeliest reply, token by token, with `module` on; as much as there is of it once `cancelled()` is true. It
    may be blank."""
    row = Row(lm, greedy=True, module=module, taught=module is not None)
    plain = Sampling(temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, max_tokens=max_tokens, count=1)
    limit = max(1, min(max_tokens, lm.window - len(ids)))
    write(lm, Task(ids, [row], (plain, plain), limit, torch.Generator(), cancelled))
    return row.reply()


def go_on(
    lm: LanguageModel,
    ids: Sequence[int],
    begun: Sequence[int],
    sampling: Sampling,
    *,
    seed: int | None,
    module: LessonModule | None = None,
    on_text: Callable[[str], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Reply | None:
    """The reply that begins with the tokens `begun`, with up to `sampling.max_tokens` more; None once `cancelled()` is
    true. `on_text` gets all of its text at every token. Raises ModelError where the window has no room for more."""
    room = lm.window - len(ids) - len(begun)
    if room < 1:
        raise ModelError("the reply cannot go on: the conversation fills what the model can take in; begin a /new one")
    generator = seeded(seed)
    row = Row(lm, forced=begun, module=module)
    limit = len(begun) + min(sampling.max_tokens, room)
    report = lambda rows: on_text(rows[0].text) if len(row.ids) > len(begun) else None  # noqa: E731
    task = Task(ids, [row], (sampling, sampling), limit, generator, cancelled, report)
    write(lm, task)
    return row.reply() if task.ran else None


def seeded(seed: int | None) -> torch.Generator:
    """Randomness of its own: the same with the same `seed`, other each time with None."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


# --- the slots ---


class _Found:
    """The replies found so far, each in its slot, and how they are reported."""

    def __init__(
        self,
        count: int,
        avoid: Sequence[str],
        on_progress: Progress | None,
        due: Callable[[], bool],
        accept: Callable[[Reply], bool],
    ) -> None:
        self.slots: list[Reply | None] = [None] * count
        self.seen = {normalised(text) for text in avoid}
        self.gists: list[frozenset[str]] = []
        self.spare: list[Reply] = []
        """Replies that differ from those found in words that carry nothing."""
        self.on_progress = on_progress
        self.due = due
        self.accept = accept

    def missing(self) -> list[int]:
        return [slot for slot, reply in enumerate(self.slots) if reply is None]

    def take(self, rows: list[Row]) -> None:
        """Keep the distinct ones of finished rows: the greedy one first, then the likeliest per token. A reply that the
        model gives without a lesson too is not counted as the lesson's."""
        for row in sorted(rows, key=lambda row: (not row.greedy, row.taught, -row.logprob / max(row.tokens, 1))):
            reply = row.reply()
            key = normalised(reply.text)
            free = self.missing()
            if not free or is_blank(reply.text) or key in self.seen or not (row.taught or self.accept(reply)):
                continue
            self.seen.add(key)
            means = gist(reply.text)
            if any(alike(means, other) for other in self.gists):
                self.spare.append(reply)
            else:
                self.gists.append(means)
                self.slots[free[0]] = reply

    def fill_up(self) -> None:
        """Take what was spared, in the order found."""
        for slot, reply in zip(self.missing(), self.spare, strict=False):
            self.slots[slot] = reply
        self.spare = []

    def report(self, slots: list[int], rows: list[Row]) -> None:
        if self.on_progress is None or not (self.due() or all(row.done for row in rows)):
            return
        shown = [("", False) if reply is None else (reply.text, True) for reply in self.slots]
        for slot, row in zip(slots, rows, strict=False):
            shown[slot] = (row.text, row.done)
        self.on_progress(tuple(shown))

    def replies(self) -> list[Reply]:
        return sorted((reply for reply in self.slots if reply), key=lambda reply: -reply.logprob)


# --- the loop ---


class Row:
    """One reply on its way. It begins with the tokens `forced`. `taught`: its module is a lesson's."""

    def __init__(
        self,
        lm: LanguageModel,
        *,
        greedy: bool = False,
        forced: Sequence[int] = (),
        module: LessonModule | None = None,
        taught: bool = False,
    ) -> None:
        self.module = module
        self.taught = taught
        self.greedy = greedy
        self.forced = forced
        self.ids: list[int] = []
        self.logprob = 0.0
        self.tokens = 0
        self.ended = False
        self.done = False
        self.forks: list[tuple[float, tuple[int, ...]]] = []
        """Where a greedy reply might be left: by how many nats another token is less likely, and the tokens to it."""
        self.closing = lm.end_ids | lm.chat.control_ids
        """The tokens that end a reply."""
        self._lm = lm
        self._shown = (0, "")

    def add(self, token: int, logprobs: torch.Tensor) -> None:
        """Take the next token; `logprobs` [V] are the model's own."""
        lm = self._lm
        if self.greedy and self.module is None and not self.forced and self.ids:
            best, *others = zip(*(part.tolist() for part in logprobs.topk(FORKS + 1)), strict=True)
            self.forks += [(best[0] - nats, (*self.ids, other)) for nats, other in others]
        self.tokens += 1
        if token in self.closing:
            # Another control token (a role mark, say) ends the reply too, but counts as the end token.
            self.logprob += float(logprobs[token if token in lm.end_ids else lm.chat.turn_end])
            self.ended = self.done = True
            return
        self.logprob += float(logprobs[token])
        self.ids.append(token)

    @property
    def text(self) -> str:
        """Its text so far. Decoded only when asked for: at every token, that costs as much as two layers."""
        if self._shown[0] != len(self.ids):
            # The last character may still lack some of its bytes.
            whole = self._lm.decode(self.ids).rstrip(REPLACEMENT + string.whitespace).strip()
            self._shown = len(self.ids), whole
        return self._shown[1]

    def reply(self) -> Reply:
        care = self.module is not None and not self.taught
        return Reply(self.text, self.logprob, self.ended, self.tokens, self.taught, care)


Choose = Callable[[list[Row], torch.Tensor, Sampling, torch.Generator], list[int]]
"""Draws the next token of each row, by the rows' log-probabilities [rows, V]."""


def _draw(rows: list[Row], logprobs: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> list[int]:
    """The next token of each row."""
    cold = sampling.temperature <= 0
    tokens = [0] * len(rows) if cold or all(row.greedy for row in rows) else draw(logprobs, sampling, generator)
    for number, row in enumerate(rows):
        if len(row.ids) < len(row.forced):
            tokens[number] = row.forced[len(row.ids)]
        elif row.greedy or cold:
            tokens[number] = int(logprobs[number].argmax())
    return tokens


@dataclass(slots=True, eq=False)
class Task:
    """Rows to write to their end, or to `limit` tokens, behind the conversation `ids`. The first of `samplings` is for
    the OPENING tokens, the second for the rest. `report` gets all rows at every token. `choose`: another way to draw
    the next tokens. `ran` is false once `cancelled()` was true. `firsts` [V] become the log-probabilities of the last
    row's first token."""

    ids: Sequence[int]
    rows: list[Row]
    samplings: tuple[Sampling, Sampling]
    limit: int
    generator: torch.Generator
    cancelled: Callable[[], bool]
    report: Callable[[list[Row]], None] | None = None
    choose: Choose = _draw
    ran: bool = True
    firsts: torch.Tensor | None = None
    active: list[Row] = field(init=False)
    """The rows that are not done."""

    def __post_init__(self) -> None:
        self.active = self.rows

    def take(self, logprobs: torch.Tensor) -> list[int]:
        """Take the next token of each active row, whose log-probabilities are [rows, V]; returns the indices of those
        that go on."""
        rows = self.active
        if self.cancelled():
            self.ran, self.active = False, []
            return []
        if self.firsts is None:
            self.firsts = logprobs[-1]
        sampling = self.samplings[len(rows[0].ids) >= OPENING]
        for row, token, own in zip(rows, self.choose(rows, logprobs, sampling, self.generator), logprobs, strict=True):
            row.add(token, own)
            row.done = row.done or len(row.ids) >= self.limit
        if self.report:
            self.report(self.rows)
        stay = [number for number, row in enumerate(rows) if not row.done]
        self.active = [rows[number] for number in stay]
        return stay


T = TypeVar("T")
Written = Generator[Task, None, T]
"""Yields what is to be written, and goes on once it is."""


def alone(lm: LanguageModel, run: Written[T]) -> T:
    """Write what `run` yields; returns what it returns."""
    while True:
        try:
            write(lm, next(run))
        except StopIteration as end:
            return end.value


def write(lm: LanguageModel, *tasks: Task) -> None:
    """Write the rows of all tasks: in one batch, or task after task where the decoder reads one conversation at a
    time."""
    decoder, rows = lm.decoder, [row for task in tasks for row in task.rows]
    modules = [row.module for row in rows]
    taught = any(module is not None for module in modules)
    counts, limit = [len(task.rows) for task in tasks], max(task.limit for task in tasks)
    together = decoder.together([task.ids[:-1] for task in tasks], counts, limit, modules)
    if together is not None:
        first, writing = None, together
    elif len(tasks) > 1:
        for task in tasks:
            write(lm, task)
        return
    else:
        [task] = tasks
        # A module is on from the token that hands over to the reply, so each row reads that one for itself.
        prefill = decoder.prefill(task.ids[:-1] if taught else task.ids)
        first = None if taught else prefill.logits.expand(len(rows), -1)
        writing = decoder.branch(prefill, len(rows), task.limit, modules if taught else ())
    with on_threads(decoder.threads if len(rows) < MANY else None):
        logits = writing.step([task.ids[-1] for task in tasks for _ in task.rows]) if first is None else first
        while True:
            logprobs = logits.log_softmax(-1)
            if not all(map(math.isfinite, logprobs.amax(-1).tolist())):
                raise ModelError(
                    "the model answers with values that are not numbers; undo the last lesson or use --model default"
                )
            stay, at = [], 0
            for task in tasks:
                end = at + len(task.active)
                if task.active:
                    stay += [at + number for number in task.take(logprobs[at:end])]
                at = end
            if not stay:
                return
            if len(stay) < at:
                writing.keep(stay)
            logits = writing.step([row.ids[-1] for task in tasks for row in task.active])


def _beginnings(
    lm: LanguageModel, ids: Sequence[int], firsts: torch.Tensor | None, forks: Sequence[tuple[float, tuple[int, ...]]]
) -> tuple[list[tuple[int, ...]], ...]:
    """What replies to the conversation `ids` may be made to begin with, in the order to try it: first tokens that might
    be drawn, tokens at which the greedy reply is left, and other visible first tokens; each likeliest first. `firsts`
    [V] are the log-probabilities of a first token; None: they are asked for."""
    logits, most = lm.decoder.prefill(ids).logits if firsts is None else firsts, -math.log(DRAWN)
    ranked = logits.argsort(descending=True)[: 8 * BRANCHES].tolist()
    closing = lm.end_ids | lm.chat.control_ids
    visible = (i for i in ranked if i not in closing and not is_blank(lm.decode([i]).strip(REPLACEMENT)))
    first: list[tuple[int, ...]] = [(token,) for token, _ in zip(visible, range(BRANCHES), strict=False)]
    drawn = sum(float(logits.max() - logits[tokens[0]]) <= most for tokens in first)
    left = [tokens for nats, tokens in forks if nats <= most and tokens[-1] not in closing]
    return first[:drawn], left[:BRANCHES], first[drawn:]
