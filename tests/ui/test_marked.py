"""A reply that was written with a lesson has its number beside it, quietly; picked, the lesson is meant here too."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.support.fakes import CHANCES, NOW, REPLIES, Driven, drive, report_row
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.store.records import Candidate, Pending
from theta_tui.ui.screens.ledger import LedgerScreen, scope
from theta_tui.ui.widgets.learning import LearningPanel
from theta_tui.ui.widgets.rule import Rule

PROMPT = "what do I call my dog?"


async def offer(d: Driven, at: int, *, sure: bool, number: int | None = 3) -> Pending:
    """Five replies of which that `at` this place was written with lesson `number`, of record 12."""
    found = [
        Candidate(index, text, math.log(chance), True, *((12, sure) if index == at else ()))
        for index, (text, chance) in enumerate(zip(REPLIES, CHANCES, strict=True), 1)
    ]
    pending = Pending("p1", PROMPT, tuple(found))
    d.worker.post(
        p.Proposed(
            d.worker.change(phase="choosing", activity="idle", pending=pending, marked={12: number} if number else {}),
            0.8,
        )
    )
    await d.settle()
    d.clock.seconds += 1
    d.teach.draw()
    await d.settle()
    return pending


def row(d: Driven, text: str) -> str:
    """The last line on the screen with `text` in it: the replies are below the conversation."""
    return next(line for line in reversed(d.lines()) if text in line)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 36)])
async def test_the_number_of_the_lesson_stands_beside_its_reply_and_no_other(size: tuple[int, int]) -> None:
    async with drive(size) as d:
        await offer(d, 1, sure=True)
        assert row(d, REPLIES[0][:12]).split("31 %")[0].rstrip().endswith("#3")
        assert d.screen_text().count("#3") == (2 if size[0] >= 80 else 1)  # the panel has a fading #3 where it is shown
        assert d.teach.query_one(Rule).label == "five replies"


async def test_where_it_is_not_sure_there_is_a_question_mark_and_how_to_say_that_it_is_meant() -> None:
    async with drive((80, 24)) as d:
        await offer(d, 5, sure=False)
        assert "#3?" in row(d, REPLIES[4][:12])
        assert d.teach.query_one(Rule).label == "five replies · 5 if #3 is meant"
        await d.offer()
        assert d.teach.query_one(Rule).label == "five replies"
        assert "#3?" not in d.screen_text()


async def test_a_long_reply_leaves_room_for_the_number() -> None:
    async with drive((40, 24)) as d:
        await offer(d, 2, sure=False)
        shown = d.teach.replies.rows[1]
        assert "#3?" in row(d, REPLIES[1][:12])
        before = shown.content_size.height
        await d.offer()
        assert shown.content_size.height <= before


async def test_a_mark_whose_lesson_counts_no_more_is_not_shown() -> None:
    async with drive() as d:
        await offer(d, 5, sure=False, number=None)
        assert "?" not in row(d, REPLIES[4][:12]).split("evening")[0]
        assert d.teach.query_one(Rule).label == "five replies"


async def test_picking_it_says_that_the_lesson_is_meant_here_too_and_the_mark_stays_on_show() -> None:
    async with drive((120, 36)) as d:
        pending = await offer(d, 5, sure=False)
        await d.press("5")
        assert d.sent[-1] == c.Pick(pending.prompt_id, 5)
        d.worker.change(marked={})
        d.worker.taught(PROMPT, REPLIES[4], 5, steps=0, losses=(), meant=3)
        await d.settle()
        rule = d.teach.query_one(Rule)
        assert rule.label == "#3 is meant here too · says it 2 % → 97 %"
        assert (rule.filled, rule.tone) == (0.97, "success")
        panel = d.teach.query_one(LearningPanel)
        assert "✓ #3 is meant here too" in str(panel.query_one("#verdict").render())
        assert "#3?" in row(d, REPLIES[4][:12])
        assert d.teach.replies.rows[4].look == "chosen"


async def test_the_ledger_says_how_a_scope_was_widened_and_when_it_was_last_said() -> None:
    async with drive((100, 30)) as d:
        await d.offer()
        await d.press("f7")
        taught = report_row(6, "What is my dog's name?", "Pixel.", more=2, said_at=NOW - 180)
        d.worker.ledger((report_row(5, "hello", "Hi!", kind="pick"), taught))
        await d.settle()
        assert isinstance(d.app.screen, LedgerScreen)
        assert "used     +2 wordings · said last 3:00 ago" in d.screen_text()
        await d.press("down")
        assert "used   " not in d.screen_text()


def test_a_lesson_that_was_not_asked_for_says_so() -> None:
    taught = report_row(1, "a", "b", more=0)
    assert scope(taught, NOW) == "not said since"
    assert scope(replace(taught, more=1), NOW) == "+1 wording · not said since"
