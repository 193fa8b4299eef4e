"""The help of commands, and the messages for a wrong command line: one line that says what is wrong and what to do.

Typer parses the command line; this module writes what people read.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from theta_tui.base.errors import UsageError
from theta_tui.base.text import plural

EVERY = "Options of every command"
"""The help of a command mentions these in one line; `theta --help` lists them."""
SAMPLING = "Options of the replies (prompt, ask, chat)"

Rows = list[tuple[str, str]]


class Command(TyperCommand):
    """A command whose help shows its own options first."""

    allow_extra_args = True  # extra arguments are reported here

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            super().parse_args(ctx, args)
        except TyperException as error:
            raise _explained(error, ctx) from None
        if ctx.args and not ctx.resilient_parsing:
            raise _surplus(ctx)
        return []

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections = _sections(self, ctx)
        sections.pop(EVERY, None)
        _write(sections, formatter)
        formatter.write_paragraph()
        formatter.write_text(f"And the options of every command: {ctx.find_root().command_path} --help")


class Group(TyperGroup):
    """`theta` itself, whose help lists the commands first, then all options in groups."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:
            raise _explained(error, ctx) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word = args[0]
        if self.get_command(ctx, word) is None and not ctx.resilient_parsing:
            alike = get_close_matches(word, self.commands)
            raise UsageError(f"there is no command '{_short(word)}'{_meant(alike)}; see: {ctx.command_path} -h")
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        _write(_sections(self, ctx), formatter)


def missing(path: str, name: str, about: str) -> UsageError:
    """The error for a missing argument `name` of the command `path`, as in `theta teach`."""
    return UsageError(f"{path.split()[-1]} needs {name} ({about}); see: {path} -h")


def _explained(error: TyperException, ctx: Any) -> UsageError:
    """An error of Typer in the words of this project."""
    path, kind = ctx.command_path, type(error).__name__
    name, see = path.split()[-1], f"; see: {path} -h"
    parameter, option = getattr(error, "param", None), getattr(error, "option_name", "")
    if kind == "MissingParameter" and parameter is not None:
        about = (parameter.help or "").split(". ")[0].rstrip(".")
        return missing(path, parameter.display_name_raw, about[:1].lower() + about[1:])
    if kind == "NoSuchOption":
        alike = getattr(error, "possibilities", None) or []
        dashed = f"; a text that begins with - goes after --, as in: {path} -- {_short(option)}"
        hint = _meant(alike) or (dashed if _takes_text(ctx) else "")
        return UsageError(f"{name} has no option {_short(option)}{hint}{see}")
    if kind == "BadOptionUsage":
        needs = "takes no value" if "not take" in error.message else "needs a value"
        return UsageError(f"{option} {needs}{see}")
    if isinstance(error, typer.BadParameter) and parameter is not None:
        named = parameter.opts[-1] if parameter.param_type_name == "option" else parameter.display_name_raw
        return UsageError(f"{named}: {error.message.split(', unable')[0].replace('Input', 'the value')}{see}")
    return UsageError(f"{error.format_message().rstrip('.')}{see}")


def _surplus(ctx: Any) -> UsageError:
    count = sum(1 for parameter in ctx.command.params if parameter.param_type_name == "argument")
    takes = plural(count, "argument") if count else "no argument"
    quotes = "; put quotes around a text of several words" if _takes_text(ctx) else ""
    path = ctx.command_path
    return UsageError(
        f"{path.split()[-1]} takes {takes}, and '{_short(ctx.args[0])}' is too much{quotes}; see: {path} -h"
    )


def _takes_text(ctx: Any) -> bool:
    return any(
        parameter.param_type_name == "argument" and "TEXT" in parameter.display_name_raw.upper()
        for parameter in ctx.command.params
    )


def _meant(alike: list[str]) -> str:
    return f"; did you mean {' or '.join(sorted(alike))}?" if alike else ""


def _short(word: str) -> str:
    return word if len(word) <= 40 else f"{word[:40]}…"


def _sections(command: Any, ctx: Any) -> dict[str, Rows]:
    """The rows of the help by heading: arguments, own options, then the shared ones."""
    found: dict[str, Rows] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(ctx):
        row = parameter.get_help_record(ctx)
        if row is not None:
            own = "Arguments" if parameter.param_type_name == "argument" else "Options"
            found.setdefault(getattr(parameter, "rich_help_panel", None) or own, []).append(row)
    return found


def _write(sections: dict[str, Rows], formatter: Any) -> None:
    for heading, rows in sections.items():
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)
