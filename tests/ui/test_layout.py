"""Every size, from 20×6 up; resizes while replies stream; the conversation keeps its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen

from tests.support.fakes import REPLIES, TURNS, FakeWorker, drive, snapshot, turn
from theta_tui.base.config import Settings
from theta_tui.session import commands as c
from theta_tui.ui.app import ThetaApp
from theta_tui.ui.widgets.conversation import MOST_LINES, Conversation
from theta_tui.ui.widgets.learning import LearningLine, LearningPanel, window

SIZES = ((120, 36), (80, 24), (60, 30), (40, 12), (30, 9), (20, 6))


@pytest.mark.slow
async def test_five_replies_and_the_composer_are_there_at_every_size() -> None:
    async with drive() as d:
        for size in SIZES:
            await d.pilot.resize_terminal(*size)
            pending = await d.offer()
            for row in d.teach.replies.rows:
                assert row.region.height >= 1
            assert d.teach.composer.prompt.region.bottom <= size[1]
            assert d.teach.composer.prompt.region.height >= 1
            assert len(d.lines()) == size[1]
            await d.press("ctrl+t")
            await d.type("ok\n")
            assert d.sent[-1] == c.Correct("ok", pending.prompt_id)
            d.worker.taught("how are you today?", "ok")


async def test_narrow_screens_drop_the_conversation_before_the_learning_and_never_the_replies() -> None:
    shown = {}
    async with drive() as d:
        await d.offer()
        for size in ((100, 36), (80, 24), (60, 30), (60, 14)):
            await d.pilot.resize_terminal(*size)
            await d.settle()
            kinds = (Conversation, LearningPanel, LearningLine)
            shown[size] = tuple(d.teach.query_one(kind).region.area > 0 for kind in kinds)
    assert shown == {
        (100, 36): (True, True, False),
        (80, 24): (True, True, False),
        (60, 30): (True, False, True),
        (60, 14): (False, False, False),
    }


async def test_a_short_screen_names_the_prompt_that_the_replies_are_for() -> None:
    async with drive((40, 12)) as d:
        await d.offer("how are you today?")
        assert "how are you today?" in d.lines()[1]


async def test_resizing_while_replies_stream_does_no_harm() -> None:
    async with drive() as d:
        await d.type("hello\n")
        for at, size in enumerate(((120, 36), (20, 6), (5, 3), (40, 12), (1, 1), (80, 24))):
            d.worker.stream("hello", [reply[: 6 * at] for reply in REPLIES])
            await d.pilot.resize_terminal(*size)
            await d.settle()
        pending = await d.offer()
        await d.press("5")
        assert d.sent[-1].prompt_id == pending.prompt_id  # type: ignore[union-attr]


async def test_the_conversation_stays_at_its_end_unless_scrolled_up() -> None:
    turns = tuple(turn(at, f"question {at}", f"answer {at}", 1) for at in range(200))
    async with drive(worker=FakeWorker(snapshot(turns=turns, turns_total=1000))) as d:
        assert "answer 199" in d.screen_text()
        d.worker.taught("one more", "indeed", 2)
        await d.settle()
        assert "indeed" in d.screen_text()
        await d.press("pageup", "pageup")
        d.worker.taught("and more", "of course", 2)
        await d.settle()
        assert "of course" not in d.screen_text()
        await d.press(*["pagedown"] * 4)
        assert "of course" in d.screen_text()
        long = "word " * 60
        await d.offer("the last prompt", texts=(long, long, long, "d", "e"))
        assert "the last prompt" in d.screen_text()


async def test_a_long_conversation_mounts_no_more_widgets_than_a_short_one() -> None:
    counts = []
    for number in (1, 200):
        turns = tuple(turn(at, f"question {at}", "answer", 1) for at in range(number))
        async with drive(worker=FakeWorker(snapshot(turns=turns, turns_total=number))) as d:
            counts.append(len(d.teach.walk_children()))
    assert counts[0] == counts[1] < 60


async def test_an_endless_reply_is_cut_on_the_screen_with_a_word_about_it() -> None:
    talk = turn(1, "go on", "\n".join(str(at) for at in range(900)), 1)
    async with drive(worker=FakeWorker(snapshot(turns=(talk,), turns_total=1))) as d:
        assert "more lines" in d.screen_text()
        assert d.teach.query_one(Conversation).virtual_size.height < MOST_LINES + 30


async def test_turns_show_how_they_were_taught_and_the_chances_where_there_is_room() -> None:
    async with drive((120, 36)) as d:
        text = d.screen_text()
        assert "✓ 3       2 % → 97 %" in text
        assert "✎         2 % → 97 %" in text
        await d.pilot.resize_terminal(80, 24)
        await d.settle()
        assert "✓ 3" in d.screen_text()
        assert "✓ 3       2 % → 97 %" not in d.screen_text()


async def test_losses_that_are_not_finite_never_reach_the_sparkline() -> None:
    losses = (1.0, float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 0.5)
    assert window(losses, 10) == [1.0, 1e6, -1e6, 0.5]
    assert window((2.0,), 10) == [2.0, 2.0]
    assert len(window([1.0] * 10_000, 20)) == 40
    async with drive(worker=FakeWorker(snapshot(losses=losses))) as d:
        assert len(d.lines()) == 24


async def test_the_first_screen_says_what_to_do() -> None:
    async with drive(
        worker=FakeWorker(snapshot(turns=(), turns_total=0, losses=(), last=None, lessons=0, step=0))
    ) as d:
        assert "five replies come back" in d.screen_text()
        assert "no lesson yet" in d.screen_text()
        await d.offer()
        assert "five replies come back" not in d.screen_text()
    assert TURNS


@pytest.fixture
def layouts(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often a screen was laid out since this was asked last."""
    laid_out = 0
    real = Screen._refresh_layout

    def counted(screen: Screen[object], *given: Any, **more: Any) -> None:
        nonlocal laid_out
        laid_out += 1
        real(screen, *given, **more)

    def since() -> int:
        nonlocal laid_out
        found, laid_out = laid_out, 0
        return found

    monkeypatch.setattr(Screen, "_refresh_layout", counted)
    return since


