"""Which config.json model/llama/model.py can do without asking anybody. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SIZES = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "max_position_embeddings",
)  # fmt: skip
_MEANINGLESS = {
    "_name_or_path", "_model_name_or_path", "transformers_version", "dtype", "torch_dtype", "initializer_range",
    "use_cache", "bos_token_id", "eos_token_id", "unk_token_id", "is_llama_config", "transformers.js_config",
}  # fmt: skip
"""Keys of config.json that say nothing about a forward pass, or that are read here for something else."""


@dataclass(frozen=True, slots=True)
class Config:
    """What config.json says, under Transformers' names; `values` is all of it, as it stands in the file."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    rms_norm_eps: float
    rope_theta: float
    tie_word_embeddings: bool
    attention_bias: bool
    mlp_bias: bool
    pad_token_id: int | None
    eos_token_id: int | list[int] | None
    values: Mapping[str, object]
    model_type: str = "llama"
    hidden_act: str = "silu"

    def get_text_config(self) -> Config:
        return self


def recognise(values: Mapping[str, Any]) -> Config | None:
    """The config that `values` spells, if every word of it is understood; None otherwise."""
    try:
        if values.get("model_type") != "llama" or values.get("architectures") not in (None, ["LlamaForCausalLM"]):
            return None
        sizes = {name: values[name] for name in _SIZES}
        heads = sizes["num_attention_heads"]
        key_heads = values.get("num_key_value_heads") or heads
        head = values.get("head_dim") or sizes["hidden_size"] // heads
        if not all(type(size) is int and size > 0 for size in (*sizes.values(), key_heads, head)):
            return None
        if heads % key_heads or head % 2 or sizes["hidden_size"] % heads:
            return None
        flags = {name: values.get(name, False) for name in ("tie_word_embeddings", "attention_bias", "mlp_bias")}
        theta, epsilon, pad = _theta(values), values.get("rms_norm_eps", 1e-6), values.get("pad_token_id")
        if (
            theta is None
            or not isinstance(epsilon, float)
            or not all(isinstance(flag, bool) for flag in flags.values())
            or not (pad is None or (type(pad) is int and 0 <= pad < sizes["vocab_size"]))
            or values.get("hidden_act") != "silu"
            or values.get("pretraining_tp") not in (None, 1)
            or values.get("rope_interleaved") not in (None, False)
        ):
            return None
        known = {
            *_SIZES, *_MEANINGLESS, *flags, "model_type", "architectures", "num_key_value_heads", "head_dim",
            "rms_norm_eps", "rope_theta", "rope_scaling", "rope_parameters", "pad_token_id", "hidden_act",
            "pretraining_tp", "attention_dropout", "rope_interleaved",
        }  # fmt: skip
        if set(values) - known:
            return None
        return Config(
            **sizes, num_key_value_heads=key_heads, head_dim=head, rms_norm_eps=epsilon, rope_theta=theta, **flags,
            pad_token_id=pad, eos_token_id=values.get("eos_token_id", 2), values=dict(values),
        )  # fmt: skip
    except (KeyError, TypeError):
        return None


def _theta(values: Mapping[str, Any]) -> float | None:
    """The base of the plain rotary embedding; None where there is another kind, or none is named."""
    if values.get("rope_scaling") is not None:
        return None
    rope = values.get("rope_parameters")
    if rope is None:
        found = values.get("rope_theta")
    elif "rope_theta" not in values and isinstance(rope, dict) and set(rope) == {"rope_theta", "rope_type"}:
        found = rope["rope_theta"] if rope["rope_type"] == "default" else None
    else:
        return None
    return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) and found > 0 else None
