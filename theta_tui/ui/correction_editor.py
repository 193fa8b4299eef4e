"""The correction editor: better replies and facts, from the editor to the lesson.

One can be begun from a candidate or, with no prompt waiting, from the last turn of the conversation; or it is typed
into the composer, while that teaches and does not say.
What the text may be is for the session to say; what it refuses stands in the editor again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from theta_tui.base.config import Settings
from theta_tui.session import commands as c
from theta_tui.session.verbs import BY_NAME
from theta_tui.ui.drafts import Draft
from theta_tui.ui.state import Chosen, Editing, State
from theta_tui.ui.widgets.candidates import CandidateList
from theta_tui.ui.widgets.fact import FactBox

CORRECT, FACT = BY_NAME["correct"], BY_NAME["fact"]
GONE = "that prompt is gone; say it again"


class Desk(Protocol):
    """The screen of the editor. `teach` sends a lesson and shows it as under way."""

    state: State
    settings: Settings
    tell: Callable[[str, str], None]
    send: Callable[[c.Command], None]

    @property
    def replies(self) -> CandidateList: ...

    @property
    def fact(self) -> FactBox: ...

    def teach(self, chosen: Chosen, command: c.Command) -> None: ...

    def draw(self) -> None: ...


class CorrectionEditor:
    """The corrections of one screen. `editing` says what the open editor is for; None: it is closed."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.editing: Editing | None = None
        self.sent: tuple[Editing, str, str] | None = None
        """The lesson under way, if it was edited here: what for, the reply, and the question where it is a fact."""
        self.chip: Editing | None = None
        """What the composer teaches a reply to, where a person switched it from saying to teaching."""
        self.says_once = False
        """Switched the other way, with `typing = "teach"`, for the replies that wait."""

    @property
    def teaches(self) -> bool:
        """Whether Enter teaches what is typed into the composer; otherwise it says it."""
        desk = self.desk
        by_default = desk.settings.typing == "teach" and desk.state.mode == "choosing" and not self.says_once
        return self.chip is not None or (by_default and not desk.state.snapshot.read_only)

    def reset(self) -> None:
        """Other replies are on offer: the editor is closed, and the composer does what the settings say."""
        self.close()
        self.chip, self.says_once = None, False

    def switch(self) -> None:
        """Switch the composer between saying and teaching."""
        desk, shot, pending = self.desk, self.desk.state.snapshot, self.desk.state.pending
        if self.chip is not None:
            self.chip = None
        elif refusal := desk.state.refused(CORRECT):
            desk.tell(refusal, "warning")
        elif desk.settings.typing == "teach" and desk.state.mode == "choosing":
            self.says_once = not self.says_once
        elif pending is not None:
            self.chip = Editing(pending.prompt_id)
        else:
            self.chip = Editing(None, turn=shot.turns[-1].prompt)

    def typed(self, text: str) -> bool:
        """Teach what was typed, to what the composer was switched for; whether it could be sent."""
        chip, pending = self.chip, self.desk.state.pending
        if chip is not None and chip.prompt_id != (pending.prompt_id if pending is not None else None):
            self.chip = None  # what it is for now is for the person to say
        return self.correct(text, chip)

    def edit(self) -> None:
        """Edit the marked reply in place or, if no replies wait, that of the last turn."""
        state = self.desk.state
        pending, candidate = state.pending, state.candidate(self.desk.replies.cursor)
        if pending is None:
            shot = state.snapshot
            self.open(Editing(None, turn=shot.turns[-1].prompt), shot.turns[-1].reply)
        elif candidate is not None:
            self.open(Editing(pending.prompt_id, candidate.index), candidate.text)

    def fact(self) -> None:
        """Edit question and answer of the fact that the waiting prompt states."""
        pending = self.desk.state.pending
        if pending is not None and pending.statement is not None:
            self.open(Editing(pending.prompt_id, fact=True), pending.statement.reply, pending.statement.prompt)

    def open(self, editing: Editing, text: str, prompt: str = "") -> None:
        """Open the editor for `editing`, holding `text` and, for a fact, `prompt` as the question."""
        self.close()
        pending = self.desk.state.pending
        self.editing = editing
        if not editing.fact:
            self.desk.replies.edit(editing.index, text)
        elif pending is not None and pending.statement is not None:
            from theta_tui.store.records import Stated

            self.desk.fact.open(Stated(prompt, text))
        self.desk.draw()

    def close(self) -> None:
        """Close it, if it is open."""
        if self.editing is not None:
            self.desk.fact.close() if self.editing.fact else self.desk.replies.close_editor()
            self.editing = None

    def reopen(self) -> bool:
        """Open the editor again with a refused text; return whether it was edited here and still applies."""
        sent, self.sent = self.sent, None
        if sent is None or self._refusal(sent[0]):
            return False
        self.open(*sent)
        return True

    def drafted(self, text: str) -> Draft:
        """What is typed and not sent, `text` in the composer."""
        state, editing = self.desk.state, self.editing
        waits = state.snapshot.pending is not None and state.snapshot.pending.prompt == state.prompt
        said = (*((state.prompt,) if state.prompt is not None and not waits else ()), *state.queued)
        if editing is None:
            return Draft(text, said, chip=self.chip)
        if editing.fact:
            return Draft(text, said, editing, self.desk.fact.reply.text, self.desk.fact.prompt.text, self.chip)
        return Draft(text, said, editing, self.desk.replies.editor.editor.text, "", self.chip)

    def resume(self, draft: Draft) -> str:
        """Open the editor, and set the chip, as `draft` says; return its text if what it was for is gone."""
        state, editing = self.desk.state, draft.editing
        for about in draft.chip, editing:
            if about is not None and about.prompt_id is not None and state.snapshot.pending is not None:
                state.page = about.prompt_id if state.snapshot.pending.at(about.prompt_id) else None
        if draft.chip is not None and self._applies(draft.chip):
            self.chip = draft.chip
        if editing is None:
            return ""
        if not self._applies(editing):
            return draft.reply
        self.open(editing, draft.reply, draft.question)
        return ""

    def _applies(self, editing: Editing) -> bool:
        """Whether a reply can still be taught to what `editing` says."""
        shot = self.desk.state.snapshot
        at = -1 if editing.number is None else editing.number - 1 - (shot.turns_total - len(shot.turns))
        there = -1 <= at < len(shot.turns) and bool(shot.turns)
        here = editing.turn is None or (there and shot.turns[at].prompt == editing.turn)
        return here and not self._refusal(editing)

    def state(self, prompt: str, reply: str) -> None:
        """Teach the edited fact. If it cannot be taught it stays in the editor."""
        desk, editing, pending = self.desk, self.editing, self.desk.state.pending
        if CORRECT.read(prompt) is None or CORRECT.read(reply) is None:
            desk.tell("a question and an answer are both needed", "warning")
        elif pending is None or (refusal := self._refusal(editing)):
            desk.tell(GONE if pending is None else refusal, "warning")
        else:
            self.sent = None if editing is None else (editing, reply, prompt)
            chosen = Chosen(None, reply.strip(), "statement", prompt.strip())
            desk.teach(chosen, c.TeachFact(pending.prompt_id, prompt, reply))

    def correct(self, text: str, editing: Editing | None) -> bool:
        """Teach `text` for the waiting prompt, or for the last turn; return whether it was sent."""
        desk, shot, pending = self.desk, self.desk.state.snapshot, self.desk.state.pending
        if refusal := "an empty reply is never learned" if CORRECT.read(text) is None else self._refusal(editing):
            desk.tell(refusal, "warning")
            return False
        self.sent = (editing, text, "") if editing is not None and editing is self.editing else None
        edited = editing.index if editing is not None else None
        original = desk.state.candidate(edited) if edited is not None else None
        if editing is not None and editing.number is not None:
            number, prompt = editing.number, editing.turn or ""
            known = prompt if self._shown(number) else None
            desk.teach(
                Chosen(None, text.strip(), "correction", prompt, number), c.Correct(text, turn=number, prompt=known)
            )
        elif pending is None:
            desk.teach(Chosen(None, text.strip(), "correction", shot.turns[-1].prompt), c.Correct(text))
        elif original is not None and original.text.strip() == text.strip():
            # An unchanged reply is the model's own: a pick.
            chosen = Chosen(original.index, original.text, "pick", pending.prompt)
            desk.teach(chosen, c.Pick(pending.prompt_id, original.index))
        else:
            chosen = Chosen(None, text.strip(), "correction", pending.prompt)
            desk.teach(chosen, c.Correct(text, pending.prompt_id, edited))
        return True

    def _shown(self, number: int) -> bool:
        """Whether turn `number` is among those that the screen knows."""
        shot = self.desk.state.snapshot
        return number > shot.turns_total - len(shot.turns)

    def go_on(self, index: int | None) -> bool:
        """Let candidate `index` (None: the marked one) go on where it was cut; return whether that could be asked."""
        state, pending = self.desk.state, self.desk.state.pending
        index = index or self.desk.replies.cursor
        candidate = state.candidate(index)
        if pending is None or candidate is None or candidate.ended:
            self.desk.tell(f"reply {index} was not cut", "warning")
            return False
        self.desk.send(c.Continue(pending.prompt_id, index))
        return True

    def _refusal(self, editing: Editing | None) -> str:
        """Why the text for `editing` cannot be taught now; "" if it can."""
        pending = self.desk.state.pending
        older = editing is not None and editing.number is not None  # has nothing to do with what waits
        gone = editing is not None and editing.prompt_id != (pending.prompt_id if pending is not None else None)
        gone = gone and not older
        verb = FACT if editing is not None and editing.fact else CORRECT
        return GONE if gone else self.desk.state.refused(verb)
