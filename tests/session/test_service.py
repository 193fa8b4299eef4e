"""The worker: commands in, events out, one thread, and nothing that goes wrong stops the next command."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.services import PATIENCE, Caller, Desk, FakeSession, taught, teach
from theta_tui.base.config import Settings
from theta_tui.base.errors import HomeBusyError, HomeError, Stoppable, TeachError
from theta_tui.session import commands, protocol
from theta_tui.session.export import Stopped
from theta_tui.session.idle import IdleRunner
from theta_tui.session.replies import Turn
from theta_tui.session.service import LATER, Service
from theta_tui.session.thread import NICER
from theta_tui.store.records import Candidate, Compared, Pending
from theta_tui.store.store import Store


def test_what_is_known_is_shown_before_the_model_is_loaded(desk: Desk) -> None:
    desk.start()
    assert [type(event) for event in desk.events][:3] == [protocol.Loading, protocol.Loading, protocol.Ready]
    assert desk.events[1].snapshot.activity == "loading the model"
    ready = desk.wait(protocol.Ready).snapshot
    assert (ready.phase, ready.parameters, ready.device) == ("idle", 42, "cpu")


class SlowSession(FakeSession):
    """One whose model is fetched first, until that is stopped."""

    def load(self, on_stage: Callable[[str], None]) -> None:
        on_stage("importing PyTorch")
        while True:
            on_stage(Stoppable("fetching the model"))
            self.hold.wait(0.01)


@pytest.mark.parametrize("leaving", [False, True])
def test_fetching_a_model_while_it_loads_is_stopped_by_cancel_and_by_leaving(tmp_path: Path, leaving: bool) -> None:
    class SlowDesk(Desk):
        def open(self, settings: Settings) -> FakeSession:
            self.session = SlowSession(Store.open(settings))
            return self.session

    desk = SlowDesk(Settings(home=tmp_path, model="someone/large"))
    desk.worker.start(desk.post)
    shown = [desk.wait(protocol.Loading, count).snapshot for count in (1, 2, 3)]
    assert [shot.stoppable for shot in shown] == [False, False, True]
    if leaving:
        desk.worker.request_stop()
    else:
        desk.worker.send(commands.Cancel())
        failed = desk.wait(protocol.Failed)
        assert (failed.fatal, failed.name) == (True, "stopped")
        assert "someone/large is not loaded, because that was stopped" in failed.message
    assert desk.worker.join(PATIENCE)
    assert desk.session.closed
    assert any(isinstance(event, (protocol.Ready, protocol.Failed)) for event in desk.events) != leaving


@pytest.mark.parametrize(("continuous", "care"), [(True, False), (True, True), (False, False)])
def test_going_on_teaches_only_where_talking_teaches_and_never_a_reply_of_care(
    tmp_path: Path, continuous: bool, care: bool
) -> None:
    desk = Desk(Settings(home=tmp_path, continuous=continuous))
    desk.start()
    waiting = Pending("five", "hello", tuple(Candidate(i, f"reply {i}", -1.0, care=care) for i in range(1, 6)))
    desk.session.store.offer(waiting)
    desk.worker.send(commands.Say("five"))
    desk.worker.send(commands.Look())
    shown = desk.wait(protocol.Ready, 2).snapshot
    assert shown.continuous == continuous
    assert [turn.reply for turn in shown.turns] == ["reply 1"]
    assert shown.lessons == (continuous and not care)
    assert shown.pending is None


def test_a_reply_that_cannot_be_learned_stands_all_the_same(tmp_path: Path) -> None:
    def refused(*_: object, **__: object) -> None:
        raise TeachError("too long")

    desk = Desk(Settings(home=tmp_path, continuous=True))
    desk.prepare = lambda session: setattr(session, "pick", refused)
    desk.start()
    desk.worker.send(commands.Propose("hello"))
    desk.wait(protocol.Proposed)
    desk.worker.send(commands.Say("id"))
    failed = desk.wait(protocol.Failed)
    assert "too long" in failed.message
    assert [turn.reply for turn in failed.snapshot.turns] == ["reply 1"]
    assert failed.snapshot.lessons == 0


def test_an_origin_that_has_gone_stops_no_loading(desk: Desk) -> None:
    def prepare(session: FakeSession) -> None:
        desk.worker.drop(7)
        session.load = lambda on_stage: on_stage(Stoppable("fetching the model"))  # type: ignore[method-assign]

    desk.prepare = prepare
    desk.start()
    assert desk.wait(protocol.Ready)


def test_what_the_first_replies_need_is_got_ready_when_nobody_waits(desk: Desk) -> None:
    def prepare(session: FakeSession) -> None:
        session.told_ready = lambda: any(isinstance(event, protocol.Ready) for event in desk.events)

    desk.prepare = prepare
    desk.start()
    assert desk.session.got_ready.wait(PATIENCE)
    assert desk.session.told_ready_before


def test_a_prompt_a_pick_and_what_the_screen_is_told(desk: Desk) -> None:
    desk.start()
    desk.worker.send(commands.Propose("hello"))
    proposed = desk.wait(protocol.Proposed).snapshot
    assert proposed.phase == "choosing"
    assert proposed.pending is not None
    desk.worker.send(commands.Pick(proposed.pending.prompt_id, 3))
    taught = desk.wait(protocol.Taught)
    assert (taught.outcome.reply, taught.snapshot.lessons, taught.snapshot.unsaved) == ("reply 3", 1, 1)
    assert taught.snapshot.turns[0].outcome == taught.outcome
    assert taught.snapshot.losses == (2.0, 1.0)
    assert (taught.snapshot.phase, taught.snapshot.pending) == ("idle", None)


def test_progress_is_batched_by_time_and_carries_everything(desk: Desk) -> None:
    desk.start()
    desk.worker.send(commands.Propose("hello"))
    desk.wait(protocol.Proposed)
    streamed = [event for event in desk.events if isinstance(event, protocol.Streaming)]
    assert 1 <= len(streamed) < 50
    assert all(len(event.drafts) == 5 and event.snapshot.phase == "proposing" for event in streamed)


def test_an_exception_is_told_and_the_next_command_works(desk: Desk) -> None:
    desk.start()
    desk.worker.send(commands.Propose("break"))
    failed = desk.wait(protocol.Failed)
    assert (failed.command, failed.fatal, failed.code) == ("Propose", False, 1)
    assert "it broke" in failed.message
    desk.worker.send(commands.Pick("stale", 1))
    assert desk.wait(protocol.Failed, 2).code == 3
    desk.worker.send(commands.Propose("hello"))
    desk.wait(protocol.Proposed)


def test_a_failure_that_cannot_be_journalled_is_told_all_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"type":"failure"' in bytes(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    desk.start()
    monkeypatch.setattr(os, "write", full)
    desk.worker.send(commands.Propose("break"))
    assert "it broke" in desk.wait(protocol.Failed).message
    desk.worker.send(commands.Propose("hello"))
    desk.wait(protocol.Proposed)
    assert desk.session.store.journal.last_seq == 0


def test_cancel_stops_what_was_asked_for_before_it_and_nothing_later(desk: Desk) -> None:
    desk.start()
    desk.session.hold.clear()
    desk.worker.send(commands.Propose("one"))
    desk.wait(protocol.Streaming, 2)
    desk.worker.send(commands.Cancel())
    desk.worker.send(commands.Propose("two"))
    desk.session.hold.set()
    assert desk.wait(protocol.Cancelled).prompt == "one"
    pending = desk.wait(protocol.Proposed).snapshot.pending
    assert pending is not None
    assert pending.prompt == "two"


def test_cancel_ends_a_lesson_as_far_as_it_got(desk: Desk) -> None:
    desk.start()
    desk.worker.send(commands.Propose("hello"))
    pending = desk.wait(protocol.Proposed).snapshot.pending
    assert pending is not None
    desk.session.hold.clear()
    desk.worker.send(commands.Pick(pending.prompt_id, 1))
    desk.wait(protocol.Learning)
    desk.worker.send(commands.Cancel())
    taught = desk.wait(protocol.Taught)
    assert (taught.outcome.learned, taught.snapshot.lessons, taught.snapshot.phase) == (False, 1, "idle")


def test_a_model_that_cannot_be_loaded_is_fatal_and_said(desk: Desk) -> None:
    desk.prepare = lambda session: setattr(session, "broken", TeachError("no such model", code=4))
    desk.worker.start(desk.post)
    failed = desk.wait(protocol.Failed)
    assert (failed.fatal, failed.code, failed.message) == (True, 4, "no such model")
    assert desk.worker.join(PATIENCE)
    assert desk.session.closed


def test_a_home_in_use_is_fatal_with_its_exit_code(desk: Desk, tmp_path: Path) -> None:
    holder = Store.open(Settings(home=tmp_path / "home"))
    desk.worker.start(desk.post)
    failed = desk.wait(protocol.Failed)
    assert (failed.fatal, failed.code) == (True, HomeBusyError.code)
    holder.close()


def test_leaving_saves_what_is_not_saved_and_frees_the_home(desk: Desk, tmp_path: Path) -> None:
    desk.start()
    desk.worker.send(commands.Propose("hello"))
    desk.wait(protocol.Proposed)
    desk.worker.send(commands.Pick("id", 1))
    desk.wait(protocol.Taught)
    desk.worker.request_stop()
    assert desk.worker.join(PATIENCE)
    assert desk.session.saved == 1
    Store.open(Settings(home=tmp_path / "home", lock_wait=0)).close()


def test_leaving_where_nothing_can_be_saved_is_logged_and_frees_the_home(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full() -> Path:
        raise HomeError("no room")

    desk.start()
    desk.worker.send(commands.Propose("hello"))
    desk.wait(protocol.Proposed)
    desk.worker.send(commands.Pick("id", 1))
    desk.wait(protocol.Taught)
    monkeypatch.setattr(desk.session, "save", full)
    desk.worker.request_stop()
    assert desk.worker.join(PATIENCE)
    assert "the checkpoint on leaving failed" in caplog.text
    Store.open(Settings(home=tmp_path / "home", lock_wait=0)).close()


def test_lessons_are_exported_on_the_workers_thread_with_a_notice_when_it_is_done(desk: Desk, tmp_path: Path) -> None:
    desk.start()
    desk.worker.send(commands.Export("trl", str(tmp_path / "out")))
    assert "nothing was taught yet" in desk.wait(protocol.Failed).message
    desk.worker.send(commands.Propose("hello"))
    desk.worker.send(commands.Pick("id", 1))
    desk.worker.send(commands.Export("trl", str(tmp_path / "out")))
    notice = desk.wait(protocol.Notice)
    assert notice.text == f"4 preference pairs and 1 completion written to {tmp_path / 'out'}"
    assert notice.snapshot.phase == "idle"
    assert (tmp_path / "out" / "preference.jsonl").exists()


def test_an_export_that_takes_a_while_is_told_and_can_be_stopped(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(session: FakeSession, *_: Any, on_stage: Callable[[str], None], cancelled: Callable[[], bool]) -> None:
        while not cancelled():
            on_stage("learning an adapter")
            session.hold.wait(0.01)
        raise Stopped

    monkeypatch.setattr("theta_tui.session.export.export_peft", slowly)
    desk.start()
    desk.worker.send(commands.Export("peft", str(tmp_path / "out")))
    assert desk.wait(protocol.Changed, 2).snapshot.activity == "learning an adapter"
    desk.worker.send(commands.Cancel())
    assert desk.wait(protocol.Notice).text == "exporting was stopped; nothing was written"


def test_leaving_abandons_a_lesson_that_takes_too_long(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theta_tui.session.thread.ABANDON_SECONDS", 0.05)
    desk.start()
    desk.worker.send(commands.Propose("hello"))
    desk.wait(protocol.Proposed)
    desk.session.hold.clear()
    desk.worker.send(commands.Pick("id", 1))
    desk.wait(protocol.Learning)
    desk.worker.request_stop()
    assert desk.worker.join(PATIENCE)
    assert desk.session.closed
    assert not [event for event in desk.events if isinstance(event, protocol.Failed)]


def test_a_checkpoint_is_written_every_so_many_lessons(tmp_path: Path) -> None:
    desk = Desk(Settings(home=tmp_path / "home", checkpoint_lessons=2))
    desk.start()
    for turn in range(4):
        desk.worker.send(commands.Propose(f"hello {turn}"))
        desk.wait(protocol.Proposed, turn + 1)
        desk.worker.send(commands.Pick("id", 1))
        desk.wait(protocol.Taught, turn + 1)
    assert not desk.wait(protocol.Saved, 2).asked
    desk.worker.request_stop()
    assert desk.worker.join(PATIENCE)


class Busy(Caller):
    """One for whom a command waits as long as `waits`."""

    waits = True

    def interrupted(self) -> bool:
        return self.waits


def test_a_checkpoint_is_put_off_while_somebody_waits_but_not_for_ever(tmp_path: Path) -> None:
    session, caller = FakeSession(Store.open(Settings(home=tmp_path / "home", checkpoint_lessons=2))), Busy()
    events: list[protocol.Event] = []
    service = Service(session, events.append, caller, IdleRunner(60.0))  # type: ignore[arg-type]
    assert service.load()

    def saved_after(lessons: int) -> int:
        for _ in range(lessons):
            service.serve(Turn(commands.Propose("hello")))
            service.serve(Turn(commands.Pick("id", 1)))
        return sum(isinstance(event, protocol.Saved) for event in events)

    assert saved_after(2 * LATER - 1) == 0
    assert saved_after(1) == 1
    assert saved_after(3) == 1
    caller.waits = False
    service.use_idle_time()  # which compares first
    service.use_idle_time()
    assert saved_after(0) == 2
    session.close()


def test_a_setting_changes_and_is_kept(desk: Desk, tmp_path: Path) -> None:
    desk.start()
    desk.worker.send(commands.Configure("temperature", "0.3"))
    assert "temperature is 0.3" in desk.wait(protocol.Notice).text
    assert "temperature = 0.3" in (tmp_path / "home" / "config.toml").read_text()
    desk.worker.send(commands.Configure("temperature", "hot"))
    assert desk.wait(protocol.Failed).code == 2


def test_a_fresh_conversation_is_told(desk: Desk) -> None:
    desk.start()
    desk.worker.send(commands.NewConversation())
    assert desk.wait(protocol.Changed).snapshot.turns == ()


def test_a_lesson_is_withdrawn_by_number_and_brought_back(desk: Desk) -> None:
    desk.start()
    taught(desk, "one", "two")
    desk.worker.send(commands.TakeBack("withdraw", 1))
    gone = desk.wait(protocol.TakenBack)
    assert (gone.number, gone.prompt) == (1, "one")
    assert [turn.prompt for turn in gone.snapshot.turns] == ["two"]
    assert (gone.snapshot.lessons, gone.snapshot.redo, gone.snapshot.phase) == (1, True, "idle")
    desk.worker.send(commands.TakeBack("redo"))
    back = desk.wait(protocol.TakenBack, 2)
    assert [turn.prompt for turn in back.snapshot.turns] == ["one", "two"]
    assert (back.prompt, back.snapshot.lessons, back.snapshot.redo) == ("one", 2, False)
    desk.worker.send(commands.TakeBack("redo"))
    assert desk.wait(protocol.Failed).code == 3
    desk.worker.send(commands.TakeBack("withdraw", 9))
    assert "there is no lesson 9: there are 1 to 2" in desk.wait(protocol.Failed, 2).message


def test_a_withdrawal_tells_how_far_it_is_and_a_cancel_leaves_everything_as_it_was(desk: Desk) -> None:
    desk.start()
    taught(desk, "one", "two")
    desk.session.hold.clear()
    records = desk.session.store.journal.last_seq
    desk.worker.send(commands.TakeBack("withdraw", 1))
    desk.wait(protocol.Changed, 3)  # one for each lesson above, and this one
    assert desk.events[-1].snapshot.phase == "learning"
    assert desk.events[-1].snapshot.activity.startswith("withdrawing 1")
    desk.worker.send(commands.Cancel())
    desk.session.hold.set()
    notice = desk.wait(protocol.Notice)
    assert "withdrawing 1 was stopped" in notice.text
    assert (notice.snapshot.lessons, notice.snapshot.phase) == (2, "idle")
    assert desk.session.store.journal.last_seq == records
    desk.worker.send(commands.TakeBack("withdraw", 1))
    desk.wait(protocol.TakenBack)


def test_long_lessons_are_cut_on_their_way_to_the_screen(desk: Desk) -> None:
    desk.start()
    teach(desk, "x" * 5000)
    desk.worker.send(commands.ShowLessons())
    (row,) = desk.wait(protocol.Ledger).rows
    assert (len(row.prompt), row.said_before) == (protocol.LESSON_TEXT, "reply 1")


def test_a_stated_fact_is_taught_and_the_replies_still_wait(desk: Desk) -> None:
    desk.start()
    desk.worker.send(commands.Propose("I live in Oslo."))
    desk.wait(protocol.Proposed)
    desk.worker.send(commands.TeachFact("gone", "Where do I live?", "You live in Oslo."))
    assert desk.wait(protocol.Failed).code == 3
    desk.worker.send(commands.TeachFact("id", "Where do I live?", "You live in Oslo."))
    taught = desk.wait(protocol.Taught)
    assert taught.outcome.kind == "statement"
    assert taught.snapshot.phase == "choosing"
    assert taught.snapshot.pending is not None
    assert taught.snapshot.turns == ()
    assert desk.session.store.state.lessons[-1].exchange.said == "I live in Oslo."


def test_what_was_said_before_is_asked_after_the_lesson_was_told_and_a_command_goes_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def compare(session: object, number: int, interrupted: Callable[[], bool]) -> Iterator[None]:
        begun.append(number)
        if len(begun) == 1:
            desk.worker.send(commands.ShowLessons())
            yield
            raise AssertionError("a command waits")
        desk.session.store.append(Compared(1, "Hm."))
        yield

    monkeypatch.setattr("theta_tui.session.comparing.compare", compare)
    desk.start()
    teach(desk, "one")
    desk.wait(protocol.Ledger)
    assert desk.wait(protocol.Reviewed).snapshot.last is not None
    assert begun == [1, 1]
    kinds = [type(event) for event in desk.events]
    assert kinds.index(protocol.Taught) < kinds.index(protocol.Ledger) < kinds.index(protocol.Reviewed)


def test_the_plots_are_told_and_an_unknown_lesson_is_refused(desk: Desk) -> None:
    desk.start()
    teach(desk, "one", "two")
    desk.worker.send(commands.ShowPlots())
    shown = desk.wait(protocol.Plots)
    assert ([plot.name for plot in shown.plots], shown.number, shown.lessons) == (["loss", "kept", "lesson"], 2, 2)
    desk.worker.send(commands.ShowPlots(1))
    assert desk.wait(protocol.Plots, 2).number == 1
    desk.worker.send(commands.ShowPlots(9))
    assert "there is no lesson 9" in desk.wait(protocol.Failed).message


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no niceness of its own")
def test_the_screen_goes_before_the_worker(desk: Desk) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    desk.start()
    teach(desk, "one")
    (worker,) = (thread for thread in threading.enumerate() if thread is desk.worker._thread)
    assert worker.native_id is not None
    assert os.getpriority(os.PRIO_PROCESS, worker.native_id) == min(19, ours + NICER)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == ours
