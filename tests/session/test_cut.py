"""A reply that the token limit cut: marked, continued, and learned without an end that it did not have."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from msgspec import structs

from tests.session.conftest import Open
from tests.support.sessions import same, state
from theta_tui.base.errors import PromptError, TeachError
from theta_tui.learning import recall
from theta_tui.session.continuing import go_on
from theta_tui.session.session import Session
from theta_tui.session.teaching import earlier_answers
from theta_tui.store.records import Exchange, Pending, Said
from theta_tui.store.trl import completions, preferences


def cut(session: Session, index: int = 2) -> Pending:
    """Five replies of which `index` was cut, and no other."""
    session.settings = replace(session.settings, max_tokens=3)
    found = session.propose("who made you?")
    assert found is not None
    waiting = structs.replace(
        found, candidates=tuple(structs.replace(one, ended=one.index != index) for one in found.candidates)
    )
    session.store.keep(waiting)
    return waiting


def test_a_pick_of_one_trains_no_end_token_and_a_replay_does_the_same_to_the_bit(start: Open) -> None:
    session = start()
    cut(session)
    seen: list[bool] = []
    encode = session.model.chat.encode_lesson

    def noted(*given: object, **how: object) -> object:
        example = encode(*given, **how)  # type: ignore[arg-type]
        seen.append(example.input_ids[-1] == session.model.chat.turn_end)
        return example

    session.model.chat.encode_lesson = noted  # type: ignore[method-assign,assignment]
    outcome = session.pick(2)
    others = len(session.store.state.last.exchange.candidates) - 1  # type: ignore[union-attr]
    assert seen.count(False) == len(seen) - 1 - 2 * others  # the first look asks whether it fits at all
    exchange = session.store.state.lesson(session.store.state.last.seq).exchange  # type: ignore[union-attr]
    assert exchange.cut
    p = recall.score(session.model, (), exchange.prompt, exchange.reply, ended=False).p
    assert outcome.p_after == pytest.approx(p, rel=1e-4)
    before = state(session)
    session.close()
    again = start()
    assert same(before, again)
    assert again.store.state.turns[-1].shown.endswith(" …")
    again.close()


def test_a_record_of_before_is_learned_with_its_end_as_it_was(start: Open) -> None:
    """Earlier versions wrote no `cut`, and taught an end to a reply that had none."""
    session = start()
    cut(session)
    session.store.keep(structs.replace(session.store.waiting(), prompt_id="one"))
    exchange = session._exchange(
        "pick", "who made you?", session.store.waiting().candidates[1].text, session.pending, pick=2
    )
    assert not exchange.cut
    session.learn(exchange)
    with_end = state(session)
    session.undo()
    session.pick(2)
    assert any(not torch.equal(one, other) for one, other in zip(with_end[0], state(session)[0], strict=True))
    session.close()


def test_one_that_was_only_said_stays_marked(start: Open) -> None:
    session = start()
    cut(session, 1)
    session.store.say()
    record = session.store.journal.entries[-1].record
    assert isinstance(record, Said)
    assert record.cut
    turn = session.store.state.turns[-1]
    assert turn.cut
    assert turn.shown == f"{turn.reply} …"
    session.close()


def test_it_goes_on_where_it_was_cut_and_the_others_stay(start: Open) -> None:
    session = start()
    waiting = cut(session)
    heard: list[tuple[tuple[str, bool], ...]] = []
    longer = go_on(session, 2, on_progress=heard.append)
    assert longer is not None
    assert session.pending == longer
    old, new = waiting.candidates[1], longer.candidates[1]
    assert new.text.startswith(old.text)
    assert len(new.text) > len(old.text) or new.ended
    assert [one for one in longer.candidates if one.index != 2] == [one for one in waiting.candidates if one.index != 2]
    assert longer.prompt_id == waiting.prompt_id
    with pytest.raises(TeachError, match="reply 1 is whole"):
        go_on(session, 1)
    with pytest.raises(TeachError, match="there is no reply 6"):
        go_on(session, 6)
    assert go_on(session, 2, cancelled=lambda: True) is None if not new.ended else True
    session.store.pass_over()
    with pytest.raises(PromptError):
        go_on(session, 1)
    session.close()


def test_what_was_cut_is_neither_rehearsed_nor_exported(start: Open) -> None:
    session = start()
    cut(session)
    session.pick(2)
    session.teach("and you?", "I am fine")
    state = session.store.state
    assert earlier_answers(state, state.lessons[-1], 4) == []
    assert [row["completion"][0]["content"] for row in completions(state)] == ["I am fine"]
    assert not any(row["prompt"][-1]["content"] == "who made you?" for row in preferences(state))
    kinds = [entry.record.kind for entry in session.store.journal.entries if isinstance(entry.record, Exchange)]
    assert kinds == ["pick", "correction"]
    session.close()


def test_one_of_an_earlier_five_goes_on_there(start: Open) -> None:
    session = start()
    waiting = cut(session)
    newest = session.propose(waiting.prompt, again=True)
    assert newest is not None
    longer = go_on(session, 2, prompt_id=waiting.prompt_id)
    assert longer is not None
    assert session.pending is not None
    assert session.pending.candidates == newest.candidates
    assert session.pending.earlier[0].candidates == longer.candidates
    assert longer.candidates[1].text.startswith(waiting.candidates[1].text)
    session.close()
