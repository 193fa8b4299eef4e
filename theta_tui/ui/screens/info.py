"""Information screens: keys, signs and commands; the statistics; the models."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from theta_tui.base.text import percent, plural, shortened, visible
from theta_tui.session.lists import FileRead, People
from theta_tui.session.protocol import Models
from theta_tui.session.verbs import SLASH
from theta_tui.store.report import named
from theta_tui.ui.bindings import ALL, APP, EDIT, INFO, LEDGER, LIST, PICK, PLOT, SAY, SCREEN
from theta_tui.ui.clock import Clock
from theta_tui.ui.compat.keys import keys_of
from theta_tui.ui.compat.sized import Sized
from theta_tui.ui.safe import Plain, join, wrap
from theta_tui.ui.state import State
from theta_tui.ui.widgets.header import count, saved

Rows = Iterable[tuple[str, str]]

PANEL = (
    ("loss", "how much the taught reply surprised the model: 0 is not at all, so lower is better; the curve shows the "
             "last lessons"),
    ("says it", "the chance that it says the taught reply word for word, before → after the lesson: more is better"),
    ("✓ says it by itself", "the taught reply is its own first choice now"),
    ("step", "one small change of the weights; a lesson takes a few"),
    ("kept 3/4", "of 4 lessons it still says 3 when it is asked"),
    ("fading", "still said, but only half as surely as right after the lesson, or less"),
    ("lost", "it says something else; teach it again, or take back the lesson since"),
    ("not checked", "not asked since the newest lesson; Theta asks while nothing else is to do"),
    ("replaced", "a later lesson has another reply to the same question"),
    ("saved", "when the weights were last written; what you taught is on disk before that"),
)  # fmt: skip
MARKS = (
    ("42 %", "beside a reply: the chance of exactly these words"),
    ("#3", "beside a reply: lesson 3 says this; #3? means that it is not sure to be meant"),
    ("✓ 2", "reply 2 was picked and taught; beside it how likely it was before → after"),
    ("✎", "a better reply was written and taught"),
    ("○", "said, and not taught"),
    ("?", "only asked: no part of the conversation"),
    ("·", "from the conversation file"),
    ("!", "nothing was learned"),
)


RECIPES = {
    "default": "default: each lesson in weights of its own",
    "adamw": "adamw: in weights that all lessons share, until it is said",
    "classic": "classic: in weights that all lessons share, by one step",
}
"""How a lesson is learned, in words."""
MOST_NAME = 19
"""Cells of a name; a longer one stands on a line of its own."""


class Table(Widget):
    """Rows of a name and what it is. All tables of a screen have names `column` cells wide; a long text is continued
    under its beginning."""

    def __init__(self, rows: Rows, column: int) -> None:
        super().__init__(classes="info-table")
        self.rows = tuple(rows)
        self.column = column

    def _lines(self, width: int) -> list[Content]:
        column = min(self.column, max(8, width * 2 // 5))
        lines = []
        for name, text in self.rows:
            pieces = wrap(visible(text, one_line=True), max(6, width - column))
            if len(name) + 2 > column:
                lines.append(join((name, "bold $primary")))
                name = ""
            for at, piece in enumerate(pieces):
                lines.append(join(((name if at == 0 else "").ljust(column), "bold $primary"), (piece, "")))
        return lines

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.content_size.width))


AROUND = 5
"""The lines of the border, the title and the foot."""


class InfoScreen(Sized, ModalScreen[None]):
    """A titled, scrollable list of tables; Esc closes it."""

    BINDINGS = [*INFO]
    heading = ""

    def tables(self) -> Iterable[tuple[str, Rows]]:
        """(heading, rows) of each part."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        tables = [(heading, tuple(rows)) for heading, rows in self.tables()]
        column = min(MOST_NAME, max((len(name) for _, rows in tables for name, _ in rows), default=0)) + 2
        with Vertical(id="info"):
            yield Plain(self.heading, id="info-title")
            with VerticalScroll(id="info-body", can_focus=False):
                for heading, rows in tables:
                    yield Plain(heading, classes="info-heading")
                    yield Table(rows, column)
            yield Static(self.foot(), id="info-foot")

    def foot(self) -> Content:
        return join(("esc", "bold $footer-key-foreground"), (" close", "$muted"))

    def on_resize(self) -> None:
        # The part that scrolls gets what title and foot leave of the screen; else it would push the foot out of it.
        self.query_one("#info-body").styles.max_height = max(1, self.app.size.height * 92 // 100 - AROUND)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        self.query_one("#info-body").scroll_relative(y=by, animate=False)


class HelpScreen(InfoScreen):
    """All keys and commands, with the person's own keymap; what the figures and signs mean; the ids of the keys."""

    heading = "θ  keys, signs and commands"

    def tables(self) -> Iterable[tuple[str, Rows]]:
        yield "while five replies wait", self._keys(PICK)
        yield "editing a reply", self._keys(EDIT)
        yield "writing", self._keys(SAY)
        yield "in the list of lessons", self._keys(LEDGER)
        yield "in the lists of conversations and turns", self._keys(LIST)
        yield "on the plots", self._keys(PLOT)
        yield "everywhere", [*self._keys([*SCREEN, *APP]), ("^p", "every command by name")]
        yield "mouse", [("click", "marks a reply"), ("again", "a second click on it picks it")]
        yield "the panel beside the conversation", PANEL
        yield "signs beside replies and turns", MARKS
        yield (
            "commands",
            [
                *((verb.line, verb.about) for verb in SLASH),
                ("//text", "says text that begins with a slash"),
            ],
        )
        yield (
            'other keys: [keymap] in config.toml, as in pick.edit = "f9"; these are the ids',
            [(binding.id or "", self._shown(binding)) for binding in ALL] + [("app.palette", "^p")],
        )

    def _shown(self, binding: Binding) -> str:
        return " ".join(self.app.get_key_display(binding.with_key(key)) for key in keys_of(self.app, binding))

    def _keys(self, bindings: Iterable[Binding]) -> list[tuple[str, str]]:
        rows = [(self._shown(binding), binding.description) for binding in bindings]
        if [row[1] for row in rows[:5]] == [f"pick reply {n}" for n in range(1, 6)]:
            rows[:5] = [(" ".join(row[0] for row in rows[:5]), "pick and teach that reply")]
        return rows


class StatsScreen(InfoScreen):
    """The statistics of the session, as sent by the worker."""

    heading = "θ  what it has learned"

    def __init__(self, state: State, clock: Clock) -> None:
        super().__init__()
        self.state = state
        self.clock = clock

    def tables(self) -> Iterable[tuple[str, Rows]]:
        shot = self.state.snapshot
        yield (
            "model",
            [
                ("name", shot.model or "–"),
                ("parameters", f"{shot.parameters:,} ({count(shot.parameters)})" if shot.parameters else "–"),
                ("device", shot.device or "–"),
                ("recipe", RECIPES.get(shot.recipe, shot.recipe) or "–"),
                *([("persona", shot.persona)] if shot.persona is not None else []),
            ],
        )
        yield (
            "taught",
            [
                ("lessons", f"{shot.lessons:,}"),
                ("training steps", f"{shot.step:,}"),
                ("turns", f"{shot.turns_total:,}"),
                ("saved", saved(shot, self.clock.now()) or "nothing to save"),
            ],
        )
        tally = shot.tally
        if tally.live or tally.superseded or tally.withdrawn:
            yield (
                "is it still known?",
                [
                    ("kept", f"{tally.kept} of {tally.live}, more is better"),
                    ("fading", named(tally.fading_first, tally.fading) or "none"),
                    ("lost", named(tally.lost_first, tally.lost) or "none"),
                    ("not checked", f"{tally.stale} since the newest lesson"),
                    ("replaced", f"{tally.superseded}"),
                    ("withdrawn", f"{tally.withdrawn}"),
                ],
            )
        last = shot.last
        if last is not None:
            yield (
                "last lesson",
                [
                    ("prompt", last.prompt),
                    ("reply", last.reply),
                    *([("said before", shot.said_before)] if shot.said_before is not None else []),
                    *([("says now", shot.says_now)] if shot.says_now is not None else []),
                    ("loss", f"{last.loss_before:.2f} → {last.loss_after:.2f}, lower is better"),
                    ("says it", f"{percent(last.p_before)} → {percent(last.p_after)}, more is better"),
                    ("by itself", "yes" if last.learned else "not yet"),
                    ("took", f"{plural(last.steps, 'step')}, {last.seconds:.2f} s"),
                ],
            )


class ModelsScreen(InfoScreen):
    """The models that have a name, as the worker sent them."""

    heading = "θ  models"

    def __init__(self, found: Models) -> None:
        super().__init__()
        self.found = found

    def tables(self) -> Iterable[tuple[str, Rows]]:
        ours = self.found.snapshot.model
        for heading, here in (("on this machine", True), ("not here yet", False)):
            rows = [
                (row.name, f"this home's, {row.about}" if row.name == ours else row.about)
                for row in self.found.rows
                if row.here is here
            ]
            if rows:
                yield heading, rows
        yield "how to switch to one", [("/model NAME", "with your lessons, or in a home of its own")]


class PeopleScreen(InfoScreen):
    """Who else teaches this home, as the worker sent it."""

    heading = "θ  people"

    def __init__(self, found: People) -> None:
        super().__init__()
        self.found = found

    def tables(self) -> Iterable[tuple[str, Rows]]:
        rows = [(row.name, row.words) for row in self.found.rows]
        yield "who else was here", rows or [("nobody", "theta serve shows a link for others")]
        yield (
            "what you can do",
            [
                ("/people NAME hold", "what they teach is refused; teach or propose lets them again"),
                ("/set newcomers propose", f"for all others; it is {self.found.newcomers} now"),
                ("/lessons", "what they taught, and what they propose"),
            ],
        )


class ImportScreen(InfoScreen):
    """What there is to teach in a file. Enter calls `agree`, Esc leaves it."""

    BINDINGS = [Binding("enter", "agree", "teach", show=False, id="info.agree")]
    column = 0

    def __init__(self, found: FileRead, agree: Callable[[], object]) -> None:
        super().__init__()
        self.found = found
        self.agree = agree
        self.heading = f"θ  teach {plural(found.count, 'lesson')} of {found.source}?"

    def tables(self) -> Iterable[tuple[str, Rows]]:
        more = self.found.count - len(self.found.pairs)
        rows = [(shortened(prompt, 28), reply) for prompt, reply in self.found.pairs]
        yield "prompt and reply", [*rows, *([("…", f"and {more:,} more")] if more else [])]
        if self.found.notes:
            yield "left out", [("", note) for note in self.found.notes]
        if self.found.bad:
            yield "lines that cannot be used", [("", line) for line in self.found.bad]
        yield "one undo takes all of them back; esc stops on the way, between two lessons", []

    def foot(self) -> Content:
        keys = (("enter", " teach"), ("esc", " leave"))
        return join(
            *(piece for key, word in keys for piece in ((key, "bold $footer-key-foreground"), (f"{word}  ", "$muted")))
        )

    def action_agree(self) -> None:
        self.dismiss(None)
        self.agree()
