"""The table of verbs: name, arguments, help, when each applies, and its command.

Slash commands, the palette, the help, the keys of the screen, the plain loop, the commands of `theta` and the worker
all read this table. A new verb is an entry here and a handler: in `service.py` if the worker carries it out, else in a
front end. Neither torch nor Textual here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from theta_tui.base.config import CHANGEABLE, SETTINGS
from theta_tui.base.text import is_blank
from theta_tui.session import commands as c
from theta_tui.session import lists
from theta_tui.session import protocol as p

Mode = Literal["broken", "loading", "learning", "proposing", "choosing", "idle"]
"""The mode of the screen, which decides what may be done."""
ExportKind = Literal["hf", "gguf", "peft", "trl", "plot"]
EXPORTS: tuple[ExportKind, ...] = ("hf", "gguf", "peft", "trl", "plot")
DEEDS = {"open": "go on with it", "rename": "give it a name", "delete": "take it out of the list"}
"""What is done to a conversation."""
MAY = {"teach": "what they teach is learned at once", "propose": "it waits for you", "hold": "it is refused"}
"""What happens to what a person teaches."""


# --- parsers: the text after a verb as arguments, or None if they are missing or wrong ---


def _nothing(text: str) -> tuple[()] | None:
    return None if text else ()


def _name(text: str) -> tuple[str]:
    return (text,)


def _text(text: str) -> tuple[str] | None:
    return None if is_blank(text) else (text,)


def _lesson(text: str) -> tuple[int] | None:
    number = lesson_number(text)
    return None if number is None else (number,)


def _turn(text: str) -> tuple[int, str] | None:
    word, _, rest = text.partition(" ")
    number = lesson_number(word)
    return None if number is None else (number, rest.strip())


def _conversation(text: str) -> tuple[Any, ...] | None:
    word, _, rest = text.partition(" ")
    which, _, name = rest.strip().partition(" ")
    number = lesson_number(which)
    if not word:
        return ()
    return None if word not in DEEDS or number is None or (name and word != "rename") else (word, number, name.strip())


def _person(text: str) -> tuple[str, ...] | None:
    name, _, may = text.rpartition(" ")
    return () if not text else (name.strip(), may) if may in MAY and not is_blank(name) else None


def _reply(text: str) -> tuple[int] | tuple[()] | None:
    return () if not text else (int(text),) if text in {"1", "2", "3", "4", "5"} else None


def _lesson_or_none(text: str) -> tuple[int | None] | None:
    return _lesson(text) if text else (None,)


def _export(text: str) -> tuple[str, str] | None:
    words = text.split(None, 1)
    return (words[0], words[1]) if len(words) == 2 and words[0] in EXPORTS else None


def _setting(text: str) -> tuple[str, str] | None:
    words = text.split(None, 1)
    return (words[0], words[1]) if len(words) == 2 else None


def lesson_number(text: str) -> int | None:
    """The number of a lesson as a person types it, `3` or `#3`; None for anything else."""
    word = text.strip().removeprefix("#")
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else None


# --- preconditions: why a verb does not apply now, or "" ---


def _always(mode: Mode, shot: p.Snapshot) -> str:
    return ""


DOING: dict[Mode, str] = {
    "loading": "the model is loading",
    "learning": "a lesson is being learned",
    "proposing": "replies are being written",
    "broken": "Theta has stopped",
}


def _free(mode: Mode, shot: p.Snapshot) -> bool:
    """Whether a lesson, or taking one back, would disturb nothing under way."""
    return mode in {"choosing", "idle"} and not shot.read_only


def _pick(mode: Mode, shot: p.Snapshot) -> str:
    return _none(mode, shot) or (f"nothing can be taught: {shot.read_only}" if shot.read_only else "")


def _none(mode: Mode, shot: p.Snapshot) -> str:
    return "" if mode == "choosing" else "there are no replies now; say something first"


def _continue(mode: Mode, shot: p.Snapshot) -> str:
    cut = shot.pending is not None and any(not one.ended for one in shot.pending.candidates)
    return _none(mode, shot) or ("" if cut else "no reply was cut; … stands behind one that was")


def _correct(mode: Mode, shot: p.Snapshot) -> str:
    if shot.read_only:
        return f"nothing can be taught: {shot.read_only}"
    if mode not in {"choosing", "idle"}:
        return f"nothing can be taught now: {DOING[mode]}"
    return "" if shot.pending is not None or shot.turns else "there is nothing to correct yet"


def _fix(mode: Mode, shot: p.Snapshot) -> str:
    return _correct(mode, shot) or ("" if shot.turns else "there is no turn to fix yet")


def _import(mode: Mode, shot: p.Snapshot) -> str:
    if shot.read_only:
        return f"nothing can be taught: {shot.read_only}"
    return "" if mode in {"choosing", "idle"} else f"nothing can be taught while it is {mode}"


NO_FACT = "no fact was found in what you said; a fact reads like: my cat is called Tom"


def _fact(mode: Mode, shot: p.Snapshot) -> str:
    if shot.read_only:
        return f"nothing can be taught: {shot.read_only}"
    if mode not in {"choosing", "idle"}:
        return f"nothing can be taught now: {DOING[mode]}"
    offered = mode == "choosing" and shot.pending is not None and shot.pending.statement is not None
    return "" if offered else NO_FACT


def _undo(mode: Mode, shot: p.Snapshot) -> str:
    # While a lesson is learned, it can be asked for too: it is the next thing done then.
    there = shot.undo if mode in {"choosing", "idle"} else mode == "learning"
    return "" if there and not shot.read_only else "there is nothing to undo now"


def _redo(mode: Mode, shot: p.Snapshot) -> str:
    return "" if _free(mode, shot) and shot.redo else "there is nothing to redo now"


def _withdraw(mode: Mode, shot: p.Snapshot) -> str:
    return "" if _free(mode, shot) else "no lesson can be taken out now"


def _model(mode: Mode, shot: p.Snapshot) -> str:
    return "" if mode in {"choosing", "idle"} else f"the model cannot change while it is {mode}"


def _save(mode: Mode, shot: p.Snapshot) -> str:
    return "there is nothing to save now" if mode in {"loading", "broken"} or shot.read_only else ""


def _plot(mode: Mode, shot: p.Snapshot) -> str:
    return "there is nothing to plot now" if mode in {"loading", "broken"} else ""


def _copy(mode: Mode, shot: p.Snapshot) -> str:
    return "" if shot.turns or shot.pending is not None else "there is nothing to copy now"


def configure(name: str, value: str) -> c.Configure:
    return c.Configure(name.replace("-", "_"), value)


# --- the table ---


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb. `about` describes it in a few words; `help` is the text of `theta NAME --help`.

    `argument` names the text after the verb. `read` parses that text, or returns None if it does not fit; `needs` then
    says what does. `choices` complete the first word, each with a description. `refused` says why the verb does not
    apply now, "" if it does. `command` makes the worker's command from the arguments; without one, a front end carries
    out the verb or makes the command itself. `doing` and `done` describe the verb during and after. `slash` and
    `plain`: whether it is a slash command of the app, and of the plain loop.
    """

    name: str
    about: str
    argument: str = ""
    needs: str = ""
    read: Callable[[str], tuple[Any, ...] | None] = _nothing
    choices: Mapping[str, str] = field(default_factory=dict)
    refused: Callable[[Mode, p.Snapshot], str] = _always
    command: Callable[..., c.Command] | None = None
    help: str = ""
    doing: str = ""
    done: str = ""
    aliases: tuple[str, ...] = ()
    slash: bool = True
    plain: bool = True

    @property
    def line(self) -> str:
        """The verb as it is typed: `/withdraw N`."""
        return f"/{self.name} {self.argument}".rstrip()


