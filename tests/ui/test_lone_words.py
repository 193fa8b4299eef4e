"""A message that is a command's word and nothing else: the app asks, and Enter never does it."""

from __future__ import annotations

import pytest

from tests.support.fakes import drive
from theta_tui.session import commands as c
from theta_tui.session.verbs import lone
from theta_tui.ui.screens.info import HelpScreen
from theta_tui.ui.widgets.rule import Rule


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("quit", "quit"), ("exit", "quit"), (" Undo. ", "undo"), ("HELP!", "help"),
        ("undo that", None), ("bye", None), ("?", None), ("save", None), ("", None), ("/undo", None),
    ],
)  # fmt: skip
def test_which_words_may_be_meant_as_commands(text: str, meant: str | None) -> None:
    verb = lone(text)
    assert (verb.name if verb is not None else None) == meant


async def test_tab_does_it_enter_says_it_and_more_text_is_no_command_any_more() -> None:
    async with drive() as d:
        await d.type("undo\n")
        rule = d.teach.query_one(Rule)
        assert rule.label == "“undo”: tab does it · enter says it as text"
        assert (d.sent, d.teach.composer.text) == ([], "undo")
        await d.press("tab")
        assert (d.sent, d.teach.composer.text) == ([c.TakeBack("undo")], "")
        await d.type("help\n")
        await d.press("tab")
        assert isinstance(d.app.screen, HelpScreen)
        await d.press("escape")
        await d.type("help\n")
        await d.type(" me")
        assert "tab does it" not in rule.label
        await d.press("enter")
        assert d.sent[-1] == c.Propose("help me")


async def test_enter_twice_says_the_word_or_teaches_it_where_the_composer_teaches() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.type("undo\n\n")
        assert d.sent == [c.Say(pending.prompt_id), c.Propose("undo")]
        pending = await d.offer("undo")
        await d.press("ctrl+t")
        await d.type("quit\n")
        assert "enter teaches it as text" in d.screen_text()
        await d.press("enter")
        assert d.sent[-1] == c.Correct("quit", pending.prompt_id)
