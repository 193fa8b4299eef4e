"""Five distinct replies, streamed together, from one prefill of the conversation.

This is our own loop instead of `generate`: every row is reported at every token, a row that has ended leaves the batch,
and a key press stops it between two tokens. The rows share one prompt, so they stay of one length and nothing is
padded. `decoding` has the forward passes, `sampling` how a token is drawn.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from theta_tui.base.errors import ModelError
from theta_tui.base.text import REPLACEMENT, is_blank, normalised
from theta_tui.model.gist import alike, gist
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.modules import LessonModule
from theta_tui.model.sampling import Sampling, draw, probabilities
from theta_tui.model.threads import on_threads

__all__ = ["Progress", "Reply", "Sampling", "greedy", "probabilities", "propose"]

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


def propose(
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
) -> list[Reply] | None:
    """`sampling.count` replies to the conversation `ids`, likeliest first; None once `cancelled()` is true.

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

    def run(rows: list[Row], opening: Sampling) -> bool:
        slots = found.missing()
        ran = write(
            lm, ids, rows, (opening, sampling), limit, generator, cancelled, lambda rows: found.report(slots, rows)
        )
        if ran:
            found.take(rows)
        return ran

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
        if need and not run(rows, replace(sampling, temperature=heat)):
            return None
        if number == 0 and first:
            forks = sorted(first[-1].forks)
    for forced in _beginnings(lm, ids, forks) if found.missing() and care is None else ([],):
        while forced and (need := len(found.missing())):
            rows = [Row(lm, greedy=True, forced=tokens) for tokens in forced[: need * SPARE]]
            del forced[: len(rows)]
            if not run(rows, sampling):
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
    write(lm, ids, [row], (plain, plain), limit, torch.Generator(), cancelled, None)
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
    ran = write(lm, ids, [row], (sampling, sampling), limit, generator, cancelled, report)
    return row.reply() if ran else None


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


def write(
    lm: LanguageModel,
    ids: Sequence[int],
    rows: list[Row],
    samplings: tuple[Sampling, Sampling],
    limit: int,
    generator: torch.Generator,
    cancelled: Callable[[], bool],
    report: Callable[[list[Row]], None] | None,
    choose: Choose | None = None,
) -> bool:
    """Write all rows to their end, or to `limit` tokens; False once `cancelled()` is true. The first of `samplings` is
    for the OPENING tokens, the second for the rest. `choose`: another way to draw the next tokens."""
    modules = [row.module for row in rows]
    taught = any(module is not None for module in modules)
    # A module is on from the token that hands over to the reply, so each row reads that one for itself.
    prefill = lm.decoder.prefill(ids[:-1] if taught else ids)
    writing = lm.decoder.branch(prefill, len(rows), limit, modules) if taught else None
    active = rows
    with on_threads(lm.decoder.threads):
        logits = prefill.logits.expand(len(rows), -1) if writing is None else writing.step([ids[-1]] * len(rows))
        while True:
            if cancelled():
                return False
            logprobs = logits.log_softmax(-1)
            if not all(map(math.isfinite, logprobs.amax(-1).tolist())):
                raise ModelError(
                    "the model answers with values that are not numbers; undo the last lesson or use --model default"
                )
            sampling = samplings[len(active[0].ids) >= OPENING]
            tokens = (choose or _draw)(active, logprobs, sampling, generator)
            for row, token, own in zip(active, tokens, logprobs, strict=True):
                row.add(token, own)
                row.done = row.done or len(row.ids) >= limit
            if report:
                report(rows)
            stay = [number for number, row in enumerate(active) if not row.done]
            if not stay:
                return True
            if writing is None:
                writing = lm.decoder.branch(prefill, len(active), limit - 1)
            if len(stay) < len(active):
                writing.keep(stay)
                active = [active[number] for number in stay]
            logits = writing.step([row.ids[-1] for row in active])


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


def _beginnings(
    lm: LanguageModel, ids: Sequence[int], forks: Sequence[tuple[float, tuple[int, ...]]]
) -> tuple[list[tuple[int, ...]], ...]:
    """What replies to the conversation `ids` may be made to begin with, in the order to try it: first tokens that might
    be drawn, tokens at which the greedy reply is left, and other visible first tokens; each likeliest first."""
    logits, most = lm.decoder.prefill(ids).logits, -math.log(DRAWN)
    ranked = logits.argsort(descending=True)[: 8 * BRANCHES].tolist()
    closing = lm.end_ids | lm.chat.control_ids
    visible = (i for i in ranked if i not in closing and not is_blank(lm.decode([i]).strip(REPLACEMENT)))
    first: list[tuple[int, ...]] = [(token,) for token, _ in zip(visible, range(BRANCHES), strict=False)]
    drawn = sum(float(logits.max() - logits[tokens[0]]) <= most for tokens in first)
    left = [tokens for nats, tokens in forks if nats <= most and tokens[-1] not in closing]
    return first[:drawn], left[:BRANCHES], first[drawn:]
