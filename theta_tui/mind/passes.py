"""The forward passes that lessons are taken on: as much of the model as a lesson needs, and what a step goes by.

A lesson looks at the same rows of tokens several times, at the logits of a few places in them, while only the last
layer of some blocks moves. For the models that the fast decoder knows, what lies below the first of those layers is
computed once a lesson; rows are laid end to end, so that nothing is padded but inside of attention; and the last block
and the head are computed where somebody looks. The same numbers as the model's own pass within rounding. Other models,
and recipes that move everything, go through the model's own forward pass.

To the same rows, from the same weights, both give the same bits: what is kept was computed in the shapes that it would
be computed in again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from theta_tui.mind.curvature import padded, watching
from theta_tui.mind.decoding.fast import FastDecoder
from theta_tui.mind.decoding.llama import recognised
from theta_tui.mind.recall import forward_batch

if TYPE_CHECKING:
    from theta_tui.mind.decoding.llama import Layer
    from theta_tui.mind.language_model import LanguageModel

Felt = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""By module name: the gradients g [n, out] of what came out of it and what went in, x [n, in], at the same n tokens.
Tokens that feel nothing may be left out."""


class Pass(Protocol):
    """Some rows of token ids, of each of which some places are looked at."""

    def logits(self) -> torch.Tensor:
        """[places of all rows, V], with the weights as they are now; with a graph where gradients are enabled."""

    def felt(self) -> Felt:
        """Of the last `logits`, after a backward pass."""

    def inputs(self, rows: int) -> Mapping[str, torch.Tensor]:
        """What went into the modules [tokens, in] at the last `logits`, at all tokens of the first `rows` rows."""

    def since(self, row: int) -> Pass:
        """A pass over the rows from `row` on alone."""


class Passes:
    """Passes over one model, of which `modules` (by name) move."""

    def __init__(self, lm: LanguageModel, modules: Mapping[str, Any]) -> None:
        self.lm = lm
        self.modules = modules

    def over(self, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]], *, natural: bool) -> Pass:
        """A pass over `rows`, to look at `places` of each. `natural`: only the modules move."""
        if natural and self._trunk is not None:
            return _Packed.of(self._trunk, rows, places)
        return _Whole(self.lm, self.modules if natural else {}, rows, places)

    @cached_property
    def _trunk(self) -> _Trunk | None:
        # The decoder of another model would import Transformers, and the decoder has tried itself on this one.
        decoder = self.lm.decoder if recognised(self.lm.model) else None
        if isinstance(decoder, FastDecoder) and _known(decoder.layers, self.modules):
            return _Trunk(self.lm, decoder.layers, self.modules)
        return None


# --- any model ---


class _Whole:
    """Through the model's own forward pass, over a padded batch."""

    def __init__(
        self,
        lm: LanguageModel,
        modules: Mapping[str, Any],
        rows: Sequence[Sequence[int]],
        places: Sequence[Sequence[int]],
    ) -> None:
        self._lm = lm
        self._modules = modules
        self._rows, self._places = rows, places
        # One row is passed as it is, unpadded: that is what asking the model later does too.
        self._ids, self._real = padded(rows)
        self._row = torch.tensor([row for row, some in enumerate(places) for _ in some], device=lm.device)
        self._place = torch.tensor([place for some in places for place in some], device=lm.device)
        self._inputs: dict[str, torch.Tensor] = {}
        self._gradients: dict[str, torch.Tensor] = {}

    def logits(self) -> torch.Tensor:
        with self._watching():
            return forward_batch(self._lm, self._ids)[self._row, self._place]

    def _watching(self) -> AbstractContextManager[None]:
        return watching(self._modules, self._inputs, self._gradients) if self._modules else nullcontext()

    def felt(self) -> Felt:
        found = {}
        for name in self._modules:
            g, x = self._gradients[name][self._real].float(), self._inputs[name][self._real].float()
            some = ~(g == 0).all(1)  # what is not a number stays, and is told by the size of the step
            found[name] = g[some], x[some]
        return found

    def inputs(self, rows: int) -> Mapping[str, torch.Tensor]:
        return {name: self._inputs[name][:rows][self._real[:rows]].float() for name in self._modules}

    def since(self, row: int) -> Pass:
        return _Whole(self._lm, self._modules, self._rows[row:], self._places[row:])


