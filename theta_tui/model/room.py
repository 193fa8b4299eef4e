"""Room on the disk for a model: what is refused says which place, and how many bytes are needed and free."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from theta_tui.base.errors import HomeError
from theta_tui.base.memory import shown

DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""What a disk refuses with. A network has others."""


def require(place: Path, needed: int) -> None:
    """Raises HomeError where the disk has not so many bytes left."""
    if needed > _free(place):
        raise refused(place, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), needed)


@contextmanager
def made(place: Path, needed: int) -> Iterator[None]:
    """While `place` is made: what the disk refuses, as HomeError that names it and the bytes that are `needed`."""
    try:
        yield
    except HomeError as error:
        if isinstance(error.__cause__, OSError):  # of the folder that it is written into
            raise refused(place, error.__cause__, needed) from error.__cause__
        raise
    except OSError as error:
        raise refused(place, error, needed) from error


def refused(place: Path, error: OSError, needed: int = 0) -> HomeError:
    """The disk refuses to hold `place`, of so many bytes where that is known."""
    why = error.strerror or str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        why += f": {f'it takes {shown(needed)}, and ' if needed else ''}{shown(_free(place))} are free"
    return HomeError(f"{place} cannot be written ({why}); make room and try again; what was fetched is kept")


def os_error(error: Exception, place: Path) -> OSError:
    """The system's error for what a native library says of the disk in words of its own; without a number where those
    name none."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(found[1]) if found else None, os.strerror(int(found[1])) if found else str(error), str(place))


def _free(place: Path) -> int:
    return shutil.disk_usage(next(folder for folder in place.parents if folder.is_dir())).free
