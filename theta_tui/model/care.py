"""Care modules: what a model says where a message speaks of self-harm (facts/self_harm.py).

A module is a lesson's in form, but it was trained on thousands of replies (builtin/care.py), so that a model samples
from it, and it belongs to no lesson. Each one in assets/care was trained for one model; whether it fits another with
states of the same size, such as the same model in four bits, is tried on pairs that stand beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from theta_tui.base.files import assets_dir
from theta_tui.model.modules import LessonModule, modules_of, tensors_of

if TYPE_CHECKING:
    from theta_tui.model.language_model import LanguageModel

MOST_NATS = 0.5
"""A module fits where the pairs beside it cost at most this much a token. On kept-back pairs the built-in model has
0.15, most of which is the choice between the sentences."""

Pairs = Sequence[tuple[str, str]]


def write(path: Path, module: LessonModule, pairs: Pairs) -> None:
    """Write a module in 16 bits, with (message, reply) pairs to try it on."""
    import torch
    from safetensors.torch import save_file

    halves = {name: part.to(torch.float16).contiguous() for name, part in tensors_of({0: module}).items()}
    save_file(halves, path, {"pairs": json.dumps(list(pairs))})


def fitting(lm: LanguageModel) -> LessonModule | None:
    """The module for `lm`; None where none was trained that it can use."""
    size = int(lm.model.get_output_embeddings().weight.shape[1])
    for module, pairs in _shipped(size, lm.device):
        if _nats(lm, module, pairs) <= MOST_NATS:
            return module
    return None


def _shipped(size: int, device: str) -> Iterator[tuple[LessonModule, Pairs]]:
    """The modules of models whose states have `size` numbers."""
    from safetensors import SafetensorError, safe_open

    for path in sorted((assets_dir() / "care").glob("*.safetensors")):
        try:
            with safe_open(path, "pt") as held:
                tensors = {name.removeprefix("module."): held.get_tensor(name).float() for name in held.keys()}  # noqa: SIM118
                pairs = json.loads(held.metadata()["pairs"])
            found = modules_of({name: part.to(device) for name, part in tensors.items()}, size)
        except (OSError, SafetensorError, KeyError, ValueError):
            continue
        yield found[0], pairs


def _nats(lm: LanguageModel, module: LessonModule, pairs: Pairs) -> float:
    """The mean loss of the pairs' replies with the module on, in nats a token."""
    import torch
    from torch.nn import functional

    from theta_tui.model.modules import attached, blocks_of

    total, count = 0.0, 0
    for prompt, reply in pairs:
        example = lm.encode_lesson((), prompt, reply)
        labels = torch.tensor(example.labels, device=lm.device)[1:]
        on = torch.cat((labels, labels.new_tensor([-100])))[None] != -100
        with torch.no_grad(), attached(blocks_of(lm.model), [module], on):
            logits = lm.model(input_ids=torch.tensor([example.input_ids], device=lm.device), use_cache=False).logits[0]
        total += float(functional.cross_entropy(logits[:-1].float(), labels, reduction="sum", ignore_index=-100))
        count += int((labels != -100).sum())
    return total / count
