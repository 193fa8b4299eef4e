"""What all commands share: options, output, and the exit codes of errors.

Results go to stdout, notices and errors to stderr. Hidden characters of texts are made visible before printing; JSON
escapes them instead. Imports neither torch nor textual.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import cached_property
from shutil import get_terminal_size
from typing import Annotated, Any, get_type_hints

import typer

from theta_tui.base.config import SETTINGS, Settings, load_settings
from theta_tui.base.errors import StreamError
from theta_tui.base.exit import SCHEMA
from theta_tui.base.streams import shows_progress
from theta_tui.base.text import visible
from theta_tui.cli.usage import EVERY, SAMPLING

SWITCHES = ("json", "yes")
"""Options of every command that are not settings."""


def _option(heading: str, name: str, *short: str, metavar: str | None = None) -> Any:
    """The option for setting `name`, from its declaration. `base.config` reads its value with the other sources."""
    setting = SETTINGS[name]
    kind = {int | None: int}.get(setting.kind, setting.kind)
    return Annotated[
        (kind if kind in (bool, int, float) else str) | None,
        typer.Option(setting.flag, *short, metavar=metavar, help=setting.help, rich_help_panel=heading),
    ]


_COMMON: dict[str, Any] = {
    "home": _option(EVERY, "home", metavar="DIR"),
    "model": _option(EVERY, "model", "-m"),
    **{name: _option(EVERY, name) for name in ("device", "dtype", "lora", "lora_rank", "seed", "recipe")},
    "who": _option(EVERY, "who", metavar="NAME"),
    "persona": _option(EVERY, "persona", metavar="TEXT"),
    "context": _option(EVERY, "context", metavar="FILE"),
    "lock": _option(EVERY, "lock"),
    "offline": _option(EVERY, "offline"),
    "quiet": _option(EVERY, "quiet", "-q"),
    "yes": Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Ask nothing: get a model that is not here, teach what is imported.",
            rich_help_panel=EVERY,
        ),
    ],
    "json": Annotated[
        bool, typer.Option("--json", help="JSON on stdout, errors as JSON on stderr.", rich_help_panel=EVERY)
    ],
}
_SAMPLING: dict[str, Any] = {
    "temperature": _option(SAMPLING, "temperature", "--temp"),
    **{name: _option(SAMPLING, name) for name in ("top_p", "top_k", "min_p", "max_tokens")},
}


class Invocation:
    """One call of `theta`: its settings and its output. Options before and after the command both count."""

    def __init__(self, flags: dict[str, Any], outer: Invocation | None = None) -> None:
        outer_flags = outer.flags if outer else {}
        own = {name: value for name, value in flags.items() if value not in (None, False)}
        self.flags: dict[str, Any] = outer_flags | own
        self.json = bool(self.flags.get("json"))
        self.yes = bool(self.flags.get("yes"))
        self.done = ""
        """The lasting change, in words: printed on stderr if the result cannot be printed."""

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self.given)

    @property
    def given(self) -> dict[str, Any]:
        """The settings that are given as options."""
        return {name: value for name, value in self.flags.items() if name not in SWITCHES}

    def out(self, text: str, *, one_line: bool = True) -> None:
        """Print a line of the result for a person."""
        self._print(visible(text, one_line=one_line))

    def emit(self, **values: Any) -> None:
        """Print a JSON object on a line of its own."""
        from theta_tui.base.json import dumps

        self._print(dumps({"schema": SCHEMA} | values))

    def _print(self, line: str) -> None:
        try:
            print(line, flush=True)
        except BrokenPipeError:
            raise  # the reader has closed the pipe
        except OSError as error:
            done = f"; {self.done} all the same" if self.done else ""
            raise StreamError(f"standard output cannot be written ({error.strerror}){done}") from None

    def note(self, text: str) -> None:
        """Print a notice on stderr."""
        if not self.settings.quiet:
            print(f"theta: {visible(text, one_line=True)}", file=sys.stderr, flush=True)

    def stage(self, text: str) -> None:
        """Print what the command is waiting for, if stderr is a terminal."""
        if not self.settings.quiet and not self.json and shows_progress():
            room = get_terminal_size().columns - 2  # a second line would stay
            sys.stderr.write(f"\r\x1b[2K{visible(text, one_line=True)[:room]}…" if text else "\r\x1b[2K")
            sys.stderr.flush()


def with_options(function: Callable[..., None], *, sampling: bool = False) -> Callable[..., None]:
    """Give a command the common options. `function` takes an Invocation and then its own parameters. A parameter with
    the name of a common option replaces it."""
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
