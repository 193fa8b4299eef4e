"""The commands of `theta`. Imports no torch and no textual at the top, so `theta --help` is instant."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theta_tui import __version__
from theta_tui.base.errors import UsageError
from theta_tui.base.exit import run
from theta_tui.base.streams import can_draw, on_terminal
from theta_tui.base.text import is_blank, plural
from theta_tui.cli import bench as bench
from theta_tui.cli import conversations as talks
from theta_tui.cli import engine as engines
from theta_tui.cli import importing, lines, models, people, taking_back
from theta_tui.cli import serve as pages
from theta_tui.cli import train as batch
from theta_tui.cli.console import Invocation, with_options
from theta_tui.cli.opening import engine_of, loaded_session, own_session, read_store, writable_store
from theta_tui.cli.streaming import streaming
from theta_tui.cli.usage import Command, Group, missing
from theta_tui.session.verbs import BY_NAME

if TYPE_CHECKING:
    from theta_tui.cli.opening import AnySession
    from theta_tui.store.records import Pending
    from theta_tui.store.state import State

app = typer.Typer(
    name="theta",
    cls=Group,
    help="""Teach a language model by talking to it.

    \b
    theta                   the full-screen app
    theta prompt "hello"    five replies, kept for teach
    theta teach 3           learn reply 3 (or: theta teach "A better reply.")
    """,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)

LearningInfo = Annotated[
    bool, typer.Option("--show-learning-info", help="After each lesson, what it did and what is kept.")
]
Text = Annotated[str | None, typer.Argument(metavar="TEXT", help="The text, or - for standard input.")]


def main() -> None:
    """Parse the command line and run the command."""
    run(lambda: app(prog_name="theta", standalone_mode=False))


def command(name: str, *, sampling: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command that takes an Invocation and its own parameters. A verb's help is in the table of verbs."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        if function.__doc__ is None:
            function.__doc__ = BY_NAME[name].help
        about = " ".join((function.__doc__ or "").split()).split(". ")[0].rstrip(".") + "."
        app.command(name, cls=Command, short_help=about)(with_options(function, sampling=sampling))
        return function

    return register


def root(
    call: Invocation,
    prompt_text: Annotated[str | None, typer.Option("--prompt", metavar="TEXT", help="As `theta prompt`.")] = None,
    teach_text: Annotated[str | None, typer.Option("--teach", metavar="N|TEXT", help="As `theta teach`.")] = None,
    load: Annotated[bool, typer.Option("--load", help="Changes nothing: a home is always loaded.")] = False,
    train: Annotated[bool, typer.Option("--train", help="The conversation, full screen or line by line.")] = False,
    show_learning_info: LearningInfo = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        call.out(f"theta {__version__}")
    elif prompt_text is not None and teach_text is not None:
        raise UsageError("--prompt and --teach are two steps; give one of them")
    elif prompt_text is not None:
        prompt(call, prompt_text)
    elif teach_text is not None:
        teach(call, teach_text, show_learning_info=show_learning_info)
    elif on_terminal():
        _full_screen(call, show_learning_info)
    elif train:
        _plain(call, show_learning_info)
    else:
        raise UsageError(
            "the full-screen app needs a terminal; in a pipe use `theta chat --plain`, or `theta prompt` and "
            "`theta teach`"
        )


app.callback(invoke_without_command=True)(with_options(root, sampling=True))


@command("chat", sampling=True)
def chat(
    call: Invocation,
    plain: Annotated[
        bool, typer.Option("--plain", help="Line by line: screen readers, pipes, dumb terminals.")
    ] = False,
    show_learning_info: LearningInfo = False,
) -> None:
    """The conversation, as in the app; with --plain line by line."""
    if plain or not on_terminal():
        _plain(call, show_learning_info)
    else:
        _full_screen(call, show_learning_info)


@command("prompt", sampling=True)
def prompt(call: Invocation, text: Text = None) -> None:
    """Offer five replies to TEXT and keep them for `teach`."""
    said = _no_command(_given(call, text, "prompt"))
    with loaded_session(call) as session:
        with streaming(call) as show:
            waiting = session.propose(said, on_progress=show)
        assert waiting is not None
        _show_replies(call, waiting, session)


def _show_replies(call: Invocation, waiting: Pending, session: AnySession) -> None:
    from theta_tui.cli import reports

    stated, state = waiting.statement, session.store.state
    call.done = "the replies are kept for teach"
    if call.json:
        call.emit(
            prompt_id=waiting.prompt_id,
            prompt=waiting.prompt,
            candidates=reports.reply_fields(waiting, state),
            statement=None if stated is None else {"prompt": stated.prompt, "reply": stated.reply},
        )
        return
    for line in reports.reply_lines(waiting, state):
        call.out(line)
    if stated is not None:
        call.out(reports.offer_line(stated))


@command("continue", sampling=True)
def continue_(
    call: Invocation, number: Annotated[str | None, typer.Argument(metavar="N", help="1 to 5.")] = None
) -> None:
    if number is None or (index := _pick(number)) is None:
        raise missing("theta continue", "N", "the number of a reply that was cut (…)")
    with loaded_session(call, needs_prompt=True) as session:
        from theta_tui.session.continuing import go_on
        from theta_tui.session.session import Session

        waiting = go_on(session, index) if isinstance(session, Session) else session.go_on(index)
        assert waiting is not None
        _show_replies(call, waiting, session)


@command("teach")
def teach(
    call: Invocation,
    answer: Annotated[
        str | None, typer.Argument(metavar="N|TEXT", help="1 to 5, a better reply, or - for JSON lines.")
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="A reply that looks like a number or a command.")] = None,
    for_prompt: Annotated[
        str | None, typer.Option("--for", metavar="PROMPT", help="Teach a pair; no kept prompt is needed.")
    ] = None,
    turn: Annotated[
        int | None, typer.Option("--turn", metavar="N", help="A better reply to turn N, as `theta history` lists it.")
    ] = None,
    prompt_id: Annotated[
        str | None, typer.Option("--prompt-id", metavar="ID", help="Refuse (exit 3) if another prompt waits.")
    ] = None,
    statement: Annotated[
        bool, typer.Option("--statement", help="Learn the fact that the kept prompt states; its replies still wait.")
    ] = False,
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="With -: check all lines before the first is learned.")
    ] = False,
    show_learning_info: LearningInfo = False,
) -> None:
    """Learn reply N or a better reply for the kept prompt. With -: a lesson on each line, each answered at once."""
    if all_or_nothing and answer != "-":
        raise UsageError("--all-or-nothing is for lines of standard input, as in: theta teach - --all-or-nothing")
    if statement:
        if answer is not None or text is not None or for_prompt is not None or turn is not None:
            raise UsageError("--statement teaches the offered pair; a reply, --for or --turn does not go with it")
        _teach_statement(call, prompt_id, show_learning_info)
        return
    if answer is None and text is None:
        raise missing("theta teach", "N|TEXT", "1 to 5, a better reply, or - for JSON lines")
    if answer is not None and text is not None:
        raise UsageError(f"'{answer}' and --text are two replies; give one of them")
    if answer == "-":
        if for_prompt is not None or prompt_id is not None or turn is not None:
            raise UsageError("- reads pairs with prompts of their own; --for, --turn and --prompt-id do not go with it")
        if all_or_nothing:
            lines.teach_all_or_nothing(call, info=show_learning_info)
        else:
            lines.teach(call, info=show_learning_info)
        return
    from theta_tui.cli import reports

    if turn is not None and (for_prompt is not None or prompt_id is not None):
        raise UsageError("--turn says which prompt is meant; --for and --prompt-id do not go with it")
    index = None if answer is None or for_prompt is not None or turn is not None else _pick(answer)
    reply = _said(
        text if text is not None else _no_command(answer or "", "; to teach it as a reply say --text quit"), "reply"
    )
    said = None if for_prompt is None else _said(for_prompt, "prompt")
    with loaded_session(call, needs_prompt=said is None and turn is None, turn=turn, prompt_id=prompt_id) as session:
        if turn is not None:
            outcome = session.correct_turn(turn, reply)
        elif said is not None:
            outcome = session.teach(said, reply)
        elif index is not None:
            outcome = session.pick(index, prompt_id=prompt_id)
        else:
            outcome = session.correct(reply, prompt_id=prompt_id)
        reports.trained(call, session, outcome, show_learning_info)


@command("ask", sampling=True)
def ask(
    call: Invocation,
    text: Text = None,
    no_context: Annotated[bool, typer.Option("--no-context", help="Leave the conversation out.")] = False,
) -> None:
    if text == "-":
        lines.ask(call, with_context=not no_context)
        return
    question = _given(call, text, "question")
    with loaded_session(call, write=False) as session:
        answer = session.ask(question, with_context=not no_context)
        if call.json:
            call.emit(
                prompt=answer.prompt, reply=answer.reply, cut=answer.cut, logprob=answer.logprob, seconds=answer.seconds
            )
        else:
            call.out(answer.shown, one_line=False)


@command("rebuild")
def rebuild(call: Invocation) -> None:
    """Learn everything again from the base model; with --model NEW move it to another model."""
    with writable_store(call) as store:
        from theta_tui.cli.rebuild import report
        from theta_tui.session import rebuild as rebuilding

        models.get_missing(call, store.settings.model)
        done = rebuilding.rebuild(store, call.stage)
        call.stage("")
        call.done = "everything was learned again"
        report(call, done)


@command("new")
def new(call: Invocation) -> None:
    with engine_of(call) as engine:
        if engine is not None:
            turns = len(engine.store.state.turns)
            engine.begin_conversation()
        else:
            with writable_store(call) as store:
                turns = len(store.state.turns)
                store.begin_conversation()
    call.done = "a new conversation was begun"
    if call.json:
        call.emit(turns_before=turns)
    else:
        call.out(f"a new conversation; the old one ({plural(turns, 'turn')}) stays in the journal")


@command("persona")
def persona(
    call: Invocation,
    text: Text = None,
    off: Annotated[bool, typer.Option("--off", help="Remove it: the model's own system turn applies again.")] = False,
) -> None:
    from theta_tui.session import persona as personas

    if off and text is not None:
        raise UsageError(f"'{text}' and --off do not go together; give one of them")
    said = None if text is None else _said(lines.whole(call) if text == "-" else text, "persona")
    if said is None and not off:
        state = read_store(call).state
    else:
        state = _speak_as(call, None if said is None or personas.is_off(said) else said)
    if off or text is not None:
        call.done = "the persona was changed"
    if call.json:
        call.emit(persona=state.persona)
    else:
        call.out(personas.words(state.persona), one_line=False)


@command("lessons")
def lessons(call: Invocation) -> None:
    from theta_tui.cli import reports

    reports.lessons(call, read_store(call))


@command("quiz")
def quiz(call: Invocation) -> None:
    from theta_tui.cli import reports

    with loaded_session(call) as session:
        rows = session.quiz(lambda left: call.stage(f"checking lessons, {left} left"))
        call.stage("")
        call.done = "the lessons were checked"
        reports.quiz(call, session.store, rows)


@command("stats")
def stats(call: Invocation) -> None:
    from theta_tui.cli import reports

    reports.stats(call, read_store(call))


@command("export")
def export(
    call: Invocation,
    kind: Annotated[
        str,
        typer.Argument(metavar="hf|gguf|peft|trl|plot", help="The model, adapters, lessons as data sets, or plots."),
    ],
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A folder that is not there yet; for plot an .svg file.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    without_lessons: Annotated[
        bool, typer.Option("--without-lessons", help="With hf and gguf: leave out the lessons that have a scope.")
    ] = False,
    bits: Annotated[
        str, typer.Option("--type", metavar="F16|Q8_0", help="With gguf: how the weights are written.")
    ] = "F16",
    lesson: Annotated[
        int | None, typer.Option("--lesson", metavar="N", help="With plot: this lesson's own plot.")
    ] = None,
) -> None:
    from theta_tui.model.gguf_writing import KINDS
    from theta_tui.session import export as takeaway

    found = takeaway.kind_of(kind)
    if without_lessons and found not in ("hf", "gguf"):
        raise UsageError(f"--without-lessons is for the model alone, as in: theta export hf {path} --without-lessons")
    if lesson is not None and found != "plot":
        raise UsageError(f"--lesson is for plots, as in: theta export plot lessons.svg --lesson {lesson}")
    written = KINDS.get(bits.upper())
    if written is None:
        raise UsageError(f"--type {bits} is neither F16 nor Q8_0")
    if found == "trl":
        done = takeaway.export_trl(read_store(call), path, force=force)
    elif found == "plot":
        done = takeaway.export_plot(read_store(call), path, lesson, force=force)
    else:
        with own_session(call, write=False) as session:
            if found == "hf":
                done = takeaway.export_hf(
                    session, path, force=force, with_lessons=not without_lessons, on_stage=call.stage
                )
            elif found == "gguf":
                done = takeaway.export_gguf(
                    session, path, force=force, with_lessons=not without_lessons, kind=written, on_stage=call.stage
                )
            else:
                done = takeaway.export_peft(session, path, force=force, on_stage=call.stage)
            call.stage("")
    call.done = f"{done.path} was written"
    if call.json:
        call.emit(exported=done.kind, path=str(done.path), **done.numbers)
    else:
        call.out(done.line)


@command("doctor")
def doctor(call: Invocation) -> None:
    """Versions, settings and their sources, paths, and what the model is shown; what is wrong and how to fix it."""
    from theta_tui.cli import doctor as checks

    if not checks.examine(call):
        raise typer.Exit(1)


app.add_typer(models.app, name="models")
command("serve")(pages.serve)
app.add_typer(engines.app, name="engine")
command("undo")(taking_back.undo)
command("redo")(taking_back.redo)
command("withdraw")(taking_back.withdraw)
command("people")(people.people)
command("accept")(people.accept)
command("decline")(people.decline)
command("conversations")(talks.conversations)
command("history")(talks.history)
command("import")(importing.import_file)
command("merge")(importing.merge_homes)
command("train")(batch.train)
command("bench")(bench.bench)


# --- parts of commands ---


def _speak_as(call: Invocation, text: str | None) -> State:
    """Change the persona; None: the model's own system turn. No model is loaded for that."""
    from theta_tui.session import persona as personas

    with engine_of(call) as engine:
        if engine is not None:
            engine.change_persona(text or "off")
            return engine.store.state
    if text is None:
        with writable_store(call) as store:
            personas.set_to(store, None)
            return store.state
    with own_session(call) as session:
        personas.change(session, text)
        return session.store.state


