"""What is kept, on the screen: the panel, the alarm, and the list of lessons."""

from __future__ import annotations

from dataclasses import replace

from tests.support.fakes import ROWS, TURNS, Driven, drive, outcome, report_row
from theta_tui.session import commands as c
from theta_tui.session import lists
from theta_tui.session import protocol as p
from theta_tui.store.retention import Tally
from theta_tui.ui.screens.ledger import LedgerScreen, line
from theta_tui.ui.widgets.learning import bar


async def open_ledger(d: Driven) -> LedgerScreen:
    await d.offer()
    await d.press("f7")
    d.worker.ledger()
    await d.settle()
    screen = d.app.screen
    assert isinstance(screen, LedgerScreen)
    return screen


async def test_the_panel_and_the_header_say_what_is_kept() -> None:
    async with drive((120, 40)) as d:
        text = d.screen_text()
        assert "kept 11/12" in d.lines()[0]
        assert "11/12 █" in text
        assert "fading #3" in text
        d.worker.reviewed(tally=Tally(16, 14, 1, 1, fading_first=(3,), lost_first=(5,)))
        await d.settle()
        assert "14/16" in d.screen_text()
        assert "fading #3 · lost #5" in d.screen_text()


async def test_nothing_is_claimed_before_anything_was_taught() -> None:
    async with drive((120, 40)) as d:
        d.worker.changed(tally=Tally())
        await d.settle()
        assert "kept" not in d.screen_text()


async def test_a_cost_stands_in_the_panel_and_one_key_takes_the_lesson_back_even_while_writing() -> None:
    async with drive((120, 40)) as d:
        d.worker.reviewed(alarm="teaching #12 cost 2 others (#3, #5)")
        await d.type("half a sent")
        assert "(#3," in d.screen_text()
        assert "f4" in d.screen_text().lower()
        await d.press("f4")
        assert d.sent == [c.TakeBack("undo")]
        assert d.teach.composer.text == "half a sent"
    async with drive((60, 30), keymap={"app.undo": "f10"}) as d:
        d.worker.reviewed(alarm="teaching #2 cost 1 other (#1)")
        await d.settle()
        assert "teaching #2 cost 1 other (#1); f10" in d.screen_text().lower()


async def test_asking_again_in_the_background_does_not_disturb_what_is_on_the_screen() -> None:
    async with drive((120, 40)) as d:
        await d.offer()
        await d.press("2")
        d.worker.taught("how are you today?", "Pretty good!", 2)
        await d.settle()
        before = d.teach.state.result, d.teach.state.offered
        d.worker.reviewed(3, tally=Tally(13, 13))
        await d.settle()
        assert (d.teach.state.result, d.teach.state.offered) == before
        assert "kept 13/13" in d.lines()[0]


async def test_the_ledger_lists_lessons_newest_first_with_how_they_stand() -> None:
    async with drive((120, 36)) as d:
        await open_ledger(d)
        assert d.sent == [c.ShowLessons()]
        head, *shown = [text for text in d.lines() if "→" in text]
        assert head.split() == ["#", "state", "prompt", "→", "taught", "reply", "says", "it", "then→now", "taught"]
        assert head.index("prompt") == shown[0].index("where is Quill?")
        assert head.index("now") + 3 == shown[0].index("0.40 %") + 6
        assert "lost" in shown[0]
        assert "where is Quill? → Quill is at home." in shown[0]
        assert "97 % → 0.40 %" in shown[0]
        assert "5:00" in shown[0]
        assert "replaced by #4" not in d.screen_text()
        await d.press("down", "j", "j")
        assert "replaced by #4" in d.screen_text()
        await d.press("down")
        assert "said before" in d.screen_text()
        assert "Hello." in d.screen_text()
        await d.press("escape")
        assert d.app.screen is d.teach


async def test_enter_shows_what_it_says_now_beside_what_was_taught() -> None:
    async with drive() as d:
        await open_ledger(d)
        await d.press("enter", "enter")
        assert d.sent[1:] == [c.AskLesson(5)], "not twice while it is being asked"
        d.worker.post(p.LessonAnswered(d.worker.shot, 5, "Quill is [b]gone."))
        await d.settle()
        assert "taught   Quill is at home." in d.screen_text()
        assert d.lines()[-3].split() == ["said", "before", "says", "now"]
        assert d.lines()[-2].split() == ["not", "known", "Quill", "is", "[b]gone."]
        d.worker.taught("a", "b")
        await d.settle()
        assert d.lines()[-2].split() == ["not", "known", "enter", "asks", "it"], (
            "an answer of before the last lesson is no answer"
        )


async def test_the_list_shows_what_was_said_before_and_is_now_without_asking() -> None:
    async with drive() as d:
        await open_ledger(d)
        d.worker.ledger([report_row(1, "hello", "Hi!", said_before="Good day.", says_now="Hi!")])
        await d.settle()
        assert d.lines()[-2].split() == ["Good", "day.", "Hi!"]
        await d.pilot.resize_terminal(40, 12)
        await d.settle()
        assert [line.split() for line in d.lines()[-3:-1]] == [
            ["said", "before", "Good", "day."],
            ["says", "now", "Hi!"],
        ]


