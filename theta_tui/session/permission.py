"""Whether what a person teaches is learned at once, or only proposed to the owner, or refused. No torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from theta_tui.base.errors import TeachError
from theta_tui.store.records import Exchange, Outcome, Proposal

if TYPE_CHECKING:
    from theta_tui.store.store import Store


def proposed(store: Store, exchange: Exchange) -> Outcome | None:
    """Journal `exchange` as a proposal, if that is all that its person may do; None: it may be learned. Raises
    TeachError if what the person teaches is refused."""
    store.require_conversation()
    if exchange.proposal is not None or store.may == "teach":
        return None
    if store.may == "hold":
        raise TeachError("the owner of this home does not let you teach now; you can still talk", name="held")
    seq = store.append(Proposal(exchange)).seq
    if exchange.prompt_id is not None:
        store.follow(None)
    number = next(one.number for one in store.state.proposals if one.seq == seq)
    why, nan = f"it waits for the owner, as proposal {number}", math.nan
    what = exchange.kind, exchange.prompt, exchange.reply
    return Outcome(0, *what, nan, nan, nan, nan, 0, store.state.step, False, 0.0, skipped=why)
