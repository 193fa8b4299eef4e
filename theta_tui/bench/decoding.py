"""Greedy decoding of many prompts at once: `model.generate.greedy` with padding on the left.

Only for measuring: the app decodes one prompt at a time without padding. `agrees` says whether a model gives the same
answers both ways; if not, it is asked one prompt at a time.
"""

from __future__ import annotations

import string
import time
from collections.abc import Sequence

import torch

from theta_tui.base.text import REPLACEMENT
from theta_tui.bench.metrics import GreedyAnswer
from theta_tui.model import generate
from theta_tui.model.decoding.general import GeneralDecoder, cache_name
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.modules import LessonModule, attached, blocks_of

BATCH = 32
"""Most rows in a batch."""


def agrees(lm: LanguageModel, prompts: Sequence[str], max_tokens: int) -> bool:
    """Whether a padded batch gives the same answers as one prompt at a time; false if padding stays in the state."""
    if not can_pad(lm):
        return False
    return ask(lm, prompts, max_tokens) == ask(lm, prompts, max_tokens, batched=False)


def can_pad(lm: LanguageModel) -> bool:
    """Whether the model's cache has only keys and values, so that a mask can hide the padding."""
    decoder = lm.decoder
    return not isinstance(decoder, GeneralDecoder) or decoder.plain


def ask(
    lm: LanguageModel,
    prompts: Sequence[str],
    max_tokens: int,
    *,
    batched: bool = True,
    modules: Sequence[LessonModule | None] = (),
) -> list[GreedyAnswer]:
    """The answers to prompts, with no conversation before them. `modules` has the module that is on for each prompt."""
    now = time.time()
    own = modules or [None] * len(prompts)
    encoded = [lm.encode_prompt((), prompt, room=max_tokens, at=now).ids for prompt in prompts]
    if not batched:
        return [_alone(lm, ids, max_tokens, module) for ids, module in zip(encoded, own, strict=True)]
    answers: list[GreedyAnswer] = [GreedyAnswer("")] * len(encoded)
    by_length = sorted(range(len(encoded)), key=lambda at: len(encoded[at]))
    for start in range(0, len(by_length), BATCH):
        places = by_length[start : start + BATCH]
        replies = greedy_batch(
            lm, [encoded[at] for at in places], max_tokens=max_tokens, modules=[own[at] for at in places]
        )
        for place, answer in zip(places, replies, strict=True):
            answers[place] = answer
    return answers


def _alone(lm: LanguageModel, ids: Sequence[int], max_tokens: int, module: LessonModule | None) -> GreedyAnswer:
    reply = generate.greedy(lm, ids, max_tokens=max_tokens, module=module)
    return GreedyAnswer(reply.text, reply.ended)


def greedy_batch(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    modules: Sequence[LessonModule | None] = (),
) -> list[GreedyAnswer]:
    """The greedy answer to each of `prompts` (token ids). `modules` has the module that is on for each prompt.

    Rows that have ended leave the batch.
    """
    blocks, own = blocks_of(lm.model), list(modules or [None] * len(prompts))
    longest = max(map(len, prompts))
    limits = [max(1, min(max_tokens, lm.window - len(ids))) for ids in prompts]
    # Padding is masked, so any token will do.
    rows = [[0] * (longest - len(ids)) + list(ids) for ids in prompts]
    mask_rows = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts]
    tokens, mask = torch.tensor(rows, device=lm.device), torch.tensor(mask_rows, device=lm.device)
    # Positions must not count padding: with rotary or learned positions, a shifted row is another prompt.
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    written: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    active = list(range(len(prompts)))
    cache, cache_argument = None, cache_name(lm.model) or "past_key_values"
    closing = lm.end_ids | lm.chat.control_ids
    # A module is on from the last token of the prompt, which predicts the first of the reply.
    on = torch.zeros_like(tokens)
    on[:, -1] = 1
    with torch.no_grad():
        while active:
            with attached(blocks, own, on):
                output = lm.model(
                    input_ids=tokens,
                    attention_mask=mask,
                    position_ids=positions,
                    use_cache=True,
                    **{cache_argument: cache},
                    **lm.last_logits,
                )
            cache = getattr(output, cache_argument)
            best = output.logits[:, -1].float().argmax(-1).tolist()
            stay = []
            for number, (row, token) in enumerate(zip(active, best, strict=True)):
                if token in closing:
                    ended[row] = True
                    continue
                written[row].append(token)
                if len(written[row]) < limits[row]:
                    stay.append(number)
            if len(stay) < len(active):
                kept = torch.tensor(stay, dtype=torch.long, device=lm.device)
                if stay:
                    cache.batch_select_indices(kept)
                mask, positions = mask[kept], positions[kept]
                active = [active[number] for number in stay]
                own = [own[number] for number in stay]
            tokens = torch.tensor([[written[row][-1]] for row in active], device=lm.device)
            mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)
            positions = positions[:, -1:] + 1
            on = torch.ones_like(tokens)
    return [
        GreedyAnswer(lm.decode(ids).rstrip(REPLACEMENT + string.whitespace).strip(), end)
        for ids, end in zip(written, ended, strict=True)
    ]
