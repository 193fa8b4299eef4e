"""The lessons as TRL data sets: preference pairs and completions, as JSON lines. Standard library only.

The formats are TRL's conversational ones (`prompt`, `chosen`, `rejected` and `prompt`, `completion`, each a list of
messages). Texts are unaltered: characters that could disturb a terminal are JSON escapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from theta_tui.base.json import dumps
from theta_tui.base.text import is_blank, normalised
from theta_tui.store.retention import active_answers
from theta_tui.store.state import Lesson, State

CONTEXT_TURNS = 16
"""At most this many turns of context precede a lesson. With all turns the files would grow quadratically, and the
model saw no more than its window either."""

PREFERENCE, COMPLETION, README = "preference.jsonl", "completion.jsonl", "README.md"

Row = dict[str, list[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of rows of each kind."""

    preference: int
    completion: int


def write(state: State, folder: Path, mark: str) -> Counts:
    """Write the data sets of `state` into the existing `folder`, with a README that carries `mark` as a tag.

    A kind without rows gets no file, because `load_dataset` cannot read an empty one.
    """
    counts = Counts(
        _write(folder / PREFERENCE, preferences(state)),
        _write(folder / COMPLETION, completions(state)),
    )
    (folder / README).write_text(_readme(counts, mark), "utf-8")
    return counts


def completions(state: State) -> Iterator[Row]:
    """`prompt` and `completion` of every lesson that counts and is not superseded. A picked reply that was cut is none:
    a trainer would put an end behind it."""
    seen: set[str] = set()
    for lesson in active_answers(state):
        if lesson.exchange.cut:
            continue
        row = {"prompt": _prompt(lesson), "completion": [_said(lesson.exchange.reply)]}
        # A lesson taught twice in the same context is one row.
        if (key := dumps(row)) not in seen:
            seen.add(key)
            yield row


def preferences(state: State) -> Iterator[Row]:
    """`prompt`, `chosen` and `rejected`, one pair per row.

    A pick is preferred to each of the other offered replies. A correction is preferred to the reply that it was edited
    from, else to the one that it replaced in the conversation, else to the likeliest one offered. A picked reply that
    was cut is preferred to none.
    """
    by_seq = {lesson.seq: lesson for lesson in state.active}
    for lesson in state.active:
        if lesson.exchange.cut:
            continue
        chosen = lesson.exchange.reply
        for rejected in _rejected(lesson, by_seq):
            if normalised(rejected) != normalised(chosen) and not is_blank(rejected):
                yield {"prompt": _prompt(lesson), "chosen": [_said(chosen)], "rejected": [_said(rejected)]}


def _rejected(lesson: Lesson, by_seq: dict[int, Lesson]) -> list[str]:
    exchange = lesson.exchange
    offered = {candidate.index: candidate.text for candidate in exchange.candidates}
    if exchange.kind == "pick":
        return list(dict.fromkeys(text for index, text in offered.items() if index != exchange.pick))
    if exchange.edited in offered:
        return [offered[exchange.edited]]
    if exchange.replaces is not None and exchange.replaces in by_seq:
        return [by_seq[exchange.replaces].exchange.reply]
    return [offered[min(offered)]] if offered else []


def _prompt(lesson: Lesson) -> list[dict[str, str]]:
    system = [] if lesson.persona is None else [{"role": "system", "content": lesson.persona}]
    before = [
        message
        for prompt, reply in lesson.context[-CONTEXT_TURNS:]
        for message in ({"role": "user", "content": prompt}, _said(reply))
    ]
    return [*system, *before, {"role": "user", "content": lesson.exchange.prompt}]


def _said(reply: str) -> dict[str, str]:
    return {"role": "assistant", "content": reply}


def _write(path: Path, rows: Iterable[Row]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(dumps(row) + "\n")
            count += 1
    if not count:
        path.unlink()
    return count


def _readme(counts: Counts, mark: str) -> str:
    files: list[tuple[str, int, str]] = [
        (PREFERENCE, counts.preference, "preference pairs (`prompt`, `chosen`, `rejected`): picks and corrections"),
        (COMPLETION, counts.completion, "completions (`prompt`, `completion`): every lesson that stands"),
    ]
    there = [(name, count, what) for name, count, what in files if count]
    listed = "\n".join(f"- `{name}`: {count:,} {what}" for name, count, what in there)
    lines = "\n".join(
        f'{name.partition(".")[0]} = load_dataset("json", data_files="{name}", split="train")' for name, _, _ in there
    )
    return (
        f"---\ntags:\n- {mark}\n- trl\n---\n\n# What a model was taught by talking to it\n\n{listed}\n\n"
        "In TRL's conversational formats, a JSON object a line. What was taken back is left out, and answers that "
        f"a later one superseded are no completions. At most {CONTEXT_TURNS} turns of the conversation stand in front "
        f"of a lesson.\n\n```python\nfrom datasets import load_dataset\n\n{lines}\n```\n"
    )
