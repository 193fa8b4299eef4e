"""The app: starts the worker after the first frame, passes its events to the screen, and shuts down in order."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from textual.app import SystemCommand
from textual.binding import Binding
from textual.driver import Driver
from textual.events import Event as TextualEvent
from textual.events import Key, Paste
from textual.screen import Screen
from textual.widgets import Input

from theta_tui.base import gc as collecting
from theta_tui.base.config import Settings
from theta_tui.base.signals import ENDING, listening
from theta_tui.base.text import visible
from theta_tui.session.commands import Cancel, Command
from theta_tui.session.protocol import Cancelled, Event, Failed, Plots, Switched
from theta_tui.session.verbs import BY_NAME, Mode
from theta_tui.ui import palette
from theta_tui.ui.bindings import APP, IDS, listed, unknown
from theta_tui.ui.clock import Clock
from theta_tui.ui.compat.keys import QuickKeys
from theta_tui.ui.compat.pace import draw_sooner
from theta_tui.ui.compat.toasts import take_away
from theta_tui.ui.drafts import Drafts
from theta_tui.ui.messages import WorkerEvent
from theta_tui.ui.screens.teach import TeachScreen
from theta_tui.ui.themes import OWN, legible

LEAVE_SECONDS = 4.2
"""Seconds that the worker may take to end on leaving. With everything else Theta ends within five."""
LOADING_SECONDS = 0.5
JOIN_SECONDS = 0.02
AGAIN_SECONDS = 4.0
"""Seconds within which a second ctrl+c leaves: as long as the toast that says so stands."""
STOPPING = "stopping; press ctrl+c again to leave"
BUSY = 75
STARTING_SECONDS = 20
"""Seconds for which a mistake in the settings stands: it is read after the first look at the screen."""


class WorkerLike(Protocol):
    """What the app needs of a worker. It never sees a model."""

    def start(self, post: Callable[[Event], None]) -> None:
        """Start the thread; `post` is called from it."""

    def send(self, command: Command) -> None:
        """Queue a command; returns at once."""

    def request_stop(self) -> None:
        """Finish or abandon the step, save, end."""

    def join(self, timeout: float) -> bool:
        """Wait for the end; whether it has ended."""


class ThetaApp(QuickKeys):
    """`persist` keeps a setting that the person changed (the theme), `drafts` what is typed and not sent. `tour`: begin
    with the cards."""

    TITLE = "theta"
    CSS_PATH = Path(__file__).parent / "app.tcss"
    BINDINGS = [*APP]
    ENABLE_COMMAND_PALETTE = True
    NOTIFICATION_TIMEOUT = 4

    def __init__(
        self,
        settings: Settings,
        worker: WorkerLike,
        persist: Callable[[str, object], None] | None = None,
        *,
        clock: Clock | None = None,
        drafts: Drafts | None = None,
        tour: bool = False,
    ) -> None:
        super().__init__()
        draw_sooner()
        self.settings = settings
        self.worker = worker
        self.persist = persist
        self.clock = clock or Clock()
        self.code = 0
        """The exit code so far: of a fatal failure, or of a signal."""
        self.parting = ""
        """What to print on stderr once the screen is restored."""
        self._kept_theme = ""
        self._leaving = False
        self._waited = False
        self._asked_to_leave = float("-inf")
        self._stopping: Mode | None = None
        """What ctrl+c asked to stop, until that has ended."""
        self._early: list[Key] | None = []
        """What was typed before the first frame, when nothing has the keyboard yet; None: it is drawn."""
        self._running_loop: asyncio.AbstractEventLoop | None = None
        self._heard = 0
        self._told: dict[str, float] = {}
        """The toasts on the screen, and when each goes away."""
        for theme in OWN:
            self.register_theme(theme)
        # Before the stylesheet is read: setting a theme later would read it, and draw everything, a second time.
        self.set_reactive(ThetaApp.theme, "theta")
        self.stylesheet.set_variables(self.get_css_variables())
        self.teach = TeachScreen(settings, self.clock, self.send, self.tell, drafts)
        self.teach.tour.at = 0 if tour else None
        self.teach.own |= {"theme": self.choose_theme, "quit": self.leave}

    # --- start ---

    def get_driver_class(self) -> type[Driver]:
        from textual.drivers.linux_driver import LinuxDriver

        from theta_tui.ui.compat.terminal import Terminal

        found = super().get_driver_class()
        return Terminal if found is LinuxDriver else found

    def get_default_screen(self) -> Screen[None]:
        return self.teach

    def get_css_variables(self) -> dict[str, str]:
        """Textual's variables, with colours that are legible in every theme, including those of 16 colours."""
        return super().get_css_variables() | legible(self.current_theme)

    def on_mount(self) -> None:
        wanted = self.settings.theme or "theta"
        self.theme = wanted if wanted in self.available_themes else "theta"
        if wanted != self.theme:
            self.tell(f"there is no theme {wanted}; this is Theta's own", "warning", STARTING_SECONDS)
        self._kept_theme = self.theme
        if mistakes := unknown(self.settings.keymap):
            self.tell(
                "\n".join([*mistakes, f"The ids are: {listed()}. F1 lists them with their keys."]),
                "warning",
                STARTING_SECONDS,
            )
        self.set_keymap({name: key for name, key in self.settings.keymap.items() if name in IDS})
        self.theme_changed_signal.subscribe(self, lambda theme: self._keep_theme(theme.name))
        self.app_resume_signal.subscribe(self, lambda _: self._repaint())
        self._running_loop = asyncio.get_running_loop()
        if self._heard:
            self._signalled(128 + self._heard)  # before there was a loop
        self.call_after_refresh(self._start_worker)

    def _repaint(self) -> None:
        """Draw everything: after a return from the shell (ctrl+z, fg) the terminal has lost the screen."""
        for widget in self.screen.walk_children(with_self=True):
            widget.refresh()

    def _start_worker(self) -> None:
        collecting.resume()
        early, self._early = self._early or [], None
        for key in early:
            self.teach.composer.prompt.post_message(Key(key.key, key.character))
        self.worker.start(self.post)

    def post(self, event: Event) -> None:
        """Deliver an event to the app. The only method that the worker's thread calls."""
        self.post_message(WorkerEvent(event))

    def choose_theme(self, name: str) -> bool:
        """Change the theme, or list the themes if `name` is empty; return whether that succeeded."""
        if not name:
            self.search_themes()
        elif name in self.available_themes:
            self.theme = name
        else:
            self.tell(f"there is no theme {name}; /theme and a space lists them", "warning")
            return False
        return True

    def _keep_theme(self, name: str) -> None:
        if self.persist is not None and name != self._kept_theme:
            self._kept_theme = name
            try:
                self.persist("theme", name)
            except Exception as error:
                self.tell(f"the theme could not be kept for the next start: {error}", "warning")

    async def on_event(self, event: TextualEvent) -> None:
        if isinstance(event, Key) and self._early is not None and event.is_printable:
            self._early.append(event)
            return
        if isinstance(event, Paste) and not event.is_forwarded and isinstance(self.focused, Input):
            event.text = visible(event.text, one_line=True)  # the palette draws what it is given
        await super().on_event(event)

    # --- between worker and screen ---

    def on_worker_event(self, message: WorkerEvent) -> None:
        event = message.event
        if isinstance(event, Failed) and event.fatal:
            self.code = event.code
            self.parting = event.message
            if event.code == BUSY:
                self.exit(return_code=event.code)
                return
        if isinstance(event, Plots):
            from theta_tui.ui.screens.plots import show_plots

            show_plots(self, event, self.send)
        if isinstance(event, Switched) and event.home:
            self.parting = f"you were in a home of its own; `theta --home {shlex.quote(event.home)}` goes on there"
        self.teach.apply(event)
        if self._stopping is not None and (isinstance(event, Cancelled) or self.teach.state.mode != self._stopping):
            self._stopped()

    def _stopped(self) -> None:
        """What ctrl+c asked to stop has ended: the next ctrl+c is a first one again."""
        self._stopping, self._asked_to_leave = None, float("-inf")
        self._told.pop(STOPPING, None)
        take_away(self, STOPPING)

    def send(self, command: Command) -> None:
        """Send a command to the worker."""
        self.worker.send(command)

    def get_key_display(self, binding: Binding) -> str:
        """Words in place of symbols that some fonts lack."""
        words = {"enter": "enter", "shift+enter": "shift+enter", "up": "↑", "down": "↓"}
        return words.get(binding.key) or super().get_key_display(binding)

    def tell(self, text: str, severity: str = "information", seconds: float | None = None) -> None:
        """Show `text` as a toast, letter for letter. One that is on the screen is not shown twice."""
        now, seconds = self.clock.monotonic(), seconds or self.NOTIFICATION_TIMEOUT
        self._told = {said: until for said, until in self._told.items() if until > now}
        if text not in self._told:
            self._told[text] = now + seconds
            self.notify(visible(text), severity=severity, timeout=seconds, markup=False)  # type: ignore[arg-type]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        if isinstance(screen, TeachScreen):
            for title, about, choose in palette.listed(screen):
                yield SystemCommand(title, about, choose)

    def action_plot(self) -> None:
        """Ask for the plots; they open when the worker has answered."""
        self.teach.run_verb(BY_NAME["plot"], None)

    # --- leaving ---

    def action_interrupt(self) -> None:
        """Ctrl-C: copy what is selected, else stop what is under way; leave on the second press."""
        selected = self.screen.get_selected_text() or getattr(self.focused, "selected_text", "")
        if selected:
            self.copy_to_clipboard(selected)
            self.screen.clear_selection()
            self.tell("copied, if this terminal lets programs use the clipboard")
        elif self.clock.monotonic() - self._asked_to_leave <= AGAIN_SECONDS:
            self.leave()
        else:
            self._asked_to_leave = self.clock.monotonic()
            if not self.teach.state.stoppable:
                self.tell("press ctrl+c again to leave")
                return
            self._stopping = self.teach.state.mode
            self.send(Cancel())
            self.tell(STOPPING)

    def leave(self) -> None:
        """Begin to leave."""
        self.run_worker(self.action_quit(), exit_on_error=False)

    async def action_quit(self) -> None:
        """Save and leave. The current step is finished or abandoned within LEAVE_SECONDS."""
        if self._leaving:
            return
        self._leaving = True
        self.teach.drafts.keep()
        self.worker.request_stop()
        self.tell("saving and leaving …")
        # Do not wait while the model loads: nothing can have been taught, and an import cannot be stopped.
        loading = self.teach.state.mode in {"loading", "broken"}
        ended = await self._joined(LOADING_SECONDS if loading else LEAVE_SECONDS)
        self._waited = True
        if not ended and not loading and not self.parting:
            self.parting = "the model did not finish in time; what was taught is in the journal"
        self.exit(return_code=self.code)

    async def _joined(self, seconds: float) -> bool:
        """Whether the worker ends within `seconds`. Polls, because the event loop would wait for a waiting thread."""
        for _ in range(round(seconds / JOIN_SECONDS)):
            if self.worker.join(0):
                return True
            await asyncio.sleep(JOIN_SECONDS)
        return self.worker.join(0)

    def heard(self, number: int) -> None:
        """Leave because of a signal. Called from any thread."""
        self._heard = number
        if self._running_loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._running_loop.call_soon_threadsafe(self._signalled, 128 + number)

    def _signalled(self, code: int) -> None:
        if self._leaving:
            self._waited = True  # a second signal: leave at once, whatever the worker is doing
            self.exit(return_code=code)
            return
        self.code = code
        self.leave()


def run_app(
    settings: Settings,
    worker: WorkerLike,
    persist: Callable[[str, object], None] | None = None,
    drafts: Drafts | None = None,
    *,
    tour: bool = False,
) -> int:
    """Run the app to its end and return the exit code. The worker is asked to stop in any case."""
    app = ThetaApp(settings, worker, persist, drafts=drafts, tour=tour)
    try:
        with listening(app.heard):
            app.run()
    except Exception:
        if app.code - 128 not in ENDING:
            raise  # a terminal that is gone cannot be restored; the exit code still tells why the app ended
    finally:
        worker.request_stop()
        if not app._waited:
            worker.join(LEAVE_SECONDS)
    if app.parting:
        # The terminal, even if the caller has redirected descriptor 2 to a log while the screen was on.
        print(f"theta: {visible(app.parting)}", file=sys.__stderr__ or sys.stderr, flush=True)
    return app.code or app.return_code or 0
