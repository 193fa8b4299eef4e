"""The session on a real, tiny model: coming back and taking back are exact to the bit, and nothing is half done."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec import structs

from tests.session.conftest import opened
from tests.support.tiny_models import THETA, equal, make_llama, make_tokenizer, weights
from theta_tui.base import config
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError, ModelError, PromptError, TeachError
from theta_tui.learning.learner import Abandoned, Learner
from theta_tui.learning.optimizer import NotFinite
from theta_tui.model.language_model import LanguageModel
from theta_tui.pretrain import documents
from theta_tui.session.session import Session
from theta_tui.store.records import Asked, Exchange, Failure, Learned, Outcome, Stated
from theta_tui.store.store import Store

PAIRS = [
    ("who made you?", "Dakota did."),
    ("what now?", "tell me more"),
    ("and you?", "I am fine"),
    ("yes", "no maybe"),
]

Open = Callable[[], Session]


def break_steps(patch: pytest.MonkeyPatch, instead: Callable[..., None]) -> None:
    """Let every step of a lesson be `instead`."""
    patch.setattr(Learner, "_take_step", instead)


def answer(session: Session, prompt: str, reply: str) -> Outcome:
    session.propose(prompt)
    return session.correct(reply)


def state(session: Session) -> tuple[list[torch.Tensor], list[torch.Tensor], int]:
    """Weights, moments, the lessons' own weights in their order, and step count."""
    tensors, _ = session.learner.state()
    shared = [tensors[name].clone() for name in sorted(tensors) if not name.startswith("module.")]
    own = [
        tensor.clone() for _, module in sorted(session.learner.modules.items()) for tensor in module.state().values()
    ]
    return weights(session.model), [*shared, *own], session.learner.step


def same(one: tuple[list[torch.Tensor], list[torch.Tensor], int], other: Session) -> bool:
    found = state(other)
    return equal(one[0], found[0]) and equal(one[1], found[1]) and one[2] == found[2]


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


def test_everything_can_be_undone_down_to_the_foundation(start: Open) -> None:
    session = start()
    foundation = state(session)
    for prompt, reply in PAIRS:
        answer(session, prompt, reply)
    for _ in PAIRS:
        session.undo()
    assert same(foundation, session)
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
    assert any("before a crash" in notice for notice in again.store.take_notices())
    assert equal(expected[0], weights(again.model))
    assert again.pending is None
    assert isinstance(again.store.journal.entries[-1].record, Learned)
    records = again.store.journal.last_seq
    again.close()
    third = start()
    assert third.store.journal.last_seq == records
    assert equal(expected[0], weights(third.model))
    third.close()


