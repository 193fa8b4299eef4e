"""Files and folders that survive a crash or a power loss: each is either written and on disk, or as it was before."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from theta_tui.base.errors import HomeError


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Make `path` and its missing parents, each with `mode` (by default for the owner only).

    Each name is on disk before anything is put inside: otherwise a power loss could take the folder away with all that
    was synced in it.
    """
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
    """Call `os.write` until all of `data` is written: on a full disk it writes less before it raises."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_atomically(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a temporary file beside `path`, fsync it, rename it, fsync the folder. On an error `path` is as it was.
    Without `sync` there is no fsync, and a power loss may leave an empty file.

    A symbolic link is followed, so that a linked `context.md` stays a link. Raises HomeError that names the path.
    """
    temporary: Path | None = None
    replaced = False
    try:
        target = path.resolve()
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            write_all(descriptor, data)
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(target)
        replaced = True
        temporary = None
        if sync:
            fsync_folder(target.parent)
    except BaseException as error:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        if not isinstance(error, (OSError, RuntimeError)):  # RuntimeError: symbolic links in a circle
            raise
        left = "the file has been replaced" if replaced else "the file is as it was before"
        why = getattr(error, "strerror", None) or str(error)
        raise HomeError(f"{path} cannot be written ({why}); {left}") from error


def assets_dir() -> Path:
    """The folder of what ships with Theta: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "assets"
    return inside if inside.is_dir() else package.parent / "assets"


def cache_dir() -> Path:
    """The person's cache: what can be had again."""
    from platformdirs import user_cache_path

    return user_cache_path("theta", appauthor=False)