VERBS = (
    Verb("pick", "teach that reply", "N", refused=_pick, slash=False, plain=False),
    Verb("none", "none of these; learn nothing", refused=_none, slash=False),
    Verb("correct", "teach a better reply", "TEXT", "a text, as in /correct My name is Theta.", _text, refused=_correct,
         plain=False),
    Verb("fix", "a better reply to turn N", "N TEXT", "the number of a turn, as in /fix 3", _turn, refused=_fix),
    Verb("fact", "learn the fact that was stated", refused=_fact),
    Verb("undo", "take back your last lesson", refused=_undo, command=partial(c.TakeBack, "undo"),
         help="Take back your last lesson; `theta withdraw N` takes out any.", doing="undoing", done="undone"),
    Verb("redo", "bring back the lesson that was taken back", refused=_redo, command=partial(c.TakeBack, "redo"),
         help="Bring back the lesson that was taken back last, while no other was taught since.",
         doing="bringing back", done="redone"),
    Verb("withdraw", "take lesson N out", "N", "the number of a lesson, as in /withdraw 3", _lesson, refused=_withdraw,
         command=partial(c.TakeBack, "withdraw"), doing="withdrawing", done="withdrawn",
         help="Take lesson N out, as if it had never been taught. "
         "At once: the next start learns the ones since again."),
    Verb("people", "who else teaches here, and what happens to it", "NAME MAY",
         "a name and teach, propose or hold, as in /people Ada hold", _person, command=lists.ChangePerson,
         help="Who else teaches this home, and what they propose; or say what happens to what NAME teaches."),
    Verb("accept", "learn what proposal N wants", "N", "the number of a proposal, as in /accept 1", _lesson,
         refused=_withdraw, command=partial(lists.Decide, "accept"), plain=False,
         help="Learn what proposal N wants, as a lesson of who proposed it."),
    Verb("decline", "decline proposal N", "N", "the number of a proposal, as in /decline 1", _lesson,
         refused=_withdraw, command=partial(lists.Decide, "decline"), plain=False,
         help="Decline proposal N. What was said stays."),
    Verb("regen", "offer five other replies", refused=_pick, aliases=("regenerate",)),
    Verb("continue", "let a reply go on where it was cut (…)", "N", "the number of a reply, as in /continue 2", _reply,
         refused=_continue, help="Let reply N of the kept prompt go on where it was cut (…)."),
    Verb("ask", "what it says by itself; changes nothing", "TEXT", "a text, as in /ask Who are you?", _text,
         command=c.Ask, plain=False,
         help="The most likely reply; changes nothing. With -: a question on each line, answered by a line of JSON."),
    Verb("history", "all of this conversation", command=c.ShowHistory,
         help="The conversation: what was said, taught, left without an answer, and taken back."),
    Verb("lessons", "what was taught, and whether it is still known", aliases=("ledger",),
         help="Every lesson: when, what it did, and whether it is still known."),
    Verb("quiz", "check every lesson now", command=c.Quiz,
         help="Check every lesson that counts: kept, fading or lost."),
    Verb("stats", "what it has learned so far",
         help="What it has learned: lessons, how many are still known, loss, sizes, speeds."),
    Verb("plot", "loss, what is kept and lesson N over time", "N", "the number of a lesson, or nothing",
         _lesson_or_none, refused=_plot, command=c.ShowPlots, plain=False),
    Verb("save", "save the weights now", refused=_save, command=c.Save),
    Verb("export", "write the model or the lessons to a folder", "hf|gguf|peft|trl|plot PATH",
         "hf or gguf (the model), peft (adapters) or trl (the lessons) and a folder, as in /export trl ~/lessons, "
         "or plot and a file, as in /export plot ~/lessons.svg",
         _export, dict.fromkeys(EXPORTS, ""), command=c.Export,
         help="Write what was taught to a folder: for Transformers, as a GGUF file, as adapters for peft, as data sets "
         "for TRL; or the plots to a file."),
    Verb("set", "change a setting", "NAME VALUE", "a name and a value, as in /set temperature 0.7", _setting,
         {name: SETTINGS[name].brief for name in CHANGEABLE}, command=configure, plain=False),
    Verb("persona", "who it is to be; off ends it", "TEXT", read=_name, command=c.Persona,
         help="The system turn that the model speaks and learns under: show it, or change it to TEXT."),
    Verb("model", "the models there are; switch to one", "NAME", read=_name, refused=_model, command=c.ShowModels,
         plain=False),
    Verb("theme", "change the colours", "NAME", read=_name, plain=False),
    Verb("new", "begin a new conversation", command=c.NewConversation, aliases=("clear",),
         help="Begin a new conversation; what was taught stays."),
    Verb("conversations", "the conversations: go on with one, rename it, delete it", "DEED N",
         "open, rename or delete and a number, as in /conversations open 2", _conversation, DEEDS,
         command=lists.ChangeConversation,
         help="The conversations: list them, or open, rename or delete number N. What was taught is shared by all."),
    Verb("find", "the turns of this conversation, those that have TEXT", "TEXT", read=_name),
    Verb("import", "teach what a file holds: pairs, a chat export, facts", "FILE", "a file, as in /import facts.txt",
         _text, refused=_import,
         help="Teach what a file holds: pairs, conversations, a table, a chat export, or a list of facts, one a line."),
    Verb("copy", "copy the reply", refused=_copy, plain=False),
    Verb("help", "keys, signs and commands", aliases=("?",)),
    Verb("tour", "how it works, in three cards", plain=False),
    Verb("quit", "save and leave", aliases=("exit", "bye")),
)  # fmt: skip
BY_NAME = {name: verb for verb in VERBS for name in (verb.name, *verb.aliases)}
SLASH = tuple(verb for verb in VERBS if verb.slash)


