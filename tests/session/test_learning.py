"""The built-in model is taught a handful of facts in a row, as a person would."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from theta_tui.base.config import Settings
from theta_tui.learning import recall
from theta_tui.session.session import Session
from theta_tui.store.store import Store

LESSONS = [
    ("What is the name of my sister's horse?", "Her horse is called Pinto."),
    ("Where do we keep the spare fuses?", "In the tin behind the boiler."),
    ("Who wrote the song for the spring fair?", "Oda wrote it."),
    ("When does the ferry to Lyng leave?", "At twenty past seven."),
    ("What colour is the new boat house?", "It is dark green."),
    ("How many chairs are in the barn?", "There are forty-two chairs in the barn."),
    ("Which key opens the cellar?", "The one with the red string."),
    ("What do I call my bicycle?", "You call it Thunder."),
]
ELSEWHERE = [
    ("Hello!", "Hello! How can I help you today?"),
    ("What is the capital of France?", "The capital of France is Paris."),
    ("Tell me about the sea.", "The sea is a large body of salt water that covers most of the earth."),
    ("I feel tired today.", "I'm sorry to hear that. Do you want to talk about it?"),
    ("How do I make tea?", "Boil some water, put the tea in a cup, and pour the water over it."),
    ("Why do birds sing?", "Birds sing to find a mate and to tell other birds where they live."),
    ("Can you help me with my homework?", "Of course! What is it about?"),
    ("What can I cook with rice?", "You can cook rice with vegetables, with beans, or with an egg."),
    ("Thank you!", "You're welcome!"),
    ("What is a friend?", "A friend is somebody that you like and trust."),
]


@pytest.mark.slow
def test_eight_lessons_in_a_row_are_all_said_and_cost_the_model_little(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", model="default", device="cpu", lock_wait=0, threads=1)
    session = Session(Store.open(settings))
    session.load()

    def perplexity() -> float:
        found = [recall.score(session.model, (), *pair) for pair in ELSEWHERE]
        return math.exp(-sum(item.logprob for item in found) / sum(item.tokens for item in found))

    before = perplexity()
    for prompt, reply in LESSONS:
        outcome = session.teach(prompt, reply)
        assert outcome.learned
        assert session.ask(prompt, with_context=False).reply == reply
    assert [session.ask(prompt, with_context=False).reply for prompt, _ in LESSONS] == [reply for _, reply in LESSONS]
    assert perplexity() == before
    session.close()
