"""A disk that can be filled: a small file system in memory, which only root can mount."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = 4096
MEGABYTES = 3


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of three megabytes."""
    place = tmp_path_factory.mktemp("disk")
    mounted = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount") is not None
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(place)]
    if not mounted or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a disk can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def room_for(disk: Path, pages: int) -> Iterator[None]:
    """Fill the disk but for so many pages."""
    filler = disk / "filler"
    found = os.statvfs(disk)
    filler.write_bytes(bytes(max(0, found.f_bavail * found.f_frsize // PAGE - pages) * PAGE))
    try:
        yield
    finally:
        filler.unlink()
