"""Where each file of a home lives, and the one-writer lock.

Folders are made 0700 and files 0600: what a person says to a model is theirs.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from theta_tui.base.errors import HomeBusyError, HomeError
from theta_tui.base.files import fsync_folder, make_folder


@dataclass(frozen=True, slots=True)
class Home:
    """The layout of a home folder. Creating the object touches no file; `ensure` makes the folder."""

    path: Path

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def index(self) -> Path:
        """Written by earlier versions to open a long journal at once; derived from it, so it may be deleted."""
        return self.path / "journal.idx"

    @property
    def pending(self) -> Path:
        return self.path / "pending.json"

    def pending_of(self, who: str) -> Path:
        """The waiting prompt of the person `who`; "" is the owner."""
        return self._of(who, self.pending.name)

    def draft_of(self, who: str) -> Path:
        """What the person `who` typed and has not sent; written by the full-screen app alone."""
        return self._of(who, "draft.json")

    def _of(self, who: str, name: str) -> Path:
        """The owner's file `name`, or that of the person `who`. A person's name is no file name, so it is hashed."""
        stem, _, kind = name.partition(".")
        return self.path / (f"{stem}-{hashlib.sha256(who.encode()).hexdigest()[:16]}.{kind}" if who else name)

    @property
    def context_mark(self) -> Path:
        """Holds the sha256 of the context file as Theta last wrote it, which reveals an edit by hand."""
        return self.path / ".context.sha256"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def pid_lock(self) -> Path:
        """Exists while a process holds the home with `--lock=pid`, and after one died holding it."""
        return self.path / "lock.pid"

    @property
    def log(self) -> Path:
        return self.path / "theta.log"

    def ensure(self) -> None:
        """Make the folder, or raise HomeError naming it. As long as the home is empty its name is synced to disk,
        whoever made the folder."""
        try:
            make_folder(self.path)
            if not self.journal.exists():
                fsync_folder(self.path.parent)
        except OSError as error:
            raise HomeError(
                f"the home {self.path} cannot be made ({error.strerror}); choose another with --home"
            ) from None
        if not os.access(self.path, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise HomeError(f"the home {self.path} cannot be written to; choose another with --home")


class WriterLock:
    """Held by the one process that may write to a home: flock on `lock`, with the holder's name in the file.

    A dead holder's lock is free at once, because the kernel drops it. The file is never deleted: unlinking a held
    lock file would let two holders in. A holder removes its name before it releases the lock, so a name in the file
    is that of the present holder or of a process that died.

    Some file systems have no flock. There a home is refused, unless `kind` is "pid": then `lock.pid` names the
    process, its start time and its host, and another process takes it over if that one is dead. With "pid", flock is
    taken as well where it exists; with "flock", an existing `lock.pid` is respected. So the two kinds exclude each
    other.
    """

    def __init__(self, home: Home, wait: float, kind: str = "flock") -> None:
        self.home = home
        self.wait = wait
        self.kind = kind
        from filelock import SoftFileLock, UnixFileLock

        # filelock would fall back to a file like `lock.pid` by itself, but only on ENOSYS, and silently.
        self._lock = UnixFileLock(str(home.lock), mode=0o600, fallback_to_soft=False)
        self._pid_lock = SoftFileLock(str(home.pid_lock), mode=0o600)

    def acquire(self) -> None:
        """Take the lock within `wait` seconds or raise HomeBusyError (exit 75) that names the holder."""
        from filelock import Timeout

        path = self.home.lock
        try:
            self._acquire_flock()
            path = self.home.pid_lock
            if self.kind == "pid" or os.path.lexists(path):
                self._pid_lock.acquire(timeout=self.wait, poll_interval=0.05)
            path = self.home.lock
            if self._lock.is_locked:
                name = f"{os.getpid()} {socket.gethostname()} {int(time.time())}\n"
                path.write_text(name, "utf-8")
        except BaseException as error:
            self.release()
            if isinstance(error, Timeout):
                raise HomeBusyError(self._busy(path)) from None
            if not isinstance(error, OSError):
                raise
            raise HomeError(f"the lock {path} cannot be taken ({error.strerror})") from None

    def _acquire_flock(self) -> None:
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=self.wait, poll_interval=0.05)
        except Timeout:
            raise
        except OSError as error:
            if error.filename is not None:  # the file cannot be opened
                raise
            if self.kind != "pid":
                raise HomeError(
                    f"the home {self.home.path} cannot be locked: its file system has no flock ({error.strerror}); "
                    f"use another --home, or --lock=pid"
                ) from None

    def _busy(self, path: Path) -> str:
        holder, known = self._named_in(path)
        words = f"the home {self.home.path} is in use by {holder}; quit it first, or use another --home"
        if path == self.home.pid_lock and not known:
            words += f"; whether it lives cannot be seen from here: if it is gone, remove {path}"
        return words

    def holder(self) -> str:
        """The holder in words, as far as the lock file names one."""
        return self._named_in(self.home.pid_lock if self.home.pid_lock.is_file() else self.home.lock)[0]

    def _named_in(self, path: Path) -> tuple[str, bool]:
        """Who is named in a lock file, and whether that is a live process on this machine. Waits a moment for a new
        holder to write its name."""
        for _ in range(20):
            try:
                words = path.read_text("utf-8", errors="replace").split()
            except OSError:
                break
            if len(words) > 1 and words[0].isascii() and words[0].isdigit():
                host = words[1].partition("?pidns-")[0]  # the rest distinguishes containers of one host
                here = host == socket.gethostname()
                lives = here and _lives(int(words[0]))
                if lives or not here:
                    return f"process {words[0]}{'' if here else f' on {host}'}", lives
            time.sleep(0.05)
        return "another process", False

    def release(self) -> None:
        try:
            self._pid_lock.release()
            if self._lock.is_locked:
                with suppress(OSError):
                    self.home.lock.write_bytes(b"")
        finally:
            self._lock.release()

    def __enter__(self) -> WriterLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _lives(process: int) -> bool:
    """Whether this process lives on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
