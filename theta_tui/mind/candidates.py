"""Five distinct replies, streamed together, from one prefill of the conversation.

Our own loop and not `generate`: every row is heard at every token, a row that has ended leaves the batch, and a key
press stops it between two tokens. The rows share one prompt, so they stay equally long and nothing is padded.
"""

from __future__ import annotations

import copy
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from theta_tui.errors import ModelError
from theta_tui.mind.language_model import LanguageModel
from theta_tui.text import REPLACEMENT, is_blank, normalised

HOTTER = (1.0, 1.4)
"""Temperature factors of the rounds of sampling. Each round only fills the slots that still lack a distinct reply."""

OPENING = 3
"""Tokens that the factor holds for. Another beginning is enough to lead elsewhere; hot all the way, the stand-in
babbles (replies of -50 to -300 nats)."""

SPARE = 2
"""Rows a missing reply in a further round: the chance that one of them is distinct costs little in a batch."""

BRANCHES = 48
"""Most first tokens that are forced, likeliest first, where sampling gives nothing distinct."""

MIN_HEAT = 0.7
"""Temperature that a further round starts from: near zero, sampling again gives the same again."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. `temperature` 0 is greedy; `top_p` 1, `top_k` 0 and `min_p` 0 are off."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    max_tokens: int
    count: int = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the model. `logprob` is its log-probability in nats under the model as it is (temperature 1), the
    end token included; where `ended` is false it was cut at the limit and there is none. `tokens` counts alike."""

    text: str
    logprob: float
    ended: bool
    tokens: int


Progress = Callable[[tuple[tuple[str, bool], ...]], None]


def propose(
    lm: LanguageModel,
    ids: Sequence[int],
    sampling: Sampling,
    *,
    seed: int | None,
    avoid: Sequence[str] = (),
    on_progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Reply] | None:
    """`sampling.count` replies to the conversation `ids`, likeliest first; None where `cancelled` said so.

    They differ from each other and from `avoid` as `text.normalised` sees it, and none is blank; the greedy reply is
    among them unless it is to be avoided. Sampling goes on hotter, and then from other first tokens, until there are
    enough; a model that cannot say so many different things gives fewer. `on_progress` hears all slots, (text so
    far, whether it is done), at every token. `seed` makes it repeatable; the global random state is left alone.
    """
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    found = _Found(sampling.count, avoid, on_progress)
    start = _prefill(lm, ids)
    limit = max(1, min(sampling.max_tokens, lm.window - len(ids)))

    def run(rows: list[_Row], opening: Sampling) -> bool:
        slots = found.missing()
        ran = _generate(
            lm, start, rows, (opening, sampling), limit, generator, cancelled, lambda rows: found.hear(slots, rows)
        )
        if ran:
            found.take(rows)
        return ran

    for number, factor in enumerate(HOTTER if sampling.temperature > 0 else (0.0,)):
        need = len(found.missing())
        heat = sampling.temperature if number == 0 else max(sampling.temperature, MIN_HEAT) * factor
        first = [_Row(greedy=True)] if number == 0 else []
        wanted = (need if number == 0 else need * SPARE) if sampling.temperature > 0 else 1
        rows = first + [_Row() for _ in range(wanted - len(first))]
        if need and not run(rows, replace(sampling, temperature=heat)):
            return None
    forced = _first_tokens(lm, start.logits)
    while forced and (need := len(found.missing())):
        rows = [_Row(greedy=True, forced=token) for token in forced[: need * SPARE]]
        del forced[: len(rows)]
        if not run(rows, sampling):
            return None
    return found.replies()


def greedy(
    lm: LanguageModel, ids: Sequence[int], *, max_tokens: int, cancelled: Callable[[], bool] = lambda: False
) -> Reply:
    """The likeliest reply, token by token; what there is of it where `cancelled` said so. It may be blank."""
    row = _Row(greedy=True)
    plain = Sampling(temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, max_tokens=max_tokens, count=1)
    limit = max(1, min(max_tokens, lm.window - len(ids)))
    _generate(lm, _prefill(lm, ids), [row], (plain, plain), limit, torch.Generator(), cancelled, None)
    return row.reply()


# --- the slots ---


class _Found:
    """The replies found so far, each in its slot, and what the screen hears of them."""

    def __init__(self, count: int, avoid: Sequence[str], on_progress: Progress | None) -> None:
        self.slots: list[Reply | None] = [None] * count
        self.seen = {normalised(text) for text in avoid}
        self.on_progress = on_progress

    def missing(self) -> list[int]:
        return [slot for slot, reply in enumerate(self.slots) if reply is None]

    def take(self, rows: list[_Row]) -> None:
        """Keep the distinct ones of finished rows: the greedy one first, and then the likeliest a token."""
        for row in sorted(rows, key=lambda row: (not row.greedy, -row.logprob / max(row.tokens, 1))):
            reply = row.reply()
            key = normalised(reply.text)
            free = self.missing()
            if free and not is_blank(reply.text) and key not in self.seen:
                self.seen.add(key)
                self.slots[free[0]] = reply

    def hear(self, slots: list[int], rows: list[_Row]) -> None:
        if self.on_progress is None:
            return
        shown = [("", False) if reply is None else (reply.text, True) for reply in self.slots]
        for slot, row in zip(slots, rows, strict=False):
            shown[slot] = (row.text, row.done)
        self.on_progress(tuple(shown))

    def replies(self) -> list[Reply]:
        return sorted((reply for reply in self.slots if reply), key=lambda reply: -reply.logprob)


