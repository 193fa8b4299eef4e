"""What a sent line does: a prompt, or one of the slash commands. The palette offers the same verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from theta_tui.base.config import change
from theta_tui.base.errors import UsageError
from theta_tui.base.text import is_blank
from theta_tui.session import protocol as p
from theta_tui.ui.screens.info import HelpScreen, StatsScreen
from theta_tui.ui.slash import VERBS, Call, Completion, Mistake, complete, read

if TYPE_CHECKING:
    from theta_tui.ui.screens.teach import TeachScreen


class Verbs:
    """The slash commands of one screen."""

    def __init__(self, screen: TeachScreen) -> None:
        self.screen = screen

    def complete(self, line: str) -> list[Completion]:
        """What could stand where `line` is."""
        return complete(line, sorted(self.screen.app.available_themes))

    def sent(self, text: str) -> None:
        """The composer was sent. What could not be taken stands in it again."""
        screen = self.screen
        what = read(text.strip() if text.lstrip().startswith("/") else text)
        taken = True
        if isinstance(what, Mistake):
            screen.tell(what.text, "warning")
            taken = False
        elif isinstance(what, Call):
            taken = self._call(what.verb, what.argument)
        elif is_blank(what.text):
            return
        elif screen.state.mode == "broken":
            screen.tell("Theta has stopped; ctrl+q leaves", "error")
            taken = False
        else:
            screen.say(what.text)
        if not taken and not screen.composer.text:
            screen.composer.put(text)

    def _call(self, verb: str, argument: str) -> bool:
        """Carry out a command; whether the composer may be emptied."""
        screen = self.screen
        match verb:
            case "correct":
                return screen.fixing.correct(argument, None)
            case "ask":
                screen.send(p.Ask(screen.cleaned(argument)))
            case "withdraw":
                return self.withdraw(int(argument))
            case "export":
                kind, path = argument.split(None, 1)
                screen.send(p.Export(kind, path))
            case "set":
                return self._set(argument)
            case "theme":
                return self._theme(argument)
            case "new":
                screen.send(p.NewConversation())
            case "lessons":
                screen.action_lessons()
            case "quiz":
                screen.send(p.Quiz())
            case "stats":
                screen.app.push_screen(StatsScreen(screen.state, screen.clock))
            case "help":
                self.help()
            case "quit":
                screen.app.run_worker(screen.app.action_quit(), exit_on_error=False)
            case _:
                return self._key(verb)
        return True

    def _key(self, verb: str) -> bool:
        """The verbs that are keys too: they apply when the key would."""
        screen = self.screen
        keys = {"regen": "again"} | {name: name for name in ("fact", "undo", "redo", "save", "copy")}
        action = keys[verb]
        if not screen.check_action(action, ()):
            screen.tell("no fact is offered now" if verb == "fact" else f"there is nothing to {verb} now", "warning")
            return False
        getattr(screen, f"action_{action}")()
        return True

    def withdraw(self, number: int) -> bool:
        """Take lesson `number` out; whether that was asked for."""
        screen = self.screen
        if screen.state.mode not in {"idle", "choosing"} or screen.state.snapshot.read_only:
            screen.tell("no lesson can be taken out now", "warning")
            return False
        screen.send(p.WithdrawLesson(number))
        return True

    def _set(self, argument: str) -> bool:
        screen = self.screen
        name, value = argument.split(None, 1)
        if name == "theme":
            return self._theme(value.strip())
        try:
            screen.settings = change(screen.settings, name, value.strip())
        except UsageError as error:
            screen.tell(str(error), "warning")
            return False
        screen.send(p.Configure(name.replace("-", "_"), value.strip()))
        return True

    def _theme(self, name: str) -> bool:
        app = self.screen.app
        if not name:
            app.search_themes()
        elif name in app.available_themes:
            app.theme = name
        else:
            self.screen.tell(f"there is no theme {name}; /theme and a space lists them", "warning")
            return False
        return True

    def help(self) -> None:
        """Keys and commands on one screen."""
        self.screen.app.push_screen(HelpScreen())

    def palette(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        """(title, help, what to do) of each verb, for the command palette; those with an argument fill the composer."""
        for verb in VERBS:
            title = f"/{verb.name} {verb.argument}".rstrip()
            yield title, verb.about, self._chooser(verb.name, bool(verb.argument) and verb.name != "theme")

    def _chooser(self, name: str, wants: bool) -> Callable[[], None]:
        def choose() -> None:
            if wants:
                self.screen.focus_composer()
                self.screen.composer.put(f"/{name} ")
            else:
                self._call(name, "")
                self.screen.draw()

        return choose
