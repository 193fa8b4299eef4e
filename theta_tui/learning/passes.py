"""The forward passes that lessons are taken on: as much of the model as a lesson needs, and what a step goes by.

A lesson looks at the same rows of tokens several times, at the logits of a few places in them. A pick moves only the
last layer of some blocks. For the models that the fast decoder knows, what lies below the first of those layers is
then computed once; rows are laid end to end, so that nothing is padded but inside of attention; and the last block and
the head are computed where somebody looks. The same numbers as the model's own pass within rounding. Other models, and
lessons that move everything, go through the model's own forward pass.

To the same rows, from the same weights, both give the same bits: what is kept was computed in the shapes that it would
be computed in again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from theta_tui.learning.recall import forward_batch
from theta_tui.model.decoding.llama import recognised

if TYPE_CHECKING:
    from theta_tui.model.language_model import LanguageModel

LayerGradients = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""By module name: the gradients g [n, out] of what came out of it and what went in, x [n, in], at the same n tokens.
Tokens that feel nothing may be left out."""


class Pass(Protocol):
    """Some rows of token ids, of each of which some places are looked at."""

    def logits(self) -> torch.Tensor:
        """[places of all rows, V], with the weights as they are now; with a graph where gradients are enabled."""

    def layer_gradients(self) -> LayerGradients:
        """Of the last `logits`, after a backward pass."""


class Passes:
    """Passes over one model, of which `modules` (by name) move."""

    def __init__(self, lm: LanguageModel, modules: Mapping[str, Any]) -> None:
        self.lm = lm
        self.modules = modules

    def over(self, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]], *, upper: bool) -> Pass:
        """A pass over `rows`, to look at `places` of each. `upper`: only the modules move."""
        if upper and self._trunk is not None:
            return _Packed.of(self._trunk, rows, places)
        return _Whole(self.lm, self.modules if upper else {}, rows, places)

    @cached_property
    def _trunk(self) -> _Trunk | None:
        model = self.lm.model
        known = self.lm.adapter is None and recognised(model) and _upper(model.model.layers, self.modules)
        return _Trunk(model, self.modules) if known else None


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
        return capture_hooks(self._modules, self._inputs, self._gradients) if self._modules else nullcontext()

    def layer_gradients(self) -> LayerGradients:
        found = {}
        for name in self._modules:
            g, x = self._gradients[name][self._real].float(), self._inputs[name][self._real].float()
            some = ~(g == 0).all(1)  # what is not a number stays, and is told by the size of the step
            found[name] = g[some], x[some]
        return found


