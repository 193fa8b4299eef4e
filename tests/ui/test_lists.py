"""The lists of conversations and turns, the search in lists, a better reply to an older turn, and lessons of a file."""

from __future__ import annotations

import pytest

from tests.support.fakes import NOW, ROWS, TURNS, Driven, drive, turn
from theta_tui.session import commands as c
from theta_tui.session import lists
from theta_tui.session import protocol as p
from theta_tui.store.report import ConversationRow
from theta_tui.ui.screens.conversations import ConversationsScreen, TurnsScreen
from theta_tui.ui.screens.info import ImportScreen
from theta_tui.ui.screens.ledger import LedgerScreen

TALKS = (
    ConversationRow(3, "hello there", False, 4, NOW - 500, NOW - 60, is_open=True),
    ConversationRow(1, "about [b]music[/b]", True, 12, NOW - 90_000, NOW - 80_000),
    ConversationRow(2, "what is your name?", False, 1, NOW - 900_000, NOW - 900_000),
)


async def open_list(d: Driven, line: str, event: p.Event | None = None) -> None:
    d.worker.ready()
    await d.settle()
    await d.type(f"{line}\n")
    if event is not None:
        d.worker.post(event)
    await d.settle()


def talks(d: Driven) -> p.Event:
    return lists.Conversations(d.worker.shot, TALKS)


async def test_conversations_are_listed_opened_and_begun() -> None:
    async with drive((80, 24)) as d:
        await open_list(d, "/conversations")
        assert d.sent == [lists.ShowConversations()]
        d.worker.post(talks(d))
        await d.settle()
        shown = d.screen_text()
        assert "3 conversations · what was taught is shared by all" in shown
        assert "turns  last said         begins with" in shown
        assert "about [b]music[/b]" in shown
        assert "hello there" in next(line for line in d.lines() if "›  3" in line)
        await d.press("down", "enter")
        assert d.sent[1:] == [lists.ChangeConversation("open", 1)]
        assert d.app.screen is d.teach
        await open_list(d, "/conversations", talks(d))
        await d.press("enter")
        assert d.sent[2:] == [lists.ShowConversations()], "the open one goes on as it is"
        await open_list(d, "/conversations", talks(d))
        await d.press("n")
        assert d.sent[-1] == c.NewConversation()
        await d.type("/conversations open 2\n/conversations rename 2 the second\n")
        assert d.sent[-2:] == [lists.ChangeConversation("open", 2), lists.ChangeConversation("rename", 2, "the second")]


async def test_a_conversation_is_renamed_in_the_line_and_deleted_at_the_second_press() -> None:
    async with drive((80, 24)) as d:
        await open_list(d, "/conversations", talks(d))
        await d.press("down", "r")
        assert d.app.screen.query_one("#line").value == "about [b]music[/b]"  # type: ignore[attr-defined]
        await d.type("!\n")
        assert d.sent[1:] == [lists.ChangeConversation("rename", 1, "about [b]music[/b]!")]
        await d.press("r", "x", "escape")
        assert len(d.sent) == 2
        await d.press("d")
        assert "The journal keeps it" in d.screen_text()
        assert len(d.sent) == 2
        await d.press("down", "d")
        assert len(d.sent) == 2, "another one: it asks again"
        await d.press("d")
        assert d.sent[2:] == [lists.ChangeConversation("delete", 2)]
        d.worker.post(lists.Conversations(d.worker.shot, TALKS[:2]))
        await d.settle()
        assert "2 conversations" in d.screen_text()
        assert isinstance(d.app.screen, ConversationsScreen)
        await d.press("q")
        assert d.app.screen is d.teach


async def test_a_search_leaves_what_has_all_its_words_and_esc_ends_it_before_it_closes() -> None:
    async with drive((80, 24)) as d:
        turns = (*TURNS, turn(5, "Straße?", "Ja [/]"))
        await open_list(d, "/find", lists.Turns(d.worker.shot, 1, turns))
        assert d.sent == [lists.ShowTurns()]
        shown = [line for line in d.lines() if "→" in line and "said" not in line]
        assert shown[0].split()[0] == "5"
        await d.type("/STRASSE")
        assert "1 of 5 with “STRASSE”" in d.screen_text()
        await d.press("enter", "escape")
        assert "4 turns" in d.screen_text()
        await d.type("/creator dakota\n")
        assert next(line for line in d.lines() if "Dakota" in line).split()[0] == "3"
        await d.press("escape")
        assert isinstance(d.app.screen, TurnsScreen)
        await d.press("escape")
        assert d.app.screen is d.teach
        await open_list(d, "/find music", lists.Turns(d.worker.shot, 1, turns))
        assert "1 of 5 with “music”" in d.screen_text()


