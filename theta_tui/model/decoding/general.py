"""Decoding with the model's own forward pass, which is right for every causal language model.

Architectures call their cache by different names, `**kwargs` swallows a keyword that is not the model's own, and some
cached steps differ from uncached ones. So a cache is used only if it proves itself on a few tokens. Without a cache the
whole text is read again for every token.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from theta_tui.base.errors import ModelError
from theta_tui.base.text import reason
from theta_tui.model.decoding.protocol import SLICE, Prefill, PrefixCache, Rows, versions
from theta_tui.model.modules import LessonModule, attached, blocks_of

NAMES = ("cache", "past_key_values", "cache_params", "state")
"""Names of the cache in forward passes, the newest first."""

PROOF = 12
"""Tokens that a model is tried on."""

WRITTEN = 2
"""Those of them that are written token by token, and differ between the rows."""

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
"""Largest difference of log-probabilities of the same token, in nats: root mean square over the vocabulary."""

TOLERANCE_OF_16_BITS = 0.3
"""The built-in model in bfloat16 is 0.12 apart on a processor without products of 16 bits, which rounds one token and
several otherwise."""


class GeneralDecoder:
    """Reads and writes with `model`. `last_logits` are arguments that make it return the last token's logits only.
    Without `cached`, everything before a token is read again to write it."""

    name = "general"
    threads = None

    def __init__(self, model: Any, last_logits: dict[str, Any], *, cached: bool = True) -> None:
        self.model = model
        self.last_logits = last_logits
        self._blocks = blocks_of(model)
        self.cache_name = cache_name(model) if cached else None
        """The forward pass's name for its cache; None: no cache is used."""
        self._prefix = PrefixCache(lambda: [*model.parameters()])
        self._cache: Any = None

    @property
    def rereads(self) -> bool:
        return self.cache_name is None

    @property
    def plain(self) -> bool:
        """Whether the cache holds keys and values alone, so that it can be cut back to its first tokens."""
        return self._cache is not None and _plain(self._cache)

    def prefill(self, ids: Sequence[int]) -> Prefill:
        return self._prefix.get(ids) or self._read(ids)

    def prefill_ahead(self, ids: Sequence[int]) -> Iterator[None]:
        # A cache that cannot be cut back would be of no use to the next prompt.
        while (done := self._prefix.known(ids)) < len(ids) and (done == 0 or self.plain):
            self._read(ids[: done + SLICE])
            yield

    def branch(self, prefill: Prefill, rows: int, room: int, modules: Sequence[LessonModule | None] = ()) -> Rows:
        if self.cache_name is None:
            return UncachedRows(self, [list(prefill.cache) for _ in range(rows)], modules)
        return CachedRows(self, _spread(prefill.cache, rows), modules)

    def together(self, *_: object) -> None:
        return None

    def run(
        self,
        rows: Sequence[Sequence[int]],
        cache: Any = None,
        modules: Sequence[LessonModule | None] = (),
        off: int = 0,
    ) -> Any:
        """The output of a forward pass over rows of new tokens behind `cache`. In row i `modules[i]` is on, after its
        first `off` tokens."""
        on = None
        if modules and off:
            on = (torch.arange(len(rows[0]), device=self.model.device) >= off).expand(len(rows), -1)
        # no_grad and not inference_mode: some models refresh buffers (rotary scaling) in a forward pass, and a tensor
        # that was made in inference mode would later break the backward pass of a lesson.
        with torch.no_grad(), attached(self._blocks, modules, on):
            return self.model(
                input_ids=torch.tensor([list(row) for row in rows], device=self.model.device),
                use_cache=self.cache_name is not None,
                **({} if cache is None else {str(self.cache_name): cache}),
                **self.last_logits,
            )

    def cache_of(self, output: Any) -> Any:
        """The cache in a forward pass's output. Raises ModelError where there is none."""
        found = getattr(output, str(self.cache_name), None)
        if found is None:
            raise ModelError("the model's forward pass keeps no cache")
        return found

    def _read(self, ids: Sequence[int]) -> Prefill:
        known = min(self._prefix.known(ids), len(ids) - 1)
        reused = known > 0 and self.plain
        cache = _first(self._cache, known) if reused else None
        self._prefix.put((), None)  # should the model fail, nothing is known
        output = self.run([ids[known:] if reused else ids], cache)
        self._cache = self.cache_of(output) if self.cache_name is not None else tuple(ids)
        prefill = Prefill(len(ids), _last(output)[0], self._cache)
        self._prefix.put(ids, prefill)
        return prefill


class CachedRows:
    """Rows that are one batch of the model."""

    def __init__(self, decoder: GeneralDecoder, cache: Any, modules: Sequence[LessonModule | None]) -> None:
        self._decoder = decoder
        self._cache = cache
        self._modules = list(modules)

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        output = self._decoder.run([[token] for token in tokens], self._cache, self._modules)
        self._cache = self._decoder.cache_of(output)
        return _last(output)

    def keep(self, rows: Sequence[int]) -> None:
        self._cache.reorder_cache(torch.tensor(list(rows)))
        self._modules = [self._modules[at] for at in rows] if self._modules else []


class UncachedRows:
    """Rows of which each is read from the beginning for every token."""

    def __init__(self, decoder: GeneralDecoder, rows: list[list[int]], modules: Sequence[LessonModule | None]) -> None:
        self._decoder = decoder
        self._rows = rows
        self._read = len(rows[0])
        self._modules = list(modules)

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        self._rows = [[*row, token] for row, token in zip(self._rows, tokens, strict=True)]
        return _last(self._decoder.run(self._rows, None, self._modules, self._read))

    def keep(self, rows: Sequence[int]) -> None:
        self._rows = [self._rows[at] for at in rows]
        self._modules = [self._modules[at] for at in rows] if self._modules else []


