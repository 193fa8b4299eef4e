"""The composer: several lines of text, a history, and a popup that completes commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from textual import events, getters
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import TextArea

from theta_tui.session.verbs import Completion, lone
from theta_tui.ui.bindings import PICK, SAY
from theta_tui.ui.compat.editor import Editor
from theta_tui.ui.compat.keys import bound
from theta_tui.ui.messages import ComposerChanged, Sent
from theta_tui.ui.safe import Plain, join, plain

REMEMBERED = 200
POPUP_LINES = 6
HOLD = 0.25
"""Seconds that a digit is held back for: what follows it within that makes it text ("2 apples")."""
SIGN = "› "
ASIDE = frozenset({"send", "escape", "cursor_up", "cursor_down", "cursor_left", "cursor_right"})
"""Actions of the text whose keys are for the replies while those are to be picked from."""
NEVER = frozenset({"select_line", "select_all"})
"""Actions of Textual's whose keys mean something else here (F6, F7)."""


class Popup(Widget):
    """The completions, one marked. It lies over what is above the text, so that nothing else has to move: it changes at
    every key."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(id="popup")
        self.items: Sequence[Completion] = ()
        self.at = 0

    def show(self, items: Sequence[Completion]) -> None:
        """Show `items`; hide the popup if there are none."""
        if list(items) == list(self.items):
            return  # runs at every key, and laying out the whole screen is most of its cost
        self.at = 0
        self.items = items
        self.display = bool(items)
        self.refresh(layout=True)

    def on_resize(self, event: events.Resize) -> None:
        self.styles.offset = (0, -event.size.height)

    def move(self, by: int) -> None:
        """Mark the next or the previous."""
        self.at = (self.at + by) % len(self.items)
        self.refresh()

    def render(self) -> Content:
        first = max(0, min(self.at - POPUP_LINES // 2, len(self.items) - POPUP_LINES))
        wide = max((len(item.shown) for item in self.items), default=0) + 2
        lines = []
        for at, item in list(enumerate(self.items))[first : first + POPUP_LINES]:
            mark = at == self.at
            name = "bold $primary" if mark else "$foreground"
            lines.append(
                join(("› " if mark else "  ", "$primary"), (item.shown.ljust(wide), name), (item.about, "$muted"))
            )
        return Content("\n").join(lines)


class Prompt(Editor):
    """The text itself. Up on the first line and down on the last go through the history.

    A digit that would pick is held back for a moment, because it may begin a text.
    """

    BINDINGS = [*SAY]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.held: tuple[events.Key, Timer] | None = None

    @cached_property
    def _composer(self) -> Composer:
        return self.query_ancestor(Composer)  # slow, and asked for forty times at each key

    @property
    def around(self) -> Widget:
        return self._composer

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action not in NEVER and not (action in ASIDE and self._composer.picks())

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Whether Textual leaves this key's bindings out: those of the digits count while the replies take them."""
        return super().check_consume_key(key, character) and not self._composer.picks()

    async def took(self, event: events.Key) -> bool:
        focused = self.screen.focused
        if focused is not None and focused is not self:
            # Sent here before a key of the same burst moved the focus: it is the new one's.
            focused.post_message(events.Key(event.key, event.character))
            return True
        if (key := self._no_longer_held()) is not None:
            if event.key == "enter":
                await self._run(key)
            elif event.key != "escape":
                self.insert(key.character or "")
            return event.key in {"enter", "escape"}
        if event.is_printable and not self.document.text and bound(self, event.key, self.around) is not None:
            self.held = event, self.set_timer(HOLD, self.let_go)
            return True
        return False

    def paste(self, text: str) -> None:
        if (key := self._no_longer_held()) is not None:
            self.insert(key.character or "")
        super().paste(text)

    async def let_go(self) -> None:
        """Nothing followed the digit that is held back: it picks. On a busy machine what follows may be here and not
        looked at yet."""
        if self.held is not None and (self.app.message_queue_size or self.screen.message_queue_size):
            self.held = self.held[0], self.set_timer(HOLD, self.let_go)
            return
        if (key := self._no_longer_held()) is not None:
            await self._run(key)

    def _no_longer_held(self) -> events.Key | None:
        held, self.held = self.held, None
        if held is None:
            return None
        held[1].stop()
        return held[0]

    async def _run(self, key: events.Key) -> None:
        """Do what `key` is bound to; where that is nothing any more, it is text."""
        if (binding := bound(self, key.key, self.around)) is not None:
            await self.run_action(binding.action)
        else:
            self.insert(key.character or "")

    def action_send(self) -> None:
        self._composer.send()

    def action_tab(self) -> None:
        if not (self._composer.take() or self._composer.obey()):
            self.screen.action_type()  # type: ignore[attr-defined]

    def action_escape(self) -> None:
        if not self._composer.close_popup():
            self.screen.action_escape()  # type: ignore[attr-defined]

    def action_cursor_up(self, select: bool = False) -> None:
        if select or not (self._composer.popup_move(-1) or (self.cursor_at_first_line and self._composer.older())):
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        if select or not (self._composer.popup_move(1) or (self.cursor_at_last_line and self._composer.newer())):
            super().action_cursor_down(select)

    def action_cursor_page_up(self) -> None:
        self.screen.action_scroll(-1)  # type: ignore[attr-defined]

    def action_cursor_page_down(self) -> None:
        self.screen.action_scroll(1)  # type: ignore[attr-defined]


