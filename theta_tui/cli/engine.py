"""`theta engine`: a background process that owns a home and keeps its model loaded, so that commands answer at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from theta_tui.base.config import SETTINGS
from theta_tui.base.errors import HomeBusyError, ThetaError
from theta_tui.base.text import plural
from theta_tui.cli.console import Invocation, with_options
from theta_tui.cli.usage import Command, Group
from theta_tui.engine.address import NAME

if TYPE_CHECKING:
    from theta_tui.engine.client import Connection

START_SECONDS = 60.0
STOP_SECONDS = 10.0
MINUTES = 10.0
"""An engine that was started in the background ends after so many idle minutes."""

app = typer.Typer(
    cls=Group,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Keep the model loaded in the background.",
)

Minutes = Annotated[
    float, typer.Option("--minutes", help="End after so many idle minutes; 0: only when stopped.", min=0)
]


def start(call: Invocation, minutes: Minutes = MINUTES) -> None:
    """Start the engine of this home, unless one runs."""
    from theta_tui.engine.client import Connection

    connection = Connection.to(call.settings.home)
    if connection is None:
        connection = started(call, minutes)
    with connection:
        call.done = "the engine runs"
        _report(call, connection)


def run(call: Invocation, minutes: Minutes = 0.0) -> None:
    """Run the engine in the foreground, for a service manager."""
    from theta_tui.cli.models import get_missing
    from theta_tui.engine.client import error_of
    from theta_tui.engine.host import Host
    from theta_tui.session.protocol import Event, Failed
    from theta_tui.session.session import Session
    from theta_tui.store.store import Store

    get_missing(call, call.settings.model)
    failed: list[Failed] = []

    def heard(event: Event) -> None:
        if isinstance(event, Failed) and event.fatal:
            failed.append(event)

    worker = Host(replace(call.settings, who=""), lambda settings: Session(Store.open(settings)))
    worker.start(heard)
    try:
        while not worker.join(1.0):
            server = worker.server
            if server is not None and not server.reachable:
                os._exit(1)  # the home was moved or deleted; saving would write into what took its place
            idle = server is not None and not server.clients and time.monotonic() - server.used_at > 60 * minutes
            if minutes and idle:
                worker.request_stop()
    finally:
        worker.request_stop()
        worker.join(STOP_SECONDS)
    if failed:
        raise error_of(failed[0])


def stop(call: Invocation) -> None:
    """End the engine of this home. It finishes its step, and saves."""
    from theta_tui.engine.client import Connection

    connection = Connection.to(call.settings.home)
    if connection is None:
        raise ThetaError("no engine runs in this home", name="no_engine")
    with connection:
        process = connection.about["pid"]
        if connection.about["app"]:
            raise HomeBusyError(f"the app (process {process}) is the engine of this home; quit it there")
    _end(call, process)
    call.done = "the engine has ended"
    if call.json:
        call.emit(stopped=process)
    else:
        call.out(f"the engine (process {process}) has ended")


def make_room(call: Invocation) -> None:
    """End the engine of this home if it runs in the background and serves nobody: this command needs the home alone."""
    from theta_tui.engine.client import Connection

    settings = call.settings
    if settings.engine == "off" or not (settings.home / NAME).exists():
        return
    connection = Connection.to(settings.home)
    if connection is None:
        return
    with connection:
        about = connection.about
    if not about["app"] and not about["clients"] and about["pid"] != os.getpid():
        _end(call, about["pid"])


def _end(call: Invocation, process: int) -> None:
    """Ask an engine to end, and wait until the home is free."""
    import signal

    from theta_tui.store.home import Home, WriterLock

    os.kill(process, signal.SIGTERM)
    try:
        with WriterLock(Home(call.settings.home), STOP_SECONDS, call.settings.lock):
            pass
    except HomeBusyError:
        raise ThetaError(f"the engine (process {process}) has not ended yet", name="engine") from None


def status(call: Invocation) -> None:
    """Whether an engine runs in this home, and since when."""
    from theta_tui.engine.client import Connection

    connection = Connection.to(call.settings.home)
    if connection is None:
        if call.json:
            call.emit(running=False)
        else:
            call.out("no engine runs in this home; start one with: theta engine start")
        return
    with connection:
        _report(call, connection)


def _report(call: Invocation, connection: Connection) -> None:
    about: dict[str, Any] = connection.about
    if call.json:
        call.emit(running=True, version=connection.version, **about)
        return
    kind = "the app" if about["app"] else "an engine"
    minutes = (time.time() - about["began_at"]) / 60
    others = about["clients"]
    call.out(
        f"{kind} runs in this home (process {about['pid']}, {minutes:.0f} min), model {about['model']}, "
        f"{plural(others, 'client')}"
    )


def started(call: Invocation, minutes: float = MINUTES) -> Connection:
    """Start the engine in the background, and wait until it listens. Raises what it could not start for."""
    from theta_tui.engine.client import EngineGoneError, wait_for

    command = [sys.executable, "-m", "theta_tui", "engine", "run", "--minutes", str(minutes), *_options(call)]
    log = call.settings.home / "theta.log"
    call.settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        place = output.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )
    call.stage("starting the engine")
    connection = wait_for(call.settings.home, START_SECONDS, lambda: process.poll() is None, call.settings.who)
    try:
        if connection is not None:
            _wait_until_ready(call, connection)
            return connection
    except EngineGoneError:
        process.wait(STOP_SECONDS)
    finally:
        call.stage("")
    raise ThetaError(_said(log, place) or "the engine did not start", name="engine", code=process.poll() or 1)


def _wait_until_ready(call: Invocation, connection: Connection) -> None:
    from theta_tui.engine.client import error_of
    from theta_tui.session.protocol import Failed, Loading

    for _, event in connection.frames():
        if isinstance(event, Loading):
            call.stage(event.snapshot.activity)
        elif isinstance(event, Failed) and event.fatal:
            raise error_of(event)
        elif event is not None:
            return


def _options(call: Invocation) -> list[str]:
    """The options of this call that an engine takes, as they were resolved here."""
    settings = call.settings
    found = ["--home", str(settings.home)]
    for name in ("model", "device", "dtype", "lora", "lora_rank", "context", "lock", "persona"):
        value = getattr(settings, name)
        if name in call.flags and value:
            found += [SETTINGS[name].flag, str(value)]
    return found + (["--offline"] if settings.offline else [])


def _said(log: Path, place: int) -> str:
    """The last line that the engine wrote, without its name."""
    with log.open("rb") as stream:
        stream.seek(place)
        lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("theta: ") if lines else ""


app.command("start", cls=Command, short_help="Start the engine of this home, unless one runs.")(with_options(start))
app.command("stop", cls=Command, short_help="End the engine of this home.")(with_options(stop))
app.command("status", cls=Command, short_help="Whether an engine runs in this home.")(with_options(status))
app.command("run", cls=Command, short_help="Run the engine in the foreground.")(with_options(run))
