"""Decoding for the models that `llama.block` knows, with nothing between the matrix products that is not needed.

Keys and values lie in one buffer: first those of the conversation, which all rows share, and behind them those that the
rows write, side by side for each step. A mask says which of them belong to which row. So a step is one attention over
the buffer, and nothing is repeated, joined or moved, not even when a row leaves. Log-probabilities agree with the
model's own forward pass to 1e-4 nats in float32, the only precision that goes this way (packed_linear.py says what is
read in 16 bits all the same).
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from theta_tui.model import measured
from theta_tui.model.decoding.packed_linear import PackedLinear
from theta_tui.model.decoding.protocol import SLICE, Prefill, PrefixCache
from theta_tui.model.llama.block import Block, recognised
from theta_tui.model.modules import LessonModule, mixed

SMALL = 40_000_000
"""Parameters of a model up to which a step is for one thread. Waking another for each of some sixty products and
attentions takes longer than it helps: the built-in model's step is 6 ms with one and 9 ms with two."""

GROWTH = 256
"""Tokens that the buffer grows by at least."""


class PackedNorm:
    """A model's RMSNorm in two operations. `refresh` before use."""

    def __init__(self, norm: Any) -> None:
        self._norm = norm
        self._eps = torch.tensor(norm.variance_epsilon, device=norm.weight.device)
        self._weight: torch.Tensor = norm.weight

    def refresh(self) -> None:
        self._weight = self._norm.weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return scaled(x, self._eps).mul_(self._weight)


