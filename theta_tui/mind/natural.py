"""Natural steps: each lesson is written where the foundation and the earlier lessons do not look.

`precision` is, for each module that is moved, the inverse of its damped input covariance: the foundation's at first
(mind/curvature.py), to which every lesson adds what went into the module while it was said. A later lesson then hardly
moves what an earlier one rests on. That is recursive least squares, which is how orthogonal weight modification
(Zeng et al. 2019) keeps earlier tasks; here its prior is the foundation's own curvature, as in MEMIT (Meng et al.
2023). No past lesson has to be rehearsed for it.

The gradient of a weight is never formed. With g the gradients of what came out and x what went in, token by token,
G = gᵀx, and the step B⁻¹ G A⁻¹ = (g B⁻¹)ᵀ (x A⁻¹) is of the rank of the tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from theta_tui.mind.curvature import Curvature, sizes, targets, watching
from theta_tui.mind.model_files import weight_files

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from theta_tui.mind.language_model import LanguageModel
    from theta_tui.mind.recipes import Recipe


class Natural:
    """Moves the modules that `curvature` speaks of. The tensors in `precision` are replaced, never written to, so a
    mapping of them is a snapshot."""

    def __init__(self, lm: LanguageModel, source: Callable[[], Curvature]) -> None:
        """`source` is asked once, before the first lesson: measuring a new model's curvature takes a while."""
        self.lm = lm
        self.modules = targets(lm)
        """Empty where the model is not built for it."""
        self._source = source
        self.precision: dict[str, torch.Tensor] = {}
        self._outputs: dict[str, torch.Tensor] = {}
        self._damping: float | None = None
        self._foundation: dict[str, torch.Tensor] | None = None
        self._curvature: Curvature | None = None
        self._inputs_seen: dict[str, torch.Tensor] = {}
        self._gradients: dict[str, torch.Tensor] = {}

    @property
    def weights(self) -> list[str]:
        """The names of the parameters that a step moves."""
        return [f"{name}.weight" for name in self.modules]

    def watching(self) -> AbstractContextManager[None]:
        """Forward and backward passes inside of it are what `step` and `protect` go by."""
        self._inputs_seen.clear()
        self._gradients.clear()
        return watching(self.modules, self._inputs_seen, self._gradients)

    def prepare(self, recipe: Recipe) -> None:
        """The inverses of the damped curvature, where they are not at hand yet."""
        if self._curvature is None:
            self._curvature = self._source()
        if not self.precision:
            self.precision = {
                name: _inverse(matrix, recipe.damping).to(self.lm.device)
                for name, matrix in self._curvature.inputs.items()
            }
        if self._damping != recipe.damping:
            self._damping = recipe.damping
            self._outputs = {
                name: _inverse(matrix, recipe.damping).to(self.lm.device)
                for name, matrix in self._curvature.outputs.items()
            }

    def step(self, decrease: float, real: torch.Tensor) -> float:
        """Move by the step of which, to first order, the loss falls by `decrease` nats, and return its squared length
        per nat (not finite, or not positive: nothing was moved). `real` [batch, tokens] tells tokens from padding.
        Comes after a backward pass of the loss."""
        low_rank: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        slope = torch.zeros((), device=self.lm.device)
        for name in self.modules:
            g, x = self._gradients[name][real].float(), self._inputs_seen[name][real].float()
            felt = ~(g == 0).all(1)  # what is not a number stays, and is told by the size
            g, x = g[felt], x[felt]
            left, right = g @ self._outputs[name], x @ self.precision[name]
            slope += ((g @ left.T) * (x @ right.T)).sum()
            low_rank[name] = left, right
        size = float(slope)
        if not math.isfinite(size) or size <= 0:
            return size
        with torch.no_grad():
            for name, module in self.modules.items():
                left, right = low_rank[name]
                weight: Any = module.weight
                one, other = (left, right) if weight.shape[0] == left.shape[1] else (right, left)
                weight.addmm_(one.T.to(weight.dtype), other.to(weight.dtype), alpha=-decrease / size)
        return size

    def protect(self, real: torch.Tensor, weight: float) -> None:
        """From here on, steps hardly change what comes of the inputs of the last forward pass (Woodbury's identity)."""
        assert self._curvature is not None, "prepare() comes first"
        with torch.no_grad():
            for name in self.modules:
                unit = max(self._curvature.means[name][0], 1e-12)
                x = self._inputs_seen[name][real].float() * math.sqrt(weight / unit)
                old = self.precision[name]
                reach = old @ x.T
                # As many equations as tokens, and close to singular where tokens recur: worth the double precision.
                inner = (x @ reach).double() + torch.eye(len(x), device=x.device, dtype=torch.float64)
                root = torch.linalg.solve_triangular(
                    torch.linalg.cholesky(inner), reach.T.double(), upper=False
                ).float()
                self.precision[name] = (old - root.T @ root).contiguous()
        self._inputs_seen.clear()
        self._gradients.clear()

    def drift(self) -> float | None:
        """About how far the model is from its foundation: KL(foundation ‖ now) in nats a token, to second order and
        layer by layer, on what the curvature was measured on. None before the first natural step."""
        if self._curvature is None or not self.precision:
            return None
        if self._foundation is None:
            self._foundation = self._stored()
        total = 0.0
        for name, weight in self._foundation.items():
            change = self.modules[name].weight.detach().cpu().float() - weight
            size = self._curvature.outputs[name].shape[0]
            total += self._curvature.cost(name, change if change.shape[0] == size else change.T)
        return total

    def _stored(self) -> dict[str, torch.Tensor]:
        """The foundation's own weights of the modules, from its folder; what is not found there is left out."""
        found: dict[str, torch.Tensor] = {}
        for path in weight_files(self.lm.folder):
            with safe_open(str(path), framework="pt") as stored:
                names = set(stored.keys())
                for name in self.modules:
                    # A model with a head may store its body's tensors without the body's name in front.
                    for key in (f"{name}.weight", f"{name.partition('.')[2]}.weight"):
                        if key in names and name not in found:
                            found[name] = stored.get_tensor(key).to(self.modules[name].weight.dtype).float()
        return found

    def state(self) -> dict[str, torch.Tensor]:
        return {f"precision.{name}": matrix for name, matrix in self.precision.items()}

    def fits(self, precision: Mapping[str, torch.Tensor]) -> bool:
        """Whether `precision` is of this model's modules."""
        held = {name: tuple(matrix.shape) for name, matrix in precision.items()}
        return held == {name: (size, size) for name, (size, _) in sizes(self.modules).items()}

    def take(self, precision: Mapping[str, torch.Tensor]) -> None:
        """Go on from a `precision` of before."""
        self.precision = {name: matrix.to(self.lm.device) for name, matrix in precision.items()}


def _inverse(matrix: torch.Tensor, damping: float) -> torch.Tensor:
    """Of a matrix with mean diagonal 1, damped. In double precision, once a start."""
    damped = matrix.double() + damping * torch.eye(len(matrix), dtype=torch.float64)
    # By rows, as a checkpoint has it: a product with a matrix held by columns rounds differently.
    return torch.cholesky_inverse(torch.linalg.cholesky(damped)).float().contiguous()
