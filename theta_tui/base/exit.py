"""How a command ends: its exit code, and the line on stderr. Imports very little, and none of the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from theta_tui.base.errors import StreamError, ThetaError
from theta_tui.base.signals import ending_in_time
from theta_tui.base.streams import stream_error
from theta_tui.base.text import visible

SCHEMA = 1


class ExitSignal(BaseException):
    """A signal asked the process to end; `code` is the exit code. A BaseException, so that no handler swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


def run(command: Callable[[], object]) -> NoReturn:
    """Run `command` and exit. An int that it returns is the exit code; a ThetaError brings its own."""
    as_json = "--json" in sys.argv[1:]
    _silence_libraries()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape" if stream is sys.stdin else "backslashreplace")
    with ending_in_time(_raise_exit):
        try:
            code = command()
            if sys.stdout is not None:
                sys.stdout.flush()
            sys.exit(code if isinstance(code, int) else 0)
        except ThetaError as error:
            if isinstance(error, StreamError):
                sys.stdout = None  # otherwise the interpreter tries to flush it again, and complains too
            _fail("; ".join(filter(None, (str(error), error.hint))), error.code, error.name, as_json)
        except KeyboardInterrupt:
            sys.exit(130)
        except ExitSignal as ending:
            sys.exit(ending.code)
        except BrokenPipeError:
            # The reader has gone: there is nobody to write to.
            sys.stdout = None
            sys.exit(1)
        except Exception as error:
            if isinstance(error, OSError) and (message := stream_error(error)):
                sys.stdout = None
                _fail(message, StreamError.code, StreamError.name, as_json)
            from typer.exceptions import Abort, TyperException

            if isinstance(error, Abort):
                sys.exit(130)
            if isinstance(error, TyperException):
                _fail(error.format_message(), 2, "usage", as_json)
            if os.environ.get("THETA_DEBUG"):
                raise
            message = f"this should not have happened ({type(error).__name__}: {error}); THETA_DEBUG=1 shows where"
            _fail(message, 1, "unexpected", as_json)


def _raise_exit(number: int, _frame: FrameType | None) -> NoReturn:
    raise ExitSignal(number)


def _silence_libraries() -> None:
    """Print no warnings of libraries unless asked to (`python -W default`, PYTHONWARNINGS): they are for developers.

    The app sends them to its log; a command drops them. What libraries log is never printed for want of a handler.
    """
    if not sys.warnoptions:
        import logging

        logging.captureWarnings(True)
        logging.lastResort = logging.NullHandler()


def _fail(message: str, code: int, name: str, as_json: bool) -> NoReturn:
    if as_json:
        from theta_tui.base.json import dumps

        print(dumps({"schema": SCHEMA, "error": {"code": code, "name": name, "message": message}}), file=sys.stderr)
    else:
        print(f"theta: {visible(message, one_line=True)}", file=sys.stderr)
    sys.exit(code)