def doing(deed: c.Deed, number: int | None) -> str:
    """The activity while a lesson is taken back: `withdrawing 3`."""
    return BY_NAME[deed].doing if number is None else f"{BY_NAME[deed].doing} {number}"


# --- typed lines ---


@dataclass(frozen=True, slots=True)
class Prompt:
    """The line is a message to the model."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """The line is a verb with its arguments."""

    verb: Verb
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Mistake:
    """The line is neither a message nor a valid verb; `text` says why."""

    text: str


LONE = frozenset({"quit", "exit", "help", "undo"})
"""Words that are asked about where they are all of a message: they may be meant as commands."""


def lone(text: str) -> Verb | None:
    """The verb that `text` may be meant as, if it is one of LONE and nothing else."""
    word = text.strip().rstrip(".!?").lower()
    return BY_NAME[word] if word in LONE else None


def read(line: str, *, plain: bool = False) -> Prompt | Call | Mistake:
    """Parse a line typed into the app, or into the plain loop (`plain`). `//text` says `/text`; an unknown command is a
    mistake, never a prompt."""
    if line.startswith("//"):
        return Prompt(line[1:])
    if not line.startswith("/"):
        return Prompt(line)
    word, _, rest = line[1:].partition(" ")
    if "\n" in word:
        word, _, more = word.partition("\n")
        rest = f"{more} {rest}"
    verb = BY_NAME.get(word.lower())
    if verb is None or not (verb.slash or (plain and verb.plain)):
        shown = word if len(word) <= 24 else f"{word[:24]}…"
        return Mistake(f"there is no /{shown}; /help lists what there is, and //{shown} says it as text")
    arguments = verb.read(rest.strip())
    if arguments is None:
        return Mistake(f"/{verb.name} needs {verb.needs}" if verb.needs else f"/{verb.name} takes nothing after it")
    if plain and not verb.plain:
        return Mistake(f"/{verb.name} is for the full-screen app; /help lists what there is here")
    return Call(verb, arguments)


@dataclass(frozen=True, slots=True)
class Completion:
    """One line of the popup: the text that the composer gets if it is taken, and how it is shown."""

    line: str
    shown: str
    about: str
    final: bool
    """Whether the line is then ready to be sent."""


def complete(line: str, themes: Iterable[str] = (), models: Iterable[p.ModelRow] = ()) -> list[Completion]:
    """The completions of `line`; empty if there are none."""
    if not line.startswith("/") or line.startswith("//") or "\n" in line:
        return []
    word, space, rest = line[1:].partition(" ")
    if not space:
        return [
            Completion(f"/{verb.name}{' ' if verb.argument else ''}", verb.line, verb.about, not verb.argument)
            for verb in SLASH
            if verb.name.startswith(word.lower())
        ]
    if word == "theme":
        return [
            Completion(f"/theme {name}", name, "", True) for name in themes if name.startswith(rest) and name != rest
        ]
    if word == "model":
        return [
            Completion(f"/model {row.name}", row.name, row.about, True)
            for row in models
            if row.name.startswith(rest) and row.name != rest
        ]
    verb = BY_NAME.get(word)
    if verb is None or " " in rest:
        return []
    return [
        Completion(f"/{word} {name} ", name, about, False)
        for name, about in verb.choices.items()
        if name.startswith(rest)
    ]
