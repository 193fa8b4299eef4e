"""Keeps what is typed on the main screen, and goes on with it at the next start."""

from __future__ import annotations

from dataclasses import replace

from theta_tui.ui.drafts import Draft, Drafts
from theta_tui.ui.screens.verbs import VerbScreen

KEEP_SECONDS = 0.5
"""Seconds of typing that a killed process may lose."""


class DraftKeeper:
    """The draft of one screen, in a file; without one, it does nothing."""

    def __init__(self, screen: VerbScreen, file: Drafts | None) -> None:
        self.screen = screen
        self.file = file
        self.draft = Draft()

    def start(self) -> None:
        """Show the text that was kept, and keep what is typed from now on."""
        if self.file is not None:
            self.draft = self.file.load()
            self.screen.composer.put(self.draft.unsent)
            self.screen.set_interval(KEEP_SECONDS, self.keep)

    def keep(self) -> None:
        """Keep what is typed and not sent, if it has changed."""
        state = self.screen.state
        # Until the model is named the home is not open, and may be another process's.
        opened = bool(state.snapshot.model) and state.fatal is None
        if self.file is not None and opened and not state.snapshot.read_only:
            self.file.save(self.screen.corrections.drafted(self.screen.composer.text))

    def resume(self) -> None:
        """Go on, now that the model is there: open the editor that was open."""
        screen, draft = self.screen, self.draft
        self.draft = Draft()
        turns, pending = screen.state.snapshot.turns, screen.state.pending
        prompt = pending.prompt if pending is not None else turns[-1].prompt if turns else None
        if draft.said and draft.said[0] == prompt and screen.composer.text == draft.unsent:
            screen.composer.put(replace(draft, said=draft.said[1:]).unsent)  # its replies had come
        screen.put_back(screen.corrections.resume(draft))