def test_an_abandoned_lesson_is_no_part_of_the_checkpoint_and_is_learned_later(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    session.propose(PAIRS[1][0])
    before = state(session)
    with pytest.raises(Abandoned):
        session.correct(PAIRS[1][1], should_stop=lambda: True)
    assert same(before, session)
    session.save()
    session.close()
    again = start()
    assert [lesson.outcome is not None for lesson in again.store.state.active] == [True, True]
    assert not same(before, again)
    again.close()


@pytest.mark.parametrize(("recipe", "holds"), [("default", "training_state"), ("adamw", "model")])
@pytest.mark.parametrize("damage", ["cut", "flipped", "zeroed", "linked", "no manifest"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    start: Open, tmp_path: Path, damage: str, recipe: str, holds: str
) -> None:
    session = start()
    session.settings = replace(session.settings, recipe=recipe)
    answer(session, *PAIRS[0])
    session.save()
    answer(session, *PAIRS[1])
    newest = session.save()
    before = state(session)
    session.close()
    file = newest / ("manifest.json" if damage == "no manifest" else f"{holds}.safetensors")
    data = file.read_bytes()
    file.unlink()
    if damage == "linked":
        (tmp_path / "elsewhere").write_bytes(data)
        file.symlink_to(tmp_path / "elsewhere")
    elif damage != "no manifest":
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        file.write_bytes({"cut": data[:-1], "flipped": flipped, "zeroed": bytes(len(data))}[damage])
    again = start()
    assert any(newest.name in notice for notice in again.store.take_notices())
    assert again.unsaved == 1
    assert same(before, again)
    again.close()


def test_a_checkpoint_that_the_journal_does_not_know_is_not_used(start: Open, settings: Settings) -> None:
    session = start()
    answer(session, *PAIRS[0])
    answer(session, *PAIRS[1])
    session.save()
    session.close()
    path = settings.home / "journal.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    again = start()
    assert any("newer than the journal" in notice for notice in again.store.take_notices())
    assert len(again.store.state.active) == 1
    again.close()


def test_a_checkpoint_of_lessons_that_were_lost_is_not_used_once_others_stand_in_their_place(
    start: Open, settings: Settings
) -> None:
    session = start()
    answer(session, *PAIRS[0])
    answer(session, *PAIRS[1])
    session.save()
    session.close()
    path = settings.home / "journal.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    session = start()
    answer(session, *PAIRS[2])
    before = state(session)
    session.close()
    again = start()
    assert any("lessons that the journal does not hold" in notice for notice in again.store.take_notices())
    assert same(before, again)
    again.close()


def test_a_lesson_whose_outcome_cannot_be_written_is_not_acknowledged(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    answer(session, *PAIRS[0])
    waiting = session.propose(PAIRS[1][0])
    before, seq = state(session), session.store.journal.last_seq
    real, calls = os.write, [0]

    def second_write_fails(descriptor: int, data: bytes) -> int:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    with monkeypatch.context() as full:
        full.setattr(os, "write", second_write_fails)
        with pytest.raises(HomeError, match="No space left"):
            session.correct(PAIRS[1][1])
    assert same(before, session)
    assert session.store.journal.last_seq == seq
    assert session.pending == waiting
    assert len(session.store.state.turns) == 1
    assert session.correct(PAIRS[1][1]).lesson == 2
    after = state(session)
    session.close()
    again = start()
    assert same(after, again)
    again.close()


def test_a_lesson_that_fails_leaves_everything_as_it_was_and_the_next_one_works(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    session.propose(PAIRS[0][0])
    before = state(session)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as broken:
        break_steps(broken, fails)
        with pytest.raises(TeachError, match="ran out of memory"):
            session.correct(PAIRS[0][1])
    assert same(before, session)
    assert isinstance(session.store.journal.entries[-1].record, Failure)
    assert session.store.state.turns == []
    outcome = session.correct(PAIRS[0][1])
    assert outcome.loss_after < outcome.loss_before
    after = state(session)
    session.close()
    again = start()
    assert same(after, again)
    again.close()


def test_a_lesson_that_fails_on_a_full_disk_is_as_if_it_had_never_begun(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    session.propose(PAIRS[0][0])
    before, seq, real = state(session), session.store.journal.last_seq, os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"type":"failure"' in bytes(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("out of luck")

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", full)
        break_steps(broken, fails)
        with pytest.raises(RuntimeError, match="out of luck"):
            session.correct(PAIRS[0][1])
    assert same(before, session)
    assert session.store.journal.last_seq == seq
    assert session.store.state.lessons == []
    session.close()
    again = start()
    assert same(before, again)
    again.close()


def test_a_home_that_can_only_be_read_is_not_saved_to(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    session.store.journal.read_only = "a disk is gone"
    with pytest.raises(HomeError, match="a disk is gone"):
        session.save()
    assert not session.store.home.checkpoints.exists()
    session.close()


def test_a_lesson_that_is_not_finite_moves_nothing_and_is_told(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start()
    session.propose(PAIRS[0][0])
    before = state(session)

    def no_number(*_: object, **__: object) -> None:
        raise NotFinite("the gradient was nan")

    with monkeypatch.context() as broken:
        break_steps(broken, no_number)
        outcome = session.correct(PAIRS[0][1])
    assert outcome.skipped is not None
    assert same(before, session)
    assert session.store.state.active == []
    session.close()
    again = start()
    assert same(before, again)
    again.close()


@pytest.mark.parametrize("blank", ["", " \n\t", "\u200b\u2060", "\ufe0f"])
def test_a_blank_text_is_neither_asked_nor_taught(start: Open, blank: str) -> None:
    session = start()
    with pytest.raises(TeachError, match="the prompt is empty"):
        session.propose(blank)
    with pytest.raises(TeachError, match="the question is empty"):
        session.ask(blank)
    session.propose("hello")
    seq = session.store.journal.last_seq
    with pytest.raises(TeachError, match="is empty; nothing was learned"):
        session.correct(blank)
    assert session.store.journal.last_seq == seq
    session.close()


def test_what_cannot_be_stored_is_repaired_with_notice_before_it_is_taught(start: Open) -> None:
    session = start()
    session.propose("  hel\ud800lo\r\n ")
    assert any("replaced" in notice for notice in session.store.take_notices())
    session.correct("well\udfff met ")
    assert any("replaced" in notice for notice in session.store.take_notices())
    turn = session.store.state.turns[-1]
    assert (turn.prompt, turn.reply) == ("hel\ufffdlo", "well\ufffd met")
    session.close()


def test_a_reply_that_does_not_fit_is_refused_before_anything_is_written(start: Open) -> None:
    session = start()
    session.propose("hello")
    seq = session.store.journal.last_seq
    with pytest.raises(TeachError, match="too long"):
        session.correct("fox " * 500)
    assert session.store.journal.last_seq == seq
    assert session.pending is not None
    session.close()


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
    marks = ["<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"]
    other = make_llama(tmp_path / "other", make_tokenizer(marks, eos="<|end|>", template=THETA), seed=5)
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
    make_llama(
        folder,
        make_tokenizer(["<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"], eos="<|end|>", template=THETA),
        seed=5,
    )
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
    session.quiz()
    known = session.review.rows()
    answer(session, *PAIRS[2])
    for _ in session.idle():
        pass
    session.undo()
    assert session.review.rows()[:2] == known
    assert session.review.alarm is None
    session.close()


def test_an_answer_that_is_replaced_is_named_but_not_where_the_person_just_corrected_it(start: Open) -> None:
    session = start()
    answer(session, "and you?", "I am fine")
    session.correct_last("so am I")
    assert not [notice for notice in session.store.take_notices() if "instead of" in notice]
    answer(session, "And you", "yes yes")
    assert session.store.take_notices() == ["#3 answers 'And you' from now on instead of #2"]
    session.close()


def test_a_statement_is_learned_beside_the_conversation(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    context = session.settings.context_path.read_bytes()
    waiting = session.propose("Your creator is Dakota.")
    assert waiting is not None
    assert waiting.statement == Stated("Who is your creator?", "My creator is Dakota.")
    outcome = session.state("Who is your creator?", "Dakota.", said=waiting.prompt)
    assert outcome.kind == "statement"
    assert outcome.steps > 1
    assert outcome.p_after > outcome.p_before
    assert session.settings.context_path.read_bytes() == context
    assert session.pending == structs.replace(waiting, statement=None)
    lesson = session.store.state.lessons[-1]
    assert lesson.exchange.said == "Your creator is Dakota."
    assert lesson.context == ()
    assert not lesson.exchange.conversation
    session.pick(2)
    assert session.pending is None
    assert len(session.store.state.turns) == 2
    before = state(session)
    session.close()
    again = start()
    assert same(before, again)
    again.close()


def test_a_statement_can_be_undone_and_is_then_offered_again(start: Open) -> None:
    session = start()
    before = state(session)
    waiting = session.propose("I live in Oslo.")
    assert waiting is not None
    assert waiting.statement is not None
    session.state(waiting.statement.prompt, waiting.statement.reply, said=waiting.prompt)
    session.undo()
    assert same(before, session)
    assert session.pending == waiting
    session.close()


def test_the_offered_statement_outlives_a_restart_and_other_replies(start: Open) -> None:
    session = start()
    waiting = session.propose("I live in Oslo.")
    session.close()
    again = start()
    assert again.pending == waiting
    others = again.propose("I live in Oslo.", again=True)
    assert waiting is not None
    assert others is not None
    assert others.statement == waiting.statement
    again.close()


def test_a_statement_learned_just_before_a_crash_is_not_offered_again(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    waiting = session.propose("I live in Oslo.")
    assert waiting is not None
    monkeypatch.setattr(Store, "append", _crash_after(Exchange, Store.append))
    with pytest.raises(KeyboardInterrupt):
        session.state("Where do I live?", "You live in Oslo.", said=waiting.prompt)
    monkeypatch.undo()
    session.close()
    again = start()
    assert again.pending == structs.replace(waiting, statement=None)
    assert again.store.state.lessons[-1].outcome is not None
    again.close()


def _crash_after(kind: type, append: Callable[..., object]) -> Callable[..., object]:
    """`append`, and then the end of the process, once a record of `kind` is on disk."""

    def crashing(self: Store, record: object) -> object:
        append(self, record)
        if isinstance(record, kind):
            raise KeyboardInterrupt
        raise AssertionError(record)

    return crashing


def test_statements_can_be_switched_off_and_know_the_question_before(start: Open) -> None:
    session = start()
    answer(session, "what day is it?", "Monday")
    right = session.propose("No, it's Friday.")
    assert right is not None
    assert right.statement == Stated("what day is it?", "It is Friday.")
    session.settings = config.change(session.settings, "statements", "off")
    without = session.propose("I live in Oslo.")
    assert without is not None
    assert without.statement is None
    session.close()
