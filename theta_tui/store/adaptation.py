"""Whether the model of a home learns by LoRA, and with which rank. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from theta_tui.base.errors import ModelError
from theta_tui.model.lora import RANK, Choice

if TYPE_CHECKING:
    from theta_tui.store.store import Store


def adaptation(store: Store) -> tuple[Choice, int]:
    """Whether the model of this home learns by LoRA, and the rank: as the home was begun, else by the settings.

    Raises ModelError (exit 4) if the settings contradict what the home was begun with.
    """
    asked, begin = asked_for(store), store.state.begin
    if begin is None:
        return asked
    if adapts_anew(store):
        how = "--lora off" if begin.lora is None else f"--lora on --lora-rank {begin.lora}"
        new = "off" if asked[0] == "off" else f"on --lora-rank {asked[1]}"
        raise ModelError(
            f"the home {store.home.path} was begun with {how} and keeps to it: leave out --lora and --lora-rank, "
            f"learn everything again with `theta rebuild --lora {new}`, or give another --home DIR",
            name="wrong_lora",
        )
    return "off" if begin.lora is None else "on", begin.lora or RANK


def adapts_anew(store: Store) -> bool:
    """Whether the settings ask for LoRA, or its rank, otherwise than the home was begun with."""
    begin, settings = store.state.begin, store.settings
    if begin is None:
        return False
    ours = "off" if begin.lora is None else "on"
    other_rank = begin.lora is not None and settings.lora_rank not in (None, begin.lora)
    return settings.lora not in ("auto", ours) or other_rank


def asked_for(store: Store, *, moving: bool = False) -> tuple[Choice, int]:
    """LoRA and rank by the settings, whatever the home was begun with. If only another rank is asked for, a home that
    learns by LoRA stays with LoRA, unless it is `moving` to another model."""
    asked: Choice = store.settings.lora  # type: ignore[assignment]  # one of its choices, see config
    begin, rank = store.state.begin, store.settings.lora_rank
    if asked == "auto" and not moving and begin is not None:
        asked = "off" if begin.lora is None else "on"
    return asked, rank or RANK