def _teach_statement(call: Invocation, prompt_id: str | None, info: bool) -> None:
    from theta_tui.cli import reports

    with loaded_session(call, needs_prompt=True, needs_statement=True, prompt_id=prompt_id) as session:
        waiting = session.store.waiting(prompt_id)
        assert waiting.statement is not None
        stated = waiting.statement
        reports.trained(call, session, session.state(stated.prompt, stated.reply, said=waiting.prompt), info)


def _pick(answer: str) -> int | None:
    """1 to 5 for a pick, None for text. Another number is a mistake, not a reply: UsageError."""
    word = answer.strip()
    if word in {"1", "2", "3", "4", "5"}:
        return int(word)
    if word.lstrip("+-").isnumeric():
        raise UsageError(f"there is no reply {word}, only 1 to 5; to teach {word} as text say --text {word}")
    return None


def _no_command(text: str, how: str = "") -> str:
    """Refuse the word that leaves the loop. `how` tells how to say it nevertheless."""
    if text.strip().lower() == "quit":
        raise UsageError(f"'quit' leaves the loop and is never asked or learned{how}")
    return text


def _said(text: str, what: str) -> str:
    """Refuse blank text before anything is loaded."""
    if is_blank(text):
        raise UsageError(f"the {what} is empty; write something that can be seen")
    return text


def _given(call: Invocation, text: str | None, what: str) -> str:
    """The text of an argument or, for `-` or a pipe, of standard input. Refuses blank text."""
    if text is None and sys.stdin.isatty():
        raise missing(f"theta {'ask' if what == 'question' else what}", "TEXT", "or - for standard input")
    return _said(lines.whole(call) if text is None or text == "-" else text, what)


def _plain(call: Invocation, info: bool = False) -> None:
    from theta_tui.cli.plain import converse

    converse(call, info=info)


def _full_screen(call: Invocation, info: bool = False) -> None:
    if not can_draw():
        kind = os.environ.get("TERM", "")
        call.note(f"TERM={kind} names no terminal that can show the full-screen app; this is the loop line by line")
        _plain(call, info)
        return
    models.get_missing(call, call.settings.model)
    from theta_tui.ui.launch import run_full_screen

    raise typer.Exit(run_full_screen(call.settings))
