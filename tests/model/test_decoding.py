"""Decoding is the model's own arithmetic: both ways against a plain forward pass, and each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.later import transformers
from theta_tui.learning.learner import Learner
from theta_tui.learning.recipes import RECIPES
from theta_tui.model.decoding import fast
from theta_tui.model.decoding.fast import FastDecoder, agrees
from theta_tui.model.decoding.general import GeneralDecoder
from theta_tui.model.decoding.protocol import Decoder
from theta_tui.model.generate import propose
from theta_tui.model.language_model import LanguageModel
from theta_tui.model.llama.block import recognised
from theta_tui.model.sampling import SHORT, Sampling, draw, probabilities, shortlist

Load = Callable[[str], LanguageModel]

WINDOW = 96
SHAPE: dict[str, Any] = dict(
    vocab_size=120, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
    max_position_embeddings=WINDOW, initializer_range=0.3, bos_token_id=None, eos_token_id=1, pad_token_id=None,
)  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 32}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}


def llama(**more: Any) -> Any:
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**(SHAPE | more)))


def grouped(**more: Any) -> Any:
    return llama(num_key_value_heads=2, **more)


FAST: dict[str, Callable[[], Any]] = {
    "tied": lambda: llama(tie_word_embeddings=True),
    "untied": lambda: llama(tie_word_embeddings=False),
    "grouped": grouped,
    "one key head": lambda: llama(num_key_value_heads=1),
    "wide heads": lambda: llama(head_dim=24, num_key_value_heads=2),
    "biases": lambda: llama(attention_bias=True, mlp_bias=True),
    "llama3 positions": lambda: grouped(rope_parameters=LLAMA3),
    "linear positions": lambda: llama(rope_parameters=LINEAR),
    "yarn positions": lambda: llama(rope_parameters=YARN),
    "mistral": lambda: transformers.MistralForCausalLM(
        transformers.MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=None)
    ),
    "qwen2": lambda: transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**SHAPE, num_key_value_heads=2)),
    "qwen3": lambda: transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(**SHAPE, num_key_value_heads=2, head_dim=16)
    ),
}
GENERAL: dict[str, Callable[[], Any]] = {
    "gpt2": lambda: transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=120, n_positions=WINDOW, n_embd=32, n_layer=2, n_head=2)
    ),
    "olmo": lambda: transformers.OlmoForCausalLM(transformers.OlmoConfig(**SHAPE)),
    "sliding mistral": lambda: transformers.MistralForCausalLM(
        transformers.MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=8)
    ),
    "sliding qwen2": lambda: transformers.Qwen2ForCausalLM(
        transformers.Qwen2Config(
            **SHAPE, num_key_value_heads=2, use_sliding_window=True, sliding_window=8, max_window_layers=1
        )
    ),
    "dynamic positions": lambda: llama(rope_parameters=DYNAMIC),
    "another activation": lambda: llama(hidden_act="gelu"),
    "half precision": lambda: llama().bfloat16(),
}


def made(build: Callable[[], Any]) -> Any:
    """A model of random weights, the norms and biases too."""
    torch.manual_seed(0)
    model = build().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def text(length: int, seed: int = 0) -> list[int]:
    return torch.randint(2, 120, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def plain(model: Any, ids: list[int]) -> torch.Tensor:
    """Log-probabilities of the token behind `ids`, by the model's own forward pass over all of it."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].float().log_softmax(-1)


def both(model: Any) -> list[Decoder]:
    return [FastDecoder(model), GeneralDecoder(model, {"logits_to_keep": 1})]


def near(logits: torch.Tensor, wanted: list[torch.Tensor], within: float = 1e-4) -> bool:
    return bool((logits.log_softmax(-1) - torch.stack(wanted)).abs().max() < within)


def write(model: Any, decoder: Decoder, prompt: list[int], steps: int = 7) -> None:
    """Five rows of random tokens, some of which leave; every logit is that of a plain forward pass."""
    start = decoder.prefill(prompt)
    assert near(start.logits[None], [plain(model, prompt)])
    rows = [list(prompt) for _ in range(5)]
    writing = decoder.branch(start, 5, steps)
    for step in range(steps):
        if step in (2, 4):
            stay = [1, 2, 4] if step == 2 else [0, 2]
            writing.keep(stay)
            rows = [rows[at] for at in stay]
        tokens = text(len(rows), seed=step)
        for row, token in zip(rows, tokens, strict=True):
            row.append(token)
        assert near(writing.step(tokens), [plain(model, row) for row in rows])


