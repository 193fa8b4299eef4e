"""The main screen: talk, pick, correct, see that it was learned.

It updates a `State` with events, lets every widget draw from that, and turns keys into commands. Only `check_action`
decides which keys apply now.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Paste

from theta_tui.base.config import Settings
from theta_tui.base.text import visible
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.session.verbs import BY_NAME, complete
from theta_tui.ui import messages as m
from theta_tui.ui.bindings import SCREEN
from theta_tui.ui.clock import Clock
from theta_tui.ui.compat.editor import Editor
from theta_tui.ui.correction_editor import CorrectionEditor
from theta_tui.ui.drafts import Drafts
from theta_tui.ui.labels import WELCOME, Typed, asked, entries, hidden, placeholder, rule_words, toast
from theta_tui.ui.safe import Plain
from theta_tui.ui.screens import models
from theta_tui.ui.screens.drafts import DraftKeeper
from theta_tui.ui.screens.history import HistoryScreen
from theta_tui.ui.screens.info import HelpScreen, StatsScreen
from theta_tui.ui.screens.ledger import LedgerScreen
from theta_tui.ui.screens.lists import Lists
from theta_tui.ui.screens.verbs import VerbScreen
from theta_tui.ui.state import Chosen, State
from theta_tui.ui.widgets.before_after import BeforeAfter
from theta_tui.ui.widgets.candidates import CandidateList
from theta_tui.ui.widgets.composer import Composer
from theta_tui.ui.widgets.conversation import Conversation
from theta_tui.ui.widgets.fact import FactBox
from theta_tui.ui.widgets.header import Header
from theta_tui.ui.widgets.keybar import KeyBar
from theta_tui.ui.widgets.learning import LearningLine, LearningPanel
from theta_tui.ui.widgets.rule import Rule
from theta_tui.ui.widgets.tour import Tour

OF_VERB = {name: name for name in ("pick", "regen", "fact")} | {
    "pick_cursor": "pick",
    "edit": "correct",
    "type": "correct",
}
"""The verb of an action on the replies: it applies when the verb does."""
PICKING = frozenset({"pick", "pick_cursor", "move", "page", "none"})
"""Actions whose keys are for the replies while nothing is typed, and otherwise for the text."""
SHORT = 18
"""With fewer lines the screen is short."""


class TeachScreen(VerbScreen):
    """`send` sends a command to the worker; `tell` shows a toast."""

    BINDINGS = [*SCREEN]
    AUTO_FOCUS = "#say"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (72, "-medium"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (10, "-short"), (SHORT, "-normal"), (30, "-tall")]

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        send: Callable[[c.Command], None],
        tell: Callable[[str, str], None],
        drafts: Drafts | None = None,
    ) -> None:
        super().__init__()
        self.drafts = DraftKeeper(self, drafts)
        self.settings = settings
        self.clock = clock
        self.send = send
        self.tell = tell
        self.tour = Tour()
        self.state = State()
        self.corrections = CorrectionEditor(self)
        self.lists = Lists(self)
        self.fresh_until = 0.0
        self.own: dict[str, Callable[..., object]] = {
            "correct": lambda text: self.corrections.correct(text, None), "fact": self.action_fact,
            "undo": self.action_undo, "redo": self.action_redo, "regen": self.action_regen,
            "lessons": self.action_lessons, "stats": self.action_stats, "set": self._set, "copy": self.action_copy,
            "help": self.action_help, "tour": lambda: self.tour.show(0),
            "continue": self.action_continue, **self.lists.verbs,
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
                yield BeforeAfter(id="before-after")
            yield LearningPanel(self.clock, id="learning")
        yield Plain(id="asked")
        yield Rule(self.clock, id="rule")
        yield CandidateList(id="candidates")
        yield self.tour
        yield FactBox()
        yield Composer(
            lambda line: complete(line, sorted(self.app.available_themes), self.state.models),
            lambda: self.picking,
            id="composer",
        )
        yield KeyBar(self._named, id="keybar")

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tick)
        self._composed = True
        self.drafts.start()
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
            self.tour.at is not None
            or self.waiting
            or self.writing
            or self.corrections.chip
            or self.corrections.editing
        )

    # --- drawing ---

    def draw(self) -> None:
        """Draw the state in every widget."""
        if not (self._composed and any(isinstance(child, Header) for child in self.children)):
            return  # a resize can come before the widgets, and a report of the worker after them
        state = self.state
        self.query_one(Header).snapshot = state.snapshot
        self.conversation.welcome = WELCOME if self.tour.at is None else ()
        free = state.mode in {"idle", "choosing"} and not state.snapshot.read_only
        keys = (self._key("pick.undo", "f4"), self._key("pick.redo", "f6")) if free else ()
        self.conversation.show(entries(state, *keys), state.fatal.message if state.fatal is not None else "")
        self.query_one(BeforeAfter).show(state)
        self.query_one(LearningPanel).show(state)
        self.query_one(LearningLine).draw(state)
        self.query_one("#asked", Plain).show(visible(f"you  {asked(state)}" if asked(state) else "", one_line=True))
        self.replies.show(state, self.waiting)
        pending = state.pending
        stated = pending.statement if pending is not None and state.mode == "choosing" else None
        self.fact.show(stated, self._key("pick.fact", "f3"))
        # Only the styles of short screens know these two: each change has the styles of all widgets found anew.
        short = self.app.size.height < SHORT
        self.set_class(short and stated is not None, "-stated")
        self.set_class(short and state.blank, "-blank")
        self.draw_words()
        self.refresh_bindings()

    def draw_words(self) -> None:
        """The line above the replies, and what an empty composer says: they also depend on what is typed and marked."""
        typed = Typed(self.writing, self.corrections.teaches, self.corrections.chip, self.composer.alone)
        words = None if self.writing else self.tour.words
        over = "chance" if self.state.mode == "choosing" and self.tour.at is None else ""
        self.query_one(Rule).show(words or rule_words(self.state, self.corrections.editing, self.waiting, typed), over)
        cursor = self.replies.cursor if self.picking else None
        self.composer.say(placeholder(self.state, typed, cursor), teaches=typed.teaches)

    def on_resize(self) -> None:
        if not self._composed:
            return
        height = self.app.size.height
        self.replies.set_most(1 if height < SHORT else 2 if height < 30 else 3, 3 if height < 10 else None)
        self.call_after_refresh(self.draw)

    def _tick(self) -> None:
        """Draw the ages again."""
        self.query_one(Header).refresh()
        self.query_one(LearningPanel).show(self.state)

    def _key(self, name: str, usual: str) -> str:
        """The key of binding `name`, as the line that offers it shows it."""
        return self.settings.keymap.get(name, usual).split(",")[0].strip()

    def _named(self, name: str, usual: str) -> str:
        if name == "say.send" and self.tour.at is not None and not self.writing:
            return "next"
        if hidden(self.state, name, writing=self.writing):
            return ""
        return "teach" if name == "say.send" and self.corrections.teaches else usual

    # --- events ---

    def apply(self, event: p.Event) -> None:
        """Apply an event, and show or do what it requires."""
        before, prompt_before, sent = self.state.mode, self.state.prompt, self.state.chosen
        self.state.apply(event)
        if not self.query(Composer):
            return  # on leaving, the widgets go before the last event comes
        if not self.composer.history:
            self.composer.history = [turn.prompt for turn in event.snapshot.turns]
        redo = self._key("ledger.redo" if self.ledger else "pick.redo", "f6")
        if (said := toast(event, redo)) and not (isinstance(event, p.Quizzed) and self.ledger):  # the ledger shows it
            self.tell(*said)
        match event:
            case p.Proposed():
                self._offer()
            case p.Ready():
                if self.state.mode == "choosing":
                    self._offer()
                self.drafts.resume()
            case p.Cancelled(prompt=prompt):
                if not self.state.queued:
                    self.put_back(prompt)
                self.focus_composer()
            case p.Taught():
                self.corrections.sent = None
                if self.state.mode == "choosing":
                    self._pause_picks()  # a fact was learned: an Enter too many would pick the first reply
                self.focus_composer()
            case p.TakenBack(deed="undo") | p.Switched() if self.state.mode == "choosing":
                self._offer()
            case p.Models() | p.ModelOffered():
                models.show(self.app, event, self.send)
            case p.History():
                self.app.push_screen(HistoryScreen(event))
            case p.Failed(command="Say"):
                pass  # the prompt behind it is on its way
            case p.Failed(command=command):
                if command not in c.LESSONS or not self.corrections.reopen():
                    self.put_back(prompt_before, f"/correct {sent.reply}" if sent and command == "Correct" else None)
                self.focus_composer()
            case _:
                pass
        if before != self.state.mode and self.state.mode in {"idle", "choosing"}:
            self._send_queued()
        if self.ledger is not None:
            self.ledger.apply(event)
        self.lists.apply(event)
        self.draw()

    def _offer(self) -> None:
        """Fresh replies: the first is marked, and nothing picks for a moment."""
        self.corrections.reset()
        self.replies.cursor = 1
        self.replies.scroll_home(animate=False)
        if self.state.queued:
            return
        self._pause_picks()
        self.focus_composer()

    def _pause_picks(self) -> None:
        """Let nothing pick for `grace` seconds."""
        self.fresh_until = self.clock.monotonic() + self.settings.grace
        if self.settings.grace > 0:
            self.set_timer(self.settings.grace + 0.01, self.draw)

    def _send_queued(self) -> None:
        if self.state.queued:
            prompt, self.state.queued = self.state.queued[0], self.state.queued[1:]
            self._propose(prompt)

    def _propose(self, prompt: str) -> None:
        """Say `prompt`; one that waits is answered by its first reply, and nothing is taught."""
        pending = self.state.pending
        if pending is not None and not self.state.snapshot.read_only:
            self.send(c.Say(pending.prompt_id))
        self.corrections.chip = None
        self.state.begin_prompt(prompt)
        self.send(c.Propose(prompt))
        self.conversation.scroll_end(animate=False)

    def teach(self, chosen: Chosen, command: c.Command) -> None:
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
        if action in OF_VERB and self.tour.at is not None:
            return False  # the replies are behind the card
        if action == "undo" and self.state.taking_back:
            return False  # a lesson is being taken back
        if action == "page":
            at, of = self.state.pages
            return 1 <= at + int(str(parameters[0])) <= of
        return verb is None or not self.state.refused(verb)

    # --- keys ---

    def action_pick(self, index: int) -> None:
        """Teach candidate `index`, unless the replies are too fresh."""
        candidate, pending = self.state.candidate(index), self.state.pending
        if self.waiting or candidate is None or pending is None:
            return
        self.replies.cursor = index
        if candidate.care:  # no taste to learn
            self.send(c.Say(pending.prompt_id, index))
            return
        chosen = Chosen(index, candidate.text, "pick", pending.prompt)
        self.teach(chosen, c.Pick(pending.prompt_id, index))

    def action_pick_cursor(self) -> None:
        self.action_pick(self.replies.cursor)

    @on(m.Clicked)
    def _clicked(self, message: m.Clicked) -> None:
        if self.corrections.editing is None and not self.state.refused(BY_NAME["pick"]):
            self.action_pick(message.index)

    def action_move(self, by: int) -> None:
        self.replies.move(by)
        self.draw_words()

    def action_page(self, by: int) -> None:
        """Show the five replies that were offered before these, or after them."""
        self.state.turn_page(by)
        self.replies.cursor = 1
        self.draw()

    def action_edit(self) -> None:
        """Edit the marked reply in place or, if no replies wait, that of the last turn."""
        self.corrections.edit()

    def action_type(self) -> None:
        """Switch the composer between saying and teaching what is typed; the text stays."""
        self.corrections.switch()
        self.draw()

    def action_fact(self) -> None:
        """Open the stated fact in the editor."""
        if self.check_action("fact", ()):
            self.corrections.fact()

    def action_regen(self) -> None:
        """Five other replies to the same prompt. Those that were offered stay, a page back."""
        pending = self.state.pending
        if pending is not None:
            self.state.begin_prompt(pending.prompt)
            self.send(c.Regenerate(pending.prompt_id))
            self.draw()

    def action_continue(self, index: int | None = None) -> bool:
        """Let a reply go on where it was cut: this one, or the marked one."""
        return self.corrections.go_on(index)

    def action_none(self) -> None:
        """Pick none of the replies."""
        pending = self.state.pending
        if pending is not None and not self.waiting:
            self.send(c.PassOver(pending.prompt_id))
            self.focus_composer()

    def action_undo(self) -> bool:
        """Take back the last lesson, or the one that is being learned; return whether that was asked for."""
        if self.state.undoing or self.state.taking_back:
            return False
        self.state.undoing = True
        self.send(c.TakeBack("undo"))
        return True

    def action_redo(self) -> None:
        """Bring back the lesson that was taken back last."""
        self.send(c.TakeBack("redo"))

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
        self.send(c.Save())

    def action_help(self) -> None:
        """Open the screen of keys and commands."""
        self.app.push_screen(HelpScreen())

    def action_stats(self) -> None:
        self.app.push_screen(StatsScreen(self.state, self.clock))

    def action_switch(self) -> None:
        """To the other part of a fact; else to where the keyboard belongs."""
        fact = self.corrections.editing is not None and self.corrections.editing.fact
        self.set_focus(self.fact.other() if fact else self.keyboard)

    def action_escape(self) -> None:
        """Stop what can be stopped; else say again what is typed, and not teach it."""
        if self.tour.skip():
            self.draw()
        elif self.state.stoppable:
            self.send(c.Cancel())
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

    @on(m.ComposerChanged)
    def _composer_changed(self) -> None:
        self.draw_words()
        self.refresh_bindings()

    def on_paste(self, event: Paste) -> None:
        """Put a paste that no editor has taken where typing would go."""
        event.stop()
        self.set_focus(self.keyboard)
        self.keyboard.paste(event.text)

    @on(m.Told)
    def _told(self, message: m.Told) -> None:
        self.tell(message.text, "warning")

    def say(self, text: str) -> None:
        """Request replies to `text`, now or when the worker is free."""
        self.tour.skip()
        text, mode = text.strip("\n"), self.state.mode
        if mode in {"choosing", "idle"}:
            self.corrections.close()
            self._propose(text)
            return
        self.state.queued = (*self.state.queued, text)

    # --- small things ---

    @property
    def keyboard(self) -> Editor:
        """Where the keyboard belongs: the open editor, or else the composer."""
        editing = self.corrections.editing
        if editing is None:
            return self.composer.prompt
        return self.fact.part if editing.fact else self.replies.editor.editor

    def focus_composer(self) -> None:
        """Focus the composer, unless an editor is open."""
        if self.corrections.editing is None:
            # At once, not by Widget.focus, which is queued behind keys that are meant for the composer.
            self.set_focus(self.composer.prompt)
