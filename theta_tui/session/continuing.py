"""Lets a reply that was cut at the token limit go on. Needs torch only for that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from theta_tui.base.errors import TeachError
from theta_tui.session.care import caring
from theta_tui.session.proposing import sampling_of
from theta_tui.store.records import Pending

if TYPE_CHECKING:
    from theta_tui.model.generate import Progress
    from theta_tui.session.session import Session


def go_on(
    session: Session,
    index: int,
    *,
    prompt_id: str | None = None,
    on_progress: Progress = lambda _: None,
    due: Callable[[], bool] = lambda: True,
    cancelled: Callable[[], bool] = lambda: False,
) -> Pending | None:
    """The kept prompt, with candidate `index` (1 to 5) longer by up to `max_tokens`: it may have been cut again. It is
    sampled as replies are, with the same module. None: cancelled, and nothing changed.

    Raises PromptError (exit 3) where no prompt waits, TeachError (exit 2) where that reply is none, or whole.
    """
    from theta_tui.model.chat_template import IGNORE
    from theta_tui.model.generate import go_on as generate

    waiting = session.store.waiting(prompt_id)
    if not 1 <= index <= len(waiting.candidates):
        raise TeachError(f"there is no reply {index}; it is 1 to {len(waiting.candidates)}", name="usage", code=2)
    candidate = waiting.candidates[index - 1]
    if candidate.ended:
        raise TeachError(f"reply {index} is whole; only one with … behind it goes on", name="whole", code=2)
    settings, model = session.settings, session.model
    begun = model.encode_lesson(
        session.store.state.history,
        waiting.prompt,
        candidate.text,
        limit=max(2, min(settings.window, model.window) - settings.max_tokens),
        at=time.time(),
        ended=False,
    )
    said = begun.labels.count(IGNORE)

    def on_text(text: str) -> None:
        if due():
            on_progress(tuple((text, False) if one is candidate else (one.text, True) for one in waiting.candidates))

    module = session.care.module(model) if candidate.care else None
    if candidate.lesson is not None:
        module = session.learner.modules.get(candidate.lesson)
    reply = generate(
        model,
        begun.input_ids[:said],
        begun.input_ids[said:],
        caring(1) if candidate.care else sampling_of(settings),
        seed=settings.seed,
        module=module,
        on_text=on_text,
        cancelled=cancelled,
    )
    if reply is None:
        return None
    longer = replace(candidate, text=reply.text, logprob=reply.logprob, ended=reply.ended)
    candidates = tuple(longer if one is candidate else one for one in waiting.candidates)
    session.store.keep(session.store.waiting().changed(waiting.prompt_id, candidates))
    return session.store.waiting(waiting.prompt_id)
