"""The index of a journal: a story begun from it is the story of the whole journal, and no harm to it does any harm."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_story import MOST, journals, told
from theta_tui import home as home_module
from theta_tui.lessons import index, ledger
from theta_tui.lessons.book import Book
from theta_tui.lessons.codec import encode
from theta_tui.lessons.journal import Journal
from theta_tui.lessons.past import Past
from theta_tui.lessons.records import Record
from theta_tui.lessons.story import Story


def write(path: Path, records: list[Record]) -> list[int]:
    """A journal of these; where each ends."""
    lines = [encode(seq, float(seq), record) for seq, record in enumerate(records, 1)]
    path.write_bytes(b"".join(lines))
    return [sum(map(len, lines[: at + 1])) for at in range(len(lines))]


def everything(story: Story) -> dict[str, Any]:
    """All that a story says, and a book of it."""
    book = Book({})
    names = ("refolded", "moved", "moves", "idle_steps", "lesson_steps", "begun", "conversation")
    more = {name: getattr(story, name) for name in names}
    more |= {"drifts": story.drifts(9), "losses": story.losses(9), "tally": book.tally(story)}
    more["states"] = [book.state(story, lesson.seq) for lesson in story.lessons]
    more["fresh"] = book.fresh
    more["about"] = {lesson.exchange.prompt: story.about(lesson.exchange.prompt) for lesson in story.lessons}
    more["standings"] = ledger.standings(story)
    more["by"] = [(lesson.learned_by, lesson.recipe_by, lesson.failed_by) for lesson in story.lessons]
    return {name: list(found) if hasattr(found, "_at") else found for name, found in (told(story) | more).items()}


def indexed(folder: Path, records: list[Record], at: int, past: Past | None = None) -> Past | None:
    """The past of the journal in `folder` with all settled of its first `at` records, as the index gives it back."""
    path, ends = folder / "journal.jsonl", write(folder / "journal.jsonl", records)
    journal = Journal.read(path, past.prefix if past is not None else None)
    known = len(past.prefix) if past is not None else 0
    count = index.settled(journal.more[: max(0, at - known)])
    if not count:
        return past
    index.save(folder / "journal.idx", index.capture(journal.more[:count], ends[known + count - 1], past, path))
    found = index.load(folder / "journal.idx", path)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def few_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "RECENT_LESSONS", 2)
    monkeypatch.setattr(index, "RECENT_RESULTS", 3)


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@given(journals(), journals(), st.lists(st.integers(0, 2 * MOST), max_size=3))
@settings(max_examples=300, deadline=None)
def test_a_story_begun_from_an_index_is_the_story_of_the_whole_journal(
    records: list[Record], later: list[Record], points: list[int]
) -> None:
    records = [*records, *later]
    with tempfile.TemporaryDirectory() as folder:
        past: Past | None = None
        for at in sorted(points):
            past = indexed(Path(folder), records, at, past)
        path = Path(folder) / "journal.jsonl"
        write(path, records)
        journal = Journal.read(path, past.prefix if past is not None else None)
        whole = Journal.read(path).entries
        assert journal.entries == whole
        assert [journal.checksum(seq) for seq in range(len(records) + 2)] == [
            None, *(entry.checksum for entry in whole), None,
        ]  # fmt: skip
        known = len(past.prefix) if past is not None else 0
        story = Story.of([], past)
        assert everything(Story.of([], past)) == everything(Story.of(whole[:known]))
        for at, entry in enumerate(journal.more, known + 1):
            story.add(entry)
            assert told(story) == told(Story.of(whole[:at]))
        assert everything(story) == everything(Story.of(whole))
        assert everything(Story.of(journal.more, past)) == everything(Story.of(whole))