async def test_the_lessons_are_searched_too() -> None:
    async with drive((80, 24)) as d:
        await open_list(d, "/lessons", p.Ledger(d.worker.shot, ROWS))
        await d.type("/mr. classic\n")
        assert "1 of 5 with “mr. classic”" in d.screen_text()
        await d.press("enter")
        assert d.sent[-1] == c.AskLesson(4)
        await d.press("escape")
        assert "kept 11/12" in d.lines()[0]
        assert isinstance(d.app.screen, LedgerScreen)


async def test_an_older_turn_is_fixed_in_the_editor_while_replies_wait_for_another_prompt() -> None:
    async with drive((80, 24)) as d:
        pending = await d.offer()
        await d.type("/fix 3\n")
        assert "a better reply to “who is your creator?”" in d.screen_text()
        await d.type(" Really.\n")
        assert d.sent == [c.Correct("My creator is Dakota. Really.", turn=3, prompt="who is your creator?")]
        assert "…" in next(line for line in d.lines() if "Really." in line), "shown where it stands"
        d.worker.change(pending=pending)
        d.worker.stated()
        await d.settle()
        assert d.teach.state.mode == "choosing"
        await d.type("/fix 2 Theta.\n")
        assert d.sent[1:] == [c.Correct("Theta.", turn=2, prompt="what is your name?")]


async def test_a_turn_that_is_not_there_is_told_and_one_far_back_needs_its_text() -> None:
    async with drive((80, 24)) as d:
        d.worker.changed(turns_total=300)
        await open_list(d, "/fix 301")
        assert "/history lists 1 to 300" in d.toasts[-1]
        await d.press("ctrl+u")
        await d.type("/fix 7\n")
        assert "say /fix 7 and the reply" in d.toasts[-1]
        await d.press("ctrl+u")
        await d.type("/fix 7 Better.\n")
        assert d.sent == [c.Correct("Better.", turn=7)]


async def test_enter_in_the_history_opens_the_turn_in_the_editor() -> None:
    async with drive((80, 24)) as d:
        await open_list(d, "/find", lists.Turns(d.worker.shot, 1, TURNS))
        await d.press("down", "enter")
        assert d.app.screen is d.teach
        await d.type("!\n")
        assert d.sent[1:] == [c.Correct("My creator is Dakota.!", turn=3, prompt="who is your creator?")]


async def test_a_file_is_shown_and_taught_only_when_that_is_agreed() -> None:
    async with drive((80, 24)) as d:
        read = lists.FileRead(
            d.worker.shot, "faq.csv", 7, (("who [b]?", "me"),), ("1 pair taught already",), ("faq.csv:3: no",)
        )
        await open_list(d, "/import ~/my faq.csv", read)
        assert d.sent == [lists.ReadFile("~/my faq.csv")]
        assert isinstance(d.app.screen, ImportScreen)
        for words in (
            "teach 7 lessons of faq.csv?",
            "who [b]?",
            "and 6 more",
            "1 pair taught already",
            "faq.csv:3: no",
        ):
            assert words in d.screen_text()
        await d.press("escape")
        assert len(d.sent) == 1
        d.worker.post(read)
        await d.settle()
        await d.press("enter")
        assert d.sent[1:] == [lists.TeachFile()]
        assert d.app.screen is d.teach
        d.worker.folding("learning 3 of 7 of faq.csv")
        await d.settle()
        assert "learning 3 of 7 of faq.csv · esc stops" in d.screen_text()
        await d.press("escape")
        assert d.sent[2:] == [c.Cancel()]
        d.worker.post(lists.FileTaught(d.worker.change(phase="idle"), "taught 3 lessons of faq.csv", 3))
        await d.settle()
        assert d.toasts[-1] == "taught 3 lessons of faq.csv; undo takes all of them back"
        assert d.teach.state.mode == "idle"


@pytest.mark.parametrize("size", [(40, 12), (120, 36)])
async def test_the_lists_fit(size: tuple[int, int]) -> None:
    async with drive(size) as d:
        await open_list(d, "/conversations", talks(d))
        assert "hello there" in d.screen_text()
        assert "esc" in d.lines()[-1]
        await d.press("escape")
        await open_list(d, "/find", lists.Turns(d.worker.shot, 1, TURNS))
        assert "do you like" in d.screen_text()
        assert "esc" in d.lines()[-1]
        await d.press("escape")
        d.worker.post(lists.FileRead(d.worker.shot, "faq.csv", 7, (("who?", "me"),) * 5))
        await d.settle()
        assert "enter teach  esc leave" in d.screen_text()
