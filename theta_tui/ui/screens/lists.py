"""What lists of conversations, turns and files are for: the verbs that open them, and the events that they wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from theta_tui.session import commands as c
from theta_tui.session import lists
from theta_tui.session import protocol as p
from theta_tui.ui.screens.conversations import ConversationsScreen, TurnsScreen
from theta_tui.ui.screens.info import ImportScreen, PeopleScreen
from theta_tui.ui.screens.listing import ListScreen
from theta_tui.ui.state import Editing, State

if TYPE_CHECKING:
    from textual.app import App

    from theta_tui.store.records import Turn
    from theta_tui.ui.clock import Clock
    from theta_tui.ui.correction_editor import CorrectionEditor


class Desk(Protocol):
    """The screen that the lists are opened from."""

    state: State
    clock: Clock
    send: Callable[[c.Command], None]
    tell: Callable[[str, str], None]
    corrections: CorrectionEditor

    @property
    def app(self) -> App[object]: ...


class Lists:
    """The verbs of the lists, for one screen."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.verbs: dict[str, Callable[..., object]] = {
            "conversations": self.conversations, "find": self.find, "fix": self.fix,
            "import": lambda path: self.desk.send(lists.ReadFile(path)), "people": self.people,
        }  # fmt: skip

    def apply(self, event: p.Event) -> None:
        """Pass an event to the open list, and show what a file holds."""
        for screen in self.desk.app.screen_stack:
            if isinstance(screen, ListScreen):
                screen.apply(event)
        if isinstance(event, lists.People) and not isinstance(self.desk.app.screen, PeopleScreen):
            self.desk.app.push_screen(PeopleScreen(event))
        if isinstance(event, lists.FileRead) and event.count:
            self.desk.app.push_screen(ImportScreen(event, lambda: self.desk.send(lists.TeachFile())))

    def conversations(self, *arguments: object) -> None:
        """List the conversations, or change one."""
        desk = self.desk
        if arguments:
            desk.send(lists.ChangeConversation(*arguments))  # type: ignore[arg-type]
        else:
            desk.app.push_screen(ConversationsScreen(desk.clock, desk.send))

    def people(self, *arguments: object) -> None:
        """List the people, or say what happens to what one of them teaches."""
        change = lists.ChangePerson(*arguments) if arguments else lists.ShowPeople()  # type: ignore[arg-type]
        self.desk.send(change)

    def find(self, wanted: str = "") -> None:
        """List the turns of the open conversation that have the text `wanted`."""
        desk = self.desk
        desk.app.push_screen(TurnsScreen(desk.send, self._fix, wanted))

    def fix(self, number: int, text: str) -> bool:
        """Teach `text` as a better reply to turn `number`; without a text, open its reply in the editor."""
        desk, shot = self.desk, self.desk.state.snapshot
        at = number - 1 - (shot.turns_total - len(shot.turns))
        if not 1 <= number <= shot.turns_total:
            desk.tell(f"there is no turn {number}; /history lists 1 to {shot.turns_total:,}", "warning")
            return False
        turn = shot.turns[at] if at >= 0 else None
        if text:
            prompt = turn.prompt if turn is not None else f"turn {number}"
            return desk.corrections.correct(text, Editing(None, turn=prompt, number=number))
        if turn is None:
            desk.tell(f"turn {number} is far back; open it in /find, or say /fix {number} and the reply", "warning")
            return False
        self._fix(number, turn)
        return True

    def _fix(self, number: int, turn: Turn) -> None:
        self.desk.corrections.open(Editing(None, turn=turn.prompt, number=number), turn.reply)
