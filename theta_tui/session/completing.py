"""Serves completions: replies to a conversation that a program brings along, chosen and written as all replies are.

The home's own conversation is not used, and nothing is kept: what a program says is not learned. Needs torch only to
write.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from theta_tui.base.errors import ThetaError
from theta_tui.base.text import is_blank, plural
from theta_tui.session import completions as m
from theta_tui.session.care import caring, is_whole
from theta_tui.session.protocol import Changed, Event, Snapshot
from theta_tui.store.history import NOTHING, History

if TYPE_CHECKING:
    from theta_tui.model.choices import Choice
    from theta_tui.model.generate import Sampling
    from theta_tui.model.language_model import LanguageModel
    from theta_tui.model.modules import LessonModule
    from theta_tui.session.session import Session

UNLIMITED = 512
"""Longest reply in tokens where the program sets no limit: nobody else is served while it is written."""
MOST_TOKENS = 8192
"""All choices together: a row of SmolLM2's keeps 46 kB a token."""
PIECES_SECONDS = 0.04
"""The least time between two reports. The first token is reported at once."""
LONG_SECONDS = 1.0
COLDEST = 0.001
"""Below it nothing but the likeliest token has a probability that a float32 can hold: it is as 0."""
LEAST_TOP_P = 1e-6
NOWHERE = Snapshot()
NO_SYSTEM = "the model's chat template has no place for a system message; it was left out"


class RefusedError(ThetaError):
    """A conversation that cannot be completed."""


class Desk(Protocol):
    """The service that completions are written for; see `errands.Desk`."""

    def stage(self, words: str) -> None: ...

    def end(self, event: Callable[[Snapshot], Event]) -> None: ...


def complete(
    session: Session, asked: m.Complete, post: Callable[[Event], None], desk: Desk, cancelled: Callable[[], bool]
) -> None:
    """Carry out `asked`, and post what is written. Nothing more is posted once `cancelled()` is true. The others are
    told of one that takes a while. Raises ModelError (exit 4) where the model cannot write."""
    began, told = time.monotonic(), False

    def cancelled_yet() -> bool:
        nonlocal told
        if not told and time.monotonic() - began > LONG_SECONDS:
            told = True
            desk.stage("answering a program")
        return cancelled()

    done: m.Private | None
    try:
        done = _complete(session, asked, post, cancelled_yet)
    except RefusedError as error:
        done = m.Refused(NOWHERE, str(error), error.name)
    if told:
        desk.end(Changed)
    if done is not None:
        post(done)


def conversation(messages: Sequence[tuple[m.Role, str]]) -> tuple[str | None, History, str]:
    """(system text, turns, prompt) of messages in any order. Several of one role in a row are read as one, as the chat
    templates of most models ask for. Raises RefusedError where the last one is not the user's."""
    system = [text for role, text in messages if role == "system"]
    talk = groupby((message for message in messages if message[0] != "system"), key=itemgetter(0))
    said = [(role, "\n\n".join(text for _, text in several)) for role, several in talk]
    if said and said[0][0] == "assistant":
        said.insert(0, ("user", ""))
    if not said or said[-1][0] != "user" or is_blank(said[-1][1]):
        raise RefusedError("the last message must be the user's, and not blank", name="invalid_value")
    texts = [text for _, text in said]
    turns = NOTHING
    for asked, answered in zip(texts[:-1:2], texts[1::2], strict=True):
        turns = turns.then(asked, answered)
    return "\n\n".join(system) if system else None, turns, texts[-1]


def _complete(
    session: Session, asked: m.Complete, post: Callable[[Event], None], cancelled: Callable[[], bool]
) -> m.Completed | None:
    lm, state = session.model, session.store.state
    system, turns, prompt = conversation(asked.messages)
    room = system is None or lm.chat.takes_system()
    notes = () if room else (NO_SYSTEM,)
    with lm.chat.speaking_as(system) if system is not None and room else nullcontext():
        ids = _encoded(session, turns, prompt)
    decision = session.decide(prompt, turns.asked)
    decision, caring_module = session.care.decide(prompt, turns, decision, state, lm)
    if caring_module is not None:
        texts = _with_care(lm, ids, asked, caring_module, cancelled)
        if texts is None:
            return None
        post(m.Wrote(NOWHERE, tuple(m.Piece(index, text) for index, (text, _, _) in enumerate(texts))))
        ended = tuple(done for _, _, done in texts)
        tokens = sum(count for _, count, _ in texts)
        return m.Completed(NOWHERE, ended, len(ids), tokens, session.store.journal.last_seq, care=True, notes=notes)
    sure = decision.lesson if decision.sure else None
    rows = _written(session, ids, asked, None if sure is None else session.learner.modules[sure], post, cancelled)
    if rows is None:
        return None
    return m.Completed(
        NOWHERE,
        tuple(row.ended for row in rows),
        len(ids),
        sum(row.tokens for row in rows),
        session.store.journal.last_seq,
        None if sure is None else state.lesson(sure).number,
        notes=notes,
    )


