"""One decoder block, as Llama, Mistral, Qwen2 and Qwen3 compute it, over our own modules or Transformers'.

The model's forward pass (model.py), the passes of lessons (learning/passes.py, learning/module_lesson.py) and the fast
decoder (decoding/fast.py) drive this block. They differ in where keys and values lie, and in what they leave out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

Rotary = tuple[torch.Tensor, torch.Tensor]
"""Cosines and sines of the tokens' positions, [..., 1, D]: one of each for all heads."""

KNOWN = {"LlamaForCausalLM": "Llama", "MistralForCausalLM": "Mistral", "Qwen2ForCausalLM": "Qwen2",
         "Qwen3ForCausalLM": "Qwen3"}  # fmt: skip
"""The models whose blocks these are, by class, and what the classes of their parts begin with."""

OURS = {"Llama": "theta_tui.model.llama.model"}
"""Where the same is written out without Transformers."""

ROTATIONS = {"default", "linear", "llama3", "yarn"}
"""Kinds of rotary positions whose frequencies do not depend on how long the text is."""

LARGEST = 300_000_000
"""Parameters up to which the fast decoder may hold copies, which are as large as the weights. What a step of a larger
model costs is its weights, not what is between them."""


class Block:
    """The computation of one decoder layer: `qkv`, `attention` over whatever keys and values there are, `out`, `mlp`.

    x is [..., size], for tokens in a row or in a batch. Modules are called, so hooks on them fire.
    """

    def __init__(self, layer: Any) -> None:
        self._attention, self._mlp = layer.self_attn, layer.mlp
        self.input_norm, self.mlp_norm = layer.input_layernorm, layer.post_attention_layernorm
        self.o_proj, self.down_proj = self._attention.o_proj, self._mlp.down_proj
        self.head_dim: int = self._attention.head_dim

    def qkv(self, x: torch.Tensor, rotary: Rotary) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries [..., heads, D], and keys and values [..., key heads, D]; queries and keys are rotated."""
        attention, y = self._attention, self.input_norm(x)
        shape = (*x.shape[:-1], -1, self.head_dim)
        queries, keys, values = (
            project(y).view(shape) for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        if hasattr(attention, "q_norm"):
            queries, keys = attention.q_norm(queries), attention.k_norm(keys)
        return apply_rotary(queries, rotary), apply_rotary(keys, rotary), values

    def out(self, x: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
        """x with what attention found, [..., heads · D]."""
        return x + self.o_proj(found)

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        """x with what the MLP adds."""
        return x + self.down_proj(self.inner(x))

    def inner(self, x: torch.Tensor) -> torch.Tensor:
        """What goes into the last layer of the MLP, [..., inner]."""
        y = self.mlp_norm(x)
        return functional.silu(self._mlp.gate_proj(y)) * self._mlp.up_proj(y)


def apply_rotary(states: torch.Tensor, rotary: Rotary) -> torch.Tensor:
    """Queries or keys [..., heads, D], rotated to their positions."""
    cosines, sines = rotary
    one, other = states.chunk(2, -1)
    return (states * cosines) + (torch.cat((-other, one), dim=-1) * sines)


def attention(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """What each of n tokens finds, [batch, n, heads · D]. Queries are [batch, heads, n, D], keys and values [batch, key
    heads, m, D]; `mask` [..., n, m] says who sees whom, None: each token those before it."""
    shared = queries.shape[1] != keys.shape[1]
    if shared and (mask is not None or keys.device.type == "mps" or queries.shape[-1] > 256):
        keys, values = (repeat_heads(part, queries.shape[1]) for part in (keys, values))
        shared = False
    found = functional.scaled_dot_product_attention(
        queries, keys, values, attn_mask=mask, is_causal=mask is None and queries.shape[2] > 1, enable_gqa=shared
    )
    return found.transpose(1, 2).flatten(2)


def repeat_heads(part: torch.Tensor, heads: int) -> torch.Tensor:
    """Keys or values [batch, key heads, m, D], as many as there are `heads`: each for several of them, in order."""
    return part if part.shape[1] == heads else part.repeat_interleave(heads // part.shape[1], dim=1)


def recognised(model: Any) -> bool:
    """Whether the fast decoder can have copies of `model`: its blocks are known, in float32, small and without an
    adapter."""
    if not blocks_known(model):
        return False
    parameters = list(model.parameters())
    return (
        all(parameter.dtype == torch.float32 for parameter in parameters)
        and sum(parameter.numel() for parameter in parameters) <= LARGEST
        and not any(_is_adapted(module) for module in model.modules())
    )


def blocks_known(model: Any) -> bool:
    """Whether every part of `model` is of a class whose computation `Block` repeats, with nothing switched on that it
    does not know. It may be of any size and precision, and its layers may have LoRA adapters."""
    family = KNOWN.get(type(model).__name__)
    try:
        return family is not None and _is_family(model, family)
    except AttributeError:
        return False


def _is_adapted(module: Any) -> bool:
    """Whether it is peft's LoRA around a linear layer."""
    return type(module).__module__ == "peft.tuners.lora.layer" and type(module).__name__ == "Linear"


def _is_family(model: Any, family: str) -> bool:
    home, config, body = type(model).__module__, model.config, model.model
    theirs = f"transformers.models.{family.lower()}.modeling_{family.lower()}"
    if home not in (theirs, OURS.get(family)):
        return False

    def ours(module: Any, name: str) -> bool:
        return type(module).__name__ == f"{family}{name}" and type(module).__module__ == home

    def linear(*modules: Any) -> bool:
        plain = (module.base_layer if _is_adapted(module) else module for module in modules)
        return all(type(module) is torch.nn.Linear for module in plain)

    def layer_known(layer: Any) -> bool:
        attention, mlp = layer.self_attn, layer.mlp
        return (
            ours(layer, "DecoderLayer")
            and ours(attention, "Attention")
            and ours(mlp, "MLP")
            and ours(layer.input_layernorm, "RMSNorm")
            and ours(layer.post_attention_layernorm, "RMSNorm")
            and (family != "Qwen3" or (ours(attention.q_norm, "RMSNorm") and ours(attention.k_norm, "RMSNorm")))
            and linear(attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
            and linear(mlp.gate_proj, mlp.up_proj, mlp.down_proj)
            and getattr(attention, "sliding_window", None) is None
            and attention.scaling == attention.head_dim**-0.5
        )

    parameters = list(model.parameters())
    return (
        ours(body, "Model")
        and type(body.embed_tokens) is torch.nn.Embedding
        and ours(body.norm, "RMSNorm")
        and ours(body.rotary_emb, "RotaryEmbedding")
        and body.rotary_emb.rope_type in ROTATIONS
        and 2 * body.rotary_emb.inv_freq.shape[0] == body.layers[0].self_attn.head_dim
        and linear(model.lm_head)
        and config.hidden_act == "silu"
        and (family != "Mistral" or config.sliding_window is None)
        and not model.training
        and all(map(layer_known, body.layers))
        and {parameter.device.type for parameter in parameters} <= {"cpu", "cuda"}  # mps lacks complex products
        and len({parameter.device for parameter in parameters}) == 1
    )
