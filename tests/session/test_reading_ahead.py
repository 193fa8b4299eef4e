"""While nobody asks for anything, the conversation is read, so that replies to the next prompt begin at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.session.conftest import Open
from theta_tui.session.session import Teacher


@pytest.fixture
def teacher(start: Open) -> Any:
    teacher = start()
    for prompt in ("hello", "how are you", "what is your name"):
        assert teacher.propose(prompt) is not None
        teacher.correct("my friend")
    yield teacher
    teacher.close()


def read_by(teacher: Teacher, monkeypatch: pytest.MonkeyPatch, prompt: str) -> tuple[int, list[float]]:
    """How many tokens the model reads for the replies to `prompt`, and what it thinks of the replies."""
    read: list[int] = []
    decoder: Any = teacher.model.decoder
    run = decoder.run

    def counted(tokens: list[int], *others: Any, last: bool, **more: Any) -> Any:
        if last:
            read.append(len(tokens))
        return run(tokens, *others, last=last, **more)

    with monkeypatch.context() as patch:
        patch.setattr(decoder, "run", counted)
        waiting = teacher.propose(prompt)
    assert waiting is not None
    return sum(read), [candidate.logprob for candidate in waiting.candidates]


def test_after_idle_time_only_the_prompt_is_read(teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(teacher.model.encode_prompt(teacher.store.state.history, "who are you", room=8).ids)
    alone = len(teacher.model.encode_prompt((), "who are you", room=8).ids)
    for _ in teacher.idle():
        pass
    read, ahead = read_by(teacher, monkeypatch, "who are you")
    assert read <= alone < whole
    del teacher.model.__dict__["decoder"]
    read, afresh = read_by(teacher, monkeypatch, "who are you")
    assert read == whole
    assert ahead == pytest.approx(afresh, abs=1e-4)


def test_a_lesson_with_weights_of_its_own_leaves_what_was_read_as_it_is(
    teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in teacher.idle():
        pass
    teacher.teach("who is there", "a friend")
    alone = len(teacher.model.encode_prompt((), "and what did they do then", room=8).ids)
    assert read_by(teacher, monkeypatch, "and what did they do then")[0] <= alone


@pytest.mark.parametrize("moved", ["taught", "undone"])
def test_a_lesson_or_its_undo_makes_it_read_everything_again(
    teacher: Teacher, monkeypatch: pytest.MonkeyPatch, moved: str
) -> None:
    teacher.settings = replace(teacher.settings, recipe="adamw")
    if moved == "undone":
        teacher.teach("who is there", "a friend")
    for _ in teacher.idle():
        pass
    if moved == "taught":
        teacher.teach("who is there", "a friend")
    else:
        teacher.undo()
    whole = len(teacher.model.encode_prompt(teacher.store.state.history, "who are you", room=8).ids)
    assert read_by(teacher, monkeypatch, "who are you")[0] == whole


def test_what_was_read_ahead_is_not_read_ahead_again(teacher: Teacher) -> None:
    assert len(list(teacher.idle())) > len(list(teacher.asker.slices()))
    assert list(teacher.idle()) == []
