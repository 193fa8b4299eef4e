"""The session on a real, tiny model: coming back and taking back are exact to the bit, and nothing is half done."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.session.conftest import opened
from tests.support.sessions import PAIRS, Open, answer, break_steps, same, state
from tests.support.tiny_models import equal, make_tiny, weights
from theta_tui.base.config import Settings
from theta_tui.base.errors import ModelError, PromptError
from theta_tui.model.language_model import LanguageModel
from theta_tui.pretrain import documents
from theta_tui.session.session import Session
from theta_tui.store.records import Asked, Learned
from theta_tui.store.store import Store

pytestmark = pytest.mark.usefixtures("short_lessons")


def test_coming_back_learns_the_lessons_again_to_the_bit(start: Open) -> None:
    session = start()
    for prompt, reply in PAIRS[:3]:
        answer(session, prompt, reply)
    session.propose(PAIRS[3][0])
    session.pick(2)
    before = state(session)
    told = [lesson.outcome for lesson in session.store.state.active]
    session.close()
    again = start()
    assert same(before, again)
    assert [lesson.outcome for lesson in again.store.state.active] == told
    assert sum(isinstance(entry.record, Learned) for entry in again.store.journal.entries) == len(told)
    assert not [notice for notice in again.store.take_notices() if "exact" in notice]
    again.close()


def test_a_model_that_draws_numbers_draws_the_same_ones_when_it_learns_a_lesson_again(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = LanguageModel.load.__func__  # type: ignore[attr-defined]

    def noisy(cls: type[LanguageModel], *given: Any, **how: Any) -> LanguageModel:
        lm: LanguageModel = load(cls, *given, **how)
        lm.model.lm_head.register_forward_hook(lambda module, into, found: found + 0.1 * torch.randn_like(found))
        return lm

    monkeypatch.setattr(LanguageModel, "load", classmethod(noisy))
    session = start()
    for (prompt, reply), recipe in zip(PAIRS[:3], ("default", "adamw", "default"), strict=True):
        session.settings = replace(session.settings, recipe=recipe)
        session.teach(prompt, reply)
    before = state(session)
    session.close()
    again = start()
    assert same(before, again)
    again.close()


def test_coming_back_from_a_checkpoint_is_the_same_to_the_bit(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    answer(session, *PAIRS[1])
    session.save()
    assert session.unsaved == 0
    answer(session, *PAIRS[2])
    before = state(session)
    session.close()
    again = start()
    assert same(before, again)
    assert again.unsaved == 1
    answer(again, *PAIRS[3])
    after = state(again)
    again.close()
    third = start()
    assert same(after, third)
    third.close()


@pytest.mark.parametrize("saved", [False, True], ids=["from memory", "from a checkpoint"])
def test_undo_is_bit_equal_to_never_having_taught_it(start: Open, saved: bool) -> None:
    session = start()
    answer(session, *PAIRS[0])
    if saved:
        session.save()
    before = state(session)
    context = session.settings.context_path.read_bytes()
    answer(session, *PAIRS[1])
    if saved:
        session.save()
        session.close()
        session = start()
    assert not same(before, session)
    session.undo()
    assert same(before, session)
    assert session.settings.context_path.read_bytes() == context
    answer(session, *PAIRS[2])
    after = state(session)
    session.close()
    again = start()
    assert same(after, again)
    again.close()


def test_everything_can_be_undone_down_to_the_base_model(start: Open) -> None:
    session = start()
    base = state(session)
    for prompt, reply in PAIRS:
        answer(session, prompt, reply)
    for _ in PAIRS:
        session.undo()
    assert same(base, session)
    with pytest.raises(PromptError, match="nothing to undo"):
        session.undo()
    session.close()


def test_classic_and_default_lessons_mix_and_come_back(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    session.settings = replace(session.settings, recipe="classic")
    outcome = answer(session, *PAIRS[1])
    assert outcome.steps == 1
    answer(session, *PAIRS[2])
    before = state(session)
    session.close()
    again = start()
    assert same(before, again)
    again.close()


def test_a_lesson_that_a_crash_cut_short_is_learned_once_at_the_next_start(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = start()
    answer(uninterrupted, *PAIRS[0])
    answer(uninterrupted, *PAIRS[1])
    expected = state(uninterrupted)
    for _ in range(2):
        uninterrupted.undo()
    uninterrupted.store.keep(None)
    uninterrupted.close()

    session = start()
    answer(session, *PAIRS[0])

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    session.propose(PAIRS[1][0])
    with monkeypatch.context() as crash:
        break_steps(crash, killed)
        with pytest.raises(Killed):
            session.correct(PAIRS[1][1])
    session.close()
    again = start()
    assert any("interrupted" in notice for notice in again.store.take_notices())
    assert equal(expected[0], weights(again.model))
    assert again.pending is None
    assert isinstance(again.store.journal.entries[-1].record, Learned)
    records = again.store.journal.last_seq
    again.close()
    third = start()
    assert third.store.journal.last_seq == records
    assert equal(expected[0], weights(third.model))
    third.close()


def test_a_lesson_learned_elsewhere_is_replayed_and_said_to_be_inexact(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    with monkeypatch.context() as other:
        other.setattr(type(session.model), "machine", lambda self: "another machine")
        answer(session, *PAIRS[0])
    assert any(
        isinstance(e.record, Learned) and e.record.machine == "another machine" for e in session.store.journal.entries
    )
    session.close()
    again = start()
    assert any("not bit-exact" in notice for notice in again.store.take_notices())
    again.close()


def test_regenerating_offers_other_replies(start: Open) -> None:
    session = start()
    first = session.propose("hello")
    again = session.propose("hello", again=True)
    assert first is not None
    assert again is not None
    assert not {item.text for item in first.candidates} & {item.text for item in again.candidates}
    assert again.prompt_id != first.prompt_id
    session.close()


def test_a_seed_makes_the_five_replies_repeatable(start: Open) -> None:
    session = start()
    first = session.propose("hello")
    second = session.propose("hello")
    assert first is not None
    assert second is not None
    assert first.candidates == second.candidates
    session.close()


def test_asking_changes_nothing(start: Open, settings: Settings) -> None:
    session = start()
    answer(session, *PAIRS[0])
    before = state(session)
    seq = session.store.journal.last_seq
    alone, within = (session.ask("hello", with_context=context) for context in (False, True))
    assert alone.logprob != within.logprob
    assert same(before, session)
    assert session.store.journal.last_seq == seq
    session.close()


def test_a_better_reply_to_the_last_turn_takes_its_place(start: Open) -> None:
    session = start()
    with pytest.raises(PromptError, match="no turn"):
        session.correct_last("x")
    answer(session, *PAIRS[0])
    outcome = session.correct_last("no, you did")
    assert outcome.prompt == PAIRS[0][0]
    assert [turn.reply for turn in session.store.state.turns] == ["no, you did"]
    session.close()


def test_a_turn_that_a_file_brought_can_be_corrected_too(start: Open, settings: Settings) -> None:
    settings.home.mkdir()
    settings.context_path.write_text("<|user|> a <|assistant|> b\n<|user|> c <|assistant|> d\n")
    session = start()
    session.correct_last("e f")
    assert session.store.state.history == (("a", "b"), ("c", "e f"))
    assert session.store.state.lessons[0].context == (("a", "b"),)
    session.undo()
    assert session.store.state.history == (("a", "b"), ("c", "d"))
    session.close()


def test_a_home_refuses_another_model(start: Open, settings: Settings, tmp_path: Path) -> None:
    start().close()
    other = make_tiny(tmp_path / "other", seed=5)
    session = Session(Store.open(replace(settings, model=str(other))))
    with pytest.raises(ModelError, match="--model"):
        session.load()
    session.close()


def test_a_model_that_changed_under_its_name_is_refused_and_the_lessons_are_named(
    settings: Settings, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    settings = replace(settings, model=str(folder))

    session = opened(settings)
    session.teach(*PAIRS[0])
    session.close()
    make_tiny(folder, seed=5)
    with pytest.raises(ModelError, match=r"has changed since .* --home DIR; .*journal\.jsonl"):
        opened(settings)
    [document] = documents.read(settings.home / "journal.jsonl")
    assert [text for _, text in document.turns] == list(PAIRS[0])


def test_asking_again_finds_what_was_taught_and_moves_nothing(start: Open) -> None:
    session = start()
    for prompt, reply in PAIRS:
        answer(session, prompt, reply)
    before = state(session)
    rows = session.quiz()
    assert same(before, session)
    for row in rows:
        assert row.fresh
        assert row.says == (session.ask_lesson(row.number).reply == row.reply)
    asked = [entry for entry in session.store.journal.entries if isinstance(entry.record, Asked)]
    assert len(asked) == 1
    session.close()
    again = start()
    assert same(before, again)
    assert [row.p_now for row in again.review.rows()] == [row.p_now for row in rows]
    assert list(again.review.slices()) == [], "nothing was taught since"
    again.close()


def test_undo_brings_back_what_was_known_before_too(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    answer(session, *PAIRS[1])
    for _ in session.idle():
        pass  # a lesson that is not said yet goes on
    session.quiz()
    known = session.review.rows()
    answer(session, *PAIRS[2])
    for _ in session.idle():
        pass
    session.undo()
    assert session.review.rows()[:2] == known
    assert session.review.alarm is None
    session.close()
