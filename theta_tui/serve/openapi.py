"""The description of the API for programs, made of the types that requests are read by: `/v1/openapi.json`."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from theta_tui import __version__
from theta_tui.serve import chat, lessons
from theta_tui.serve.answers import Failure

OPERATIONS: tuple[tuple[str, str, str, Any, Any, int], ...] = (
    ("get", "/v1/models", "The model: the mind of this home, by one name", None, chat.Models, 200),
    ("get", "/v1/models/{model}", "The same by its name", None, chat.Model, 200),
    (
        "post", "/v1/chat/completions",
        "Complete a conversation, as OpenAI's API does. What was taught is said; nothing is learned",
        chat.ChatRequest, chat.ChatCompletion, 200,
    ),
    ("get", "/v1/theta/lessons", "List the lessons", None, lessons.Lessons, 200),
    ("post", "/v1/theta/lessons", "Teach: correct the mind", lessons.Teach, lessons.Taught, 201),
    ("delete", "/v1/theta/lessons/{number}", "Take a lesson out, as if it had never been taught", None,
     lessons.TakenBack, 200),
    ("post", "/v1/theta/lessons/undo", "Take back the last lesson", None, lessons.TakenBack, 200),
    ("post", "/v1/theta/lessons/redo", "Bring back the lesson that was taken back last", None, lessons.TakenBack, 200),
    ("post", "/v1/theta/lessons/quiz", "Ask the mind every lesson, and list them", None, lessons.Lessons, 200),
)  # fmt: skip
"""(method, path, what it does, type of the request, type of the answer, status)."""


@cache
def document() -> bytes:
    """The OpenAPI 3.1 document."""
    kinds = [kind for *_, asked, answered, _ in OPERATIONS for kind in (asked, answered) if kind is not None]
    kinds = list(dict.fromkeys([*kinds, chat.Chunk, Failure]))
    references, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    by_kind = dict(zip(kinds, references, strict=True))

    def json(kind: Any) -> dict[str, Any]:
        return {"application/json": {"schema": by_kind[kind]}}

    paths: dict[str, dict[str, Any]] = {}
    for method, path, summary, asked, answered, status in OPERATIONS:
        content = json(answered)
        if asked is chat.ChatRequest:
            content["text/event-stream"] = {"schema": by_kind[chat.Chunk]}
        operation: dict[str, Any] = {
            "summary": summary,
            "responses": {
                str(status): {"description": "done", "content": content},
                "default": {"description": "an error", "content": json(Failure)},
            },
        }
        if asked is not None:
            operation["requestBody"] = {"required": True, "content": json(asked)}
        if method != "get" and path.startswith("/v1/theta/lessons") and not path.endswith("/quiz"):
            who = {"type": "string", "minLength": 1, "maxLength": lessons.NAME, "default": lessons.PROGRAM}
            operation["parameters"] = [{"name": "who", "in": "query", "schema": who}]
        name = path.partition("{")[2].partition("}")[0]
        if name:
            kind = "integer" if name == "number" else "string"
            operation.setdefault("parameters", []).append(
                {"name": name, "in": "path", "required": True, "schema": {"type": kind}}
            )
        paths.setdefault(path, {})[method] = operation
    return msgspec.json.encode({
        "openapi": "3.1.0",
        "info": {"title": "Theta", "version": __version__, "description": "Talk to a mind, and correct it."},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })  # fmt: skip
