"""Writes a folder that a person asked for: it appears whole or not at all. Standard library only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from theta_tui.base.errors import HomeError, UsageError
from theta_tui.base.files import fsync_file, fsync_folder, make_folder

README = "README.md"
MARK = "theta-tui"
"""Tag in the README of an export. `--force` replaces only folders that have it."""


@contextmanager
def fresh_folder(path: Path, *, force: bool, spare: Path | None = None) -> Iterator[Path]:
    """Yield an empty folder beside `path` to write into; at the end it is synced and renamed to `path`.

    If the body raises, nothing is left behind and `path` is as it was. Raises UsageError if `path` exists and is not
    empty. `force` replaces an earlier export and nothing else: never a folder without our tag, and never one that
    contains `spare` (the base model) or lies in it. Raises HomeError if the disk refuses.
    """
    path = path.absolute()
    _may_be_written(path, force, spare)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    retired = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        make_folder(path.parent, 0o777)
        _remove(unfinished)
        unfinished.mkdir()
        yield unfinished
        for folder, _, files in os.walk(unfinished):
            for name in files:
                fsync_file(Path(folder, name))
            fsync_folder(Path(folder))
        if path.is_dir() and any(path.iterdir()):
            path.rename(retired)
        try:
            unfinished.rename(path)
            fsync_folder(path.parent)
        except OSError:
            with suppress(OSError):
                if not unfinished.exists():
                    path.rename(unfinished)
                if retired.exists():
                    retired.rename(path)
            raise
    except OSError as error:
        _remove(unfinished)
        raise HomeError(
            f"{path} cannot be written ({error.strerror or error}); make room or choose another folder; "
            "what was there before is unchanged"
        ) from error
    except BaseException:
        _remove(unfinished)
        raise
    _remove(retired)


def _may_be_written(path: Path, force: bool, spare: Path | None) -> None:
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UsageError(f"{path} exists and is not a folder; choose another")
    if spare is not None:
        taught, wanted = spare.resolve(), path.resolve()
        if taught == wanted or taught in wanted.parents or wanted in taught.parents:
            raise UsageError(
                f"{path} holds the model that lessons build on, which is never overwritten; choose another"
            )
    try:
        if not path.exists() or not any(path.iterdir()):
            return
        if not force:
            raise UsageError(
                f"{path} exists and is not empty; choose another folder",
                hint="`theta export --force` replaces an earlier export",
            )
        try:
            ours = f"- {MARK}\n" in (path / README).read_text("utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            ours = False
    except OSError as error:
        raise HomeError(f"{path} cannot be read ({error.strerror}); choose another folder") from None
    if not ours:
        raise UsageError(f"{path} is not an earlier export, and --force replaces only those; choose another folder")


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder, ignore_errors=True)
