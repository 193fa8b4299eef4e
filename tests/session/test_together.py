"""Several people who wait for replies at the same time: written in one batch, and each gets what is theirs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.session.conftest import Open
from tests.support.services import Caller
from theta_tui.base.errors import ModelError
from theta_tui.model import generate, measured
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.session.idle import IdleRunner
from theta_tui.session.replies import Turn
from theta_tui.session.service import Service
from theta_tui.session.session import Session

PROMPTS = {"Ada": "hello", "Zoë": "What is your name?", "": "How are you?"}
Ends = list[tuple[str, str]]


@pytest.fixture
def session(start: Open) -> Session:
    return start()


@pytest.fixture
def serve(session: Session) -> Callable[..., Ends]:
    """Serves turns; returns how each ended, and for whom."""
    events: list[p.Event] = []
    service = Service(session, events.append, Caller(), IdleRunner(60.0))

    def served(*turns: Turn) -> Ends:
        events.clear()
        service.serve(*turns)
        return [(type(event).__name__, event.snapshot.who) for event in events if not isinstance(event, p.Streaming)]

    return served


def waiting(session: Session, who: str) -> tuple[str, list[str]] | None:
    with session.store.speaking(who):
        found = session.pending
    return None if found is None else (found.prompt, [candidate.text for candidate in found.candidates])


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many people's rows were written in each batch."""
    found: list[int] = []
    write = generate.write

    def counted(lm: generate.LanguageModel, *tasks: generate.Task) -> None:
        found.append(len(tasks))
        write(lm, *tasks)

    monkeypatch.setattr(generate, "write", counted)
    return found


def test_each_gets_five_replies_to_their_own_prompt_from_one_batch(
    session: Session, serve: Callable[..., Ends], batches: list[int]
) -> None:
    turns = [Turn(c.Propose(prompt), who=who) for who, prompt in PROMPTS.items()]
    assert sorted(serve(*turns)) == sorted(("Proposed", who) for who in PROMPTS)
    assert batches[0] == 3
    for who, prompt in PROMPTS.items():
        found = waiting(session, who)
        assert found is not None
        assert found[0] == prompt
        assert len(set(found[1])) == 5
    batches.clear()
    assert serve(turns[0]) == [("Proposed", "Ada")]
    assert set(batches) == {1}


def test_the_speed_of_a_model_is_noted_by_who_was_alone(
    serve: Callable[..., Ends], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[int] = []
    monkeypatch.setattr(measured, "note_speed", lambda _, tokens, seconds: noted.append(tokens))
    serve(Turn(c.Propose("hello"), who="Ada"), Turn(c.Propose("hello"), who="Zoë"))
    assert noted == [], "the time was that of both"
    serve(Turn(c.Propose("hello"), who="Ada"))
    assert len(noted) == 1


def test_an_error_of_one_is_no_matter_of_the_others(session: Session, serve: Callable[..., Ends]) -> None:
    turns = [Turn(c.Propose("  "), who="Ada"), Turn(c.Propose("hello"), who="Zoë"), Turn(c.Propose("hello"))]
    assert serve(*turns) == [("Failed", "Ada"), ("Proposed", "Zoë"), ("Proposed", "")]
    assert waiting(session, "Ada") is None
    assert waiting(session, "Zoë") is not None


def test_who_cancels_is_told_and_the_others_go_on(session: Session, serve: Callable[..., Ends]) -> None:
    turns = [Turn(c.Propose("hello"), lambda: True, who="Ada"), Turn(c.Propose("hello"), who="Zoë")]
    assert sorted(serve(*turns)) == [("Cancelled", "Ada"), ("Proposed", "Zoë")]
    assert waiting(session, "Ada") is None


def test_where_the_batch_fails_each_is_told(
    session: Session, serve: Callable[..., Ends], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ModelError("the model answers with values that are not numbers")

    monkeypatch.setattr(generate, "write", failing)
    assert serve(Turn(c.Propose("hello"), who="Ada"), Turn(c.Propose("hello"))) == [("Failed", "Ada"), ("Failed", "")]
    assert waiting(session, "Ada") is waiting(session, "") is None
