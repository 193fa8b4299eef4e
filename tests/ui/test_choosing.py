"""Five replies are offered; one is picked, fixed, refused or copied."""

from __future__ import annotations

import asyncio

from textual import events

from tests.support.fakes import REPLIES, drive
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.ui.widgets.composer import HOLD
from theta_tui.ui.widgets.rule import Rule


async def test_a_digit_picks_that_reply() -> None:
    async with drive() as d:
        for digit in range(1, 6):
            pending = await d.offer()
            await d.press(str(digit))
            assert d.sent[-1] == c.Pick(pending.prompt_id, digit)
            d.worker.taught("hello", REPLIES[digit - 1], digit)
            await d.settle()


async def test_enter_picks_the_marked_reply() -> None:
    async with drive() as d:
        for keys, picked in (([], 1), (["down"], 2), (["down", "down"], 3), (["up"], 5), (["down", "up"], 1)):
            pending = await d.offer()
            await d.press(*keys, "enter")
            assert d.sent[-1] == c.Pick(pending.prompt_id, picked)
            d.worker.taught("hello", REPLIES[picked - 1], picked)
            await d.settle()


async def test_fresh_replies_are_not_picked_for_the_grace_period() -> None:
    async with drive(grace=0.4) as d:
        pending = await d.offer(settled=False)
        await d.press("enter", "escape", "left")
        assert d.sent == []
        assert "one moment" in d.teach.query_one(Rule).label
        d.clock.seconds += 0.39
        await d.press("enter")
        assert d.sent == []
        d.clock.seconds += 0.02
        await d.press("3")
        assert d.sent == [c.Pick(pending.prompt_id, 3)]


async def test_keys_that_no_text_can_hold_are_not_lost_in_the_grace_period() -> None:
    async with drive(grace=0.4) as d:
        pending = await d.offer(settled=False)
        await d.press("f4")
        assert d.sent == [c.TakeBack("undo")]
        await d.press("f5")
        assert d.sent[1:] == [c.Regenerate(pending.prompt_id)]


async def test_undo_asked_for_while_a_lesson_is_learned_is_kept() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("2")
        d.worker.learning()
        await d.settle()
        await d.press("f4", "f4", "f4")  # held down
        assert d.sent == [c.Pick(pending.prompt_id, 2), c.TakeBack("undo")]
        d.worker.taught("hello", REPLIES[1], 2)
        d.worker.undone(pending)
        await d.settle()
        await d.press("f4")
        assert d.sent[2:] == [c.TakeBack("undo")]


async def test_what_is_typed_in_the_grace_period_is_kept_in_the_composer() -> None:
    async with drive() as d:
        await d.offer(settled=False)
        await d.press("3", " ", "w", "h", "o")
        assert d.teach.composer.text == "3 who"
        assert d.sent == []


async def test_a_pick_shows_progress_then_the_turn_and_gives_the_composer_the_focus() -> None:
    async with drive() as d:
        await d.offer("how are you today?")
        await d.press("2")
        d.worker.learning(3, 0.41)
        await d.settle()
        rule = d.teach.query_one(Rule)
        assert "2 % → 41 %" in rule.label
        assert rule.filled == 0.41
        assert d.teach.replies.rows[1].look == "chosen"
        d.worker.taught("how are you today?", REPLIES[1], 2)
        await d.settle()
        assert "learned" in rule.label
        assert "2 % → 97 %" in rule.label
        assert REPLIES[1] in d.screen_text()
        assert d.app.focused is d.teach.composer.prompt


async def test_what_is_typed_while_a_lesson_is_learned_is_kept_in_the_composer() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("2")
        d.worker.learning()
        await d.settle()
        await d.press("3", "0")
        assert len(d.sent) == 1
        assert d.teach.composer.text == "30"
        await d.press("enter")
        assert len(d.sent) == 1
        d.worker.taught("hello", REPLIES[1], 2)
        await d.settle()
        assert d.sent[1:] == [c.Propose("30")]


