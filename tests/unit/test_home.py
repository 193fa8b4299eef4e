"""A file is written whole or not at all, and the lock says who has it as far as that can be read."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from theta_tui.errors import HomeBusyError, HomeError
from theta_tui.home import Home, WriterLock, write_atomically


def test_what_a_crash_left_of_a_longer_file_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "settings"
    path.with_name(f".settings.{os.getpid()}.tmp").write_bytes(b"half of a much longer file")
    write_atomically(path, b"short")
    assert path.read_bytes() == b"short"
    assert list(tmp_path.iterdir()) == [path]


def test_what_could_not_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings"
    path.write_bytes(b"before")

    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing)
        with pytest.raises(HomeError, match="Input/output error"):
            write_atomically(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_links_in_a_circle_are_named(tmp_path: Path) -> None:
    path = tmp_path / "circle"
    path.symlink_to(path)
    with pytest.raises(HomeError, match="circle cannot be written"):
        write_atomically(path, b"text")
    assert path.is_symlink()


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.lock.mkdir()
    with pytest.raises(HomeError, match="cannot be taken"):
        WriterLock(home, 0).acquire()


def test_who_lets_the_lock_go_lets_the_next_one_in(tmp_path: Path) -> None:
    first, second = WriterLock(Home(tmp_path), 0), WriterLock(Home(tmp_path), 0)
    with first, pytest.raises(HomeBusyError):
        second.acquire()
    second.acquire()
    second.release()


@pytest.mark.parametrize("text", [b"", b"\x1b]52;c;x\x07 here", b"-1 here", "٣ here".encode(), b"\xff\xfe"])
def test_what_is_no_number_of_a_process_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    monkeypatch.setattr("theta_tui.home.time.sleep", lambda _: None)
    home = Home(tmp_path)
    home.lock.write_bytes(text)
    assert WriterLock(home, 0).holder() == "another process"
    home.lock.write_text(f"{os.getpid()} {socket.gethostname()} 1\n")
    assert WriterLock(home, 0).holder() == f"process {os.getpid()}"
