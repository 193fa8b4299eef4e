"""Slash commands of the composer: which there are, how a line is read, what completes it. No Textual."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from theta_tui.base.config import CHANGEABLE, SETTINGS


@dataclass(frozen=True, slots=True)
class Verb:
    """A slash command: its name without the slash, what stands behind it, what it does in a few words, and what it says
    that it needs where that is missing or wrong."""

    name: str
    argument: str
    about: str
    needs: str = ""


VERBS = (
    Verb("correct", "TEXT", "teach a better reply", "a text, as in /correct My name is Theta."),
    Verb("fact", "", "learn the fact that was stated"),
    Verb("undo", "", "take back the last lesson"),
    Verb("redo", "", "bring back the lesson taken back"),
    Verb("withdraw", "N", "take lesson N out", "the number of a lesson, as in /withdraw 3"),
    Verb("regen", "", "offer five other replies"),
    Verb("ask", "TEXT", "its own reply; changes nothing", "a text, as in /ask Who are you?"),
    Verb("lessons", "", "what was taught, and whether it holds"),
    Verb("quiz", "", "ask every lesson again"),
    Verb("stats", "", "what it has learned so far"),
    Verb("save", "", "write a checkpoint now"),
    Verb(
        "export",
        "hf|peft|trl PATH",
        "take the model or the lessons along",
        "hf (the model), peft (adapters) or trl (the lessons) and a folder, as in /export trl ~/lessons",
    ),
    Verb("set", "NAME VALUE", "change a setting", "a name and a value, as in /set temperature 0.7"),
    Verb("theme", "NAME", "change the colours"),
    Verb("new", "", "begin a fresh conversation"),
    Verb("copy", "", "copy the reply"),
    Verb("help", "", "keys and commands"),
    Verb("quit", "", "save and leave"),
)
ALIASES = {"exit": "quit", "bye": "quit", "regenerate": "regen", "?": "help", "clear": "new", "ledger": "lessons"}
EXPORTS = ("hf", "peft", "trl")
_BY_NAME = {verb.name: verb for verb in VERBS}


@dataclass(frozen=True, slots=True)
class Prompt:
    """The line is something to say."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """The line is a command with its argument."""

    verb: str
    argument: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """The line is neither; `text` says why."""

    text: str


def read(line: str) -> Prompt | Call | Mistake:
    """What a sent line means. `//text` says `/text`; an unknown command is a mistake, never a prompt."""
    if line.startswith("//"):
        return Prompt(line[1:])
    if not line.startswith("/"):
        return Prompt(line)
    word, _, rest = line[1:].partition(" ")
    if "\n" in word:
        word, _, more = word.partition("\n")
        rest = f"{more} {rest}"
    name = ALIASES.get(word.lower(), word.lower())
    verb = _BY_NAME.get(name)
    if verb is None:
        shown = word if len(word) <= 24 else f"{word[:24]}…"
        return Mistake(f"there is no /{shown}; /help lists what there is, and //{shown} says it as text")
    argument = rest.strip()
    if not verb.argument and argument:
        return Mistake(f"/{name} takes nothing after it")
    if name == "withdraw":
        argument = argument.removeprefix("#")
    if verb.needs and not _fits(name, argument):
        return Mistake(f"/{name} needs {verb.needs}")
    return Call(name, argument)


def _fits(name: str, argument: str) -> bool:
    """Whether a command that needs an argument has one of the right form."""
    words = argument.split(None, 1)
    if name == "withdraw":
        return argument.isascii() and argument.isdigit() and len(argument) < 10
    if name == "export":
        return len(words) == 2 and words[0] in EXPORTS
    return len(words) == 2 if name == "set" else bool(words)


@dataclass(frozen=True, slots=True)
class Completion:
    """One line of the popup: what the composer holds if it is taken, and how it is shown."""

    line: str
    shown: str
    about: str
    final: bool
    """Whether the line is then ready to be sent."""


def complete(line: str, themes: Iterable[str] = ()) -> list[Completion]:
    """What could stand where `line` is; empty where there is nothing to complete."""
    if not line.startswith("/") or line.startswith("//") or "\n" in line:
        return []
    word, space, rest = line[1:].partition(" ")
    if not space:
        return [
            Completion(
                f"/{verb.name}{' ' if verb.argument else ''}",
                f"/{verb.name} {verb.argument}".rstrip(),
                verb.about,
                not verb.argument,
            )
            for verb in VERBS
            if verb.name.startswith(word.lower())
        ]
    if word == "theme":
        return [
            Completion(f"/theme {name}", name, "", True) for name in themes if name.startswith(rest) and name != rest
        ]
    if word == "export" and " " not in rest:
        return [Completion(f"/export {kind} ", kind, "", False) for kind in EXPORTS if kind.startswith(rest)]
    if word == "set" and " " not in rest:
        return [
            Completion(f"/set {name} ", name, SETTINGS[name].brief, False)
            for name in CHANGEABLE
            if name.startswith(rest)
        ]
    return []
