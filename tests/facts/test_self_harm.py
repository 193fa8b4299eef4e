"""Which messages speak of self-harm: measured on two lists, and on everyday prompts."""

from __future__ import annotations

import tomllib
from itertools import product
from pathlib import Path

import pytest

from theta_tui.base.files import assets_dir
from theta_tui.facts.self_harm import speaks_of_self_harm

LISTS = tomllib.loads(Path(__file__).with_suffix(".toml").with_stem("self_harm").read_text("utf-8"))


@pytest.mark.parametrize("text", LISTS["speaks"])
def test_what_speaks_of_self_harm_is_recognised(text: str) -> None:
    for typed in (text, text.upper(), text.replace("'", "’"), text.replace("'", ""), f"  {text}!! ", f"{text} :("):
        assert speaks_of_self_harm(typed), typed


@pytest.mark.parametrize("text", LISTS["only_sounds"])
def test_what_only_sounds_like_it_is_not(text: str) -> None:
    assert not speaks_of_self_harm(text)


def test_of_messages_that_were_kept_back_most_are_told_apart() -> None:
    kept = LISTS["held_back"]
    missed = [text for text in kept["speaks"] if not speaks_of_self_harm(text)]
    false = [text for text in kept["only_sounds"] if speaks_of_self_harm(text)]
    assert len(missed) <= 1, missed
    assert len(false) <= 1, false


def test_everyday_prompts_are_not_taken_for_it() -> None:
    lines = [line for path in sorted((assets_dir() / "scope").glob("*.txt")) for line in path.read_text().splitlines()]
    prompts = [line for line in lines[::5] if line and line[0] not in "@#"]
    assert len(prompts) > 3000
    assert sum(map(speaks_of_self_harm, prompts)) <= 1


def test_what_is_said_of_things_is_not_and_of_oneself_is() -> None:
    things = ("my phone", "the plant", "the battery", "this game", "the process", "my car")
    for thing, verb in product(things, ("died", "is dead", "is dying", "wants to end", "was killed")):
        assert not speaks_of_self_harm(f"{thing} {verb}")
    for want, end in product(
        ("I want to", "i wanna", "I'm going to", "I think I should", "sometimes I want to"),
        ("kill myself", "end my life", "end it all", "take my own life", "hang myself"),
    ):
        assert speaks_of_self_harm(f"{want} {end}"), (want, end)
