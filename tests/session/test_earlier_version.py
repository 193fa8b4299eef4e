"""A home that the version before wrote, which learned by natural steps: its lessons are learned again, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.session.conftest import Open, opened
from tests.support.earlier_homes import ADAMW, DOG, PICK, TOWN, lesson, write, write_earlier_home
from tests.support.sessions import same, state
from tests.support.tiny_models import weights
from theta_tui import __version__
from theta_tui.base.config import Settings
from theta_tui.learning import checkpoint
from theta_tui.learning.learner import Learner
from theta_tui.learning.recipes import RECIPES
from theta_tui.model.files import fingerprint
from theta_tui.model.language_model import LanguageModel
from theta_tui.session import rebuild as rebuilding
from theta_tui.session.session import Session
from theta_tui.session.teaching import learn_afresh
from theta_tui.store.codec import encode
from theta_tui.store.home import Home
from theta_tui.store.journal import Journal
from theta_tui.store.records import (
    Begin,
    Candidate,
    ConversationStarted,
    Outcome,
    Pending,
    Rebuilt,
    Record,
    Withdraw,
)
from theta_tui.store.store import Store

NOTICE = "this version learned {} of an earlier one again: a lesson has weights and a scope of its own now"


BUILT_IN = "this version learned {} of an earlier one again: its built-in model is a newer one"


@pytest.fixture
def home(settings: Settings) -> Home:
    return write_earlier_home(settings)


def rebuilds(home: Home) -> list[Rebuilt]:
    return [entry.record for entry in Journal.read(home.journal).entries if isinstance(entry.record, Rebuilt)]


def said(session: Session, prompt: str) -> str:
    return session.ask(prompt, with_context=False).reply


def test_its_lessons_get_weights_of_their_own_once_and_that_is_told(settings: Settings, home: Home) -> None:
    stages: list[str] = []
    session = Session(Store.open(settings))
    assert session.load(stages.append) is None
    assert [stage for stage in stages if "earlier" in stage] == [
        f"learning the lessons of an earlier version, {at} of 3" for at in (1, 2, 3)
    ]
    assert session.store.notices == [NOTICE.format("3 lessons")]
    assert (said(session, DOG[0]), said(session, TOWN[0])) == (DOG[1], TOWN[1])
    assert set(session.learner.modules) == {2, 10}
    told = session.store.state
    assert [one.recipe for one in told.active] == [RECIPES["default"].as_dict()] * 3
    assert [(one.number, one.asked) for one in told.active] == [(1, []), (2, []), (4, [])]
    assert [turn.reply for turn in told.turns] == [DOG[1], PICK[1], TOWN[1]]
    assert session.learner.step == told.step
    before = state(session)
    session.close()
    (record,) = rebuilds(home)
    assert [seq for seq, _ in record.outcomes] == [2, 4, 10]
    for save in (False, True, False):
        again = opened(settings)
        assert same(before, again)
        assert not any("earlier" in notice for notice in again.store.notices)
        if save:
            again.save()
        again.close()
    assert rebuilds(home) == [record]


def test_they_are_taken_back_and_saved_like_any_others(start: Open, home: Home) -> None:
    session = start()
    base = LanguageModel.load(session.settings.model, device="cpu")
    assert (session.saved_at, session.unsaved) == (None, 3)
    session.save()
    before = state(session)
    session.withdraw(1)
    assert said(session, DOG[0]) != DOG[1]
    session.redo()
    assert same(before, session)
    while session.store.state.active:
        session.undo()
    assert session.learner.modules == {}
    assert all(torch.equal(*pair) for pair in zip(weights(session.model), weights(base), strict=True))
    session.close()


def test_a_home_that_can_only_be_read_opens_and_stays_as_it_is(settings: Settings, home: Home) -> None:
    with home.journal.open("ab") as file:
        file.write(b"a line that is damaged\n" + encode(14, 1.8e9, ConversationStarted()))
    before = home.journal.read_bytes()
    for _ in range(2):
        session = opened(settings)
        assert session.store.read_only is not None
        assert NOTICE.format("3 lessons") in session.store.notices
        assert said(session, DOG[0]) == DOG[1]
        session.close()
        assert home.journal.read_bytes() == before


def test_what_stops_it_leaves_the_home_as_it_was(
    settings: Settings, home: Home, start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = home.journal.read_bytes()

    def stopped(learner: Learner, *given: Any) -> Outcome:
        if learner.modules:
            raise KeyboardInterrupt
        return learn_afresh(learner, *given)

    with monkeypatch.context() as patch:
        patch.setattr("theta_tui.session.relearn.learn_afresh", stopped)
        with pytest.raises(KeyboardInterrupt):
            start()
    assert home.journal.read_bytes() == before
    session = start()
    assert said(session, DOG[0]) == DOG[1]
    session.close()
    assert len(rebuilds(home)) == 1


def test_a_lesson_that_it_had_only_begun_is_learned_with_the_others_and_its_prompt_waits_no_more(
    settings: Settings, start: Open
) -> None:
    first, second = lesson(2, 1, DOG), lesson(4, 2, TOWN)
    home = write(settings, *first, second[0])
    record = Store.open(settings)
    record.keep(Pending("id4", TOWN[0], (Candidate(1, "no", -1.0),)))
    record.close()
    session = start()
    assert session.pending is None
    assert said(session, TOWN[0]) == TOWN[1]
    assert all(one.outcome for one in session.store.state.active)
    session.close()
    assert [seq for seq, _ in rebuilds(home)[0].outcomes] == [2, 4]


def test_a_lesson_that_was_undone_in_it_is_not_brought_back(settings: Settings, start: Open) -> None:
    home = write(settings, *lesson(2, 1, DOG), Withdraw(2))
    session = start()
    assert session.store.notices == []
    assert session.store.state.undone is None
    session.close()
    start().close()
    assert len(rebuilds(home)) == 1


def test_a_home_that_it_taught_by_adamw_alone_is_learned_again_as_it_was(settings: Settings, start: Open) -> None:
    home = write(settings, *lesson(2, 1, DOG, recipe=ADAMW), *lesson(4, 2, TOWN, recipe=ADAMW))
    session = start()
    assert session.learner.modules == {}
    assert (session.learner.step, session.store.state.step) == (4, 4)
    other = Learner(LanguageModel.load(settings.model, device="cpu"))
    recipe, at = RECIPES["adamw"], [one.at for one in session.store.state.active]
    other.learn("correction", *DOG, recipe, seed=2, steps=2, at=at[0])
    other.learn("correction", *TOWN, recipe, seed=4, steps=2, at=at[1], past=[(*DOG, at[0])])
    assert all(torch.equal(*pair) for pair in zip(weights(session.model), weights(other.lm), strict=True))
    session.close()
    assert rebuilds(home) == []


def test_they_are_learned_by_the_recipe_in_force(settings: Settings, home: Home) -> None:
    session = opened(replace(settings, recipe="adamw"))
    assert session.store.notices == ["this version learned 3 lessons of an earlier one again"]
    assert session.learner.modules == {}
    session.close()
    assert rebuilds(home)[0].recipe == RECIPES["adamw"].as_dict()


def test_a_rebuild_of_it_is_exact(settings: Settings, home: Home) -> None:
    record = Store.open(settings)
    done = rebuilding.rebuild(record)
    record.close()
    assert (done.lessons, done.exact, done.why) == (3, True, "")
    assert len(rebuilds(home)) == 1


def test_a_checkpoint_of_that_version_is_not_taken_for_one_of_this(settings: Settings) -> None:
    home = write(settings, *lesson(2, 1, DOG))
    model = LanguageModel.load(settings.model, device="cpu")
    held = {"record": Journal.read(home.journal).checksum(3), "withdrawn": [], "rebuilt": 0}
    checkpoint.save(home.checkpoints, model, Learner(model), position=3, extra=held, keep=2)
    session = opened(settings)
    assert said(session, DOG[0]) == DOG[1]
    assert len(rebuilds(home)) == 1
    session.close()


def with_an_earlier_built_in_model(settings: Settings, *records: Record) -> Settings:
    """Those of a home that the built-in model of an earlier version began, with these records after its beginning."""
    settings = replace(settings, model="default")
    home = write(settings, *records)
    first, _, rest = home.journal.read_bytes().partition(b"\n")
    assert fingerprint("default").encode() in first
    begin = Begin("default", "0123456789abcdef", "0.0.9")
    home.journal.write_bytes(encode(1, 1.8e9, begin) + rest)
    return settings


def test_lessons_are_learned_again_on_a_newer_built_in_model(settings: Settings) -> None:
    taught = lesson(2, 1, DOG, recipe=RECIPES["default"].as_dict())
    settings = with_an_earlier_built_in_model(settings, *taught)
    session = opened(settings)
    assert session.store.notices == [BUILT_IN.format("1 lesson")]
    assert said(session, DOG[0]) == DOG[1]
    assert session.store.state.begin == Begin("default", fingerprint("default"), __version__, None)
    session.close()
    (record,) = rebuilds(Home(settings.home))
    assert record.fingerprint == fingerprint("default")
    again = opened(settings)
    assert said(again, DOG[0]) == DOG[1]
    assert not again.store.notices
    again.close()
    assert len(rebuilds(Home(settings.home))) == 1


def test_a_home_of_an_earlier_built_in_model_that_was_taught_nothing_just_opens(settings: Settings) -> None:
    settings = with_an_earlier_built_in_model(settings)
    for _ in range(2):
        session = opened(settings)
        assert not session.store.notices
        session.close()
    assert len(rebuilds(Home(settings.home))) == 1
