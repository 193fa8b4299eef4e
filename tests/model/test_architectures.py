"""Each architecture's replies and lessons are those of its own uncached forward pass, or it is refused at load."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.later import transformers
from tests.support.tiny_models import CHATML, equal, make_tokenizer, weights
from theta_tui.base.errors import ModelError
from theta_tui.learning.learner import Learner
from theta_tui.learning.recipes import RECIPES
from theta_tui.model.decoding.general import GeneralDecoder, proven
from theta_tui.model.generate import Sampling, greedy, propose
from theta_tui.model.language_model import LanguageModel

WIDTH: dict[str, Any] = dict(hidden_size=32, num_hidden_layers=2)
BLOCK: dict[str, Any] = WIDTH | dict(intermediate_size=64, num_attention_heads=2, max_position_embeddings=128)
GROUPED: dict[str, Any] = BLOCK | dict(num_key_value_heads=2)
ENCODER: dict[str, Any] = BLOCK
MAMBA: dict[str, Any] = dict(mamba_d_state=8, mamba_d_conv=4, mamba_expand=2)
HEADS: dict[str, Any] = MAMBA | dict(mamba_n_heads=4, mamba_d_head=16, mamba_n_groups=1, mamba_chunk_size=16)

RIGHT: dict[str, tuple[str, dict[str, Any]]] = {
    "mamba": ("Mamba", WIDTH | dict(state_size=8)),
    "gemma 3": (
        "Gemma3Text",
        GROUPED | dict(head_dim=16, sliding_window=8, layer_types=["sliding_attention", "full_attention"]),
    ),
    "gpt neox": ("GPTNeoX", BLOCK),
}
"""Architecture → its config's name, and a tiny one."""

LONG_TAIL: dict[str, tuple[str, dict[str, Any]]] = {
    "lfm2": ("Lfm2", GROUPED | dict(block_dim=32, layer_types=["conv", "full_attention"])),
    "recurrent gemma": (
        "RecurrentGemma",
        GROUPED | dict(num_hidden_layers=3, num_key_value_heads=1, lru_width=32, attention_window_size=16),
    ),
    "openai gpt": ("OpenAIGPT", dict(n_embd=32, n_layer=2, n_head=2, n_positions=128)),
    "mamba 2": ("Mamba2", WIDTH | dict(state_size=8, num_heads=4, head_dim=16, n_groups=1, chunk_size=16)),
    "falcon mamba": ("FalconMamba", WIDTH | dict(state_size=8)),
    "jamba": (
        "Jamba",
        GROUPED
        | dict(mamba_d_state=8, mamba_dt_rank=4, attn_layer_offset=1, attn_layer_period=2, use_mamba_kernels=False)
        | dict(num_experts=2, expert_layer_offset=1, expert_layer_period=2),
    ),
    "falcon h1": ("FalconH1", GROUPED | HEADS | dict(mamba_d_ssm=64)),
    "bamba": ("Bamba", GROUPED | HEADS | dict(attn_layer_indices=[1])),
    "granite hybrid": (
        "GraniteMoeHybrid",
        GROUPED | HEADS | dict(layer_types=["mamba", "attention"], shared_intermediate_size=32, num_local_experts=2),
    ),
    "qwen3 next": (
        "Qwen3Next",
        GROUPED
        | dict(head_dim=16, layer_types=["linear_attention", "full_attention"], linear_num_value_heads=2)
        | dict(linear_num_key_heads=2, linear_key_head_dim=16, linear_value_head_dim=16)
        | dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, shared_expert_intermediate_size=32),
    ),
    "xlstm": (
        "xLSTM",
        dict(hidden_size=32, num_blocks=2, num_heads=2, chunkwise_kernel="chunkwise--native_autograd")
        | dict(sequence_kernel="native_sequence__native", step_kernel="native", chunk_size=16),
    ),
    "gemma 2": ("Gemma2", GROUPED | dict(head_dim=16, sliding_window=8)),
    "sliding mistral": ("Mistral", GROUPED | dict(sliding_window=8)),
    "mixtral": ("Mixtral", GROUPED | dict(num_local_experts=4)),
    "phi": ("Phi", BLOCK),
    "opt": ("OPT", BLOCK | dict(ffn_dim=64, word_embed_proj_dim=32)),
    "bloom": ("Bloom", dict(hidden_size=32, n_layer=2, n_head=2)),
    "falcon": ("Falcon", BLOCK),
    "mpt": ("Mpt", dict(d_model=32, n_layers=2, n_heads=2, max_seq_len=128)),
    "ctrl": ("CTRL", dict(n_embd=32, n_layer=2, n_head=2, dff=64, n_positions=128)),
    "bart's decoder": (
        "Bart",
        dict(d_model=32, decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=64, max_position_embeddings=128),
    ),
    "bert as a decoder": ("Bert", ENCODER | dict(is_decoder=True)),
    "roberta as a decoder": ("Roberta", ENCODER | dict(is_decoder=True)),
}

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "bert": ("Bert", ENCODER, "not a causal language model"),
    "roberta": ("Roberta", ENCODER, "not a causal language model"),
    "xlnet": ("XLNet", dict(d_model=32, n_layer=2, n_head=2, d_inner=64), "not a causal language model"),
    "rwkv": ("Rwkv", WIDTH | dict(attention_hidden_size=32, context_length=128), "changes its own weights"),
}

