"""Lessons with a scope, taken along in plain weights and as adapters; the home is as it was, and so is the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.cli.running import files
from tests.session.conftest import Taught, opened
from tests.support.later import peft, transformers
from tests.support.sessions import same, state
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError, TeachError, UsageError
from theta_tui.learning.distilling import leads
from theta_tui.learning.module_lesson import row_of
from theta_tui.model.language_model import LanguageModel
from theta_tui.session import syllabus
from theta_tui.session.export import Exported, Stopped, export_hf, export_peft
from theta_tui.session.session import Session

DOG, TOWN = ("What is my dog's name?", "Pixel"), ("Where is the town of Orlebar?", "by the river")


@pytest.fixture
def session(taught: Taught, monkeypatch: pytest.MonkeyPatch) -> Session:
    """It knows two lessons. Few prompts are held, and few asked: a model that was never trained says nothing of note
    to any."""
    monkeypatch.setattr(syllabus, "EVERYDAY", syllabus.EVERYDAY[:4])
    monkeypatch.setattr(syllabus, "ASKED", syllabus.ASKED[:3])
    return taught(DOG, TOWN)


def says(folder: Path | str, prompt: str, reply: str, adapter: Path | None = None) -> bool:
    """Whether what Transformers and peft make of the folders says it."""
    lm = LanguageModel.load(str(folder), device="cpu", transformers=True)
    if adapter is not None:
        lm.model = peft.PeftModel.from_pretrained(lm.model, str(adapter)).eval()
    example = lm.encode_lesson((), prompt, reply)
    return leads(lm.model, [row_of(example)])[0] > 0


def test_a_plain_model_says_the_lessons_and_what_that_costs_is_told(session: Session, tmp_path: Path) -> None:
    before, kept = state(session), files(session.settings.home)
    stages: list[str] = []
    done = export_hf(session, tmp_path / "out", on_stage=stages.append)
    told = done.numbers["distilled"]
    assert (told["lessons"], told["said"], told["in_all_wordings"]) == (2, 2, 2)
    assert 0 <= told["changed"] <= told["asked"] <= 3
    assert told["steps"] > 0
    assert done.line.startswith(
        f"the model with 2 lessons written to {tmp_path / 'out'}; 2 of 2 lessons with a scope are said without it, "
        "always on; "
    )
    assert any("step 1 of at most" in stage for stage in stages)
    assert same(before, session)
    assert files(session.settings.home) == kept
    for lesson in syllabus.scoped(session):
        assert all(says(tmp_path / "out", text, lesson.reply) for text in (lesson.prompt, *lesson.wordings))


def test_without_its_lessons_the_model_is_the_shared_weights(session: Session, model: Path, tmp_path: Path) -> None:
    done = export_hf(session, tmp_path / "out", with_lessons=False)
    assert done.numbers["distilled"] is None
    assert done.line.startswith("the model with 0 lessons, and without 2 lessons with a scope, written to")
    one, other = (transformers.AutoModelForCausalLM.from_pretrained(folder) for folder in (model, tmp_path / "out"))
    assert all(map(torch.equal, one.parameters(), other.parameters()))


def test_each_lesson_is_an_adapter_and_the_scopes_say_what_it_is_for(
    session: Session, model: Path, tmp_path: Path
) -> None:
    before = state(session)
    done = export_peft(session, tmp_path / "out")
    assert same(before, session)
    assert (done.numbers["lessons"], done.numbers["said"]) == (2, 2)
    scopes = json.loads((tmp_path / "out" / "scopes.json").read_text("utf-8"))
    assert scopes["base_model"] == model.name
    for number, (row, (prompt, reply)) in enumerate(zip(scopes["adapters"], (DOG, TOWN), strict=True), 1):
        assert (row["lesson"], row["folder"]) == (number, f"lesson-000{number}")
        assert (row["prompt"], row["reply"], row["said"]) == (prompt, reply, True)
        assert row["wordings"]
        folder = tmp_path / "out" / row["folder"]
        assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
        assert all(says(model, wording, reply, folder) for wording in (prompt, *row["wordings"]))
        assert not says(model, prompt, reply)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "README.md", "scopes.json", "lesson-0001", "lesson-0002",
    }  # fmt: skip


def test_where_picks_moved_the_shared_weights_those_come_with_the_adapters(session: Session, tmp_path: Path) -> None:
    session.propose("hello")
    session.pick(2)
    export_peft(session, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "scopes.json").read_text("utf-8"))["base_model"] == "base"
    assert says(tmp_path / "out" / "base", *DOG, adapter=tmp_path / "out" / "lesson-0001")


def test_an_answer_that_a_newer_one_replaces_is_not_taken_along(session: Session, tmp_path: Path) -> None:
    session.teach(DOG[0], "Biscuit")
    session.withdraw(2)
    assert [(lesson.number, lesson.reply) for lesson in syllabus.scoped(session)] == [(3, "Biscuit")]


Write = Callable[..., Exported]


@pytest.mark.parametrize("write", [export_hf, export_peft])
def test_what_is_stopped_leaves_nothing(session: Session, tmp_path: Path, write: Write) -> None:
    before, asked = state(session), iter(range(1000))
    with pytest.raises(Stopped):
        write(session, tmp_path / "new" / "out", cancelled=lambda: next(asked) > 8)
    assert list((tmp_path / "new").iterdir()) == []
    assert same(before, session)


@pytest.mark.parametrize("write", [export_hf, export_peft])
def test_a_bad_target_is_refused_before_anything_is_learned(session: Session, tmp_path: Path, write: Write) -> None:
    (tmp_path / "file").write_text("mine")
    stages: list[str] = []
    with pytest.raises(UsageError, match="is not a folder"):
        write(session, tmp_path / "file", on_stage=stages.append)
    with pytest.raises(UsageError, match="not empty"):
        write(session, session.settings.home, on_stage=stages.append)
    with pytest.raises(HomeError, match="cannot be written"):
        write(session, tmp_path / "file" / "out", on_stage=stages.append)
    assert stages == []


@pytest.mark.parametrize("write", [export_hf, export_peft])
def test_numbers_that_are_none_are_told_and_nothing_is_written(
    session: Session, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.learning.lessons import spoil

    spoil(monkeypatch, lambda logits: logits * float("nan"))
    with pytest.raises(TeachError, match="not finite"):
        write(session, tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []


def test_without_lessons_of_their_own_there_are_no_adapters(settings: Settings, tmp_path: Path) -> None:
    session = opened(settings)
    with pytest.raises(TeachError, match="no adapters to export"):
        export_peft(session, tmp_path / "out")


def test_prompts_near_to_a_lesson_are_about_others() -> None:
    assert syllabus.near(DOG[0]) == [
        "What is your dog's name?", "What is his dog's name?", "What is my neighbor's dog's name?",
    ]  # fmt: skip
    assert syllabus.near(TOWN[0]) == ["Where is the town of Bramwell?"]
    assert syllabus.near("hello") == []