@pytest.mark.parametrize("kind", FAST)
def test_each_known_kind_goes_the_fast_way(kind: str) -> None:
    model = made(FAST[kind])
    assert recognised(model)
    assert agrees(FastDecoder(model), model)


def test_that_the_fast_way_agrees_is_found_once_a_machine_and_anew_for_other_shapes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked: list[str] = []

    def found(decoder: FastDecoder, model: Any) -> bool:
        asked.append(decoder.name)
        return len(asked) != 2

    monkeypatch.setattr(fast, "agrees", found)
    one, other = grouped(), llama(num_key_value_heads=1)
    for model in (one, grouped(), one):
        assert fast.proven(model.eval()) is not None
    assert len(asked) == 1
    assert fast.proven(other.eval()) is None, "what does not agree is not used"
    assert fast.proven(other) is not None, "and is looked at again, since nothing was remembered"
    assert len(asked) == 3


@pytest.mark.parametrize("kind", GENERAL)
def test_each_other_kind_goes_the_general_way(kind: str) -> None:
    model = made(GENERAL[kind])
    assert not recognised(model)
    if kind != "half precision":
        write(model, GeneralDecoder(model, {}), text(20))


@pytest.mark.parametrize("kind", FAST)
def test_both_ways_say_what_a_plain_forward_pass_says(kind: str) -> None:
    model = made(FAST[kind])
    for decoder in both(model):
        write(model, decoder, text(20))


@pytest.mark.parametrize("kind", ["tied", "grouped", "one key head", "llama3 positions", "qwen3"])
def test_rows_behind_several_conversations_see_their_own_alone(kind: str) -> None:
    model = made(FAST[kind])
    decoder, prompts, counts = FastDecoder(model), [text(20, 1), text(7, 2), text(33, 3)], [2, 1, 2]
    rows = [list(prompt) for prompt, count in zip(prompts, counts, strict=True) for _ in range(count)]
    writing = decoder.together(prompts, counts, 5, [None] * len(rows))
    for step in range(5):
        if step == 2:
            writing.keep([1, 2, 4])  # one of each
            rows = [rows[at] for at in (1, 2, 4)]
        tokens = text(len(rows), seed=step)
        for row, token in zip(rows, tokens, strict=True):
            row.append(token)
        assert near(writing.step(tokens), [plain(model, row) for row in rows])
    write(model, decoder, prompts[0], 3)  # what was read first is still known
    assert GeneralDecoder(model, {}).together(prompts, counts, 5, []) is None


def test_several_conversations_are_read_once_for_all_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(grouped)
    decoder, prompts = FastDecoder(model), [text(20, 1), text(7, 2), text(33, 3), text(7, 2)]
    read: list[int] = []
    run = decoder.run

    def counted(tokens: Any, *given: Any, last: bool, **more: Any) -> torch.Tensor:
        read.extend([len(tokens)] * last)
        return run(tokens, *given, last=last, **more)

    monkeypatch.setattr(decoder, "run", counted)

    def round_of(*chosen: int) -> list[int]:
        """What is read for two rows behind each of these prompts. Their logits are those of a plain forward pass."""
        read.clear()
        writing = decoder.together([prompts[at] for at in chosen], [2] * len(chosen), 3, [None] * 2 * len(chosen))
        assert writing is not None
        for tokens in ([5] * 2 * len(chosen), [6] * 2 * len(chosen)):
            logits = writing.step(tokens)
        assert near(logits, [plain(model, [*prompts[at], 5, 6]) for at in chosen for _ in range(2)])
        return list(read)

    assert round_of(0, 1, 2, 3) == [20, 7, 33], "one that two people have is read for both"
    assert round_of(0, 1, 2, 3) == []
    assert round_of(1, 2) == [], "who is done is waited for no more"
    assert round_of(2) == [], "and neither is read again for the last one"
    assert decoder.together([prompts[0]], [2], 3, [None, None]) is None, "one that is yet to be read begins by itself"
    write(model, decoder, prompts[2], 3)
    assert round_of(0, 1) == [20, 7]
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight.mul_(1.3)
    assert round_of(0, 1) == [20, 7], "a weight has moved since"
    write(model, decoder, prompts[0], 3)
    assert round_of(0, 1) == [7], "rows were written where the second one lay"