# --- the loop ---


@dataclass(slots=True)
class _Start:
    """A prefilled conversation: its cache, and the logits of the first token of a reply [V], float32 on the CPU."""

    cache: Any
    logits: torch.Tensor


class _Row:
    """One reply on its way."""

    def __init__(self, *, greedy: bool = False, forced: int | None = None) -> None:
        self.greedy = greedy
        self.forced = forced
        self.ids: list[int] = []
        self.text = ""
        self.logprob = 0.0
        self.tokens = 0
        self.ended = False
        self.done = False

    def add(self, lm: LanguageModel, token: int, logprobs: torch.Tensor) -> None:
        """Take the next token; `logprobs` [V] are the model's own."""
        self.tokens += 1
        if token in lm.end_ids or token in lm.chat.control_ids:
            # Another control token (a role mark, say) ends the turn as well, but it is not how a turn ends.
            self.logprob += float(logprobs[token if token in lm.end_ids else lm.chat.turn_end])
            self.ended = self.done = True
            return
        self.logprob += float(logprobs[token])
        self.ids.append(token)
        # A character of several bytes may lack the last of them still.
        self.text = lm.decode(self.ids).rstrip(REPLACEMENT + string.whitespace).strip()

    def reply(self) -> Reply:
        return Reply(self.text, self.logprob, self.ended, self.tokens)


def _prefill(lm: LanguageModel, ids: Sequence[int]) -> _Start:
    # no_grad and not inference_mode: some models refresh buffers (rotary scaling) in a forward pass, and a tensor
    # that was made in inference mode would later break the backward pass of a lesson.
    with torch.no_grad():
        output = lm.model(input_ids=torch.tensor([list(ids)], device=lm.device), use_cache=True, **lm.last_logits)
    return _Start(output.past_key_values, _checked(output.logits[:, -1])[0])


def _checked(logits: torch.Tensor) -> torch.Tensor:
    logits = logits.float().cpu()
    if not torch.isfinite(logits.logsumexp(-1)).all():
        raise ModelError(
            "the model answers with values that are not numbers; undo the last lesson or use --model default"
        )
    return logits


def _generate(
    lm: LanguageModel,
    start: _Start,
    rows: list[_Row],
    samplings: tuple[Sampling, Sampling],
    limit: int,
    generator: torch.Generator,
    cancelled: Callable[[], bool],
    hear: Callable[[list[_Row]], None] | None,
) -> bool:
    """Write all rows to their end, or to `limit` tokens; False where `cancelled` said so. The first of `samplings` is
    for the opening tokens, the second for the rest."""
    cache = copy.deepcopy(start.cache)
    if len(rows) > 1:
        cache.batch_repeat_interleave(len(rows))
    logits = start.logits.expand(len(rows), -1)
    active = rows
    with torch.no_grad():
        while True:
            if cancelled():
                return False
            logprobs = logits.log_softmax(-1)
            sampling = samplings[len(active[0].ids) >= OPENING]
            for row, token, own in zip(active, _draw(active, logits, sampling, generator), logprobs, strict=True):
                row.add(lm, token, own)
                row.done = row.done or len(row.ids) >= limit
            if hear:
                hear(rows)
            stay = [number for number, row in enumerate(active) if not row.done]
            if not stay:
                return True
            if len(stay) < len(active):
                cache.batch_select_indices(torch.tensor(stay, device=lm.device))
                active = [active[number] for number in stay]
            last = torch.tensor([[row.ids[-1]] for row in active], device=lm.device)
            output = lm.model(input_ids=last, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            logits = _checked(output.logits[:, -1])


def _draw(rows: list[_Row], logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> list[int]:
    """The next token of each row."""
    best = logits.argmax(-1).tolist()
    drawn = best
    if sampling.temperature > 0 and any(not row.greedy for row in rows):
        drawn = torch.multinomial(probabilities(logits, sampling), 1, generator=generator)[:, 0].tolist()
    tokens = [best[number] if row.greedy else drawn[number] for number, row in enumerate(rows)]
    return [
        row.forced if row.forced is not None and not row.ids else token for row, token in zip(rows, tokens, strict=True)
    ]


def probabilities(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Softmax at the temperature, and then without the tokens that top-k, top-p and min-p leave out. [rows, V]"""
    p = (logits / sampling.temperature).softmax(-1)
    if 0 < sampling.top_k < p.shape[-1]:
        p = p.where(p >= p.topk(sampling.top_k, dim=-1).values[:, -1:], 0.0)
    if sampling.top_p < 1:
        ordered, order = p.sort(dim=-1, descending=True)
        # A token stays while those before it hold less than top_p; the likeliest always stays.
        before = ordered.cumsum(-1) - ordered
        total = ordered.sum(-1, keepdim=True)
        p = torch.zeros_like(p).scatter(-1, order, ordered.where(before < sampling.top_p * total, 0.0))
    if sampling.min_p > 0:
        p = p.where(p >= sampling.min_p * p.amax(-1, keepdim=True), 0.0)
    return p


def _first_tokens(lm: LanguageModel, logits: torch.Tensor) -> list[int]:
    """The likeliest tokens that a reply could visibly begin with, likeliest first."""
    ranked = logits.argsort(descending=True)[: 8 * BRANCHES].tolist()
    closing = lm.end_ids | lm.chat.control_ids
    visible = (i for i in ranked if i not in closing and not is_blank(lm.decode([i]).strip(REPLACEMENT)))
    return [token for token, _ in zip(visible, range(BRANCHES), strict=False)]
