"""The built-in model's recipe: what is done to the shards, and that the one command runs through both stages."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from theta_tui.base.files import assets_dir
from theta_tui.builtin import recipe as default_model
from theta_tui.builtin import small_talk
from theta_tui.builtin.recipe import FIRST_STAGE, MIX
from theta_tui.builtin.shards import OPENINGS, named, thinned
from theta_tui.model.language_model import LanguageModel


def talk(*texts: str) -> dict[str, object]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]}


def test_the_assistant_gets_its_name_and_people_keep_their_words() -> None:
    [row] = named([talk("Are you my Assistant?", "I'm Assistant, an assistant.")])
    assert [message["content"] for message in row["messages"]] == ["Are you my Assistant?", "I'm Theta, an assistant."]


def test_openings_that_many_share_are_cut_and_what_follows_stays() -> None:
    rows = [talk("Hello", "Hi!", f"question {n}", f"answer {n}") for n in range(OPENINGS + 3)]
    left = [row["messages"] for row in thinned([*rows, talk("hello", "Hi!")])]
    assert [len(messages) for messages in left] == [4] * OPENINGS + [2] * 3
    assert left[-1][0]["content"] == f"question {OPENINGS + 2}"


def test_small_talk_alternates_and_gives_a_greeting_many_answers() -> None:
    rows = list(small_talk.conversations(1, 2000))
    assert rows == list(small_talk.conversations(1, 2000))
    answers = set()
    for row in rows:
        messages = row["messages"]
        assert [message["role"] for message in messages] == ["user", "assistant"] * (len(messages) // 2)
        assert not any("{" in message["content"] for message in messages)
        if messages[0]["content"].lower().startswith("hello"):
            answers.add(messages[1]["content"])
    assert len(answers) >= 10


def test_the_stages_take_shards_that_the_mix_knows() -> None:
    assert FIRST_STAGE.keys() <= MIX.keys()
    assert all(weight > 0 for weight in MIX.values())


def test_the_built_in_model_is_small_and_says_what_it_takes() -> None:
    folder = assets_dir() / "default"
    assert (folder / "model.safetensors").stat().st_size <= 64 << 20
    lm = LanguageModel.load("default", device="cpu")
    assert lm.window >= 512
    assert not lm.notices
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    assert f"{lm.parameters:,}" in card
    assert "theta_tui.builtin.recipe" in card


@pytest.mark.slow
def test_the_one_command_runs_through_both_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)  # that of a training before in this process
    data = tmp_path / "data"
    data.mkdir()
    for name in MIX.keys() - {"small_talk", "teachable", "listening"}:
        with gzip.open(data / f"{name}.jsonl.gz", "wt", encoding="utf-8") as stream:
            for n in range(30):
                stream.write(json.dumps(talk(f"What about {name} {n}?", f"It is {n}.") | {"source": name}) + "\n")
    monkeypatch.setattr(default_model, "TEACHABLE", 100)
    monkeypatch.setattr(default_model, "SMALL_TALK", 50)
    monkeypatch.setattr(default_model, "LISTENING", 0.002)
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["default_model", str(data), str(out), "--minutes", "0.001"])
    default_model.main()
    lm = LanguageModel.load(str(out / "model"), device="cpu")
    assert lm.window == 512