# --- models that the fast decoder knows ---


class _Trunk:
    """A model cut at the first module that moves: `hidden` is what reaches the MLP of that block."""

    def __init__(self, lm: LanguageModel, layers: Sequence[Layer], modules: Mapping[str, Any]) -> None:
        self.model, self.layers = lm.model, layers
        self.names = {id(module): name for name, module in modules.items()}
        self.first = len(layers) - len(modules)
        attention = lm.model.model.layers[0].self_attn
        self.size: int = attention.head_dim
        self.heads = attention.q_proj.weight.shape[0] // self.size
        self.keys_heads = attention.k_proj.weight.shape[0] // self.size

    def hidden(self, layout: _Layout) -> torch.Tensor:
        """[tokens, size], without a graph."""
        for layer in self.layers:
            layer.refresh()
        with torch.no_grad():
            x = functional.embedding(layout.tokens, self.model.model.embed_tokens.weight)
            for layer in self.layers[: self.first]:
                x = self.attend(layer, x, layout)
                x = x + functional.linear(self.inner(layer, x), layer.down.weight, layer.down.bias)
            return self.attend(self.layers[self.first], x, layout)

    def attend(self, layer: Layer, x: torch.Tensor, layout: _Layout, only: torch.Tensor | None = None) -> torch.Tensor:
        """x behind attention, at all tokens or `only` at some."""
        return self.out(layer, x, self.attended(layer, x, layout), only)

    def out(self, layer: Layer, x: torch.Tensor, found: torch.Tensor, only: torch.Tensor | None) -> torch.Tensor:
        if only is not None:
            x, found = x.index_select(0, only), found.index_select(0, only)
        return x + functional.linear(found, layer.out.weight, layer.out.bias)

    def attended(self, layer: Layer, x: torch.Tensor, layout: _Layout) -> torch.Tensor:
        """What attention brings together at each token, [tokens, heads · D]."""
        n, heads, size = len(x), self.heads, self.size
        turned, groups = heads + self.keys_heads, heads // self.keys_heads
        y = functional.linear(_normed(x, layer.eps[0]), layer.qkv, layer.qkv_bias).view(n, -1, size)
        both = y[:, :turned]
        if layer.head_norm is not None:
            both = _normed(both, layer.head_eps) * layer.head_norm
        both = torch.view_as_real(torch.view_as_complex(both.reshape(n, turned, -1, 2)) * layout.turns)
        packed = torch.cat([both.view(n, turned, size), y[:, turned:]], 1)
        grid = packed.index_select(0, layout.grid).view(layout.rows, layout.longest, -1, size).transpose(1, 2)
        queries, keys, values = grid[:, :heads], grid[:, heads:turned], grid[:, turned:]
        if groups > 1:
            keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
        found = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return found.transpose(1, 2).reshape(layout.rows * layout.longest, heads * size).index_select(0, layout.real)

    def inner(self, layer: Layer, x: torch.Tensor) -> torch.Tensor:
        """What goes into the last layer of the MLP, [tokens, inner]."""
        gate, up = functional.linear(_normed(x, layer.eps[1]), layer.gate_up, layer.gate_up_bias).chunk(2, -1)
        return functional.silu(gate) * up

    def head(self, x: torch.Tensor) -> torch.Tensor:
        norm, head = self.model.model.norm, self.model.lm_head
        return functional.linear(_normed(x, norm.variance_epsilon) * norm.weight, head.weight, head.bias)


class _Layout:
    """Where the tokens of some rows lie, one row behind the other."""

    def __init__(self, trunk: _Trunk, rows: Sequence[Sequence[int]]) -> None:
        device = trunk.model.device
        lengths = [len(row) for row in rows]
        self.rows, self.longest = len(rows), max(lengths)
        self.starts = [sum(lengths[:at]) for at in range(len(rows) + 1)]
        self.tokens = torch.tensor([token for row in rows for token in row], device=device)
        places = [place for length in lengths for place in range(length)]
        rotary = trunk.model.model.rotary_emb
        angles = torch.outer(torch.arange(self.longest, device=device).float(), rotary.inv_freq.float())
        turns = torch.polar(torch.full_like(angles, rotary.attention_scaling), angles)
        self.turns = turns[places][:, None]
        # Behind a causal model's rows any padding will do.
        grid = [start + min(place, size - 1) for start, size in zip(self.starts, lengths, strict=False)
                for place in range(self.longest)]  # fmt: skip
        self.grid = torch.tensor(grid, device=device)
        real = [row * self.longest + place for row, size in enumerate(lengths) for place in range(size)]
        self.real = torch.tensor(real, device=device)


