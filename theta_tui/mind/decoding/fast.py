"""Decoding for the models that `llama` recognises, with nothing between the matrix products that is not needed.

Keys and values live in one buffer a model: the conversation's first, read once and shared by all rows, and behind
them what the rows write, all rows of a step side by side. A mask says which of those belong to which row, so a step is
one attention over the buffer and nothing is ever repeated, joined or moved, not even when a row leaves. The same
numbers as the model's own forward pass within rounding: log-probabilities agree to 1e-4 nats in float32, the only
precision that goes this way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional

from theta_tui.mind.decoding.decoder import SLICE, Reading, Start
from theta_tui.mind.decoding.llama import Layer

FEW = 16
"""Rows up to which a product on the CPU is asked for the other way round (see `_product`)."""

GROWTH = 256
"""Tokens that the buffer grows by at least."""


class FastDecoder:
    """Reads and writes with the weights of `model` as they are at each `prefill`."""

    name = "fast"

    def __init__(self, model: Any) -> None:
        self._model, self._body = model, model.model
        self._layers = [Layer(block) for block in self._body.layers]
        attention = self._body.layers[0].self_attn
        self._size: int = attention.head_dim
        self._keys_heads: int = attention.k_proj.weight.shape[0] // self._size
        self._heads: int = attention.q_proj.weight.shape[0] // self._size
        self._reading = Reading(lambda: [*model.parameters()])
        self._buffers: tuple[torch.Tensor, torch.Tensor] | None = None
        self._turns = torch.empty(0)

    @property
    def layers(self) -> Sequence[Layer]:
        """The blocks, packed; whoever reads with them refreshes them before."""
        return self._layers

    def prefill(self, ids: Sequence[int]) -> Start:
        start = self._reading.of(ids)
        if start is not None:
            return start
        known = min(self._reading.known(ids), len(ids) - 1)
        return self._read(ids, known)

    def warm(self, ids: Sequence[int]) -> Iterator[None]:
        while (known := self._reading.known(ids)) < len(ids):
            self._read(ids[: known + SLICE], known)
            yield

    def branch(self, start: Start, rows: int, room: int) -> FastRows:
        if start is not self._reading.start:
            raise RuntimeError("another conversation was read since")
        self._make_room(start.length, start.length + rows * room)
        return FastRows(self, start.length, rows, room)

    def _read(self, ids: Sequence[int], known: int) -> Start:
        """Read what comes after the first `known` of `ids`."""
        self._reading.took(ids[:known], None)  # should it fail, no more than that is known
        for layer in self._layers:
            layer.refresh()
        with torch.no_grad():
            self._make_room(known, len(ids))
            mask = None
            if known:
                places = torch.arange(len(ids), device=self._model.device)
                mask = places <= places[known:, None]
            logits = self.run(ids[known:], slice(known, len(ids)), known, mask, last=True)[0]
        start = Start(len(ids), logits, None)
        self._reading.took(ids, start)
        return start

    def _make_room(self, used: int, wanted: int) -> None:
        """Room for `wanted` tokens in the buffer, of which the first `used` stay."""
        have = 0 if self._buffers is None else self._buffers[0].shape[2]
        if wanted <= have:
            return
        size = max(wanted, have + GROWTH)
        device = self._model.device
        shape = (len(self._layers), self._keys_heads, size, self._size)
        fresh = torch.zeros(shape, device=device), torch.zeros(shape, device=device)
        if self._buffers is not None:
            for new, old in zip(fresh, self._buffers, strict=True):
                new[:, :, :used] = old[:, :, :used]
        self._buffers = fresh
        rotary = self._body.rotary_emb
        angles = torch.outer(torch.arange(size, device=device).float(), rotary.inv_freq.float())
        self._turns = torch.polar(torch.full_like(angles, rotary.attention_scaling), angles)[:, None]

    def run(
        self, tokens: Sequence[int], positions: slice, at: int, mask: torch.Tensor | None, *, last: bool
    ) -> torch.Tensor:
        """Logits [n, V] behind each of `tokens`, or behind the last one alone [1, V], float32 on the CPU.

        Their keys and values go into the buffer at `at`, and they attend to everything up to there and themselves as
        `mask` [n, at + n] says; None: each to those before it. `positions` are theirs, one for all or one each.
        """
        assert self._buffers is not None
        body, n, turn = self._body, len(tokens), self._turns[positions]
        heads, keys_heads, size = self._heads, self._keys_heads, self._size
        turned, groups, end = heads + keys_heads, heads // keys_heads, at + n
        x = functional.embedding(torch.tensor(tokens, device=self._model.device), body.embed_tokens.weight)
        for layer, keys, values in zip(self._layers, *self._buffers, strict=True):
            y = _product(_normed(x, layer.eps[0]), layer.qkv, layer.qkv_bias).contiguous().view(n, -1, size)
            both = y[:, :turned]
            if layer.head_norm is not None:
                both = _normed(both, layer.head_eps) * layer.head_norm
            both = torch.view_as_real(torch.view_as_complex(both.view(n, turned, -1, 2)) * turn).view(n, turned, size)
            keys[:, at:end] = both[:, heads:].transpose(0, 1)
            values[:, at:end] = y[:, turned:].transpose(0, 1)
            q = both[:, :heads]
            seen = mask
            if last and layer is self._layers[-1]:
                x, q = x[-1:], q[-1:]
                seen = mask[-1:] if mask is not None else None
            rows = q.shape[0]
            attended = functional.scaled_dot_product_attention(
                q.reshape(rows, keys_heads, groups, size).permute(1, 2, 0, 3),
                keys[:, None, :end].expand(-1, groups, -1, -1),
                values[:, None, :end].expand(-1, groups, -1, -1),
                attn_mask=seen,
                is_causal=mask is None and rows == n,
            )
            attended = attended.permute(2, 0, 1, 3).reshape(rows, heads * size)
            x = x + _product(attended, layer.out.weight, layer.out.bias)
            gate, up = _product(_normed(x, layer.eps[1]), layer.gate_up, layer.gate_up_bias).chunk(2, -1)
            inner = torch.mul(functional.silu(gate), up, out=torch.empty(gate.shape, device=x.device))
            x = x + _product(inner, layer.down.weight, layer.down.bias)
        if last:
            x = x[-1:]
        x = _normed(x, body.norm.variance_epsilon) * body.norm.weight
        return _product(x, self._model.lm_head.weight, self._model.lm_head.bias).contiguous().cpu()


class FastRows:
    """Rows that write behind the conversation in the decoder's buffer."""

    def __init__(self, decoder: FastDecoder, length: int, rows: int, room: int) -> None:
        self._decoder = decoder
        self._position = self._at = length
        device = decoder._model.device
        self._mask = torch.full((rows, length + rows * room), -math.inf, device=device)
        self._mask[:, :length] = 0.0

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        position, at, end = self._position, self._at, self._at + len(tokens)
        self._mask[:, at:end].diagonal().zero_()
        with torch.no_grad():
            logits = self._decoder.run(tokens, slice(position, position + 1), at, self._mask[:, :end], last=False)
        self._position, self._at = position + 1, end
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        self._mask = self._mask[list(rows)]


