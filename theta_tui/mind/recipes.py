"""How a lesson is learned, as numbers. No torch here: the numbers travel in the journal, so that a lesson can be
repeated exactly whatever the settings are by then."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of one way of learning. AdamW throughout; `clip` is on the global gradient norm.

    `loss` is taken over the reply and its end token, or over the whole pair. A correction is repeated until every
    reply token is the argmax by `margin` nats over the runner-up, for at most `max_steps` steps and `max_seconds`
    seconds (twice that while it is not the argmax at all); a pick gets `pick_steps`. `context_tokens` is how much of
    the conversation is put in front of a second copy of the pair (0: the pair alone is trained). Where the model
    learns by LoRA, `lr` is taken times `lora_lr_factor`: an adapter wants about ten times the rate of the whole model
    (LoRA Without Regret).
    """

    name: str
    lr: float
    beta1: float
    beta2: float
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

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe of a journal record. Keys that this version does not know raise TypeError."""
        known = {item.name for item in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise TypeError(f"unknown recipe keys: {', '.join(sorted(unknown))}")
        return cls(**values)


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
    # On the 58 lessons of teach-bench's development suite with the stand-in, in a row, one at a time. All of them are
    # said right afterwards at every setting; P is the median P(reply) then, paraphrases the share said, damage the
    # nats a token that the foundation's answers to unrelated prompts lost by the end.
    #   lr      margin  steps (most)  P     paraphrases  damage
    #   1e-4    3       7.0 (10)      0.43  0.39         0.22
    #   2e-4    3       4.4 (8)       0.58  0.53         0.25
    #   2e-4    5       6.0 (13)      0.86  0.59         0.31
    #   3e-4    1       3.1 (5)       0.37  0.60         0.25
    #   3e-4    3       3.6 (7)       0.64  0.61         0.24
    #   3e-4    4       3.8 (7)       0.79  0.63         0.35
    #   3e-4    5       4.7 (10)      0.87  0.71         0.33
    # The larger step is the quicker one, is said under more wordings and does no more damage at the same margin, as
    # far as two orders of the lessons can tell (they differ by 0.1 nats). A copy of the pair with 64 tokens of
    # conversation in front made a lesson 2.5 times as long and gained nothing: of 24 lessons taught alone, all were
    # said in two conversations too.
    "default": Recipe(name="default", lr=3e-4, beta1=0.0, beta2=0.999, margin=4.0),
}
