"""The persona: the system turn that a home's model speaks under, where its chat template has a place for one.

It is in the journal. A lesson is learned, and learned again, under the one that was in force when it was taught
(`Lesson.persona`); what is asked or offered now is under the one in force now. Without one the model's own default
stands. A home is begun with the one in the settings; after that only `change` gives it another. Needs no torch itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from theta_tui.base.errors import ModelError, TeachError, ThetaError
from theta_tui.base.text import is_blank, plural, repair, shortened
from theta_tui.store.records import Persona
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from theta_tui.session.session import Session

OFF = "off"
"""What takes a persona away, where one could stand."""
NO_SYSTEM_TURN = "its chat template has no system turn"


def is_off(text: str) -> bool:
    """Whether `text` asks for no persona."""
    return text.strip().lower() == OFF


def words(persona: str | None) -> str:
    """Which persona is in force, in a line."""
    return "no persona is set; the model's own system turn applies" if persona is None else f"persona: {persona}"


def carry_out(session: Session, text: str) -> str:
    """What `/persona TEXT` asks for, in a loaded session: show the persona (no text), take it away (`off`), or change
    it. The answer, in a line; errors as those of `change`."""
    if not text:
        return words(session.store.state.persona)
    if not is_off(text):
        change(session, text)
    elif session.store.state.persona is not None:
        _speak(session, None)
    said = session.store.state.persona
    waits = "; the five replies that wait are from before" if session.pending is not None else ""
    return words(None if said is None else shortened(said)) + waits


def change(session: Session, text: str) -> None:
    """Speak under `text` from now on (a loaded session).

    Raises TeachError where the text is blank or too long, ModelError (exit 4) where the model has no place for it.
    """
    store = session.store
    store.require_writable()
    text, notices = repair(text.strip())
    store.notices.extend(notices)
    if is_blank(text):
        raise TeachError("the persona is empty; say what the model is to be, or off", name="blank", code=2)
    chat, window = session.model.chat, min(session.model.window, store.settings.window)
    if not chat.takes_system():
        raise ModelError(
            f"{store.settings.model} cannot take a persona: {NO_SYSTEM_TURN}; use a model that has one, "
            "such as smollm2",
            hint="as in: theta --home DIR --model smollm2",
            name="no_system_turn",
        )
    tokens = len(chat.plain_ids([text])[0])
    if tokens > window // 2:
        raise TeachError(
            f"the persona is too long: it takes {plural(tokens, 'token')}, and half of what the model is shown is "
            f"{window // 2:,}; shorten it",
            name="too_long",
        )
    if text != store.state.persona:
        _speak(session, text)


def set_to(store: Store, text: str | None) -> None:
    """Journal the persona of a home; nothing where it has that one. Raises JournalError and HomeError."""
    store.require_writable()
    if text != store.state.persona:
        store.append(Persona(text))


def begin_with(session: Session) -> None:
    """A home that was just begun takes the persona of the settings. One that cannot be taken is told of: the same
    settings are those of other homes."""
    wanted = session.settings.persona
    if wanted and not is_off(wanted):
        try:
            change(session, wanted)
        except ThetaError as error:
            session.store.notices.append(f"the persona of the settings is not used: {error}")


def _speak(session: Session, text: str | None) -> None:
    session.store.require_writable()
    session.review.settle()
    set_to(session.store, text)
    session.model.chat.speak_as(text)
    session.review.moved()
