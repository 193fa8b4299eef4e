"""Every call that changes the disk below a folder goes through here: it can be heard, refused, or done in part.

`watching(root, watcher)` puts itself in the place of the functions of `os`, of `open` and of safetensors' writer. What
Python's own file objects write goes through `os.write` meanwhile, so that no write is missed; what other native code
writes is not seen, but `power` finds it by looking. Nothing here knows which files there are.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import safetensors.torch

WRITES = frozenset({"write", "sendfile", "serialize_file"})
ALL = WRITES | {
    "open", "fsync", "ftruncate", "rename", "replace", "unlink", "remove", "mkdir", "rmdir", "chmod", "link", "symlink",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One call about `path`. `descriptor` is the open file that it works on, where it is one of those."""

    name: str
    path: str
    descriptor: int | None = None


class Watcher(Protocol):
    def before(self, call: Call) -> int | None:
        """Raise to refuse the call. A number lets a write put down only so many bytes."""

    def after(self, call: Call) -> None:
        """The call succeeded."""


KINDS = ("EIO", "ENOSPC", "EACCES", "MemoryError", "short")


@dataclass(slots=True)
class Refusal:
    """Refuses the `nth` of the calls (from 1), and with `lasting` all after it.

    `short` lets the nth write put down half; with `lasting` the disk is full from then on. `only` are the calls that
    count.
    """

    kind: str
    nth: int
    lasting: bool = False
    only: frozenset[str] = ALL
    count: int = 0
    refused: list[Call] = field(default_factory=list)

    def before(self, call: Call) -> int | None:
        if call.name not in self.only or (self.kind == "short" and call.name != "write"):
            return None
        self.count += 1
        if self.count != self.nth and not (self.lasting and self.count > self.nth):
            return None
        self.refused.append(call)
        if self.kind == "MemoryError":
            raise MemoryError(call.name)
        if self.kind == "short" and self.count == self.nth:
            return -2
        number = errno.ENOSPC if self.kind == "short" else getattr(errno, self.kind)
        if call.name == "serialize_file":
            raise safetensors.SafetensorError(f"IoError: {os.strerror(number)} (os error {number})")
        raise OSError(number, os.strerror(number), call.path)

    def after(self, call: Call) -> None:
        pass


@contextmanager
def watching(root: Path, watcher: Watcher) -> Iterator[None]:
    """Let `watcher` hear, and refuse, every call below `root`, an absolute path without symbolic links in it."""
    real = {name: getattr(os, name) for name in (*ALL - {"open", "serialize_file"}, "close")}
    real_open, real_fd_open, serialize = builtins.open, os.open, safetensors.torch.serialize_file
    below, held = str(root), dict[int, str]()

    def known(descriptor: int) -> bool:
        """Whether an open file lies below root; `held` has its path then. It may have been opened before."""
        if descriptor not in held:
            with suppress(OSError):
                found = os.readlink(f"/proc/self/fd/{descriptor}").removesuffix(" (deleted)")
                if found.startswith(below + os.sep):
                    held[descriptor] = found
        return descriptor in held

    def place(path: Any, dir_fd: int | None = None) -> str | None:
        """The absolute path where it lies below root, else None."""
        if isinstance(path, int):
            return held[path] if known(path) else None
        where = held.get(dir_fd, "") if dir_fd is not None else os.getcwd()
        found = os.path.abspath(os.path.join(where, os.fsdecode(path)))
        return found if found == below or found.startswith(below + os.sep) else None

    def through(name: str, call: Call, action: Callable[[], Any]) -> Any:
        watcher.before(call)
        result = action()
        watcher.after(call)
        return result

    def by_path(name: str, second: bool = False) -> Callable[..., Any]:
        def called(path: Any, *rest: Any, **more: Any) -> Any:
            found = place(path, more.get("dir_fd", more.get("src_dir_fd")))
            if second and found is None:
                found = place(rest[0])
            act = lambda: real[name](path, *rest, **more)  # noqa: E731
            return act() if found is None else through(name, Call(name, found), act)

        return called

    def by_descriptor(name: str) -> Callable[..., Any]:
        def called(descriptor: int, *rest: Any) -> Any:
            act = lambda: real[name](descriptor, *rest)  # noqa: E731
            if not known(descriptor):
                return act()
            return through(name, Call(name, held[descriptor], descriptor), act)

        return called

    def write(descriptor: int, data: Any) -> int:
        if not known(descriptor):
            return int(real["write"](descriptor, data))
        call = Call("write", held[descriptor], descriptor)
        allowed = watcher.before(call)
        part = memoryview(data).cast("B")
        written = int(real["write"](descriptor, part if allowed is None else part[: max(1, len(part) // -allowed)]))
        watcher.after(call)
        return written

    def open_descriptor(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        found = place(path, dir_fd)
        act = lambda: real_fd_open(path, flags, mode, dir_fd=dir_fd)  # noqa: E731
        if found is None:
            return act()
        descriptor = int(through("open", Call("open", found), act))
        held[descriptor] = found
        return descriptor

    def close(descriptor: int) -> None:
        held.pop(descriptor, None)
        real["close"](descriptor)

    def open_file(file: Any, mode: str = "r", buffering: int = -1, *args: Any, **more: Any) -> Any:
        found = place(file)
        if found is None or not set(mode) & set("wax"):
            if found is not None:
                watcher.before(Call("open", found))
            return real_open(file, mode, buffering, *args, **more)
        flags = os.O_WRONLY | os.O_CREAT
        flags |= {"w": os.O_TRUNC, "a": os.O_APPEND, "x": os.O_EXCL}[next(iter(set(mode) & set("wax")))]
        raw = _Written(file if isinstance(file, int) else os.open(file, flags, 0o666), file)
        buffer = io.BufferedWriter(raw)
        return buffer if "b" in mode else io.TextIOWrapper(buffer, *args, **more)

    def serialize_file(tensors: Any, filename: Any, metadata: Any = None) -> None:
        found = place(filename)
        act = lambda: serialize(tensors, filename, metadata=metadata)  # noqa: E731
        return act() if found is None else through("", Call("serialize_file", found), act)

    put = {name: by_path(name) for name in ("unlink", "remove", "mkdir", "rmdir", "chmod")}
    put |= {name: by_path(name, second=True) for name in ("rename", "replace", "link", "symlink")}
    put |= {name: by_descriptor(name) for name in ("fsync", "ftruncate", "sendfile")}
    put |= {"write": write, "open": open_descriptor, "close": close}
    try:
        for name, function in put.items():
            setattr(os, name, function)
        builtins.open = io.open = open_file  # type: ignore[assignment]
        safetensors.torch.serialize_file = serialize_file
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)
        os.open = real_fd_open
        builtins.open = io.open = real_open
        safetensors.torch.serialize_file = serialize


class _Written(io.RawIOBase):
    """A file that is written through `os.write`, as it is now."""

    def __init__(self, descriptor: int, name: Any) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.name = name

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Any) -> int:
        return os.write(self._descriptor, data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def truncate(self, size: int | None = None) -> int:
        size = self.tell() if size is None else size
        os.ftruncate(self._descriptor, size)
        return size

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)
