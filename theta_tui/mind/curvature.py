"""What the foundation's weights are used for, measured once: the ground that a natural step is taken on.

A step along the plain gradient moves a weight as far for what only the lesson needs as for what every sentence needs.
For a linear layer y = W x the change ΔW costs the foundation about

    KL ≈ ½ tr(B ΔW A ΔWᵀ),     A = E[x xᵀ],  B = E[g gᵀ],  g = ∂(−log p)/∂y

(the Kronecker-factored Fisher information: Martens & Grosse 2015, K-FAC). The step that buys the most of a lesson for
the least of that is B⁻¹ G A⁻¹: the lesson is written where the foundation does not look. A and B are taken over
exchanges that the model writes itself, both sides, so that no text has to be shipped or found; the built-in model
brings its own, measured on conversations too.

Only the projections back into the residual stream are moved (the last linear layer of each block's MLP), and only in
the later blocks: they act as a memory of key and value (Geva et al. 2021), and moving more of the model taught no
better and cost more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file

from theta_tui.errors import HomeError, ModelError
from theta_tui.home import write_atomically
from theta_tui.mind.candidates import Sampling, probabilities

if TYPE_CHECKING:
    from theta_tui.mind.language_model import LanguageModel

FILE = "curvature.safetensors"
"""Its name in a model folder that brings its own."""

UNTOUCHED = 0.3
"""The share of the blocks, from the bottom, that lessons leave as they are: 2 of the built-in model's 7."""

LEAST_INPUTS = 512
"""Directions that a module needs: a lesson takes a hundred of them, and in fewer there is no room beside the rest."""

LENGTHS, EXCHANGED = "exchanges.lengths", "exchanges.tokens"
"""Keys of the file beside those of the matrices."""

MOST_BYTES = 1 << 30
"""Memory that the input covariances may take; larger models learn by AdamW (and LoRA) instead."""

EXCHANGES = 256
"""Exchanges that a model writes to be measured on."""


@dataclass(frozen=True, slots=True)
class Curvature:
    """By module name: `inputs` A [in, in] and `outputs` B [out, out], float32, each scaled to a mean diagonal of 1.

    `means` are the two mean diagonals that were divided by: the scale of an input, and with the other that of a drift.
    `exchanges` (token ids) is what the foundation says when nobody asks: what lessons should leave as it was.
    """

    inputs: Mapping[str, torch.Tensor]
    outputs: Mapping[str, torch.Tensor]
    means: Mapping[str, tuple[float, float]]
    exchanges: tuple[tuple[int, ...], ...] = ()

    def cost(self, name: str, change: torch.Tensor) -> float:
        """About the nats a token, KL(foundation ‖ changed), of changing a module's weight [out, in] by `change`."""
        moved, inputs, total = self.outputs[name] @ change, self.inputs[name], 0.0
        # tr(ΔᵀBΔ A), both symmetric: what lies above the diagonal counts twice.
        for above, columns in panels(inputs.shape[0]):
            shares = (change[:, : columns.stop].T @ moved[:, columns]) * inputs[: columns.stop, columns]
            total += 2 * float(shares[above].sum()) + float(shares[columns].sum())
        return 0.5 * math.prod(self.means[name]) * total


