"""Which checkpoint a session starts from, and which it does not use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.sessions import PAIRS, Open, answer, same, state
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeError
from theta_tui.learning.learner import Abandoned

pytestmark = pytest.mark.usefixtures("short_lessons")


def test_an_abandoned_lesson_is_no_part_of_the_checkpoint_and_is_learned_later(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    session.propose(PAIRS[1][0])
    before = state(session)
    with pytest.raises(Abandoned):
        session.correct(PAIRS[1][1], should_stop=lambda: True)
    assert same(before, session)
    session.save()
    session.close()
    again = start()
    assert [lesson.outcome is not None for lesson in again.store.state.active] == [True, True]
    assert not same(before, again)
    again.close()


@pytest.mark.parametrize(
    ("damage", "recipe", "holds"),
    [
        *((damage, "default", "training_state") for damage in ("cut", "flipped", "zeroed", "linked", "no manifest")),
        ("flipped", "adamw", "model"),
        *(
            pytest.param(damage, "adamw", "model", marks=pytest.mark.slow)
            for damage in ("cut", "zeroed", "linked", "no manifest")
        ),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    start: Open, tmp_path: Path, damage: str, recipe: str, holds: str
) -> None:
    session = start()
    session.settings = replace(session.settings, recipe=recipe)
    answer(session, *PAIRS[0])
    session.save()
    answer(session, *PAIRS[1])
    newest = session.save()
    before = state(session)
    session.close()
    file = newest / ("manifest.json" if damage == "no manifest" else f"{holds}.safetensors")
    data = file.read_bytes()
    file.unlink()
    if damage == "linked":
        (tmp_path / "elsewhere").write_bytes(data)
        file.symlink_to(tmp_path / "elsewhere")
    elif damage != "no manifest":
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        file.write_bytes({"cut": data[:-1], "flipped": flipped, "zeroed": bytes(len(data))}[damage])
    again = start()
    assert any(newest.name in notice for notice in again.store.take_notices())
    assert again.unsaved == 1
    assert same(before, again)
    again.close()


def save_and_lose_the_last(start: Open, settings: Settings) -> None:
    """Two lessons and a checkpoint of both; then the journal has the first alone."""
    session = start()
    answer(session, *PAIRS[0])
    answer(session, *PAIRS[1])
    session.save()
    session.close()
    path = settings.home / "journal.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))


def test_a_checkpoint_that_the_journal_does_not_know_is_not_used(start: Open, settings: Settings) -> None:
    save_and_lose_the_last(start, settings)
    again = start()
    assert any("newer than the journal" in notice for notice in again.store.take_notices())
    assert len(again.store.state.active) == 1
    again.close()


def test_a_checkpoint_of_lessons_that_were_lost_is_not_used_once_others_stand_in_their_place(
    start: Open, settings: Settings
) -> None:
    save_and_lose_the_last(start, settings)
    session = start()
    answer(session, *PAIRS[2])
    before = state(session)
    session.close()
    again = start()
    assert any("lessons that the journal does not hold" in notice for notice in again.store.take_notices())
    assert same(before, again)
    again.close()


def test_a_home_that_can_only_be_read_is_not_saved_to(start: Open) -> None:
    session = start()
    answer(session, *PAIRS[0])
    session.store.journal.read_only = "a disk is gone"
    with pytest.raises(HomeError, match="a disk is gone"):
        session.save()
    assert not session.store.home.checkpoints.exists()
    session.close()
