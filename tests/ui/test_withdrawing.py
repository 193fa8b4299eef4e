"""Taking lessons back and bringing them back on the screen: what is sent, what is shown, what stops it."""

from __future__ import annotations

import pytest

from tests.support.fakes import TURNS, drive
from theta_tui.session import commands as c
from theta_tui.ui import palette


async def test_ctrl_r_brings_back_what_u_took_back() -> None:
    async with drive() as d:
        await d.press("f4")
        d.worker.undone()
        d.worker.changed(redo=True)
        await d.settle()
        d.teach.replies.focus()
        await d.press("f6")
        assert d.sent == [c.TakeBack("undo"), c.TakeBack("redo")]
        d.worker.redone(TURNS[-1])
        await d.settle()
        assert "do you like music?" in d.screen_text()
        assert any("brought back" in toast for toast in d.toasts)


async def test_redo_is_refused_while_there_is_nothing_to_bring_back() -> None:
    async with drive() as d:
        await d.press("f6")
        await d.press("tab")
        await d.type("/redo\n")
        assert d.sent == []
        assert any("nothing to redo" in toast for toast in d.toasts)
        assert d.teach.composer.text == "/redo"


async def test_redo_by_name_is_the_same() -> None:
    async with drive() as d:
        d.worker.changed(redo=True)
        await d.settle()
        await d.type("/redo\n")
        assert d.sent == [c.TakeBack("redo")]


async def test_a_lesson_is_withdrawn_by_its_number_and_the_progress_is_shown() -> None:
    async with drive((100, 30)) as d:
        await d.type("/withdraw 2\n")
        assert d.sent == [c.TakeBack("withdraw", 2)]
        d.worker.folding("withdrawing 2: learning again 3 of 9")
        await d.settle()
        assert "withdrawing 2: learning again 3 of 9 · esc stops" in d.screen_text()
        assert d.teach.state.mode == "learning"
        await d.press("f4", "f6")
        assert d.sent == [c.TakeBack("withdraw", 2)]
        d.worker.withdrawn(2, TURNS[1])
        await d.settle()
        assert "what is your name?" not in d.screen_text()
        assert d.teach.state.mode == "idle"
        assert any("lesson 2 is withdrawn" in toast for toast in d.toasts)


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_a_withdrawal_can_be_stopped(key: str) -> None:
    async with drive() as d:
        await d.type("/withdraw 2\n")
        d.worker.folding("withdrawing 2: learning again 1 of 9")
        await d.settle()
        await d.press(key)
        assert d.sent == [c.TakeBack("withdraw", 2), c.Cancel()]


async def test_escape_ends_a_lesson_under_way_as_far_as_it_got() -> None:
    async with drive() as d:
        await d.offer("how are you?")
        await d.press("1")
        d.worker.learning()
        await d.settle()
        await d.press("escape")
        assert d.sent[-1] == c.Cancel()


async def test_what_is_said_during_a_withdrawal_waits_for_it() -> None:
    async with drive() as d:
        await d.type("/withdraw 2\n")
        d.worker.folding("withdrawing 2")
        await d.settle()
        await d.type("hello again\n")
        assert d.sent == [c.TakeBack("withdraw", 2)]
        d.worker.withdrawn(2, TURNS[1])
        await d.settle()
        assert d.sent[-1] == c.Propose("hello again")


async def test_what_is_no_number_of_a_lesson_is_refused_and_stays_to_be_mended() -> None:
    async with drive() as d:
        for line in ("/withdraw", "/withdraw two", "/withdraw -1", "/withdraw ٣", "/withdraw 1 2"):
            d.teach.composer.put("")
            await d.type(f"{line}\n")
            assert d.sent == []
            assert d.toasts, line
            assert d.teach.composer.text == line


async def test_undo_redo_and_withdraw_stand_in_the_palette() -> None:
    async with drive() as d:
        titles = [title for title, _, _ in palette.listed(d.teach)]
        assert {"/undo", "/redo", "/withdraw N"} <= set(titles)
        choose = next(choose for title, _, choose in palette.listed(d.teach) if title == "/withdraw N")
        choose()
        await d.settle()
        assert d.teach.composer.text == "/withdraw "
