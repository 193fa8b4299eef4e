"""Questions that ask the same are said the same way; others are left as they are."""

from __future__ import annotations

import pytest

from theta_tui.learning.scope.index import Scopes
from theta_tui.learning.scope.matcher import shipped
from theta_tui.learning.scope.synonyms import asked_for, plainly


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("How old am I?", "what is my age?"),
        ("how old is the tower", "what is the tower's age?"),
        ("What is the age of the tower?", "what is the tower's age?"),
        ("When was Lena born?", "when is Lena's birthday?"),
        ("What's my date of birth?", "when is my birthday?"),
        ("On which date is my birthday?", "when is my birthday?"),
        ("Where were you born?", "what is your birthplace?"),
        ("Who is the author of Ember Road?", "who wrote Ember Road?"),
        ("Who is your creator?", "who created you?"),
        ("How much does the ticket cost?", "what is the ticket's price?"),
        ("What do I do for a living?", "what is my job?"),
        ("which dish do I like best?", "what is my favorite dish?"),
        ("Where do you come from?", "where are you from?"),
        ("What's my profession?", "What's my job?"),
    ],
)
def test_a_question_is_said_in_the_plainest_way(said: str, plain: str) -> None:
    assert plainly(said) == plain
    assert plainly(plain) == plain


@pytest.mark.parametrize(
    "said", ["Where do I live?", "What is my sister's name?", "How are you?", "I was born in May.", "", "?!", "Hello!"]
)
def test_what_is_plain_stays_as_it_is(said: str) -> None:
    assert plainly(said) == said


@pytest.mark.parametrize(
    ("taught", "asked"),
    [
        ("What is my job?", "What is my profession?"),
        ("When was I born?", "When is my birthday?"),
        ("What is my height?", "how tall am i"),
        ("Who founded Tarn?", "Who is the founder of Tarn?"),
        ("Where is my home?", "where is my house"),
    ],
)
def test_a_lesson_is_found_by_either_way_to_say_it(taught: str, asked: str) -> None:
    for one, other in ((taught, asked), (asked, taught)):
        scopes = Scopes(shipped())
        scopes.put(1, [one])
        decision = scopes.decide(other)
        assert (decision.lesson, decision.sure) == (1, True)


@pytest.mark.parametrize(
    ("taught", "asked"),
    [
        ("How old am I?", "How old are you?"),
        ("When was I born?", "When was Lena born?"),
        ("Who wrote it?", "Who owns it?"),
        ("What is my sister's name?", "What does my sister do?"),
        ("Where do I live?", "where do I work"),
    ],
)
def test_another_person_or_another_deed_stays_another_question(taught: str, asked: str) -> None:
    scopes = Scopes(shipped())
    scopes.put(1, [taught])
    assert not scopes.decide(asked).sure


def test_what_is_not_meant_is_not_meant_in_plainer_words_either() -> None:
    scopes = Scopes(shipped())
    scopes.put(1, ["What is my job?"], not_these=["What is my profession?"])
    assert scopes.decide("What is my job?").sure
    assert not scopes.decide("What is my profession?").sure


def test_what_is_asked_for_is_known_where_it_is_asked_of_anybody() -> None:
    found = [asked_for(plainly(text)) for text in ("How old is Lena?", "where do I live", "What's my job", "Why?")]
    assert found == ["age", "home", "job", None]
