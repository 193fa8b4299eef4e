"""A home that the version before wrote, which learned by natural steps."""

from __future__ import annotations

from typing import Any

import torch

from theta_tui.base.config import Settings
from theta_tui.learning import checkpoint
from theta_tui.learning.learner import Learner
from theta_tui.model.files import fingerprint, full_name
from theta_tui.model.language_model import LanguageModel
from theta_tui.store.codec import encode, plain_fields
from theta_tui.store.home import Home
from theta_tui.store.journal import Journal
from theta_tui.store.records import (
    Asked,
    Begin,
    Candidate,
    Consolidated,
    Exchange,
    Finding,
    Kind,
    Learned,
    Outcome,
    Record,
    Withdraw,
)

NATURAL: dict[str, Any] = {
    "name": "default", "method": "natural", "lr": 3e-4, "beta1": 0.0, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0,
    "clip": 1.0, "loss": "reply", "train_embeddings": False, "max_steps": 12, "max_seconds": 1.0, "margin": 3.0,
    "pick_steps": 1, "context_tokens": 0, "lora_lr_factor": 10.0, "damping": 0.1, "aim": 0.02, "protect": 0.01,
    "variants": 4, "rehearse": 0, "pick_share": 1.0, "listwise": 1.0, "pick_lr": 6e-4, "pick_decay": 0.03,
    "idle_lessons": 2, "anchors": 2, "anchor_weight": 10.0, "idle_share": 0.5,
}  # fmt: skip
"""The recipe that was the default, as it stands in a journal."""
ADAMW = NATURAL | {"name": "adamw", "method": "adamw", "margin": 4.0, "variants": 2, "rehearse": 2, "pick_lr": 1e-4}
DOG, TOWN, PICK = ("What is my dog's name?", "Pixel"), ("Where is Orlebar?", "by the river"), ("hello", "my friend")


def lesson(
    seq: int, number: int, pair: tuple[str, str], kind: Kind = "correction", recipe: dict[str, Any] = NATURAL
) -> list[Record]:
    """Two records, the first with `seq`: what was taught, and what came of it."""
    offered = (Candidate(1, pair[1], -2.0), Candidate(2, "no maybe", -3.0)) if kind == "pick" else ()
    said = Exchange(kind, *pair, offered, recipe, pick=1 if kind == "pick" else None, prompt_id=f"id{seq}")
    outcome = Outcome(number, kind, *pair, 4.0, 0.1, 0.01, 0.9, 2, 2 * number, True, 0.5, (4.0, 1.0, 0.1))
    drifted: Any = plain_fields(outcome) | {"drift": 0.003}
    return [said, Learned(seq, drifted, "torch 2.13.0 on this machine")]


def write(settings: Settings, *records: Record) -> Home:
    """A home with these records after its beginning."""
    settings.home.mkdir(mode=0o700)
    home = Home(settings.home)
    begin = Begin(full_name(settings.model), fingerprint(settings.model), "0.1.0")
    home.journal.write_bytes(b"".join(encode(seq, 1.8e9 + seq, one) for seq, one in enumerate((begin, *records), 1)))
    return home


def write_earlier_home(settings: Settings) -> Home:
    """Three lessons that count (a pick is one of them), and one that was withdrawn; they were asked and consolidated,
    and saved."""
    home = write(
        settings,
        *lesson(2, 1, DOG),
        *lesson(4, 2, PICK, "pick"),
        Asked((Finding(2, 0.3, False),)),
        Consolidated(4, 0, 16, NATURAL, "torch 2.13.0 on this machine"),
        *lesson(8, 3, ("yes", "no")),
        *lesson(10, 4, TOWN),
        Withdraw(8),
    )
    model = LanguageModel.load(settings.model, device="cpu")
    with torch.no_grad():
        next(model.model.parameters()).mul_(0.9)
    journal = Journal.read(home.journal)
    held = {"theta": "0.1.0", "model": settings.model, "record": journal.checksum(12), "withdrawn": [8], "rebuilt": 0}
    checkpoint.save(home.checkpoints, model, Learner(model), position=12, extra=held, keep=2)
    return home
