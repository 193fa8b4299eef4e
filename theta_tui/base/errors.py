"""The errors that a person can meet: one type per boundary, each with its exit code.

An error says what happened, why, and what to do, in one line. Programming errors are not here: they keep
their Python types and end as a traceback in the log.
"""

from __future__ import annotations


class ThetaError(Exception):
    """Something a person or a program can act on. `code` is the exit code; `name` is a stable word for programs.
    `hint` is what to type in a shell; the app and the plain loop leave it out."""

    code = 1
    name = "failed"

    def __init__(self, message: str, *, name: str | None = None, code: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if name is not None:
            self.name = name
        if code is not None:
            self.code = code


class Stopped(BaseException):
    """The person stopped what was under way. Passes through handlers of errors, as KeyboardInterrupt does."""


class Stoppable(str):
    """Words about a long part of the work, during which the callback that gets them may raise Stopped."""

    __slots__ = ()


class UsageError(ThetaError):
    """The command line is wrong."""

    code = 2
    name = "usage"


class PromptError(ThetaError):
    """There is no kept prompt to answer, or a newer one has replaced it."""

    code = 3
    name = "no_prompt"


class ModelError(ThetaError):
    """A model, a device or a data file cannot be used."""

    code = 4
    name = "model"


class JournalError(ThetaError):
    """The journal cannot be used as it stands (damaged in the middle, or written by a newer version)."""

    code = 4
    name = "journal"


class TeachError(ThetaError):
    """A lesson was refused or could not be learned; the model is as it was."""

    code = 1
    name = "teach"


class StreamError(ThetaError):
    """Standard output cannot be written. What the command did is done, but its output is lost."""

    code = 1
    name = "stream"


class HomeError(ThetaError):
    """The home cannot be read or written."""

    code = 1
    name = "home"


class HomeBusyError(HomeError):
    """Another process holds the home."""

    code = 75
    name = "busy"
