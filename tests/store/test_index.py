"""The index of a journal: a story begun from it is the story of the whole journal, and no harm to it does any harm."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.test_state import MOST, journals, outcome, said, told
from theta_tui.base.config import Settings
from theta_tui.base.errors import JournalError
from theta_tui.store import index
from theta_tui.store import retention as ledger
from theta_tui.store.book import Book
from theta_tui.store.codec import encode
from theta_tui.store.entry import Entry
from theta_tui.store.home import Home
from theta_tui.store.journal import Journal
from theta_tui.store.past import Past
from theta_tui.store.records import Asked, Begin, Finding, Learned, Record, Restore, Withdraw
from theta_tui.store.state import Story
from theta_tui.store.store import Store
from theta_tui.store.totals import totals


def write(path: Path, records: list[Record]) -> list[int]:
    """A journal of these; where each ends."""
    lines = [encode(seq, float(seq), record) for seq, record in enumerate(records, 1)]
    path.write_bytes(b"".join(lines))
    return [sum(map(len, lines[: at + 1])) for at in range(len(lines))]


def everything(story: Story) -> dict[str, Any]:
    """All that a story says, and a book of it."""
    book = Book({})
    names = ("refolded", "moved", "begun", "conversation")
    more = {name: getattr(story, name) for name in names}
    more |= {"losses": story.losses(9), "tally": book.tally(story)}
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
@settings(max_examples=60, deadline=None)
def test_a_story_begun_from_an_index_is_the_story_of_the_whole_journal(
    records: list[Record], later: list[Record], points: list[int]
) -> None:
    compare([*records, *later], points)


def test_what_was_found_while_an_old_lesson_was_gone_does_not_count_once_it_is_back() -> None:
    taught = [said("a"), said("b"), said("c"), said("d"), said("e"), said("f")]
    compare([*taught, Withdraw(1), Asked((Finding(2, 0.5, True),)), Restore(1)], [6])


@pytest.mark.slow
@given(journals(), journals(), st.lists(st.integers(0, 2 * MOST), max_size=3))
@settings(max_examples=800, deadline=None)
def test_and_so_it_is_of_a_great_many_journals(records: list[Record], later: list[Record], points: list[int]) -> None:
    compare([*records, *later], points)


def compare(records: list[Record], points: list[int]) -> None:
    """The story over an index that was written at `points` against the story of all records, one after the other."""
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
        found: dict[int, Finding] = {}
        book = Book(found)
        for at, entry in enumerate(journal.more, known + 1):
            if at % 3 and story.lessons:
                seq = story.lessons[at % len(story.lessons)].seq
                found[seq] = Finding(seq, at / MOST, at % 2 == 0)
                book.touch([seq])
            elif at % 3 == 0:
                book.touch(found)
                found.clear()
            assert book.tally(story) == ledger.tally(ledger.standings(story, found))
            story.add(entry)
            assert told(story) == told(Story.of(whole[:at]))
        assert everything(story) == everything(Story.of(whole))
        assert everything(Story.of(journal.more, past)) == everything(Story.of(whole))


TAUGHT: list[Record] = [
    Begin("default", "f" * 16, "0.1.0"),
    *(
        record
        for number in range(2, 24, 2)
        for record in (said(f"p{number}"), Learned(number, outcome(steps=number), "m"))
    ),
]


def taught(settings: Settings) -> Path:
    """A home with an index; its journal."""
    settings.home.mkdir(mode=0o700)
    home = Home(settings.home)
    write(home.journal, TAUGHT)
    Store.open(settings).close()
    assert home.index.exists()
    return home.journal


@pytest.fixture
def settings_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(index, "WORTH", 400)
    return Settings(home=tmp_path / "home", lock_wait=1)


@contextmanager
def opened(settings: Settings, known: int | None = None) -> Iterator[Store]:
    """The home open for writing; with so many records known from the index (None: any number)."""
    record = Store.open(settings)
    try:
        prefix = record.journal.prefix
        assert known is None or known == (0 if prefix is None else len(prefix))
        yield record
    finally:
        record.close()


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_an_index_harmed_anywhere_is_as_if_there_were_none(settings_: Settings, step: int) -> None:
    journal, path = taught(settings_), Home(settings_.home).index
    data, whole = path.read_bytes(), told(Story.of(Journal.read(journal).entries))
    assert index.load(path, journal) is not None
    for at in [*range(64), *range(64, len(data), step)]:
        for harmed in (data[:at], data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]):
            path.write_bytes(harmed)
            assert index.load(path, journal) is None
        if at % 77 == 0:
            assert told(Store.read(settings_).story) == whole
    path.write_bytes(data + b"\0")
    assert index.load(path, journal) is None


@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.slow)])
def test_a_journal_harmed_anywhere_is_found_out_though_there_is_an_index(settings_: Settings, step: int) -> None:
    journal = taught(settings_)
    data = journal.read_bytes()
    whole = Journal.read(journal).entries
    for at in range(0, len(data), step):
        journal.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        record, alone = Store.read(settings_), Journal.read(journal)
        assert list(record.journal.entries) == list(whole)[: record.journal.last_seq] == list(alone.entries)
        assert (record.journal.damaged, record.journal.last_seq < len(whole)) == (alone.damaged, True)
        assert told(record.story) == told(Story.of(alone.entries))
    for at in range(0, len(data), step):
        journal.write_bytes(data[:at])
        record = Store.read(settings_)
        assert list(record.journal.entries) == list(whole)[: record.journal.last_seq]
        assert told(record.story) == told(Story.of(record.journal.entries))


def test_a_torn_tail_behind_an_index_is_set_aside(settings_: Settings) -> None:
    journal = taught(settings_)
    data = journal.read_bytes()
    journal.write_bytes(data + b'{"seq":24,"crc":"0')
    with opened(settings_) as record:
        assert record.journal.prefix is not None
        assert (record.journal.last_seq, len(record.take_notices())) == (len(TAUGHT), 1)
    assert (journal.read_bytes(), journal.with_name(f"journal.jsonl.torn-{len(data)}").exists()) == (data, True)


def test_a_home_grows_over_its_index_and_each_start_reads_only_the_rest(settings_: Settings) -> None:
    journal = taught(settings_)
    known = 0
    for more in range(30, 38):
        with opened(settings_) as record:
            assert record.journal.prefix is not None
            assert len(record.journal.prefix) >= known
            known = len(record.journal.prefix)
            entry = record.append(said(f"p{more}"))
            record.append(Learned(entry.seq, outcome(), "m"))
            assert told(record.story) == told(Story.of(record.journal.entries))
    assert known > len(TAUGHT)
    assert Journal.read(journal).last_seq == len(TAUGHT) + 16
    assert Home(settings_.home).index.stat().st_mode & 0o777 == 0o600


def test_the_index_goes_along_with_a_session_that_writes_it_again_and_again(
    settings_: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 99.0)  # on disk it is rounded
    taught(settings_)
    chance, sizes = Random(7), set[int]()
    with opened(settings_) as record:
        for number in range(36):
            match chance.choice("eeeewwrf"):
                case "w" if (last := record.story.last) is not None:
                    record.append(Withdraw(last.seq))
                case "r" if (undone := record.story.undone) is not None:
                    record.append(Restore(undone.seq))
                case "f":
                    record.roll_back(record.append(said("not acknowledged")))
                case _:
                    record.append(Learned(record.append(said(f"n{number}")).seq, outcome(), "m"))
            record.write_index()
            sizes.add(record.story.past.last_seq if record.story.past else 0)
            past = index.load(record.home.index, record.home.journal)
            assert past is not None
            whole = Story.of(record.journal.entries)
            assert told(record.story) == told(whole)
            assert everything(Story.of(list(record.journal.entries)[past.last_seq :], past)) == everything(whole)
            change = Withdraw(whole.lessons[-1].seq)
            supposed = Entry(record.journal.last_seq + 1, 0.0, change, 0, "")
            assert told(record.supposing(change)) == told(Story.of([*record.journal.entries, supposed]))
    assert len(sizes) > 5


def test_what_was_taught_last_is_taken_back_without_reading_the_rest(
    settings_: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught(settings_)
    with opened(settings_) as record:
        assert record.journal.prefix is not None
        first = len(record.journal.prefix) + 1
        monkeypatch.setattr(type(record.journal.prefix), "entries", lambda self: pytest.fail("it was all read"))
        assert record.to_undo().seq >= first
        lesson = record.withdraw_last()
        record.restore(lesson)
        assert len(record.story.live) == 11
        assert record.story.undone is None


def test_an_old_lesson_is_taken_back_too(settings_: Settings) -> None:
    taught(settings_)
    with opened(settings_) as record:
        record.withdraw(record.to_withdraw(1))
        assert [lesson.number for lesson in record.story.live] == list(range(2, 12))
        assert told(record.story) == told(Story.of(record.journal.entries))
    with opened(settings_, known=len(TAUGHT) + 1) as record:
        assert told(record.story) == told(Story.of(record.journal.entries))
        assert record.to_redo().number == 1


def test_a_record_that_is_harmed_while_the_home_is_open_is_not_used(settings_: Settings) -> None:
    journal = taught(settings_)
    with opened(settings_) as record:
        lesson = record.story.lessons[0]
        at = record.journal.entries[1].offset
        with journal.open("r+b") as file:
            file.seek(at + 60)
            file.write(b"\0")
        record.story.lessons.past._recent.clear()  # type: ignore[union-attr]
        with pytest.raises(JournalError, match=f"byte {at}"):
            lesson.exchange  # noqa: B018
        assert record.read_only is not None
        with pytest.raises(JournalError, match=f"byte {at}"):
            record.append(said("more"))


def test_a_record_that_stands_in_the_place_of_another_is_not_used(settings_: Settings) -> None:
    """Both are sound, and of one length: only the number tells."""
    journal = taught(settings_)
    with opened(settings_) as record:
        first, second, third = (record.journal.entries[at].offset for at in (1, 3, 2))
        data = journal.read_bytes()
        line = data[second : data.index(b"\n", second) + 1]
        assert len(line) == third - first
        with journal.open("r+b") as file:
            file.seek(first)
            file.write(line)
        record.story.lessons.past._recent.clear()  # type: ignore[union-attr]
        with pytest.raises(JournalError, match="its number is 4 where 2 was due"):
            record.story.lessons[0].exchange  # noqa: B018


def test_a_home_that_can_only_be_read_gets_no_index(settings_: Settings) -> None:
    settings_.home.mkdir(mode=0o700)
    home = Home(settings_.home)
    ends = write(home.journal, TAUGHT)
    data = home.journal.read_bytes()
    home.journal.write_bytes(data[: ends[-3]] + b"x" + data[ends[-3] + 1 :])
    with opened(settings_) as record:
        assert record.journal.last_seq == len(TAUGHT) - 2
        assert record.read_only is not None
    assert not home.index.exists()


def test_a_short_journal_needs_no_index(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", lock_wait=1)
    with opened(settings) as record:
        record.append(said("hello"))
    assert not Home(settings.home).index.exists()


def test_an_index_that_cannot_be_written_is_no_harm(settings_: Settings) -> None:
    journal = taught(settings_)
    path = Home(settings_.home).index
    path.unlink()
    path.mkdir()
    with opened(settings_, known=0) as record:
        record.write_index()
        assert "was not written" in record.take_notices()[0]
    assert Journal.read(journal).last_seq == len(TAUGHT)


def test_an_index_of_another_version_is_not_used(settings_: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    taught(settings_)
    monkeypatch.setattr(index, "MADE_BY", "another")
    with opened(settings_, known=0):
        pass
    with opened(settings_) as record:
        assert record.journal.prefix is not None, "and made again"


@given(journals())
@settings(max_examples=25, deadline=None)
def test_the_totals_of_an_index_are_those_of_its_lessons(records: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        past = indexed(Path(folder), records, len(records))
        journal = Journal.read(Path(folder) / "journal.jsonl", past.prefix if past is not None else None)
        assert totals(Story.of(journal.more, past)) == totals(Story.of(journal.entries))
