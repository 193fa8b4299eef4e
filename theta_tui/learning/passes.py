"""Forward passes for lessons: only the part of the model that a lesson needs, and the gradients that a step needs.

A lesson needs the logits of the same rows of tokens several times, at a few positions of each. A pick moves only the
last layer of some blocks. So for the models that `llama.block` knows, what lies below the first of those layers is
computed once; rows are laid end to end, and padded only inside of attention; the last block's MLP and the head are
computed only at the positions that are needed. The result equals the model's own forward pass within rounding. Other
models, and lessons that move everything, use the model's own forward pass.

The same rows and weights give the same bits either way, since what is kept was computed in the shapes in which it would
be computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from theta_tui.learning.recall import forward_batch
from theta_tui.model.llama.block import Block, attention, recognised, repeat_heads

if TYPE_CHECKING:
    from theta_tui.model.language_model import LanguageModel

LayerGradients = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""By module name: the gradient g [n, out] of its output and its input x [n, in], at the same n tokens. Tokens without a
gradient may be left out."""


class Pass(Protocol):
    """Rows of token ids, and some positions in each at which logits are wanted."""

    def logits(self) -> torch.Tensor:
        """[positions of all rows, V], with the weights as they are now; with a graph where gradients are enabled."""

    def layer_gradients(self) -> LayerGradients:
        """Those of the last `logits()`. Call after `backward()`."""


class Passes:
    """Passes over one model. `modules` are those that move, by name."""

    def __init__(self, lm: LanguageModel, modules: Mapping[str, Any]) -> None:
        self.lm = lm
        self.modules = modules

    def over(self, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]], *, upper: bool) -> Pass:
        """A pass over `rows` of token ids, for the logits at `places` of each. `upper`: only the modules move."""
        if upper and self._trunk is not None:
            return _Packed(self._trunk, rows, places)
        return _Whole(self.lm, self.modules if upper else {}, rows, places)

    @cached_property
    def _trunk(self) -> _Trunk | None:
        model = self.lm.model
        known = self.lm.adapter is None and recognised(model) and _upper(model.model.layers, self.modules)
        return _Trunk(model, self.modules) if known else None


# --- any model ---


class _Whole:
    """The model's own forward pass, over a padded batch."""

    def __init__(
        self,
        lm: LanguageModel,
        modules: Mapping[str, Any],
        rows: Sequence[Sequence[int]],
        places: Sequence[Sequence[int]],
    ) -> None:
        self._lm = lm
        self._modules = modules
        # A single row is not padded, so it has the shape in which the model is asked later.
        self._ids, self._real = padded(rows)
        self._row = torch.tensor([row for row, some in enumerate(places) for _ in some], device=lm.device)
        self._place = torch.tensor([place for some in places for place in some], device=lm.device)
        self._inputs: dict[str, torch.Tensor] = {}
        self._gradients: dict[str, torch.Tensor] = {}

    def logits(self) -> torch.Tensor:
        with self._watching():
            return forward_batch(self._lm, self._ids)[self._row, self._place]

    def _watching(self) -> AbstractContextManager[None]:
        return capture_hooks(self._modules, self._inputs, self._gradients) if self._modules else nullcontext()

    def layer_gradients(self) -> LayerGradients:
        found = {}
        for name in self._modules:
            g, x = self._gradients[name][self._real].float(), self._inputs[name][self._real].float()
            some = ~(g == 0).all(1)  # NaN stays, so that the step is refused
            found[name] = g[some], x[some]
        return found


@contextmanager
def frozen(model: Any) -> Iterator[None]:
    """No parameter of the model requires a gradient within this context."""
    every = list(model.parameters())
    wanted = [parameter.requires_grad for parameter in every]
    try:
        for parameter in every:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter, wants in zip(every, wanted, strict=True):
            parameter.requires_grad_(wants)


def padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of token ids as one batch padded behind, and a mask of the real tokens, both [batch, tokens]. The padding is
    token 0: in a causal model no real token sees it."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    return ids, torch.tensor([[True] * len(row) + [False] * (longest - len(row)) for row in rows])