class _Packed:
    """Only what does move, again and again."""

    def __init__(
        self,
        trunk: _Trunk,
        layout: _Layout,
        rows: Sequence[Sequence[int]],
        places: Sequence[Sequence[int]],
        hidden: torch.Tensor,
        inner: torch.Tensor,
    ) -> None:
        """`hidden` reaches the MLP of the first block that moves, `inner` its last layer; neither has a graph."""
        self._trunk = trunk
        self._rows, self._places = rows, places
        self._layout = layout
        looked_at = [start + place for start, some in zip(layout.starts, places, strict=False) for place in some]
        self._looked_at = torch.tensor(looked_at, device=layout.tokens.device)
        self._hidden, self._inner = hidden, inner
        self._inputs: dict[str, torch.Tensor] = {}
        self._gradients: dict[str, torch.Tensor] = {}
        self._last: Callable[[], torch.Tensor] | None = None

    @classmethod
    def of(cls, trunk: _Trunk, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]]) -> _Packed:
        layout = _Layout(trunk, rows)
        hidden = trunk.hidden(layout)
        with torch.no_grad():
            inner = trunk.inner(trunk.layers[trunk.first], hidden)
        return cls(trunk, layout, rows, places, hidden, inner)

    def since(self, row: int) -> Pass:
        rows, start = self._rows[row:], self._layout.starts[row]
        layout = _Layout(self._trunk, rows)
        return _Packed(self._trunk, layout, rows, self._places[row:], self._hidden[start:], self._inner[start:])

    def logits(self) -> torch.Tensor:
        trunk, layout = self._trunk, self._layout
        layers = trunk.layers
        x, inner, last = self._hidden, self._inner, len(layers) - 1
        self._last = None
        if trunk.first == last:
            x, inner, self._last = x[self._looked_at], inner[self._looked_at], lambda: self._inner
        x = x + self._down(layers[trunk.first], inner)
        for at in range(trunk.first + 1, len(layers)):
            layer = layers[at]
            if at < last:
                x = trunk.attend(layer, x, layout)
            else:
                found = trunk.attended(layer, x, layout)
                self._last = partial(self._last_inner, layer, x.detach(), found.detach())
                x = trunk.out(layer, x, found, self._looked_at)
            x = x + self._down(layer, trunk.inner(layer, x))
        return trunk.head(x)

    def _down(self, layer: Layer, inner: torch.Tensor) -> torch.Tensor:
        down = layer.down
        name = self._trunk.names[id(down)]
        output = functional.linear(inner, down.weight, down.bias)
        self._inputs[name] = inner.detach() if inner.requires_grad else inner
        if torch.is_grad_enabled():
            # The graph begins at the first of them.
            output = output if output.requires_grad else output.detach().requires_grad_()
            output.register_hook(lambda gradient: self._gradients.__setitem__(name, gradient.detach()))
        return output

    def felt(self) -> Felt:
        return {name: (self._gradients[name], x) for name, x in self._inputs.items()}

    def inputs(self, rows: int) -> Mapping[str, torch.Tensor]:
        assert self._last is not None, "logits() comes first"
        tokens = self._layout.starts[rows]
        found = self._inputs | {list(self._inputs)[-1]: self._last()}
        return {name: x if len(x) == tokens else x[:tokens] for name, x in found.items()}

    def _last_inner(self, layer: Layer, x: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
        """What goes into the last module, where nobody looks too."""
        with torch.no_grad():
            return self._trunk.inner(layer, self._trunk.out(layer, x, found, None))


def _known(layers: Sequence[Layer], modules: Mapping[str, Any]) -> bool:
    """Whether the modules are the last layers of the upper blocks' MLPs."""
    upper = layers[len(layers) - len(modules) :]
    return bool(modules) and {id(layer.down) for layer in upper} == set(map(id, modules.values()))


def _normed(x: torch.Tensor, eps: float) -> torch.Tensor:
    """Over the last dimension, of root mean square 1; the norm's weight is multiplied in elsewhere."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
