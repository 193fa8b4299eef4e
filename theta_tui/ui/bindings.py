"""All key bindings. Each has an id, so that `keymap` in the settings can change its key.

`pick.*` work while the list of replies has the focus, `edit.*` in the editor of a reply, `say.*` in the composer,
`ledger.*` in the list of lessons, `app.*` everywhere. The actions are methods of the screen. `KEYBAR` lists what the
bottom line shows, in order.
"""

from __future__ import annotations

from textual.binding import Binding


def _bind(key: str, action: str, about: str, name: str, *, priority: bool = False) -> Binding:
    return Binding(key, action, about, show=False, id=name, priority=priority)


PICK = [
    *(_bind(str(n), f"screen.pick({n})", f"pick reply {n}", f"pick.{n}") for n in range(1, 6)),
    _bind("enter", "screen.pick_cursor", "pick the marked reply", "pick.enter"),
    _bind("up,k", "screen.move(-1)", "move up", "pick.up"),
    _bind("down,j", "screen.move(1)", "move down", "pick.down"),
    _bind("e", "screen.edit", "edit the marked reply, then teach it", "pick.edit"),
    _bind("t", "screen.type", "type a better reply", "pick.type"),
    _bind("r", "screen.regen", "five other replies", "pick.again"),
    _bind("x", "screen.none", "none of these; learn nothing", "pick.none"),
    _bind("s", "screen.fact", "learn the fact that was stated", "pick.fact"),
    _bind("u", "screen.undo", "take back the last lesson", "pick.undo"),
    _bind("ctrl+r", "screen.redo", "bring back the lesson taken back", "pick.redo"),
    _bind("l", "screen.lessons", "what was taught, and whether it holds", "pick.lessons"),
    _bind("y", "screen.copy", "copy the marked reply", "pick.copy"),
    _bind("i", "screen.say", "to the composer", "pick.say"),
    _bind("slash", "screen.command", "a command", "pick.command"),
    _bind("question_mark", "screen.help", "keys and commands", "pick.help"),
]

EDIT = [
    _bind("enter", "teach", "teach this text", "edit.teach"),
    _bind("ctrl+j,shift+enter", "newline", "new line", "edit.newline"),
    _bind("escape", "leave", "leave without teaching", "edit.leave"),
]

SAY = [
    _bind("enter", "send", "send", "say.send"),
    _bind("ctrl+j,shift+enter", "newline", "new line", "say.newline"),
    _bind("tab", "tab", "complete a command, or go to the replies", "say.tab"),
    _bind("escape", "escape", "stop the writing, or go to the replies", "say.escape"),
]

LEDGER = [
    _bind("enter", "screen.ask", "what it says now", "ledger.ask"),
    _bind("q", "screen.quiz", "ask every lesson again", "ledger.quiz"),
    _bind("w", "screen.withdraw", "take this lesson out", "ledger.withdraw"),
    _bind("k", "cursor_up", "up", "ledger.up"),
    _bind("j", "cursor_down", "down", "ledger.down"),
    _bind("escape,l", "screen.close", "close", "ledger.close"),
]

SCREEN = [
    _bind("tab,shift+tab", "switch", "between the replies and the composer", "app.switch"),
    _bind("escape", "escape", "stop writing, or switch", "app.escape"),
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

ALL = [*PICK, *EDIT, *SAY, *LEDGER, *SCREEN, *APP]
IDS = frozenset(binding.id for binding in ALL if binding.id) | {"app.palette"}

KEYBAR = (
    ("pick.1", "pick"),
    ("pick.fact", "learn"),
    ("edit.teach", "teach"),
    ("edit.leave", "leave"),
    ("edit.newline", "newline"),
    ("pick.edit", "edit"),
    ("pick.type", "type"),
    ("pick.again", "again"),
    ("pick.none", "none"),
    ("say.send", "send"),
    ("say.escape", "stop"),
    ("app.escape", "stop"),
    ("say.newline", "newline"),
    ("pick.undo", "undo"),
    ("pick.redo", "redo"),
    ("pick.lessons", "lessons"),
    ("pick.copy", "copy"),
    ("ledger.ask", "what it says now"),
    ("ledger.quiz", "ask all"),
    ("ledger.withdraw", "withdraw"),
    ("say.tab", "replies"),
    ("pick.say", "say"),
    ("app.save", "save"),
    ("app.quit", "quit"),
    ("pick.help", "help"),
    ("app.help", "help"),
    ("ledger.close", "close"),
)
"""Binding id and the word beside its key. If the line is too short, the middle is cut first; the last always stays."""
