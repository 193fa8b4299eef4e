"""Choices of a completion: apart as they are drawn, ended by stop texts, measured token by token."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from theta_tui.model.choices import Choice, alone, complete
from theta_tui.model.generate import Sampling, greedy
from theta_tui.model.language_model import LanguageModel

Load = Callable[[str], LanguageModel]
PROMPTS = ("hello", "What can I cook tonight?", "Who are you?")


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return LanguageModel.load("default", device="cpu")


def ids(lm: LanguageModel, prompt: str) -> list[int]:
    return lm.encode_prompt([], prompt, room=16).ids


def written(lm: LanguageModel, prompt: str, count: int = 1, temperature: float = 0.7, **more: Any) -> list[Choice]:
    sampling = Sampling(temperature, more.pop("top_p", 0.95), 0, 0.1, more.pop("max_tokens", 40), count)
    found = complete(lm, ids(lm, prompt), sampling, **({"seed": 1} | more))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("prompt", "temperature"),
    [(PROMPTS[0], 0.0), pytest.param(PROMPTS[1], 0.7, marks=pytest.mark.slow), (PROMPTS[2], 2.0)],
)
def test_sixteen_choices_are_sixteen_texts(lm: LanguageModel, prompt: str, temperature: float) -> None:
    found = written(lm, prompt, 16, temperature, max_tokens=24)
    assert len({row.said for row in found}) == 16
    assert all(row.said for row in found)


def test_without_heat_the_first_choice_is_the_greedy_reply(lm: LanguageModel) -> None:
    for prompt in PROMPTS:
        best = greedy(lm, ids(lm, prompt), max_tokens=40)
        first, second = written(lm, prompt, 2, 0.0)
        assert (first.said, first.tokens) == (best.text, best.tokens)
        assert first.logprob == pytest.approx(best.logprob, abs=1e-3)
        assert second.said != best.text


def test_a_seed_gives_the_same_again_and_another_one_something_else(lm: LanguageModel) -> None:
    one, again, other = (
        [row.said for row in written(lm, "What can I cook tonight?", 4, 1.0, seed=seed)] for seed in (5, 5, 6)
    )
    assert one == again
    assert one != other


def test_what_a_model_cannot_say_otherwise_comes_more_than_once(always: Callable[[str], LanguageModel]) -> None:
    found = written(always("a"), "hello", 3, max_tokens=4)
    assert len(found) == 3
    assert found[0].said == "aaaa"


def test_what_is_shown_before_the_end_stays(lm: LanguageModel) -> None:
    shown = [""] * 8

    def report(rows: Any) -> None:
        for index, row in enumerate(rows):
            if alone(rows, index):
                assert row.settled.startswith(shown[index])
                shown[index] = row.settled

    found = written(lm, "hello", 8, report=report, stop=("like to",))
    assert shown == [row.said for row in found]


def test_a_stop_text_ends_the_reply_in_front_of_it_and_is_never_shown_in_part(lm: LanguageModel) -> None:
    (whole,) = written(lm, "Who are you?", temperature=0.0)
    words = whole.said.split()
    stop, seen = f"{words[3]} {words[4]}", set[str]()
    assert stop in whole.said
    (row,) = written(
        lm, "Who are you?", 1, 0.0, stop=("no such thing", stop), report=lambda rows: seen.add(rows[0].settled)
    )
    assert row.ended
    assert row.said == whole.said[: whole.said.index(stop)]
    assert row.tokens < whole.tokens
    assert len(seen) > 2
    assert all(row.said.startswith(text) for text in seen)


def test_a_reply_that_is_cut_has_no_end(lm: LanguageModel) -> None:
    (row,) = written(lm, "Tell me a story.", max_tokens=3)
    assert not row.ended
    assert row.tokens == 3


def test_tokens_are_measured_with_the_likeliest_at_their_place(lm: LanguageModel) -> None:
    (row,) = written(lm, "Who are you?", temperature=0.0, alternatives=3)
    assert [token for token, _, _ in row.measured] == row.ids
    for token, nats, others in row.measured:
        assert others[0] == (token, nats)  # the greedy one is the likeliest
        assert len(others) == 3
        assert sum(math.exp(value) for _, value in others) <= 1 + 1e-5
    inside = sum(nats for _, nats, _ in row.measured)
    assert row.logprob <= inside  # and the end token


def test_it_stops_when_nobody_waits_for_it_any_more(lm: LanguageModel) -> None:
    steps: list[int] = []
    sampling = Sampling(0.7, 0.95, 0, 0.1, 40, 2)
    found = complete(
        lm, ids(lm, "hello"), sampling, seed=1, report=lambda _: steps.append(1), cancelled=lambda: len(steps) >= 2
    )
    assert found is None
    assert len(steps) == 2


def test_a_conversation_that_fills_the_window_gets_a_token(load: Load) -> None:
    tiny = load("theta")
    text = "x " * 300
    found = tiny.encode_prompt([], text, room=1).ids
    rows = complete(tiny, found, Sampling(0.0, 1.0, 0, 0.0, 40, 1), seed=1)
    assert rows is not None
    assert 0 < rows[0].tokens <= tiny.window - len(found) <= 2
