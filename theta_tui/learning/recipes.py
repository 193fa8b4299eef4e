"""How a lesson is learned, as numbers. No torch here: the numbers travel in the journal, so that a lesson can be
repeated exactly whatever the settings are by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from theta_tui.base.errors import JournalError

FIXED: dict[str, Any] = {
    "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "clip": 1.0, "pick_steps": 1, "context_tokens": 0,
}  # fmt: skip
"""Numbers that are the same for every recipe, and always were. They stand in the journal, and a lesson with another
value is refused.

AdamW has torch's defaults without weight decay, which would move the model where no lesson asks for it, and clips
gradients to the global norm 1. A pick gets one step: it tells a taste, and not a fact that has to be said. The pair is
learned alone: a copy of it with 64 tokens of conversation in front made a lesson 2.5 times as long and gained nothing
(of 24 lessons, all were said in two conversations too)."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of one way of learning.

    `method` is how a correction is learned. `module` (learning/module_lesson.py): in weights of its own, which are on
    for the prompts in its scope; `generic` prompts that it is not about are learned beside it, and a reply of at most
    `repeated` tokens is learned behind itself too: to a prompt that was just answered so. Its steps shrink to the share
    `back_off` whenever the loss rises: SmolLM2 never said one reply of 27 tokens without that, and takes five steps
    with it. `adamw`: in the weights
    that all replies share, by AdamW steps of rate `lr` with `beta1`, embeddings frozen unless `train_embeddings`. Where
    the model learns by LoRA, the rate is `lr` times `lora_lr_factor` (an adapter wants about ten times the rate of the
    whole model: LoRA Without Regret).

    `loss` is taken over the reply and its end token, or over the whole pair. A correction is repeated until every reply
    token is the argmax by `margin` nats over the runner-up, for at most `max_steps` steps and, with adamw,
    `max_seconds` seconds (four times that while it is not the argmax at all). Up to `variants` other wordings of the
    prompt are learned beside it and, with adamw, `rehearse` past lessons.

    A pick moves the shared weights, since it tells a taste. With `module`, every weight moves by `pick_lr` against the
    sign of its gradient, after what picks added before has shrunk by the share `pick_decay`; with `adamw`, `pick_lr` is
    the rate of its step (0: `lr` is). `listwise` weighs the preference over the replies that were not picked.
    """

    name: str
    method: Literal["adamw", "module"] = "adamw"
    lr: float = 3e-4
    beta1: float = 0.0
    loss: Literal["reply", "all"] = "reply"
    train_embeddings: bool = False
    max_steps: int = 16
    max_seconds: float = 1.0
    margin: float = 1.0
    lora_lr_factor: float = 10.0
    variants: int = 0
    rehearse: int = 0
    listwise: float = 0.0
    pick_lr: float = 0.0
    pick_decay: float = 0.0
    generic: int = 0
    back_off: float = 1.0
    repeated: int = 0

    def as_dict(self) -> dict[str, Any]:
        """What the journal keeps: all numbers, those of FIXED too."""
        return asdict(self) | FIXED

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe of a journal record. Raises JournalError (exit 4) where this version cannot learn by it."""
        kinds: dict[str, type] = {item.name: type(item.default) for item in fields(cls)} | {"name": str}
        kinds |= {name: type(value) for name, value in FIXED.items()}
        values = {name: value for name, value in values.items() if name not in RETIRED}
        for name, value in values.items():
            kind = kinds.get(name)
            known = kind is not None and (type(value) is kind or (kind is float and type(value) is int))
            if not known or value != FIXED.get(name, value):
                raise JournalError(
                    f"a lesson was learned by a recipe that this Theta does not know ({name}: {str(value)[:40]}); "
                    "update Theta"
                )
        return cls(**{"name": "default"} | {name: value for name, value in values.items() if name not in FIXED})


RETIRED = frozenset(
    {"damping", "aim", "protect", "pick_share", "idle_lessons", "anchors", "anchor_weight", "idle_share"}
)
"""Numbers of natural steps, by which lessons were learned before they had weights of their own. Every recipe that was
journalled then has them, and no other method reads them."""


def is_outdated(recipe: Mapping[str, Any]) -> bool:
    """Whether a lesson of this recipe cannot be repeated any more: it was learned by natural steps."""
    return recipe.get("method") == "natural"


RECIPES = {
    # One AdamW step over the whole pair, as plain fine-tuning takes it. Nothing is repeated and nothing is frozen.
    "classic": Recipe(
        name="classic",
        lr=1e-5,
        beta1=0.9,
        loss="all",
        train_embeddings=True,
        max_steps=1,
        max_seconds=60.0,
        margin=0.0,
        lora_lr_factor=1.0,
    ),
    # Always on, and by AdamW until it is said.
    "adamw": Recipe(name="adamw", margin=4.0, variants=2, rehearse=2, listwise=1.0, pick_lr=1e-4),
    # Lessons with weights and a scope of their own. Picks move the shared ones.
    "default": Recipe(
        name="default",
        method="module",
        margin=2.0,
        max_steps=24,
        variants=2,
        generic=2,
        back_off=0.7,
        repeated=16,
        listwise=1.0,
        pick_lr=6e-4,
        pick_decay=0.03,
    ),
}