def panels(size: int, count: int = 4) -> Iterator[tuple[slice, slice]]:
    """A symmetric matrix in panels of columns, each with the rows above its block on the diagonal: five eighths of the
    matrix hold all that it says."""
    width = -(-size // count)
    for start in range(0, size, width):
        yield slice(0, start), slice(start, min(start + width, size))


def targets(lm: LanguageModel) -> dict[str, Any]:
    """The modules that lessons move, by name: empty where the model is not built that way, or is too large."""
    if lm.adapter is not None:
        return {}
    blocks = max(
        (module for module in lm.model.modules() if isinstance(module, torch.nn.ModuleList)), key=len, default=()
    )
    names = {id(module): name for name, module in lm.model.named_modules()}
    hidden = lm.model.config.get_text_config().hidden_size
    found: dict[str, Any] = {}
    for block in list(blocks)[math.floor(UNTOUCHED * len(blocks)) :]:
        back = [
            (size[0], module)
            for module in block.modules()
            if (size := linear_size(module)) and size[1] == hidden < size[0] >= LEAST_INPUTS
        ]
        # Of several the widest: attention may come back from more than the hidden size too. Experts are all alike.
        widest = max((size for size, _ in back), default=0)
        if [size for size, _ in back].count(widest) != 1:
            return {}
        module = next(module for size, module in back if size == widest)
        found[names[id(module)]] = module
    needed = sum(4 * inputs**2 for inputs, _ in sizes(found).values())
    return found if needed <= MOST_BYTES else {}


def sizes(modules: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """(in, out) of linear layers, by name."""
    return {name: size for name, module in modules.items() if (size := linear_size(module))}


def linear_size(module: Any) -> tuple[int, int] | None:
    """(in, out) of a linear layer; None for anything else."""
    if isinstance(module, torch.nn.Linear):
        return module.in_features, module.out_features
    if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):  # GPT-2's: the weight is [in, out]
        return int(module.weight.shape[0]), int(module.nf)
    return None


@contextmanager
def watching(
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


# --- measuring ---


def measure(
    lm: LanguageModel,
    exchanges: Iterable[Sequence[int]],
    *,
    seed: int = 0,
    batch: int = 16,
    own: int | None = None,
    told: Callable[[int], None],
) -> Curvature:
    """Over `exchanges` (token ids, templates included), of which the first `own` (None: all) are the model's own and
    kept. `told` hears how many are done. The labels are drawn from the model's own distribution, which is what makes B
    the Fisher information and not the spread of one corpus."""
    said = tuple(tuple(row) for row in exchanges)
    modules = targets(lm)
    a = {name: torch.zeros(size, size) for name, (size, _) in sizes(modules).items()}
    b = {name: torch.zeros(size, size) for name, (_, size) in sizes(modules).items()}
    rows = sorted(said, key=len)
    generator = torch.Generator().manual_seed(seed)
    inputs: dict[str, torch.Tensor] = {}
    gradients: dict[str, torch.Tensor] = {}
    frozen = [parameter for parameter in lm.model.parameters() if parameter.requires_grad]
    try:
        for parameter in frozen:
            parameter.requires_grad_(False)
        with watching(modules, inputs, gradients):
            for start in range(0, len(rows), batch):
                ids, real = padded(rows[start : start + batch])
                logits = lm.model(input_ids=ids.to(lm.device), use_cache=False).logits[real.to(lm.device)].float()
                drawn = torch.multinomial(logits.detach().cpu().softmax(-1), 1, generator=generator)[:, 0]
                torch.nn.functional.cross_entropy(logits, drawn.to(lm.device), reduction="sum").backward()
                for name in modules:
                    x, g = inputs[name].cpu()[real].float(), gradients[name].cpu()[real].float()
                    a[name] += x.T @ x
                    b[name] += g.T @ g
                told(min(len(rows), start + batch))
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
    count = sum(map(len, rows))
    means = {name: (_mean(a[name]) / count, _mean(b[name]) / count) for name in modules}
    inputs, gradients = ({name: _scaled(value) for name, value in part.items()} for part in (a, b))
    # Rounded as on disk: a lesson must not differ with whether there was room to keep what was measured.
    return _unpacked(_packed(Curvature(inputs, gradients, means, said[:own])), "what was measured")


def padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of token ids as one batch, padded behind, and which tokens are real: [batch, tokens] both. Behind a causal
    model's rows any padding will do."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    return ids, torch.tensor([[True] * len(row) + [False] * (longest - len(row)) for row in rows])


def _mean(matrix: torch.Tensor) -> float:
    return float(matrix.diagonal().mean())


def _scaled(matrix: torch.Tensor) -> torch.Tensor:
    """To a mean diagonal of 1; a module that nothing came through is taken as equally used all over."""
    mean = _mean(matrix)
    return matrix / mean if math.isfinite(mean) and mean > 0 else torch.eye(len(matrix))


def own_exchanges(lm: LanguageModel, count: int, *, seed: int = 0, batch: int = 64, most: int = 24) -> list[list[int]]:
    """`count` single exchanges that the model writes itself, as token ids: what a user might say is sampled, the
    reply is greedy. All rows of a batch go in step, so nothing is padded."""
    generator = torch.Generator().manual_seed(seed)
    sampling = Sampling(temperature=1.0, top_p=1.0, top_k=0, min_p=0.02, max_tokens=most)
    one, other = (lm.encode_prompt((), text, room=8).ids for text in ("a", "b"))
    opening = one[: next((at for at, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), len(one) - 1)]
    tail = next((at for at in range(1, len(one)) if one[-at] != other[-at]), 1) - 1
    handover = one[len(one) - tail :] if tail else []
    stops = lm.end_ids | lm.chat.control_ids | set(handover[:1])
    found: list[list[int]] = []
    while len(found) < count:
        rows = [list(opening) for _ in range(min(batch, count - len(found)))]
        due: list[list[int]] = [[] for _ in rows]
        said, replied = [0] * len(rows), [-1] * len(rows)
        steps = 2 * most + len(handover) + 1
        start = lm.decoder.prefill(opening)
        writing = lm.decoder.branch(start, len(rows), steps)
        logits = start.logits.expand(len(rows), -1)
        for step in range(steps):
            if step:
                logits = writing.step([row[-1] for row in rows])
            drawn = torch.multinomial(probabilities(logits, sampling), 1, generator=generator)[:, 0].tolist()
            best = logits.argmax(-1).tolist()
            for at, row in enumerate(rows):
                if replied[at] < 0 and not due[at]:
                    # Still the user's turn: it ends where the model hands over, or is long enough.
                    if said[at] and (drawn[at] in stops or said[at] >= most):
                        due[at] = list(handover)
                        replied[at] = 0
                    else:
                        row.append(drawn[at] if drawn[at] not in stops else best[at])
                        said[at] += 1
                        continue
                if due[at]:
                    row.append(due[at].pop(0))
                elif row[-1] not in lm.end_ids or not replied[at]:
                    row.append(best[at])
                    replied[at] += 1
                else:
                    row.append(row[-1])
        found += [_until_end(row, len(opening), lm.end_ids) for row in rows]
    return found


def _until_end(row: list[int], start: int, ends: frozenset[int]) -> list[int]:
    """A row without what was repeated behind its end."""
    while len(row) > start + 2 and row[-1] in ends and row[-2] == row[-1]:
        row = row[:-1]
    return row


# --- on disk ---


def load_or_measure(
    lm: LanguageModel,
    cache: Path | None,
    foundation: Callable[[], LanguageModel],
    on_stage: Callable[[str], None] = lambda _: None,
) -> Curvature:
    """What the folder of `lm` brings, what `cache` holds, or else the `foundation` is measured now and kept there."""
    wanted = sizes(targets(lm))
    for path in (lm.folder / FILE, *([cache] if cache else [])):
        if (kept := _usable(path, lm, wanted)) is not None:
            return kept
    on_stage("getting to know the model, once")
    untaught = foundation()
    rows = own_exchanges(untaught, EXCHANGES)

    def told(done: int) -> None:
        on_stage(f"getting to know the model, once: {done} of {len(rows)}")

    found = measure(untaught, rows, told=told)
    if cache is not None:
        with suppress(OSError, HomeError):
            cache.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(cache, save(_packed(found)))
    return found


def _usable(path: Path, lm: LanguageModel, wanted: Mapping[str, tuple[int, int]]) -> Curvature | None:
    """What lies at `path`, if it is whole and of modules of these sizes."""
    if not path.is_file() or path.is_symlink():
        return None
    try:
        found = read(path)
    except ModelError:
        return None
    held = {name: (len(found.inputs[name]), len(found.outputs[name])) for name in found.inputs}
    tokens = lm.model.config.get_text_config().vocab_size
    in_reach = all(token < tokens for row in found.exchanges for token in row)
    return found if held == wanted and in_reach and _definite(found) else None


def _definite(curvature: Curvature) -> bool:
    """Whether it is one at all: a damaged file may hold finite numbers."""
    return all(
        int(torch.linalg.cholesky_ex(matrix + 0.05 * torch.eye(len(matrix))).info) == 0
        for part in (curvature.inputs, curvature.outputs)
        for matrix in part.values()
    )


def write(curvature: Curvature, path: Path) -> None:
    save_file(_packed(curvature), str(path))


def read(path: Path) -> Curvature:
    """Raises ModelError where the file is damaged."""
    try:
        with safe_open(str(path), framework="pt") as stored:
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read ({error})") from None
    return _unpacked(tensors, str(path))


def _packed(curvature: Curvature) -> dict[str, torch.Tensor]:
    """The upper triangles in float16: the damping is a hundred times their rounding."""
    tensors: dict[str, torch.Tensor] = {}
    for kind, part in (("inputs", curvature.inputs), ("outputs", curvature.outputs)):
        for name, matrix in part.items():
            rows, columns = torch.triu_indices(*matrix.shape)
            tensors[f"{kind}.{name}"] = matrix[rows, columns].to(torch.float16).contiguous()
    tensors[LENGTHS] = torch.tensor([len(row) for row in curvature.exchanges], dtype=torch.int32)
    tensors[EXCHANGED] = torch.tensor([token for row in curvature.exchanges for token in row], dtype=torch.int32)
    return tensors | {f"means.{name}": torch.tensor(means) for name, means in curvature.means.items()}


def _unpacked(tensors: Mapping[str, torch.Tensor], source: str) -> Curvature:
    parts: dict[str, dict[str, torch.Tensor]] = {"inputs": {}, "outputs": {}}
    means: dict[str, tuple[float, float]] = {}
    exchanges = _exchanges(tensors, source)
    for key, tensor in tensors.items():
        if key in (LENGTHS, EXCHANGED):
            continue
        kind, _, name = key.partition(".")
        packed = tensor.float().flatten()
        if not torch.isfinite(packed).all():
            raise ModelError(f"{source} is damaged ({key})")
        if kind == "means" and len(packed) == 2 and packed.min() >= 0:
            means[name] = float(packed[0]), float(packed[1])
            continue
        size = (math.isqrt(8 * len(packed) + 1) - 1) // 2
        if kind not in parts or size * (size + 1) // 2 != len(packed):
            raise ModelError(f"{source} is damaged ({key})")
        matrix = torch.zeros(size, size)
        rows, columns = torch.triu_indices(size, size)
        matrix[rows, columns] = packed
        matrix[columns, rows] = packed
        parts[kind][name] = matrix
    if not set(parts["inputs"]) == set(parts["outputs"]) == set(means):
        raise ModelError(f"{source} is damaged (a part is missing)")
    return Curvature(parts["inputs"], parts["outputs"], means, exchanges)


def _exchanges(tensors: Mapping[str, torch.Tensor], source: str) -> tuple[tuple[int, ...], ...]:
    if not tensors.keys() >= {LENGTHS, EXCHANGED}:
        raise ModelError(f"{source} is damaged (what the model says is missing)")
    lengths, tokens = tensors[LENGTHS].flatten(), tensors[EXCHANGED].flatten()
    if (lengths < 1).any() or (tokens < 0).any() or int(lengths.sum()) != len(tokens):
        raise ModelError(f"{source} is damaged (what the model says)")
    return tuple(tuple(row.tolist()) for row in tokens.split(lengths.tolist()))
