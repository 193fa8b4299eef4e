"""The one screen: talk, pick, fix, see that it was learned.

It folds events into a `State`, lets every widget draw from that, and turns keys into commands. What a key may do now
is decided in one place, `check_action`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Paste

from theta_tui.base.config import Settings
from theta_tui.base.text import repair, visible
from theta_tui.session import protocol as p
from theta_tui.ui import messages as m
from theta_tui.ui.bindings import SCREEN
from theta_tui.ui.clock import Clock
from theta_tui.ui.compat.sized import Sized
from theta_tui.ui.fixing import CorrectionEditor
from theta_tui.ui.safe import Plain
from theta_tui.ui.screens.ledger import LedgerScreen
from theta_tui.ui.state import Chosen, State
from theta_tui.ui.verbs import Verbs
from theta_tui.ui.widgets.candidates import CandidateList
from theta_tui.ui.widgets.composer import Composer
from theta_tui.ui.widgets.conversation import Conversation
from theta_tui.ui.widgets.fact import FactBox
from theta_tui.ui.widgets.header import Header
from theta_tui.ui.widgets.keybar import KeyBar
from theta_tui.ui.widgets.learning import LearningLine, LearningPanel
from theta_tui.ui.widgets.rule import Rule
from theta_tui.ui.words import WELCOME, asked, entries, placeholder, rule_words

if TYPE_CHECKING:
    from theta_tui.store.records import Candidate


class TeachScreen(Sized):
    """`send` hands a command to the worker; `tell` shows the person a toast."""

    BINDINGS = [*SCREEN]
    AUTO_FOCUS = "#say"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (72, "-medium"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (10, "-short"), (18, "-normal"), (30, "-tall")]

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        send: Callable[[p.Command], None],
        tell: Callable[[str, str], None],
    ) -> None:
        super().__init__()
        self.settings = settings
        self.clock = clock
        self.send = send
        self.tell = tell
        self.state = State()
        self.fixing = CorrectionEditor(self)
        self.fresh_until = 0.0
        self.verbs = Verbs(self)
        self.ledger: LedgerScreen | None = None
        self._composed = False

    def compose(self) -> ComposeResult:
        yield Header(self.clock, id="header")
        with Horizontal(id="body"):
            with Vertical(id="talk"):
                yield LearningLine(id="learning-line")
                yield Conversation(id="conversation")
            yield LearningPanel(self.clock, id="learning")
        yield Plain(id="asked")
        yield Rule(self.clock, id="rule")
        yield CandidateList(self._typed, id="candidates")
        yield FactBox()
        yield Composer(self.verbs.complete, id="composer")
        yield KeyBar(self._hides, id="keybar")

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tick)
        self.conversation.welcome = WELCOME
        self._composed = True
        self.draw()

    # --- the widgets ---

    conversation = getters.query_one(Conversation)
    replies = getters.query_one(CandidateList)
    composer = getters.query_one(Composer)
    fact = getters.query_one(FactBox)

    @property
    def waiting(self) -> bool:
        """Whether the replies are too fresh to be picked."""
        return self.state.mode == "choosing" and self.clock.monotonic() < self.fresh_until

    # --- drawing ---

    def draw(self) -> None:
        """Let every widget show the state."""
        if not self._composed:
            return  # a resize can come before the widgets
        state = self.state
        self.query_one(Header).snapshot = state.snapshot
        self.conversation.show(entries(state), state.fatal.message if state.fatal is not None else "")
        self.query_one(LearningPanel).show(state)
        self.query_one(LearningLine).draw(state)
        self.query_one("#asked", Plain).show(visible(f"you  {asked(state)}" if asked(state) else "", one_line=True))
        self.replies.show(state, self.waiting)
        pending = state.snapshot.pending
        stated = pending.statement if pending is not None and state.mode == "choosing" else None
        self.fact.show(stated, self.settings.keymap.get("pick.fact", "s"))
        self.set_class(stated is not None, "-stated")
        self.draw_rule()
        self.composer.say(placeholder(state))
        self.refresh_bindings()

    def draw_rule(self) -> None:
        """The line above the replies alone: it also depends on the focus."""
        in_list = self.focused is self.replies
        self.query_one(Rule).show(rule_words(self.state, self.fixing.editing, self.waiting, in_list))

    def on_descendant_focus(self) -> None:
        self.draw_rule()

    def on_resize(self) -> None:
        if not self._composed:
            return
        height = self.app.size.height
        self.replies.set_most(1 if height < 18 else 2 if height < 30 else 3, 3 if height < 10 else None)
        self.call_after_refresh(self.draw)

    def _tick(self) -> None:
        """Ages grow."""
        self.query_one(Header).refresh()
        self.query_one(LearningPanel).show(self.state)

    def _hides(self, name: str) -> bool:
        """Keys that apply but that the bottom line need not name."""
        if name in {"say.escape", "app.escape"}:
            return not self.state.stoppable
        if name == "say.newline":
            return not self.composer.text
        if name == "say.send":
            return self.state.mode == "broken" or (
                not self.composer.text and self.state.mode not in {"idle", "loading"}
            )
        return name == "say.tab" and self.state.mode not in {"choosing", "idle"}

    # --- events ---

    def apply(self, event: p.Event) -> None:
        """Replay an event in, and say or do what it calls for."""
        before, prompt_before = self.state.mode, self.state.prompt
        self.state.apply(event)
        if not self.composer.history:
            self.composer.history = [turn.prompt for turn in event.snapshot.turns]
        match event:
            case p.Proposed():
                self._offer()
            case p.Ready() if self.state.mode == "choosing":
                self._offer()
            case p.Cancelled(prompt=prompt):
                if self.state.queued is None and not self.composer.text:
                    self.composer.put(prompt)
                self.focus_composer()
            case p.Taught(outcome=outcome):
                if outcome.skipped is not None:
                    self.tell(f"nothing was learned: {outcome.skipped}", "warning")
                if self.state.mode == "choosing" and not self.composer.text:
                    self.replies.focus()  # a fact was learned; the five replies still wait
                else:
                    self.focus_composer()
            case p.Undone(reply=reply):
                self.tell(f"taken back: {_short(reply)}", "information")
                if self.state.mode == "choosing":
                    self._offer()
            case p.Redone(reply=reply):
                self.tell(f"brought back: {_short(reply)}", "information")
            case p.Withdrawn(number=number, reply=reply):
                self.tell(f"lesson {number} is withdrawn: {_short(reply)}", "information")
            case p.Saved(asked=asked_for, seconds=seconds):
                self.tell(f"checkpoint saved{f' in {seconds:.1f} s' if asked_for else ''}", "information")
            case p.Quizzed(snapshot=shot) if self.ledger is None:  # the ledger shows it
                self.tell(shot.tally.words if shot.tally.live else "nothing was taught yet", "information")
            case p.Notice(text=text):
                self.tell(text, "information")
            case p.Failed(message=message, fatal=fatal):
                if not fatal:  # a fatal one stays on the screen
                    self.tell(message, "error")
                if prompt_before is not None and not self.composer.text:
                    self.composer.put(prompt_before)
                self.focus_composer()
            case _:
                pass
        if before != self.state.mode and self.state.mode in {"idle", "choosing"}:
            self._send_queued()
        if self.ledger is not None:
            self.ledger.apply(event)
        self.draw()

    def _offer(self) -> None:
        """Fresh replies: the first is marked, digits wait a moment, the focus comes unless the person is writing."""
        self.fixing.close()
        self.replies.cursor = 1
        self.replies.scroll_home(animate=False)
        if self.state.queued is not None:
            return
        self.fresh_until = self.clock.monotonic() + self.settings.grace
        if self.settings.grace > 0:
            self.set_timer(self.settings.grace + 0.01, self.draw)
        if not self.composer.text and self.app.screen is self:
            self.replies.focus()

    def _send_queued(self) -> None:
        if self.state.queued is not None:
            self._propose(self.state.queued)

    def _propose(self, prompt: str) -> None:
        self.state.begin_prompt(prompt)
        self.send(p.Propose(prompt))
        self.conversation.scroll_end(animate=False)

    def teach(self, chosen: Chosen, command: p.Command) -> None:
        """Send a lesson and show it as under way."""
        self.state.begin_lesson(chosen)
        self.send(command)
        self.fixing.close()
        self.focus_composer()
        self.draw()

    # --- what may be done now ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        mode, shot = self.state.mode, self.state.snapshot
        if self.fixing.editing is not None and action in {
            "pick",
            "pick_cursor",
            "again",
            "none",
            "edit",
            "type",
            "undo",
            "redo",
            "move",
            "fact",
        }:
            return False  # keys that arrive before the editor has the focus are its text
        match action:
            case "pick" | "pick_cursor" | "again" | "none":
                return mode == "choosing" and not (shot.read_only and action != "none")
            case "fact":
                offered = shot.pending.statement if shot.pending is not None else None
                return mode == "choosing" and offered is not None and not shot.read_only
            case "move":
                return self.state.offered is not None
            case "edit" | "type":
                return not shot.read_only and (mode == "choosing" or (mode == "idle" and bool(shot.turns)))
            case "undo":
                return mode in {"idle", "choosing"} and shot.lessons > 0 and not shot.read_only
            case "redo":
                return mode in {"idle", "choosing"} and shot.redo and not shot.read_only
            case "copy":
                return self.copyable() is not None
            case "save":
                return mode not in {"loading", "broken"} and not shot.read_only
            case _:
                return True

    # --- keys ---

    def action_pick(self, index: int) -> None:
        """Teach candidate `index`, unless the replies are too fresh."""
        candidate, pending = self.candidate(index), self.state.snapshot.pending
        if self.waiting or candidate is None or pending is None:
            return
        self.replies.cursor = index
        chosen = Chosen(index, candidate.text, "pick", pending.prompt)
        self.teach(chosen, p.Pick(pending.prompt_id, index))

    def action_pick_cursor(self) -> None:
        self.action_pick(self.replies.cursor)

    @on(m.Clicked)
    def _clicked(self, message: m.Clicked) -> None:
        if self.check_action("pick", ()):
            self.action_pick(message.index)

    def action_move(self, by: int) -> None:
        self.replies.move(by)

    def action_edit(self) -> None:
        """Edit the marked reply in place; with none on offer, the last turn's."""
        self.fixing.edit()

    def action_type(self) -> None:
        """Type a better reply from nothing."""
        self.fixing.type()

    def action_fact(self) -> None:
        """Look over the fact that was stated, then learn it."""
        if not self.waiting and self.check_action("fact", ()):
            self.fixing.fact()

    def action_again(self) -> None:
        """Five other replies to the same prompt."""
        pending = self.state.snapshot.pending
        if pending is not None and not self.waiting:
            self.state.begin_prompt(pending.prompt)
            self.send(p.Regenerate(pending.prompt_id))
            self.draw()

    def action_none(self) -> None:
        """None of these."""
        pending = self.state.snapshot.pending
        if pending is not None and not self.waiting:
            self.send(p.PassOver(pending.prompt_id))
            self.focus_composer()

    def action_undo(self) -> None:
        """Take back the last lesson."""
        if not self.waiting:
            self.send(p.Undo())

    def action_redo(self) -> None:
        """Bring back the lesson that was taken back last."""
        if not self.waiting:
            self.send(p.Redo())

    def action_lessons(self) -> None:
        """Every lesson, and whether it holds."""
        self.ledger = LedgerScreen(self.clock, self.send, self.state.snapshot, self.verbs.withdraw)
        self.app.push_screen(self.ledger, self._ledger_closed)

    def _ledger_closed(self, _: None) -> None:
        self.ledger = None

    def action_copy(self) -> None:
        """Copy the marked reply, or the last one said. OSC 52 has no answer, so nothing more can be promised."""
        text = self.copyable()
        if text is not None:
            self.app.copy_to_clipboard(text)
            self.tell("copied, if this terminal lets programs use the clipboard", "information")

    def action_save(self) -> None:
        self.send(p.Save())

    def action_help(self) -> None:
        self.verbs.help()

    def action_say(self) -> None:
        self.focus_composer()

    def action_command(self) -> None:
        self.focus_composer()
        if not self.composer.text:
            self.composer.put("/")

    def action_switch(self) -> None:
        """Between the replies and the composer."""
        if self.fixing.editing is not None and self.fixing.editing.fact:
            self.set_focus(self.fact.other())
        elif self.fixing.editing is not None:
            self.replies.editor.editor.focus()
        elif self.focused is self.replies:
            self.focus_composer()
        else:
            self.replies.focus()

    def action_escape(self) -> None:
        """Stop what can be stopped; else switch."""
        if self.state.stoppable:
            self.send(p.Cancel())
        else:
            self.action_switch()

    def action_scroll(self, by: int) -> None:
        talk = self.conversation
        talk.scroll_relative(y=by * max(1, talk.size.height - 2), animate=False)

    # --- the editor ---

    @on(m.EditLeft)
    def _edit_left(self) -> None:
        self.fixing.close()
        self.replies.focus()
        self.draw()

    @on(m.Corrected)
    def _corrected(self, message: m.Corrected) -> None:
        self.fixing.correct(message.text, self.fixing.editing)

    @on(m.FactGiven)
    def _fact_given(self, message: m.FactGiven) -> None:
        self.fixing.state(message.prompt, message.reply)

    # --- the composer ---

    @on(m.Sent)
    def _sent(self, message: m.Sent) -> None:
        self.verbs.sent(message.text)
        self.draw()

    @on(m.ComposerChanged)
    def _composer_changed(self) -> None:
        self.refresh_bindings()

    def _typed(self, character: str) -> None:
        """An unbound key: in a choice it begins a free correction, else it was meant for the composer."""
        mode = self.state.mode
        if self.fixing.editing is not None:
            self.replies.editor.editor.insert(character)
        elif mode == "choosing" and not self.waiting and not self.state.snapshot.read_only:
            self.fixing.type(character)
        elif not (character.isdigit() and mode in {"proposing", "learning", "choosing"}):
            self.focus_composer()
            self.composer.put(self.composer.text + character)

    def on_paste(self, event: Paste) -> None:
        """A paste that no editor has taken goes where typing would."""
        event.stop()
        text = self.cleaned(event.text)
        if self.fixing.editing is None and self.state.mode != "choosing":
            self.focus_composer()
            self.composer.put(self.composer.text + text)
        else:
            self._typed(text)

    @on(m.Told)
    def _told(self, message: m.Told) -> None:
        self.tell(message.text, "warning")

    def say(self, text: str) -> None:
        """Offer replies to `text`, now or when the machine is free."""
        text = self.cleaned(text).strip("\n")
        mode = self.state.mode
        if mode in {"choosing", "idle"}:
            self.fixing.close()
            self._propose(text)
            return
        if self.state.queued is not None:
            self.tell("the prompt that waited was replaced", "information")
        self.state.queued = text
        if mode == "proposing":
            self.send(p.Cancel())

    def cleaned(self, text: str) -> str:
        """`text` as it can be stored, telling what had to be changed."""
        text, notices = repair(text)
        for notice in notices:
            self.tell(notice, "warning")
        return text

    # --- small things ---

    def candidate(self, index: int) -> Candidate | None:
        """Candidate `index` of what waits."""
        pending = self.state.snapshot.pending
        return next((c for c in pending.candidates if c.index == index), None) if pending is not None else None

    def copyable(self) -> str | None:
        """What `y` copies: the marked reply, or the last one of the conversation."""
        candidate = self.candidate(self.replies.cursor)
        if candidate is not None:
            return candidate.text
        turns = self.state.snapshot.turns
        return turns[-1].reply if turns else None

    def focus_composer(self) -> None:
        """Unless an editor is open."""
        if self.fixing.editing is None:
            # At once and not by Widget.focus, which waits its turn behind keys that are meant for the composer.
            self.set_focus(self.composer.prompt)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