def agrees(decoder: FastDecoder, model: Any, tokens: int = 8) -> bool:
    """Whether the decoder says what the model's own forward pass says, on a few tokens read and two rows written.

    Which classes are known is decided by name, and a later Transformers may put something else under one.
    """
    ids = [(7 * at + 3) % model.config.vocab_size for at in range(tokens)]
    with torch.no_grad():
        own = model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits[0].float().cpu()
    start = decoder.prefill(ids[:-2])
    rows = decoder.branch(start, 2, 2)
    found = [start.logits, rows.step([ids[-2]] * 2)[1], rows.step([ids[-1]] * 2)[0]]
    return torch.allclose(torch.stack(found).log_softmax(-1), own[-3:].log_softmax(-1), atol=1e-3, equal_nan=True)


def _normed(x: torch.Tensor, eps: float) -> torch.Tensor:
    """Over the last dimension, of root mean square 1; the norm's weight is multiplied in elsewhere."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * torch.rsqrt(length.square_().div_(x.shape[-1]).add_(eps))


def _product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """x [n, in] times weight [out, in] transposed. The result need not be contiguous.

    Asked for the transpose of it, MKL takes half the time where there are a few rows only (five rows, 960 outputs of
    320 inputs, on two cores of an EPYC: 0.09 ms instead of 0.2 ms).
    """
    if x.device.type != "cpu" or not 1 < x.shape[0] <= FEW:
        return functional.linear(x, weight, bias)
    y = torch.mm(weight, x.t()).t()
    return y if bias is None else y + bias
