"""`theta rebuild`: proof over the same base model, a move over another one, and nothing half done."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.session.conftest import Open
from tests.support.sessions import PAIRS, answer, same, state
from tests.support.tiny_models import equal, make_tiny, weights
from theta_tui.base import config
from theta_tui.base.config import Settings
from theta_tui.base.errors import ModelError, PromptError
from theta_tui.learning import checkpoint
from theta_tui.model.language_model import LanguageModel
from theta_tui.session import rebuild as rebuilding
from theta_tui.session.rebuild import Done
from theta_tui.session.session import Session
from theta_tui.session.teaching import learn_afresh
from theta_tui.store.journal import Journal
from theta_tui.store.records import Rebuilt
from theta_tui.store.store import Store

pytestmark = pytest.mark.usefixtures("short_lessons")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another base model."""
    return make_tiny(tmp_path_factory.mktemp("other"), seed=5)


def rebuild(settings: Settings) -> Done:
    record = Store.open(settings)
    try:
        return rebuilding.rebuild(record)
    finally:
        record.close()


def opened(settings: Settings) -> Session:
    session = Session(Store.open(settings))
    session.load()
    return session


@pytest.fixture
def taught(start: Open) -> Session:
    """A home with four lessons, the second one withdrawn, a checkpoint in between; closed."""
    session = start()
    for count, (prompt, reply) in enumerate(PAIRS):
        answer(session, prompt, reply)
        if count == 2:
            session.save()
    session.withdraw(2)
    session.save()
    session.teach("x y", "z")
    session.close()
    return session


@pytest.mark.usefixtures("taught")
def test_the_same_base_model_gives_the_same_bits_and_a_fresh_checkpoint(settings: Settings, start: Open) -> None:
    session = start()
    before, seq = state(session), session.store.journal.last_seq
    session.close()
    done = rebuild(settings)
    assert (done.exact, done.why, done.lessons, done.skipped) == (True, "", 4, ())
    assert done.against.startswith("checkpoint step-")
    again = start()
    assert again.store.journal.last_seq == seq
    assert again.unsaved == 0
    assert same(before, again)
    again.close()


