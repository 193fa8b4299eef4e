"""The models that the fast decoder knows exactly: Llama and its nearest kin, by the very classes of their parts.

A layer's weights are put together for it: queries, keys and values in one matrix, gate and up in another. Heads are
held with the two halves that a rotation mixes side by side, so that it is one product of complex numbers; scores do not
change as long as queries and keys are held alike. They are copies, made anew when any tensor that they were made of has
been written to.
"""

from __future__ import annotations

from typing import Any

import torch

from theta_tui.model.decoding.packed_linear import PackedLinear

KNOWN = {"LlamaForCausalLM": "Llama", "MistralForCausalLM": "Mistral", "Qwen2ForCausalLM": "Qwen2",
         "Qwen3ForCausalLM": "Qwen3"}  # fmt: skip
"""Class → what the classes of its parts begin with."""

OURS = {"Llama": "theta_tui.model.llama"}
"""Where the same is written out without Transformers."""

ROTATIONS = {"default", "linear", "llama3", "yarn"}
"""Kinds of rotary positions whose frequencies do not depend on how long the text is."""

LARGEST = 300_000_000
"""Parameters up to which copies (as large as the weights) may be held. What a step of a larger model costs is
its weights, not what is between them."""


def recognised(model: Any) -> bool:
    """Whether every part of `model` is of a class that the fast decoder repeats, with nothing switched on that it
    does not know."""
    family = KNOWN.get(type(model).__name__)
    try:
        return family is not None and _is_family(model, family)
    except AttributeError:
        return False


def _is_family(model: Any, family: str) -> bool:
    home, config, body = type(model).__module__, model.config, model.model
    theirs = f"transformers.models.{family.lower()}.modeling_{family.lower()}"
    if home not in (theirs, OURS.get(family)):
        return False

    def ours(module: Any, name: str) -> bool:
        return type(module).__name__ == f"{family}{name}" and type(module).__module__ == home

    def linear(*modules: Any) -> bool:
        return all(type(module) is torch.nn.Linear for module in modules)

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
        and all(parameter.dtype == torch.float32 for parameter in parameters)
        and {parameter.device.type for parameter in parameters} <= {"cpu", "cuda"}  # mps lacks complex products
        and len({parameter.device for parameter in parameters}) == 1
        and sum(parameter.numel() for parameter in parameters) <= LARGEST
    )


class Layer:
    """One block. `refresh` before use."""

    def __init__(self, block: Any) -> None:
        attention, mlp = block.self_attn, block.mlp
        self._size: int = attention.head_dim
        self._norms = block.input_layernorm, block.post_attention_layernorm
        self._head_norms = [attention.q_norm, attention.k_norm] if hasattr(attention, "q_norm") else []
        self._heads = [part.weight.shape[0] // self._size for part in (attention.q_proj, attention.k_proj)]
        device = attention.q_proj.weight.device
        self.eps = tuple(torch.tensor(norm.variance_epsilon, device=device) for norm in self._norms)
        self.qkv = PackedLinear(
            (attention.q_proj, attention.k_proj, attention.v_proj), (self._paired, self._paired, None)
        )
        """To [(queries + 2 · keys) · D]"""
        self.out = PackedLinear((attention.o_proj,))
        self.gate_up = PackedLinear((mlp.gate_proj, mlp.up_proj))
        """To [2 · inner]"""
        self.down = PackedLinear((mlp.down_proj,))
        self.head_norm: torch.Tensor | None = None
        """[queries + keys, D], where each head is normed by itself"""
        self.head_eps = torch.tensor(0.0)

    @property
    def norms(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The weights of the norms in front of attention and of the MLP."""
        return self._norms[0].weight, self._norms[1].weight

    def refresh(self) -> None:
        """Take over what has been written to since."""
        for product in (self.qkv, self.out, self.gate_up, self.down):
            product.refresh()
        if self._head_norms:
            rows = zip(self._head_norms, self._heads, strict=True)
            self.head_norm = torch.cat([self._paired(norm.weight.detach()).expand(n, -1) for norm, n in rows])
            self.head_eps = torch.tensor(self._head_norms[0].variance_epsilon, device=self.head_norm.device)

    def _paired(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows [heads · D, …] with rows i and i + D/2 of each head next to each other."""
        shape = rows.shape
        return rows.view(-1, 2, self._size // 2, *shape[1:]).transpose(1, 2).reshape(shape)
