"""A file is written whole or not at all, and the lock says who has it as far as that can be read."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path

import pytest

from theta_tui.base.errors import HomeBusyError, HomeError
from theta_tui.base.files import write_atomically
from theta_tui.store.home import Home, WriterLock


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
    with pytest.raises(HomeError, match=r"circle cannot be written .*; the file is as it was before"):
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


# --- file systems without flock ---


NO_FLOCK = [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL, errno.EIO]


@pytest.fixture
def no_flock(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    number = getattr(request, "param", errno.ENOSYS)

    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("no_flock", NO_FLOCK, indirect=True, ids=errno.errorcode.get)
@pytest.mark.usefixtures("no_flock")
def test_without_flock_a_home_is_refused_with_the_way_out_and_never_locked_in_silence(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match=r"has no flock .*another --home, or --lock=pid") as refused:
        WriterLock(Home(tmp_path), 0).acquire()
    assert refused.value.code == 1
    assert not Home(tmp_path).pid_lock.exists()
    lock = WriterLock(Home(tmp_path), 0, "pid")
    with lock:
        assert lock.holder() == f"process {os.getpid()}"
        assert Home(tmp_path).pid_lock.stat().st_mode & 0o777 == 0o600
        with pytest.raises(HomeBusyError, match=f"process {os.getpid()};"):
            WriterLock(Home(tmp_path), 0, "pid").acquire()
    assert not Home(tmp_path).pid_lock.exists()


def test_the_two_kinds_of_lock_keep_each_other_out_where_there_is_flock(tmp_path: Path) -> None:
    for first, second in (("pid", "flock"), ("flock", "pid")):
        with WriterLock(Home(tmp_path), 0, first), pytest.raises(HomeBusyError, match=f"process {os.getpid()};"):
            WriterLock(Home(tmp_path), 0, second).acquire()


def left_behind(home: Home, **changes: str | int) -> None:
    """The file of a process that was killed, with this or that in it changed."""
    lock = WriterLock(home, 0, "pid")
    with lock:
        process, host, started = home.pid_lock.read_text().split()
    fields = {"process": process, "host": host, "started": started} | changes
    home.pid_lock.write_text("".join(f"{value}\n" for value in fields.values()))


@pytest.mark.usefixtures("no_flock")
@pytest.mark.parametrize("changes", [{"process": 2**22 + 1}, {"started": 12345}], ids=["no such process", "reused"])
def test_the_file_of_a_dead_process_is_taken_over(tmp_path: Path, changes: dict[str, str | int]) -> None:
    """Its number may be another's by now, which was started at another time."""
    home = Home(tmp_path)
    left_behind(home, **changes)
    with WriterLock(home, 0.2, "pid"):
        assert home.pid_lock.read_text().split()[0] == str(os.getpid())
    assert not home.pid_lock.exists()


@pytest.mark.parametrize("kind", ["pid", "flock"])
def test_a_holder_on_another_host_cannot_be_asked_and_the_file_to_remove_is_named(tmp_path: Path, kind: str) -> None:
    home = Home(tmp_path)
    left_behind(home, host="elsewhere")
    with pytest.raises(HomeBusyError, match=f"on elsewhere; .* remove {home.pid_lock}"):
        WriterLock(home, 0, kind).acquire()
    home.pid_lock.unlink()
    WriterLock(home, 0, kind).acquire()


@pytest.mark.parametrize("kind", ["pid", "flock"])
def test_a_file_of_a_process_that_says_nothing_is_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("theta_tui.store.home.time.sleep", lambda _: None)
    home = Home(tmp_path)
    home.pid_lock.touch()
    with pytest.raises(HomeBusyError, match=f"remove {home.pid_lock}"):
        WriterLock(home, 0, kind).acquire()
    home.pid_lock.unlink()
    home.pid_lock.mkdir()
    with pytest.raises(HomeError, match=r"lock\.pid cannot be taken \(Is a directory"):
        WriterLock(home, 0, kind).acquire()


@pytest.mark.parametrize("text", [b"", b"\x1b]52;c;x\x07 here", b"-1 here", "٣ here".encode(), b"\xff\xfe"])
def test_what_is_no_number_of_a_process_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    monkeypatch.setattr("theta_tui.store.home.time.sleep", lambda _: None)
    home = Home(tmp_path)
    home.lock.write_bytes(text)
    assert WriterLock(home, 0).holder() == "another process"
    home.lock.write_text(f"{os.getpid()} {socket.gethostname()} 1\n")
    assert WriterLock(home, 0).holder() == f"process {os.getpid()}"