async def test_f2_edits_the_marked_reply_in_place_and_enter_teaches_it() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("down", "f2")
        editor = d.teach.replies.editor.editor
        assert editor.text == REPLIES[1]
        assert not d.teach.replies.rows[1].display
        assert d.teach.replies.rows[0].display
        await d.press("backspace", "!", "enter")
        text = REPLIES[1][:-1] + "!"
        assert d.sent == [c.Correct(text, pending.prompt_id, 2)]
        assert d.teach.replies.rows[1].display


async def test_an_edit_that_changes_nothing_is_a_pick() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("f2", "enter")
        assert d.sent == [c.Pick(pending.prompt_id, 1)]


async def test_escape_leaves_the_editor_and_teaches_nothing() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("f2", "!", "escape")
        assert d.sent == []
        assert d.teach.corrections.editing is None
        assert d.app.focused is d.teach.composer.prompt
        assert all(row.display for row in d.teach.replies.rows)


async def test_an_own_reply_is_typed_behind_a_chip_with_newlines() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("ctrl+t")
        assert "teach ›" in d.screen_text()
        await d.press("o", "n", "e", "ctrl+j", "t", "w", "o", "shift+enter", "3", "enter")
        assert d.sent == [c.Correct("one\ntwo\n3", pending.prompt_id, None)]
        assert "teach ›" not in d.screen_text()


async def test_the_chip_keeps_the_text_and_can_be_switched_off_again() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.type("Hi there.")
        assert "enter says it" in d.teach.query_one(Rule).label
        for key in ("ctrl+t", "tab"):
            await d.press(key)
            assert "enter teaches it" in d.teach.query_one(Rule).label
            assert "enter teach" in d.lines()[-1]
            await d.press(key)
            assert "enter says it" in d.teach.query_one(Rule).label
        await d.press("ctrl+t", "escape")
        assert d.teach.composer.text == "Hi there."
        await d.press("ctrl+t", "enter")
        assert d.sent == [c.Correct("Hi there.", pending.prompt_id, None)]


async def test_with_nothing_to_correct_there_is_no_chip() -> None:
    async with drive() as d:
        d.worker.changed(turns=(), turns_total=0)
        await d.settle()
        await d.press("ctrl+t", "h", "i", "enter")
        assert d.sent == [c.Propose("hi")]


async def test_a_chip_whose_prompt_is_gone_teaches_nothing() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("ctrl+t", "h", "i")
        d.worker.changed(phase="idle", pending=None)
        await d.settle()
        await d.press("enter")
        assert d.sent == []
        assert d.teach.composer.text == "hi"
        assert any("gone" in toast for toast in d.toasts)


async def test_typing_may_teach_as_the_setting_says() -> None:
    async with drive(typing="teach") as d:
        pending = await d.offer()
        await d.press("2")
        assert d.sent == [c.Pick(pending.prompt_id, 2)]
        d.worker.taught("hello", REPLIES[1], 2)
        pending = await d.offer()
        await d.type("Hi there.\n")
        assert d.sent[-1] == c.Correct("Hi there.", pending.prompt_id, None)
        d.worker.taught("hello", "Hi there.")
        pending = await d.offer()
        await d.press("ctrl+t")
        await d.type("well\n")
        assert d.sent[-2:] == [c.Say(pending.prompt_id), c.Propose("well")]


async def test_a_digit_that_something_follows_is_text() -> None:
    async with drive() as d:
        pending = await d.offer()
        for text in ("2 apples", "0", "6", "-1", "٣", "22"):
            await d.type(text)
            assert d.teach.composer.text == text
            assert d.sent == []
            d.teach.composer.put("")
            await d.settle()
        await d.type("2\n")  # Enter is no text
        assert d.sent == [c.Pick(pending.prompt_id, 2)]


async def test_a_digit_that_nothing_follows_picks_after_a_moment() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.type("4")
        assert d.sent == []
        await asyncio.sleep(HOLD + 0.05)
        await d.settle()
        assert d.sent == [c.Pick(pending.prompt_id, 4)]


