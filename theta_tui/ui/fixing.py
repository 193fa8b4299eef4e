"""Better replies: the editor that a person writes one in, and what becomes of it.

One can be begun from a candidate, from nothing, or, with no prompt waiting, for the last turn of the conversation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from theta_tui.base.text import is_blank
from theta_tui.session import protocol as p
from theta_tui.ui.state import Chosen
from theta_tui.ui.words import Editing

if TYPE_CHECKING:
    from theta_tui.ui.screens.teach import TeachScreen


class CorrectionEditor:
    """The corrections of one screen. `editing` says what the editor is open for, if it is."""

    def __init__(self, screen: TeachScreen) -> None:
        self.screen = screen
        self.editing: Editing | None = None

    def edit(self) -> None:
        """Edit the marked reply in place; with none on offer, the last turn's."""
        screen = self.screen
        pending, candidate = screen.state.snapshot.pending, screen.candidate(screen.replies.cursor)
        if pending is None:
            turn = screen.state.snapshot.turns[-1]
            self.open(Editing(None, turn=turn.prompt), turn.reply)
        elif candidate is not None:
            self.open(Editing(pending.prompt_id, candidate.index), candidate.text)

    def type(self, text: str = "") -> None:
        """Write one that begins as `text`."""
        shot = self.screen.state.snapshot
        if shot.pending is not None:
            self.open(Editing(shot.pending.prompt_id), text)
        elif shot.turns:
            self.open(Editing(None, turn=shot.turns[-1].prompt), text)

    def open(self, editing: Editing, text: str) -> None:
        """Open the editor for `editing`, `text` standing in it."""
        self.close()
        self.editing = editing
        self.screen.replies.edit(editing.index, text)
        self.screen.draw()

    def close(self) -> None:
        """Close it, if it is open."""
        if self.editing is not None:
            self.screen.fact.close() if self.editing.fact else self.screen.replies.close_editor()
            self.editing = None

    def fact(self) -> None:
        """Edit the fact that the waiting prompt states, question and answer."""
        pending = self.screen.state.snapshot.pending
        if pending is not None and pending.statement is not None:
            self.close()
            self.editing = Editing(pending.prompt_id, fact=True)
            self.screen.fact.open(pending.statement)
            self.screen.draw()

    def state(self, prompt: str, reply: str) -> None:
        """Teach the fact as it is edited. What cannot be taught stays in the editor."""
        screen, pending = self.screen, self.screen.state.snapshot.pending
        prompt, reply = screen.cleaned(prompt).strip(), screen.cleaned(reply).strip()
        refusal = "a question and an answer are both needed" if is_blank(prompt) else self._refusal(reply, self.editing)
        if refusal or pending is None:
            screen.tell(refusal or "that prompt is gone; say it again", "warning")
            return
        screen.teach(Chosen(None, reply, "statement", prompt), p.TeachFact(pending.prompt_id, prompt, reply))

    def correct(self, text: str, editing: Editing | None) -> bool:
        """Teach `text` for what waits, or for the last turn; whether it could be sent."""
        screen = self.screen
        shot = screen.state.snapshot
        text = screen.cleaned(text).strip()
        refusal = self._refusal(text, editing)
        if refusal:
            screen.tell(refusal, "warning")
            return False
        pending, edited = shot.pending, editing.index if editing is not None else None
        original = screen.candidate(edited) if edited is not None else None
        if pending is None:
            screen.teach(Chosen(None, text, "correction", shot.turns[-1].prompt), p.Correct(text))
        elif original is not None and original.text.strip() == text:
            # Left as it was, it is the model's own reply: a pick.
            chosen = Chosen(original.index, original.text, "pick", pending.prompt)
            screen.teach(chosen, p.Pick(pending.prompt_id, original.index))
        else:
            screen.teach(Chosen(None, text, "correction", pending.prompt), p.Correct(text, pending.prompt_id, edited))
        return True

    def _refusal(self, text: str, editing: Editing | None) -> str:
        """Why `text` cannot be taught now; empty where it can."""
        state = self.screen.state
        shot, pending = state.snapshot, state.snapshot.pending
        if is_blank(text):
            return "an empty reply is never learned"
        if shot.read_only:
            return f"nothing can be taught: {shot.read_only}"
        if state.mode not in {"choosing", "idle"}:
            return f"nothing can be taught while it is {state.mode}"
        if pending is None and not shot.turns:
            return "there is nothing to correct yet"
        if editing is not None and editing.prompt_id != (pending.prompt_id if pending is not None else None):
            return "that prompt is gone; say it again"
        return ""
