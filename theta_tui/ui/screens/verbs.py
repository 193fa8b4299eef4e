"""What the main screen does with a line and with a verb, whether it was typed, chosen in the palette, or a key's."""

from __future__ import annotations

from collections.abc import Callable

from textual import getters, on
from textual.events import Key

from theta_tui.base.config import Settings, change
from theta_tui.base.errors import UsageError
from theta_tui.base.text import is_blank
from theta_tui.session import commands as c
from theta_tui.session.verbs import BY_NAME, Call, Mistake, Verb, configure, read
from theta_tui.ui import messages as m
from theta_tui.ui.bindings import PICK
from theta_tui.ui.compat.keys import keys_of
from theta_tui.ui.compat.sized import Sized
from theta_tui.ui.correction_editor import CorrectionEditor
from theta_tui.ui.state import State
from theta_tui.ui.widgets.composer import Composer
from theta_tui.ui.widgets.tour import Tour

SPOKEN = {
    "pick.edit": "correct", "pick.type": "correct", "pick.fact": "fact", "pick.undo": "undo", "pick.redo": "redo",
    "pick.again": "regen", "pick.continue": "continue", "pick.copy": "copy",
}  # fmt: skip
"""Keys that say why they do nothing, and the verb that knows."""


class VerbScreen(Sized):
    """A screen with a composer. `own` are the verbs that need more than a command to the worker."""

    settings: Settings
    send: Callable[[c.Command], None]
    tell: Callable[[str, str], None]
    state: State
    corrections: CorrectionEditor
    tour: Tour
    own: dict[str, Callable[..., object]]
    composer = getters.query_one(Composer)

    def draw(self) -> None:
        """Draw the state in every widget."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Request replies to `text`, now or when the worker is free."""
        raise NotImplementedError

    def focus_composer(self) -> None:
        """Focus the composer, unless an editor is open."""
        raise NotImplementedError

    def put_back(self, *texts: str | None) -> None:
        """Put a refused text back into the composer, unless the person is writing there."""
        text = next(filter(None, texts), None)
        if text is not None and not self.composer.text:
            self.composer.put(text)

    @on(m.Sent)
    def _sent(self, message: m.Sent) -> None:
        """Take a prompt or a verb. A refused text is put back into the composer."""
        if not self._take(message.text):
            self.put_back(message.text)
        self.draw()

    def _take(self, text: str) -> bool:
        """Carry out a line; return whether that succeeded."""
        meant = read(text.strip() if text.lstrip().startswith("/") else text)
        if isinstance(meant, Mistake):
            self.tell(meant.text, "warning")
            return False
        if isinstance(meant, Call):
            return self.run_verb(meant.verb, *meant.arguments)
        if is_blank(meant.text):
            self.tour.next()
            return True
        if self.state.mode == "broken":
            self.tell("Theta has stopped; ctrl+q leaves", "error")
            return False
        if self.corrections.teaches:
            return self.corrections.typed(meant.text)
        self.say(meant.text)
        return True

    # --- verbs ---

    def run_verb(self, verb: Verb, *arguments: object) -> bool:
        """Carry out `verb` if it applies; return whether that succeeded."""
        if refusal := self.state.refused(verb):
            self.tell(refusal, "warning")
            return False
        if verb.name in self.own:
            return self.own[verb.name](*arguments) is not False
        assert verb.command is not None, verb.name
        self.send(verb.command(*arguments))
        return True

    def on_key(self, event: Key) -> None:
        """Say why a key does nothing now. One that does something does not come here."""
        for binding in PICK:
            verb = SPOKEN.get(binding.id or "")
            if verb and event.key in keys_of(self.app, binding) and (refusal := self.state.refused(BY_NAME[verb])):
                self.tell(refusal, "warning")

    def _set(self, name: str, value: str) -> bool:
        if name == "theme":
            return self.own["theme"](value) is not False
        try:
            self.settings = change(self.settings, name, value)
        except UsageError as error:
            self.tell(str(error), "warning")
            return False
        self.send(configure(name, value))
        return True
