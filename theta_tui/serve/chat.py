"""The chat API that programs know: `/v1/models` and `/v1/chat/completions`, in OpenAI's form.

The one model is the mind of this home, whatever network it has. What was taught is said here too; nothing is learned.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from theta_tui.serve.answers import ApiError, answer, failed, guarded, problem, read, unless_gone
from theta_tui.serve.link import Link
from theta_tui.serve.turns import Turns
from theta_tui.session import completions as m
from theta_tui.session import protocol as p

NAME = "theta"
"""The name of the model. It stays when the home goes over to another network."""
LEAST_LOGPROB = -9999.0

# --- what comes in ---


class Text(Struct, tag_field="type", tag="text"):
    """A part of a message."""

    text: str


class Message(Struct):
    """A message of the conversation. `developer` is `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Text]


class StreamOptions(Struct):
    include_usage: bool | None = None


Share = Annotated[float, Meta(ge=-2, le=2)]


class ChatRequest(Struct):
    """A conversation to be completed. Fields that are not here are passed over; the last ones are refused unless they
    change nothing."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    n: Annotated[int, Meta(ge=1, le=m.MOST_CHOICES, description="How many replies; they differ.")] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    stop: (
        Annotated[str, Meta(min_length=1)]
        | Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(max_length=4)]
        | None
    ) = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=m.MOST_ALTERNATIVES)] | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None
    logit_bias: dict[str, Any] | None = None
    frequency_penalty: Share | None = None
    presence_penalty: Share | None = None
    modalities: list[str] | None = None


# --- what goes out ---


class Alternative(Struct):
    """A token. `bytes` is null for a part of a character."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(Alternative):
    top_logprobs: list[Alternative]


class Logprobs(Struct):
    content: list[TokenLogprob]
    refusal: None = None


class Said(Struct):
    content: str
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class Choice(Struct):
    index: int
    message: Said
    finish_reason: Literal["stop", "length"]
    logprobs: Logprobs | None = None


class Usage(Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class About(Struct):
    """What the API says beyond OpenAI's: the number of the lesson that the first choice was written with, whether all
    were written with the care module, and notes for people."""

    lesson: int | None
    care: bool
    notes: list[str]


class ChatCompletion(Struct, kw_only=True):
    """With the same `system_fingerprint` the same `seed` gives the same replies: no lesson came between."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str = NAME
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str
    theta: About


class Delta(Struct, omit_defaults=True):
    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(Struct):
    index: int
    delta: Delta
    finish_reason: Literal["stop", "length"] | None = None
    logprobs: Logprobs | None = None


class Chunk(Struct, kw_only=True):
    """A part of a completion that is streamed: a server-sent event. The last event is `[DONE]`."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str = NAME
    choices: list[ChunkChoice]
    usage: Usage | None = None
    system_fingerprint: str | None = None
    theta: About | msgspec.UnsetType = msgspec.UNSET


class Model(Struct):
    """The mind of this home. `network` is the model that speaks in it."""

    created: int
    network: str
    id: str = NAME
    object: Literal["model"] = "model"
    owned_by: str = NAME


class Models(Struct):
    data: list[Model]
    object: Literal["list"] = "list"


class Chat:
    """The chat API of one home."""

    def __init__(self, home: Path, completions: Turns, questions: Turns) -> None:
        self._home = home
        self._completions = completions
        self._questions = questions

    @guarded
    async def models(self, request: Request) -> Response:
        return answer(Models([await self._model()]))

    @guarded
    async def model(self, request: Request) -> Response:
        _require(request.path_params["model"])
        return answer(await self._model())

    @guarded
    async def complete(self, request: Request) -> Response:
        asked = await read(request, ChatRequest)
        _require(asked.model)
        command = _command(asked)
        events = self._events(command)
        told = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time())}
        if not asked.stream:
            return answer(await unless_gone(request, _whole(events, command, told)))
        first = await unless_gone(request, _next(events))  # what is refused has a status of its own
        usage = asked.stream_options is not None and bool(asked.stream_options.include_usage)
        return StreamingResponse(
            _streamed(first, events, command, told, usage),
            media_type="text/event-stream",
            background=BackgroundTask(events.aclose),  # type: ignore[attr-defined]
        )

    async def _model(self) -> Model:
        async with self._questions.both():
            link = await Link.to(self._home)
            link.close()
        return Model(int(link.about["began_at"]), Path(link.about["model"]).name)

    async def _events(self, command: m.Complete) -> AsyncIterator[m.Wrote | m.Completed]:
        """What the engine writes. Left early, it stops writing. Raises ApiError, EngineGoneError."""
        async with self._completions.place():
            written: asyncio.Queue[m.Wrote | m.Completed | Exception | None] = asyncio.Queue()
            # A client that reads slowly must not hold the engine's next completion back.
            writing = asyncio.ensure_future(self._write(command, written))
            try:
                while (event := await written.get()) is not None:
                    if isinstance(event, Exception):
                        raise event
                    yield event
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def _write(
        self, command: m.Complete, written: asyncio.Queue[m.Wrote | m.Completed | Exception | None]
    ) -> None:
        """Put what the engine writes into `written`, and then None, or why it does not."""
        try:
            async with self._completions.turn():
                link = await Link.to(self._home)
                try:
                    number = await link.send(command)
                    async for mine, event in link.frames():
                        if isinstance(event, m.Refused):
                            raise ApiError(400, event.message, param=event.field, code=event.name)
                        if isinstance(event, p.Failed) and (event.fatal or mine == number):
                            raise failed(event)
                        if isinstance(event, m.Wrote | m.Completed):
                            written.put_nowait(event)
                        elif mine == number and event is None:
                            break
                finally:
                    link.close()
        except Exception as error:
            written.put_nowait(error)
        written.put_nowait(None)


def _require(model: str) -> None:
    if model != NAME:
        raise ApiError(
            404, f"there is no model {model[:80]!r} here; it is {NAME!r}", param="model", code="model_not_found"
        )


def _command(asked: ChatRequest) -> m.Complete:
    """The command for a request. Raises ApiError where it asks for what there is not."""
    for field, value, plain in (
        ("tools", asked.tools, not asked.tools),
        ("functions", asked.functions, not asked.functions),
        ("response_format", asked.response_format, (asked.response_format or {}).get("type", "text") == "text"),
        ("logit_bias", asked.logit_bias, not asked.logit_bias),
        ("frequency_penalty", asked.frequency_penalty, not asked.frequency_penalty),
        ("presence_penalty", asked.presence_penalty, not asked.presence_penalty),
        ("modalities", asked.modalities, asked.modalities == ["text"]),
    ):
        if value is not None and not plain:
            raise ApiError(400, f"{field} is not supported", param=field, code="unsupported_parameter")
    if asked.top_logprobs is not None and not asked.logprobs:
        raise ApiError(400, "top_logprobs needs logprobs", param="top_logprobs", code="invalid_value")
    if asked.stream_options is not None and not asked.stream:
        raise ApiError(400, "stream_options needs stream", param="stream_options", code="invalid_value")
    stop = () if asked.stop is None else (asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop)
    return m.Complete(
        messages=tuple((_role(message), _text(message)) for message in asked.messages),
        count=asked.n or 1,
        temperature=asked.temperature,
        top_p=asked.top_p,
        max_tokens=asked.max_completion_tokens or asked.max_tokens,
        stop=stop,
        seed=asked.seed,
        alternatives=(asked.top_logprobs or 0) if asked.logprobs else None,
    )


def _role(message: Message) -> m.Role:
    return "system" if message.role == "developer" else message.role


def _text(message: Message) -> str:
    return message.content if isinstance(message.content, str) else "".join(part.text for part in message.content)


async def _next(events: AsyncIterator[m.Wrote | m.Completed]) -> m.Wrote | m.Completed:
    return await anext(events)


async def _whole(
    events: AsyncIterator[m.Wrote | m.Completed], command: m.Complete, told: dict[str, Any]
) -> ChatCompletion:
    pieces: dict[int, list[m.Piece]] = {}
    async with aclosing(events):  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, m.Wrote):
                for piece in event.pieces:
                    pieces.setdefault(piece.index, []).append(piece)
                continue
            choices = []
            for index, ended in enumerate(event.ended):
                parts = pieces.get(index, [])
                measured = [token for part in parts for token in part.tokens]
                said = Said("".join(part.text for part in parts))
                choices.append(Choice(index, said, _reason(ended), _logprobs(measured, command, event.care)))
            return ChatCompletion(
                **told,
                choices=choices,
                usage=_usage(event),
                system_fingerprint=_fingerprint(event),
                theta=_about(event),
            )
    raise ApiError(503, "the engine stopped writing", code="stopped")


async def _streamed(
    first: m.Wrote | m.Completed,
    events: AsyncIterator[m.Wrote | m.Completed],
    command: m.Complete,
    told: dict[str, Any],
    with_usage: bool,
) -> AsyncIterator[bytes]:
    """Server-sent events: pieces of all choices as they are written, their ends, and `[DONE]`."""
    begun: set[int] = set()

    def chunk(*choices: ChunkChoice, **more: Any) -> bytes:
        return _event(Chunk(**told, choices=list(choices), **more))

    def begin(index: int) -> list[ChunkChoice]:
        if index in begun:
            return []
        begun.add(index)
        return [ChunkChoice(index, Delta("assistant", ""))]

    event: m.Wrote | m.Completed | None = first
    try:
        while event is not None:
            if isinstance(event, m.Wrote):
                for piece in event.pieces:
                    for choice in begin(piece.index):
                        yield chunk(choice)
                    measured = _logprobs(piece.tokens, command) if piece.tokens else None
                    yield chunk(ChunkChoice(piece.index, Delta(content=piece.text), logprobs=measured))
            else:
                for index, ended in enumerate(event.ended):
                    for choice in begin(index):  # a blank one
                        yield chunk(choice)
                    more = {"system_fingerprint": _fingerprint(event), "theta": _about(event)}
                    yield chunk(ChunkChoice(index, Delta(), _reason(ended)), **more)
                if with_usage:
                    yield chunk(usage=_usage(event))
            event = await anext(events, None)
    except Exception as error:
        yield _event(problem(error).body)
    yield b"data: [DONE]\n\n"


def _event(value: Any) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _reason(ended: bool) -> Literal["stop", "length"]:
    return "stop" if ended else "length"


def _usage(event: m.Completed) -> Usage:
    return Usage(event.prompt_tokens, event.completion_tokens, event.prompt_tokens + event.completion_tokens)


def _fingerprint(event: m.Completed) -> str:
    return f"theta-{event.journal}"


def _about(event: m.Completed) -> About:
    return About(event.lesson, event.care, list(event.notes))


def _logprobs(tokens: Sequence[m.Token], command: m.Complete, care: bool = False) -> Logprobs | None:
    """None where none were asked for, or where there are none: caring replies are not measured."""
    if command.alternatives is None or care:
        return None
    return Logprobs([
        TokenLogprob(
            *_measured(token.text, token.logprob),
            top_logprobs=[Alternative(*_measured(text, nats)) for text, nats in token.others],
        )
        for token in tokens
    ])  # fmt: skip


def _measured(text: str, nats: float) -> tuple[str, float, list[int] | None]:
    whole = "\N{REPLACEMENT CHARACTER}" not in text
    return text, max(nats, LEAST_LOGPROB), list(text.encode()) if whole else None
