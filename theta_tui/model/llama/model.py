"""Llama without Transformers: the same names, the same operations in the same order, hence the same bits.

Importing what Transformers needs for one forward pass takes longer than PyTorch and this model together (2.6 of 3.9 s
on a quiet core: distributed tensors, a symbolic algebra, compilers). So the family of the built-in model is written
here once more. Only a config whose every word is understood is taken; `load` returns None for any other, and the caller
has Transformers read it. Modules and parameters have Transformers' names, so that code that walks a model sees no
difference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from theta_tui.base.errors import ModelError
from theta_tui.model import files as model_files
from theta_tui.model.llama import reading
from theta_tui.model.llama.block import Block, Rotary, attention
from theta_tui.model.llama.config import Config, recognise

GENERATION = "generation_config.json"

# --- the model ---


class LlamaRMSNorm(nn.Module):
    """Root mean square norm over the last dimension, computed in float32."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, device="meta"))
        self.variance_epsilon = epsilon

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        kind = hidden.dtype
        hidden = hidden.to(torch.float32)
        hidden = hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
        return self.weight * hidden.to(kind)


class LlamaRotaryEmbedding(nn.Module):
    """Cosines and sines of positions, [1 or batch, tokens, D] each."""

    inv_freq: torch.Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        steps = torch.arange(0, config.head_dim, 2, dtype=torch.float) / config.head_dim
        self.register_buffer("inv_freq", 1.0 / (config.rope_theta**steps), persistent=False)
        self.rope_type = "default"
        self.attention_scaling = 1.0

    @torch.no_grad()
    def forward(self, hidden: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        angles = positions[..., None].float() * self.inv_freq.to(device=hidden.device, dtype=torch.float)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos().to(hidden.dtype), angles.sin().to(hidden.dtype)


class LlamaMLP(nn.Module):
    """The layers of an MLP; `Block` computes with them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        wide, narrow, bias = config.intermediate_size, config.hidden_size, config.mlp_bias
        self.gate_proj = nn.Linear(narrow, wide, bias=bias, device="meta")
        self.up_proj = nn.Linear(narrow, wide, bias=bias, device="meta")
        self.down_proj = nn.Linear(wide, narrow, bias=bias, device="meta")


class LlamaAttention(nn.Module):
    """The layers of an attention; `Block` computes with them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.scaling = self.head_dim**-0.5
        asked, held = config.num_attention_heads * self.head_dim, config.num_key_value_heads * self.head_dim
        size, bias = config.hidden_size, config.attention_bias
        self.q_proj = nn.Linear(size, asked, bias=bias, device="meta")
        self.k_proj = nn.Linear(size, held, bias=bias, device="meta")
        self.v_proj = nn.Linear(size, held, bias=bias, device="meta")
        self.o_proj = nn.Linear(asked, size, bias=bias, device="meta")


class LlamaDecoderLayer(nn.Module):
    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer_idx = layer
        self.self_attn = LlamaAttention(config)
        self.mlp = LlamaMLP(config)
        self.input_layernorm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self, hidden: torch.Tensor, rotary: Rotary, mask: torch.Tensor | None, cache: Cache | None
    ) -> torch.Tensor:
        """`hidden` [batch, tokens, size]; `rotary`, `mask` as in block.py; new keys and values go into `cache`."""
        block = Block(self)
        queries, keys, values = (part.transpose(1, 2) for part in block.qkv(hidden, rotary))
        if cache is not None:
            keys, values = cache.update(keys, values, self.layer_idx)
        return block.mlp(block.out(hidden, attention(queries, keys, values, mask)))


class LlamaModel(nn.Module):
    """All but the head."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        # With a weight given it draws none; drawing on the meta device would import torch's compiler.
        blank = torch.empty(config.vocab_size, config.hidden_size, device="meta")
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id, _weight=blank)
        self.layers = nn.ModuleList([LlamaDecoderLayer(config, layer) for layer in range(config.num_hidden_layers)])
        self.norm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        positions: torch.Tensor | None,
        cache: Cache | None,
    ) -> torch.Tensor:
        hidden = self.embed_tokens(input_ids)
        count, before = input_ids.shape[1], 0 if cache is None else cache.get_seq_length()
        if positions is None:
            positions = (torch.arange(count, device=hidden.device) + before).unsqueeze(0)
        mask = _mask(count, before, attention_mask, hidden.device)
        cosines, sines = self.rotary_emb(hidden, positions)
        rotary = cosines.unsqueeze(2), sines.unsqueeze(2)
        for layer in self.layers:
            hidden = layer(hidden, rotary, mask, cache)
        found: torch.Tensor = self.norm(hidden)
        return found


def _mask(count: int, before: int, attention_mask: torch.Tensor | None, device: torch.device) -> torch.Tensor | None:
    """Which tokens each of `count` new ones sees, [1 or batch, 1, count, before + count]; None where plain causal
    attention does, which is faster."""
    if attention_mask is not None and attention_mask.all():
        attention_mask = None
    if attention_mask is None and (count == 1 or before == 0):
        return None
    places = torch.arange(before + count, device=device)
    causal = (places[None, :] <= places[before:, None])[None, None]
    return causal if attention_mask is None else causal & attention_mask.bool()[:, None, None, :]


@dataclass(slots=True)
class CacheLayer:
    """Keys and values of one block, [batch, key heads, tokens, D]."""

    keys: torch.Tensor
    values: torch.Tensor


@dataclass(slots=True)
class Cache:
    """Keys and values of the tokens read so far. It grows with every pass that it is given to."""

    layers: list[CacheLayer] = field(default_factory=list)

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Append those of new tokens, [batch, key heads, tokens, D], and return all."""
        if layer == len(self.layers):
            # `cat` the first time too: products with another memory layout may round differently.
            none = keys.new_empty(0)
            self.layers.append(CacheLayer(none, none))
        held = self.layers[layer]
        held.keys = torch.cat([held.keys, keys], dim=-2)
        held.values = torch.cat([held.values, values], dim=-2)
        return held.keys, held.values

    def get_seq_length(self) -> int:
        return int(self.layers[0].keys.shape[-2]) if self.layers else 0

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        for layer in self.layers:
            layer.keys, layer.values = layer.keys[indices], layer.values[indices]

    reorder_cache = batch_select_indices
    """Transformers' name for it where a row may be taken several times."""