@pytest.mark.parametrize("length", [1, 2, 17, 64, 65, WINDOW - 7])
def test_a_conversation_may_be_of_any_length_up_to_the_window(length: int) -> None:
    model = made(grouped)
    for decoder in both(model):
        write(model, decoder, text(length))


def test_a_single_row_and_many_rows_say_the_same() -> None:
    model = made(grouped)
    for decoder in both(model):
        start = decoder.prefill(text(9))
        for count in (1, 2, 16, 17, 40):
            logits = decoder.branch(start, count, 2).step([5] * count)
            assert near(logits, [plain(model, [*text(9), 5])] * count)


def test_what_two_conversations_begin_with_alike_is_read_once() -> None:
    model = made(grouped)
    for decoder in both(model):
        first = text(50)
        write(model, decoder, first)
        for other in (first[:30] + text(20, seed=9), first[:10], first, [*first, 7], text(12, seed=3)):
            write(model, decoder, other)


def test_only_what_is_new_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(grouped)
    fast = FastDecoder(model)
    read: list[int] = []
    run = fast.run
    monkeypatch.setattr(fast, "run", lambda tokens, *a, **k: (read.append(len(tokens)), run(tokens, *a, **k))[1])
    fast.prefill(text(50))
    fast.prefill([*text(50), 5, 6])
    fast.prefill([*text(50), 5, 6])
    fast.prefill(text(50)[:20])
    assert read == [50, 2, 1]


def test_read_ahead_in_slices_it_says_the_same() -> None:
    model = made(grouped)
    for decoder in both(model):
        ids = text(90)
        assert len(list(decoder.prefill_ahead(ids[:80]))) == 2
        assert list(decoder.prefill_ahead(ids[:80])) == []
        write(model, decoder, ids[:88])


def test_reading_ahead_may_be_left_between_two_slices() -> None:
    model = made(grouped)
    for decoder in both(model):
        slices = decoder.prefill_ahead(text(80))
        next(slices)
        write(model, decoder, text(30, seed=4))
        assert len(list(slices)) >= 1
        write(model, decoder, [*text(80), 3])


@pytest.mark.parametrize("name", ["q_proj", "down_proj", "gate_proj", "o_proj", "layernorm", "embed_tokens", "norm"])
def test_a_weight_that_was_written_to_is_seen(name: str) -> None:
    model = made(grouped)
    decoders = both(model)
    for decoder in decoders:
        decoder.prefill(text(20))
    with torch.no_grad():
        for own, parameter in model.named_parameters():
            if name in own:
                parameter.mul_(1.3)
    for decoder in decoders:
        write(model, decoder, text(20))


def test_a_weight_that_was_replaced_is_seen() -> None:
    model = made(grouped)
    fast = FastDecoder(model)
    fast.prefill(text(20))
    mlp = model.model.layers[1].mlp
    mlp.up_proj.weight = torch.nn.Parameter(mlp.up_proj.weight.detach() * 2)
    mlp.gate_proj.weight.data = mlp.gate_proj.weight.detach() * 2
    write(model, fast, text(20))


