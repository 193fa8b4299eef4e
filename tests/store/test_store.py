"""The store of a home: the state that a journal tells, the conversation file, the kept prompt, the one writer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.store.test_state import told
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeBusyError, HomeError, JournalError, PromptError
from theta_tui.store.journal import Journal
from theta_tui.store.records import (
    Candidate,
    ConversationStarted,
    Exchange,
    Failure,
    Kind,
    Learned,
    Outcome,
    Pending,
    Restore,
    Stated,
    Withdraw,
)
from theta_tui.store.state import State
from theta_tui.store.store import Store

CANDIDATES = tuple(Candidate(index, f"reply {index}", -1.0) for index in range(1, 6))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", lock_wait=0.1)


def lesson(record: Store, prompt: str, reply: str, kind: Kind = "pick", skipped: str | None = None) -> int:
    """Teach without a model: an exchange and its outcome, as a Session journals them."""
    seq = record.append(Exchange(kind, prompt, reply, CANDIDATES, {}, pick=1, prompt_id="id")).seq
    number = record.state.lesson(seq).number
    outcome = Outcome(number, kind, prompt, reply, 2.0, 0.5, 0.1, 0.9, 1, number, True, 0.1, (2.0, 0.5), skipped)
    record.append(Learned(seq, outcome, "machine"))
    record.write_context()
    return seq


def replies(record: Store) -> list[str]:
    return [turn.reply for turn in record.state.turns]


def test_the_state_survives_a_restart(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    lesson(record, "b", "2", "correction")
    record.close()
    again = Store.open(settings)
    assert again.state.turns == record.state.turns
    assert [turn.outcome.loss_after for turn in again.state.turns if turn.outcome] == [0.5, 0.5]
    assert again.state.losses(3) == (0.5, 2.0, 0.5)
    again.close()


def test_a_lesson_knows_the_conversation_before_it(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    lesson(record, "b", "2")
    record.begin_conversation()
    lesson(record, "c", "3")
    assert [item.context for item in record.state.lessons] == [(), (("a", "1"),), ()]
    assert replies(record) == ["3"]
    record.close()


def test_undo_takes_the_turn_away_and_brings_the_prompt_back(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    before = settings.context_path.read_bytes()
    lesson(record, "b", "2")
    undone = record.withdraw_last()
    assert undone.exchange.prompt == "b"
    assert settings.context_path.read_bytes() == before
    assert record.pending is not None
    assert (record.pending.prompt, record.pending.candidates) == ("b", CANDIDATES)
    lesson(record, "c", "3")
    assert record.state.lessons[-1].context == (("a", "1"),)
    assert [item.exchange.prompt for item in record.state.active] == ["a", "c"]
    folded = State.of(record.journal.entries)
    assert folded.turns == record.state.turns
    assert [item.context for item in folded.active] == [item.context for item in record.state.active]
    record.close()


def test_undo_goes_back_one_lesson_at_a_time_and_then_says_so(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    lesson(record, "b", "2")
    assert [record.withdraw_last().exchange.prompt for _ in range(2)] == ["b", "a"]
    with pytest.raises(PromptError, match="nothing to undo"):
        record.withdraw_last()
    record.close()


def test_a_correction_of_an_earlier_turn_takes_its_place_until_it_is_undone(settings: Settings) -> None:
    record = Store.open(settings)
    seq = lesson(record, "a", "1")
    record.append(Exchange("correction", "a", "better", (), {}, replaces=seq))
    assert replies(record) == ["better"]
    assert record.state.lessons[-1].context == ()
    record.append(Withdraw(record.journal.last_seq))
    assert replies(record) == ["1"]
    record.close()


def test_a_lesson_that_failed_leaves_no_turn_and_one_that_was_skipped_does(settings: Settings) -> None:
    record = Store.open(settings)
    seq = record.append(Exchange("pick", "a", "1", CANDIDATES, {}, pick=1)).seq
    record.append(Failure("no memory", seq))
    assert replies(record) == []
    lesson(record, "b", "2", skipped="the loss was not finite")
    assert replies(record) == ["2"]
    assert record.state.active == []
    record.close()


def test_none_of_these_is_kept_in_the_journal_but_is_no_lesson(settings: Settings) -> None:
    record = Store.open(settings)
    record.append(Exchange("none", "a", "", CANDIDATES, {}))
    assert record.state.lessons == []
    assert record.state.turns == []
    assert record.journal.last_seq == 1
    record.close()


def test_an_edited_conversation_file_is_the_conversation_from_then_on(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    record.close()
    settings.context_path.write_text("<|user|> x <|assistant|> y\n<|user|> more <|assistant|> turns\n")
    again = Store.open(settings)
    assert again.state.history == (("x", "y"), ("more", "turns"))
    assert any("changed by hand" in notice for notice in again.take_notices())
    assert len(again.state.active) == 1
    seqs = again.journal.last_seq
    again.close()
    third = Store.open(settings)
    assert third.journal.last_seq == seqs
    third.close()


def test_a_turn_deleted_by_hand_stays_deleted(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    lesson(record, "b", "2")
    record.close()
    settings.context_path.write_text("<|user|> a <|assistant|> 1\n")
    again = Store.open(settings)
    assert replies(again) == ["1"]
    again.close()


def test_a_conversation_file_that_a_crash_left_behind_is_written_again(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    seq = record.append(Exchange("pick", "b", "2", CANDIDATES, {}, pick=1)).seq
    record.append(Learned(seq, Outcome(2, "pick", "b", "2", 1, 1, 0, 0, 1, 2, True, 0.1), "m"))
    record.close()  # before write_context: as after a crash
    again = Store.open(settings)
    assert replies(again) == ["1", "2"]
    assert settings.context_path.read_bytes().count(b"\n") == 2
    assert again.take_notices() == []
    again.close()


def test_a_deleted_conversation_file_is_written_again(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    record.close()
    settings.context_path.unlink()
    Store.open(settings).close()
    assert settings.context_path.read_bytes() == b"<|user|> a <|assistant|> 1\n"


def test_a_conversation_can_be_brought_along(settings: Settings, tmp_path: Path) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text("<|user|> hello <|assistant|> Hi!\n")
    record = Store.open(Settings(home=settings.home, context=mine))
    assert replies(record) == ["Hi!"]
    record.append(ConversationStarted())
    record.write_context()
    assert mine.read_bytes() == b""
    record.close()


def test_the_kept_prompt_comes_back_and_goes(settings: Settings) -> None:
    record = Store.open(settings)
    with pytest.raises(PromptError, match="no prompt waits"):
        record.waiting()
    record.keep(Pending("abcd", "hello \x1b", CANDIDATES))
    record.close()
    again = Store.open(settings)
    assert again.waiting("abcd").prompt == "hello \x1b"
    with pytest.raises(PromptError, match="abcd waits now"):
        again.waiting("other")
    again.keep(None)
    again.close()
    assert Store.read(settings).pending is None


ONE_REPLY = b'{"index":1,"text":"c","logprob":-1.0,"ended":true}'


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff", b"[" * 100_000,
        b'{"schema":1,"prompt_id":"a","prompt":"b","candidates":[]}',
        b'{"schema":2,"prompt_id":"a","prompt":"b","candidates":[' + ONE_REPLY + b"]}",
    ],
)  # fmt: skip
def test_a_broken_kept_prompt_is_ignored_with_notice(settings: Settings, data: bytes) -> None:
    settings.home.mkdir()
    (settings.home / "pending.json").write_bytes(data)
    record = Store.read(settings)
    assert record.pending is None
    assert any("pending.json" in notice for notice in record.take_notices())


def test_a_second_writer_is_refused_and_told_who_holds_the_home(settings: Settings) -> None:
    record = Store.open(settings)
    code = (
        "import sys; from pathlib import Path; from theta_tui.base.config import Settings; "
        "from theta_tui.store.store import Store; Store.open(Settings(home=Path(sys.argv[1]), lock_wait=0.1))"
    )
    run = subprocess.run([sys.executable, "-c", code, settings.home], capture_output=True, text=True, check=False)
    assert "HomeBusyError" in run.stderr
    assert f"process {os.getpid()}" in run.stderr
    record.close()
    run = subprocess.run([sys.executable, "-c", code, settings.home], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_lock_of_a_dead_process_is_free_at_once(settings: Settings) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from theta_tui.base.config import Settings; "
        "from theta_tui.store.store import Store; r = Store.open(Settings(home=Path(sys.argv[1]))); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, settings.home], check=False)
    Store.open(settings).close()


def test_readers_need_no_lock_and_make_no_home(settings: Settings) -> None:
    assert Store.read(settings).state.turns == []
    assert not settings.home.exists()
    writer = Store.open(settings)
    lesson(writer, "a", "1")
    assert replies(Store.read(settings)) == ["1"]
    with pytest.raises(HomeBusyError):
        Store.open(settings)
    writer.close()


def test_what_a_home_holds_is_its_owners_alone(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    record.keep(Pending("abcd", "hello", CANDIDATES))
    record.close()
    assert settings.home.stat().st_mode & 0o777 == 0o700
    for path in settings.home.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match=str(tmp_path / "file" / "home")):
        Store.open(Settings(home=tmp_path / "file" / "home"))


def test_a_linked_conversation_file_stays_a_link(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir()
    (tmp_path / "real.md").write_bytes(b"")
    settings.context_path.symlink_to(tmp_path / "real.md")
    record = Store.open(settings)
    lesson(record, "a", "1")
    assert b"<|user|> a" in (tmp_path / "real.md").read_bytes()
    record.withdraw_last()  # which replaces it whole
    assert (tmp_path / "real.md").read_bytes() == b""
    record.close()
    assert settings.context_path.is_symlink()


@pytest.mark.parametrize("edited", [False, True])
def test_a_damaged_journal_is_readable_up_to_the_damage(settings: Settings, edited: bool) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    lesson(record, "b", "2")
    record.close()
    path = settings.home / "journal.jsonl"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"prompt":"b"', b'"prompt":"B"', 1))
    text = settings.home / "context.md"
    if edited:
        text.write_text(text.read_text() + "\n<|user|>\nand c?\n\n<|assistant|>\n3\n")
    said = text.read_bytes()
    damaged = Store.open(settings)
    assert replies(damaged) == ["1"]
    assert damaged.read_only is not None
    damaged.close()
    assert text.read_bytes() == said  # it holds more than can be read of the journal
    assert Journal.read(path).damaged is not None


def test_a_home_that_can_only_be_read_says_so_before_anything_is_learned_for_a_change(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    record.close()
    only_read = Store.read(settings)
    for change in (only_read.to_undo, only_read.to_redo, lambda: only_read.to_withdraw(1)):
        with pytest.raises(JournalError, match="read-only"):
            change()


def test_a_fact_that_is_taken_back_is_offered_again_while_its_message_still_waits(settings: Settings) -> None:
    record, stated = Store.open(settings), Stated("Where do I live?", "In Orlebar.")
    waiting = Pending("id", "I live in Orlebar.", CANDIDATES)
    record.keep(waiting)
    fact = record.append(Exchange("statement", stated.prompt, stated.reply, (), {}, said=waiting.prompt))
    done = record.withdraw(record.state.lesson(fact.seq), offer=True)
    assert record.pending == Pending("id", "I live in Orlebar.", CANDIDATES, stated)
    record.append(Restore(fact.seq))
    record.restored(done)
    assert record.pending == waiting
    record.close()


def test_a_session_of_any_changes_leaves_the_state_that_its_journal_tells(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 99.0)  # on disk it is rounded
    chance = Random(7)
    record = Store.open(settings)
    for number in range(40):
        match chance.choice("eeeeewwrf"):
            case "w" if (last := record.state.last) is not None:
                record.append(Withdraw(last.seq))
            case "r" if (undone := record.state.undone) is not None:
                record.append(Restore(undone.seq))
            case "f":
                record.roll_back(record.append(Exchange("pick", "not acknowledged", "1", CANDIDATES, {})))
            case _:
                lesson(record, f"n{number}", f"r{number}")
        whole = State.of(Journal.read(record.home.journal).entries)
        assert told(record.state) == told(whole)
        if whole.lessons:
            change = Withdraw(whole.lessons[0].seq)
            supposed = record.supposing(change)
            assert told(record.state) == told(whole), "supposing changes nothing"
            record.append(change)
            assert told(record.state) == told(supposed)
            record.append(Restore(change.of))
    assert len(record.state.lessons) > 15
    record.close()


def test_the_index_of_a_version_before_is_ignored_and_removed_by_the_one_who_writes(settings: Settings) -> None:
    record = Store.open(settings)
    lesson(record, "a", "1")
    record.close()
    left = settings.home / "journal.idx"
    left.write_bytes(b"theta-index\n whatever it says")
    assert replies(Store.read(settings)) == ["1"]
    assert left.exists(), "reading changes nothing"
    again = Store.open(settings)
    assert (replies(again), left.exists()) == (["1"], False)
    again.close()
    left.mkdir()
    Store.open(settings).close()  # what cannot be removed is no harm
