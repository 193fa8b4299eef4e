"""How a lesson is learned, as numbers. No torch here: the numbers travel in the journal, so that a lesson can be
repeated exactly whatever the settings are by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from theta_tui.base.errors import JournalError


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of one way of learning.

    `method` is how a correction is learned. `module` (learning/module_lesson.py): it gets weights of its own, which are
    on for the prompts in its scope; `generic` prompts that it is not about are learned beside it. `adamw`: in the
    weights that all replies share, by steps of `lr`, `beta1`, `beta2`, `eps`, `weight_decay`, clipped to a global norm
    of `clip`, embeddings frozen unless `train_embeddings`; where the model learns by LoRA, `lr` is taken times
    `lora_lr_factor` (an adapter wants about ten times the rate of the whole model: LoRA Without Regret).

    `loss` is taken over the reply and its end token, or over the whole pair. A correction is repeated until every
    reply token is the argmax by `margin` nats over the runner-up, for at most `max_steps` steps and, with adamw,
    `max_seconds` seconds (four times that while it is not the argmax at all). Up to `variants` other wordings of the
    prompt are learned beside it and, with adamw, `rehearse` past lessons. `context_tokens` is how much of the
    conversation is put in front of a second copy of the pair (0: the pair alone is trained).

    A pick gets `pick_steps` in the shared weights. It tells a taste more than a fact, so it is felt everywhere. With
    `pick_lr` every weight that is moved moves by so much against the sign of its gradient (module), or that is the `lr`
    of the step (adamw); what picks added before shrinks by the share `pick_decay` then (module). `listwise` weighs what
    the unpicked replies tell.
    """

    name: str
    method: Literal["adamw", "module"] = "adamw"
    lr: float = 3e-4
    beta1: float = 0.0
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip: float = 1.0
    loss: Literal["reply", "all"] = "reply"
    train_embeddings: bool = False
    max_steps: int = 16
    max_seconds: float = 1.0
    margin: float = 1.0
    pick_steps: int = 1
    context_tokens: int = 0
    lora_lr_factor: float = 10.0
    variants: int = 0
    rehearse: int = 0
    listwise: float = 0.0
    pick_lr: float = 0.0
    pick_decay: float = 0.0
    generic: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe of a journal record. Raises JournalError (exit 4) where this version cannot learn by it."""
        kinds: dict[str, type] = {item.name: type(item.default) for item in fields(cls)} | {"name": str}
        values = {name: value for name, value in values.items() if name not in RETIRED}
        for name, value in values.items():
            kind = kinds.get(name)
            if kind is None or not (type(value) is kind or (kind is float and type(value) is int)):
                raise JournalError(
                    f"a lesson was learned by a recipe that this Theta does not know ({name}: {str(value)[:40]}); "
                    "update Theta"
                )
        return cls(**{"name": "default"} | values)


RETIRED = frozenset(
    {"damping", "aim", "protect", "pick_share", "idle_lessons", "anchors", "anchor_weight", "idle_share"}
)
"""Numbers of natural steps, which lessons were learned by before they had weights of their own. They stand in every
recipe that was journalled then, and no other method reads them."""


def is_outdated(recipe: Mapping[str, Any]) -> bool:
    """Whether a lesson of this recipe cannot be repeated any more: it was learned by natural steps."""
    return recipe.get("method") == "natural"


RECIPES = {
    # The seed's step, exactly: one AdamW step a lesson over the whole pair. Nothing is repeated and nothing frozen.
    "classic": Recipe(
        name="classic",
        lr=1e-5,
        beta1=0.9,
        beta2=0.999,
        loss="all",
        train_embeddings=True,
        max_steps=1,
        max_seconds=60.0,
        margin=0.0,
        pick_steps=1,
        lora_lr_factor=1.0,
    ),
    # Always on, and by AdamW until it is said.
    "adamw": Recipe(
        name="adamw",
        lr=3e-4,
        beta1=0.0,
        beta2=0.999,
        margin=4.0,
        variants=2,
        rehearse=2,
        listwise=1.0,
        pick_lr=1e-4,
    ),
    # Lessons with weights and a scope of their own. Picks move the shared ones.
    "default": Recipe(
        name="default",
        method="module",
        margin=2.0,
        max_steps=24,
        variants=2,
        generic=2,
        listwise=1.0,
        pick_lr=6e-4,
        pick_decay=0.03,
    ),
}
