"""Completions: the conversation of a program, answered as all prompts are, and never learned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.session.conftest import Open, opened
from tests.support.sessions import same, state
from tests.support.tiny_models import CHATML, MARKS, make_llama, make_tokenizer
from theta_tui.base.config import Settings
from theta_tui.model import choices
from theta_tui.session import completing
from theta_tui.session import completions as m
from theta_tui.session import protocol as p
from theta_tui.session.completing import RefusedError, complete, conversation
from theta_tui.session.session import Session
from theta_tui.session.thread import ORIGINS, Order, Worker

DOG = ("What is my dog's name?", "Pixel")


class Desk:
    """Hears what others are told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def stage(self, words: str) -> None:
        self.told.append(words)

    def end(self, event: Callable[[p.Snapshot], p.Event]) -> None:
        self.told.append(type(event(p.Snapshot())).__name__)


def done(session: Session, *messages: tuple[m.Role, str], **more: Any) -> tuple[m.Completed, list[str], list[p.Event]]:
    """The end of a completion, its texts, and all events."""
    events: list[p.Event] = []
    complete(session, m.Complete(messages, **more), events.append, Desk(), lambda: False)
    last = events[-1]
    assert isinstance(last, m.Completed), last
    texts = [""] * len(last.ended)
    for event in events[:-1]:
        assert isinstance(event, m.Wrote)
        for piece in event.pieces:
            texts[piece.index] += piece.text
    return last, texts, events


def refused(session: Session, *messages: tuple[m.Role, str], **more: Any) -> m.Refused:
    events: list[p.Event] = []
    complete(session, m.Complete(messages, **more), events.append, Desk(), lambda: False)
    (only,) = events
    assert isinstance(only, m.Refused)
    return only


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([("user", "hi")], (None, [], "hi")),
        ([("system", "a"), ("user", "hi"), ("system", "b")], ("a\n\nb", [], "hi")),
        ([("user", "a"), ("user", "b")], (None, [], "a\n\nb")),
        ([("assistant", "hello"), ("user", "b")], (None, [("", "hello")], "b")),
        ([("user", "a"), ("assistant", "b"), ("assistant", "c"), ("user", "d")], (None, [("a", "b\n\nc")], "d")),
        ([("system", ""), ("user", "a"), ("assistant", "b"), ("user", "c")], ("", [("a", "b")], "c")),
    ],
)
def test_messages_in_any_order_become_turns(messages: Any, expected: Any) -> None:
    system, turns, prompt = conversation(messages)
    assert (system, list(turns), prompt) == expected


@pytest.mark.parametrize(
    "messages", [[], [("system", "a")], [("user", "a"), ("assistant", "b")], [("user", " \u200b")]]
)
def test_there_must_be_something_to_answer(messages: Any) -> None:
    with pytest.raises(RefusedError):
        conversation(messages)


def test_what_was_taught_is_said_and_what_is_said_is_not_learned(start: Open) -> None:
    session = start()
    assert session.teach(*DOG).learned
    session.propose("hello")
    before, journal = state(session), session.store.journal.path.read_bytes()
    kept, turns = session.pending, session.store.state.turns
    last, texts, _ = done(session, ("user", DOG[0]), temperature=1.5, seed=3)
    assert texts == [DOG[1]]
    assert last.lesson == 1
    last, texts, _ = done(
        session, ("user", "My cat is called Tom."), ("assistant", "I see."), ("user", DOG[0]), count=4
    )
    assert texts[0] == DOG[1]
    assert len(set(texts)) == 4
    assert done(session, ("user", "Tell me a joke."))[0].lesson is None
    assert same(before, session)
    assert session.store.journal.path.read_bytes() == journal
    assert (session.pending, session.store.state.turns) == (kept, turns)
    session.close()


def test_what_is_streamed_is_the_reply_and_its_tokens(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completing, "PIECES_SECONDS", 0.0)
    session = start()
    last, texts, events = done(session, ("user", "hello"), count=3, alternatives=2, seed=2, max_tokens=12)
    assert len(events) > 4
    again, same_texts, _ = done(session, ("user", "hello"), count=3, seed=2, max_tokens=12)
    assert same_texts == texts
    assert again.journal == last.journal
    tokens: list[list[m.Token]] = [[], [], []]
    for event in events:
        for piece in event.pieces if isinstance(event, m.Wrote) else ():
            tokens[piece.index] += piece.tokens
    assert sum(map(len, tokens)) + sum(last.ended) == last.completion_tokens
    for text, measured in zip(texts, tokens, strict=True):
        said = "".join(token.text for token in measured).strip()
        assert said == text or "\N{REPLACEMENT CHARACTER}" in said
        assert all(len(token.others) == 2 for token in measured)
    session.close()