class Composer(Vertical):
    """The popup above, the text below. `completer` says what could complete a line, `picks` whether Enter, Esc, the
    arrows and digits are for the replies now."""

    BINDINGS = [*PICK]
    prompt = getters.query_one(Prompt)
    popup = getters.query_one(Popup)

    def __init__(
        self,
        completer: Callable[[str], list[Completion]],
        picks: Callable[[], bool],
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self.completer = completer
        self.picks = picks
        self.history: list[str] = []
        self._at: int | None = None
        self._draft = ""
        self._said = ""
        self._closed_for: str | None = None
        self._empty = True
        self.alone = ""
        """The word that Enter was pressed on, which may be meant as a command; until it is changed or sent."""

    def compose(self) -> ComposeResult:
        yield Popup()
        with Horizontal(id="say-box"):
            yield Plain(SIGN, id="say-sign")
            yield Prompt(id="say")

    @property
    def text(self) -> str:
        return self.prompt.text

    def put(self, text: str) -> None:
        """Replace the text with `text`, the cursor at its end."""
        self.prompt.text = text
        self.prompt.move_cursor(self.prompt.document.end)

    def say(self, placeholder: str, *, teaches: bool) -> None:
        """What stands in it while it is empty, and whether it has the chip that says that Enter teaches."""
        if teaches != self.has_class("-teaches"):
            self.set_class(teaches, "-teaches")
            self.query_one("#say-sign", Plain).show(f"teach {SIGN}" if teaches else SIGN)
        if placeholder != self._said:
            self._said = placeholder
            self.prompt.placeholder = plain(placeholder, one_line=True)

    def send(self) -> None:
        """On Enter, take the marked completion if it is not complete yet, else send the text. The screen puts a refused
        text back."""
        item = self._marked()
        if item is not None and item.line.strip() != self.text.strip():
            self.put(item.line)
            if not item.final:
                return
        text = self.text
        if lone(text) is not None and not self.alone:
            self.alone = text.strip()
            self.post_message(ComposerChanged())
            return
        self.alone = ""
        self._forget(text)
        self.post_message(Sent(text))

    def obey(self) -> bool:
        """Carry out the word that stands alone, as a command; return whether it was asked about."""
        verb = lone(self.alone)
        if verb is not None:
            self.alone = ""
            self.put("")
            self.post_message(Sent(f"/{verb.name}"))
        return verb is not None

    def _forget(self, text: str) -> None:
        """Empty the composer at once, so that the next keys begin a new text, and add the old one to the history."""
        if text.strip() and (not self.history or self.history[-1] != text):
            self.history = [*self.history, text][-REMEMBERED:]
        self._at = None
        self.put("")

    # --- history ---

    def older(self) -> bool:
        """Show the previous text of the history; return whether there was one."""
        at = (len(self.history) if self._at is None else self._at) - 1
        if at < 0:
            return self._at is not None
        if self._at is None:
            self._draft = self.text
        self._at = at
        self.put(self.history[at])
        return True

    def newer(self) -> bool:
        """Show the next text of the history, and at its end the unsent one."""
        if self._at is None:
            return False
        self._at += 1
        if self._at >= len(self.history):
            self._at = None
            self.put(self._draft)
        else:
            self.put(self.history[self._at])
        return True

    # --- popup ---

    def on_mount(self) -> None:
        self.popup.display = False

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._complete()
        changed = bool(self.alone) and self.alone != self.text.strip()
        if changed or self._empty != (not self.text):
            self._empty = not self.text
            self.alone = "" if changed else self.alone
            self.post_message(ComposerChanged())

    def _complete(self) -> None:
        """Show the completions of the present text."""
        text = self.text
        if self._at is not None and text != self.history[self._at]:
            self._at = None  # a changed text from the history is a new text
        if text != self._closed_for:
            self._closed_for = None
        items = [] if self._closed_for is not None or self._at is not None else self.completer(text)
        if len(items) == 1 and items[0].line.strip() == text.strip():
            items = []
        self.popup.show(items)

    def _marked(self) -> Completion | None:
        self._complete()  # the last change event may still be queued
        popup = self.popup
        return popup.items[popup.at] if popup.display and popup.items else None

    def popup_move(self, by: int) -> bool:
        """Mark another completion; return whether there is a popup."""
        if self._marked() is None:
            return False
        self.popup.move(by)
        return True

    def take(self) -> bool:
        """Take the marked completion; return whether there was one."""
        item = self._marked()
        if item is None:
            return False
        self.put(item.line)
        return True

    def close_popup(self) -> bool:
        """Hide the popup until the text changes; return whether there was one."""
        if self._marked() is None:
            return False
        self._closed_for = self.text
        self.popup.show(())
        return True
