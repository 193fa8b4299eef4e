"""The plots on the screen, and what was said before and is said now right after a lesson."""

from __future__ import annotations

import pytest

from tests.support.fakes import PLOTS, Driven, drive
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.store.plots import Plot
from theta_tui.ui.screens.plots import NOTHING, PlotScreen
from theta_tui.ui.widgets.before_after import before_after


async def open_plots(d: Driven, found: p.Plots | None = None) -> PlotScreen:
    d.worker.ready()
    d.worker.post(found or p.Plots(d.worker.shot, PLOTS, 3, False, 12))
    await d.settle()
    screen = d.app.screen
    assert isinstance(screen, PlotScreen)
    return screen


async def test_a_key_opens_the_plots_and_they_can_be_turned_and_closed() -> None:
    async with drive((120, 36)) as d:
        await d.press("f9")
        assert d.sent == [c.ShowPlots()]
        screen = await open_plots(d)
        assert "loss · lower is better" in d.screen_text()
        assert "━━ before  ━━ after" in d.screen_text()
        assert "┤" in d.screen_text()
        await d.press("right")
        assert "kept · close together" in d.screen_text()
        assert not screen.check_action("lesson", (1,))
        await d.press("right")
        assert "100 %┤" in d.screen_text()
        assert "\x1b" not in d.screen_text()
        await d.press("up")
        assert d.sent[-1] == c.ShowPlots(4)
        d.worker.post(p.Plots(d.worker.shot, PLOTS, 4, True, 12))
        await d.settle()
        assert d.app.screen is screen, "the same screen shows it"
        await d.press("q")
        assert d.app.screen is d.teach


async def test_a_lesson_of_the_list_is_plotted_by_a_key_and_a_verb() -> None:
    async with drive((120, 36)) as d:
        await d.type("/plot 3\n")
        assert d.sent == [c.ShowPlots(3)]
        await open_plots(d, p.Plots(d.worker.shot, PLOTS, 3, True, 12))
        assert "lesson 3" in d.screen_text()
        await d.press("escape", "f7")
        d.worker.ledger()
        await d.press("down", "p")
        assert d.sent[-1] == c.ShowPlots(4)


async def test_small_terminals_get_a_table_and_any_size_does_no_harm() -> None:
    async with drive((40, 12)) as d:
        await open_plots(d)
        assert [line.split() for line in d.lines()[2:4]] == [["lessons", "before", "after"], ["3", "2.80", "0.10"]]
        assert "esc close" in d.lines()[-1]
        for size in ((120, 36), (20, 6), (5, 3), (48, 14)):
            await d.pilot.resize_terminal(*size)
            await d.settle()
        assert "┤" in d.screen_text()


async def test_plots_of_nothing_say_so() -> None:
    async with drive((80, 24)) as d:
        await open_plots(d, p.Plots(d.worker.shot, (Plot("loss", "loss", ()),), None, False, 0))
        assert NOTHING in d.screen_text()


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["of a kind", "all"])
async def test_plots_are_drawn_in_every_theme(every: bool) -> None:
    async with drive((80, 24)) as d:
        await open_plots(d)
        for theme in sorted(d.app.available_themes) if every else ("theta-light", "ansi-dark", "dracula"):
            d.app.theme = theme
            await d.settle()
            assert "┤" in d.screen_text(), theme


async def test_after_a_lesson_both_replies_stand_side_by_side_until_the_next_prompt() -> None:
    async with drive((120, 36)) as d:
        await d.offer()
        await d.press("2")
        d.worker.change(said_before="I am \x1b[2Jfine.", says_now=None)
        d.worker.taught("how are you today?", "Pretty good!", 2)
        await d.settle()
        assert "said before" in d.screen_text()
        assert "not known" in d.screen_text()
        d.worker.reviewed(says_now="Pretty good!")
        await d.settle()
        text = d.screen_text()
        assert "not known" not in text
        assert "\x1b" not in text
        await d.type("and now?\n")
        assert "said before" not in d.screen_text()


async def test_a_fact_names_its_question_beside_both_replies() -> None:
    async with drive((120, 36)) as d:
        await d.offer()
        d.worker.change(said_before="No idea.", says_now="Bella.")
        d.worker.stated(prompt="What is my dog called?", reply="Bella.")
        await d.settle()
        assert "“What is my dog called?”" in d.screen_text()


@pytest.mark.parametrize("width", [20, 55, 56, 100])
def test_both_replies_fit_any_width(width: int) -> None:
    shown = before_after("a long reply " * 20, "漢字 \u202e[b]" * 20, width, 2, good=False)
    assert all(line.cell_length <= width for line in shown.split("\n"))
    assert "\u202e" not in shown.plain


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 36)])
async def test_no_screen_loses_its_foot_and_no_heading_its_words(size: tuple[int, int]) -> None:
    async with drive(size) as d:
        await d.offer()
        panel = [line[-25:].strip() for line in d.lines()]
        if size == (80, 24):
            for heading in ("taught", "machine"):
                assert heading not in panel or panel[panel.index(heading) + 1]
        for line in ("/stats\n", "/help\n"):
            await d.type(line)
            assert any("esc close" in shown for shown in d.lines()), line
            await d.press("q")
            assert d.app.screen is d.teach
