"""Folders and files that a crash, or a power loss, cannot tear: made, written and on disk, or as they were before."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from theta_tui.base.errors import HomeError


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Make `path` and the folders above it that are missing, each with this mode (for its owner only) and with its name
    on disk before anything is put into it. Without that a power loss could take a folder away with all that was synced
    inside."""
    if path.is_dir():
        return
    if not path.parent.exists():
        make_folder(path.parent, mode)
    path.mkdir(mode=mode, exist_ok=True)
    fsync_folder(path.parent)


def fsync_file(path: Path) -> None:
    """Make what was written to `path` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_folder(folder: Path) -> None:
    """Make a rename or a new name in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """`os.write` until all of it is written: on a full disk it returns short before it raises."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_atomically(path: Path, data: bytes) -> None:
    """Temp file in the same folder, fsync, rename, fsync of the folder. On an error `path` is as it was.

    A symbolic link is followed, so that a linked `context.md` stays a link. Raises HomeError naming the path.
    """
    temporary: Path | None = None
    try:
        target = path.resolve()
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(target)
        temporary = None
        fsync_folder(target.parent)
    except BaseException as error:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        if not isinstance(error, (OSError, RuntimeError)):  # RuntimeError: symbolic links that lead in a circle
            raise
        left = "what was there before is untouched" if temporary else "what was there before is replaced"
        why = getattr(error, "strerror", None) or str(error)
        raise HomeError(f"{path} cannot be written ({why}); {left}") from error
