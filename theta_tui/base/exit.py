"""How a command ends: its exit code, and the line on stderr. Imports next to nothing, and not the commands."""

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


class Leave(BaseException):
    """A signal asked the process to go; `code` is its exit code. A BaseException, so that no handler swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


def run(command: Callable[[], object]) -> NoReturn:
    """Run `command` and leave with the exit code that CONTRACT gives; what it returns is the code, if a number."""
    as_json = "--json" in sys.argv[1:]
    _silence_libraries()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape" if stream is sys.stdin else "backslashreplace")
    with ending_in_time(_leave):
        try:
            code = command()
            if sys.stdout is not None:
                sys.stdout.flush()
            sys.exit(code if isinstance(code, int) else 0)
        except ThetaError as error:
            if isinstance(error, StreamError):
                sys.stdout = None  # or the interpreter, which tries once more, complains too
            _complain(str(error), error.code, error.name, as_json)
        except KeyboardInterrupt:
            sys.exit(130)
        except Leave as leave:
            sys.exit(leave.code)
        except BrokenPipeError:
            # The reader has gone: nothing is left to say to it.
            sys.stdout = None
            sys.exit(1)
        except Exception as error:
            if isinstance(error, OSError) and (words := stream_error(error)):
                sys.stdout = None
                _complain(words, StreamError.code, StreamError.name, as_json)
            from typer.exceptions import Abort, TyperException

            if isinstance(error, Abort):
                sys.exit(130)
            if isinstance(error, TyperException):
                _complain(error.format_message(), 2, "usage", as_json)
            if os.environ.get("THETA_DEBUG"):
                raise
            words = f"this should not have happened ({type(error).__name__}: {error}); THETA_DEBUG=1 shows where"
            _complain(words, 1, "unexpected", as_json)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise Leave(number)


def _silence_libraries() -> None:
    """What libraries warn of is for those who work on Theta, who ask for it (`python -W default`, PYTHONWARNINGS): in
    the app it goes to the log, and here nowhere. What they log is left to a handler, and never printed for want of one.
    """
    if not sys.warnoptions:
        import logging

        logging.captureWarnings(True)
        logging.lastResort = logging.NullHandler()


def _complain(message: str, code: int, name: str, as_json: bool) -> NoReturn:
    if as_json:
        from theta_tui.base.json import dumps

        print(dumps({"schema": SCHEMA, "error": {"code": code, "name": name, "message": message}}), file=sys.stderr)
    else:
        print(f"theta: {visible(message, one_line=True)}", file=sys.stderr)
    sys.exit(code)
