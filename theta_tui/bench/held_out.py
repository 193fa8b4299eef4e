"""Held-out conversations, which no lesson or anchor comes from, and a model's perplexity on them.

The perplexity covers all tokens of a conversation (template included) after the first. If lessons have scopes, the gate
decides for each user message which lesson answers it, and that lesson is on for the reply.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from theta_tui.base.errors import ModelError, TeachError
from theta_tui.base.text import plural
from theta_tui.pretrain import documents
from theta_tui.pretrain.content import ReadReport

if TYPE_CHECKING:
    from theta_tui.model.language_model import LanguageModel
    from theta_tui.model.modules import LessonModule

MAX_CONVERSATIONS = 200
"""Most conversations: with the default model, 200 short ones take 6 s each time."""

HeldOutConversation = tuple[str, ...]
"""The texts of a conversation, alternating from the first user message to the last reply."""


def read_conversations(path: Path, note: Callable[[str], None] = lambda text: None) -> list[HeldOutConversation]:
    """At most MAX_CONVERSATIONS conversations of a data set of `theta train`. Raises ModelError with file and line."""
    report = ReadReport()
    found: list[HeldOutConversation] = []
    for document in documents.read(path, skip_bad=True, report=report):
        if document.turns:
            found.append(tuple(text for _, text in document.turns))
        if len(found) == MAX_CONVERSATIONS:
            break
    if not found:
        raise ModelError(f"there are no conversations in {path}; give --held-out a file that has some", name="data")
    if number := report.bad.total():
        note(f"skipped {plural(number, 'bad line')} of {path}")
    return found


@dataclass(frozen=True, slots=True)
class Perplexity:
    """exp of the mean nats per token: with the gate and lessons in use, and with the shared weights alone."""

    with_lessons: float
    shared_weights: float


def user_messages(conversations: Sequence[HeldOutConversation]) -> list[str]:
    """The user messages of the conversations."""
    return [text for said in conversations for text in said[0::2]]


def perplexity(
    lm: LanguageModel,
    conversations: Sequence[HeldOutConversation],
    module_for: Callable[[str], LessonModule | None] = lambda prompt: None,
) -> Perplexity:
    """The perplexity of `lm` on `conversations`. `module_for` gives the module that is on for the reply to a message;
    what came before is read without it, as in the app. Raises ModelError if no conversation fits the model's window."""
    import torch
    from torch.nn import functional

    from theta_tui.learning.recall import forward, score

    nats, more, tokens = 0.0, 0.0, 0
    for said in conversations:
        turns = list(zip(said[0::2], said[1::2], strict=True))
        try:
            example = lm.encode_lesson(turns[:-1], *turns[-1], loss="all")
        except TeachError:  # the last reply is longer than the window
            continue
        with torch.no_grad():
            logits = forward(lm, example)[:-1].float()
        labels = torch.tensor(example.labels[1:], device=logits.device)
        nats += float(functional.cross_entropy(logits, labels, reduction="sum"))
        tokens += len(labels)
        for at, (prompt, reply) in enumerate(turns):
            if (module := module_for(prompt)) is not None:
                bare, moved = (score(lm, turns[:at], prompt, reply, module=some).logprob for some in (None, module))
                more += bare - moved
    if not tokens:
        raise ModelError(
            f"no held-out conversation fits into the {plural(lm.window, 'token')} of {lm.name}; give shorter ones",
            name="data",
        )
    return Perplexity(*(math.exp(min(some / tokens, 700.0)) for some in (nats + more, nats)))
