"""Other wordings of a prompt: they mean the same, the best come first, and nothing is made up."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from theta_tui.base.text import is_blank, visible
from theta_tui.facts.paraphrases import MAX_VARIANTS, variants
from theta_tui.facts.statements import load_dictionary

OURS = load_dictionary()


@pytest.mark.parametrize(
    ("prompt", "other"),
    [
        ("Where does my brother live?", "Tell me where my brother lives."),
        ("Where does my brother live?", "My brother lives where?"),
        ("What colour is the Harlow bridge?", "What colour is the bridge of Harlow?"),
        ("When does the Brimley market open?", "When does the market of Brimley open?"),
        ("What is the capital of France?", "Do you know what the capital of France is?"),
        ("What is the capital of France?", "What's the capital of France?"),
        ("What is the capital of France?", "The capital of France, please."),
        ("What is my dog called?", "What is my dog's name?"),
        ("What is my dog called?", "Can you tell me what my dog is called?"),
        ("Who is your creator?", "Who created you?"),
        ("Who made you?", "Tell me who made you."),
        ("When did the war end?", "I'd like to know when the war ended."),
        ("How many children do I have?", "Tell me how many children I have."),
        ("What colour is my car?", "I was wondering what colour my car is."),
        ("Why is the sky blue?", "Tell me why the sky is blue."),
        ("Do you like music?", "Tell me whether you like music."),
        ("Is my dog brown?", "Do you know whether my dog is brown?"),
        ("What's your name?", "What is your name?"),
        ("how old am I", "Do you know how old I am?"),
        ("What can you do?", "Tell me what you can do."),
    ],
)
def test_a_question_is_asked_in_other_words(prompt: str, other: str) -> None:
    assert other in variants(prompt, OURS)


def test_the_dictionary_comes_first_and_case_last() -> None:
    found = variants("Who is your creator?", OURS)
    assert found[0] == "Who made you?"
    assert found.index("Who created you?") < found.index("who is your creator")


@pytest.mark.parametrize("prompt", ["hello", "Tell me a joke.", "Which planet has the most moons?", "Hi! How are you?"])
def test_what_is_not_understood_keeps_its_words(prompt: str) -> None:
    found = variants(prompt, OURS)
    assert found
    for other in found:
        assert other.lower().rstrip("?!.") == prompt.lower().rstrip("?!.")


@pytest.mark.parametrize(
    "prompt",
    ["Who is the French president?", "What is the English word for Hund?", "Where is the Eiffel Tower?",
     "What was the Monday meeting about?", "Who wrote the Harry Potter books?"],
)  # fmt: skip
def test_only_a_thing_of_a_name_is_turned(prompt: str) -> None:
    assert not any(re.search("of [A-Z]", other) for other in variants(prompt, OURS))


def test_an_answered_question_keeps_its_subject_whole() -> None:
    assert "Tell me where the treaty was signed." in variants("Where was the treaty signed?", OURS)
    assert not any(
        "treaty signed?" in other and "find" in other for other in variants("Where was the treaty signed?", OURS)
    )


@pytest.mark.parametrize("prompt", ["", "   ", "a\nb", "x" * 400, "what is \x1b[2J?"])
def test_nothing_is_made_of_what_is_no_plain_line(prompt: str) -> None:
    assert variants(prompt, OURS) == ()


HEAPS = st.lists(
    st.sampled_from(["what", "where", "is", "does", "my", "dog", "live", "in", "France", "I", "you", "?", "'s", "who"]),
    max_size=7,
).map(" ".join)


@given(st.text(max_size=80) | HEAPS)
@example("\U0002ebe1!")  # what no font shows, and a mark that other wordings go without
def test_any_text_has_few_variants_that_are_others_and_harmless(prompt: str) -> None:
    found = variants(prompt, OURS)
    assert found == variants(prompt, OURS)
    assert len(found) == len(set(found)) <= MAX_VARIANTS
    assert prompt not in found
    for other in found:
        assert not is_blank(other)
        assert visible(other, one_line=True) == other
