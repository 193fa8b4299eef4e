"""The list of lessons on the screen: the retention report, and what the model says now."""

from __future__ import annotations

from collections.abc import Callable

from textual import getters
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static
from textual.widgets.option_list import Option

from theta_tui.base.text import contains, percent, plural
from theta_tui.session import commands as c
from theta_tui.session import lists
from theta_tui.session import protocol as p
from theta_tui.store.report import WORDS, ReportRow
from theta_tui.ui.bindings import LEDGER
from theta_tui.ui.clock import Clock, ago
from theta_tui.ui.safe import fit, join, wrap
from theta_tui.ui.screens.listing import Searching, searched
from theta_tui.ui.widgets.before_after import before_after
from theta_tui.ui.widgets.keybar import KeyBar
from theta_tui.ui.widgets.line import KeyedRows, Line

SIGNS = {
    "kept": ("✓", "$success"),
    "fading": ("~", "$warning"),
    "lost": ("✗", "$error"),
    "unasked": ("?", "$muted"),
    "superseded": ("·", "$muted"),
    "withdrawn": ("-", "$muted"),
    "failed": ("!", "$muted"),
    "proposed": ("+", "$accent"),
}
CHANCE_WIDTH = 17
"""The width of `97 % → 95 %`, which is shown from a width of WIDE on."""
AGE_WIDTH = 7
WIDE = 60
WIDER = 84
DETAIL_LINES = 2
SHORT = 18
"""Below this many rows each detail has one line, and what is said twice is left out."""


class LessonList(KeyedRows):
    """The lessons, one per line, with the `ledger.*` keys."""

    BINDINGS = [*LEDGER]


class LedgerScreen(Searching):
    """`send` sends a command to the worker. `withdraw`, if given, takes a lesson out by its number."""

    AUTO_FOCUS = "LessonList"

    def __init__(
        self,
        clock: Clock,
        send: Callable[[c.Command], None],
        snapshot: p.Snapshot,
        withdraw: Callable[[int], object] | None = None,
    ) -> None:
        super().__init__()
        self.clock = clock
        self.send = send
        self.snapshot = snapshot
        self.withdraw = withdraw
        self.rows: tuple[ReportRow, ...] = ()
        """The lessons, and behind them what is only proposed."""
        self.answers: dict[int, str] = {}
        """The model's answers by lesson, valid until something is taught."""
        self.asking: int | None = None
        self.left = 0
        self._listed: p.Snapshot | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="ledger-title", markup=False)
        yield Static(id="ledger-head", markup=False)
        yield LessonList()
        yield Static(id="ledger-detail", markup=False)
        yield Line()
        yield KeyBar(lambda _, usual: usual, id="keybar")

    def on_mount(self) -> None:
        self._draw_title()
        self._ask_for_rows(self.snapshot)

    # --- events ---

    def apply(self, event: p.Event) -> None:
        """Apply an event of the worker. Requests the rows again if one may have changed."""
        self.snapshot = event.snapshot
        self.left = event.left if isinstance(event, p.Reviewed) else 0
        match event:
            case p.Ledger(rows=rows, proposals=proposals):
                marked, self.rows = self.marked, (*rows, *proposals)
                self._draw_rows(marked)
            case p.LessonAnswered(number=number, reply=reply):
                self.answers[number] = reply
                self.asking = None
                self._draw_detail()
            case p.Failed(command="AskLesson"):
                self.asking = None
                self._draw_detail()
            case p.Taught() | p.TakenBack():
                self.answers.clear()
                self._draw_detail()
            case _:
                pass
        if self.is_mounted:
            self._draw_title()
            self.refresh_bindings()
            if isinstance(event, p.Quizzed) or (self._is_news(event.snapshot) and not self.left):
                self._ask_for_rows(event.snapshot)

    def _is_news(self, shot: p.Snapshot) -> bool:
        listed = self._listed
        if listed is None:
            return False
        now, then = ((one.tally, one.lessons, one.said_before, one.says_now, one.proposals) for one in (shot, listed))
        return now != then

    def _ask_for_rows(self, shot: p.Snapshot) -> None:
        self._listed = shot
        self.send(c.ShowLessons())

    # --- drawing ---

    lessons = getters.query_one(LessonList)

    @property
    def marked(self) -> ReportRow | None:
        """The lesson under the cursor."""
        at = self.lessons.highlighted
        rows = self._newest_first
        return rows[at] if at is not None and at < len(rows) else None

    @property
    def _newest_first(self) -> list[ReportRow]:
        """The lessons that are listed: those that the search leaves."""
        return [row for row in reversed(self.rows) if contains(f"{row.who}\n{row.prompt}\n{row.reply}", self.wanted)]

    def on_resize(self) -> None:
        if self.query(LessonList):  # a resize can come before the widgets
            self.call_after_refresh(lambda: self._draw_rows(self.marked))

    def redraw(self) -> None:
        self._draw_rows(self.marked)
        self._draw_title()

    def on_option_list_option_highlighted(self) -> None:
        self._draw_detail()

    def _draw_title(self) -> None:
        tally = self.snapshot.tally
        parts = [tally.words] if tally.live else []
        if self.left:
            parts.append(f"checking, {self.left} left")
        elif tally.stale:
            parts.append(f"{tally.stale} not checked since the newest")
        if self.snapshot.proposals:
            parts.append(plural(self.snapshot.proposals, "proposal"))
        words = " · ".join(parts) or "nothing was taught yet"
        if self.wanted.strip():
            words = searched(len(self._newest_first), len(self.rows), self.wanted)
        self.query_one("#ledger-title", Static).update(join(("θ  lessons  ", "bold $primary"), (words, "$muted")))

    def _draw_rows(self, marked: ReportRow | None) -> None:
        """Draw the list, with the mark on lesson `marked` if that still exists."""
        lessons = self.lessons
        width = max(20, lessons.scrollable_content_region.width - 2)
        rows = self._newest_first
        self.query_one("#ledger-head", Static).update(head(width) if rows else "")
        lessons.clear_options()
        lessons.add_options([Option(line(row, width, self.clock.now())) for row in rows])
        if rows:
            records = [row.seq for row in rows]
            wanted = marked.seq if marked is not None else 0
            lessons.highlighted = records.index(wanted) if wanted in records else 0
        self._draw_detail()

    def _draw_detail(self) -> None:
        row = self.marked
        detail = self.query_one("#ledger-detail", Static)
        self.refresh_bindings()
        if row is None:
            detail.update("")
            return
        answer = self.answers.get(row.number, row.says_now)
        now = "…" if self.asking == row.number else answer if answer is not None else "enter asks it"
        good = None if answer is None else answer == row.reply
        figures = " → ".join(percent(value) for value in (row.p_before, row.p_then, row.p_now) if value is not None)
        when = f"checked {ago(self.clock.now() - row.asked_at)} ago" if row.asked_at is not None else "not checked yet"
        short = self.app.size.height < SHORT
        by = f"{row.who} · " if row.who else ""
        about = f"#{row.number}", f"{by}{row.words} · says it {figures or '–'} · {when}"
        if row.state == "proposed":
            about = "proposal", f"{by}{row.number} · {ago(self.clock.now() - row.at)} ago · y learns it, n declines it"
        shown = [
            (*about, SIGNS[row.state][1]),
            ("you", row.prompt, ""),
            *([("taught", row.reply, "bold")] if not (short and good) else []),
            *([("used", scope(row, self.clock.now()), "$muted")] if row.more is not None and not short else []),
        ]
        width = max(10, detail.content_size.width - 9)
        lines: list[Content] = []
        most = 1 if short else DETAIL_LINES
        for name, text, style in shown:
            for at, piece in enumerate(wrap(text, width, most)):
                lines.append(join((f"{name if at == 0 else '':<9}", "$muted"), (piece, style)))
        lines.append(before_after(row.said_before, now, detail.content_size.width, most, good=good))
        detail.update(Content("\n").join(lines))

    # --- keys ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row, loading = self.marked if self.is_mounted else None, self.snapshot.phase == "loading"
        proposed = row is not None and row.state == "proposed"
        match action:
            case "decide":
                return proposed and not self.snapshot.read_only and not loading
            case "ask":
                return row is not None and not proposed and not loading
            case "quiz":
                return bool(self.snapshot.tally.live) and not loading
            case "withdraw":
                possible = self.withdraw is not None and not self.snapshot.read_only and not loading
                return possible and row is not None and row.state not in {"withdrawn", "failed", "proposed"}
            case "redo":
                return bool(self.snapshot.redo) and not self.snapshot.read_only and not loading
            case "plot":
                return row is not None and not proposed and not loading
            case _:
                return True

    def action_ask(self) -> None:
        """Ask the model the marked lesson's prompt."""
        row = self.marked
        if row is not None and self.asking is None:
            self.asking = row.number
            self.send(c.AskLesson(row.number))
            self._draw_detail()

    def action_quiz(self) -> None:
        self.send(c.Quiz())

    def action_withdraw(self) -> None:
        row = self.marked
        if row is not None and self.withdraw is not None:
            self.withdraw(row.number)

    def action_decide(self, deed: lists.ProposalDeed) -> None:
        """Accept or decline the marked proposal."""
        row = self.marked
        if row is not None and row.state == "proposed":
            self.send(lists.Decide(deed, row.number))

    def action_redo(self) -> None:
        """Bring back the lesson that was taken out last."""
        self.send(c.TakeBack("redo"))

    def action_plot(self) -> None:
        """Show the marked lesson over time."""
        row = self.marked
        if row is not None:
            self.send(c.ShowPlots(row.number))


