"""All key bindings. Each has an id, so that `keymap` in the settings can change its key.

The composer has the keyboard: what can be printed goes into it, but for the digits of `pick.*`, which pick while
replies wait and it is empty. No letter is a command in it, and no key that edits a line in a shell.

`pick.*` and `say.*` work in the composer, `edit.*` in the editor of a reply, `ledger.*` in the list of lessons,
`list.*` in the other lists, `line.*` in the line below a list, `app.*` everywhere. The names of actions are the
screen's; `KEYBAR` says which the bottom line shows, in which order.
"""

from __future__ import annotations

from textual.binding import Binding


def _bind(key: str, action: str, about: str, name: str, *, priority: bool = False) -> Binding:
    return Binding(key, action, about, show=False, id=name, priority=priority)


PICK = [
    *(_bind(str(n), f"screen.pick({n})", f"pick reply {n}", f"pick.{n}") for n in range(1, 6)),
    _bind("enter", "screen.pick_cursor", "pick the marked reply", "pick.enter"),
    _bind("up", "screen.move(-1)", "move up", "pick.up"),
    _bind("down", "screen.move(1)", "move down", "pick.down"),
    _bind("left", "screen.page(-1)", "the five replies before these", "pick.earlier"),
    _bind("right", "screen.page(1)", "the five replies after these", "pick.later"),
    _bind("escape", "screen.none", "none of these; learn nothing", "pick.none"),
    _bind("f2", "screen.edit", "fix the marked reply, or the last one, then teach it", "pick.edit"),
    _bind("ctrl+t", "screen.type", "teach a reply of your own: what is typed is said, or taught", "pick.type"),
    _bind("f3", "screen.fact", "learn the fact that was stated", "pick.fact"),
    _bind("f4", "screen.undo", "take back the last lesson", "pick.undo"),
    _bind("f5", "screen.regen", "five other replies; these stay, a page back", "pick.again"),
    _bind("f6", "screen.redo", "bring back the lesson taken back", "pick.redo"),
    _bind("f7", "screen.lessons", "what was taught, and whether it holds", "pick.lessons"),
    _bind("f8", "screen.copy", "copy the marked reply", "pick.copy"),
    _bind("f1", "screen.help", "keys and commands", "pick.help"),
]

EDIT = [
    _bind("enter", "teach", "teach this text", "edit.teach"),
    _bind("ctrl+j,shift+enter", "newline", "new line", "edit.newline"),
    _bind("escape", "leave", "leave without teaching", "edit.leave"),
]

SAY = [
    _bind("enter", "send", "send", "say.send"),
    _bind("ctrl+j,shift+enter", "newline", "new line", "say.newline"),
    _bind("tab", "tab", "complete a command, or say or teach what is typed", "say.tab"),
    _bind("escape", "escape", "stop the writing", "say.escape"),
]

LEDGER = [
    _bind("enter", "screen.ask", "what it says now", "ledger.ask"),
    _bind("q", "screen.quiz", "ask every lesson again", "ledger.quiz"),
    _bind("w", "screen.withdraw", "take this lesson out", "ledger.withdraw"),
    _bind("slash", "screen.search", "search", "ledger.search"),
    _bind("k", "cursor_up", "up", "ledger.up"),
    _bind("j", "cursor_down", "down", "ledger.down"),
    _bind("escape,l,f7", "screen.close", "close", "ledger.close"),
]

LIST = [
    _bind("enter", "screen.choose", "go on with it; a better reply to a turn", "list.choose"),
    _bind("slash", "screen.search", "search", "list.search"),
    _bind("r", "screen.rename", "rename", "list.rename"),
    _bind("d", "screen.delete", "take it out of the list", "list.delete"),
    _bind("n", "screen.fresh", "begin a fresh conversation", "list.fresh"),
    _bind("k", "cursor_up", "up", "list.up"),
    _bind("j", "cursor_down", "down", "list.down"),
    _bind("escape,q", "screen.close", "end the search, or close", "list.close"),
]

LINE = [
    _bind("enter", "keep", "keep it", "line.keep"),
    _bind("escape", "leave", "leave it", "line.leave"),
]

SCREEN = [
    _bind("tab,shift+tab", "switch", "to the other part of a fact, or to the composer", "app.switch"),
    _bind("escape", "escape", "stop writing", "app.escape"),
    _bind("pageup", "scroll(-1)", "scroll the conversation up", "app.scroll_up"),
    _bind("pagedown", "scroll(1)", "scroll the conversation down", "app.scroll_down"),
    _bind("f4", "undo", "take back the last lesson", "app.undo"),
    _bind("ctrl+s", "save", "save a checkpoint now", "app.save"),
    _bind("f1", "help", "keys and commands", "app.help"),
]

APP = [
    _bind("ctrl+q", "quit", "save and leave", "app.quit", priority=True),
    _bind("ctrl+c", "interrupt", "copy a selection, stop writing, or leave (twice)", "app.interrupt", priority=True),
    _bind("ctrl+z", "suspend_process", "back to the shell for a while", "app.suspend", priority=True),
]

ALL = [*PICK, *EDIT, *SAY, *LEDGER, *LIST, *LINE, *SCREEN, *APP]
IDS = frozenset(binding.id for binding in ALL if binding.id) | {"app.palette", "pick.say", "pick.command"}
"""Those that a keymap may name; the last two were keys of a list that had the focus, and do nothing any more."""

KEYBAR = (
    ("pick.1", "pick"),
    ("say.send", "say"),
    ("pick.fact", "learn"),
    ("edit.teach", "teach"),
    ("edit.leave", "leave"),
    ("edit.newline", "newline"),
    ("say.escape", "stop"),
    ("app.escape", "stop"),
    ("pick.redo", "redo"),
    ("pick.undo", "undo"),
    ("pick.edit", "fix"),
    ("pick.type", "own"),
    ("pick.again", "others"),
    ("pick.none", "none"),
    ("say.newline", "newline"),
    ("pick.earlier", "earlier"),
    ("pick.later", "later"),
    ("pick.lessons", "lessons"),
    ("pick.copy", "copy"),
    ("ledger.ask", "what it says now"),
    ("ledger.quiz", "ask all"),
    ("ledger.withdraw", "withdraw"),
    ("ledger.search", "search"),
    ("line.keep", "keep"),
    ("line.leave", "leave"),
    ("list.choose", "open"),
    ("list.search", "search"),
    ("list.fresh", "new"),
    ("list.rename", "rename"),
    ("list.delete", "delete"),
    ("app.save", "save"),
    ("app.quit", "quit"),
    ("pick.help", "help"),
    ("app.help", "help"),
    ("ledger.close", "close"),
    ("list.close", "close"),
)
"""Binding id and the word beside its key. If the line is too short, the middle is cut first; the last always stays."""
