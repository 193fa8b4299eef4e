"""Decoding with the model's own forward pass and its own cache, as Transformers does it: right for every model."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from theta_tui.mind.decoding.decoder import SLICE, Reading, Start


class GeneralDecoder:
    """Reads and writes with `model`. `last_logits` are arguments that make it give the last token's logits only."""

    name = "general"
    threads = None

    def __init__(self, model: Any, last_logits: dict[str, Any]) -> None:
        self.model = model
        self.last_logits = last_logits
        self._reading = Reading(lambda: [*model.parameters()])
        self._cache: Any = None

    def prefill(self, ids: Sequence[int]) -> Start:
        start = self._reading.of(ids)
        return start if start is not None else self._read(ids)

    def warm(self, ids: Sequence[int]) -> Iterator[None]:
        # A model whose cache cannot be cut back would have to read everything again for every prompt.
        while (done := self._reading.known(ids)) < len(ids) and (done == 0 or _plain(self._cache)):
            self._read(ids[: done + SLICE])
            yield

    def branch(self, start: Start, rows: int, room: int) -> GeneralRows:
        return GeneralRows(self.model, _spread(start.cache, rows))

    def _read(self, ids: Sequence[int]) -> Start:
        known = min(self._reading.known(ids), len(ids) - 1)
        cache = _first(self._cache, known) if known and _plain(self._cache) else None
        fresh = ids[known:] if cache is not None else ids
        self._reading.took((), None)  # should the model fail, nothing is known
        # no_grad and not inference_mode: some models refresh buffers (rotary scaling) in a forward pass, and a tensor
        # that was made in inference mode would later break the backward pass of a lesson.
        with torch.no_grad():
            output = self.model(
                input_ids=torch.tensor([list(fresh)], device=self.model.device),
                past_key_values=cache,
                use_cache=True,
                **self.last_logits,
            )
        self._cache = output.past_key_values
        start = Start(len(ids), output.logits[0, -1].float().cpu(), self._cache)
        self._reading.took(ids, start)
        return start


class GeneralRows:
    """Rows in a batch of the model's own."""

    def __init__(self, model: Any, cache: Any) -> None:
        self._model = model
        self._cache = cache

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        with torch.no_grad():
            output = self._model(
                input_ids=torch.tensor([[token] for token in tokens], device=self._model.device),
                past_key_values=self._cache,
                use_cache=True,
            )
        self._cache = output.past_key_values
        return output.logits[:, -1].float().cpu()

    def keep(self, rows: Sequence[int]) -> None:
        self._cache.batch_select_indices(torch.tensor(rows, device=self._model.device))


def _plain(cache: Any) -> bool:
    """Whether a cache is nothing but keys and values in the order of the tokens, so that views of it are caches too."""
    return type(cache) is DynamicCache and all(type(layer) is DynamicLayer for layer in cache.layers)


def _first(cache: Any, tokens: int) -> Any:
    """The cache of the first `tokens`; the one that is given stays as it is."""
    return _viewed(cache, lambda tensor: tensor[..., :tokens, :])


def _spread(cache: Any, rows: int) -> Any:
    """The cache for `rows` rows; the one that is given stays as it is."""
    if _plain(cache):
        # Taking in a token makes new tensors, so rows may share the prompt's until then.
        return _viewed(cache, lambda tensor: tensor.expand(rows, -1, -1, -1))
    cache = copy.deepcopy(cache)
    if rows > 1:
        cache.batch_repeat_interleave(rows)
    return cache


def _viewed(cache: Any, view: Any) -> Any:
    seen = copy.copy(cache)
    seen.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in seen.layers:
        layer.keys, layer.values = view(layer.keys), view(layer.values)
    return seen
