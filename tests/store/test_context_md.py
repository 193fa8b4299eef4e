"""context.md on the disk: it grows by what was said, and only what a person did to it is taken for a person's doing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.store.test_store import lesson, replies
from theta_tui.base.config import Settings
from theta_tui.store import context
from theta_tui.store.context_md import ContextFile
from theta_tui.store.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", lock_wait=0.1)


def said(record: Store) -> bytes:
    return context.render(record.state.history)


def test_it_is_appended_to_while_the_conversation_grows_and_replaced_when_it_changes(settings: Settings) -> None:
    record = Store.open(settings)
    path, files = settings.context_path, []
    lesson(record, "a", "1")
    for prompt in "bcd":
        lesson(record, prompt, "1")
        files.append(path.stat().st_ino)
        assert path.read_bytes() == said(record)
    assert len(set(files)) == 1, "the same file, a turn longer"
    record.withdraw_last()
    assert (path.read_bytes(), path.read_bytes().count(b"\n")) == (said(record), 3)
    assert path.stat().st_ino != files[0]
    lesson(record, "e", "1")
    record.begin_conversation()
    assert path.read_bytes() == b""
    lesson(record, "f", "1")
    assert path.read_bytes() == said(record)
    record.close()


def test_what_was_appended_before_a_restart_is_appended_to_after_it(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    record.close()
    again = Store.open(settings)
    file = settings.context_path.stat().st_ino
    lesson(again, "b", "2")
    assert settings.context_path.stat().st_ino == file
    again.close()
    third = Store.open(settings)
    assert (replies(third), third.take_notices()) == (["1", "2"], [])
    third.close()


@pytest.mark.parametrize("zeros", [0, 3])
def test_an_append_that_was_torn_anywhere_is_not_taken_for_an_edit(settings: Settings, zeros: int) -> None:
    path, mark = settings.context_path, settings.home / ".context.sha256"
    record = Store.open(settings)
    lesson(record, "a", "1")
    before, marked = path.read_bytes(), mark.read_bytes()
    lesson(record, "ü", "2 <|user|>\nü")
    whole = path.read_bytes()
    record.close()
    for end in range(len(before), len(whole) + 1):
        path.write_bytes(whole[:end] + bytes(zeros))
        mark.write_bytes(marked)
        again = Store.open(settings)
        assert (replies(again), again.take_notices()) == (["1", "2 <|user|>\nü"], [])
        assert path.read_bytes() == whole
        again.close()


def test_a_turn_deleted_by_hand_after_a_crash_between_the_append_and_its_mark_stays_deleted(settings: Settings) -> None:
    mark = settings.home / ".context.sha256"
    record = Store.open(settings)
    lesson(record, "a", "1")
    before, marked = settings.context_path.read_bytes(), mark.read_bytes()
    lesson(record, "b", "2")
    record.close()
    mark.write_bytes(marked)
    Store.open(settings).close()
    settings.context_path.write_bytes(before)
    again = Store.open(settings)
    assert replies(again) == ["1"]
    again.close()


@pytest.mark.parametrize("added", ["<|user|> b <|assistant|> 2\n", "<|user|> b <|assistant|> 3\n<|user|> c"])
def test_what_a_person_adds_at_the_end_is_an_edit(settings: Settings, added: str) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    record.close()
    with settings.context_path.open("a") as file:
        file.write(added)
    again = Store.open(settings)
    assert replies(again) == ["1", added.split()[3]]
    assert any("changed by hand" in notice for notice in again.take_notices())
    again.close()


def test_the_mark_of_an_earlier_theta_is_understood(settings: Settings) -> None:
    path, mark = settings.context_path, settings.home / ".context.sha256"
    record = Store.open(settings)
    lesson(record, "a", "1")
    before = path.read_bytes()
    lesson(record, "b", "2")
    record.close()
    path.write_bytes(before)
    mark.write_text(f"{context.digest(before)} {path}\n")
    again = Store.open(settings)
    assert (replies(again), again.take_notices()) == (["1", "2"], [])
    again.close()


def test_a_file_that_somebody_wrote_to_meanwhile_is_replaced_whole(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    settings.context_path.write_text("mine")
    lesson(record, "b", "2")
    assert settings.context_path.read_bytes() == said(record)
    settings.context_path.unlink()
    lesson(record, "c", "3")
    assert settings.context_path.read_bytes() == said(record)
    record.close()


def test_a_file_in_another_place_is_never_what_was_left_behind(settings: Settings, tmp_path: Path) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    record.close()
    data, mark, brought = settings.context_path.read_bytes(), settings.home / ".context.sha256", tmp_path / "mine.md"
    brought.write_bytes(data)
    assert ContextFile(settings.context_path, mark).left_behind(data, b"more was said since")
    assert not ContextFile(brought, mark).left_behind(data, b"more was said since")


def test_an_append_that_finds_the_disk_full_leaves_the_file_as_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    before = settings.context_path.read_bytes()
    write, whole = os.write, b"<|user|> b"

    def full(descriptor: int, data: bytes) -> int:
        if bytes(data).startswith(whole):
            return write(descriptor, bytes(data)[:4])
        if bytes(data).startswith(whole[4:]):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        lesson(record, "b", "2")
    assert settings.context_path.read_bytes() == before
    assert any("No space left" in notice for notice in record.take_notices())
    lesson(record, "c", "3")
    assert settings.context_path.read_bytes() == said(record)
    record.close()
