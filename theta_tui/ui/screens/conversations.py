"""The lists of conversations and of turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from theta_tui.base.text import plural
from theta_tui.session import commands as c
from theta_tui.session import lists
from theta_tui.session import protocol as p
from theta_tui.store.report import ConversationRow
from theta_tui.ui.clock import Clock, ago
from theta_tui.ui.safe import fit, join
from theta_tui.ui.screens.listing import ListScreen
from theta_tui.ui.widgets.conversation import SIGNS, Entry

if TYPE_CHECKING:
    from theta_tui.store.records import Turn

NumberedTurn = tuple[int, "Turn"]
WIDE = 60


class ConversationsScreen(ListScreen):
    """`send` sends a command to the worker."""

    heading = "conversations"
    none = "one moment"

    def __init__(self, clock: Clock, send: Callable[[c.Command], None]) -> None:
        super().__init__()
        self.clock = clock
        self.send = send
        self.naming: int | None = None
        """The conversation that gets a name in the line."""
        self.deleting: int | None = None
        """The conversation that the delete key deletes if it is pressed again."""

    def on_mount(self) -> None:
        super().on_mount()
        self.send(lists.ShowConversations())

    def apply(self, event: p.Event) -> None:
        if isinstance(event, lists.Conversations):
            self.put(event.rows)

    # --- what it shows ---

    def key_of(self, item: ConversationRow) -> object:
        return item.number

    def text_of(self, item: ConversationRow) -> str:
        return item.title

    def title_words(self) -> str:
        return f"{plural(len(self.items), 'conversation')} · what was taught is shared by all"

    def columns(self, width: int) -> str:
        return f"{'':4}  {'turns':>5}  " + (f"{'last said':16}  " if width >= WIDE else "") + "begins with"

    def row_of(self, item: ConversationRow, width: int) -> Content:
        when = datetime.fromtimestamp(item.used_at).strftime("%Y-%m-%d %H:%M") if item.turns else ""
        left = f"{'›' if item.is_open else '':1}{item.number:>3}  {item.turns:>5,}  "
        left += f"{when:16}  " if width >= WIDE else ""
        room = max(4, width - len(left))
        return join((left, "$muted"), (fit(item.title or "nothing said yet", room), "bold" if item.is_open else ""))

    def details_of(self, item: ConversationRow) -> Sequence[tuple[str, str, str]]:
        if self.deleting == item.number:
            back = f"/conversations open {item.number} brings it back"
            kept = "The journal keeps it, and what was taught in it stays"
            return [("delete?", f"d again takes it out of the list. {kept}; {back}.", "$warning")]
        said = f"last said {ago(self.clock.now() - item.used_at)} ago" if item.turns else "nothing said yet"
        state = "open" if item.is_open else "enter goes on with it"
        return [(f"{item.number}", f"{state} · {plural(item.turns, 'turn')} · {said}", "$muted"), ("", item.title, "")]

    # --- keys ---

    def on_option_list_option_highlighted(self) -> None:
        if self.deleting is not None and (self.marked is None or self.marked.number != self.deleting):
            self.deleting = None
        super().on_option_list_option_highlighted()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in {"choose", "rename", "delete"}:
            return self.is_mounted and self.marked is not None
        return True

    def action_choose(self) -> None:
        if (row := self.marked) is not None:
            if not row.is_open:
                self.send(lists.ChangeConversation("open", row.number))
            self.dismiss(None)

    def action_fresh(self) -> None:
        self.send(c.NewConversation())
        self.dismiss(None)

    def action_rename(self) -> None:
        if (row := self.marked) is not None:
            self.naming = row.number
            self.line.open(row.title if row.named else "", f"a name for conversation {row.number}")

    def line_left(self, text: str, *, kept: bool) -> None:
        number, self.naming = self.naming, None
        if number is None:
            super().line_left(text, kept=kept)
        elif kept:
            self.send(lists.ChangeConversation("rename", number, text))

    def action_delete(self) -> None:
        """Take the marked one out of the list, at the second press."""
        if (row := self.marked) is None:
            return
        if self.deleting == row.number:
            self.deleting = None
            self.send(lists.ChangeConversation("delete", row.number))
        else:
            self.deleting = row.number
        self.draw_detail()


class TurnsScreen(ListScreen):
    """The turns of the open conversation by number, the newest first. `fix` opens a turn's reply in the editor."""

    heading = "turns"
    none = "nothing said yet"
    detail_lines = 6

    def __init__(self, send: Callable[[c.Command], None], fix: Callable[[int, Turn], object], wanted: str = "") -> None:
        super().__init__(wanted)
        self.send = send
        self.fix = fix
        self.snapshot: p.Snapshot | None = None

    def on_mount(self) -> None:
        super().on_mount()
        self.send(lists.ShowTurns())

    def apply(self, event: p.Event) -> None:
        before, self.snapshot = self.snapshot, event.snapshot
        if isinstance(event, lists.Turns):
            self.put(list(reversed(list(enumerate(event.turns, event.first)))))
        elif before is not None and before.turns != event.snapshot.turns:
            self.send(lists.ShowTurns())

    def key_of(self, item: NumberedTurn) -> object:
        return item[1].seq, item[1].prompt

    def text_of(self, item: NumberedTurn) -> str:
        return f"{item[1].prompt}\n{item[1].reply}"

    def title_words(self) -> str:
        total = self.snapshot.turns_total if self.snapshot is not None else len(self.items)
        if total > len(self.items):
            return f"the last {len(self.items):,} of {plural(total, 'turn')}"
        return plural(total, "turn")

    def columns(self, width: int) -> str:
        return f"{'':5}  {'':3}  you said → theta said"

    def row_of(self, item: NumberedTurn, width: int) -> Content:
        number, turn = item
        mark = Entry.of(turn).mark
        left = f"{number:>5}  "
        text = fit(f"{turn.prompt} → {turn.reply}", max(4, width - len(left) - 5))
        tone = {"pick": "$success", "correction": "$accent", "skipped": "$warning"}.get(mark, "$muted")
        return join((left, "$muted"), (f"{SIGNS[mark]:3}  ", tone), (text, ""))

    def details_of(self, item: NumberedTurn) -> Sequence[tuple[str, str, str]]:
        number, turn = item
        how = {"pick": "picked", "correction": "taught", "said": "said, not taught"}.get(turn.kind, "brought along")
        return [(f"{number}", f"{how} · enter teaches a better reply", "$muted"), ("you", turn.prompt, ""),
                ("theta", turn.reply, "bold")]  # fmt: skip

    def named(self, name: str, usual: str) -> str:
        return "fix" if name == "list.choose" else "" if name in ONLY_CONVERSATIONS else usual

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in {"rename", "delete", "fresh"}:
            return False
        return action != "choose" or (self.is_mounted and self.marked is not None)

    def action_choose(self) -> None:
        if (item := self.marked) is not None:
            self.dismiss(None)
            self.fix(*item)


ONLY_CONVERSATIONS = frozenset({"list.rename", "list.delete", "list.fresh"})
