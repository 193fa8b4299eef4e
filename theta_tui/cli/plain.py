"""`theta chat --plain`: the plain loop, line by line, for screen readers, pipes and dumb terminals. No Textual."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from theta_tui.base.errors import ThetaError
from theta_tui.base.text import plural
from theta_tui.cli import conversations as talks
from theta_tui.cli import people as others
from theta_tui.cli import reports
from theta_tui.cli.alone import Alone
from theta_tui.cli.console import Invocation
from theta_tui.cli.engine import make_room
from theta_tui.cli.lines import next_line
from theta_tui.cli.opening import engine_of
from theta_tui.engine.client import EngineGoneError
from theta_tui.session import protocol as p
from theta_tui.session.lists import ReadFile
from theta_tui.session.verbs import BY_NAME, VERBS, Call, Mistake, Mode, Prompt, lone, read
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from theta_tui.cli.opening import AnySession
    from theta_tui.engine.session import RemoteSession
    from theta_tui.session.commands import Deed
    from theta_tui.store.records import Outcome, Pending

ROWS = (
    *((verb.line, verb.about) for verb in VERBS if verb.plain),
    ("s", "as /fact; the five replies still wait"),
    ("//text", "says text that begins with a slash"),
)
HELP = (
    "type a message; pick a reply with 1 to 5, or type a better one",
    *(f"{left:<29} {about}" for left, about in ROWS),
    "trained. (loss A → B, step S): how much the reply surprised the model before and after; lower is better",
)


def converse(call: Invocation, *, info: bool = False) -> None:
    """Run the loop until `quit` or the end of the input, and write a checkpoint on leaving. In the engine of the home,
    as other commands, or alone.

    `info`: after each lesson, print what it did and what is kept.
    """
    with engine_of(call, start=lambda _: None) as remote:
        if remote is not None:
            Conversation(call, remote, remote, info=info).run()
            return
    make_room(call)
    store = Store.open(call.settings)
    try:
        from theta_tui.cli.models import get_missing
        from theta_tui.session.session import Session

        get_missing(call, store.settings.model)
        session = Session(store)
        session.load(call.stage)
        call.stage("")
        try:
            Conversation(call, session, Alone(call, session), info=info).run()
        finally:
            session.close()
    finally:
        store.close()


def _read(line: str) -> Prompt | Call | Mistake:
    """Parse a line; `quit` leaves, as a word or as a command."""
    return Call(BY_NAME["quit"]) if line.lower() == "quit" else read(line, plain=True)


def _is(meant: Prompt | Call | Mistake, name: str) -> bool:
    return isinstance(meant, Call) and meant.verb.name == name


class Conversation:
    """One run of the loop. The transcript goes to stdout, notices go to stderr."""

    def __init__(
        self, call: Invocation, session: AnySession, doing: Alone | RemoteSession, *, info: bool = False
    ) -> None:
        self.info = info
        self.call = call
        self.session = session
        self.doing = doing

    def run(self) -> None:
        call = self.call
        call.out("--- interactive training mode (type 'quit' to exit) ---")
        turns = len(self.session.store.state.turns)
        if turns:
            call.out(f"(loaded context: {plural(turns, 'turn')})")
        self._tell()
        try:
            going = self._safely(self._resume)
            while going and (line := self._next("> ")) is not None:
                going = self._safely(partial(self._turn, line))
        finally:
            self._leave()

    def _safely(self, step: Callable[[], bool]) -> bool:
        """Take a step and print its error, if any; false to leave. If the engine has ended in the middle of a command,
        the prompt that waits is offered once more."""
        try:
            return step()
        except ThetaError as error:
            self.call.out(f"! {error}")
            return not isinstance(error, EngineGoneError) or self._safely(self._resume)
        finally:
            self._tell()

    def _resume(self) -> bool:
        """First answer a prompt that still waited when the loop was last left; false to leave."""
        waiting = self.session.pending
        if waiting is None:
            return True
        self.call.out(f"> {waiting.prompt}")
        return self._answer(waiting)

    def _turn(self, line: str) -> bool:
        """Read and handle one line; false to leave."""
        line = line.strip()
        if not line:
            return True
        meant = self._understood(line)
        if _is(meant, "quit"):
            return False
        if not isinstance(meant, Prompt):
            waited = self.session.pending is not None
            self._slash(meant)
            back = None if waited else self.session.pending
            return back is None or self._answer(back)  # an undo in an engine offers the prompt again
        waiting = self.session.propose(meant.text)
        assert waiting is not None
        return self._answer(waiting)

    def _answer(self, waiting: Pending) -> bool:
        """Show the five replies and take a pick or a text; false to leave."""
        while True:
            for line in reports.reply_lines(waiting, self.session.store.state):
                self.call.out(line)
            stated = waiting.statement
            if stated is not None:
                self.call.out(reports.offer_line(stated))
            answer = self._next("[1-5 or type response] > ")
            word = "" if answer is None else answer.strip()
            meant = self._understood(word)
            if answer is None or _is(meant, "quit"):
                return False
            if word in {"1", "2", "3", "4", "5"} and int(word) <= len(waiting.candidates):
                self._trained(self.session.pick(int(word), prompt_id=waiting.prompt_id))
            elif (word == "s" or _is(meant, "fact")) and stated is not None:
                self._trained(self.session.state(stated.prompt, stated.reply, said=waiting.prompt))
                waiting = self.session.store.waiting()
                continue
            elif not word or _is(meant, "none"):
                self.doing.pass_over()
                self.call.out("nothing was learned.")
            elif _is(meant, "regen"):
                again = self.session.propose(waiting.prompt, again=True)
                assert again is not None
                waiting = again
                continue
            elif isinstance(meant, Call) and meant.verb.name == "continue" and meant.arguments:
                waiting = self.doing.go_on(*meant.arguments) or waiting
                continue
            elif not isinstance(meant, Prompt):
                self._slash(meant)
                if self.session.pending is None:
                    return True
                waiting = self.session.pending
                continue
            elif word.lstrip("+-").isnumeric() and not self._agrees(f"there is no reply {word}; teach this text?"):
                continue
            else:
                self._trained(self.session.correct(meant.text, prompt_id=waiting.prompt_id))
            return True

    def _understood(self, line: str) -> Prompt | Call | Mistake:
        """The line, parsed. On a terminal a word that may be meant as a command is asked about; in a pipe it is text,
        as the next line is no answer."""
        meant = _read(line)
        verb = lone(line) if isinstance(meant, Prompt) and sys.stdin.isatty() else None
        if verb is None:
            return meant
        answer = self._next(f"/{verb.name} ({verb.about})? [y: do it, enter: say it as text] > ")
        return Call(verb) if answer is not None and answer.strip().lower() in {"y", "yes"} else meant

    def _agrees(self, question: str) -> bool:
        answer = self._next(f"{question} [y/N] > ")
        return answer is not None and answer.strip().lower() in {"y", "yes"}

    def _slash(self, meant: Call | Mistake) -> None:
        if isinstance(meant, Mistake):
            self.call.out(f"! {meant.text}")
            return
        match meant.verb.name:
            case "undo" | "redo" | "withdraw" as deed:
                self._take_back(deed, *meant.arguments)
            case "export":
                kind, path = meant.arguments
                self.call.out(self.doing.export(kind, Path(path)))
            case "new":
                self.doing.begin_conversation()
                self.call.out("a new conversation.")
            case "conversations" if meant.arguments:
                self.call.out(self.doing.change_conversation(*meant.arguments))
            case "conversations":
                talks.show_list(self.call, self.session.store)
            case "find":
                reports.found(self.call, self.session.store.state.open, *meant.arguments)
            case "fix":
                number, text = meant.arguments
                self._trained(self.session.correct_turn(number, text))
            case "import":
                self._import(*meant.arguments)
            case "persona":
                self.call.out(self.doing.change_persona(*meant.arguments))
            case "people" if meant.arguments:
                self.call.out(self.doing.let(*meant.arguments))
            case "people":
                others.show(self.call, self.session.store)
            case "save":
                self._saved()
            case "stats":
                reports.stats(self.call, self.session.store)
            case "history":
                state = self.session.store.state
                reports.history(self.call, state.open, state.beside(), self.session.pending)
            case "lessons":
                reports.lessons(self.call, self.session.store)
            case "quiz":
                reports.quiz(self.call, self.session.store, self.session.quiz())
            case "help":
                for text in HELP:
                    self.call.out(text)
            case _:  # the others are about replies that wait
                mode: Mode = "idle" if self.session.pending is None else "choosing"
                self.call.out(f"! {meant.verb.refused(mode, p.Snapshot(pending=self.session.pending))}")

    def _import(self, name: str) -> None:
        from theta_tui.cli.importing import dictionary, found_lines, teach
        from theta_tui.session.importing import find

        path = Path(name).expanduser().absolute()
        found = find(self.session.store, dictionary(self.call), path)
        for line in found_lines(found):
            self.call.out(line)
        if found.pairs and self._agrees(f"teach {plural(len(found.pairs), 'lesson')}?"):
            taught, _ = teach(self.call, self.session, found, ReadFile(str(path)))
            self.call.out(taught.words)

    def _take_back(self, deed: Deed, number: int | None = None) -> None:
        batch, done = self.doing.take_back(deed, number), BY_NAME[deed].done
        said = batch.lessons[-1].exchange
        self.call.done = f"{done}: {batch.words}"
        self.call.stage("")
        self.call.out(f"{done}: {batch.words if batch.source else f'{said.prompt} → {said.reply}'}")

    def _trained(self, outcome: Outcome) -> None:
        skipped = outcome.skipped
        if skipped is None:
            self.call.done = f"lesson {outcome.lesson} was taught"
        done = skipped is None or not outcome.lesson
        self.call.out(reports.trained_line(outcome) if done else f"nothing was learned: {skipped}")
        if self.info and skipped is None:
            reports.learning_info(self.call, self.session, outcome)

    def _leave(self) -> None:
        if self.doing.unsaved:
            self._saved()

    def _saved(self) -> None:
        path, parameters = self.doing.save()
        self.call.out(f"saved checkpoint to {path} ({parameters} params)")

    def _tell(self) -> None:
        for text in self.session.store.take_notices():
            self.call.note(text)

    def _next(self, prompt: str) -> str | None:
        """A line of input, or None at its end."""
        try:
            if sys.stdin.isatty():
                return input(prompt)
            print(prompt, end="", flush=True)
            if (line := next_line(self.call)) is not None:
                return line
        except EOFError:
            pass
        self.call.out("")
        return None
