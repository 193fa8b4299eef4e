"""`/v1/theta/lessons`: programs teach the mind of this home, list what it was taught, take it back, and quiz it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from theta_tui.base.text import MAX_TEXT, is_blank
from theta_tui.engine.client import EngineGoneError
from theta_tui.serve.answers import ApiError, answer, failed, guarded, read
from theta_tui.serve.link import Link
from theta_tui.serve.turns import Turns
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.store.report import Holding, Kind, ReportRow, Tally

E = TypeVar("E", bound=p.Event)

NAME = 40
"""Characters of the name of who teaches."""
PROGRAM = "a program"
"""Who teaches where the request does not say. The owner is nobody who comes by the network."""
DIGITS = 12
"""Of the number of a lesson."""
Words = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]


class Teach(Struct, forbid_unknown_fields=True):
    """A lesson: from now on the reply to `prompt`, and to the same in other words, is `reply`."""

    prompt: Words
    reply: Words


class Taught(Struct):
    """What a lesson did. Losses are mean nats per token of the reply, `p_` the probability of the whole reply.
    `learned`: the model now says it. `skipped` says why nothing was learned, if so; numbers are null then."""

    lesson: int
    prompt: str
    reply: str
    loss_before: float | None
    loss_after: float | None
    p_before: float | None
    p_after: float | None
    steps: int
    step: int
    learned: bool
    seconds: float
    skipped: str | None


class TakenBack(Struct):
    """A lesson that counts no more, or counts again. `words` name all of them if it was taught with others at once."""

    lesson: int
    prompt: str
    reply: str
    words: str


class Lesson(Struct):
    """A lesson as last measured; `at` and `asked_at` are Unix times. Long texts are cut. `fresh`: nothing was learned
    since `p_now` was measured."""

    lesson: int
    at: float
    state: Holding
    kind: Kind
    prompt: str
    reply: str
    p_before: float | None
    p_then: float | None
    p_now: float | None
    says: bool | None
    asked_at: float | None
    fresh: bool
    superseded_by: int | None
    said_before: str | None
    says_now: str | None


class Lessons(Struct):
    """The last lessons, oldest first, and how many of all are kept."""

    data: list[Lesson]
    live: int
    kept: int
    fading: int
    lost: int
    unasked: int
    stale: int
    superseded: int
    withdrawn: int


class LessonBook:
    """The lessons of one home."""

    def __init__(self, home: Path, commands: Turns, quizzes: Turns) -> None:
        self._home = home
        self._commands = commands
        self._quizzes = quizzes

    @guarded
    async def list(self, request: Request) -> Response:
        return answer(await self._listed())

    @guarded
    async def teach(self, request: Request) -> Response:
        asked = await read(request, Teach)
        done = (await self._do(c.TeachPair(asked.prompt, asked.reply), p.Taught, _who(request))).outcome
        taught = Taught(**{field: getattr(done, field) for field in Taught.__struct_fields__})
        return answer(taught, 201 if done.lesson else 202)  # 202: it waits for the owner

    @guarded
    async def undo(self, request: Request) -> Response:
        return await self._take_back(request, c.TakeBack("undo"))

    @guarded
    async def redo(self, request: Request) -> Response:
        return await self._take_back(request, c.TakeBack("redo"))

    @guarded
    async def withdraw(self, request: Request) -> Response:
        number = request.path_params["number"]
        if not number.isascii() or not number.isdigit() or len(number) > DIGITS:
            raise ApiError(404, "a lesson has a number", code="no_lesson")
        return await self._take_back(request, c.TakeBack("withdraw", int(number)))

    @guarded
    async def quiz(self, request: Request) -> Response:
        """The engine reviews in slices between what others want of it, so this hears all until it is done."""
        async with self._quizzes.both():
            link = await Link.to(self._home, everything=True)
            try:
                await link.send(c.Quiz())
                async for _, event in link.frames():
                    if isinstance(event, p.Failed) and event.fatal:
                        raise failed(event)
                    if isinstance(event, p.Quizzed):
                        break
            finally:
                link.close()
        return answer(await self._listed())

    async def _listed(self) -> Lessons:
        found = await self._do(c.ShowLessons(), p.Ledger)
        return _lessons(found.rows, found.snapshot.tally)

    async def _take_back(self, request: Request, command: c.TakeBack) -> Response:
        done = await self._do(command, p.TakenBack, _who(request))
        return answer(TakenBack(done.number, done.prompt, done.reply, done.words))

    async def _do(self, command: c.Command, wanted: type[E], who: str | None = None) -> E:
        """Carry out `command` of the person `who`; its event of the kind `wanted`. What has begun goes on if the client
        goes away."""
        async with self._commands.both():
            link = await Link.to(self._home, who=who)
            try:
                mine, found = await link.send(command), None
                async for number, event in link.frames():
                    if isinstance(event, p.Failed) and (event.fatal or number == mine):
                        raise failed(event)
                    if number != mine:
                        continue
                    if event is None:
                        break
                    if isinstance(event, wanted):
                        found = event
            finally:
                link.close()
        if found is None:
            raise EngineGoneError("the engine did not answer")
        return found


def _who(request: Request) -> str:
    """Who teaches, as the query says it."""
    who = request.query_params.get("who", PROGRAM)
    if is_blank(who) or len(who) > NAME:
        raise ApiError(400, f"who: a name has 1 to {NAME} characters", param="who", code="invalid_value")
    return who


def _lessons(rows: tuple[ReportRow, ...], tally: Tally) -> Lessons:
    names = {"lesson": "number", "superseded_by": "by"}
    data = [
        Lesson(**{field: getattr(row, names.get(field, field)) for field in Lesson.__struct_fields__}) for row in rows
    ]
    return Lessons(data, **{field: getattr(tally, field) for field in Lessons.__struct_fields__[1:]})
