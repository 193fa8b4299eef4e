"""The journal: what is appended is there, what is damaged is seen, what is torn is set aside."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.profiles import examples
from theta_tui.base.errors import HomeError, JournalError
from theta_tui.store import codec
from theta_tui.store.journal import Journal
from theta_tui.store.records import (
    Asked,
    Begin,
    Candidate,
    ContextImported,
    ConversationStarted,
    Exchange,
    Failure,
    Finding,
    Learned,
    Outcome,
    Rebuilt,
    Restore,
    Withdraw,
)

CANDIDATES = tuple(Candidate(index, f"reply {index}", -1.5 * index) for index in range(1, 6))
RECIPE = {"name": "default", "lr": 2e-4}


def exchange(prompt: str = "hello", reply: str = "Hi!", **more: object) -> Exchange:
    return Exchange("pick", prompt, reply, CANDIDATES, RECIPE, pick=3, prompt_id="ab12", **more)  # type: ignore[arg-type]


def outcome(lesson: int = 1) -> Outcome:
    return Outcome(lesson, "pick", "hello", "Hi!", 2.5, 0.5, 0.02, 0.97, 3, 7, True, 0.25, (2.5, 1.0, 0.5))


RECORDS = [
    Begin("default", "f" * 16, "0.1.0"),
    exchange(),
    Learned(2, outcome(), "torch 2"),
    Withdraw(2),
    ConversationStarted(),
    ContextImported((("a", "b"), ("c", "d"))),
    Failure("it broke", 2),
]


def written(path: Path, records: list[object] | None = None) -> bytes:
    journal = Journal.open(path)
    for record in records or RECORDS:
        journal.append(record)  # type: ignore[arg-type]
    journal.close()
    return path.read_bytes()


def test_every_kind_of_record_comes_back_as_it_was(tmp_path: Path) -> None:
    written(tmp_path / "j")
    journal = Journal.open(tmp_path / "j")
    assert [entry.record for entry in journal.entries] == RECORDS
    assert [entry.seq for entry in journal.entries] == [1, 2, 3, 4, 5, 6, 7]


def test_how_a_home_learns_comes_back_and_an_older_record_says_whole(tmp_path: Path) -> None:
    records: list[object] = [Begin("default", "f" * 16, "0.1.0"), Begin("large", "f" * 16, "0.1.0", lora=16)]
    older, newer = written(tmp_path / "j", records).splitlines()
    assert (b"lora" in older, b'"lora":16' in newer) == (False, True)
    assert [entry.record for entry in Journal.read(tmp_path / "j").entries] == records


def test_what_asking_again_found_comes_back_as_it_was(tmp_path: Path) -> None:
    records: list[object] = [Asked((Finding(2, 0.97, True), Finding(5, 0.001, False)))]
    written(tmp_path / "j", records)
    assert [entry.record for entry in Journal.open(tmp_path / "j").entries] == records
    line = codec.encode(1, 0.0, Asked((Finding(2, float("nan"), False),)))
    (found,) = codec.decode(line)[2].results  # type: ignore[union-attr]
    assert found.p != found.p


def test_the_drift_that_versions_before_measured_is_passed_over(tmp_path: Path) -> None:
    drifted: Any = codec.plain_fields(outcome()) | {"drift": 0.003}
    before = [Learned(1, drifted, "torch 2"), Rebuilt("default", "f" * 16, "0.1.0", "torch 2", RECIPE, ((1, drifted),))]
    assert written(tmp_path / "j", before).count(b'"drift":0.003') == 2
    learned, rebuilt = (entry.record for entry in Journal.open(tmp_path / "j").entries)
    assert (learned, rebuilt.outcomes) == (Learned(1, outcome(), "torch 2"), ((1, outcome()),))  # type: ignore[union-attr]


def test_appending_goes_on_where_it_left_off(tmp_path: Path) -> None:
    written(tmp_path / "j")
    journal = Journal.open(tmp_path / "j")
    assert journal.append(ConversationStarted()).seq == 8
    journal.close()
    assert Journal.read(tmp_path / "j").last_seq == 8


def test_a_journal_cut_anywhere_loses_only_the_line_that_was_cut(tmp_path: Path) -> None:
    data = written(tmp_path / "j")
    ends = [at + 1 for at, byte in enumerate(data) if byte == ord("\n")]
    # Every offset, and of a longer journal: tests/faults/test_damaged_journal.py.
    beside = {at + off for at in [0, *ends] for off in (-1, 0, 1)}
    for cut in sorted((beside | {*range(0, len(data), 11)}) & {*range(len(data))}):
        path = tmp_path / "cut"
        path.write_bytes(data[:cut])
        journal = Journal.open(path)
        whole = sum(1 for end in ends if end <= cut)
        assert journal.last_seq == whole
        assert journal.read_only is None
        assert bool(journal.notices) == (cut not in [0, *ends])
        journal.close()
        assert path.read_bytes() == data[: ends[whole - 1] if whole else 0]


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    data = written(tmp_path / "j", RECORDS[:4])
    path = tmp_path / "flipped"
    last_line = data.rstrip(b"\n").rfind(b"\n") + 1
    for at in range(0, len(data), 3):
        for bit in (1, 32, 128):
            path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
            journal = Journal.read(path)
            assert [entry.record for entry in journal.entries] == RECORDS[: journal.last_seq]
            assert journal.last_seq < 4
            assert at >= last_line or journal.damaged is not None


def test_damage_in_the_middle_opens_read_only_and_names_the_byte(tmp_path: Path) -> None:
    data = written(tmp_path / "j")
    second = data.find(b"\n") + 1
    (tmp_path / "j").write_bytes(data[: second + 40] + b"X" + data[second + 41 :])
    journal = Journal.open(tmp_path / "j")
    assert journal.last_seq == 1
    assert journal.read_only is not None
    assert f"byte {second}" in journal.read_only
    with pytest.raises(JournalError, match="read-only"):
        journal.append(ConversationStarted())


def test_a_missing_record_is_damage(tmp_path: Path) -> None:
    lines = written(tmp_path / "j").splitlines(keepends=True)
    (tmp_path / "j").write_bytes(b"".join(lines[:2] + lines[3:]))
    journal = Journal.open(tmp_path / "j")
    assert journal.read_only is not None
    assert "its number is 4 where 3 was due" in journal.read_only


def test_a_journal_of_a_newer_version_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(codec, "_version", lambda _: codec.VERSION + 1)
        written(tmp_path / "j")
    journal = Journal.open(tmp_path / "j")
    assert journal.read_only is not None
    assert "newer" in journal.read_only


def test_a_torn_tail_is_kept_in_a_file_of_its_own(tmp_path: Path) -> None:
    data = written(tmp_path / "j")
    (tmp_path / "j").write_bytes(data + b'{"seq":8,"crc"')
    journal = Journal.open(tmp_path / "j")
    assert journal.read_only is None
    assert [path.read_bytes() for path in tmp_path.glob("j.torn-*")] == [b'{"seq":8,"crc"']
    assert (tmp_path / "j").read_bytes() == data


def test_reading_changes_nothing(tmp_path: Path) -> None:
    data = written(tmp_path / "j") + b"torn"
    (tmp_path / "j").write_bytes(data)
    assert Journal.read(tmp_path / "j").last_seq == 7
    assert (tmp_path / "j").read_bytes() == data
    assert Journal.read(tmp_path / "missing").last_seq == 0
    assert not (tmp_path / "missing").exists()
    assert Journal.read(tmp_path / "j").read_only == "it was opened for reading"


def test_a_full_disk_leaves_the_journal_as_it_was_and_teaching_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = written(tmp_path / "j")
    journal = Journal.open(tmp_path / "j")
    real = os.write
    budget = [100]

    def short_write(descriptor: int, view: bytes) -> int:
        if budget[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written_now = real(descriptor, bytes(view)[: budget[0]])
        budget[0] -= written_now
        return written_now

    with monkeypatch.context() as full:
        full.setattr(os, "write", short_write)
        with pytest.raises(HomeError, match="No space left"):
            journal.append(exchange())
    assert (tmp_path / "j").read_bytes() == data
    assert journal.append(ConversationStarted()).seq == 8


def test_after_a_failed_fsync_nothing_more_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(tmp_path / "j")

    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing)
        with pytest.raises(HomeError, match="Input/output error"):
            journal.append(ConversationStarted())
    with pytest.raises(JournalError, match="read-only"):
        journal.append(ConversationStarted())


def test_the_newest_record_can_be_taken_out_again(tmp_path: Path) -> None:
    data = written(tmp_path / "j")
    journal = Journal.open(tmp_path / "j")
    entry = journal.append(exchange())
    journal.roll_back(entry)
    assert (tmp_path / "j").read_bytes() == data
    assert journal.append(ConversationStarted()).seq == 8
    with pytest.raises(ValueError, match="only the newest"):
        journal.roll_back(entry)


@pytest.mark.parametrize("call", ["ftruncate", "fsync"])
def test_a_record_that_cannot_be_taken_out_for_certain_stays_and_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    journal = Journal.open(tmp_path / "j")
    entry = journal.append(exchange())

    def failing(*_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, failing)
        journal.roll_back(entry)
    assert list(journal.entries) == [entry]
    with pytest.raises(JournalError, match="could not be repaired"):
        journal.append(ConversationStarted())


def test_a_journal_that_was_closed_takes_no_more(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j")
    journal.close()
    with pytest.raises(JournalError, match="it is closed"):
        journal.append(ConversationStarted())


@given(st.text(max_size=60), st.text(max_size=60))
@examples(25)
def test_any_text_comes_back_and_its_line_is_safe_to_print(prompt: str, reply: str) -> None:
    line = codec.encode(3, 1.5, exchange(prompt, reply))
    assert line.count(b"\n") == 1
    shown = line[:-1].decode()
    assert not [char for char in shown if ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u2028\u202e\u200b"]
    seq, at, record = codec.decode(line)
    assert (seq, at, record) == (3, 1.5, exchange(prompt, reply))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    with pytest.raises(codec.BadLineError):
        codec.decode(data + b"\n")


@pytest.mark.parametrize(
    "text", ["NaN", '{"a":Infinity}', '{"a":1,"a":2}', "[" * 100_000, "9" * 5000, "", "{", '"\\ud800', "nul"]
)
def test_json_that_is_no_json_is_a_typed_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the promise, the words come from the parser
        codec.loads(text)


def test_a_byte_order_mark_is_no_error() -> None:
    assert codec.loads('\ufeff{"a": 1}') == {"a": 1}


def test_a_loss_that_is_not_finite_is_written_as_null(tmp_path: Path) -> None:
    nan = float("nan")
    lost = Outcome(1, "pick", "a", "b", nan, nan, 0.0, 0.0, 0, 0, False, 0.1, (), "the loss was not finite")
    written(tmp_path / "j", [Learned(1, lost, "m")])
    line = json.loads((tmp_path / "j").read_text())
    assert line["outcome"]["loss_before"] is None
    record = Journal.read(tmp_path / "j").entries[0].record
    assert isinstance(record, Learned)
    assert record.outcome.loss_before != record.outcome.loss_before


def test_what_brings_back_and_what_moves_come_back_as_they_were(tmp_path: Path) -> None:
    short = Outcome(1, "pick", "", "", 2.5, 0.5, 0.02, 0.97, 3, 7, True, 0.25)
    records = [Restore(2), Rebuilt("big", "f" * 16, "0.2.0", "torch 2", RECIPE, ((2, short), (5, short)))]
    written(tmp_path / "j", [exchange(), *records])
    assert [entry.record for entry in Journal.read(tmp_path / "j").entries[1:]] == records


def test_a_record_that_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    data = written(tmp_path / "j")
    journal = Journal.open(tmp_path / "j")
    with pytest.raises(JournalError, match="does not fit the journal"):
        journal.append(exchange(reply="x" * codec.MAX_LINE))
    assert (tmp_path / "j").read_bytes() == data
    assert journal.append(ConversationStarted()).seq == 8
