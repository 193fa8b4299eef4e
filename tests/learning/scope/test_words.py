"""Messages taken apart: contractions, names, stems and slips of a letter."""

from __future__ import annotations

import pytest

from theta_tui.learning.scope.words import MOST, alike, normal_form, stem, words


def texts(message: str) -> list[str]:
    return [word.text for word in words(message)]


def test_contractions_are_taken_apart() -> None:
    assert texts("What's your name?") == ["what", "'s", "your", "name", "?"]
    assert texts("I can't, and I don't") == ["i", "can", "not", "and", "i", "do", "not"]
    assert texts("ur name pls") == ["your", "name", "please"]


def test_a_word_is_a_name_where_it_is_capitalised_inside_a_sentence_or_has_a_digit() -> None:
    named = {word.text for word in words("Where is Quillane? Ask Room 12, said I.") if word.named}
    assert named == {"quillane", "room", "12"}


def test_wordings_that_differ_in_case_punctuation_or_politeness_alone_have_one_normal_form() -> None:
    wordings = "What's your name?", "whats your name", "What’s your name, please?!", "what is your name"
    forms = {normal_form(text) for text in wordings}
    assert len(forms) == 1
    assert normal_form("My dog's name?") != normal_form("My dog is name?")
    assert normal_form("What's my name?") not in forms


def test_a_message_of_nothing_but_punctuation_has_no_words() -> None:
    assert texts("… --- ,,") == []
    assert normal_form("") == ""
    assert normal_form("?!") != normal_form("…")


def test_of_a_long_message_the_beginning_and_the_end_are_looked_at() -> None:
    message = " ".join(f"w{number}" for number in range(1000))
    found = texts(message)
    assert len(found) == MOST
    assert (found[0], found[-1]) == ("w0", "w999")


@pytest.mark.parametrize(
    ("one", "other"), [("teaches", "teaching"), ("names", "name"), ("cities", "city"), ("running", "runs")]
)
def test_forms_of_one_word_have_one_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("quillane", "quilane", True),
        ("quillane", "quillnae", True),
        ("quillane", "quillame", True),
        ("cat", "car", False),
        ("1912", "1913", False),
        ("quillane", "peskinton", False),
    ],
)
def test_a_slip_of_one_letter_in_a_long_word_is_forgiven(one: str, other: str, expected: bool) -> None:
    assert alike(one, other) is expected
    assert alike(other, one) is expected
