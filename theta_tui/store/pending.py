"""pending.json: the prompt that waits for its answer, so that one command can ask and the next one teach."""

from __future__ import annotations

import secrets
from pathlib import Path

from theta_tui.base.errors import HomeError
from theta_tui.base.files import fsync_folder, write_atomically
from theta_tui.base.json import dumps, loads
from theta_tui.store.codec import from_plain, plain_fields
from theta_tui.store.records import Pending

SCHEMA = 1


def new_prompt_id() -> str:
    return secrets.token_hex(4)


def load(path: Path) -> tuple[Pending | None, str | None]:
    """The kept prompt, if there is one, and a notice if its file exists but cannot be used."""
    try:
        values = loads(path.read_bytes().decode("utf-8"))
        schema, found = values.pop("schema"), from_plain(values, Pending)
        if schema != SCHEMA or not all(five.candidates for five in found.fives):
            raise ValueError("schema")
        return found, None
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, f"{path.name} could not be read and is ignored; ask the prompt again"


def save(path: Path, pending: Pending) -> None:
    """Keep `pending`, atomically."""
    write_atomically(path, (dumps({"schema": SCHEMA} | plain_fields(pending)) + "\n").encode())


def clear(path: Path) -> None:
    """Forget the kept prompt, durably, so that it cannot be answered twice. Raises HomeError naming the path."""
    try:
        path.unlink()
        fsync_folder(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HomeError(f"{path} cannot be removed ({error.strerror})") from error
