"""Conversations that no lesson and no anchor comes from, and how well a model reads them.

The perplexity is over all tokens of a conversation (template included) after the first one. Where lessons have scopes
it is decided of each user's message which lesson answers it, and the reply that follows is read with that one on.
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

MOST = 200
"""Conversations that are read: 6 s each time with the default model, if short."""

Conversation = tuple[str, ...]
"""What was said in turn, from the user's first message to the model's last."""


def read_conversations(path: Path, note: Callable[[str], None] = lambda text: None) -> list[Conversation]:
    """The first MOST conversations of a data set as `theta train` reads it. Raises ModelError naming file and line."""
    report = ReadReport()
    found: list[Conversation] = []
    for document in documents.read(path, skip_bad=True, report=report):
        if document.turns:
            found.append(tuple(text for _, text in document.turns))
        if len(found) == MOST:
            break
    if not found:
        raise ModelError(f"there are no conversations in {path}; give --held-out a file that has some", name="data")
    if number := report.bad.total():
        note(f"left out {plural(number, 'bad line')} of {path}")
    return found


@dataclass(frozen=True, slots=True)
class Perplexity:
    """exp of the mean nats a token: as a person meets the model, and by the weights that are always on."""

    met: float
    weights: float


def asked(conversations: Sequence[Conversation]) -> list[str]:
    """What the users say in them."""
    return [text for said in conversations for text in said[0::2]]


def perplexity(
    lm: LanguageModel,
    conversations: Sequence[Conversation],
    module_for: Callable[[str], LessonModule | None] = lambda prompt: None,
) -> Perplexity:
    """How well `lm` reads `conversations`. `module_for` gives what is on while the reply to a message is written; what
    came before is read without, as in the app. Raises ModelError where no conversation fits the model's window."""
    import torch
    from torch.nn import functional

    from theta_tui.learning.recall import forward, score

    nats, more, tokens = 0.0, 0.0, 0
    for said in conversations:
        turns = list(zip(said[0::2], said[1::2], strict=True))
        try:
            example = lm.encode_lesson(turns[:-1], *turns[-1], loss="all")
        except TeachError:  # a last reply that is longer than the window
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
            f"no held-out conversation fits {lm.name}, which takes {plural(lm.window, 'token')}; give shorter ones",
            name="data",
        )
    return Perplexity(*(math.exp(min(some / tokens, 700.0)) for some in (nats + more, nats)))
