"""Natural steps: each lesson is written where the foundation and the earlier lessons do not look.

`precision` is, for each module that is moved, the inverse of its damped input covariance: the foundation's at first
(mind/curvature.py), to which every lesson adds what went into the module while it was said. A later lesson then hardly
moves what an earlier one rests on. That is recursive least squares, which is how orthogonal weight modification
(Zeng et al. 2019) keeps earlier tasks; here its prior is the foundation's own curvature, as in MEMIT (Meng et al.
2023). No past lesson has to be rehearsed for it.

A pick is another thing: not a fact to be said to one prompt, but a taste that should be felt at others. Its step goes
against the sign of the gradient, as far in every weight (Bernstein et al. 2018), so it is felt where a natural step
would not be; only what earlier lessons rest on is left out of it.

In a natural step the gradient of a weight is never formed. With g the gradients of what came out and x what went in,
token by token, G = gᵀx, and the step B⁻¹ G A⁻¹ = (g B⁻¹)ᵀ (x A⁻¹) is of the rank of the tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from theta_tui.mind.curvature import Curvature, panels, sizes, targets
from theta_tui.mind.model_files import weight_files

if TYPE_CHECKING:
    from theta_tui.mind.language_model import LanguageModel
    from theta_tui.mind.passes import Felt
    from theta_tui.mind.recipes import Recipe


FIELDS = ("precision", "leaning")
"""What there is of a state, beside the weights."""


class Natural:
    """Moves the modules that `curvature` speaks of. The tensors in `precision` and `leaning` are replaced, never
    written to, so a mapping of them is a snapshot."""

    def __init__(self, lm: LanguageModel, source: Callable[[], Curvature]) -> None:
        """`source` is asked once, before the first lesson: measuring a new model's curvature takes a while."""
        self.lm = lm
        self.modules = targets(lm)
        """Empty where the model is not built for it."""
        self._source = source
        self.precision: dict[str, torch.Tensor] = {}
        self.leaning: dict[str, torch.Tensor] = {}
        """What picks have added to each weight, in float32: it is meant to be felt everywhere, so it is no drift that
        idle time takes back."""
        self._outputs: dict[str, torch.Tensor] = {}
        self._damping: float | None = None
        self._foundation: dict[str, torch.Tensor] | None = None
        self._reference: dict[str, torch.Tensor] | None = None
        self._anchors: tuple[tuple[int, ...], ...] | None = None
        self._curvature: Curvature | None = None
        self._reach: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None

    @property
    def weights(self) -> list[str]:
        """The names of the parameters that a step moves."""
        return [f"{name}.weight" for name in self.modules]

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

    def step(self, decrease: float, felt: Felt) -> float:
        """Move by the step of which, to first order, the loss falls by `decrease` nats, and return its squared length
        per nat (not finite, or not positive: nothing was moved). `felt` is of the loss."""
        low_rank: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        slope = torch.zeros((), device=self.lm.device)
        for name in self.modules:
            g, x = felt[name]
            left, right = g @ self._outputs[name], self._reached(name, x)
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

    def protect(self, inputs: Mapping[str, torch.Tensor], weight: float) -> None:
        """From here on, steps hardly change what comes of these inputs [tokens, in] (Woodbury's identity)."""
        assert self._curvature is not None, "prepare() comes first"
        with torch.no_grad():
            for name in self.modules:
                unit = max(self._curvature.means[name][0], 1e-12)
                scale = math.sqrt(weight / unit)
                x, reach = inputs[name] * scale, self._reached(name, inputs[name]).T * scale
                # As many equations as tokens, and close to singular where tokens recur: worth the double precision.
                inner = (x @ reach).double() + torch.eye(len(x), device=x.device, dtype=torch.float64)
                root = torch.linalg.solve_triangular(
                    torch.linalg.cholesky(inner), reach.T.double(), upper=False
                ).float()
                self.precision[name] = _less_square(self.precision[name], root)
        self._reach = None

    def _reached(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """x times the precision of a module. What goes into the first module is the same all lesson long."""
        precision = self.precision[name]
        if self._reach is not None and self._reach[0] is x and self._reach[1] is precision:
            return self._reach[2]
        found = x @ precision
        if name == next(iter(self.modules)):
            self._reach = x, precision, found
        return found

    def nudge(self, rate: float, decay: float, felt: Felt) -> bool:
        """Move every weight by about `rate` against the sign of its gradient, but not what comes of the inputs that are
        protected, if any are; the share `decay` of what earlier picks added goes. False where something is not finite;
        nothing was moved then."""
        steps: dict[str, torch.Tensor] = {}
        for name in self.modules:
            g, x = felt[name]
            slope = g.T @ x
            if not bool(torch.isfinite(slope).all()):  # here and not below: what is no number has the sign 0
                return False
            sign = slope.sign()
            if not self.precision:
                steps[name] = sign
                continue
            assert self._curvature is not None, "prepare() comes first"
            assert self._damping is not None
            # (A + damping) P is the identity but for what was protected since P was its inverse.
            ground = self._curvature.inputs[name].to(self.lm.device)
            steps[name] = (sign @ ground + self._damping * sign) @ self.precision[name]
        with torch.no_grad():
            for name, module in self.modules.items():
                weight: Any = module.weight
                step = -rate * (steps[name] if weight.shape == steps[name].shape else steps[name].T)
                before = self.leaning.get(name)
                if before is not None:
                    step -= decay * before
                weight.add_(step.to(weight.dtype))
                self.leaning[name] = (step if before is None else before + step).contiguous()
        self._reference = None
        return True

    @contextmanager
    def reference(self) -> Iterator[None]:
        """While it lasts the model is its foundation with what picks taught, and no lesson."""
        if self._reference is None:
            self._reference = {
                name: (weight + self.leaning[name].cpu() if name in self.leaning else weight)
                .to(self.modules[name].weight.dtype)
                .to(self.lm.device)
                for name, weight in self._untaught().items()
            }
        own = {name: self.modules[name].weight.data for name in self._reference}
        try:
            for name, weight in self._reference.items():
                self.modules[name].weight.data = weight
            yield
        finally:
            for name, weight in own.items():
                self.modules[name].weight.data = weight

    @property
    def anchors(self) -> tuple[tuple[int, ...], ...]:
        """Exchanges (token ids) that lessons should leave as they were, shortest first."""
        assert self._curvature is not None, "prepare() comes first"
        if self._anchors is None:
            self._anchors = tuple(sorted(self._curvature.exchanges, key=len))
        return self._anchors if len(self._untaught()) == len(self.modules) else ()

    def drift(self) -> float | None:
        """About how far the model is from its foundation: KL(foundation ‖ now) in nats a token, to second order and
        layer by layer, on what the curvature was measured on. None before the first natural step."""
        if self._curvature is None or not self.precision:
            return None
        total = 0.0
        for name, weight in self._untaught().items():
            change = self.modules[name].weight.detach().cpu().float() - weight
            size = self._curvature.outputs[name].shape[0]
            total += self._curvature.cost(name, change if change.shape[0] == size else change.T)
        return total

    def _untaught(self) -> dict[str, torch.Tensor]:
        if self._foundation is None:
            self._foundation = self._stored()
        return self._foundation

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
        """All that steps go by, by `precision.` and `leaning.` with the name of a module."""
        return {
            f"{field}.{name}": tensor
            for field, part in (("precision", self.precision), ("leaning", self.leaning))
            for name, tensor in part.items()
        }

    def fits(self, state: Mapping[str, torch.Tensor]) -> bool:
        """Whether `state` is of this model's modules: all of them, or none, in each of its fields."""
        wide = sizes(self.modules)
        shapes = {
            "precision": {name: (size, size) for name, (size, _) in wide.items()},
            "leaning": {name: tuple(module.weight.shape) for name, module in self.modules.items()},
        }
        held = {
            field: {name: tuple(tensor.shape) for name, tensor in part.items()}
            for field, part in _fields(state).items()
        }
        return all(part in ({}, shapes[field]) for field, part in held.items())

    def take(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from a `state` of before."""
        fields = _fields({key: tensor.to(self.lm.device) for key, tensor in state.items()})
        self.precision, self.leaning = fields["precision"], fields["leaning"]
        self._reference = None


def _fields(state: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    found: dict[str, dict[str, torch.Tensor]] = {field: {} for field in FIELDS}
    for key, tensor in state.items():
        field, _, name = key.partition(".")
        found[field][name] = tensor
    return found


def _less_square(matrix: torch.Tensor, root: torch.Tensor) -> torch.Tensor:
    """A symmetric matrix less rootᵀ root, of which only what lies on and above the diagonal is computed."""
    found = torch.empty_like(matrix, memory_format=torch.contiguous_format)
    for above, columns in panels(len(matrix)):
        end = columns.stop
        torch.addmm(matrix[:end, columns], root[:, :end].T, root[:, columns], alpha=-1, out=found[:end, columns])
        found[columns, above] = found[above, columns].T
    return found


def _inverse(matrix: torch.Tensor, damping: float) -> torch.Tensor:
    """Of a matrix with mean diagonal 1, damped. In double precision, once a start."""
    damped = matrix.double() + damping * torch.eye(len(matrix), dtype=torch.float64)
    # By rows, as a checkpoint has it: a product with a matrix held by columns rounds differently.
    return torch.cholesky_inverse(torch.linalg.cholesky(damped)).float().contiguous()
