"""The tour: three cards that take no key from the composer, and never a pick."""

from __future__ import annotations

from tests.support.fakes import Driven, drive
from theta_tui.session import commands as c
from theta_tui.ui.widgets.rule import Rule
from theta_tui.ui.widgets.tour import CARDS


def above(d: Driven) -> str:
    return d.teach.query_one(Rule).label


async def test_enter_goes_through_the_cards_and_what_waits_behind_them_is_not_picked() -> None:
    async with drive(keymap={"pick.undo": "f9"}) as d:
        await d.offer()
        await d.type("/tour\n")
        assert above(d).startswith("1 of 3: say")
        assert "press enter: five replies come." in d.screen_text()
        assert "enter next" in d.lines()[-1]
        await d.press("3")
        assert d.teach.composer.text == "3", "a digit is text"
        await d.press("backspace", "enter")
        assert above(d).startswith("2 of 3: teach")
        assert "Press 1 to 5" in d.screen_text()
        await d.press("enter")
        assert "f9 takes the last lesson back" in d.screen_text(), "a person's own keys"
        await d.press("enter")
        assert above(d) == "five replies"
        assert d.sent == []
        await d.type("/tour\n")
        await d.press("f2", "f5")
        assert (d.teach.corrections.editing, d.sent) == (None, []), "they are for replies that are not seen"
        await d.press("escape", "enter")
        assert isinstance(d.sent[-1], c.Pick)


async def test_esc_skips_it_and_so_does_saying_something() -> None:
    async with drive((40, 12)) as d:
        await d.type("/tour\n")
        await d.press("enter")
        card = [line for line in d.screen_text().split("\n") if "f3 teaches it" in line]
        assert card, "the longest card fits the smallest screen"
        await d.press("escape")
        assert d.teach.tour.at is None
        await d.type("/tour\nhello\n")
        assert d.teach.tour.at is None
        assert d.sent == [c.Propose("hello")]


async def test_the_first_start_begins_with_it_while_the_model_loads() -> None:
    async with drive(ready=False, tour=True) as d:
        assert above(d).startswith(f"1 of {len(CARDS)}")
        await d.press("enter")
        d.worker.ready()
        await d.settle()
        assert above(d).startswith("2 of 3")
        await d.press("escape")
        assert above(d) == ""