@contextmanager
def capture_hooks(
    modules: Mapping[str, Any], inputs: dict[str, torch.Tensor], gradients: dict[str, torch.Tensor]
) -> Iterator[None]:
    """Within this context a forward pass puts each module's input into `inputs`, and a backward pass the gradient of
    its output into `gradients`, [batch, tokens, size] each. The graph begins at the first module: what lies below is
    not differentiated, and parameters need no gradients."""

    def see(name: str) -> Callable[..., torch.Tensor | None]:
        def hook(_: Any, given: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor | None:
            inputs[name] = given[0].detach()
            if not torch.is_grad_enabled():
                return None
            fresh = output if output.requires_grad else output.detach().requires_grad_()
            fresh.register_hook(lambda gradient: gradients.__setitem__(name, gradient.detach()))
            return fresh

        return hook

    handles = [module.register_forward_hook(see(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


# --- models that `llama.block` knows ---


class _Trunk:
    """A model cut at the first module that moves: `hidden` is what reaches the MLP of that block."""

    def __init__(self, model: Any, modules: Mapping[str, Any]) -> None:
        self.model, self.blocks = model, [Block(layer) for layer in model.model.layers]
        self.names = {id(module): name for name, module in modules.items()}
        self.first = len(self.blocks) - len(modules)

    def hidden(self, layout: _Layout) -> torch.Tensor:
        """[tokens, size], without a graph."""
        with torch.no_grad():
            x = functional.embedding(layout.tokens, self.model.model.embed_tokens.weight)
            for block in self.blocks[: self.first]:
                x = block.mlp(block.out(x, layout.attention(block, x)))
            block = self.blocks[self.first]
            return block.out(x, layout.attention(block, x))

    def head(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, V] of states [n, size]."""
        logits: torch.Tensor = self.model.lm_head(self.model.model.norm(x))
        return logits


class _Layout:
    """Some rows of tokens laid end to end. Attention sees them as [rows, heads, longest, D], padded behind, and no
    token of a causal model looks at padding."""

    def __init__(self, trunk: _Trunk, rows: Sequence[Sequence[int]]) -> None:
        device = trunk.model.device
        lengths = [len(row) for row in rows]
        self.rows, self.longest = len(rows), max(lengths)
        self.starts = [sum(lengths[:at]) for at in range(len(rows) + 1)]
        self.tokens = torch.tensor([token for row in rows for token in row], device=device)
        places = torch.tensor([place for length in lengths for place in range(length)], device=device)
        cosines, sines = trunk.model.model.rotary_emb(trunk.model.lm_head.weight, places[None])
        self._rotary = cosines[0][:, None], sines[0][:, None]
        spread = [
            start + min(place, size - 1)
            for start, size in zip(self.starts, lengths, strict=False)
            for place in range(self.longest)
        ]
        real = [row * self.longest + place for row, size in enumerate(lengths) for place in range(size)]
        self._spread, self._real = torch.tensor(spread, device=device), torch.tensor(real, device=device)

    def attention(self, block: Block, x: torch.Tensor) -> torch.Tensor:
        """What attention finds at each token of x [tokens, size], [tokens, heads · D]."""
        queries, keys, values = (self.pad(part) for part in block.qkv(x, self._rotary))
        heads = queries.shape[1]
        return self.unpad(attention(queries, repeat_heads(keys, heads), repeat_heads(values, heads)))

    def pad(self, states: torch.Tensor) -> torch.Tensor:
        """[tokens, heads, D] → [rows, heads, longest, D]."""
        grid = states.index_select(0, self._spread).view(self.rows, self.longest, *states.shape[1:])
        return grid.transpose(1, 2)

    def unpad(self, found: torch.Tensor) -> torch.Tensor:
        """[rows, longest, heads · D] → [tokens, heads · D]."""
        return found.flatten(0, 1).index_select(0, self._real)


class _Packed:
    """The part of a model that moves, computed anew for each `logits`."""

    def __init__(self, trunk: _Trunk, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]]) -> None:
        self._trunk = trunk
        self._layout = layout = _Layout(trunk, rows)
        label_positions = [start + place for start, some in zip(layout.starts, places, strict=False) for place in some]
        self._label_positions = torch.tensor(label_positions, device=layout.tokens.device)
        self._inputs: dict[str, torch.Tensor] = {}
        self._gradients: dict[str, torch.Tensor] = {}
        self.read()

    def read(self) -> None:
        """Compute what does not move: the states in front of the first MLP that moves, and what enters its last
        layer."""
        self._hidden = self._trunk.hidden(self._layout)
        with torch.no_grad():
            self._inner = self._trunk.blocks[self._trunk.first].inner(self._hidden)

    def logits(self) -> torch.Tensor:
        trunk, layout, chosen = self._trunk, self._layout, self._label_positions
        first, *between = trunk.blocks[trunk.first :]
        x, inner, last = self._hidden, self._inner, trunk.blocks[-1]
        if first is last:
            x, inner = x.index_select(0, chosen), inner.index_select(0, chosen)
        x = x + self._down(first, inner)
        for block in between:
            found = layout.attention(block, x)
            if block is last:
                x, found = x.index_select(0, chosen), found.index_select(0, chosen)
            x = block.out(x, found)
            x = x + self._down(block, block.inner(x))
        return trunk.head(x)

    def _down(self, block: Block, inner: torch.Tensor) -> torch.Tensor:
        name = self._trunk.names[id(block.down_proj)]
        output: torch.Tensor = block.down_proj(inner)
        self._inputs[name] = inner.detach() if inner.requires_grad else inner
        if torch.is_grad_enabled():
            # The graph begins at the first of them.
            output = output if output.requires_grad else output.detach().requires_grad_()
            output.register_hook(lambda gradient: self._gradients.__setitem__(name, gradient.detach()))
        return output

    def layer_gradients(self) -> LayerGradients:
        return {name: (self._gradients[name], x) for name, x in self._inputs.items()}


def _upper(blocks: Sequence[Any], modules: Mapping[str, Any]) -> bool:
    """Whether the modules are the last layers of the upper blocks' MLPs."""
    upper = list(blocks)[len(blocks) - len(modules) :]
    return bool(modules) and {id(block.mlp.down_proj) for block in upper} == set(map(id, modules.values()))