def test_a_checkpoint_that_lies_is_found_out_and_the_journal_wins(settings: Settings, start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    truth = state(session)
    session.learner.modules[session.store.state.lessons[0].seq].bias.add_(0.25)
    session.save()
    session.close()
    done = rebuild(settings)
    assert done.exact is False
    assert "did not hold what the journal says" in done.why
    again = start()
    assert same(truth, again)
    again.close()


def test_lessons_of_another_machine_are_said_to_be_inexact_only_where_the_bits_differ(
    settings: Settings, start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(LanguageModel, "machine", lambda self: "another machine")
        answer(session, *PAIRS[0])
        # As another machine might have rounded it.
        session.learner.modules[session.store.state.lessons[0].seq].bias.add_(1e-3)
        session.save()
    session.close()
    done = rebuild(settings)
    assert done.exact is False
    assert "lessons (1 of 1) were first learned on another machine" in done.why
    assert rebuild(settings).exact is True


def test_a_home_without_a_checkpoint_is_compared_with_a_fold_of_its_own(settings: Settings, start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    session.close()
    done = rebuild(settings)
    assert (done.exact, done.against) == (True, "a second replay of the journal")


def test_there_is_nothing_to_rebuild_before_anything_was_begun(settings: Settings) -> None:
    with pytest.raises(PromptError, match="nothing to rebuild"):
        rebuild(settings)


@pytest.mark.usefixtures("taught")
def test_what_was_taught_moves_to_another_model_and_can_be_taken_back_there(
    settings: Settings, start: Open, other: Path, model: Path
) -> None:
    new = replace(settings, model=str(other))
    refused = Session(Store.open(new))
    with pytest.raises(ModelError, match="theta rebuild --model"):
        refused.load()
    refused.close()
    done = rebuild(new)
    assert (done.exact, done.came_from, done.lessons, done.skipped) == (None, str(model), 4, ())
    record = Journal.read(settings.home / "journal.jsonl").entries[-1].record
    assert isinstance(record, Rebuilt)
    assert (record.model, len(record.outcomes)) == (str(other), 4)
    assert all(outcome.p_after > outcome.p_before for _, outcome in record.outcomes)
    session = opened(replace(settings, model=""))  # the home remembers
    assert session.unsaved == 0
    moved = state(session)
    assert [turn.prompt for turn in session.store.state.turns] == [PAIRS[at][0] for at in (0, 2, 3)]
    session.replay.from_base_model(lambda at, of: None)
    assert same(moved, session)
    session.undo()
    session.withdraw(1)
    without = state(session)
    session.redo()
    session.redo()
    assert same(moved, session)
    session.undo()
    session.withdraw(1)
    session.close()
    again = opened(new)
    assert same(without, again)
    again.close()
    assert rebuild(new).exact is True
    back = Session(Store.open(settings))
    with pytest.raises(ModelError, match="was begun with the model"):
        back.load()
    back.close()


@pytest.mark.usefixtures("taught")
def test_checkpoints_of_the_old_model_are_never_used_again(settings: Settings, other: Path) -> None:
    new = replace(settings, model=str(other))
    done = rebuild(new)
    session = opened(new)
    moved = state(session)
    session.close()
    for manifest in checkpoint.list_checkpoints(settings.home / "checkpoints"):
        if manifest.path == done.checkpoint:
            (manifest.path / "manifest.json").unlink()
    again = opened(new)
    assert again.unsaved == 4
    assert same(moved, again)
    again.close()


@pytest.mark.usefixtures("taught")
def test_a_move_that_is_stopped_leaves_the_home_as_it_was(
    settings: Settings, other: Path, start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> dict[Path, bytes]:
        found = (path for path in settings.home.rglob("*") if path.is_file() and path.name != "lock")
        return {path: path.read_bytes() for path in found}

    before, real, calls = files(), learn_afresh, [0]

    def third_is_stopped(*arguments: Any) -> object:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as stopped:
        stopped.setattr("theta_tui.session.relearn.learn_afresh", third_is_stopped)
        with pytest.raises(KeyboardInterrupt):
            rebuild(replace(settings, model=str(other)))
    assert files() == before
    start().close()


@pytest.mark.usefixtures("taught")
def test_a_crash_after_the_record_and_before_the_checkpoint_loses_nothing(
    settings: Settings, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = replace(settings, model=str(other))

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashed:
        crashed.setattr(checkpoint, "save", crash)
        with pytest.raises(KeyboardInterrupt):
            rebuild(new)
    session = opened(new)
    assert session.unsaved == 4
    assert session.learner.step == session.store.state.step
    assert not [notice for notice in session.store.take_notices() if "exact" in notice]
    moved = state(session)
    session.close()
    assert rebuild(new).exact is True
    again = opened(new)
    assert same(moved, again)
    again.close()


def test_a_lesson_that_does_not_fit_the_new_model_is_skipped_and_told_and_another_move_takes_it_along(
    settings: Settings, start: Open, other: Path, tmp_path: Path
) -> None:
    session = start()
    session.teach(*PAIRS[0])
    session.teach("hello", "fox " * 60)
    session.close()
    small = make_tiny(tmp_path / "small", seed=6)
    values = (small / "config.json").read_text()
    (small / "config.json").write_text(
        values.replace('"max_position_embeddings": 256', '"max_position_embeddings": 40')
    )
    done = rebuild(replace(settings, model=str(small)))
    assert done.lessons == 1
    assert [(number, "too long" in why) for number, why in done.skipped] == [(2, True)]
    lesson = Store.read(settings).state.lessons[1]
    assert lesson.outcome is not None
    assert math.isnan(lesson.outcome.p_after)
    done = rebuild(replace(settings, model=str(other)))
    assert (done.lessons, done.skipped) == (2, ())


def test_a_model_that_changed_under_its_name_is_rebuilt_on(settings: Settings, start: Open, tmp_path: Path) -> None:
    mine = make_tiny(tmp_path / "mine", seed=7)
    settings = replace(settings, model=str(mine))
    session = opened(settings)
    session.teach(*PAIRS[0])
    session.close()
    tensors = load_file(mine / "model.safetensors")
    tensors["model.norm.weight"] += 0.1
    save_file(tensors, mine / "model.safetensors", metadata={"format": "pt"})
    changed = Session(Store.open(settings))
    with pytest.raises(ModelError, match=r"has changed .*`theta rebuild`"):
        changed.load()
    changed.close()
    done = rebuild(settings)
    assert (done.exact, done.lessons, done.model) == (None, 1, str(mine))
    opened(settings).close()


def test_the_models_name_in_the_homes_own_settings_follows_the_move(
    settings: Settings, start: Open, other: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(settings.home.parent / "config"))
    start().close()
    config.persist(settings.home, "model", str(model))
    config.persist(settings.home, "temperature", 0.3)
    record = Store.open(replace(settings, model=str(other)))
    rebuilding.rebuild(record)
    assert not [notice for notice in record.take_notices() if "your settings say" in notice]
    record.close()
    assert config.own_setting(settings.home, "model") == str(other)
    assert config.own_setting(settings.home, "temperature") == 0.3
    monkeypatch.setenv("THETA_MODEL", str(other))
    record = Store.open(replace(settings, model=str(model)))
    rebuilding.rebuild(record)
    assert any(f"your settings say model {other}" in notice for notice in record.take_notices())
    record.close()


def test_a_home_remembers_its_model_from_any_folder(
    settings: Settings, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    session = opened(replace(settings, model=f"./{model.name}"))
    before = weights(session.model)
    session.close()
    monkeypatch.chdir("/")
    again = opened(replace(settings, model=""))
    assert again.settings.model == str(model)
    assert equal(before, weights(again.model))
    again.close()


@pytest.mark.usefixtures("taught")
@pytest.mark.slow
def test_another_way_to_learn_is_a_move_and_the_home_keeps_to_it(settings: Settings) -> None:
    config.persist(settings.home, "lora", "off")
    done = rebuild(replace(settings, lora="on", lora_rank=4))
    assert (done.exact, done.lora, done.lessons) == (None, 4, 4)
    assert config.own_setting(settings.home, "lora") == "on"
    session = opened(settings)
    assert session.model.lora_rank == 4
    assert session.unsaved == 0
    adapter = state(session)
    session.teach("a new one", "yes")
    session.undo()
    assert same(adapter, session)
    session.close()
    assert rebuild(settings).exact is True
    assert rebuild(replace(settings, lora_rank=2)).lora == 2
    whole = rebuild(replace(settings, lora="off"))
    assert (whole.exact, whole.lora) == (None, None)
    again = opened(settings)
    assert again.model.lora_rank is None
    again.close()


def test_the_way_to_learn_is_decided_anew_for_another_model(settings: Settings, other: Path) -> None:
    session = opened(replace(settings, lora="on", lora_rank=4))
    session.teach("x y", "z")
    session.close()
    done = rebuild(replace(settings, model=str(other)))
    assert done.lora is None
    begin = Store.read(settings).state.begin
    assert begin is not None
    assert (begin.model, begin.lora) == (str(other), None)