async def test_what_the_worker_reports_is_drawn_and_lays_nothing_out_again(layouts: Callable[[], int]) -> None:
    async with drive((120, 36)) as d:
        layouts()
        for left in (12, 11, 9):
            d.worker.changed(phase="learning", activity=f"checking lessons, {left} left")
            await d.settle()
            assert f"checking lessons, {left} left" in d.screen_text()
        assert layouts() == 0
        d.worker.changed(read_only="its journal is damaged at byte 1,234,567 and nothing can be taught here any more")
        await d.settle()
        assert layouts() > 0
        assert "any more" in d.screen_text()


async def test_each_step_of_a_lesson_lays_the_screen_out_once_at_most(layouts: Callable[[], int]) -> None:
    """With a conversation of two hundred turns, and a reply that takes two lines when it is whole."""
    turns = tuple(turn(at, f"question {at}", f"answer {at}", 1) for at in range(200))
    texts = (*REPLIES[:4], "many words " * 12)
    took: dict[str, int] = {}
    async with drive((120, 36), worker=FakeWorker(snapshot(turns=turns, turns_total=200))) as d:
        for prompt in ("how are you today?", "and how are you tomorrow?"):
            steps: dict[str, Callable[[], Awaitable[object]]] = {
                "said": partial(d.type, f"{prompt}\n"),
                "written": partial(d.post, d.worker.stream, prompt, [text[:20] for text in texts]),
                "offered": partial(d.offer, prompt, texts=texts),
                "edited": partial(d.press, "f2"),
                "typed": partial(d.type, " indeed"),
                "closed": partial(d.press, "enter"),
                "learned": partial(d.post, d.worker.learning),
                "taught": partial(d.post, d.worker.taught, prompt, f"{texts[0]} indeed"),
            }
            for name, step in steps.items():
                layouts()
                await step()
                took[name] = layouts()
            assert f"{texts[0]} indeed" in d.screen_text()
    # The second time: before the first the screen had no proof of a lesson, which goes with what is said next.
    assert took == {
        "said": 1, "written": 0, "offered": 1, "edited": 1, "typed": 0, "closed": 1, "learned": 0, "taught": 1,
    }  # fmt: skip


async def test_the_first_layout_at_a_size_has_its_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: dict[Size | None, frozenset[str]] = {}
    real = Screen._refresh_layout

    def seen(screen: Screen[object], size: Size | None = None, **more: Any) -> None:
        looks.setdefault(size, screen.classes)
        real(screen, size, **more)

    monkeypatch.setattr(Screen, "_refresh_layout", seen)
    async with ThetaApp(Settings(), FakeWorker()).run_test(size=(120, 36)) as pilot:
        await pilot.resize_terminal(80, 24)
    assert looks[Size(120, 36)] >= {"-wide", "-tall"}
    assert looks[Size(80, 24)] >= {"-medium", "-normal"}


async def test_a_conversation_that_grows_gets_its_scroll_bar_and_is_at_its_end() -> None:
    async with drive((120, 36), worker=FakeWorker(snapshot(turns=(), turns_total=0))) as d:
        talk = d.teach.conversation
        assert not talk.show_vertical_scrollbar
        for at in range(12):
            d.worker.taught(f"question {at}", f"answer {at}", 1)
            await d.settle()
        assert talk.show_vertical_scrollbar
        assert talk.vertical_scrollbar.window_virtual_size == talk.virtual_size.height
        assert talk.scroll_y == talk.max_scroll_y
        assert "answer 11" in d.screen_text()


async def test_what_changed_while_it_was_hidden_has_its_room_when_it_is_shown() -> None:
    async with drive((120, 36)) as d:
        d.worker.changed(alarm="#2 fades", phase="idle")
        await d.settle()
        d.worker.changed(alarm=None)
        await d.settle()
        d.worker.changed(alarm="#2, #3, #5 and eleven others fade since the last lesson, which is the longest of all")
        await d.settle()
        assert "of all" in d.screen_text()


async def test_two_sizes_at_once_do_not_bring_each_other_back_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Laying out tells the screen its size again, behind the other one, which tells it that one again, …"""
    laid_out = 0
    real = Screen._refresh_layout

    def counted(self: Screen[Any], *arguments: Any, **more: Any) -> None:
        nonlocal laid_out
        laid_out += 1
        assert laid_out < 30, "it never comes to an end"
        real(self, *arguments, **more)

    async with drive((81, 25)) as d:
        await d.settle()
        monkeypatch.setattr(Screen, "_refresh_layout", counted)
        for columns in (80, 81):
            d.teach.post_message(Resize(Size(columns, 25), Size(columns, 25)))
            d.teach.call_later(d.teach.draw)
        for _ in range(10):
            await d.settle()
        assert d.teach.size == (81, 25)
