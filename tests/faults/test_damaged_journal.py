"""A journal of fifty records, cut at every offset and with three bits flipped in every byte: none wrong, none silent.

What is opened is always the truth up to some record, and it always says what happened to the rest: a tail set aside in
a file of its own, or read-only, with the byte where the damaged line begins.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.lessons import fifty
from theta_tui.store.journal import Journal
from theta_tui.store.records import ConversationStarted, Record

JOURNAL = "journal.jsonl"


class Truth:
    """A sound journal, with whatever files lie beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "home"
        self.folder.mkdir()
        self.path = self.folder / JOURNAL
        journal = Journal.open(self.path)
        for record in fifty():
            journal.append(record)
        journal.close()
        self.files = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        self.data = self.files[JOURNAL]
        self.records: list[Record] = [entry.record for entry in Journal.read(self.path).entries]
        self.ends = [at + 1 for at, byte in enumerate(self.data) if byte == ord("\n")]
        self.starts = [0, *self.ends[:-1]]
        self.seen: Counter[str] = Counter()

    def line(self, at: int) -> int:
        """Where the line of byte `at` begins."""
        return max(start for start in self.starts if start <= at)

    def opened(self, data: bytes) -> Journal:
        """The journal with `data` in its place; what lies beside it is as it was."""
        for path in self.folder.iterdir():
            path.unlink()
        for name, content in (self.files | {JOURNAL: data}).items():
            (self.folder / name).write_bytes(content)
        return Journal.open(self.path)

    def check(self, data: bytes, damage: int) -> None:
        """Open `data`, which is the truth up to byte `damage` at least, but not all of it."""
        journal = self.opened(data)
        found = [entry.record for entry in journal.entries]
        end = ([0, *self.ends])[len(found)]
        assert found == self.records[: len(found)]
        if journal.read_only is not None:
            assert journal.read_only == journal.damaged
            assert f"at byte {self.line(damage)} of" in journal.read_only
            assert end == self.line(damage)
            assert self.path.read_bytes() == data
            self.seen["read-only"] += 1
        elif len(data) == end:
            assert end == damage, "records were lost in silence"
            self.seen["whole"] += 1
        else:
            (aside,) = self.folder.glob(f"{JOURNAL}.torn-*")
            assert aside.name in journal.notices[0]
            assert aside.read_bytes() == data[end:]
            assert self.path.read_bytes() == data[:end]
            assert end == self.line(damage)
            self.seen["set aside"] += 1
        journal.close()

    def goes_on(self) -> None:
        """One more record fits behind what is there now, for good."""
        journal = Journal.open(self.path)
        seq = journal.append(ConversationStarted()).seq
        journal.close()
        again = Journal.read(self.path)
        assert (again.damaged, again.last_seq, again.entries[-1].record) == (None, seq, ConversationStarted())


@pytest.fixture
def truth(folder: Path) -> Truth:
    return Truth(folder)


def cuts(truth: Truth, step: int) -> None:
    for cut in range(0, len(truth.data), step):
        truth.check(truth.data[:cut], cut)
        if cut % 7 == 0:
            truth.goes_on()


def flips(truth: Truth, step: int) -> None:
    rng = random.Random(0)
    for at in range(0, len(truth.data), step):
        for bit in rng.sample(range(8), 3):
            data = bytearray(truth.data)
            data[at] ^= 1 << bit
            aside = truth.seen["set aside"]
            truth.check(bytes(data), at)
            # Only what was in the last line may be taken for a line that was never finished.
            assert truth.seen["set aside"] == aside or at >= truth.starts[-1]


def test_a_cut_or_a_flipped_bit_is_seen_and_told(truth: Truth) -> None:
    assert len(truth.records) == 50
    cuts(truth, 29)
    flips(truth, 61)
    assert min(truth.seen[what] for what in ("read-only", "set aside")) > 5


@pytest.mark.slow
def test_every_cut_and_three_flipped_bits_of_every_byte_are_seen_and_told(truth: Truth) -> None:
    cuts(truth, 1)
    flips(truth, 1)
    assert truth.seen.total() == 4 * len(truth.data)
    assert truth.seen["whole"] == 50  # cut at the end of a line: so it was at some time
    print(truth.seen)


def test_zeros_where_a_line_or_a_sector_was_are_seen_and_told(truth: Truth) -> None:
    for start, end in zip(truth.starts, truth.ends, strict=True):
        truth.check(truth.data[:start] + bytes(end - start) + truth.data[end:], start)
    for start in range(0, len(truth.data), 512):
        zeroed = truth.data[:start] + bytes(min(512, len(truth.data) - start)) + truth.data[start + 512 :]
        truth.check(zeroed, start)
    truth.check(truth.data[: truth.starts[-1]] + bytes(3000), truth.starts[-1])


def test_lines_that_are_lost_doubled_or_in_another_order_are_damage(truth: Truth) -> None:
    lines = truth.data.splitlines(keepends=True)
    for at in range(len(lines) - 1):
        for worse in (
            [*lines[:at], *lines[at + 1 :]],
            [*lines[: at + 1], lines[at], *lines[at + 1 :]],
            [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
        ):
            journal = truth.opened(b"".join(worse))
            assert [entry.record for entry in journal.entries] in (truth.records[:at], truth.records[: at + 1])
            assert journal.read_only or journal.notices
            journal.close()


def test_two_torn_tails_are_both_kept(truth: Truth) -> None:
    """The second may be torn off at the same byte as the first."""
    for tail in (b"one", b"another"):
        with truth.path.open("ab") as file:
            file.write(tail)
        Journal.open(truth.path).close()
    assert sorted(path.read_bytes() for path in truth.folder.glob(f"{JOURNAL}.torn-*")) == [b"another", b"one"]
