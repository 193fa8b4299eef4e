"""All key bindings. Each has an id, so that `keymap` in the settings can change its key.

The composer has the keyboard: what can be printed goes into it, but for the digits of `pick.*`, which pick while
replies wait and it is empty. No letter is a command in it, and no key that edits a line in a shell.

`pick.*` and `say.*` work in the composer, `edit.*` in the editor of a reply, `ledger.*` in the list of lessons,
`list.*` in the other lists, `line.*` in the line below a list, `plot.*` on the plots, `info.*` on the screens that only
tell, `app.*` everywhere. The names of actions are the screen's; `KEYBAR` says which the bottom line shows, in which
order.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    _bind("ctrl+t", "screen.type", "your own reply: switches between saying and teaching", "pick.type"),
    _bind("f3", "screen.fact", "learn the fact that was stated", "pick.fact"),
    _bind("f4", "screen.undo", "take back your last lesson", "pick.undo"),
    _bind("f5", "screen.regen", "five other replies; these stay, a page back", "pick.again"),
    _bind("f6", "screen.redo", "bring back the lesson that was taken back", "pick.redo"),
    _bind("f7", "screen.lessons", "what was taught, and whether it is still known", "pick.lessons"),
    _bind("f9", "app.plot", "loss, what is kept and a lesson over time", "pick.plot"),
    _bind("ctrl+g", "screen.continue", "let the marked reply go on where it was cut", "pick.continue"),
    _bind("f8", "screen.copy", "copy the marked reply", "pick.copy"),
    _bind("f1", "screen.help", "keys, signs and commands", "pick.help"),
]

EDIT = [
    _bind("enter", "teach", "teach this text", "edit.teach"),
    _bind("ctrl+j,shift+enter", "newline", "new line", "edit.newline"),
    _bind("escape", "leave", "leave without teaching", "edit.leave"),
]

SAY = [
    _bind("enter", "send", "send", "say.send"),
    _bind("ctrl+j,shift+enter", "newline", "new line", "say.newline"),
    _bind("tab", "tab", "complete a command; else switch between saying and teaching", "say.tab"),
    _bind("escape", "escape", "stop the writing, or end a lesson", "say.escape"),
]

LEDGER = [
    _bind("enter", "screen.ask", "what it says now", "ledger.ask"),
    _bind("a", "screen.quiz", "check every lesson now", "ledger.quiz"),
    _bind("w", "screen.withdraw", "take this lesson out", "ledger.withdraw"),
    _bind("y", "screen.decide('accept')", "learn what this proposal wants", "ledger.accept"),
    _bind("n", "screen.decide('decline')", "decline this proposal", "ledger.decline"),
    _bind("slash", "screen.search", "search", "ledger.search"),
    _bind("f6", "screen.redo", "bring back the lesson taken out last", "ledger.redo"),
    _bind("p", "screen.plot", "this lesson over time", "ledger.plot"),
    _bind("k", "cursor_up", "up", "ledger.up"),
    _bind("j", "cursor_down", "down", "ledger.down"),
    _bind("escape,q,l,f7", "screen.close", "close", "ledger.close"),
]

PLOT = [
    _bind("right,tab,space", "turn(1)", "the next plot", "plot.next"),
    _bind("left,shift+tab", "turn(-1)", "the plot before", "plot.before"),
    _bind("up,k", "lesson(1)", "the next lesson", "plot.later"),
    _bind("down,j", "lesson(-1)", "the lesson before", "plot.earlier"),
    _bind("escape,q,enter,f9", "close", "close", "plot.close"),
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
    _bind("escape", "escape", "stop writing, or end a lesson", "app.escape"),
    _bind("pageup", "scroll(-1)", "scroll the conversation up", "app.scroll_up"),
    _bind("pagedown", "scroll(1)", "scroll the conversation down", "app.scroll_down"),
    _bind("f4", "undo", "take back your last lesson", "app.undo"),
    _bind("ctrl+s", "save", "save the weights now", "app.save"),
    _bind("f1", "help", "keys, signs and commands", "app.help"),
]

APP = [
    _bind("ctrl+q", "quit", "save and leave", "app.quit", priority=True),
    _bind("ctrl+c", "interrupt", "copy a selection, stop writing, or leave (twice)", "app.interrupt", priority=True),
    _bind("ctrl+z", "suspend_process", "back to the shell for a while", "app.suspend", priority=True),
]

INFO = [
    _bind("escape,q,enter,question_mark,f1", "close", "close", "info.close"),
    _bind("up,k", "scroll(-1)", "up", "info.up"),
    _bind("down,j", "scroll(1)", "down", "info.down"),
    _bind("pageup", "scroll(-10)", "page up", "info.page_up"),
    _bind("pagedown,space", "scroll(10)", "page down", "info.page_down"),
]

ALL = [*PICK, *EDIT, *SAY, *LEDGER, *LIST, *LINE, *PLOT, *INFO, *SCREEN, *APP]
IDS = (*(binding.id for binding in ALL if binding.id), "app.palette")
"""Those that a keymap may name."""
RETIRED = frozenset({"pick.say", "pick.command"})
"""Ids of versions before, which may stand in a keymap still. They do nothing any more."""


def unknown(keymap: Mapping[str, str]) -> list[str]:
    """A sentence for each name in `keymap` that is no binding id, with the nearest ids."""
    found = []
    for name in keymap:
        if name not in IDS and name not in RETIRED:
            from difflib import get_close_matches  # rarely needed

            last = name.rpartition(".")[2]
            near = get_close_matches(name, IDS, 1) or [each for each in IDS if each.endswith(f".{last}")][:2]
            meant = f"; did you mean {' or '.join(near)}?" if near else ""
            found.append(f"keymap: there is no key with the id {name}{meant}")
    return found


def listed() -> str:
    """All ids in a line, those of a group together: `edit.teach newline leave; say.send …`."""
    groups: dict[str, list[str]] = {}
    for name in IDS:
        group, _, rest = name.partition(".")
        groups.setdefault(group, []).append(rest)
    return "; ".join(f"{group}.{' '.join(names)}" for group, names in groups.items())


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
    ("pick.continue", "go on"),
    ("pick.again", "others"),
    ("pick.none", "none"),
    ("say.newline", "newline"),
    ("pick.earlier", "earlier"),
    ("pick.later", "later"),
    ("pick.lessons", "lessons"),
    ("pick.plot", "plots"),
    ("pick.copy", "copy"),
    ("ledger.accept", "accept"),
    ("ledger.decline", "decline"),
    ("ledger.ask", "ask it"),
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
    ("ledger.redo", "bring back"),
    ("ledger.plot", "plot"),
    ("plot.next", "next plot"),
    ("plot.later", "next lesson"),
    ("plot.earlier", "lesson before"),
    ("app.save", "save"),
    ("app.quit", "quit"),
    ("pick.help", "help"),
    ("app.help", "help"),
    ("ledger.close", "close"),
    ("list.close", "close"),
    ("plot.close", "close"),
)
"""Binding id and the word beside its key. If the line is too short, the middle is cut first; the last always stays."""
