"""`theta export`: what it writes, what it prints, what it exits with."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.running import Theta, files
from theta_tui.base.files import assets_dir
from theta_tui.session import syllabus


def test_the_model_and_the_lessons_are_taken_along(
    theta: Theta, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THETA_RECIPE", "adamw")
    theta("prompt", "Who is your creator?")
    theta("teach", "My creator is Dakota.")
    before = files(home)
    lessons = theta("export", "trl", str(tmp_path / "lessons"), "--json").json
    assert (lessons["exported"], lessons["lessons"], lessons["completion"]) == ("trl", 1, 1)
    [row] = [json.loads(line) for line in (tmp_path / "lessons" / "completion.jsonl").read_text().splitlines()]
    assert row["completion"] == [{"role": "assistant", "content": "My creator is Dakota."}]
    assert (
        theta("export", "hf", str(tmp_path / "model")).out == f"the model with 1 lesson written to {tmp_path}/model\n"
    )
    assert files(home) == before
    asked = theta("ask", "--home", str(tmp_path / "other"), "--model", str(tmp_path / "model"), "Who is your creator?")
    assert asked.out == "My creator is Dakota.\n"


def test_the_taught_model_is_a_gguf_file_that_says_its_lessons(theta: Theta, tmp_path: Path) -> None:
    theta("teach", "--for", "Who is your creator?", "My creator is Dakota.")
    done = theta("export", "gguf", str(tmp_path / "out"), "--type", "f16", "--json").json
    assert (done["exported"], done["file"], done["lessons"]) == ("gguf", "model-F16.gguf", 1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Modelfile", "README.md", "model-F16.gguf"]
    model = str(tmp_path / "out" / "model-F16.gguf")
    asked = theta("ask", "--home", str(tmp_path / "other"), "--model", model, "Who is your creator?")
    assert asked.out == "My creator is Dakota.\n"
    assert theta("export", "gguf", str(tmp_path / "more"), "--type", "q2").code == 2


def test_the_plots_are_a_picture_and_the_json_has_what_was_said_before_and_is_now(theta: Theta, tmp_path: Path) -> None:
    picture = tmp_path / "lessons.svg"
    assert json.loads(theta("export", "plot", str(picture), "--json").err)["error"]["name"] == "nothing_to_export"
    taught = theta("teach", "--for", "Who is your creator?", "My creator is <Dakota> & I.", "--json").json
    assert taught["said_before"] not in {None, taught["reply"]}
    assert taught["says_now"] == taught["reply"]
    [lesson] = theta("lessons", "--json").json["lessons"]
    assert (lesson["said_before"], lesson["says_now"]) == (taught["said_before"], taught["says_now"])
    done = theta("export", "plot", str(picture), "--json").json
    assert (done["exported"], done["plots"], done["path"]) == ("plot", 3, str(picture))
    texts = "".join(ElementTree.fromstring(picture.read_text()).itertext())
    assert "how likely it says “My creator is <Dakota> & I.”" in texts
    for more in ((), ("--lesson", "9", "--force")):
        before = picture.read_bytes()
        refused = theta("export", "plot", str(picture), *more)
        assert (refused.code, len(refused.err.splitlines())) == ((3 if more else 2), 1)
        assert picture.read_bytes() == before
    assert theta("export", "plot", str(tmp_path / "plots")).code == 2
    assert theta("export", "trl", str(tmp_path / "out"), "--lesson", "1").code == 2
    assert theta("export", "plot", str(picture), "--lesson", "1", "--force").code == 0


def test_what_cannot_be_exported_is_one_line_and_changes_nothing(theta: Theta, home: Path, tmp_path: Path) -> None:
    assert theta("export", "onnx", str(tmp_path / "out")).code == 2
    nothing = theta("export", "trl", str(tmp_path / "out"), "--json")
    assert nothing.code == 1
    assert json.loads(nothing.err)["error"]["name"] == "nothing_to_export"
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "book.txt").write_text("mine")
    for place in (tmp_path / "mine", assets_dir() / "default"):
        refused = theta("export", "hf", str(place), "--force")
        assert refused.code == 2
        assert len(refused.err.splitlines()) == 1
    assert (tmp_path / "mine" / "book.txt").read_text() == "mine"


@pytest.mark.slow  # session/test_taking_along does both without a command
def test_lessons_with_a_scope_go_along_in_plain_weights_and_as_adapters(
    theta: Theta, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syllabus, "EVERYDAY", syllabus.EVERYDAY[:2])
    monkeypatch.setattr(syllabus, "ASKED", syllabus.ASKED[:2])
    theta("teach", "--for", "Who is your creator?", "Dakota.")
    before = files(home)
    model = theta("export", "hf", str(tmp_path / "model"), "--json").json
    told = model["distilled"]
    assert (model["exported"], model["lessons"], told["lessons"], told["said"]) == ("hf", 1, 1, 1)
    assert set(told) == {"lessons", "said", "in_all_wordings", "asked", "changed", "steps", "seconds"}
    adapters = theta("export", "peft", str(tmp_path / "adapters"), "--json").json
    assert (adapters["exported"], adapters["lessons"], adapters["said"]) == ("peft", 1, 1)
    plain = theta("export", "hf", str(tmp_path / "plain"), "--without-lessons")
    assert plain.out == f"the model with 0 lessons, and without 1 lesson with a scope, written to {tmp_path}/plain\n"
    assert files(home) == before
    asked = theta("ask", "--home", str(tmp_path / "other"), "--model", str(tmp_path / "model"), "Who is your creator?")
    assert asked.out == "Dakota.\n"


def test_adapters_need_lessons_that_they_are_for(theta: Theta, tmp_path: Path) -> None:
    nothing = theta("export", "peft", str(tmp_path / "out"), "--json")
    assert nothing.code == 1
    assert json.loads(nothing.err)["error"]["name"] == "nothing_to_export"
    refused = theta("export", "peft", str(tmp_path / "out"), "--without-lessons")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert not (tmp_path / "out").exists()