def _encoded(session: Session, turns: History, prompt: str) -> list[int]:
    lm = session.model
    limit = min(lm.window, session.settings.window)
    encoded = lm.encode_prompt(turns, prompt, room=1, limit=limit, at=time.time())
    if encoded.dropped_turns or encoded.cut_prompt:
        raise RefusedError(
            f"the model takes {plural(limit, 'token')}, and the messages are longer; leave out the oldest",
            name="context_length_exceeded",
        )
    return encoded.ids


def _sampling(session: Session, asked: m.Complete, used: int) -> Sampling:
    from theta_tui.model.generate import Sampling

    own = session.settings
    heat = own.temperature if asked.temperature is None else asked.temperature
    most = min(UNLIMITED if asked.max_tokens is None else asked.max_tokens, MOST_TOKENS // asked.count)
    return Sampling(
        temperature=heat if heat >= COLDEST else 0.0,
        top_p=max(LEAST_TOP_P, own.top_p if asked.top_p is None else asked.top_p),
        top_k=own.top_k,
        min_p=own.min_p,
        max_tokens=max(1, min(most, min(session.model.window, own.window) - used)),
        count=asked.count,
    )


def _written(
    session: Session,
    ids: list[int],
    asked: m.Complete,
    module: LessonModule | None,
    post: Callable[[Event], None],
    cancelled: Callable[[], bool],
) -> list[Choice] | None:
    from theta_tui.model import choices

    lm, seed = session.model, session.settings.seed if asked.seed is None else asked.seed
    reporter = _Reporter(lm, asked.count, post)
    rows = choices.complete(
        lm,
        ids,
        _sampling(session, asked, len(ids)),
        seed=None if seed is None else seed % 2**63,
        module=module,
        stop=asked.stop,
        alternatives=asked.alternatives,
        report=reporter.report,
        cancelled=cancelled,
    )
    if rows is not None:
        reporter.report(rows, at_once=True)
    return rows


class _Reporter:
    """Posts what was added to the choices since the last time."""

    def __init__(self, lm: LanguageModel, count: int, post: Callable[[Event], None]) -> None:
        self._lm = lm
        self._post = post
        self._texts = [""] * count
        self._tokens = [0] * count
        self._at = -math.inf

    def report(self, rows: Sequence[Choice], *, at_once: bool = False) -> None:
        if not at_once and time.monotonic() - self._at < PIECES_SECONDS:
            return
        from theta_tui.model.choices import alone

        certain = [index for index in range(len(rows)) if at_once or alone(rows, index)]
        pieces = tuple(piece for index in certain if (piece := self._piece(index, rows[index])) is not None)
        if pieces:
            self._at = time.monotonic()
            self._post(m.Wrote(NOWHERE, pieces))

    def _piece(self, index: int, row: Choice) -> m.Piece | None:
        known, count = self._texts[index], self._tokens[index]
        text, tokens = row.settled, row.measured[count:]
        if not text.startswith(known):
            text = known  # some tokenizers write a token otherwise once the next one is there
        if text == known and not tokens:
            return None
        self._texts[index], self._tokens[index] = text, count + len(tokens)
        measured = tuple(
            m.Token(self._spelled(token), logprob, tuple((self._spelled(other), nats) for other, nats in others))
            for token, logprob, others in tokens
        )
        return m.Piece(index, text[len(known) :], measured)

    def _spelled(self, token: int) -> str:
        return self._lm.chat.spelled([token])


def _with_care(
    lm: LanguageModel, ids: list[int], asked: m.Complete, module: LessonModule, cancelled: Callable[[], bool]
) -> list[tuple[str, int, bool]] | None:
    """(text, tokens, whether it ended) of each reply; whole, whatever limits the program sets."""
    from theta_tui.model.generate import propose

    seed = 0 if asked.seed is None else asked.seed % 2**63
    sampling = caring(asked.count)
    found = propose(lm, ids, sampling, seed=seed, care=module, accept=is_whole, cancelled=cancelled)
    if found == []:  # better one that is not whole than another tone
        found = propose(lm, ids, sampling, seed=seed, care=module, cancelled=cancelled)
    return None if found is None else [(reply.text, reply.tokens, reply.ended) for reply in found]
