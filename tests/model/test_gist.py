"""Whether two replies say the same."""

from __future__ import annotations

import pytest

from theta_tui.model.gist import alike, gist


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Hello there.", "Hello.", True),
        ("Hello there!", "Hi there!", True),
        ("I'm sorry to hear that.", "I am so sorry to hear that!", True),
        ("I'm doing great! Tell me about your day.", "I'm doing well! Tell me about your day.", True),
        ("I have a dog.", "I have no idea what you mean.", False),
        ("Yes.", "No.", False),
        ("Good night!", "Good morning!", False),
        ("🙂", "🎉", False),
        ("", "", False),
    ],
)
def test_replies_that_differ_in_words_that_carry_nothing_say_the_same(one: str, other: str, same: bool) -> None:
    assert alike(gist(one), gist(other)) is same