async def test_escape_takes_a_digit_back_and_a_paste_makes_it_text() -> None:
    async with drive() as d:
        await d.offer()
        d._post_key("4")
        d._post_key("escape")
        await d.settle()
        assert (d.teach.composer.text, d.sent) == ("", [])
        d._post_key("4")
        d.app.post_message(events.Paste(" apples"))
        await d.settle()
        assert (d.teach.composer.text, d.sent) == ("4 apples", [])


async def test_no_letter_is_a_command() -> None:
    async with drive() as d:
        for text in ("just kidding", "yes please", "lol", "?", "i", "stop", "x"):
            pending = await d.offer()
            await d.type(text)
            assert d.teach.composer.text == text
            assert d.app.screen is d.teach
            await d.press("enter")
            assert d.sent[-2:] == [c.Say(pending.prompt_id), c.Propose(text)]
        assert {type(command) for command in d.sent} == {c.Say, c.Propose}


async def test_keys_that_arrive_in_one_burst_are_text_once_the_editor_opened() -> None:
    async with drive() as d:
        await d.offer()
        for key in ("f2", "3", "i", "x"):  # no pause between: the editor has not got the focus yet
            d.app.simulate_key(key)
        await d.settle()
        assert d.sent == []
        assert d.teach.replies.editor.editor.text == f"{REPLIES[0]}3ix"


async def test_a_blank_correction_is_refused() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("f2")
        for text in ("", " ", "\n", "\u200b"):
            d.teach.replies.editor.editor.text = text
            await d.press("enter")
        assert d.sent == []
        assert [toast for toast in d.toasts if "empty" in toast] == ["an empty reply is never learned"], (
            "once, not four times"
        )


async def test_a_reply_that_the_session_refuses_stands_in_the_editor_again() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("f2")
        d.teach.replies.editor.editor.text = "  too\nlong "
        await d.press("enter")
        assert d.sent == [c.Correct("  too\nlong ", pending.prompt_id, 1)]
        assert d.teach.corrections.editing is None
        d.worker.failed("it is too long", command="Correct", phase="choosing")
        await d.settle()
        assert d.teach.corrections.editing is not None
        assert d.teach.replies.editor.editor.text == "  too\nlong "
        await d.press("escape")
        d.worker.failed("the disk is full", command="Save", phase="choosing")
        await d.settle()
        assert d.teach.corrections.editing is None, "another failure does not bring it back"


async def test_a_correction_typed_as_a_command_that_is_refused_stands_in_the_composer_again() -> None:
    async with drive() as d:
        await d.type("/correct Far too long.\n")
        d.worker.failed("it is too long", command="Correct", phase="idle")
        await d.settle()
        assert d.teach.composer.text == "/correct Far too long."


async def test_f5_asks_for_others_and_escape_passes_over() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("f5")
        assert d.sent == [c.Regenerate(pending.prompt_id)]
        assert d.teach.state.prompt == pending.prompt
        pending = await d.offer()
        await d.press("escape")
        assert d.sent[-1] == c.PassOver(pending.prompt_id)
        d.worker.changed(phase="idle", pending=None)
        await d.settle()
        assert d.teach.state.mode == "idle"
        assert d.app.focused is d.teach.composer.prompt


async def test_f4_takes_back_the_last_lesson() -> None:
    async with drive() as d:
        await d.press("f4")
        assert d.sent == [c.TakeBack("undo")]
        d.worker.undone()
        await d.settle()
        assert "do you like music?" not in d.screen_text()
        assert any("taken back" in toast for toast in d.toasts)


async def test_after_undo_the_replies_offered_then_can_be_picked_from_again() -> None:
    async with drive(grace=0.4) as d:
        pending = await d.offer("do you like music?")
        await d.press("1")
        d.worker.taught("do you like music?", REPLIES[0], 1)
        await d.settle()
        await d.press("f4")
        d.worker.undone(pending)
        await d.settle()
        assert d.app.focused is d.teach.composer.prompt
        sent = len(d.sent)
        await d.press("enter")
        assert len(d.sent) == sent
        d.clock.seconds += 0.5
        await d.press("2")
        assert d.sent[-1] == c.Pick(pending.prompt_id, 2)


