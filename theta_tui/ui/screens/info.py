"""Information screens: the keys and commands, and the statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from theta_tui.base.text import percent, plural, shortened
from theta_tui.session.protocol import FileRead, Models
from theta_tui.session.verbs import SLASH
from theta_tui.store.report import named
from theta_tui.ui.bindings import APP, EDIT, LEDGER, LIST, PICK, SAY, SCREEN
from theta_tui.ui.clock import Clock
from theta_tui.ui.compat.keys import keys_of
from theta_tui.ui.compat.sized import Sized
from theta_tui.ui.safe import Plain, join, plain
from theta_tui.ui.state import State
from theta_tui.ui.widgets.header import count, saved

Rows = Iterable[tuple[str, str]]


class InfoScreen(Sized, ModalScreen[None]):
    """A titled, scrollable table; Esc closes it."""

    BINDINGS = [
        Binding("escape,q,enter,question_mark,f1", "close", "close", show=False, id="info.close"),
        Binding("up,k", "scroll(-1)", "up", show=False, id="info.up"),
        Binding("down,j", "scroll(1)", "down", show=False, id="info.down"),
        Binding("pageup", "scroll(-10)", "page up", show=False, id="info.page_up"),
        Binding("pagedown,space", "scroll(10)", "page down", show=False, id="info.page_down"),
    ]
    heading = ""
    column = 13
    """The least width of the left column, so that the tables of one screen are aligned."""

    def tables(self) -> Iterable[tuple[str, Rows]]:
        """(heading, rows) of each part."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Vertical(id="info"):
            yield Plain(self.heading, id="info-title")
            with VerticalScroll(id="info-body", can_focus=False):
                for heading, rows in self.tables():
                    yield Plain(heading, classes="info-heading")
                    yield Static(self._table(list(rows)), markup=False, classes="info-table")
            yield Static(self.foot(), id="info-foot")

    def foot(self) -> Content:
        return join(("esc", "bold $footer-key-foreground"), (" close", "$muted"))

    def _table(self, rows: list[tuple[str, str]]) -> Content:
        wide = max(self.column, max((len(left) for left, _ in rows), default=0) + 2)
        return Content("\n").join(
            [join((left.ljust(wide), "bold $primary")) + plain(right, one_line=True) for left, right in rows]
        )

    def action_close(self) -> None:
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        self.query_one("#info-body").scroll_relative(y=by, animate=False)


class HelpScreen(InfoScreen):
    """All keys and commands, with the person's own keymap."""

    heading = "θ  keys and commands"
    column = 19

    def tables(self) -> Iterable[tuple[str, Rows]]:
        yield "while five replies wait", self._keys(PICK)
        yield "editing a reply", self._keys(EDIT)
        yield "writing", self._keys(SAY)
        yield "in the list of lessons", self._keys(LEDGER)
        yield "in the lists of conversations and turns", self._keys(LIST)
        yield "everywhere", [*self._keys([*SCREEN, *APP]), ("^p", "every command by name")]
        yield "mouse", [("click", "marks a reply"), ("again", "a second click on it picks it")]
        yield (
            "commands",
            [
                *((verb.line, verb.about) for verb in SLASH),
                ("//text", "says text that begins with a slash"),
            ],
        )

    def _keys(self, bindings: Iterable[Binding]) -> list[tuple[str, str]]:
        rows = []
        for binding in bindings:
            keys = keys_of(self.app, binding)
            shown = " ".join(self.app.get_key_display(binding.with_key(key)) for key in keys)
            rows.append((shown, binding.description))
        if [row[1] for row in rows[:5]] == [f"pick reply {n}" for n in range(1, 6)]:
            rows[:5] = [(" ".join(row[0] for row in rows[:5]), "pick and teach that reply")]
        return rows


class StatsScreen(InfoScreen):
    """The statistics of the session, as sent by the worker."""

    heading = "θ  figures"

    def __init__(self, state: State, clock: Clock) -> None:
        super().__init__()
        self.state = state
        self.clock = clock

    def tables(self) -> Iterable[tuple[str, Rows]]:
        shot = self.state.snapshot
        yield (
            "model",
            [
                ("model", shot.model or "–"),
                ("parameters", f"{shot.parameters:,} ({count(shot.parameters)})" if shot.parameters else "–"),
                ("device", shot.device or "–"),
                ("recipe", shot.recipe or "–"),
                *([("persona", shot.persona)] if shot.persona is not None else []),
            ],
        )
        yield (
            "taught",
            [
                ("lessons", f"{shot.lessons:,}"),
                ("steps", f"{shot.step:,}"),
                ("turns", f"{shot.turns_total:,}"),
                ("checkpoint", f"{saved(shot, self.clock.now())}, {shot.unsaved} unsaved"),
            ],
        )
        tally = shot.tally
        if tally.live or tally.superseded or tally.withdrawn:
            yield (
                "kept",
                [
                    ("kept", f"{tally.kept} of {tally.live}"),
                    ("fading", named(tally.fading_first, tally.fading) or "none"),
                    ("lost", named(tally.lost_first, tally.lost) or "none"),
                    ("to ask again", f"{tally.stale}"),
                    ("superseded", f"{tally.superseded}"),
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
                    *([("offered first", shot.offered)] if shot.offered is not None else []),
                    ("loss", f"{last.loss_before:.3f} → {last.loss_after:.3f}"),
                    ("says it", f"{percent(last.p_before)} → {percent(last.p_after)}"),
                    ("its own reply", "yes" if last.learned else "not yet"),
                    ("steps", f"{last.steps} in {last.seconds:.2f} s"),
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
        for heading, here in (("on this machine", True), ("to be had", False)):
            rows = [
                (row.name, ", ".join(filter(None, ("this home's" if row.name == ours else "", row.size, row.license,
                                                   row.title))))
                for row in self.found.rows
                if row.here is here
            ]  # fmt: skip
            if rows:
                yield heading, rows
        yield (
            "how to go on with one",
            [("/model NAME", "what to type: with your lessons, or in a home of its own")],
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
