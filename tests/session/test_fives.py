"""Five others are asked for: the earlier fives stay, and a pick from one of them is a pick like any other."""

from __future__ import annotations

import pytest

from tests.support.sessions import Open, same, state
from theta_tui.base.errors import PromptError
from theta_tui.session.session import FIVES_KEPT, Session
from theta_tui.store import pending
from theta_tui.store.records import Exchange, Pending


def offered(session: Session, prompt: str = "hello", *, again: int = 0) -> Pending:
    """`prompt` was said, and others were asked for so many times."""
    waiting = session.propose(prompt)
    for _ in range(again):
        waiting = session.propose(prompt, again=True)
    assert waiting is not None
    return waiting


def last(session: Session) -> Exchange:
    """The newest exchange of the journal."""
    return next(e.record for e in reversed(session.store.journal.entries) if isinstance(e.record, Exchange))


def test_a_pick_of_an_earlier_five_teaches_as_it_would_have_before_and_keeps_the_five_it_was_among(start: Open) -> None:
    session = start()
    first = offered(session)
    session.pick(2)
    before = state(session)
    session.undo()
    newer = session.propose("hello", again=True)
    assert newer is not None
    assert newer.earlier[-1].candidates == first.candidates
    outcome = session.pick(2, prompt_id=newer.earlier[-1].prompt_id)
    assert same(before, session)
    taught = last(session)
    assert (taught.candidates, taught.pick) == (first.candidates, 2)
    assert taught.prompt_id == newer.earlier[-1].prompt_id
    assert outcome.reply == first.candidates[1].text
    assert session.pending is None
    session.close()


def test_every_five_is_another_one_is_kept_on_disk_and_can_be_answered_by_its_id(start: Open) -> None:
    session = start()
    waiting = offered(session, again=2)
    texts = [candidate.text for five in waiting.fives for candidate in five.candidates]
    assert len(waiting.fives) == 3
    assert len({text.casefold() for text in texts}) == len(texts) == 15
    session.close()
    again = start()
    assert again.pending == waiting
    assert again.store.waiting(waiting.earlier[1].prompt_id).candidates == waiting.earlier[1].candidates
    with pytest.raises(PromptError, match="was answered or replaced"):
        again.store.waiting("beef")
    again.store.say(waiting.earlier[0].prompt_id)
    turn = again.store.state.turns[-1]
    assert (turn.prompt, turn.reply) == ("hello", waiting.earlier[0].candidates[0].text)
    pending.save(again.store.home.pending, waiting)  # a crash left the file behind
    again.close()
    other = start()
    assert other.pending is None
    other.close()


def test_undo_brings_all_the_fives_back_and_redo_answers_them(start: Open) -> None:
    session = start()
    waiting = offered(session, again=1)
    session.pick(3, prompt_id=waiting.earlier[0].prompt_id)
    after = state(session)
    session.undo()
    assert session.pending is not None
    fives = {five.candidates for five in session.pending.fives}
    assert fives == {five.candidates for five in waiting.fives}
    assert session.pending.candidates == waiting.earlier[0].candidates
    session.redo()
    assert session.pending is None
    assert same(after, session)
    session.undo()
    session.store.say(session.pending.earlier[0].prompt_id)
    assert session.store.state.undone is None, "the conversation would have the prompt twice"
    session.close()


def test_the_fives_that_are_kept_are_bounded(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FIVES_KEPT >= 10
    monkeypatch.setattr("theta_tui.session.session.FIVES_KEPT", 2)
    session = start()
    assert len(offered(session, again=4).fives) == 3
    session.close()


def test_a_prompt_that_another_one_replaces_stays_in_the_conversation_without_an_answer(start: Open) -> None:
    session = start()
    offered(session, "who are you?", again=1)
    offered(session, "and you?")
    session.store.begin_conversation()
    nones = [e.record for e in session.store.journal.entries if isinstance(e.record, Exchange)]
    assert [(one.kind, one.prompt) for one in nones] == [("none", "who are you?"), ("none", "and you?")]
    assert session.pending is None
    assert session.store.state.beside() == ()
    offered(session, "yes")
    offered(session, "no")
    assert [one.prompt for one in session.store.state.beside()] == ["yes"]
    session.close()
