"""What the persons teach who are not the owner: learned at once, proposed to the owner, or refused. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from theta_tui.base.errors import PromptError, UsageError
from theta_tui.base.text import person, visible
from theta_tui.session.proposing import still_marked
from theta_tui.store.records import Declined, Outcome, Standing
from theta_tui.store.report import DOES, PersonRow, Teaching

if TYPE_CHECKING:
    from theta_tui.session.session import Session
    from theta_tui.store.proposals import Proposed
    from theta_tui.store.store import Store


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


def declined(one: Proposed) -> str:
    """That a proposal was declined, in words."""
    return f"proposal {one.number} of {one.exchange.who} is declined"


def waiting(store: Store, number: int) -> Proposed:
    """Proposal `number`. Raises PromptError (exit 3) if it does not wait."""
    _require_owner(store)
    found = store.state.proposals.numbered(number)
    if found is None:
        known = ", ".join(str(one.number) for one in store.state.proposals)
        raise PromptError(
            f"proposal {number} does not wait: {f'these do: {known}' if known else 'none does'}", name="no_proposal"
        )
    return found


def let(store: Store, name: str, may: Teaching) -> str:
    """Say what happens to what the person `name` teaches from now on; in words."""
    _require_owner(store)
    who = known(store, name)
    store.append(Standing(who, may))
    return f"what {who} teaches {DOES[may]} from now on"


def _require_owner(store: Store) -> None:
    store.require_writable()
    if store.who:
        raise UsageError(f"only the owner of this home can do that, and you are {store.who}")


def known(store: Store, name: str) -> str:
    """The person of this name. Raises PromptError (exit 3) if nobody of that name was here."""
    who, there = person(name), names(store)
    if who in there:
        return who
    others = ", ".join(there) if there else "nobody but you was here yet"
    raise PromptError(f"there is no '{visible(name, one_line=True)}' here: {others}", name="no_person")


def names(store: Store) -> list[str]:
    """The persons who were here, or whose lessons are, but for the owner, in the order in which they came."""
    state = store.state
    there = [*state.opened, *state.standings, *(lesson.who for lesson in state.active)]
    return [name for name in dict.fromkeys(there) if name]


def rows(store: Store) -> list[PersonRow]:
    """The persons, what they taught, and what they may."""
    state, found = store.state, []
    for name in names(store):
        with store.speaking(name):
            taught = sum(lesson.who == name for lesson in state.active)
            found.append(PersonRow(name, store.may, name in state.standings, taught, len(state.proposals.of(name))))
    return found
