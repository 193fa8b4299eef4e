"""The bottom line: only the keys that apply now. A click on one presses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len
from textual.binding import Binding
from textual.content import Content
from textual.events import Click
from textual.widget import Widget

from theta_tui.ui.bindings import KEYBAR
from theta_tui.ui.safe import join

GAP = 2


@dataclass(frozen=True, slots=True)
class Hint:
    """A key as shown, the word beside it, and the key that a click presses (None: nothing)."""

    key: str
    word: str
    press: str | None

    @property
    def width(self) -> int:
        return cell_len(self.key) + 1 + cell_len(self.word)


class KeyBar(Widget):
    """Draws the screen's active bindings, so it leaves out what `check_action` hides."""

    ALLOW_SELECT = False

    def __init__(self, hides: Callable[[str], bool], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.hides = hides

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def hints(self) -> list[Hint]:
        """As many keys that apply now as fit, most important first."""
        active: dict[str, Binding] = {}
        for item in self.screen.active_bindings.values():
            if item.enabled and item.binding.id:
                active.setdefault(item.binding.id, item.binding)
        found: list[Hint] = []
        for name, word in KEYBAR:
            binding = active.get(name)
            if binding is None or any(hint.word == word for hint in found):
                continue
            if self.hides(name):
                continue
            if name == "pick.1":
                found.append(Hint(self._digits(active), word, None))
            else:
                found.append(Hint(self.app.get_key_display(binding), word, binding.key))
        return self._fitting(found)

    def _digits(self, active: dict[str, Binding]) -> str:
        keys = [self.app.get_key_display(active[name]) for n in range(1, 6) if (name := f"pick.{n}") in active]
        return "1-5" if keys == list("12345") else " ".join(keys)

    def _fitting(self, hints: list[Hint]) -> list[Hint]:
        room = self.content_size.width
        while len(hints) > 2 and sum(hint.width + GAP for hint in hints) - GAP > room:
            del hints[-2]
        return hints

    def render(self) -> Content:
        pieces: list[tuple[str, str]] = []
        for hint in self.hints():
            pieces += [(hint.key, "bold $footer-key-foreground"), (f" {hint.word}", "$muted"), (" " * GAP, "")]
        return join(*pieces)

    def on_click(self, event: Click) -> None:
        at = event.get_content_offset(self)
        x = 0
        for hint in self.hints():
            if at is not None and x <= at.x < x + hint.width and hint.press is not None:
                self.app.simulate_key(hint.press)
            x += hint.width + GAP
