"""Nothing disappears: facts and unanswered messages, earlier fives, queued prompts, and what is not sent yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fakes import REPLIES, TURNS, drive, outcome
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.store.records import Beside, Candidate, Five, Pending, Stated
from theta_tui.ui.drafts import Draft, Drafts
from theta_tui.ui.screens.history import HistoryScreen
from theta_tui.ui.state import Editing
from theta_tui.ui.widgets.rule import Rule

FACT = Stated("Who is your creator?", "My creator is Dakota.")
LEARNED = Beside(9, 4, "statement", *(FACT.prompt, FACT.reply), outcome=outcome(13), said="Your creator is Dakota.")
UNANSWERED = Beside(7, 2, "none", "lol", "")
EARLIER = tuple(
    Five(name, tuple(Candidate(at, f"{name} reply {at}", -1.0) for at in range(1, 6))) for name in ("first", "second")
)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_last_lesson_offers_undo_in_its_line_and_in_the_footer_and_then_redo(size: tuple[int, int]) -> None:
    async with drive(size) as d:
        d.worker.changed(undo=TURNS[-1].seq)
        await d.offer(statement=FACT)
        taught = [line for line in d.lines() if "f4 undo" in line]
        assert len(taught) == 2
        assert "✓ 1" in taught[0]
        assert taught[1] == d.lines()[-1]
        gone = Beside(4, 3, "pick", TURNS[-1].prompt, TURNS[-1].reply, withdrawn=True)
        d.worker.changed(turns=TURNS[:-1], turns_total=3, beside=(gone,), undo=TURNS[-2].seq, redo=4)
        await d.settle()
        text = d.screen_text()
        assert "×     taken back: do you like music?" in text
        assert "f6 redo" in next(line for line in d.lines() if "taken back" in line)
        assert "f6 redo" in d.lines()[-1]
        assert "f4 undo" in d.lines()[-1]
        await d.press("f6")
        assert d.sent == [c.TakeBack("redo")]
        d.worker.changed(lessons=0, undo=0, redo=0)
        await d.settle()
        assert "undo" not in d.screen_text()
        assert "redo" not in d.screen_text()


async def test_while_something_is_under_way_no_line_offers_undo() -> None:
    async with drive() as d:
        d.worker.changed(undo=TURNS[-1].seq)
        await d.settle()
        assert "f4 undo" in d.screen_text()
        d.worker.stream("hello", ["", "", "", "", ""])
        await d.settle()
        assert "f4 undo" not in d.screen_text()


async def test_a_fact_and_a_message_without_an_answer_stay_in_the_conversation() -> None:
    async with drive((120, 36)) as d:
        d.worker.changed(beside=(UNANSWERED, LEARNED), undo=9)
        await d.offer(LEARNED.said or "")
        lines = [line.strip() for line in d.lines()]
        words = ("what is your name?", "lol", "no reply was picked", "who is your creator?", "you   Your creator")
        at = [next(n for n, line in enumerate(lines) if word in line) for word in words]
        assert at == sorted(at)
        fact = next(line for line in d.lines() if "learned: Who is your creator? → My creator is Dakota." in line)
        assert "f4 undo" in fact
        assert d.lines().index(fact) > at[-1]


async def test_the_arrows_page_through_the_fives_that_there_were_and_a_pick_is_of_the_five_that_is_shown() -> None:
    async with drive() as d:
        await d.offer()
        assert "earlier" not in d.lines()[-1]
        await d.press("left", "right")
        await d.offer("hello", earlier=EARLIER)
        rule = d.teach.query_one(Rule)
        assert rule.label == "five replies · 3 of 3, ← → page"
        assert "← earlier" in d.lines()[-1]
        assert "later" not in d.lines()[-1]
        await d.press("right", "down", "left")
        assert "second reply 2" in d.screen_text()
        assert rule.label.startswith("five replies · 2 of 3")
        assert d.teach.replies.cursor == 1
        await d.press("left", "left", "f8")
        assert d.app.clipboard == "first reply 1"
        await d.type("ab")
        await d.press("left", "c")
        assert d.teach.composer.text == "acb", "with a text in it the arrows are the text's"
        d.teach.composer.put("")
        await d.press("right", "f2", "escape", "4")
        assert d.sent == [c.Pick("second", 4)]
        chosen = d.teach.replies.rows[3]
        assert (chosen.text, chosen.look) == ("second reply 4", "chosen")


async def test_saying_something_else_lets_the_first_reply_of_the_shown_five_stand() -> None:
    async with drive() as d:
        d.worker.propose("hello", earlier=EARLIER)
        await d.settle()
        await d.press("f5")
        assert d.sent == [c.Regenerate("p1")]
        await d.offer("hello", earlier=EARLIER)
        await d.press("left")
        await d.type("and you?\n")
        assert d.sent[1:] == [c.Say("second"), c.Propose("and you?")]


async def test_prompts_that_are_sent_while_the_machine_is_busy_are_said_in_turn() -> None:
    async with drive(ready=False) as d:
        await d.type("one\ntwo\nthree\n")
        assert d.sent == []
        assert [d.screen_text().count(f"you   {word}") for word in ("one", "two", "three")] == [1, 1, 1]
        d.worker.ready()
        await d.settle()
        assert d.sent == [c.Propose("one")]
        first = d.worker.propose("one")
        await d.settle()
        assert d.sent[1:] == [c.Say(first.prompt_id), c.Propose("two")]
        second = d.worker.propose("two")
        await d.settle()
        assert d.sent[3:] == [c.Say(second.prompt_id), c.Propose("three")]
        d.worker.propose("three")
        await d.settle()
        assert len(d.sent) == 5


async def test_history_shows_everything_and_closes() -> None:
    async with drive() as d:
        await d.type("/history\n")
        assert d.sent == [c.ShowHistory()]
        d.worker.propose(LEARNED.said or "")
        d.worker.post(p.History(d.worker.shot, TURNS, (UNANSWERED, LEARNED)))
        await d.settle()
        assert isinstance(d.app.screen, HistoryScreen)
        text = d.screen_text()
        words = ("this conversation: 4 turns", "hello", "no reply was picked", "five replies wait", "learned: Who is")
        assert [text.index(word) for word in words] == sorted(text.index(word) for word in words)
        await d.press("pageup", "home", "end", "escape")
        assert d.app.screen is d.teach


# --- drafts ---


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "draft.json"


async def test_what_was_typed_survives_quitting_and_sending_it_forgets_it(file: Path) -> None:
    async with drive(drafts=Drafts(file)) as d:
        await d.type("half a ")
        await d.press("ctrl+j")
        await d.type("thought [b]")
        await d.press("ctrl+q")
    assert file.stat().st_mode & 0o77 == 0
    async with drive(drafts=Drafts(file)) as d:
        assert d.teach.composer.text == "half a \nthought [b]"
        await d.press("enter")
        d.worker.propose()
        await d.settle()
        d.teach.drafts.keep()
        assert not file.exists()


async def test_it_is_kept_while_it_is_typed_and_not_before_the_home_is_ours(file: Path) -> None:
    async with drive(ready=False, drafts=Drafts(file)) as d:
        await d.type("hello")
        d.teach.drafts.keep()
        assert not file.exists()
        d.worker.loading()
        await d.settle()
        d.teach.drafts.keep()
        assert Drafts(file).load().text == "hello"


async def test_prompts_without_replies_are_kept_with_it(file: Path) -> None:
    async with drive(drafts=Drafts(file)) as d:
        await d.type("one\ntwo\nthr")
        d.teach.drafts.keep()
    kept = file.read_bytes()
    for pending, text in ((None, "one\ntwo\nthr"), ("one", "two\nthr")):
        file.write_bytes(kept)
        async with drive(ready=False, drafts=Drafts(file)) as d:
            if pending:
                d.worker.propose(pending)
            d.worker.ready()
            await d.settle()
            assert d.teach.composer.text == text


async def test_the_open_editor_is_open_again_with_its_text(file: Path) -> None:
    async with drive(drafts=Drafts(file)) as d:
        await d.offer(statement=FACT)
        await d.press("down", "f2")
        await d.type(" really")
        d.teach.drafts.keep()
    async with drive(ready=False, drafts=Drafts(file)) as d:
        d.worker.propose(statement=FACT)
        d.worker.ready()
        await d.settle()
        assert d.teach.corrections.editing == Editing("p1", 2)
        assert d.teach.replies.editor.editor.text == f"{REPLIES[1]} really"
        await d.press("escape", "f3", "tab", "!")
        d.teach.drafts.keep()
    async with drive(ready=False, drafts=Drafts(file)) as d:
        d.worker.propose(statement=FACT)
        d.worker.ready()
        await d.settle()
        assert d.teach.fact.editing
        assert (d.teach.fact.prompt.text, d.teach.fact.reply.text) == (FACT.prompt, f"{FACT.reply}!")
    async with drive(drafts=Drafts(file)) as d:  # its prompt is gone
        assert d.teach.corrections.editing is None
        assert d.teach.composer.text == f"{FACT.reply}!"
        await d.press("ctrl+u", "f2")
        await d.type("!!")
        d.teach.drafts.keep()
    async with drive(drafts=Drafts(file)) as d:
        assert d.teach.corrections.editing == Editing(None, turn=TURNS[-1].prompt)
        await d.press("enter")
        assert d.sent == [c.Correct(f"{TURNS[-1].reply}!!")]


async def test_an_own_reply_is_one_again_on_the_page_that_it_was_for(file: Path) -> None:
    async with drive(drafts=Drafts(file)) as d:
        await d.offer("hello", earlier=EARLIER)
        await d.press("left", "ctrl+t")
        await d.type("mine")
        d.teach.drafts.keep()
    async with drive(ready=False, drafts=Drafts(file)) as d:
        d.worker.propose("hello", earlier=EARLIER)
        d.worker.ready()
        await d.settle()
        assert "teach ›" in d.screen_text()
        await d.press("enter")
        assert d.sent == [c.Correct("mine", "second")]


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"text":1}', b"\xff", b'{"text":"","said":[1]}', b'{"text":"a","text":"b"}']
)
def test_a_damaged_draft_is_ignored(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    assert Drafts(file).load() == Draft()


def test_a_disk_that_takes_no_draft_stops_nobody(tmp_path: Path) -> None:
    Drafts(tmp_path / "gone" / "draft.json").save(Draft("hello"))


def test_a_draft_comes_back_as_it_was(file: Path) -> None:
    draft = Draft("a\ud800\u202e\n", ("b",), Editing("p", 2), "c", "d", Editing(None, turn="e"))
    Drafts(file).save(draft)
    assert Drafts(file).load() == draft


def test_each_five_of_a_prompt_has_an_id() -> None:
    waiting = Pending("p", "hello", EARLIER[0].candidates, FACT, EARLIER)
    assert [five.prompt_id for five in waiting.fives] == ["first", "second", "p"]
    assert waiting.at("p") == waiting
    shown = waiting.at("second")
    assert shown is not None
    assert (shown.prompt_id, shown.candidates, shown.statement) == ("second", EARLIER[1].candidates, FACT)
    assert waiting.at("beef") is None
