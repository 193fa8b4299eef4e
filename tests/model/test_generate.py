from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import pytest
import torch

from theta_tui.base.errors import ModelError
from theta_tui.base.text import is_blank, normalised
from theta_tui.model.decoding.general import GeneralDecoder
from theta_tui.model.decoding.protocol import Decoder, Prefill, Rows
from theta_tui.model.generate import DRAWN, MANY, Reply, Row, Sampling, Task, greedy, propose, write
from theta_tui.model.gist import alike, gist
from theta_tui.model.language_model import LanguageModel

Load = Callable[[str], LanguageModel]
Shown = list[tuple[tuple[str, bool], ...]]

SAMPLING = Sampling(temperature=0.9, top_p=0.95, top_k=0, min_p=0.02, max_tokens=12)


@pytest.fixture(scope="session")
def default() -> LanguageModel:
    return LanguageModel.load("default", device="cpu")


def ask(lm: LanguageModel, prompt: str = "hello") -> list[int]:
    return lm.encode_prompt([], prompt, room=16).ids


def five(lm: LanguageModel, prompt: str = "hello", **options: object) -> list[Reply]:
    replies = propose(lm, ask(lm, prompt), SAMPLING, **({"seed": 1} | options))  # type: ignore[arg-type]
    assert replies is not None
    assert len(replies) == 5
    assert len({normalised(reply.text) for reply in replies}) == 5
    assert not any(is_blank(reply.text) for reply in replies)
    return replies


@pytest.mark.parametrize("kind", ["theta", "chatml", "gpt2"])
def test_there_are_five_distinct_replies_likeliest_first(load: Load, kind: str) -> None:
    replies = five(load(kind))
    assert [reply.logprob for reply in replies] == sorted((reply.logprob for reply in replies), reverse=True)
    assert all(reply.text == reply.text.strip() for reply in replies)


@pytest.mark.parametrize(
    "prompt",
    [
        "hello",
        "What is your name?",
        *(pytest.param(more, marks=pytest.mark.slow) for more in ("How are you?", "Tell me something about the sea.")),
    ],
)
def test_the_embedded_model_gives_five_with_the_greedy_one_among_them(default: LanguageModel, prompt: str) -> None:
    best = greedy(default, ask(default, prompt), max_tokens=12)
    assert best.text in [reply.text for reply in five(default, prompt)]


@pytest.mark.parametrize("word", ["a", "<|endoftext|>", "\n"])
def test_a_model_that_always_says_one_thing_still_gives_five(always: Callable[[str], LanguageModel], word: str) -> None:
    five(always(word))


def test_replies_to_avoid_do_not_come_back(load: Load) -> None:
    lm = load("theta")
    first = [reply.text for reply in five(lm)]
    again = [reply.text for reply in five(lm, avoid=first)]
    assert {normalised(text) for text in first}.isdisjoint(normalised(text) for text in again)