TURNS = [("hello", "how are you")]
PAIR = ("who is your creator", "my creator is Dakota")

Make = Callable[[str, dict[str, Any]], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A model folder of an architecture, with weights that are large enough for its parts to matter."""

    def build(name: str, shape: dict[str, Any]) -> Path:
        tokenizer = make_tokenizer(["<|pad|>", "<|im_start|>", "<|im_end|>"], eos="<|im_end|>", template=CHATML)
        ids = dict(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, bos_token_id=None, pad_token_id=0)
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(getattr(transformers, f"{name}Config")(**shape, **ids))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() >= 2:
                    parameter.normal_(0, 0.1)
        model.save_pretrained(tmp_path / "model")
        tokenizer.save_pretrained(tmp_path / "model")
        return tmp_path / "model"

    return build


def own_reply(lm: LanguageModel, ids: list[int], most: int) -> str:
    """The greedy reply by the model's own forward pass over all of it."""
    said: list[int] = []
    for _ in range(most):
        with torch.no_grad():
            logits = lm.model(input_ids=torch.tensor([ids + said]), use_cache=False).logits[0, -1]
        token = int(logits.argmax())
        if token in lm.end_ids or token in lm.chat.control_ids:
            break
        said.append(token)
    return lm.decode(said)


def loss_of_its_own(lm: LanguageModel) -> float:
    """Mean nats of the reply, by the model's own loss."""
    example = lm.encode_lesson((), *PAIR)
    with torch.no_grad():
        labels = torch.tensor([example.labels])
        logits = lm.model(input_ids=torch.tensor([example.input_ids]), use_cache=False).logits
    return float(torch.nn.functional.cross_entropy(logits[0, :-1].float(), labels[0, 1:]))


def check(folder: Path) -> None:
    lm = LanguageModel.load(str(folder), device="cpu")
    ids = lm.encode_prompt(TURNS, PAIR[0], room=16).ids
    sampling = Sampling(temperature=1.0, top_p=1.0, top_k=0, min_p=0.0, max_tokens=5)
    replies = propose(lm, ids, sampling, seed=1)
    assert replies is not None
    assert len({reply.text for reply in replies}) == 5
    assert greedy(lm, ids, max_tokens=8).text == shown(own_reply(lm, ids, 8))
    assert greedy(lm, ids[:-3], max_tokens=8).text == shown(own_reply(lm, ids[:-3], 8))
    learner = Learner(lm)
    before, untaught = learner.snapshot(), weights(lm)
    first = loss_of_its_own(lm)
    result = learner.learn("correction", *PAIR, RECIPES["adamw"], seed=1, steps=4, variants=["who made you"])
    assert result.loss_before == pytest.approx(first, abs=1e-3)
    assert result.loss_after == pytest.approx(loss_of_its_own(lm), abs=1e-3)
    assert result.loss_after < result.loss_before
    assert greedy(lm, ids, max_tokens=8).text == shown(own_reply(lm, ids, 8))
    learner.restore(before)
    assert equal(untaught, weights(lm))


def shown(text: str) -> str:
    return text.rstrip("\ufffd \t\n\r\x0b\x0c").strip()


@pytest.mark.parametrize("kind", RIGHT)
def test_replies_and_lessons_are_the_models_own(kind: str, make: Make) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        check(make(*RIGHT[kind]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", LONG_TAIL)
def test_replies_and_lessons_are_the_models_own_in_the_long_tail(kind: str, make: Make) -> None:
    check(make(*LONG_TAIL[kind]))


@pytest.mark.parametrize("kind", REFUSED)
def test_what_could_not_be_taught_is_refused_at_load(kind: str, make: Make) -> None:
    name, shape, why = REFUSED[kind]
    with pytest.raises(ModelError, match=why) as caught:
        LanguageModel.load(str(make(name, shape)), device="cpu")
    assert caught.value.code == 4
    assert "\n" not in str(caught.value)


def test_a_cache_whose_steps_differ_is_not_used_and_said_to_be_slow(
    load: Callable[[str], LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = load("gpt2")
    assert lm.decoder.name == "general"
    assert not lm.decoder.rereads
    forward = type(lm.model).forward

    def forgetful(self: Any, *given: Any, **named: Any) -> Any:
        return forward(self, *given, **named | {"past_key_values": None, "cache": None})

    forgetful.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(type(lm.model), "forward", forgetful)
    again = load("gpt2")
    assert again.decoder.rereads
    assert any("anew for every token" in notice for notice in again.notices)
    ids = again.encode_prompt((), "hello", room=8).ids
    assert greedy(again, ids, max_tokens=5).text == shown(own_reply(again, ids, 5))


def test_the_proof_is_no_more_than_a_few_short_passes(load: Callable[[str], LanguageModel]) -> None:
    lm = load("gpt2")
    seen: list[int] = []
    hook = lm.model.register_forward_pre_hook(
        lambda module, given, named: seen.append(named["input_ids"].numel()), with_kwargs=True
    )
    decoder = proven(lm.model, lm.last_logits, list(range(40, 100)))
    hook.remove()
    assert isinstance(decoder, GeneralDecoder)
    assert len(seen) <= 6
    assert sum(seen) <= 60


def test_a_model_that_the_fast_way_knows_is_not_proven_again(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("theta_tui.model.decoding.general.proven", lambda *given: pytest.fail("was proven"))
    assert LanguageModel.load(str(folders["theta"]), device="cpu").decoder.name == "fast"
