"""What the model said to a lesson's prompt before it was taught, and what it says now.

Both are usually known: the first of the replies that were offered, and the reply that was learned. Only what is not is
asked, after the lesson, so that nobody waits for it. Imports torch only to ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from theta_tui.store import retention
from theta_tui.store.records import Compared

if TYPE_CHECKING:
    from theta_tui.session.session import Session
    from theta_tui.store.state import Lesson


def compare(session: Session, number: int, interrupted: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Ask what is not known about lesson `number`, the last one, and journal it. Yields after each slice of work; the
    caller stops after any slice if `interrupted`, and then nothing is journalled.

    What was said before is asked with the lesson's own module off. A lesson without one has moved the weights that all
    replies share, and what they said before cannot be asked any more.
    """
    store, lesson = session.store, session.store.state.last
    if lesson is None or lesson.number != number or lesson.outcome is None or store.read_only is not None:
        return
    before = now = None
    if retention.said_before(lesson) is None and lesson.seq in session.learner.modules:
        before = yield from _greedy(session, lesson, interrupted, without=True)
        yield
    if not lesson.outcome.learned:
        now = yield from _greedy(session, lesson, interrupted)
        yield
    if before is None and now is None:
        return
    store.append(Compared(lesson.seq, before, now))
    # The prompt that comes next begins with the conversation, which was pushed out of the cache.
    settings = session.settings
    yield from session.model.read_ahead(store.goes_on, room=settings.max_tokens, limit=settings.window, at=time.time())


def _greedy(
    session: Session, lesson: Lesson, interrupted: Callable[[], bool], *, without: bool = False
) -> Generator[None, None, str]:
    """The greedy reply to the prompt of `lesson`, after the conversation it was taught in; `without` its module. The
    conversation is read in slices."""
    from theta_tui.model.generate import greedy

    settings, modules, prompt = session.settings, session.learner.modules, lesson.exchange.prompt
    known = modules.keys() - {lesson.seq} if without else modules.keys()
    decision = session.scopes.decide(prompt, known, lesson.context.asked)
    ids = session.model.encode_prompt(
        lesson.context, prompt, room=settings.max_tokens, limit=settings.window, at=time.time()
    ).ids
    module = modules[decision.lesson] if decision.sure and decision.lesson is not None else None
    yield from session.model.decoder.prefill_ahead(ids if module is None else ids[:-1])
    return greedy(session.model, ids, max_tokens=settings.max_tokens, module=module, cancelled=interrupted).text
