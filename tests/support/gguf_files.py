"""Tiny GGUF files, written with gguf's own writer from the tiny models: F16, BF16, Q8_0 or Q4_0, Llama or Qwen2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from tests.support.later import transformers
from tests.support.tiny_models import CHATML, make_tokenizer

NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
HIDDEN, HEADS = 64, 2


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama in float16. Tests do not write to it."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.F16.gguf"
    write(path)
    return path


def make_model(architecture: str, *, seed: int = 0, tied: bool = True) -> tuple[Any, Any]:
    """A model with weights that 16 bits of both kinds hold, and its tokenizer."""
    tokenizer = make_tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>"], eos="<|im_end|>", template=CHATML)
    torch.manual_seed(seed)
    shape = dict(
        vocab_size=len(tokenizer), hidden_size=HIDDEN, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=HEADS, num_key_value_heads=1, max_position_embeddings=256, tie_word_embeddings=tied,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=0, initializer_range=0.1, rope_theta=10000.0,
    )  # fmt: skip
    if architecture == "llama":
        model: Any = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape, rms_norm_eps=1e-5))
    else:
        model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**shape, rms_norm_eps=1e-5))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "q_proj" in name or "k_proj" in name:
                parameter.mul_(3)
            # bfloat16's 8 bits, from .001 to 1: float16 holds them too.
            parameter.copy_(parameter.to(torch.bfloat16).clamp(-1, 1))
            parameter[parameter.abs() < 1e-3] = 0
    return model.eval(), tokenizer


def write(
    path: Path,
    architecture: str = "llama",
    kind: Kind = Kind.F16,
    *,
    tied: bool = True,
    said: dict[str, Any] | None = None,
    named: str | None = None,
    leave_out: str = "",
    harm: Callable[[np.ndarray], np.ndarray] = lambda values: values,
) -> tuple[Any, Any]:
    """Write a GGUF file; returns the model and the tokenizer that are in it.

    `said` are numbers of the header that it lies about, `named` is what it calls its architecture, `leave_out` a
    tensor that it lacks, and `harm` what became of its weights.
    """
    model, tokenizer = make_model(architecture, tied=tied)
    config = model.config
    out = gguf.GGUFWriter(str(path), named or architecture)
    numbers = {
        "context_length": config.max_position_embeddings, "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers, "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads, "attention.head_count_kv": config.num_key_value_heads,
        "vocab_size": config.vocab_size, "rope.dimension_count": HIDDEN // HEADS,
    } | (said or {})  # fmt: skip
    for key, number in numbers.items():
        out.add_uint32(f"{named or architecture}.{key}", number)
    out.add_float32(f"{named or architecture}.attention.layer_norm_rms_epsilon", config.rms_norm_eps)
    out.add_float32(f"{named or architecture}.rope.freq_base", 10000.0)
    _write_tokenizer(out, tokenizer)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and tied:
            continue
        values = tensor.float().numpy()
        if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
            heads = HEADS if "q_proj" in name else 1
            # llama.cpp turns neighbouring pairs, Transformers the two halves of a head.
            values = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
            values = values.swapaxes(1, 2).reshape(tensor.shape)
        held = kind if values.ndim == 2 else Kind.F32
        if (gguf_name := _name(name)) != leave_out:
            out.add_tensor(gguf_name, gguf.quants.quantize(harm(np.ascontiguousarray(values)), held), raw_dtype=held)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return model, tokenizer


def _name(name: str) -> str:
    stem, _, leaf = name.rpartition(".")
    if stem.startswith("model.layers."):
        _, _, layer, part = stem.split(".", 3)
        return f"blk.{layer}.{NAMES[part]}.{leaf}"
    return f"{NAMES[stem]}.{leaf}"


def _write_tokenizer(out: gguf.GGUFWriter, tokenizer: Any) -> None:
    description = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    vocabulary = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(vocabulary)
    out.add_token_types([3 if token.startswith("<|") else 1 for token in vocabulary])
    out.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in description["merges"]])
    out.add_bos_token_id(0)
    out.add_eos_token_id(tokenizer.eos_token_id)
    out.add_chat_template(CHATML)