async def test_q_closes_the_list() -> None:
    async with drive() as d:
        await open_ledger(d)
        await d.press("q")
        assert d.app.screen is d.teach
        assert c.Quiz() not in d.sent


async def test_a_lesson_that_was_taken_out_comes_back_by_the_key_that_is_named() -> None:
    async with drive((120, 36)) as d:
        await open_ledger(d)
        assert "bring back" not in d.lines()[-1]
        d.worker.withdrawn(5, TURNS[3])
        await d.settle()
        assert d.toasts == ["lesson 5 is withdrawn: I do! I like old songs with a good bass line.; f6 brings it back"]
        assert "f6 bring back" in d.lines()[-1]
        await d.press("f6")
        assert d.sent[-1] == c.TakeBack("redo")


async def test_a_asks_all_and_the_list_follows_what_was_found() -> None:
    async with drive() as d:
        await open_ledger(d)
        await d.press("down", "a")
        assert d.sent[-1] == c.Quiz()
        d.worker.reviewed(4, tally=Tally(4, 2))
        await d.settle()
        assert "checking, 4 left" in d.screen_text()
        assert d.sent[-1] == c.Quiz()
        d.worker.post(p.Quizzed(d.worker.change(tally=Tally(4, 3, lost=1, lost_first=(5,)))))
        await d.settle()
        assert d.sent[-1] == c.ShowLessons()
        d.worker.ledger((*ROWS, report_row(6, "new", "one")))
        await d.settle()
        assert "#4" in d.screen_text(), "the mark stays on its lesson"
        assert "kept 3/4, lost #5" in d.lines()[0]
        assert d.toasts == []


async def test_w_is_there_only_where_lessons_can_be_taken_out() -> None:
    async with drive() as d:
        await open_ledger(d)
        assert "w withdraw" in d.lines()[-1]
        await d.press("w")
        assert d.sent[-1] == c.TakeBack("withdraw", 5)
        d.worker.changed(read_only="it was written by a newer Theta")
        await d.settle()
        assert "withdraw" not in d.lines()[-1]
        count = len(d.sent)
        await d.press("w")
        assert len(d.sent) == count


async def test_an_empty_ledger_and_a_small_screen_do_no_harm() -> None:
    async with drive() as d:
        await d.type("/lessons\n")
        d.worker.ledger(())
        await d.press("enter", "w", "down")
        assert d.sent == [c.ShowLessons()]
        d.worker.ledger()
        for size in ((20, 6), (40, 12), (5, 3), (120, 36)):
            await d.pilot.resize_terminal(*size)
            await d.settle()
        assert "where is Quill?" in d.screen_text()


async def test_slash_quiz_asks_all_and_says_what_is_kept() -> None:
    async with drive() as d:
        await d.type("/quiz\n")
        assert d.sent == [c.Quiz()]
        d.worker.post(p.Quizzed(d.worker.shot))
        await d.settle()
        assert d.toasts == ["kept 11/12, fading #3"]


async def test_the_figures_tell_it_all_in_numbers() -> None:
    async with drive((120, 60)) as d:
        d.worker.changed(said_before="What?", last=outcome(12))
        await d.type("/stats\n")
        text = d.screen_text()
        for words in ("11 of 12", "#3", "What?"):
            assert words in text


def test_a_line_is_as_wide_as_it_is_told_and_shows_text_letter_for_letter() -> None:
    hostile = replace(ROWS[0], prompt="[b]x\x1b[2J\u202e" + "漢字" * 40, reply="[/]\nnext")
    for width in (24, 60, 84, 200):
        shown = line(hostile, width, 1_700_000_000.0)
        assert shown.cell_length <= width
        assert "[b]x" in shown.plain
        assert "\x1b" not in shown.plain


def test_the_bar_is_full_only_when_all_is_kept() -> None:
    assert bar(Tally(3, 3), 10) == ("█" * 10, "")
    assert bar(Tally(1000, 999), 10) == ("█" * 9, "░")
    assert bar(Tally(3, 0), 4) == ("", "░" * 4)


async def test_what_others_propose_is_first_and_one_key_decides_on_it() -> None:
    wanted = report_row(1, "is it so?", "yes", "proposed", seq=900, who="Ada", p_then=None, p_now=None, asked_at=None)
    async with drive((100, 30)) as d:
        screen = await open_ledger(d)
        d.worker.change(proposals=1)
        d.worker.post(p.Ledger(d.worker.shot, (*ROWS[:1], report_row(2, "a", "b", who="Zoë")), (wanted,)))
        await d.settle()
        first, second, _ = [text for text in d.lines() if "→" in text and "prompt" not in text][:3]
        assert "1  + proposed   Ada: is it so? → yes" in first
        assert "2  ✓ kept       Zoë: a → b" in second
        assert "1 proposal" in d.lines()[0]
        d.sent.clear()
        await d.press("y", "n", "w", "enter")
        assert d.sent == [lists.Decide("accept", 1), lists.Decide("decline", 1)]
        await d.press("down", "y", "n")
        assert len(d.sent) == 2
        await d.press("slash", "z", "o", "enter")
        assert [row.who for row in screen._newest_first] == ["Zoë"]