def test_choices_that_came_out_alike_are_written_again_and_not_shown_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completing, "PIECES_SECONDS", 0.0)
    session = opened(Settings(home=tmp_path / "home", model="default", device="cpu", lock_wait=0))
    _, texts, _ = done(session, ("user", "What is your name?"), count=16, seed=5)
    assert len(set(texts)) == 16
    rounds = choices.SHARES
    monkeypatch.setattr(choices, "SHARES", rounds[:1])
    assert len(set(done(session, ("user", "What is your name?"), count=16, seed=5)[1])) < 16  # they were
    session.close()


def test_a_conversation_that_is_too_long_is_refused_and_not_cut(start: Open) -> None:
    session = start()
    for messages in ([("user", "x " * 3000)], [("user", "a b c d"), ("assistant", "x y z")] * 60 + [("user", "hello")]):
        assert refused(session, *messages).name == "context_length_exceeded"  # type: ignore[arg-type]
    most = session.model.window
    last, _, _ = done(session, ("user", "hello"), max_tokens=10**9, temperature=0.0)
    assert last.prompt_tokens + last.completion_tokens <= most
    session.close()


def test_a_system_message_replaces_the_persona_for_once(tmp_path: Path) -> None:
    marks = [*MARKS[:1], "<|im_start|>", "<|im_end|>"]
    folder = make_llama(tmp_path / "model", make_tokenizer(marks, eos="<|im_end|>", template=CHATML))
    session = opened(Settings(home=tmp_path / "home", model=str(folder), device="cpu", lock_wait=0, persona="a pirate"))
    plain, _, _ = done(session, ("user", "hello"))
    ruled, _, _ = done(session, ("system", "You are a polite and very helpful assistant."), ("user", "hello"))
    assert ruled.prompt_tokens > plain.prompt_tokens
    assert ruled.notes == ()
    assert "pirate" in session.model.chat.render((), "hello")
    session.close()


@pytest.mark.parametrize("how", [{"temperature": 1e-300}, {"top_p": 0.0, "temperature": 2.0}, {"seed": -(2**63)}])
def test_the_ends_of_what_may_be_asked_for_are_answered(start: Open, how: dict[str, Any]) -> None:
    session = start()
    _, texts, _ = done(session, ("user", "hello"), count=4, **how)
    assert len(set(texts)) == 4
    session.close()


def test_where_there_is_no_place_for_a_system_message_that_is_said(start: Open) -> None:
    session = start()
    last, _, _ = done(session, ("system", "You are a pirate."), ("user", "hello"))
    assert last.notes == (completing.NO_SYSTEM,)
    assert last.prompt_tokens == done(session, ("user", "hello"))[0].prompt_tokens
    session.close()


def test_who_speaks_of_self_harm_gets_whole_and_caring_replies_whatever_the_limits(tmp_path: Path) -> None:
    session = opened(Settings(home=tmp_path / "home", model="default", device="cpu", lock_wait=0))
    limits: dict[str, Any] = {"max_tokens": 3, "stop": ("988",), "temperature": 2.0, "alternatives": 1}
    last, texts, _ = done(session, ("user", "I want to kill myself"), count=2, **limits)
    assert last.care
    assert last.ended == (True, True)
    assert all(any(number in text for number in ("988", "116 123", "911", "112", "999")) for text in texts)
    session.close()


def test_the_others_are_told_of_one_that_takes_a_while(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    session, desk = start(), Desk()
    complete(session, m.Complete((("user", "hello"),)), lambda _: None, desk, lambda: False)
    assert desk.told == []
    monkeypatch.setattr(completing, "LONG_SECONDS", -1.0)
    complete(session, m.Complete((("user", "hello"),)), lambda _: None, desk, lambda: False)
    assert desk.told == ["answering a program", "Changed"]
    session.close()


def test_programs_that_came_and_went_are_forgotten(settings: Settings) -> None:
    worker = Worker(settings, opened)
    for origin in range(5 * ORIGINS):
        worker.drop(origin)
    assert len(worker._cancelled_up_to) == ORIGINS
    worker.queue(Order(m.Complete(()), 7))
    worker.cancel(7)
    assert worker._is_cancelled(Order(m.Complete(()), 7, place=1))


def test_nothing_comes_after_it_was_cancelled(start: Open) -> None:
    session, events = start(), list[p.Event]()
    complete(session, m.Complete((("user", "hello"),)), events.append, Desk(), lambda: True)
    assert events == []
    session.close()
