"""The plain loop, where a line is a command's word and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from theta_tui.cli import plain
from theta_tui.session.verbs import BY_NAME, Call, Prompt


@pytest.mark.parametrize(
    ("on_terminal", "line", "answer", "meant"),
    [
        (True, "undo", "y", Call(BY_NAME["undo"])),
        (True, "Exit.", "yes", Call(BY_NAME["quit"])),
        (True, "help", "", Prompt("help")),
        (True, "help me", None, Prompt("help me")),
        (True, "quit", None, Call(BY_NAME["quit"])),
        (False, "undo", None, Prompt("undo")),
    ],
)
def test_a_terminal_is_asked_and_the_next_line_of_a_pipe_is_no_answer(
    on_terminal: bool, line: str, answer: str | None, meant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def reply(prompt: str) -> str:
        assert answer is not None, prompt
        asked.append(prompt)
        return answer

    monkeypatch.setattr(plain.sys, "stdin", SimpleNamespace(isatty=lambda: on_terminal))
    monkeypatch.setattr("builtins.input", reply)
    assert plain.Conversation(*cast(Any, (None, None, None)))._understood(line) == meant
    assert len(asked) == (answer is not None)
