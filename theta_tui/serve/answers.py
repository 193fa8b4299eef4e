"""What the API reads and how it answers: bodies that are checked against a type, and errors in OpenAI's form."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from theta_tui.base.errors import ThetaError
from theta_tui.engine.client import EngineGoneError, error_of
from theta_tui.serve.guard import TOO_LONG, TooLongError
from theta_tui.session.protocol import Failed

T = TypeVar("T")
Handler = Callable[[Any, Request], Awaitable[Response]]

BODY_SECONDS = 30.0
"""A body that takes longer to come is not waited for."""
GONE = 499
"""The status of an answer that nobody waits for any more, as some servers log it."""
STATUS = {2: 400, 4: 500, 75: 503}
"""The statuses of errors by exit code; all others do not fit the state of the home."""
TYPES = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}

log = logging.getLogger("theta")


class Problem(msgspec.Struct):
    """What is wrong with a request: `param` is the field, `code` a word for programs."""

    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None


class Failure(msgspec.Struct):
    """The answer to a request that failed."""

    error: Problem


class ApiError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = Failure(Problem(message, TYPES.get(status, "invalid_request_error"), param, code))

    def response(self) -> Response:
        headers = {401: {"www-authenticate": "Bearer"}, 429: {"retry-after": "1"}}.get(self.status, {})
        return answer(self.body, self.status, headers)


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def guarded(handler: Handler) -> Handler:
    """For those who bring the token in a header: a cookie is the page's. Whatever fails becomes an error in form."""

    @functools.wraps(handler)
    async def answering(self: Any, request: Request) -> Response:
        try:
            if not request.scope["theta.known"] or "authorization" not in request.headers:
                raise ApiError(401, "no token, or another one: Authorization: Bearer TOKEN", code="invalid_api_key")
            return await handler(self, request)
        except ClientDisconnect:
            return Response(status_code=GONE)
        except TooLongError:
            return ApiError(413, TOO_LONG, code="too_long").response()
        except Exception as error:
            return problem(error).response()

    return answering


def problem(error: Exception) -> ApiError:
    """The answer to what went wrong. What nobody foresaw is in the log alone."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, EngineGoneError):
        return ApiError(503, "the engine of this home has ended; start it again", code=error.name)
    if isinstance(error, ThetaError):
        status = 404 if error.name == "no_lesson" else STATUS.get(error.code, 409)
        return ApiError(status, str(error), code=error.name)
    log.exception("the API failed", exc_info=error)
    return ApiError(500, "the server failed at this; its log says why", code="internal_error")


def failed(event: Failed) -> Exception:
    """What the engine could not do. What nobody foresaw stays in its log."""
    if event.name == ThetaError.name:
        return ApiError(500, "the engine failed at this; its log says why", code="internal_error")
    return error_of(event)


async def read(request: Request, kind: type[T]) -> T:
    """The body of a request. Raises ApiError where it is not of that kind."""
    try:
        body = await asyncio.wait_for(request.body(), BODY_SECONDS)
    except TimeoutError:
        raise ApiError(408, f"the request did not come within {BODY_SECONDS:.0f} seconds") from None
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at `$")
        param = where.rstrip("`").lstrip(".") or None
        missing = re.search(r"missing required field `(\w+)`", said)
        if missing:
            param = ".".join(filter(None, (param, missing[1])))
        raise ApiError(400, f"{param or 'the request'}: {said}", param=param, code="invalid_value") from None
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the request is not JSON in UTF-8: {error}", code="invalid_json") from None


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the client goes away. Raises ClientDisconnect then."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
