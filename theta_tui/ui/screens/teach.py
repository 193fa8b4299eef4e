"""The main screen: talk, pick, correct, see that it was learned.

It updates a `State` with events, lets every widget draw from that, and turns keys into commands. Only `check_action`
decides which keys apply now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Paste

from theta_tui.base.config import Settings, change
from theta_tui.base.errors import UsageError
from theta_tui.base.text import is_blank, visible
from theta_tui.session import protocol as p
from theta_tui.session.verbs import BY_NAME, SLASH, Call, Mistake, Verb, complete, configure, read
from theta_tui.ui import messages as m
from theta_tui.ui.bindings import SCREEN
from theta_tui.ui.clock import Clock
from theta_tui.ui.compat.sized import Sized
from theta_tui.ui.correction_editor import CorrectionEditor
from theta_tui.ui.labels import WELCOME, Typed, asked, entries, hidden, placeholder, rule_words, toast
from theta_tui.ui.lists import Lists
from theta_tui.ui.safe import Plain
from theta_tui.ui.screens.info import HelpScreen, ModelsScreen, StatsScreen
from theta_tui.ui.screens.ledger import LedgerScreen
from theta_tui.ui.state import Chosen, State
from theta_tui.ui.widgets.candidates import CandidateList
from theta_tui.ui.widgets.composer import Composer
from theta_tui.ui.widgets.conversation import Conversation
from theta_tui.ui.widgets.fact import FactBox
from theta_tui.ui.widgets.header import Header
from theta_tui.ui.widgets.keybar import KeyBar
from theta_tui.ui.widgets.learning import LearningLine, LearningPanel
from theta_tui.ui.widgets.rule import Rule

OF_VERB = {name: name for name in ("pick", "regen", "fact")} | {
    "pick_cursor": "pick",
    "edit": "correct",
    "type": "correct",
}
"""The verb of an action on the replies: it applies when the verb does."""
PICKING = frozenset({"pick", "pick_cursor", "move", "none"})
"""Actions whose keys are for the replies while nothing is typed, and otherwise for the text."""


class TeachScreen(Sized):
    """`send` sends a command to the worker; `tell` shows a toast."""

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
        self.corrections = CorrectionEditor(self)
        self.lists = Lists(self)
        self.fresh_until = 0.0
        self.own: dict[str, Callable[..., object]] = {
            "correct": lambda text: self.corrections.correct(text, None), "fact": self.action_fact,
            "undo": self.action_undo, "redo": self.action_redo, "regen": self.action_regen,
            "lessons": self.action_lessons, "stats": self.action_stats, "set": self._set, "copy": self.action_copy,
            "help": self.action_help, **self.lists.verbs,
        }  # fmt: skip
        """The verbs that need more than a command to the worker; the app adds some. False: it failed."""
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
        yield CandidateList(id="candidates")
        yield FactBox()
        yield Composer(
            lambda line: complete(line, sorted(self.app.available_themes)), lambda: self.picking, id="composer"
        )
        yield KeyBar(self._named, id="keybar")

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

    @property
    def writing(self) -> bool:
        return self._composed and bool(self.composer.text)

    @property
    def picking(self) -> bool:
        """Whether Enter, the arrows and Esc are for the replies: they wait, and nothing is typed."""
        return self.state.mode == "choosing" and not (
            self.waiting or self.writing or self.corrections.chip or self.corrections.editing
        )

    # --- drawing ---

    def draw(self) -> None:
        """Draw the state in every widget."""
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
        self.fact.show(stated, self.settings.keymap.get("pick.fact", "f3"))
        self.set_class(stated is not None, "-stated")
        self.draw_words()
        self.refresh_bindings()

    def draw_words(self) -> None:
        """The line above the replies, and what an empty composer says: they also depend on what is typed and marked."""
        typed = Typed(self.writing, self.corrections.teaches, self.corrections.chip)
        self.query_one(Rule).show(rule_words(self.state, self.corrections.editing, self.waiting, typed))
        cursor = self.replies.cursor if self.picking else None
        self.composer.say(placeholder(self.state, typed, cursor), teaches=typed.teaches)

    def on_resize(self) -> None:
        if not self._composed:
            return
        height = self.app.size.height
        self.replies.set_most(1 if height < 18 else 2 if height < 30 else 3, 3 if height < 10 else None)
        self.call_after_refresh(self.draw)

    def _tick(self) -> None:
        """Draw the ages again."""
        self.query_one(Header).refresh()
        self.query_one(LearningPanel).show(self.state)

    def _named(self, name: str, usual: str) -> str:
        if hidden(self.state, name, writing=self.writing):
            return ""
        return "teach" if name == "say.send" and self.corrections.teaches else usual

    # --- events ---

    def apply(self, event: p.Event) -> None:
        """Apply an event, and show or do what it requires."""
        before, prompt_before, sent = self.state.mode, self.state.prompt, self.state.chosen
        self.state.apply(event)
        if not self.composer.history:
            self.composer.history = [turn.prompt for turn in event.snapshot.turns]
        if (said := toast(event)) and not (isinstance(event, p.Quizzed) and self.ledger):  # the ledger shows it
            self.tell(*said)
        match event:
            case p.Proposed():
                self._offer()
            case p.Ready() if self.state.mode == "choosing":
                self._offer()
            case p.Cancelled(prompt=prompt):
                if self.state.queued is None:
                    self._put_back(prompt)
                self.focus_composer()
            case p.Taught():
                self.corrections.sent = None
                if self.state.mode == "choosing":
                    self._pause_picks()  # a fact was learned: an Enter too many would pick the first reply
                self.focus_composer()
            case p.TakenBack(deed="undo") if self.state.mode == "choosing":
                self._offer()
            case p.Models():
                self.app.push_screen(ModelsScreen(event))
            case p.Failed(command="Say"):
                pass  # the prompt behind it is on its way
            case p.Failed(command=command):
                if command not in p.LESSONS or not self.corrections.reopen():
                    self._put_back(prompt_before, f"/correct {sent.reply}" if sent and command == "Correct" else None)
                self.focus_composer()
            case _:
                pass
        if before != self.state.mode and self.state.mode in {"idle", "choosing"}:
            self._send_queued()
        if self.ledger is not None:
            self.ledger.apply(event)
        self.lists.apply(event)
        self.draw()

    def _put_back(self, *texts: str | None) -> None:
        """Put a refused text back into the composer, unless the person is writing there."""
        text = next(filter(None, texts), None)
        if text is not None and not self.composer.text:
            self.composer.put(text)

    def _offer(self) -> None:
        """Fresh replies: the first is marked, and nothing picks for a moment."""
        self.corrections.reset()
        self.replies.cursor = 1
        self.replies.scroll_home(animate=False)
        if self.state.queued is not None:
            return
        self._pause_picks()
        self.focus_composer()

    def _pause_picks(self) -> None:
        """Let nothing pick for `grace` seconds."""
        self.fresh_until = self.clock.monotonic() + self.settings.grace
        if self.settings.grace > 0:
            self.set_timer(self.settings.grace + 0.01, self.draw)

    def _send_queued(self) -> None:
        if self.state.queued is not None:
            self._propose(self.state.queued)

    def _propose(self, prompt: str) -> None:
        """Say `prompt`; one that waits is answered by its first reply, and nothing is taught."""
        pending = self.state.snapshot.pending
        if pending is not None and not self.state.snapshot.read_only:
            self.send(p.Say(pending.prompt_id))
        self.corrections.chip = None
        self.state.begin_prompt(prompt)
        self.send(p.Propose(prompt))
        self.conversation.scroll_end(animate=False)

    def teach(self, chosen: Chosen, command: p.Command) -> None:
        """Send a lesson and show it as under way."""
        self.state.begin_lesson(chosen)
        self.send(command)
        self.corrections.reset()
        self.focus_composer()
        self.draw()

    # --- what may be done now ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        verb = BY_NAME.get(OF_VERB.get(action, action))
        if self.corrections.editing is not None and (action in OF_VERB or action in {"undo", "redo"}):
            return False
        if action in PICKING and not self.picking:
            return False
        return verb is None or not self.state.refused(verb)

    # --- keys ---

    def action_pick(self, index: int) -> None:
        """Teach candidate `index`, unless the replies are too fresh."""
        candidate, pending = self.state.candidate(index), self.state.snapshot.pending
        if self.waiting or candidate is None or pending is None:
            return
        self.replies.cursor = index
        chosen = Chosen(index, candidate.text, "pick", pending.prompt)
        self.teach(chosen, p.Pick(pending.prompt_id, index))

    def action_pick_cursor(self) -> None:
        self.action_pick(self.replies.cursor)

    @on(m.Clicked)
    def _clicked(self, message: m.Clicked) -> None:
        if self.corrections.editing is None and not self.state.refused(BY_NAME["pick"]):
            self.action_pick(message.index)

    def action_move(self, by: int) -> None:
        self.replies.move(by)
        self.draw_words()

    def action_edit(self) -> None:
        """Edit the marked reply in place or, if no replies wait, that of the last turn."""
        self.corrections.edit()

    def action_type(self) -> None:
        """Switch the composer between saying and teaching what is typed; the text stays."""
        self.corrections.switch()
        self.draw()

    def action_fact(self) -> None:
        """Open the stated fact in the editor."""
        if not self.waiting and self.check_action("fact", ()):
            self.corrections.fact()

    def action_regen(self) -> None:
        """Five other replies to the same prompt."""
        pending = self.state.snapshot.pending
        if pending is not None and not self.waiting:
            self.state.begin_prompt(pending.prompt)
            self.send(p.Regenerate(pending.prompt_id))
            self.draw()

    def action_none(self) -> None:
        """Pick none of the replies."""
        pending = self.state.snapshot.pending
        if pending is not None and not self.waiting:
            self.send(p.PassOver(pending.prompt_id))
            self.focus_composer()

    def action_undo(self) -> None:
        """Take back the last lesson."""
        if not self.waiting:
            self.send(p.TakeBack("undo"))

    def action_redo(self) -> None:
        """Bring back the lesson that was taken back last."""
        if not self.waiting:
            self.send(p.TakeBack("redo"))

    def action_lessons(self) -> None:
        """Open the list of lessons."""
        self.ledger = LedgerScreen(
            self.clock, self.send, self.state.snapshot, partial(self.run_verb, BY_NAME["withdraw"])
        )
        self.app.push_screen(self.ledger, self._ledger_closed)

    def _ledger_closed(self, _: None) -> None:
        self.ledger = None

    def action_copy(self) -> None:
        """Copy the marked reply, or the last one said. OSC 52 has no response, so success is unknown."""
        text = self.state.copyable(self.replies.cursor)
        if text is not None:
            self.app.copy_to_clipboard(text)
            self.tell("copied, if this terminal lets programs use the clipboard", "information")

    def action_save(self) -> None:
        self.send(p.Save())

    def action_help(self) -> None:
        """Open the screen of keys and commands."""
        self.app.push_screen(HelpScreen())

    def action_stats(self) -> None:
        self.app.push_screen(StatsScreen(self.state, self.clock))

    def action_switch(self) -> None:
        """To the other part of a fact; else to where the keyboard belongs."""
        if self.corrections.editing is not None and self.corrections.editing.fact:
            self.set_focus(self.fact.other())
        elif self.corrections.editing is not None:
            self.set_focus(self.replies.editor.editor)
        else:
            self.focus_composer()

    def action_escape(self) -> None:
        """Stop what can be stopped; else say again what is typed, and not teach it."""
        if self.state.stoppable:
            self.send(p.Cancel())
        elif self.corrections.chip is not None:
            self.corrections.chip = None
            self.draw()
        else:
            self.action_switch()

    def action_scroll(self, by: int) -> None:
        talk = self.conversation
        talk.scroll_relative(y=by * max(1, talk.size.height - 2), animate=False)

    # --- the editor ---

    @on(m.EditLeft)
    def _edit_left(self) -> None:
        self.corrections.close()
        self.focus_composer()
        self.draw()

    @on(m.Corrected)
    def _corrected(self, message: m.Corrected) -> None:
        self.corrections.correct(message.text, self.corrections.editing)

    @on(m.FactGiven)
    def _fact_given(self, message: m.FactGiven) -> None:
        self.corrections.state(message.prompt, message.reply)

    # --- the composer ---

    @on(m.Sent)
    def _sent(self, message: m.Sent) -> None:
        """Take a prompt or a verb. A refused text is put back into the composer."""
        if not self._take(message.text):
            self._put_back(message.text)
        self.draw()

    def _take(self, text: str) -> bool:
        """Carry out a line; return whether that succeeded."""
        meant = read(text.strip() if text.lstrip().startswith("/") else text)
        if isinstance(meant, Mistake):
            self.tell(meant.text, "warning")
            return False
        if isinstance(meant, Call):
            return self.run_verb(meant.verb, *meant.arguments)
        if is_blank(meant.text):
            return True
        if self.state.mode == "broken":
            self.tell("Theta has stopped; ctrl+q leaves", "error")
            return False
        if self.corrections.teaches:
            return self.corrections.typed(meant.text)
        self.say(meant.text)
        return True

    # --- verbs ---

    def run_verb(self, verb: Verb, *arguments: object) -> bool:
        """Carry out `verb` if it applies; return whether that succeeded."""
        if refusal := self.state.refused(verb):
            self.tell(refusal, "warning")
            return False
        if verb.name in self.own:
            return self.own[verb.name](*arguments) is not False
        assert verb.command is not None, verb.name
        self.send(verb.command(*arguments))
        return True

    def palette(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        """(title, help, action) of each verb for the command palette. A verb with an argument fills the composer."""
        for verb in SLASH:
            yield verb.line, verb.about, partial(self._choose, verb)

    def _choose(self, verb: Verb) -> None:
        if verb.read("") is None:
            self.focus_composer()
            self.composer.put(f"/{verb.name} ")
        else:
            self.run_verb(verb, *(verb.read("") or ()))
            self.draw()

    def _set(self, name: str, value: str) -> bool:
        if name == "theme":
            return self.own["theme"](value) is not False
        try:
            self.settings = change(self.settings, name, value)
        except UsageError as error:
            self.tell(str(error), "warning")
            return False
        self.send(configure(name, value))
        return True

    @on(m.ComposerChanged)
    def _composer_changed(self) -> None:
        self.draw_words()
        self.refresh_bindings()

    def on_paste(self, event: Paste) -> None:
        """Put a paste that no editor has taken where typing would go."""
        event.stop()
        self.focus_composer()
        editor = self.composer.prompt if self.corrections.editing is None else self.replies.editor.editor
        editor.paste(event.text)

    @on(m.Told)
    def _told(self, message: m.Told) -> None:
        self.tell(message.text, "warning")

    def say(self, text: str) -> None:
        """Request replies to `text`, now or when the worker is free."""
        text = text.strip("\n")
        mode = self.state.mode
        if mode in {"choosing", "idle"}:
            self.corrections.close()
            self._propose(text)
            return
        if self.state.queued is not None:
            self.tell("the prompt that waited was replaced", "information")
        self.state.queued = text

    # --- small things ---

    def focus_composer(self) -> None:
        """Focus the composer, unless an editor is open."""
        if self.corrections.editing is None:
            # At once, not by Widget.focus, which is queued behind keys that are meant for the composer.
            self.set_focus(self.composer.prompt)
