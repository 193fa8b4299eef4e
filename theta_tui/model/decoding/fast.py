"""Decoding for the models that `llama` recognises, with nothing between the matrix products that is not needed.

Keys and values live in one buffer a model: the conversation's first, read once and shared by all rows, and behind
them what the rows write, all rows of a step side by side. A mask says which of those belong to which row, so a step is
one attention over the buffer and nothing is ever repeated, joined or moved, not even when a row leaves. The same
numbers as the model's own forward pass within rounding: log-probabilities agree to 1e-4 nats in float32, the only
precision that goes this way (see `products` for what is read in 16 bits all the same).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional

from theta_tui.model.decoding.llama import Layer
from theta_tui.model.decoding.packed_linear import PackedLinear
from theta_tui.model.decoding.protocol import SLICE, Reading, Start
from theta_tui.model.modules import LessonModule, mixed

SMALL = 40_000_000
"""Parameters of a model up to which a step is for one thread. Waking another for each of some sixty products and
attentions takes longer than it helps: the built-in model's step is 6 ms with one and 9 ms with two."""

GROWTH = 256
"""Tokens that the buffer grows by at least."""


class FastDecoder:
    """Reads and writes with the weights of `model` as they are at each `prefill`."""

    name = "fast"
    rereads = False

    def __init__(self, model: Any) -> None:
        self._model, self._body = model, model.model
        self._layers = [Layer(block) for block in self._body.layers]
        attention = self._body.layers[0].self_attn
        self._size: int = attention.head_dim
        self._keys_heads: int = attention.k_proj.weight.shape[0] // self._size
        self._heads: int = attention.q_proj.weight.shape[0] // self._size
        self._head = PackedLinear((model.lm_head,))
        self._head_eps = torch.tensor(self._body.norm.variance_epsilon, device=model.device)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        self.threads = 1 if model.device.type == "cpu" and parameters <= SMALL else None
        self._reading = Reading(lambda: [*model.parameters()])
        self._buffer: torch.Tensor | None = None  # [layers, 2 · keys, tokens, D]: a layer's keys and then its values
        self._turns = torch.empty(0)

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

    def branch(self, start: Start, rows: int, room: int, modules: Sequence[LessonModule | None] = ()) -> FastRows:
        if start is not self._reading.start:
            raise RuntimeError("another conversation was read since")
        self._make_room(start.length, start.length + rows * room)
        return FastRows(self, start.length, rows, room, modules)

    def _read(self, ids: Sequence[int], known: int) -> Start:
        """Read what comes after the first `known` of `ids`."""
        self._reading.took(ids[:known], None)  # should it fail, no more than that is known
        self._head.refresh()
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
        have = 0 if self._buffer is None else self._buffer.shape[2]
        if wanted <= have:
            return
        size = max(wanted, have + GROWTH)
        device = self._model.device
        fresh = torch.zeros((len(self._layers), 2 * self._keys_heads, size, self._size), device=device)
        if self._buffer is not None:
            fresh[:, :, :used] = self._buffer[:, :, :used]
        self._buffer = fresh
        rotary = self._body.rotary_emb
        angles = torch.outer(torch.arange(size, device=device).float(), rotary.inv_freq.float())
        turns = torch.polar(torch.full_like(angles, rotary.attention_scaling), angles)[:, None]
        # For a whole row of queries, keys and values; values are not turned.
        queries_keys = turns.expand(-1, self._heads + self._keys_heads, -1)
        values = torch.ones_like(turns).expand(-1, self._keys_heads, -1)
        self._turns = torch.cat([queries_keys, values], dim=1).flatten(1)

    def run(
        self,
        tokens: Sequence[int],
        positions: slice,
        at: int,
        mask: torch.Tensor | None,
        *,
        last: bool,
        modules: Sequence[LessonModule | None] = (),
    ) -> torch.Tensor:
        """Logits [n, V] behind each of `tokens`, or behind the last one alone [1, V], float32 on the CPU.

        Their keys and values go into the buffer at `at`, and they attend to everything up to there and themselves as
        `mask` [n, at + n] says; None: each to those before it. `positions` are theirs, one for all or one each; so are
        `modules`, which are on.
        """
        assert self._buffer is not None
        body, n, end, turn = self._body, len(tokens), at + len(tokens), self._turns[positions]
        heads, keys_heads, size = self._heads, self._keys_heads, self._size
        groups, turned, width = heads // keys_heads, heads + keys_heads, (heads + 2 * keys_heads) * size
        room = self._buffer[:, :, at:end].unbind()
        # Heads that have keys of their own are the heads of one batch; where some share keys, those are a batch each.
        if groups == 1:
            batches, apart, seen = 1, (0, size, width, 1), self._buffer[:, None, :, :end]
        else:
            batches, apart = keys_heads, (groups * size, size, width, 1)
            seen = self._buffer[:, :, None, :end].expand(-1, -1, groups, -1, -1)
        keys, values = (part.unbind() for part in seen.split(keys_heads, dim=2 if groups == 1 else 1))
        x = functional.embedding(torch.tensor(tokens, device=self._model.device), body.embed_tokens.weight)
        first = len(self._layers) - max((module.sites for module in modules if module is not None), default=0)
        for number, layer in enumerate(self._layers):
            y = layer.qkv(_normed(x, layer.eps[0]).mul_(layer.norms[0]))
            if layer.head_norm is not None:
                both = y.view(n, -1, size)[:, :turned]
                both.copy_(_normed(both, layer.head_eps).mul_(layer.head_norm))
            torch.view_as_complex(y.view(n, -1, 2)).mul_(turn)
            room[number].copy_(y.view(n, -1, size)[:, heads:].transpose(0, 1))
            rows, here = n, mask
            if last and layer is self._layers[-1]:
                x, y, rows = x[-1:], y[-1:], 1
                here = mask[-1:] if mask is not None else None
            attended = functional.scaled_dot_product_attention(
                y.as_strided((batches, heads // batches, rows, size), apart),
                keys[number],
                values[number],
                attn_mask=here,
                is_causal=mask is None and rows == n,
            )
            x = x.add_(layer.out(attended.permute(2, 0, 1, 3).reshape(rows, heads * size)))
            gate, up = layer.gate_up(_normed(x, layer.eps[1]).mul_(layer.norms[1])).chunk(2, -1)
            x = x.add_(layer.down(functional.silu(gate).mul_(up)))
            if (site := number - first) >= 0:
                x = mixed(modules, site, x)
        if last:
            x = x[-1:]
        return self._head(_normed(x, self._head_eps).mul_(body.norm.weight)).cpu()


class FastRows:
    """Rows that write behind the conversation in the decoder's buffer."""

    def __init__(
        self, decoder: FastDecoder, length: int, rows: int, room: int, modules: Sequence[LessonModule | None]
    ) -> None:
        self._decoder = decoder
        self._modules = list(modules)
        self._position = self._at = length
        device = decoder._model.device
        self._mask = torch.full((rows, length + rows * room), -math.inf, device=device)
        self._mask[:, :length] = 0.0

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        position, at, end = self._position, self._at, self._at + len(tokens)
        self._mask[:, at:end].diagonal().zero_()
        with torch.no_grad():
            logits = self._decoder.run(
                tokens, slice(position, position + 1), at, self._mask[:, :end], last=False, modules=self._modules
            )
        self._position, self._at = position + 1, end
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        self._mask = self._mask[list(rows)]
        self._modules = [self._modules[row] for row in rows] if self._modules else []


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


def _normed(x: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """Over the last dimension, of root mean square 1; the norm's weight is multiplied in elsewhere."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * torch.addcmul(eps, length, length, value=1 / x.shape[-1]).rsqrt_()