@pytest.mark.parametrize("recipe", ["default", "adamw", "classic"])
def test_a_lesson_its_undo_and_other_weights_are_seen(
    wide: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lm = wide("llama")
    assert lm.decoder.name == "fast"
    learner = Learner(lm)
    prompt = lm.encode_prompt((), "hello how are you", room=8).ids

    def seen() -> torch.Tensor:
        logits = lm.decoder.prefill(prompt).logits
        assert near(logits[None], [plain(lm.model, prompt)])
        return logits

    first, before = seen(), learner.snapshot()
    learner.learn("correction", "hello how are you", "my friend", RECIPES[recipe], seed=1)
    assert not torch.equal(seen(), first)
    lm.save(tmp_path / "taught")
    taught = seen()
    learner.restore(before)
    assert torch.equal(seen(), first)
    lm.load_weights(tmp_path / "taught")
    assert torch.equal(seen(), taught)
    lm.load_weights()
    assert torch.equal(seen(), first)


def test_rows_of_a_conversation_that_is_no_longer_read_are_refused() -> None:
    fast = FastDecoder(made(grouped))
    start = fast.prefill(text(5))
    fast.prefill(text(6, seed=1))
    with pytest.raises(RuntimeError, match="another conversation"):
        fast.branch(start, 2, 2)


def test_a_model_that_learns_by_lora_goes_the_general_way(folders: dict[str, Path]) -> None:
    lm = LanguageModel.load(str(folders["theta"]), device="cpu", adapt="on")
    assert lm.decoder.name == "general"
    write(lm.model, lm.decoder, text(20))


def test_a_class_that_does_something_else_under_a_known_name_goes_the_general_way(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # that the class is as it should be is remembered elsewhere
    lm = load("theta")
    layer = type(lm.model.model.layers[0])
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda self, *given: 1.1 * forward(self, *given))
    assert recognised(lm.model)
    assert lm.decoder.name == "general"


def test_both_ways_propose_the_same_replies(load: Load) -> None:
    lm = load("theta")
    ids = lm.encode_prompt([("hello", "how are you")], "what is your name", room=16).ids
    sampling = Sampling(temperature=0.9, top_p=0.95, top_k=0, min_p=0.02, max_tokens=12)
    assert lm.decoder.name == "fast"
    fast = propose(lm, ids, sampling, seed=3)
    lm.__dict__["decoder"] = GeneralDecoder(lm.model, lm.last_logits)
    general = propose(lm, ids, sampling, seed=3)
    assert fast is not None
    assert general is not None
    assert [reply.text for reply in fast] == [reply.text for reply in general]
    assert [reply.logprob for reply in fast] == pytest.approx([reply.logprob for reply in general], abs=1e-4)


# --- drawing ---

OFF: dict[str, Any] = dict(temperature=0.8, top_p=1.0, top_k=0, min_p=0.0, max_tokens=1)


@pytest.mark.parametrize("peaked", [0.5, 2.0, 5.0])
@pytest.mark.parametrize(
    "filters",
    [
        {}, {"top_p": 0.9}, {"top_k": 1}, {"top_k": 20}, {"top_k": 200}, {"min_p": 0.1}, {"top_p": 0.95, "min_p": 0.1},
        {"top_p": 0.8, "top_k": 30}, {"top_p": 0.8, "top_k": 500}, {"top_p": 0.9, "top_k": 40, "min_p": 0.05},
    ],
)  # fmt: skip
def test_the_short_list_holds_the_whole_distribution(peaked: float, filters: dict[str, Any]) -> None:
    logits = peaked * torch.randn(6, 1000, generator=torch.Generator().manual_seed(1))
    sampling = Sampling(**(OFF | filters))
    found = shortlist(logits.log_softmax(-1), sampling)
    whole = probabilities(logits, sampling)
    if found is None:
        assert int((whole > 0).sum(-1).max()) >= SHORT or (sampling.top_k > SHORT and sampling.top_p < 1)
        return
    spread = torch.zeros_like(logits)
    for row, kept in zip(spread, found, strict=True):
        for token, p in kept:
            row[token] = p
    assert torch.equal(spread > 0, whole > 0)
    assert torch.allclose(spread, whole, atol=1e-6)


def test_equals_of_the_last_token_that_stays_are_not_lost_from_the_short_list() -> None:
    logits = torch.zeros(2, 300)
    assert shortlist(logits.log_softmax(-1), Sampling(**(OFF | {"top_k": 5}))) is None
    assert shortlist(logits.log_softmax(-1), Sampling(**(OFF | {"min_p": 1.0}))) is None


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    logits = torch.full((20_000, 200), -20.0)
    logits[:, 7], logits[:, 150], logits[:, 3] = 2.0, 1.0, 0.0
    sampling = Sampling(**(OFF | {"temperature": 1.0, "min_p": 0.05}))
    drawn = torch.tensor(draw(logits.log_softmax(-1), sampling, torch.Generator().manual_seed(0)))
    for token, share in ((7, 0.6652), (150, 0.2447), (3, 0.0900)):
        assert float((drawn == token).float().mean()) == pytest.approx(share, abs=0.015)
