"""The shards of conversations that the model card names: read, thinned out, with the assistant's name, and written."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from theta_tui.facts.self_harm import speaks_of_self_harm

OPENINGS = 20
"""Most conversations that may open with the same exchange; further ones lose it."""


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def named(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows with the assistant's name in its replies."""
    for row in rows:
        for message in row["messages"]:
            if message["role"] == "assistant":
                message["content"] = re.sub(r"\bAssistant\b", "Theta", message["content"])
        yield row


def thinned(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows without opening exchanges that too many conversations share; what follows them stays."""
    seen: Counter[tuple[str, str]] = Counter()
    for row in rows:
        messages = row["messages"]
        while messages:
            opening = messages[0]["content"].lower(), messages[1]["content"]
            seen[opening] += 1
            if seen[opening] <= OPENINGS:
                break
            messages = messages[2:]
        if messages:
            yield row | {"messages": messages}


def sound(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows without a blank name, and without those about self-harm: a module of its own answers these,
    and a small model takes their replies for one to much else."""
    for row in rows:
        texts = [message["content"] for message in row.get("messages", ())]
        if not any("(name)" in text for text in texts) and not any(map(speaks_of_self_harm, texts[::2])):
            yield row


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
