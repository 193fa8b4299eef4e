"""Standard input: `theta teach -` and `theta ask -` answer each line before they read the next one.

A bad line, or one whose lesson is refused, gets an error with its number instead of an answer, and the next line
follows. Lines are split on `\\n` only, empty ones are skipped but counted, and only one line is held at a time.
"""

from __future__ import annotations

import codecs
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

from theta_tui.base.errors import ModelError, ThetaError, UsageError
from theta_tui.base.text import MAX_TEXT, is_blank, plural
from theta_tui.cli.console import Invocation
from theta_tui.cli.opening import loaded_session

if TYPE_CHECKING:
    from theta_tui.session.session import Session

MAX_LINE = 4 << 20
"""The most bytes of a line: enough for the longest prompt and reply with every character escaped."""
PAIR = '{"prompt": …, "reply": …}'

Pair = tuple[str, str]
Read = TypeVar("Read")


def ask(call: Invocation, *, with_context: bool) -> None:
    """Answer one question per line, each with a line of JSON."""

    def question(number: int, text: str) -> str:
        if is_blank(text):
            raise _bad("the question is empty")
        return text

    def answer(session: Session, number: int, text: str) -> None:
        said = session.ask(text, with_context=with_context)
        call.emit(
            line=number, prompt=said.prompt, reply=said.reply, cut=said.cut, logprob=said.logprob, seconds=said.seconds
        )

    _answer_each(call, question, answer, write=False, as_json=True)


def teach(call: Invocation, *, info: bool) -> None:
    """Teach one pair per line. Each is learned, on disk and acknowledged before the next one is read."""
    from theta_tui.cli import reports

    def answer(session: Session, number: int, pair: Pair) -> None:
        reports.trained(call, session, session.teach(*pair), info, line=number)

    _answer_each(call, _pairs(call), answer, write=True, as_json=call.json, wanted=f"a lesson on each line, as {PAIR}")


def teach_all_or_nothing(call: Invocation, *, info: bool) -> None:
    """Teach one pair per line. All are read and checked before the first is learned."""
    from theta_tui.cli import reports
    from theta_tui.session.teaching import unfit

    read, pairs = _pairs(call), list[tuple[int, Pair]]()
    for number, data in _lines():
        try:
            pairs.append((number, read(number, _decoded(data))))
        except ThetaError as error:
            raise _refused(number, error, 0) from None
    if not pairs:
        raise _empty(f"a lesson on each line, as {PAIR}")
    with loaded_session(call) as session:
        for number, pair in pairs:
            if (why := unfit(session.model, *pair, time.time())) is not None:
                raise _refused(number, ModelError(why, name="teach"), 0)
        for count, (number, pair) in enumerate(pairs):
            try:
                reports.trained(call, session, session.teach(*pair), info, line=number)
            except ThetaError as error:
                raise _refused(number, error, count) from None


def whole(call: Invocation) -> str:
    """All of standard input as one text. Anything beyond the longest message is left unread, with a notice."""
    text = sys.stdin.read(MAX_TEXT + 1)
    if len(text) > MAX_TEXT:
        call.note(f"standard input is longer than {MAX_TEXT:,} characters; the rest is left out")
    return text[:MAX_TEXT]


def next_line(call: Invocation) -> str | None:
    """The next line of standard input, None at its end. Anything beyond the longest message is skipped, with a
    notice."""
    line = rest = sys.stdin.readline(MAX_TEXT + 1)
    if len(line) > MAX_TEXT and not line.endswith("\n"):
        call.note(f"the line is longer than {MAX_TEXT:,} characters; the rest is left out")
        while rest and not rest.endswith("\n"):
            rest = sys.stdin.readline(MAX_TEXT)
    return line[:MAX_TEXT].rstrip("\n") if line else None


