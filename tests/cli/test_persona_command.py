"""`theta persona`: shown, changed, taken away; and in the settings, stats, the doctor and the loop line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Theta
from tests.support.tiny_models import CHATML, make_llama, make_tokenizer

PIRATE = "you are a fox"
NONE = "no persona is set; the model's own system turn applies\n"


@pytest.fixture(scope="module")
def voiced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = make_tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>"], eos="<|endoftext|>", template=CHATML)
    return make_llama(tmp_path_factory.mktemp("voiced"), tokenizer)


def test_it_is_shown_changed_and_taken_away(
    theta: Theta, voiced: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THETA_MODEL", str(voiced))
    assert (theta("persona").out, theta("persona", "--json").json["persona"]) == (NONE, None)
    assert not home.exists()
    assert theta("persona", PIRATE).out == f"persona: {PIRATE}\n"
    assert theta("persona", "-", stdin="tell me\nmore\n").out == "persona: tell me\nmore\n"
    assert theta("persona", "--json").json == {"schema": 1, "persona": "tell me\nmore"}
    assert "tell me" in theta("stats").out
    assert "system\ntell me\nmore<|im_end|>" in theta("doctor", "--json").json["model"]["rendered_prompt"]
    assert theta("persona", "--off").out == NONE
    theta("persona", PIRATE)
    assert theta("persona", "off", "--json").json["persona"] is None
    assert "persona" not in theta("doctor", "--json").json["model"]
    assert (theta("persona", PIRATE, "--off").code, theta("persona", " \u200b").code) == (2, 2)


def test_the_settings_begin_a_fresh_home_with_it_and_a_begun_one_keeps_its_own(
    theta: Theta, voiced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THETA_MODEL", str(voiced))
    assert "persona" not in theta("prompt", "hello", "--persona", PIRATE).err
    assert theta("persona").out == f"persona: {PIRATE}\n"
    assert "theta persona TEXT" in theta("ask", "hello", "--persona", "tell me").err
    assert theta("persona").out == f"persona: {PIRATE}\n"
    said = theta("chat", "--plain", stdin="/persona\n/persona tell me\n/persona off\n/persona\n").out
    shown = [line.removeprefix("> ") for line in said.splitlines() if "persona" in line]
    assert shown[0].endswith(f"persona: {PIRATE}")
    assert shown[1].endswith("persona: tell me; the five replies that wait are from before")


def test_a_model_without_a_system_turn_is_refused_in_words(theta: Theta) -> None:
    refused = theta("persona", PIRATE)
    assert (refused.code, refused.out) == (4, "")
    assert "no system turn; use a model that has one" in refused.err
    assert theta("persona").out == NONE
