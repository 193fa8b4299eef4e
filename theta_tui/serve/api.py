"""The routes of the API, `/v1/…`: chat as OpenAI has it, lessons, and a description of both."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from theta_tui.serve.answers import ApiError
from theta_tui.serve.chat import Chat
from theta_tui.serve.lessons import LessonBook
from theta_tui.serve.openapi import document
from theta_tui.serve.turns import Turns

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def routes(home: Path) -> list[Route]:
    """The API of one home."""
    commands = Turns(4, 64)
    chat, book = Chat(home, Turns(2, 32), commands), LessonBook(home, commands, Turns(1, 8))
    lessons = "/v1/theta/lessons"
    return [
        Route("/v1/models", chat.models),
        Route("/v1/models/{model:path}", chat.model),
        Route("/v1/chat/completions", chat.complete, methods=["POST"]),
        Route(lessons, book.list),
        Route(lessons, book.teach, methods=["POST"]),
        Route(f"{lessons}/undo", book.undo, methods=["POST"]),
        Route(f"{lessons}/redo", book.redo, methods=["POST"]),
        Route(f"{lessons}/quiz", book.quiz, methods=["POST"]),
        Route(f"{lessons}/{{number}}", book.withdraw, methods=["DELETE"]),
        Route("/v1/openapi.json", _description),
        Route("/v1/{rest:path}", _nothing, methods=METHODS),
    ]


async def _description(request: Request) -> Response:
    return Response(document(), media_type="application/json")


async def _nothing(request: Request) -> Response:
    return ApiError(404, f"there is no {request.method} {request.url.path[:80]} here", code="not_found").response()
