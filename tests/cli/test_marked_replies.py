"""The reply that was written with a lesson is marked with its number, and picking it widens the lesson's scope."""

from __future__ import annotations

import pytest

from tests.cli.running import Theta
from theta_tui.learning.scope import index

DOG, CALLED = "What is my dog's name?", "Which name did I give my dog?"


@pytest.fixture
def dog(theta: Theta, monkeypatch: pytest.MonkeyPatch) -> Theta:
    """A home with a lesson that only its own words are sure to ask for."""
    monkeypatch.setattr(index, "SURE", 1000.0)
    assert theta("teach", "--for", DOG, "Pixel").code == 0
    return theta


def test_a_mark_is_told_with_the_reply_and_how_to_say_that_it_is_meant(dog: Theta) -> None:
    sure = dog("prompt", DOG)
    assert sure.lines[0] == "1: Pixel  (#1)"
    assert len(sure.lines) == 5
    asked = dog("prompt", CALLED)
    assert asked.lines[4].endswith("  (#1?)")
    assert asked.lines[5:] == ["5 is what lesson 1 says: pick it if that is meant"]
    assert "#1" not in "".join(asked.lines[:4])


def test_the_json_has_the_lesson_of_a_marked_reply_and_whether_it_was_sure(dog: Theta) -> None:
    *others, last = dog("prompt", CALLED, "--json").json["candidates"]
    assert (last["index"], last["lesson"], last["sure"]) == (5, 1, False)
    assert [set(other) for other in others] == [{"index", "text", "logprob", "cut"}] * 4
    first = dog("prompt", DOG, "--json").json["candidates"][0]
    assert (first["text"], first["lesson"], first["sure"]) == ("Pixel", 1, True)


def test_picking_it_is_told_and_listed(dog: Theta) -> None:
    dog("prompt", CALLED)
    assert dog("teach", "5").out == "#1 is meant here too.\n"
    assert dog("prompt", CALLED).lines[0].endswith("  (#1)")
    taught = dog("teach", "--json", "1").json
    assert (taught["meant"], taught["steps"]) == (1, 0)
    assert "meant" not in dog("teach", "--json", "--for", "Who?", "Nobody.").json
    first = dog("lessons").lines[1]
    assert first.endswith("What is my dog's name? → Pixel  (+1 wording)")
    rows = dog("lessons", "--json").json["lessons"]
    assert rows[0]["more_wordings"] == 1
    assert rows[0]["said_at"] == pytest.approx(rows[2]["at"], abs=0.01)
    assert "more_wordings" not in rows[1]
    assert (rows[3]["more_wordings"], rows[3]["said_at"]) == (0, None)


def test_undo_in_the_record_alone_takes_the_wording_out(dog: Theta) -> None:
    dog("prompt", CALLED)
    dog("teach", "5")
    dog("undo")
    assert dog("prompt", CALLED).lines[4].endswith("  (#1?)")
    dog("withdraw", "1")
    assert "#1" not in dog("prompt", CALLED).out


def test_the_plain_loop_marks_it_and_says_what_a_pick_did(dog: Theta) -> None:
    said = dog("chat", "--plain", stdin=f"{CALLED}\n5\n{CALLED}\n1\nquit\n")
    assert [line[:2] for line in said.lines if line.endswith("  (#1?)")] == ["5:"]
    assert "5 is what lesson 1 says: pick it if that is meant" in said.lines
    assert said.out.count("#1 is meant here too.") == 2
    assert [line[:4] for line in said.lines if line.endswith("  (#1)")] == ["> 1:"]
    assert "trained" not in said.out


def test_what_it_did_is_shown_with_the_learning_info(dog: Theta) -> None:
    dog("prompt", CALLED)
    said = dog("teach", "5", "--show-learning-info")
    assert said.lines[0] == "#1 is meant here too."
    assert "  steps    0 in" in said.out
