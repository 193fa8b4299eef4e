"""The service in idle time: reviews, quizzes, and what they make way for."""

from __future__ import annotations

import pytest

from tests.support.services import PATIENCE, Desk, teach
from theta_tui.session import commands, protocol
from theta_tui.session.idle import IdleRunner


@pytest.fixture
def idle_desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A worker that begins idle work at once, on mains."""
    monkeypatch.setattr("theta_tui.session.thread.IDLE_SECONDS", 0.001)
    desk.worker.idle = IdleRunner(0.0, on_battery=lambda: False)
    return desk


def test_with_nothing_to_do_it_asks_again_and_tells_what_is_kept(idle_desk: Desk) -> None:
    idle_desk.start()
    idle_desk.session.p = 0.05
    teach(idle_desk, "one", "two")
    tally = idle_desk.wait(protocol.Reviewed).snapshot.tally
    assert (tally.live, tally.kept, tally.stale) == (2, 1, 0)
    assert "cost 1 other (#1)" in idle_desk.wait(protocol.Notice).text
    assert idle_desk.events[-1].snapshot.alarm == "teaching #2 cost 1 other (#1)"


def test_a_command_sent_during_idle_work_waits_for_one_slice_at_most(idle_desk: Desk) -> None:
    idle_desk.start()
    idle_desk.worker.idle.after = PATIENCE
    teach(idle_desk, "one", "two", "three")
    idle_desk.session.answer.clear()
    idle_desk.worker.idle.after = 0.0
    assert idle_desk.session.asking.wait(PATIENCE)
    idle_desk.worker.send(commands.ShowLessons())
    idle_desk.session.answer.set()
    shown = idle_desk.wait(protocol.Ledger)
    assert [row.fresh for row in shown.rows].count(False) == 1, "one was asked, and the newest needed no asking"
    assert idle_desk.wait(protocol.Reviewed, 2).snapshot.tally.stale == 0, "and then it goes on"


def test_idle_work_can_be_switched_off(idle_desk: Desk) -> None:
    idle_desk.start()
    idle_desk.worker.send(commands.Configure("idle", "off"))
    assert idle_desk.wait(protocol.Notice).text == "idle is off now"
    teach(idle_desk, "one", "two")
    idle_desk.worker.send(commands.ShowLessons())
    assert [row.fresh for row in idle_desk.wait(protocol.Ledger).rows] == [False, True]
    assert not idle_desk.session.asking.is_set()


def test_idle_work_that_breaks_is_told_once_and_commands_still_work(idle_desk: Desk) -> None:
    idle_desk.start()
    idle_desk.worker.idle.after = PATIENCE
    teach(idle_desk, "one", "two")
    idle_desk.session.p = -1.0
    idle_desk.worker.idle.after = 0.0
    assert "no memory" in idle_desk.wait(protocol.Failed).message
    idle_desk.session.p = 0.9
    idle_desk.worker.send(commands.ShowLessons())
    idle_desk.wait(protocol.Ledger)
    assert idle_desk.wait(protocol.Reviewed).snapshot.tally.stale == 0
    assert sum(isinstance(event, protocol.Failed) for event in idle_desk.events) == 1


def test_a_quiz_asks_everything_whatever_the_setting_and_other_commands_are_served_in_between(desk: Desk) -> None:
    desk.start()
    desk.worker.send(commands.Configure("idle", "off"))
    teach(desk, "one", "two")
    desk.session.answer.clear()
    desk.worker.send(commands.Quiz())
    assert desk.session.asking.wait(PATIENCE)
    desk.worker.send(commands.AskLesson(2))
    desk.session.answer.set()
    assert desk.wait(protocol.LessonAnswered).reply == "what I say to two"
    assert desk.wait(protocol.Quizzed).snapshot.tally.words == "kept 2/2"
    kinds = [type(event) for event in desk.events]
    assert kinds.index(protocol.LessonAnswered) < kinds.index(protocol.Quizzed)