def scope(row: ReportRow, now: float) -> str:
    """The number of wordings that picks have added to a lesson's scope, and when its reply was last said."""
    said = f"said last {ago(now - row.said_at)} ago" if row.said_at is not None else "not said since"
    return f"+{plural(row.more, 'wording')} · {said}" if row.more else said


def head(width: int) -> Content:
    """The headings over the columns of `line`."""
    left = "   #  " + (f"  {'state':<11}" if width >= WIDE else "  ")
    right = "says it then→now".rjust(CHANCE_WIDTH) if width >= WIDE else ""
    right += "taught".rjust(AGE_WIDTH) if width >= WIDER else ""
    room = width - len(left) - len(right)
    return join((left + fit("prompt → taught reply", room).ljust(room) + right, "$muted"))


def line(row: ReportRow, width: int, now: float) -> Content:
    """One lesson on one line of `width` cells."""
    sign, tone = SIGNS[row.state]
    left = f"{row.number:>4}  "
    state = f"{sign} {WORDS.get(row.state, row.state):<11}" if width >= WIDE else f"{sign} "
    chances = " → ".join(percent(value) for value in (row.p_then, row.p_now) if value is not None)
    right = chances.rjust(CHANCE_WIDTH) if width >= WIDE else ""
    right += ago(now - row.at).rjust(AGE_WIDTH) if width >= WIDER else ""
    room = width - len(left) - len(state) - len(right) - 1
    quiet = row.state in {"superseded", "withdrawn", "failed"}
    by = f"{row.who}: " if row.who else ""
    text = fit(f"{by}{row.prompt} → {row.reply}", max(4, room))
    gap = " " * max(1, room - Content(text).cell_length + 1)
    return join((left, "$muted"), (state, tone), (text, "$muted" if quiet else ""), (gap, ""), (right, "$muted"))
