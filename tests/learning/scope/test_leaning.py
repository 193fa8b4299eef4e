"""Which messages lean on the turn before them."""

from __future__ import annotations

import pytest

from theta_tui.learning.scope.leaning import leans


@pytest.mark.parametrize(
    "message",
    [
        "and his?",
        "And his",
        "what about hers?",
        "How about yours?",
        "What about in winter?",
        "And in winter?",
        "and on sundays",
        "why?",
        "Why",
        "But why?",
        "why not?",
        "Since when?",
        "How come?",
        "And you?",
        "And Paris?",
        "What about Paris?",
        "Yours?",
        "His name?",
        "For dinner?",
        "Is it?",
        "Do you?",
        "Really?",
        "Who is she?",
        "Which one?",
        "What else?",
        "And then?",
        "How many?",
        "Tell me more.",
        "Go on!",
        "Another one, please.",
    ],
)
def test_a_message_that_names_nothing_leans_on_the_turn_before(message: str) -> None:
    assert leans(message)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "?!",
        "What is your name?",
        "Who are you?",
        "How are you?",
        "Who am I?",
        "Where are you?",
        "What time is it?",
        "What's up?",
        "How old are you?",
        "Where does my brother live?",
        "What is his name?",
        "How about a game of chess?",
        "How about going out tonight?",
        "What about a joke?",
        "How about another joke?",
        "How about those Lions?",
        "How about you ask me something?",
        "One coffee, please?",
        "And what is your favorite food?",
        "And then he went home to his family.",
        "And thanks!",
        "Hello",
        "Hi!",
        "Thanks",
        "Yes.",
        "No",
        "OK",
        "Tell me a joke.",
        "I am tired.",
        "In winter it is cold here.",
        "My name?",
        "Pizza?",
        "Do you like music?",
        "What do you do?",
        "Is Paris nice?",
        "Good night",
        "What about the meeting with the people from the bank on Friday?",
    ],
)
def test_a_message_that_can_be_understood_alone_does_not(message: str) -> None:
    assert not leans(message)
