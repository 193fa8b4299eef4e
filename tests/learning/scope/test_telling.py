"""Names, numbers and opposites: what tells two questions apart that have the same words otherwise."""

from __future__ import annotations

import pytest

from theta_tui.learning.scope.features import apart
from theta_tui.learning.scope.index import Scopes
from theta_tui.learning.scope.matcher import shipped
from theta_tui.learning.scope.telling import slip


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("quillane", "quillnae", True),
        ("quillane", "quilane", True),
        ("tanaka", "tanakka", True),
        ("marten", "marton", False),
        ("jonas", "jona", False),
        ("anna", "hanna", False),
        ("lena", "lina", False),
    ],
)
def test_a_slip_swaps_two_letters_or_doubles_one(one: str, other: str, expected: bool) -> None:
    assert slip(one, other) is expected
    assert slip(other, one) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Where does Lena Smith live?", "where does lena jones live", True),
        ("Where does Marten Fenn live?", "Where does Marton Fenn live?", True),
        ("Where does Marten Fenn live?", "Where does Marten Fenn work?", False),
        ("Where does Marten Fenn live?", "Where does Martne Fenn live?", False),
        ("Where does Lena Smith live?", "Where does Lena live?", False),
        ("When does bus 12 leave?", "When does bus 13 leave?", True),
        ("What is 2 + 3?", "What is 2 + 2?", True),
        ("When do the two meet?", "When do the 2 meet?", False),
        ("When does bus 12 leave?", "When does bus 12 arrive?", True),
        ("When does the shop open?", "When does the shop close?", True),
        ("What is on Monday?", "What is on Tuesday?", True),
        ("What is on Monday?", "What is on Monday or Tuesday?", False),
        ("What does my mother do?", "What does my father do?", True),
        ("What does my mother do?", "What does my mum do?", False),
        ("How old is the tower?", "How tall is the tower?", True),
        ("How old is the tower?", "Since when is the old tower there?", False),
        ("What is my favorite color?", "My favorite color is blue.", True),
        ("How are you today?", "today", True),
        ("When is my birthday?", "birthday?", False),
        ("Hello!", "hi", False),
        ("I'm bored.", "Are you bored?", True),
        ("I'm bored.", "I have nothing to do.", False),
        ("What is my dog called?", "What should I call my dog?", True),
        ("What is my dog's name?", "What is a good name for a dog?", True),
        ("What should I cook?", "Which dish should I cook?", False),
    ],
)
def test_what_names_different_things_is_apart(one: str, other: str, expected: bool) -> None:
    read = shipped().reader.read
    assert apart(read(one), read(other)) is expected


def test_which_of_the_two_was_taught_does_not_matter_to_names() -> None:
    read = shipped().reader.read
    one, other = read("Where does Lena Smith live?"), read("where does lena jones live")
    assert apart(one, other)
    assert apart(other, one)


def test_what_is_apart_is_offered_at_most() -> None:
    scopes = Scopes(shipped())
    scopes.put(1, ["Where does Marten Fenn live?"])
    assert scopes.decide("Where does Martne Fenn live?").sure
    assert not scopes.decide("Where does Marton Fenn live?").sure


def test_a_shorter_wording_does_not_let_pass_what_the_prompt_tells_apart() -> None:
    scopes = Scopes(shipped())
    scopes.put(1, ["When does bus 12 leave?", "When does that bus leave?"])
    assert not scopes.decide("When does bus 13 leave?").sure
    assert scopes.decide("when does that bus leave").sure