def scaled(x: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """x with root mean square 1 over its last dimension."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * torch.addcmul(eps, length, length, value=1 / x.shape[-1]).rsqrt_()


class PackedBlock(Block):
    """A block over copies of its weights: queries, keys and values are one product, gate and up another.

    Heads hold the two numbers that a rotation mixes side by side, so that it is one product of complex numbers. Scores
    do not change, since queries and keys are held alike. `refresh` before use: it copies what has been written to.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        attention, mlp = layer.self_attn, layer.mlp
        pair = self._paired
        self.input_norm, self.mlp_norm = PackedNorm(layer.input_layernorm), PackedNorm(layer.post_attention_layernorm)
        self._qkv = PackedLinear((attention.q_proj, attention.k_proj, attention.v_proj), (pair, pair, None))
        self.o_proj, self.down_proj = PackedLinear((attention.o_proj,)), PackedLinear((mlp.down_proj,))
        self._gate_up = PackedLinear((mlp.gate_proj, mlp.up_proj))
        self._packed = (self.input_norm, self.mlp_norm, self._qkv, self.o_proj, self.down_proj, self._gate_up)
        queries, keys = (part.weight.shape[0] // self.head_dim for part in (attention.q_proj, attention.k_proj))
        self.heads: tuple[int, int, int] = queries, keys, keys
        """Of queries, keys and values."""
        self._norms = [(attention.q_norm, queries), (attention.k_norm, keys)] if hasattr(attention, "q_norm") else []
        self._head_norm = torch.empty(0)  # [queries + keys, D]
        self._head_eps = torch.tensor(0.0)

    def refresh(self) -> None:
        for part in self._packed:
            part.refresh()
        if self._norms:
            self._head_norm = torch.cat([self._paired(norm.weight.detach()).expand(n, -1) for norm, n in self._norms])
            self._head_eps = torch.tensor(self._norms[0][0].variance_epsilon, device=self._head_norm.device)

    def qkv(self, x: torch.Tensor, rotary: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As `Block`, for x [n, size]: views of one tensor [n, heads, D]. `rotary` [n or 1, heads · D / 2] are complex
        numbers, of queries, keys and values; those of values are 1."""
        y = self._qkv(self.input_norm(x))
        heads = y.view(len(y), -1, self.head_dim)
        if self._norms:
            both = heads[:, : self.heads[0] + self.heads[1]]
            both.copy_(scaled(both, self._head_eps).mul_(self._head_norm))
        torch.view_as_complex(y.view(len(y), -1, 2)).mul_(rotary)
        queries, keys, values = heads.split(self.heads, 1)
        return queries, keys, values

    # In place, since fresh memory for 300 tokens takes a hundredth of the time of reading them.

    def out(self, x: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
        return x.add_(self.o_proj(found))

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        return x.add_(self.down_proj(self.inner(x)))

    def inner(self, x: torch.Tensor) -> torch.Tensor:
        gate, up = self._gate_up(self.mlp_norm(x)).chunk(2, -1)
        return functional.silu(gate).mul_(up)

    def _paired(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows [heads · D, …] with rows i and i + D/2 of each head next to each other."""
        shape = rows.shape
        return rows.view(-1, 2, self.head_dim // 2, *shape[1:]).transpose(1, 2).reshape(shape)


class FastDecoder:
    """Reads and writes with the weights that `model` has at each `prefill`."""

    name = "fast"
    rereads = False

    def __init__(self, model: Any) -> None:
        self._model, self._body = model, model.model
        self._blocks = [PackedBlock(layer) for layer in self._body.layers]
        self._size = self._blocks[0].head_dim
        self._heads, self._key_heads, _ = self._blocks[0].heads
        self._norm, self._head = PackedNorm(self._body.norm), PackedLinear((model.lm_head,))
        parameters = sum(parameter.numel() for parameter in model.parameters())
        self.threads = 1 if model.device.type == "cpu" and parameters <= SMALL else None
        self._prefix = PrefixCache(lambda: [*model.parameters()])
        self._buffer: torch.Tensor | None = None  # [layers, 2 · key heads, tokens, D]: keys, and then values
        self._rotary = torch.empty(0)  # [tokens, heads · D / 2], complex

    def prefill(self, ids: Sequence[int]) -> Prefill:
        return self._prefix.get(ids) or self._read(ids, min(self._prefix.known(ids), len(ids) - 1))

    def prefill_ahead(self, ids: Sequence[int]) -> Iterator[None]:
        while (known := self._prefix.known(ids)) < len(ids):
            self._read(ids[: known + SLICE], known)
            yield

    def branch(self, prefill: Prefill, rows: int, room: int, modules: Sequence[LessonModule | None] = ()) -> FastRows:
        if prefill is not self._prefix.prefill:
            raise RuntimeError("another conversation was read since")
        self._prefix.beside = {}
        self._make_room(prefill.length, prefill.length + rows * room)
        return FastRows(self, [slice(prefill.length)] * rows, prefill.length, room, modules)

    def together(
        self,
        conversations: Sequence[Sequence[int]],
        rows: Sequence[int],
        room: int,
        modules: Sequence[LessonModule | None],
    ) -> FastRows | None:
        if not self._keep_beside(conversations):
            if len(conversations) == 1:
                return None
            self._read_beside(conversations)
        laid = self._prefix.beside
        end = max(part.stop for part in laid.values())
        self._make_room(end, end + sum(rows) * room)
        seen = [laid[tuple(ids)] for ids, count in zip(conversations, rows, strict=True) for _ in range(count)]
        return FastRows(self, seen, end, room, modules)

    def _keep_beside(self, conversations: Sequence[Sequence[int]]) -> bool:
        """Whether all of these were read together. If so, others that were go: a step looks at all that lies there."""
        self._prefix.known(())
        laid = self._prefix.beside
        wanted = {tuple(ids) for ids in conversations}
        if not wanted <= laid.keys():
            return False
        if len(wanted) < len(laid):
            assert self._buffer is not None
            self._prefix.put((), None)
            end = 0
            for ids in sorted(wanted, key=lambda ids: laid[ids].start):
                place = slice(end, end + len(ids))
                self._buffer[:, :, place] = self._buffer[:, :, laid[ids]].clone()
                self._prefix.beside[ids], end = place, place.stop
        return True

    def _read_beside(self, conversations: Sequence[Sequence[int]]) -> None:
        """Read several conversations. Each lies behind the one before it, and sees itself alone."""
        end = self.prefill(conversations[0]).length
        laid = {tuple(conversations[0]): slice(0, end)}
        self._make_room(end, sum(map(len, conversations)))
        for ids in conversations[1:]:
            if tuple(ids) in laid:
                continue
            start, end = end, end + len(ids)
            mask = torch.ones((len(ids), end), dtype=torch.bool, device=self._model.device).tril(start)
            mask[:, :start] = False
            with torch.no_grad():
                self.run(ids, slice(len(ids)), start, mask, last=True)
            laid[tuple(ids)] = slice(start, end)
        self._prefix.beside = laid

    def _read(self, ids: Sequence[int], known: int) -> Prefill:
        """Read what comes after the first `known` of `ids`."""
        self._prefix.put(ids[:known], None)  # should it fail, no more than that is known
        for block in self._blocks:
            block.refresh()
        self._norm.refresh()
        self._head.refresh()
        with torch.no_grad():
            self._make_room(known, len(ids))
            mask = None
            if known:
                places = torch.arange(len(ids), device=self._model.device)
                mask = places <= places[known:, None]
            logits = self.run(ids[known:], slice(known, len(ids)), known, mask, last=True)[0]
        prefill = Prefill(len(ids), logits, None)
        self._prefix.put(ids, prefill)
        return prefill

    def _make_room(self, used: int, wanted: int) -> None:
        """Room for `wanted` tokens in the buffer, of which the first `used` stay."""
        have = 0 if self._buffer is None else self._buffer.shape[2]
        if wanted <= have:
            return
        size = max(wanted, have + GROWTH)
        device = self._model.device
        fresh = torch.zeros((len(self._blocks), 2 * self._key_heads, size, self._size), device=device)
        if self._buffer is not None:
            fresh[:, :, :used] = self._buffer[:, :, :used]
        self._buffer = fresh
        rotary = self._body.rotary_emb
        angles = torch.outer(torch.arange(size, device=device).float(), rotary.inv_freq.float())
        turns = torch.polar(torch.full_like(angles, rotary.attention_scaling), angles)[:, None]
        # One for each head of a row of queries, keys and values; values are not rotated.
        rotated = turns.expand(-1, self._heads + self._key_heads, -1)
        values = torch.ones_like(turns).expand(-1, self._key_heads, -1)
        self._rotary = torch.cat([rotated, values], dim=1).flatten(1)

    def run(
        self,
        tokens: Sequence[int],
        positions: slice | torch.Tensor,
        at: int,
        mask: torch.Tensor | None,
        *,
        last: bool,
        modules: Sequence[LessonModule | None] = (),
    ) -> torch.Tensor:
        """Logits [n, V] behind each of `tokens`, or [1, V] behind the `last` one alone, float32 on the CPU.

        Their keys and values go into the buffer at `at`. They see the buffer up to there and themselves as `mask`
        [n, at + n] says; None: each those before it. `positions` are one for all or one each. `modules` are on, one a
        token.
        """
        assert self._buffer is not None
        body, n, end, rotary = self._body, len(tokens), at + len(tokens), self._rotary[positions]
        heads, key_heads, size = self._heads, self._key_heads, self._size
        groups, width = heads // key_heads, (heads + 2 * key_heads) * size
        room = self._buffer[:, :, at:end].unbind()
        # Heads that have keys of their own are the heads of one batch. Those that share a key head are a batch each.
        if groups == 1:
            batches, strides, seen = 1, (0, size, width, 1), self._buffer[:, None, :, :end]
        else:
            batches, strides = key_heads, (groups * size, size, width, 1)
            seen = self._buffer[:, :, None, :end].expand(-1, -1, groups, -1, -1)
        keys, values = (part.unbind() for part in seen.split(key_heads, dim=2 if groups == 1 else 1))
        x = functional.embedding(torch.tensor(tokens, device=self._model.device), body.embed_tokens.weight)
        first = len(self._blocks) - max((module.sites for module in modules if module is not None), default=0)
        for number, block in enumerate(self._blocks):
            queries, new_keys, new_values = block.qkv(x, rotary)
            room[number][:key_heads].copy_(new_keys.transpose(0, 1))
            room[number][key_heads:].copy_(new_values.transpose(0, 1))
            rows, here = n, mask
            if last and block is self._blocks[-1]:
                x, queries, rows = x[-1:], queries[-1:], 1
                here = mask[-1:] if mask is not None else None
            found = functional.scaled_dot_product_attention(
                queries.as_strided((batches, heads // batches, rows, size), strides),
                keys[number],
                values[number],
                attn_mask=here,
                is_causal=mask is None and rows == n,
            )
            x = block.mlp(block.out(x, found.permute(2, 0, 1, 3).reshape(rows, heads * size)))
            if (site := number - first) >= 0:
                x = mixed(modules, site, x)
        return self._head(self._norm(x)).cpu()


class FastRows:
    """Rows that write behind `at` in the decoder's buffer; row i sees the conversation that lies in `seen[i]`."""

    def __init__(
        self,
        decoder: FastDecoder,
        seen: Sequence[slice],
        at: int,
        room: int,
        modules: Sequence[LessonModule | None],
    ) -> None:
        self._decoder = decoder
        self._modules = list(modules)
        self._at = at
        self._positions = torch.tensor([part.stop - (part.start or 0) for part in seen])
        self._mask = torch.full((len(seen), at + len(seen) * room), -math.inf, device=decoder._model.device)
        for row, part in zip(self._mask, seen, strict=True):
            row[part] = 0.0

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        at, end = self._at, self._at + len(tokens)
        self._mask[:, at:end].diagonal().zero_()
        with torch.no_grad():
            logits = self._decoder.run(
                tokens, self._positions, at, self._mask[:, :end], last=False, modules=self._modules
            )
        self._positions += 1
        self._at = end
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        self._mask, self._positions = self._mask[list(rows)], self._positions[list(rows)]
        self._modules = [self._modules[row] for row in rows] if self._modules else []


def agrees(decoder: FastDecoder, model: Any, tokens: int = 8) -> bool:
    """Whether the decoder gives the logits of the model's own forward pass, on a few tokens read and two rows written.

    Classes are known by name, and a later Transformers may put something else under one.
    """
    ids = [(7 * at + 3) % model.config.vocab_size for at in range(tokens)]
    with torch.no_grad():
        own = model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits[0].float().cpu()
    prefill = decoder.prefill(ids[:-2])
    rows = decoder.branch(prefill, 2, 2)
    found = [prefill.logits, rows.step([ids[-2]] * 2)[1], rows.step([ids[-1]] * 2)[0]]
    return torch.allclose(torch.stack(found).log_softmax(-1), own[-3:].log_softmax(-1), atol=1e-3, equal_nan=True)


def proven(model: Any) -> FastDecoder | None:
    """The decoder of `model`; None where the model is not known, or the decoder does not agree with it.

    That it agrees is remembered: a quarter of a second at each start with a model of 135M.
    """
    if not recognised(model):
        return None
    decoder, key = FastDecoder(model), _proof(model)
    if key in measured.recall("decoder"):
        return decoder
    if not agrees(decoder, model):
        return None
    measured.remember("decoder", key, True)
    return decoder


def _proof(model: Any) -> str:
    """What it depends on whether decoder and model agree: the model's shapes and settings, what computes it, and the
    machine."""
    shapes = sorted((name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in model.named_parameters())
    values = getattr(model.config, "values", None) or model.config.to_dict()
    code = [Path(inspect.getfile(kind)).read_bytes() for kind in (FastDecoder, PackedLinear, Block, type(model))]
    around = torch.__version__, torch.backends.cpu.get_cpu_capability(), str(model.device), torch.get_num_threads()
    parts = [shapes, sorted(map(str, values.items())), around, [hashlib.sha256(text).hexdigest() for text in code]]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
