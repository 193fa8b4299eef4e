"""Going over to another model in an open home: with its lessons or apart, and nothing changed where it was stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.session.conftest import Open
from tests.support.sessions import PAIRS, answer, same, state
from tests.support.tiny_models import THETA, make_llama, make_tokenizer
from theta_tui.base.config import Settings
from theta_tui.base.errors import ModelError, UsageError
from theta_tui.model import catalogue, measured
from theta_tui.session import switching
from theta_tui.session.session import Session


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    marks = ["<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"]
    return make_llama(tmp_path_factory.mktemp("other"), make_tokenizer(marks, eos="<|end|>", template=THETA), seed=5)


@pytest.fixture
def taught(start: Open) -> Session:
    session = start()
    for prompt, reply in PAIRS[:2]:
        answer(session, prompt, reply)
    return session


def over(session: Session, model: Path, *, apart: bool = False, stop: Callable[[], bool] = lambda: False) -> Session:
    fresh = switching.switch(session, str(model), apart=apart, on_stage=lambda _: None, cancelled=stop)
    assert fresh is not None
    return fresh


def test_the_lessons_come_along_and_the_home_remembers_its_new_model(
    taught: Session, other: Path, start: Open, settings: Settings
) -> None:
    fresh = over(taught, other)
    assert fresh.settings.model == str(other)
    assert set(fresh.learner.modules) == set(taught.learner.modules)
    assert not any(fresh.learner.modules[key] is module for key, module in taught.learner.modules.items())
    assert fresh.ask(PAIRS[0][0], with_context=False).reply == PAIRS[0][1]
    before = state(fresh)
    fresh.close()
    with pytest.raises(ModelError, match="rebuild"):
        start()  # with the model that it had
    again = Session(switching.Store.open(Settings(home=settings.home, model=None)))
    again.load()
    assert again.settings.model == str(other)
    assert same(before, again)
    again.close()


def test_a_home_of_its_own_knows_no_lesson_and_is_gone_on_with_later(taught: Session, other: Path) -> None:
    home = switching.own_home(taught.settings.home, str(other))
    fresh = over(taught, other, apart=True)
    assert fresh.settings.home == home != taught.settings.home
    assert not fresh.store.state.active
    fresh.teach(*PAIRS[2])
    back = Session(switching.Store.open(taught.settings))  # the other one was let go of
    back.load()
    assert len(back.store.state.active) == 2
    fresh.close()
    again = over(back, other, apart=True)
    assert [lesson.exchange.prompt for lesson in again.store.state.active] == [PAIRS[2][0]]
    again.close()


@pytest.mark.parametrize("apart", [False, True])
def test_stopped_at_any_stage_or_refused_everything_is_as_it_was(
    taught: Session, other: Path, tmp_path: Path, apart: bool
) -> None:
    before, journal = state(taught), taught.store.home.journal.read_bytes()
    home = switching.own_home(taught.settings.home, str(other))
    stages = 0
    while True:
        left = stages

        def stop() -> bool:
            nonlocal left
            left -= 1
            return left < 0

        fresh = switching.switch(taught, str(other), apart=apart, on_stage=lambda _: None, cancelled=stop)
        if fresh is not None:
            break
        stages += 1
        assert same(before, taught)
        assert taught.store.home.journal.read_bytes() == journal
        assert taught.settings.model != str(other)
        assert not home.exists()
    assert stages > 3
    fresh.close()


def test_a_model_that_cannot_be_loaded_leaves_everything_as_it_was(
    taught: Session, other: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(other, broken)
    (broken / "model.safetensors").write_bytes(b"cut")
    before, journal = state(taught), taught.store.home.journal.read_bytes()
    for apart in (False, True):
        with pytest.raises(ModelError, match="damaged"):
            over(taught, broken, apart=apart)
        assert taught.settings.model != str(broken)
        assert same(before, taught)
        assert taught.store.home.journal.read_bytes() == journal
        assert not switching.own_home(taught.settings.home, str(broken)).exists()
    taught.teach(*PAIRS[2])
    taught.close()


def test_all_that_have_a_name_are_listed_with_sizes_and_with_the_speed_measured_here() -> None:
    made = catalogue.conversions() / "0123"
    made.mkdir(parents=True)
    (made / "config.json").write_text("{}")
    catalogue.write_source(made, file="/tmp/some model.gguf")
    measured.note_speed("default", 100, 2.0)
    measured.note_speed("default", 104, 2.0)  # about the same: not written again
    measured.note_speed("smollm2", 3, 0.1)  # too few tokens to tell
    rows = switching.listed(100)
    assert [row.name for row in rows] == [*catalogue.entries(), "/tmp/some model.gguf"]
    assert (rows[0].here, rows[1].here, rows[-1].here) == (True, False, True)
    assert (rows[0].speed, rows[1].speed) == ("50 tokens/s", "")
    assert rows[1].size.endswith(" to fetch")
    assert len(switching.listed(2)) == 2


def test_a_model_goes_by_its_name_or_its_path(other: Path, tmp_path: Path) -> None:
    assert switching.described("smollm2").title == "SmolLM2 135M Instruct, with Theta's voice"
    assert switching.described(str(other)).here
    with pytest.raises(UsageError, match="no model called nobody"):
        switching.described("nobody")
    assert switching.own_home(Path("/x/theta"), "qwen3-0.6b") == Path("/x/theta-qwen3-0.6b")
    assert switching.own_home(Path("/x/theta"), "/y/some model.gguf") == Path("/x/theta-some-model")


def test_a_cache_that_cannot_be_written_or_read_is_no_error(cache: Path) -> None:
    cache.write_text("a file")
    measured.note_speed("default", 100, 2.0)
    assert measured.speeds() == {}
    cache.unlink()
    (cache / "theta").mkdir(parents=True)
    (cache / "theta" / measured.FILE).write_text("[")
    assert measured.speeds() == {}
