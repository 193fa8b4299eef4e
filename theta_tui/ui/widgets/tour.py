"""The tour: three cards in place of the replies, at the first start and by `/tour`.

It takes no key from the composer: what can be printed is text as ever, and ends the tour once it is said. Enter in the
empty composer goes on, Esc skips; while it is open nothing can be picked.
"""

from __future__ import annotations

import re

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from theta_tui.ui.bindings import ALL
from theta_tui.ui.compat.keys import keys_of
from theta_tui.ui.safe import join, wrap
from theta_tui.ui.widgets.rule import RuleWords

CARDS = (
    ("say", (
        "Type something and press enter: five replies come.",
        "Go on talking, and the first of them stands, marked ○. Talking teaches nothing.",
    )),
    ("teach", (
        "Press {pick.1} to {pick.5}: the model learns that reply at once, and you see how likely it is to say it now.",
        "{pick.edit} changes a reply before it is taught, {pick.type} teaches one of your own.",
        "Say a fact, as in “My dog is called Rex.”, and {pick.fact} teaches it.",
    )),
    ("take back", (
        "{pick.undo} takes the last lesson back, as if it had never been taught; {pick.redo} brings it back.",
        "{pick.lessons} lists your lessons, and which of them are still known.",
        "{pick.help} explains every key and sign. /tour shows these cards again.",
    )),
)  # fmt: skip
"""A word and the sentences of each; `{…}` is the key of a binding."""


class Tour(Widget):
    """Shows one card, or nothing."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(id="tour")
        self.at: int | None = None
        """The card that is shown; None: the tour is over."""

    def on_mount(self) -> None:
        self.show(self.at)

    @property
    def words(self) -> RuleWords | None:
        """The line above the card."""
        if self.at is None:
            return None
        then = "enter next · esc skip" if self.at + 1 < len(CARDS) else "enter ends it"
        return RuleWords(f"{self.at + 1} of {len(CARDS)}: {CARDS[self.at][0]} · {then}", "accent")

    def show(self, at: int | None) -> None:
        """Show card `at`, or none."""
        self.at = at
        self.screen.set_class(at is not None, "-touring")
        self.refresh(layout=True)

    def next(self) -> None:
        """Show the next card; after the last the tour is over."""
        if self.at is not None:
            self.show(self.at + 1 if self.at + 1 < len(CARDS) else None)

    def skip(self) -> bool:
        """End the tour; return whether it was open."""
        if self.at is None:
            return False
        self.show(None)
        return True

    def _lines(self, width: int) -> list[str]:
        found = []
        for sentence in CARDS[self.at][1] if self.at is not None else ():
            found += wrap(re.sub(r"\{([\w.]+)\}", self._key, sentence), width)
        return found

    def _key(self, found: re.Match[str]) -> str:
        binding = next(each for each in ALL if each.id == found[1])
        return self.app.get_key_display(binding.with_key(keys_of(self.app, binding)[0]))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join([join((line, "")) for line in self._lines(self.content_size.width)])