@dataclass(frozen=True, slots=True)
class Output:
    """`logits` [batch, tokens, V]; the cache, if one was asked for; the mean loss in nats, if `labels` were given."""

    logits: torch.Tensor
    past_key_values: Cache | None
    loss: torch.Tensor | None


class LlamaForCausalLM(nn.Module):
    """A causal language model, called as Transformers' are, with the arguments that Theta uses."""

    def __init__(self, config: Config, generation: Mapping[str, Any] | None) -> None:
        super().__init__()
        self.config = config
        ends = config.eos_token_id if generation is None else generation.get("eos_token_id")
        self.generation_config = SimpleNamespace(eos_token_id=ends)
        self._generation = generation
        self.model = LlamaModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False, device="meta")
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    @property
    def device(self) -> torch.device:
        return self.lm_head.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.lm_head.weight.dtype

    def get_input_embeddings(self) -> nn.Module:
        return self.model.embed_tokens

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool = True,
        logits_to_keep: int = 0,
    ) -> Output:
        """`input_ids` and `labels` [batch, tokens]; `attention_mask` [batch, all tokens so far], 0 at padding. Logits
        are those of the last `logits_to_keep` tokens, or of all where that is 0."""
        cache = Cache() if use_cache and past_key_values is None else past_key_values
        hidden = self.model(input_ids, attention_mask, position_ids, cache)
        logits = self.lm_head(hidden[:, -logits_to_keep:] if logits_to_keep else hidden)
        loss = None
        if labels is not None:
            wanted = functional.pad(labels, (0, 1), value=-100)[..., 1:].reshape(-1)
            loss = functional.cross_entropy(logits.float().view(-1, logits.shape[-1]), wanted)
        return Output(logits, cache, loss)

    def save_pretrained(self, folder: Path) -> None:
        """Write a model folder that Transformers reads."""
        folder.mkdir(parents=True, exist_ok=True)
        head = "lm_head.weight" if self.config.tie_word_embeddings else None
        held = {
            name: tensor.detach().to("cpu").contiguous() for name, tensor in self.state_dict().items() if name != head
        }
        save_file(held, str(folder / model_files.WEIGHTS), metadata={"format": "pt"})
        kind = str(self.lm_head.weight.dtype).removeprefix("torch.")
        values = {name: value for name, value in self.config.values.items() if name != "torch_dtype"}
        _write(folder / "config.json", values | {"architectures": ["LlamaForCausalLM"], "dtype": kind})
        if self._generation is not None:
            _write(folder / GENERATION, self._generation)


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", "utf-8")


# --- from files ---


def load(folder: Path, weights: Path, dtype: torch.dtype) -> LlamaForCausalLM | None:
    """The model of `folder` with the tensors of the folder `weights`, on the CPU, in eval mode. None where either is
    not exactly what is known here. Raises ModelError where there are values that are not numbers."""
    try:
        config = recognise(model_files.read_config(folder))
        generation = _generation(folder)
        files = model_files.weight_files(weights)
    except ModelError:
        return None
    if config is None:
        return None
    model = LlamaForCausalLM(config, generation)
    wanted = {name: parameter.shape for name, parameter in model.named_parameters()}
    found = reading.read(weights, files, wanted, dtype)
    if found is None:
        return None
    for name, tensor in found.items():
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, nn.Parameter(tensor))
    if config.tie_word_embeddings:
        model.lm_head.weight = model.model.embed_tokens.weight
    return model.eval()


def _generation(folder: Path) -> Mapping[str, Any] | None:
    path = folder / GENERATION
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ModelError(f"{path} is not valid JSON; download the model again")
    return values
