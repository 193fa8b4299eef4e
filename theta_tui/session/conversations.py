"""The conversations of a home, for its front ends: the list, and what changes it, in words. Needs no model."""

from __future__ import annotations

from theta_tui.base.text import plural
from theta_tui.session.lists import ConversationDeed
from theta_tui.store.conversation import Conversation
from theta_tui.store.report import ConversationRow
from theta_tui.store.store import Store


def listed(store: Store, *, deleted: bool = False, everybody: bool = False) -> list[ConversationRow]:
    """The conversations of this person, the one used last first, or of `everybody`. Those in which nothing was said,
    and that have no name, are left out, but for the open one. With `deleted` those too that were deleted."""
    found = [
        conversation
        for conversation in store.state.conversations
        if _is_open(store, conversation)
        or (
            (everybody or conversation.who == store.who)
            and (deleted or not conversation.deleted)
            and (conversation.turns or conversation.name)
        )
    ]
    found.sort(key=lambda one: (_is_open(store, one), one.used_at, one.number), reverse=True)
    return [one.row(is_open=_is_open(store, one)) for one in found]


def change(store: Store, deed: ConversationDeed, number: int, name: str = "", *, way: str = "/conversations") -> str:
    """Open, rename or delete conversation `number`, and say so. `way` is how a person says that here. Raises
    PromptError (exit 3) if there is no such conversation."""
    match deed:
        case "open":
            return words(store.open_conversation(number))
        case "rename":
            found = store.rename_conversation(number, name)
            called = "is called by its first words" if found.name is None else f"is called '{found.name}'"
            return f"conversation {number} {called} from now on"
        case "delete":
            was_open = number == store.state.open.number
            store.delete_conversation(number)
            return (
                f"conversation {number} is out of the list{', and a fresh one is begun' if was_open else ''}. The "
                f"journal keeps it, and what was taught in it stays; {way} open {number} brings it back"
            )


def words(conversation: Conversation) -> str:
    """`conversation 2, 'hello there': 5 turns`."""
    title = f", '{conversation.title}'" if conversation.title else ""
    of = f" of {conversation.who}" if conversation.who else ""
    return f"conversation {conversation.number}{of}{title}: {plural(len(conversation.turns), 'turn')}"


def _is_open(store: Store, conversation: Conversation) -> bool:
    return conversation is store.state.open