def _answer_each(
    call: Invocation,
    read: Callable[[int, str], Read],
    answer: Callable[[Session, int, Read], None],
    *,
    write: bool,
    as_json: bool,
    wanted: str = "",
) -> None:
    """Answer each line as it comes. The model is loaded for the first good one. An error of the home or the model ends
    the command. Raises ThetaError (exit 1) at the end if a line failed, and UsageError if there was no line at all and
    `wanted` says what was expected."""

    def failed(number: int, error: ThetaError) -> None:
        if as_json:
            call.emit(line=number, error={"code": error.code, "name": error.name, "message": str(error)})
        else:
            call.out(f"! line {number}: {error}")

    count = failures = 0
    with ExitStack() as stack:
        session: Session | None = None
        for number, data in _lines():
            count += 1
            try:
                values = read(number, _decoded(data))
            except ThetaError as error:
                failures += 1
                failed(number, error)
                continue
            if session is None:
                session = stack.enter_context(loaded_session(call, write=write))
            try:
                answer(session, number, values)
            except ThetaError as error:
                failures += 1
                failed(number, error)
            for text in session.store.take_notices():
                call.note(f"line {number}: {text}")
    if not count and wanted:
        raise _empty(wanted)
    if failures:
        raise ThetaError(f"{failures:,} of {plural(count, 'line')} failed; each has its error on stdout", name="lines")


def _lines() -> Iterator[tuple[int, bytes | None]]:
    """Number and bytes of each non-empty line of standard input; None for a line longer than MAX_LINE."""
    stream, number = sys.stdin.buffer, 0
    while data := stream.readline(MAX_LINE + 1):
        number += 1
        if len(data) > MAX_LINE:
            rest = data
            while rest and not rest.endswith(b"\n"):
                rest = stream.readline(MAX_LINE)
            yield number, None
        elif data.strip():
            yield number, data.rstrip(b"\r\n")


def _decoded(data: bytes | None) -> str:
    if data is None:
        raise _bad(f"the line is longer than {MAX_LINE:,} bytes; make it shorter")
    if data.startswith(codecs.BOM_UTF8):
        raise _bad("the line begins with a byte order mark; write UTF-8 without one")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _bad(f"byte {error.start + 1} of the line is not UTF-8; write UTF-8") from None


def _pairs(call: Invocation) -> Callable[[int, str], Pair]:
    """A function that reads a pair from a line. It reports unused keys the first time that there are any."""
    named = False

    def read(number: int, text: str) -> Pair:
        nonlocal named
        values = _object(text)
        pair = _text(values, "prompt"), _text(values, "reply")
        unused = sorted(values.keys() - {"prompt", "reply"})
        if unused and not named:
            named = True
            keys = ", ".join(key[:40] for key in unused[:9])
            call.note(f"line {number}: not used, here and further on: {keys}; a line is {PAIR}")
        return pair

    return read


def _object(text: str) -> dict[str, object]:
    from theta_tui.base.json import loads

    try:
        values = loads(text)
    except ValueError as error:
        why = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise _bad(f"the line is not JSON ({why}); a line is {PAIR}") from None
    if not isinstance(values, dict):
        raise _bad(f"the line is not a JSON object; a line is {PAIR}")
    return values


def _text(values: dict[str, object], key: str) -> str:
    text = values.get(key)
    if key not in values:
        raise _bad(f'the line has no "{key}"; a line is {PAIR}')
    if not isinstance(text, str):
        raise _bad(f'"{key}" is not text; a line is {PAIR}')
    if is_blank(text):
        raise _bad(f'"{key}" is blank; a line is {PAIR}')
    return text


def _bad(message: str) -> ModelError:
    return ModelError(message, name="data")


def _refused(number: int, error: ThetaError, learned: int) -> ThetaError:
    done = f"the {plural(learned, 'lesson')} before it stayed" if learned else "nothing was learned"
    return ThetaError(f"line {number} of standard input: {error}; {done}", name=error.name, code=error.code)


def _empty(wanted: str) -> UsageError:
    return UsageError(f"standard input is empty; give {wanted}")