@contextmanager
def frozen(model: Any) -> Iterator[None]:
    """While it lasts, no parameter of the model wants a gradient."""
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
    """Rows of token ids as one batch, padded behind, and which tokens are real: [batch, tokens] both. Behind a causal
    model's rows any padding will do."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    return ids, torch.tensor([[True] * len(row) + [False] * (longest - len(row)) for row in rows])


@contextmanager
def capture_hooks(
    modules: Mapping[str, Any], inputs: dict[str, torch.Tensor], gradients: dict[str, torch.Tensor]
) -> Iterator[None]:
    """While it lasts, a forward pass leaves what goes into each module in `inputs` and a backward pass the gradient
    of what came out in `gradients`, [batch, tokens, size]. The graph begins at the first of the modules: what lies
    below is neither trained nor differentiated, so the parameters themselves need no gradients."""

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


# --- models that the fast decoder knows ---


class _Trunk:
    """A model cut at the first module that moves: `hidden` is what reaches the MLP of that block."""

    def __init__(self, model: Any, modules: Mapping[str, Any]) -> None:
        self.model, self.blocks = model, list(model.model.layers)
        self.names = {id(module): name for name, module in modules.items()}
        self.first = len(self.blocks) - len(modules)
        self.size: int = self.blocks[0].self_attn.head_dim

    def hidden(self, layout: _Layout) -> torch.Tensor:
        """[tokens, size], without a graph."""
        with torch.no_grad():
            x = functional.embedding(layout.tokens, self.model.model.embed_tokens.weight)
            for block in self.blocks[: self.first]:
                x = self.attend(block, x, layout)
                x = x + block.mlp.down_proj(self.inner(block, x))
            return self.attend(self.blocks[self.first], x, layout)

    def attend(self, block: Any, x: torch.Tensor, layout: _Layout) -> torch.Tensor:
        """x behind attention."""
        return self.out(block, x, self.attended(block, x, layout))

    def out(self, block: Any, x: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
        behind: torch.Tensor = x + block.self_attn.o_proj(found)
        return behind

    def attended(self, block: Any, x: torch.Tensor, layout: _Layout) -> torch.Tensor:
        """What attention brings together at each token, [tokens, heads · D]."""
        attention, y = block.self_attn, block.input_layernorm(x)
        queries, keys, values = (
            project(y).view(len(x), -1, self.size) for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        if hasattr(attention, "q_norm"):
            queries, keys = attention.q_norm(queries), attention.k_norm(keys)
        queries, keys, values = (
            layout.pad(part) for part in (layout.apply_rotary(queries), layout.apply_rotary(keys), values)
        )
        groups = queries.shape[1] // keys.shape[1]
        if groups > 1:
            keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
        return layout.unpad(functional.scaled_dot_product_attention(queries, keys, values, is_causal=True))

    def inner(self, block: Any, x: torch.Tensor) -> torch.Tensor:
        """What goes into the last layer of the MLP, [tokens, inner]."""
        mlp, y = block.mlp, block.post_attention_layernorm(x)
        found: torch.Tensor = functional.silu(mlp.gate_proj(y)) * mlp.up_proj(y)
        return found

    def head(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model.lm_head(self.model.model.norm(x))
        return found


class _Layout:
    """Where the tokens of some rows lie, one row behind the other, and how attention sees them: [rows, heads, longest,
    D], padded behind, which no token of a causal model looks at."""

    def __init__(self, trunk: _Trunk, rows: Sequence[Sequence[int]]) -> None:
        device = trunk.model.device
        lengths = [len(row) for row in rows]
        self.rows, self.longest = len(rows), max(lengths)
        self.starts = [sum(lengths[:at]) for at in range(len(rows) + 1)]
        self.tokens = torch.tensor([token for row in rows for token in row], device=device)
        places = torch.tensor([place for length in lengths for place in range(length)], device=device)
        cosines, sines = trunk.model.model.rotary_emb(trunk.model.lm_head.weight, places[None])
        self._cosines, self._sines = cosines[0][:, None], sines[0][:, None]
        spread = [
            start + min(place, size - 1)
            for start, size in zip(self.starts, lengths, strict=False)
            for place in range(self.longest)
        ]
        real = [row * self.longest + place for row, size in enumerate(lengths) for place in range(size)]
        self._spread, self._real = torch.tensor(spread, device=device), torch.tensor(real, device=device)

    def apply_rotary(self, states: torch.Tensor) -> torch.Tensor:
        """Queries or keys [tokens, heads, D] turned by their places."""
        one, other = states.chunk(2, -1)
        return states * self._cosines + torch.cat((-other, one), -1) * self._sines

    def pad(self, states: torch.Tensor) -> torch.Tensor:
        """[tokens, heads, D] as attention sees them."""
        grid = states.index_select(0, self._spread).view(self.rows, self.longest, *states.shape[1:])
        return grid.transpose(1, 2)

    def unpad(self, found: torch.Tensor) -> torch.Tensor:
        """And back, [tokens, heads · D]."""
        return found.transpose(1, 2).flatten(2).flatten(0, 1).index_select(0, self._real)


class _Packed:
    """Only what does move, again and again."""

    def __init__(
        self,
        trunk: _Trunk,
        layout: _Layout,
        places: Sequence[Sequence[int]],
        hidden: torch.Tensor,
        inner: torch.Tensor,
    ) -> None:
        """`hidden` reaches the MLP of the first block that moves, `inner` its last layer; neither has a graph."""
        self._trunk = trunk
        self._layout = layout
        label_positions = [start + place for start, some in zip(layout.starts, places, strict=False) for place in some]
        self._looked_at = torch.tensor(label_positions, device=layout.tokens.device)
        self._hidden, self._inner = hidden, inner
        self._inputs: dict[str, torch.Tensor] = {}
        self._gradients: dict[str, torch.Tensor] = {}

    @classmethod
    def of(cls, trunk: _Trunk, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]]) -> _Packed:
        layout = _Layout(trunk, rows)
        hidden = trunk.hidden(layout)
        with torch.no_grad():
            inner = trunk.inner(trunk.blocks[trunk.first], hidden)
        return cls(trunk, layout, places, hidden, inner)

    def logits(self) -> torch.Tensor:
        trunk, layout, chosen = self._trunk, self._layout, self._looked_at
        first, *between = trunk.blocks[trunk.first :]
        x, inner, last = self._hidden, self._inner, trunk.blocks[-1]
        if first is last:
            x, inner = x.index_select(0, chosen), inner.index_select(0, chosen)
        x = x + self._down(first, inner)
        for block in between:
            found = trunk.attended(block, x, layout)
            if block is last:
                x, found = x.index_select(0, chosen), found.index_select(0, chosen)
            x = trunk.out(block, x, found)
            x = x + self._down(block, trunk.inner(block, x))
        return trunk.head(x)

    def _down(self, block: Any, inner: torch.Tensor) -> torch.Tensor:
        down = block.mlp.down_proj
        name = self._trunk.names[id(down)]
        output: torch.Tensor = down(inner)
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