def test_at_temperature_zero_the_five_are_greedy_from_different_beginnings(load: Load) -> None:
    lm = load("theta")
    cold = replace(SAMPLING, temperature=0.0)
    runs = [propose(lm, ask(lm), cold, seed=seed) for seed in (1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] is not None
    assert len({reply.text for reply in runs[0]}) == 5


@pytest.mark.parametrize("kind", ["theta", "gpt2"])
def test_the_log_probability_is_that_of_one_plain_forward_pass(load: Load, kind: str) -> None:
    lm = load(kind)
    prompt = ask(lm)
    reply = greedy(lm, prompt, max_tokens=6)
    assert not reply.ended
    assert reply.tokens == 6
    ids = list(prompt)
    total = 0.0
    for _ in range(6):
        with torch.no_grad():
            own = lm.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        ids.append(int(own.argmax()))
        total += float(own.max())
    assert reply.logprob == pytest.approx(total, abs=1e-4)
    assert reply.text == lm.decode(ids[len(prompt) :]).rstrip("\ufffd").strip()


def test_an_ended_reply_counts_its_end_token(default: LanguageModel) -> None:
    for reply in five(default, "How are you?"):
        if reply.ended:
            example = default.encode_lesson([], "How are you?", reply.text)
            assert example.labels[-1] in default.end_ids
            with torch.no_grad():
                logprobs = default.model(torch.tensor([example.input_ids])).logits[0].log_softmax(-1)
            wanted = [(place, label) for place, label in enumerate(example.labels) if label != -100]
            assert reply.tokens == len(wanted)
            plain = sum(float(logprobs[place - 1, label]) for place, label in wanted)
            assert reply.logprob == pytest.approx(plain, abs=1e-3)


def test_the_same_seed_gives_the_same_five_and_none_gives_others(load: Load) -> None:
    lm = load("theta")
    assert five(lm, seed=7) == five(lm, seed=7)
    assert five(lm, seed=7) != five(lm, seed=8)
    assert five(lm, seed=None) != five(lm, seed=None)


def test_the_global_random_state_is_left_alone(lm: LanguageModel) -> None:
    before = torch.random.get_rng_state()
    five(lm)
    assert torch.equal(before, torch.random.get_rng_state())


def test_all_slots_are_heard_at_every_token_and_grow(lm: LanguageModel) -> None:
    heard: Shown = []
    five(lm, on_progress=heard.append)
    assert len(heard) >= SAMPLING.max_tokens
    assert {len(slots) for slots in heard} == {5}
    assert all(done for _, done in heard[-1])
    for earlier, later in pairwise(heard[:11]):
        for (before, _), (after, _) in zip(earlier, later, strict=True):
            assert after.startswith(before) or before == ""


def test_half_a_character_is_never_shown(load: Load) -> None:
    lm = load("theta")
    heard: Shown = []
    five(lm, on_progress=heard.append)
    assert not any(text.endswith("\ufffd") for slots in heard for text, _ in slots)


def test_it_stops_at_the_next_token_when_cancelled(lm: LanguageModel) -> None:
    heard: Shown = []
    assert propose(lm, ask(lm), SAMPLING, seed=1, on_progress=heard.append, cancelled=lambda: len(heard) >= 3) is None
    assert len(heard) == 3
    assert propose(lm, ask(lm), SAMPLING, seed=1, cancelled=lambda: True) is None


def written(lm: LanguageModel, prompts: Sequence[str], stop: str = "") -> list[Task]:
    """The greedy replies to all of `prompts`, in one batch; that to `stop` is cancelled at its third token."""
    cold = replace(SAMPLING, temperature=0.0)
    tasks = []
    for prompt in prompts:
        row = Row(lm, greedy=True)
        cancelled = (lambda row=row: len(row.ids) >= 3) if prompt == stop else lambda: False
        tasks.append(Task(ask(lm, prompt), [row], (cold, cold), 12, torch.Generator(), cancelled))
    write(lm, *tasks)
    return tasks


@pytest.mark.parametrize("way", ["fast", "general"])
def test_what_several_people_get_in_one_batch_is_what_each_gets_alone(default: LanguageModel, way: str) -> None:
    before, prompts = default.decoder, ("hello", "What is your name?", "I had a terrible day at work.")
    default.__dict__["decoder"] = before if way == "fast" else GeneralDecoder(default.model, {})
    try:
        singly = [greedy(default, ask(default, prompt), max_tokens=12) for prompt in prompts]
        together = [task.rows[0].reply() for task in written(default, prompts)]
    finally:
        default.__dict__["decoder"] = before
    assert [reply.text for reply in together] == [reply.text for reply in singly]
    assert [reply.logprob for reply in together] == pytest.approx([reply.logprob for reply in singly], abs=1e-3)


def test_who_cancels_leaves_the_others_of_the_batch_alone(default: LanguageModel) -> None:
    prompts = ("hello", "What is your name?", "How are you?")
    whole, left = written(default, prompts), written(default, prompts, stop=prompts[1])
    assert [task.ran for task in left] == [True, False, True]
    assert [left[at].rows[0].text for at in (0, 2)] == [whole[at].rows[0].text for at in (0, 2)]
    assert len(left[1].rows[0].ids) == 3 < len(whole[1].rows[0].ids)


@pytest.mark.parametrize("way", ["fast", "general"])
def test_rows_that_have_ended_leave_the_batch(default: LanguageModel, way: str) -> None:
    decoder: Decoder = default.decoder if way == "fast" else GeneralDecoder(default.model, {})
    assert decoder.name == way
    sizes: list[int] = []

    class Counted:
        """The decoder, which notes how many rows each step takes."""

        threads = None

        def together(self, *_: object) -> None:
            return None

        def prefill(self, ids: Sequence[int]) -> Prefill:
            return decoder.prefill(ids)

        def branch(self, prefill: Prefill, rows: int, room: int, modules: Sequence[None]) -> Rows:
            self.rows = decoder.branch(prefill, rows, room, modules)
            self.keep = self.rows.keep
            return self  # type: ignore[return-value]

        def step(self, tokens: Sequence[int]) -> torch.Tensor:
            sizes.append(len(tokens))
            logits = self.rows.step(tokens)
            assert len(logits) == len(tokens)
            return logits

    ids = ask(default, "What is your name?")
    before = default.decoder
    default.__dict__["decoder"] = Counted()
    try:
        replies = propose(default, ids, replace(SAMPLING, max_tokens=40), seed=1)
    finally:
        default.__dict__["decoder"] = before
    assert replies is not None
    assert sizes[0] == 5
    assert min(sizes) < 5


def test_a_listener_hears_only_when_it_is_due_and_always_the_end(lm: LanguageModel) -> None:
    heard: Shown = []
    assert propose(lm, ask(lm), SAMPLING, seed=1, on_progress=heard.append, due=lambda: False)
    assert 1 <= len(heard) < SAMPLING.max_tokens
    assert all(done for _, done in heard[-1])


def test_what_was_generated_can_be_learned_from(lm: LanguageModel) -> None:
    five(lm)
    loss = lm.model(torch.tensor([[5, 6, 7]]), labels=torch.tensor([[5, 6, 7]])).loss
    loss.backward()


def test_a_full_window_still_gives_a_reply(lm: LanguageModel) -> None:
    replies = propose(lm, list(range(10, 10 + lm.window - 1)), SAMPLING, seed=1)
    assert replies is not None
    assert all(reply.tokens == 1 for reply in replies)


def test_a_model_that_answers_nan_is_named(lm: LanguageModel) -> None:
    with torch.no_grad():
        next(lm.model.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="not numbers"):
        propose(lm, ask(lm), SAMPLING, seed=1)


@pytest.mark.parametrize(
    "options",
    [{"top_k": 1}, {"top_p": 0.01}, {"min_p": 1.0}],
    ids=["top-k", "top-p", "min-p"],
)
def test_each_filter_alone_can_leave_only_the_likeliest_token(lm: LanguageModel, options: dict[str, float]) -> None:
    from theta_tui.model.generate import probabilities

    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    p = probabilities(logits, replace(SAMPLING, **({"top_p": 1.0, "min_p": 0.0} | options)))  # type: ignore[arg-type]
    assert torch.equal(p > 0, logits == logits.amax(-1, keepdim=True))


def test_five_begin_as_sampling_might_and_differ_in_more_than_marks(default: LanguageModel) -> None:
    for prompt, seed in (("hello", 2), ("What do you like to talk about?", 1)):
        ids = ask(default, prompt)
        replies = propose(default, ids, replace(SAMPLING, temperature=0.7, min_p=0.1, max_tokens=40), seed=seed)
        assert replies is not None
        likely = default.decoder.prefill(ids).logits.softmax(-1)
        for reply in replies:
            assert likely[default.chat.plain_ids([reply.text])[0][0]] >= DRAWN * likely.max(), reply.text
        gists = [gist(reply.text) for reply in replies]
        assert not any(alike(one, other) for one, other in combinations(gists, 2)), replies


def test_a_batch_of_many_rows_is_written_on_all_threads_and_few_on_one(default: LanguageModel) -> None:
    seen: list[int] = []
    before = torch.get_num_threads()

    def task(rows: int) -> Task:
        report = lambda _: seen.append(torch.get_num_threads())  # noqa: E731
        ids = ask(default)
        generator = torch.Generator().manual_seed(1)
        made = [Row(default) for _ in range(rows)]
        return Task(ids, made, (SAMPLING, SAMPLING), 2, generator, lambda: False, report)

    torch.set_num_threads(2)
    try:
        for rows in (5, MANY - 1, MANY):
            write(default, task(rows))
        assert seen == [1, 1, 1, 1, 2, 2]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
