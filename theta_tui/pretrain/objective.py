"""The loss of batch training: summed next-token cross-entropy over packed rows, computed for SLICE tokens at a time.

Documents in one row do not see each other: their positions restart at 0, from which Transformers builds the
block-diagonal causal mask, whatever attention the model uses.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from theta_tui.model.chat_template import IGNORE

SLICE = 1024
"""Tokens whose logits exist at a time: 1024 × 6144 in float32 are 25 MB, which fit in a processor's cache."""


class Objective(torch.nn.Module):
    """A module from a batch to the summed loss of a causal language model, for DistributedDataParallel to wrap."""

    def __init__(self, model: Any, *, compiled: bool = False) -> None:
        super().__init__()
        self.model = model
        self.head_is_linear = _head_is_linear(model)
        """Logits are just hidden states times the head's weight, so they can be computed in slices."""
        self._trunk = torch.compile(model.base_model, dynamic=False) if compiled else model.base_model

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Sum of nats over all labels that are not -100. Inputs are [rows, tokens]; labels are shifted by one here."""
        hidden, targets = self._labelled(input_ids, position_ids, labels)
        if self.head_is_linear:
            kind = hidden.device.type
            if torch.is_autocast_enabled(kind):
                # The products inside write to `out=`, which autocast does not handle.
                hidden = hidden.to(torch.get_autocast_dtype(kind))
            with torch.autocast(kind, enabled=False):
                summed: torch.Tensor = _SlicedCrossEntropy.apply(hidden, self.head, targets)
            return summed
        return functional.cross_entropy(hidden.float(), targets, reduction="sum")

    @torch.no_grad()
    def nats(self, input_ids: torch.Tensor, position_ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Nats of each token, 0 without a label. [rows, tokens], float32."""
        rows, targets = self._labelled(input_ids, position_ids, labels)
        pieces = []
        for part, target in zip(rows.split(SLICE), targets.split(SLICE), strict=True):
            logits = (part @ self.head.to(part.dtype).t() if self.head_is_linear else part).float()
            pieces.append(functional.cross_entropy(logits, target, reduction="none"))
        out = torch.zeros(labels.shape, dtype=torch.float32, device=labels.device)
        out[:, 1:][labels[:, 1:] != IGNORE] = torch.cat(pieces) if pieces else out.new_zeros(0)
        return out

    @property
    def head(self) -> torch.Tensor:
        weight: torch.Tensor = self.model.get_output_embeddings().weight
        return weight

    def _labelled(
        self, input_ids: torch.Tensor, position_ids: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(hidden states before each labelled token, or logits if the head is not linear; their labels)."""
        inputs = {"input_ids": input_ids, "position_ids": position_ids, "use_cache": False}
        output = self._trunk(**inputs).last_hidden_state if self.head_is_linear else self.model(**inputs).logits
        targets = labels[:, 1:]
        keep = targets != IGNORE
        return output[:, :-1][keep], targets[keep]


class _SlicedCrossEntropy(torch.autograd.Function):
    """Summed cross-entropy of the logits `hidden` [n, d] @ `weight` [V, d].T against `targets` [n].

    The gradient is computed with the loss, a slice at a time: logits are neither kept nor computed twice. The idea is
    from Liger Kernel and Apple's cut cross-entropy.
    """

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        matrix = weight.to(hidden.dtype)
        grad_hidden = torch.empty_like(hidden)
        # Where LoRA learns, the head does not.
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        for start in range(0, len(hidden), SLICE):
            part, target = hidden[start : start + SLICE], targets[start : start + SLICE, None]
            logits = (part @ matrix.t()).float()
            # In place: logits become softmax minus one-hot, the gradient of the summed loss.
            total += logits.logsumexp(1).sum() - logits.gather(1, target).sum()
            torch.softmax(logits, 1, out=logits)
            logits.scatter_add_(1, target, -torch.ones_like(target, dtype=torch.float32))
            delta = logits.to(hidden.dtype)
            torch.mm(delta, matrix, out=grad_hidden[start : start + SLICE])
            if grad_weight is not None:
                grad_weight += delta.t() @ part
        ctx.save_for_backward(grad_hidden, None if grad_weight is None else grad_weight.to(weight.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        parts = (None if part is None else part * grads[0].to(part.dtype) for part in ctx.saved_tensors)
        return (*parts, None)


def _head_is_linear(model: Any) -> bool:
    """Try on a few tokens whether logits are just the head's output: models that scale or cap them after the head need
    their own forward pass.

    The head's output is compared bit by bit: a cap hardly changes the small logits of an untrained model.
    """
    head = model.get_output_embeddings()
    if head is None or getattr(head, "bias", None) is not None or model.base_model is model:
        return False
    ids = torch.arange(min(8, head.weight.shape[0]), device=head.weight.device)[None]
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    hook = head.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    training = model.training
    model.eval()  # with dropout two passes would differ
    try:
        with torch.no_grad():
            hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
            logits = model(input_ids=ids, use_cache=False).logits
            if len(seen) != 1 or seen[0][0].shape != hidden.shape or hidden.shape[-1] != head.weight.shape[1]:
                return False
            [(inside, outside)] = seen
            return (
                torch.equal(outside.to(logits.dtype), logits)
                and torch.allclose(inside, hidden, rtol=1e-3, atol=1e-3)
                and torch.allclose(inside @ head.weight.t(), outside, rtol=1e-3, atol=1e-3)
            )
    finally:
        hook.remove()
        model.train(training)
