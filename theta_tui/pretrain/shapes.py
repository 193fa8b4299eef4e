"""The networks of training from scratch. They are Llama models, which Ollama, GGUF tools and everyone else can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shape:
    """Layers, width, heads (width / heads wide each) and MLP width. Embeddings are tied."""

    layers: int
    width: int
    heads: int
    mlp: int


SHAPES = {
    "1m": Shape(4, 128, 2, 352),
    "4m": Shape(6, 192, 3, 512),
    "10m": Shape(7, 320, 5, 896),
    "25m": Shape(8, 448, 7, 1216),
    "50m": Shape(12, 576, 9, 1536),
    "100m": Shape(16, 768, 12, 2048),
}
"""Shapes by rough size, with a vocabulary that suits it. 10m is the built-in model's."""


def build(shape: Shape, tokenizer: Any, *, length: int, seed: int) -> Any:
    """A fresh `LlamaForCausalLM` in float32 for `tokenizer`, with a context window of `length` tokens."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=length,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model: Any = LlamaForCausalLM(config)
    # Layers that write into the residual stream start small, so that its variance does not grow with depth (GPT-2).
    for name, parameter in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            torch.nn.init.normal_(parameter, std=0.02 / (2 * shape.layers) ** 0.5)
    return model