def proven(model: Any, last_logits: dict[str, Any], ids: Sequence[int]) -> GeneralDecoder:
    """The decoder of `model`. It uses the model's cache if cached steps equal uncached ones on the first PROOF of
    `ids`; finding out takes some six forward passes over a few tokens, and one backward pass.

    Raises ModelError where the model cannot be taught: its logits depend on later tokens (an encoder), there is no
    backward pass through it, or reading moves its weights.
    """
    before = versions([*model.parameters()])
    decoder = _proven(model, last_logits, ids)
    if versions([*model.parameters()]) != before:
        raise ModelError(
            f"{type(model).__name__} changes its own weights when it reads, so lessons could neither be taken back nor "
            "saved; use another model"
        )
    return decoder


def _proven(model: Any, last_logits: dict[str, Any], ids: Sequence[int]) -> GeneralDecoder:
    one = list(ids[:PROOF])
    shared = len(one) - min(WRITTEN, len(one) - 1)
    other = [*one[:shared], *(_another(one, token) for token in one[shared:])]
    try:
        own = _forward_and_back(model, torch.tensor([one, other], device=model.device))
    except Exception as error:  # whatever a model of another kind asks for beside a text
        raise ModelError(
            f"{type(model).__name__} cannot be taught by text alone ({reason(error)}); use another model"
        ) from None
    near = TOLERANCE.get(model.dtype, TOLERANCE_OF_16_BITS)
    if _apart(own[0, :shared], own[1, :shared]) <= near:
        for cached in (True, False):
            decoder = GeneralDecoder(model, last_logits, cached=cached)
            if cached and decoder.cache_name is None:
                continue
            try:
                apart = _tried(decoder, one, other, shared, own)
            except Exception:  # a cache that lacks what is asked of it
                if not cached:
                    raise
                continue
            if apart <= near:
                return decoder
    raise ModelError(
        f"{type(model).__name__} is not a causal language model: what it says of a text changes with the words that "
        "come after it (an encoder, perhaps) or from one time to the next, so it could neither write a reply nor be "
        "taught one; use another model"
    )


def _tried(decoder: GeneralDecoder, one: list[int], other: list[int], shared: int, own: torch.Tensor) -> float:
    """The decoder's distance from the logits `own` [2, T, V] of both rows. Rows are read, branched, written,
    swapped."""
    prefill = decoder.prefill(one[:shared])
    found, wanted = [prefill.logits], [own[0, shared - 1]]
    rows, writing = [0, 1, 0], decoder.branch(prefill, 3, len(one) - shared)
    for place in range(shared, len(one)):
        found += writing.step([(one, other)[row][place] for row in rows])
        wanted += [own[row, place] for row in rows]
        if place == shared:
            writing.keep([1, 2])
            rows = [1, 0]
    found.append(decoder.prefill(other).logits)
    wanted.append(own[1, -1])
    return _apart(torch.stack(found), torch.stack(wanted))


def _forward_and_back(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Logits [rows, T, V], float32 on the CPU, after a backward pass as far as the embedded tokens."""
    embedded: list[torch.Tensor] = []

    def hold(_module: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        # Of its own: behind an adapter, what is below does not ask for gradients.
        embedded.append(output.detach().requires_grad_())
        return embedded[0] * 1

    hook = model.get_input_embeddings().register_forward_hook(hold)
    try:
        with torch.enable_grad():
            logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
            torch.autograd.grad(logits.float().log_softmax(-1)[..., 0].sum(), embedded[0])
    finally:
        hook.remove()
    return logits.detach().float().cpu()


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest distance of two rows of logits [n, V], see TOLERANCE. NaN equals NaN, and infinity itself."""
    mine, theirs = one.log_softmax(-1), other.log_softmax(-1)
    alike = (mine == theirs) | (mine.isnan() & theirs.isnan())
    return float(torch.where(alike, 0.0, mine - theirs).square().mean(-1).sqrt().amax())


def _another(ids: Sequence[int], token: int) -> int:
    return next((other for other in ids if other != token), 0)


def cache_name(model: Any) -> str | None:
    """What the model's forward pass calls its cache; None where it takes none."""
    parameters = inspect.signature(model.forward).parameters
    return next((name for name in NAMES if name in parameters), None)


def _last(output: Any) -> torch.Tensor:
    """Logits behind the last token of each row [rows, V]."""
    logits: torch.Tensor = output.logits[:, -1].float().cpu()
    return logits


def _plain(cache: Any) -> bool:
    """Whether a cache is keys and values in the order of the tokens alone, so that views of it are caches too."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    return type(cache) is DynamicCache and all(type(layer) is DynamicLayer for layer in cache.layers)


def _first(cache: Any, tokens: int) -> Any:
    """A cache of the first `tokens`; the given one stays as it is."""
    return _viewed(cache, lambda tensor: tensor[..., :tokens, :])


def _spread(cache: Any, rows: int) -> Any:
    """A cache of `rows` equal rows; the given one stays as it is."""
    if _plain(cache):
        # A step makes new tensors, so until then rows may share those of the prompt.
        return _viewed(cache, lambda tensor: tensor.expand(rows, -1, -1, -1))
    cache = copy.deepcopy(cache)
    cache.reorder_cache(torch.zeros(rows, dtype=torch.long))
    return cache


def _viewed(cache: Any, view: Any) -> Any:
    seen = copy.copy(cache)
    seen.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in seen.layers:
        layer.keys, layer.values = view(layer.keys), view(layer.values)
    return seen