async def test_a_command_typed_in_one_burst_over_the_replies_teaches_nothing() -> None:
    async with drive() as d:
        await d.offer()
        await d.type("/set temperature 0.7\n")
        assert d.sent == [c.Configure("temperature", "0.7")]
        assert d.teach.corrections.editing is None


async def test_f8_copies_the_marked_reply_and_promises_no_more_than_it_knows() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("down", "f8")
        assert d.app.clipboard == REPLIES[1]
        assert any("if this terminal" in toast for toast in d.toasts)


async def test_f2_with_nothing_on_offer_corrects_the_last_turn() -> None:
    async with drive() as d:
        await d.press("f2")
        assert "do you like music?" in d.teach.query_one(Rule).label
        await d.press("!", "enter")
        assert d.sent == [c.Correct("I do! I like old songs with a good bass line.!")]


async def test_a_person_who_is_writing_goes_on_writing() -> None:
    async with drive() as d:
        await d.type("wait")
        pending = await d.offer()
        await d.press("3", "up", "down")
        assert d.sent == []
        assert d.teach.composer.text == "wait3"
        d.teach.composer.put("")
        await d.press("3")
        assert d.sent == [c.Pick(pending.prompt_id, 3)]


async def test_a_click_marks_and_a_second_click_picks() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.pilot.click("#reply-1")
        await d.settle()
        assert d.sent == []
        await d.pilot.click("#reply-4", offset=(12, 0))
        await d.settle()
        assert d.teach.replies.cursor == 4
        assert d.sent == []
        await d.pilot.click("#reply-4", offset=(20, 0))
        await d.settle()
        assert d.sent == [c.Pick(pending.prompt_id, 4)]


async def test_a_double_click_picks_but_not_in_the_grace_period() -> None:
    async with drive() as d:
        pending = await d.offer(settled=False)
        await d.pilot.click("#reply-2", times=2)
        await d.settle()
        assert d.sent == []
        d.clock.seconds += 1
        await d.pilot.click("#reply-3", times=2)
        await d.settle()
        assert d.sent == [c.Pick(pending.prompt_id, 3)]


async def test_replies_kept_from_last_time_can_be_picked_once_the_model_is_there() -> None:
    async with drive(ready=False) as d:
        pending = await d.offer()
        d.worker.post(p.Loading(d.worker.change(phase="loading")))
        await d.settle()
        await d.press("2")
        assert d.sent == []
        assert d.teach.composer.text == "2"
        d.teach.composer.put("")
        d.worker.ready()
        await d.settle()
        d.clock.seconds += 1
        await d.press("2")
        assert d.sent == [c.Pick(pending.prompt_id, 2)]


async def test_a_read_only_home_teaches_nothing_and_says_so() -> None:
    async with drive() as d:
        d.worker.change(read_only="the journal was written by a newer version")
        await d.offer()
        await d.press("2", "f2", "ctrl+t", "enter")
        assert [sent for sent in d.sent if not isinstance(sent, c.Propose)] == []
        assert "read-only" in d.lines()[0]
        assert "newer" in d.screen_text()


async def test_long_replies_wrap_and_the_marked_one_shows_all_of_itself() -> None:
    long = "word " * 60
    async with drive((80, 24)) as d:
        await d.offer(texts=(long, long, "c", "d", "e"))
        rows = d.teach.replies.rows
        assert rows[0].size.height > 3
        assert rows[1].size.height == 2
        await d.press("down")
        assert rows[0].size.height == 2
        assert rows[1].size.height > 3
        await d.press("down", "down", "down")
        assert d.teach.replies.cursor == 5
        assert rows[4].region.bottom <= d.teach.replies.region.bottom


async def test_replies_stream_into_their_rows() -> None:
    async with drive() as d:
        await d.type("hello\n")
        d.worker.stream("hello", ["I am", "Pret", "", "Never", "I'm"])
        await d.settle()
        assert "I am" in d.lines()[-9]
        assert [row.text for row in d.teach.replies.rows] == ["I am", "Pret", "", "Never", "I'm"]
