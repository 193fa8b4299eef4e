"""Files of data made here, and what is read of them or told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from theta_tui.base.errors import ModelError
from theta_tui.pretrain.documents import read

Turns = tuple[tuple[str, str], ...]
HI: Turns = (("user", "Hi"), ("assistant", "Hello!"))


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def file(tmp_path: Path, content: str | bytes, name: str = "data.jsonl") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def turns(tmp_path: Path, *rows: object) -> list[Turns]:
    """The conversations of rows, written one a line."""
    path = file(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    return [document.turns for document in read(path)]


def fault(path: Path) -> str:
    """What a file that cannot be used is told to be; one line."""
    with pytest.raises(ModelError) as caught:
        list(read(path))
    assert (caught.value.name, caught.value.code) == ("data", 4)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


def row_fault(tmp_path: Path, row: object) -> str:
    """The same for a row on the second line."""
    line = row if isinstance(row, str) else json.dumps(row)
    message = fault(file(tmp_path, json.dumps({"messages": [user("Hi"), assistant("Hello!")]}) + f"\n{line}\n"))
    assert message.startswith("FILE:2: ")
    assert message.endswith("; fix the line, or skip bad lines with --skip-bad")
    return message
