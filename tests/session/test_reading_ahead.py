"""While nobody asks for anything, the conversation is read, so that replies to the next prompt begin at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.session.conftest import Open
from theta_tui.session.session import Session

pytestmark = pytest.mark.usefixtures("short_lessons")


@pytest.fixture
def session(start: Open) -> Any:
    session = start()
    for prompt in ("hello", "how are you", "what is your name"):
        assert session.propose(prompt) is not None
        session.correct("my friend")
    yield session
    session.close()


def read_by(session: Session, monkeypatch: pytest.MonkeyPatch, prompt: str) -> tuple[int, list[float]]:
    """How many tokens the model reads for the replies to `prompt`, and what it thinks of the replies."""
    read: list[int] = []
    decoder: Any = session.model.decoder
    run = decoder.run

    def counted(tokens: list[int], *others: Any, last: bool, **more: Any) -> Any:
        if last:
            read.append(len(tokens))
        return run(tokens, *others, last=last, **more)

    with monkeypatch.context() as patch:
        patch.setattr(decoder, "run", counted)
        waiting = session.propose(prompt)
    assert waiting is not None
    return sum(read), [candidate.logprob for candidate in waiting.candidates]


def test_after_idle_time_only_the_prompt_is_read(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(session.model.encode_prompt(session.store.state.history, "who are you", room=8).ids)
    alone = len(session.model.encode_prompt((), "who are you", room=8).ids)
    for _ in session.idle():
        pass
    read, ahead = read_by(session, monkeypatch, "who are you")
    assert read <= alone < whole
    del session.model.__dict__["decoder"]
    read, afresh = read_by(session, monkeypatch, "who are you")
    assert read == whole
    assert ahead == pytest.approx(afresh, abs=1e-4)


def test_the_conversation_of_who_spoke_last_is_read(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = len(session.model.encode_prompt((), "who are you", room=8).ids)
    for who in ("Ada", ""):
        with session.store.speaking(who):
            session.propose("good day")
            session.correct("my friend")
        for _ in session.idle():
            pass
        with session.store.speaking(who):
            assert read_by(session, monkeypatch, "who are you")[0] <= alone


def test_a_lesson_with_weights_of_its_own_leaves_what_was_read_as_it_is(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in session.idle():
        pass
    session.teach("who is there", "a friend")
    alone = len(session.model.encode_prompt((), "and what did they do then", room=8).ids)
    assert read_by(session, monkeypatch, "and what did they do then")[0] <= alone


@pytest.mark.parametrize("moved", ["taught", "undone"])
def test_a_lesson_or_its_undo_makes_it_read_everything_again(
    session: Session, monkeypatch: pytest.MonkeyPatch, moved: str
) -> None:
    session.settings = replace(session.settings, recipe="adamw")
    if moved == "undone":
        session.teach("who is there", "a friend")
    for _ in session.idle():
        pass
    if moved == "taught":
        session.teach("who is there", "a friend")
    else:
        session.undo()
    whole = len(session.model.encode_prompt(session.store.state.history, "who are you", room=8).ids)
    assert read_by(session, monkeypatch, "who are you")[0] == whole


def test_what_was_read_ahead_is_not_read_ahead_again(session: Session) -> None:
    assert len(list(session.idle())) > len(list(session.review.slices()))
    assert list(session.idle()) == []
