"""What every command shares: the options, what it prints and where, and how an error becomes an exit code.

Results go to stdout, notices and errors to stderr. Text that came from a model, a person or a file is made visible
before it is printed; JSON escapes it instead. Imports neither torch nor textual.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import cached_property
from shutil import get_terminal_size
from typing import Annotated, Any, get_type_hints

import typer

from theta_tui.base.config import Settings, load_settings
from theta_tui.base.errors import StreamError
from theta_tui.base.exit import SCHEMA
from theta_tui.base.streams import watched
from theta_tui.base.text import visible
from theta_tui.cli.usage import EVERY, SAMPLING

SWITCHES = ("json", "yes")
"""Options of every command that are no settings."""
_COMMON: dict[str, Any] = {
    "home": Annotated[str | None, typer.Option("--home", metavar="DIR", help="Everything Theta keeps. [THETA_HOME]")],
    "model": Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="A name of `theta models`, a Hugging Face id, a folder, a .gguf. [THETA_MODEL]"
        ),
    ],
    "device": Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or mps. [THETA_DEVICE]")],
    "dtype": Annotated[str | None, typer.Option("--dtype", help="auto, float32 or bfloat16. [THETA_DTYPE]")],
    "lora": Annotated[str | None, typer.Option("--lora", help="auto, on or off: a small adapter learns. [THETA_LORA]")],
    "lora_rank": Annotated[int | None, typer.Option("--lora-rank", help="Rank of the adapter. [THETA_LORA_RANK]")],
    "seed": Annotated[int | None, typer.Option("--seed", help="Makes the five replies repeatable. [THETA_SEED]")],
    "recipe": Annotated[str | None, typer.Option("--recipe", help="default, adamw or classic. [THETA_RECIPE]")],
    "context": Annotated[
        str | None,
        typer.Option(
            "--context", metavar="FILE", help="The conversation file; context.md in the home. [THETA_CONTEXT]"
        ),
    ],
    "lock": Annotated[
        str | None, typer.Option("--lock", help="flock, or pid where the file system knows no flock. [THETA_LOCK]")
    ],
    "offline": Annotated[bool | None, typer.Option("--offline", help="Never ask the Hugging Face hub.")],
    "quiet": Annotated[bool | None, typer.Option("--quiet", "-q", help="No notices on stderr.")],
    "yes": Annotated[bool, typer.Option("--yes", "-y", help="Get a model that is not here without being asked.")],
    "json": Annotated[bool, typer.Option("--json", help="JSON on stdout, errors as JSON on stderr.")],
}
_SAMPLING: dict[str, Any] = {
    "temperature": Annotated[
        float | None, typer.Option("--temperature", "--temp", help="Temperature of sampling; 0 is greedy.")
    ],
    "top_p": Annotated[
        float | None, typer.Option("--top-p", help="Nucleus sampling: keep this much probability; 1 is off.")
    ],
    "top_k": Annotated[int | None, typer.Option("--top-k", help="Sample from the k likeliest tokens; 0 is off.")],
    "min_p": Annotated[
        float | None, typer.Option("--min-p", help="Leave out tokens below this share of the likeliest; 0 is off.")
    ],
    "max_tokens": Annotated[int | None, typer.Option("--max-tokens", help="Longest reply, in tokens.")],
}
for _heading, _kinds in ((EVERY, _COMMON), (SAMPLING, _SAMPLING)):
    for _kind in _kinds.values():
        _kind.__metadata__[0].rich_help_panel = _heading


class Invocation:
    """One call of `theta`: its settings and its way of printing. Options before and after the command both count."""

    def __init__(self, flags: dict[str, Any], outer: Invocation | None = None) -> None:
        outer_flags = outer.flags if outer else {}
        own = {name: value for name, value in flags.items() if value not in (None, False)}
        self.flags: dict[str, Any] = outer_flags | own
        self.json = bool(self.flags.get("json"))
        self.yes = bool(self.flags.get("yes"))
        self.done = ""
        """What was changed for good, in words: said on stderr where the result cannot be printed."""

    @cached_property
    def settings(self) -> Settings:
        return load_settings({name: value for name, value in self.flags.items() if name not in SWITCHES})

    def out(self, text: str, *, one_line: bool = True) -> None:
        """A line of result for a person."""
        self._print(visible(text, one_line=one_line))

    def emit(self, **values: Any) -> None:
        """A JSON object on a line of its own."""
        from theta_tui.base.json import dumps

        self._print(dumps({"schema": SCHEMA} | values))

    def _print(self, line: str) -> None:
        try:
            print(line, flush=True)
        except BrokenPipeError:
            raise  # the reader has what it wanted
        except OSError as error:
            done = f"; {self.done} all the same" if self.done else ""
            raise StreamError(f"standard output cannot be written ({error.strerror}){done}") from None

    def note(self, text: str) -> None:
        """Something that the person should know, on stderr."""
        if not self.settings.quiet:
            print(f"theta: {visible(text, one_line=True)}", file=sys.stderr, flush=True)

    def stage(self, text: str) -> None:
        """What is being waited for; only where a person is watching."""
        if not self.settings.quiet and not self.json and watched():
            room = get_terminal_size().columns - 2  # on a second line it would stay
            sys.stderr.write(f"\r\x1b[2K{visible(text, one_line=True)[:room]}…" if text else "\r\x1b[2K")
            sys.stderr.flush()


def with_options(function: Callable[..., None], *, sampling: bool = False) -> Callable[..., None]:
    """Give a command the common options. `function` takes an Invocation first and then its own parameters; one that
    is named as a common option takes its place."""
    signature = inspect.signature(function)
    common = _COMMON | (_SAMPLING if sampling else {})
    options = {name: kind for name, kind in common.items() if name not in signature.parameters}
    hints = get_type_hints(function, include_extras=True)
    own = [parameter.replace(annotation=hints[parameter.name]) for parameter in list(signature.parameters.values())[1:]]
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=False if name in SWITCHES else None
        )
        for name, kind in options.items()
    ]
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    def wrapper(ctx: typer.Context, **values: Any) -> None:
        flags = {name: values.pop(name) for name in options}
        ctx.obj = Invocation(flags, ctx.obj if isinstance(ctx.obj, Invocation) else None)
        if ctx.invoked_subcommand is None:
            function(ctx.obj, **values)

    wrapper.__name__ = function.__name__
    wrapper.__doc__ = function.__doc__
    parameters = [context, *keyword, *shared]
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": None}
    return wrapper
