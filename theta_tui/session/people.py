"""What the persons teach who are not the owner: learned at once, proposed to the owner, or refused. No torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from theta_tui.base.errors import PromptError, TeachError
from theta_tui.base.text import person, plural, visible
from theta_tui.session.proposing import still_marked
from theta_tui.store.records import Declined, Exchange, Outcome, Proposal, Standing
from theta_tui.store.report import PersonRow, Teaching

if TYPE_CHECKING:
    from theta_tui.session.session import Session
    from theta_tui.store.proposals import Proposed
    from theta_tui.store.store import Store

WAITS = "it waits for the owner, as proposal {}"
DOES: dict[Teaching, str] = {
    "teach": "what {} teaches is learned at once",
    "propose": "what {} teaches waits for you",
    "hold": "what {} teaches is refused",
}


def proposed(session: Session, exchange: Exchange) -> Outcome | None:
    """Journal `exchange` as a proposal, if that is all that its person may do; None: it may be learned. Raises
    TeachError if what the person teaches is refused."""
    store = session.store
    store.require_conversation()
    if exchange.proposal is not None or store.may == "teach":
        return None
    if store.may == "hold":
        raise TeachError("the owner of this home does not let you teach now; you can still talk", name="held")
    seq = store.append(Proposal(exchange)).seq
    if exchange.prompt_id is not None:
        store.follow(None)
    session.offered_no_more(exchange)
    number = next(one.number for one in store.state.proposals if one.seq == seq)
    nan = math.nan
    what = exchange.kind, exchange.prompt, exchange.reply
    return Outcome(0, *what, nan, nan, nan, nan, 0, store.state.step, False, 0.0, skipped=WAITS.format(number))


def accept(session: Session, number: int, **hooks: Any) -> Outcome:
    """Learn proposal `number`, as a lesson of the person who made it. Hooks as those of `Session.pick`. Raises
    PromptError (exit 3) if it does not wait."""
    one = waiting(session.store, number)
    made = one.exchange
    with session.store.speaking(made.who):
        answers = made.conversation and made.replaces is None
        exchange = replace(
            made, proposal=one.seq, prompt_id=None, candidates=still_marked(made.candidates, session.learner.modules),
            recipe=session.recipe.as_dict(),
            **({"replaces": one.seq, "turn": (one.seq, 0)} if answers else {}),
        )  # fmt: skip
        return session.learn(exchange, **hooks)


def decline(store: Store, number: int) -> Proposed:
    """Decline proposal `number`. PromptError as `accept`."""
    one = waiting(store, number)
    store.append(Declined(one.seq))
    return one


def waiting(store: Store, number: int) -> Proposed:
    """Proposal `number`. Raises PromptError (exit 3) if it does not wait."""
    store.require_writable()
    found = store.state.proposals.numbered(number)
    if found is None:
        known = ", ".join(str(one.number) for one in store.state.proposals)
        raise PromptError(
            f"proposal {number} does not wait: {f'these do: {known}' if known else 'none does'}", name="no_proposal"
        )
    return found


def let(store: Store, name: str, may: Teaching) -> str:
    """Say what happens to what the person `name` teaches from now on; in words."""
    who = known(store, name)
    store.require_writable()
    store.append(Standing(who, may))
    return f"{DOES[may].format(who)} from now on"


def known(store: Store, name: str) -> str:
    """The person of this name. Raises PromptError (exit 3) if nobody of that name was here."""
    who, there = person(name), names(store)
    if who in there:
        return who
    others = ", ".join(there) if there else "nobody but you was here yet"
    raise PromptError(f"there is no '{visible(name, one_line=True)}' here: {others}", name="no_person")


def names(store: Store) -> list[str]:
    """The persons who were here, but for the owner, in the order in which they came."""
    state = store.state
    return [name for name in dict.fromkeys([*state.opened, *state.standings]) if name]


def rows(store: Store) -> list[PersonRow]:
    """The persons, what they taught, and what they may."""
    state, found = store.state, []
    for name in names(store):
        with store.speaking(name):
            taught = sum(lesson.who == name for lesson in state.active)
            found.append(PersonRow(name, store.may, name in state.standings, taught, len(state.proposals.of(name))))
    return found


def line(row: PersonRow) -> str:
    """`Ada: 3 lessons, 1 proposal; what Ada teaches is learned at once`."""
    waits = f", {plural(row.proposals, 'proposal')}" if row.proposals else ""
    return f"{row.name}: {plural(row.lessons, 'lesson')}{waits}; {DOES[row.may].format(row.name)}"
