"""Five replies are offered; one is picked, fixed, refused or copied."""

from __future__ import annotations

from tests.support.fakes import REPLIES, drive
from theta_tui.session import protocol as p
from theta_tui.ui.widgets.rule import Rule


async def test_a_digit_picks_that_reply() -> None:
    async with drive() as d:
        for digit in range(1, 6):
            pending = await d.offer()
            await d.press(str(digit))
            assert d.sent[-1] == p.Pick(pending.prompt_id, digit)
            d.worker.taught("hello", REPLIES[digit - 1], digit)
            await d.settle()


async def test_enter_picks_the_marked_reply() -> None:
    async with drive() as d:
        for keys, picked in (([], 1), (["down"], 2), (["j", "j"], 3), (["up"], 5), (["j", "k"], 1)):
            pending = await d.offer()
            await d.press(*keys, "enter")
            assert d.sent[-1] == p.Pick(pending.prompt_id, picked)
            d.worker.taught("hello", REPLIES[picked - 1], picked)
            await d.settle()


async def test_fresh_replies_ignore_digits_and_enter_for_the_grace_period() -> None:
    async with drive(grace=0.4) as d:
        pending = await d.offer(settled=False)
        await d.press("3", "enter", "x", "r", "u")
        assert d.sent == []
        assert "one moment" in d.teach.query_one(Rule).label
        d.clock.seconds += 0.39
        await d.press("3")
        assert d.sent == []
        d.clock.seconds += 0.02
        await d.press("3")
        assert d.sent == [p.Pick(pending.prompt_id, 3)]


async def test_a_letter_in_the_grace_period_was_meant_for_the_composer() -> None:
    async with drive() as d:
        await d.offer(settled=False)
        await d.press("w", "h", "o")
        assert d.teach.composer.text == "who"
        assert d.teach.corrections.editing is None
        assert d.sent == []


async def test_a_pick_shows_progress_then_the_turn_and_gives_the_composer_the_focus() -> None:
    async with drive() as d:
        await d.offer("how are you today?")
        await d.press("2")
        d.worker.learning(3, 0.41)
        await d.settle()
        rule = d.teach.query_one(Rule)
        assert "step 3" in rule.label
        assert "2 % → 41 %" in rule.label
        assert rule.filled == 0.41
        assert d.teach.replies.rows[1].look == "chosen"
        d.worker.taught("how are you today?", REPLIES[1], 2)
        await d.settle()
        assert "learned" in rule.label
        assert "2 % → 97 %" in rule.label
        assert REPLIES[1] in d.screen_text()
        assert d.app.focused is d.teach.composer.prompt


async def test_a_second_pick_while_learning_is_not_sent_and_not_typed() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("2")
        d.worker.learning()
        await d.settle()
        d.teach.replies.focus()
        await d.press("3", "enter")
        assert len(d.sent) == 1
        assert d.teach.composer.text == ""


async def test_e_edits_the_marked_reply_in_place_and_enter_teaches_it() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("down", "e")
        editor = d.teach.replies.editor.editor
        assert editor.text == REPLIES[1]
        assert not d.teach.replies.rows[1].display
        assert d.teach.replies.rows[0].display
        await d.press("backspace", "!", "enter")
        text = REPLIES[1][:-1] + "!"
        assert d.sent == [p.Correct(text, pending.prompt_id, 2)]
        assert d.teach.replies.rows[1].display


async def test_an_edit_that_changes_nothing_is_a_pick() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("e", "enter")
        assert d.sent == [p.Pick(pending.prompt_id, 1)]


async def test_escape_leaves_the_editor_and_teaches_nothing() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("e", "!", "escape")
        assert d.sent == []
        assert d.teach.corrections.editing is None
        assert d.app.focused is d.teach.replies
        assert all(row.display for row in d.teach.replies.rows)


async def test_t_types_a_reply_from_nothing_with_newlines() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("t", "o", "n", "e", "ctrl+j", "t", "w", "o", "shift+enter", "3", "enter")
        assert d.sent == [p.Correct("one\ntwo\n3", pending.prompt_id, None)]


async def test_a_key_that_is_no_binding_asks_whether_to_teach_it() -> None:
    async with drive() as d:
        for key in ("0", "6", "-", "٣"):
            before = len(d.sent)
            pending = await d.offer()
            await d.press(key)
            assert len(d.sent) == before
            assert "teach this text?" in d.teach.query_one(Rule).label
            await d.press("3", "enter")
            assert d.sent[-1] == p.Correct(f"{key}3", pending.prompt_id, None)
            d.worker.taught("hello", f"{key}3")
            await d.settle()


async def test_keys_that_arrive_in_one_burst_are_text_once_the_editor_opened() -> None:
    async with drive() as d:
        await d.offer()
        for key in ("t", "3", "i", "x"):  # no pause between: the editor has not got the focus yet
            d.app.simulate_key(key)
        await d.settle()
        assert d.sent == []
        assert d.teach.replies.editor.editor.text == "3ix"


async def test_a_blank_correction_is_refused() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("t")
        for text in ("", " ", "\n", "\u200b"):
            d.teach.replies.editor.editor.text = text
            await d.press("enter")
        assert d.sent == []
        assert sum("empty" in toast for toast in d.toasts) == 4


async def test_a_reply_that_the_session_refuses_stands_in_the_editor_again() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("e")
        d.teach.replies.editor.editor.text = "  too\nlong "
        await d.press("enter")
        assert d.sent == [p.Correct("  too\nlong ", pending.prompt_id, 1)]
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


async def test_r_asks_for_others_and_x_passes_over() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.press("r")
        assert d.sent == [p.Regenerate(pending.prompt_id)]
        assert d.teach.state.prompt == pending.prompt
        pending = await d.offer()
        await d.press("x")
        assert d.sent[-1] == p.PassOver(pending.prompt_id)
        d.worker.changed(phase="idle", pending=None)
        await d.settle()
        assert d.teach.state.mode == "idle"
        assert d.app.focused is d.teach.composer.prompt


async def test_u_takes_back_the_last_lesson() -> None:
    async with drive() as d:
        await d.press("tab", "u")
        assert d.sent == [p.TakeBack("undo")]
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
        await d.press("tab", "u")
        d.worker.undone(pending)
        await d.settle()
        assert d.app.focused is d.teach.replies
        sent = len(d.sent)
        await d.press("2")
        assert len(d.sent) == sent
        d.clock.seconds += 0.5
        await d.press("2")
        assert d.sent[-1] == p.Pick(pending.prompt_id, 2)


async def test_a_command_typed_in_one_burst_over_the_replies_teaches_nothing() -> None:
    async with drive() as d:
        await d.offer()
        await d.type("/set temperature 0.7\n")
        assert d.sent == [p.Configure("temperature", "0.7")]
        assert d.teach.corrections.editing is None


async def test_y_copies_the_marked_reply_and_promises_no_more_than_it_knows() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("down", "y")
        assert d.app.clipboard == REPLIES[1]
        assert any("if this terminal" in toast for toast in d.toasts)


async def test_e_with_nothing_on_offer_corrects_the_last_turn() -> None:
    async with drive() as d:
        await d.press("tab", "e")
        assert "do you like music?" in d.teach.query_one(Rule).label
        await d.press("!", "enter")
        assert d.sent == [p.Correct("I do! I like old songs with a good bass line.!")]


async def test_the_focus_stays_with_a_person_who_is_writing() -> None:
    async with drive() as d:
        await d.type("wait")
        await d.offer()
        assert d.app.focused is d.teach.composer.prompt
        await d.press("3")
        assert d.sent == []
        assert d.teach.composer.text == "wait3"
        await d.press("tab", "3")
        assert isinstance(d.sent[0], p.Pick)


async def test_tab_escape_and_i_switch_between_replies_and_composer() -> None:
    async with drive() as d:
        await d.offer()
        assert d.app.focused is d.teach.replies
        for key, focused in (("tab", "say"), ("tab", "candidates"), ("i", "say"), ("escape", "candidates")):
            await d.press(key)
            assert d.app.focused is not None
            assert d.app.focused.id == focused


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
        assert d.sent == [p.Pick(pending.prompt_id, 4)]


async def test_a_double_click_picks_but_not_in_the_grace_period() -> None:
    async with drive() as d:
        pending = await d.offer(settled=False)
        await d.pilot.click("#reply-2", times=2)
        await d.settle()
        assert d.sent == []
        d.clock.seconds += 1
        await d.pilot.click("#reply-3", times=2)
        await d.settle()
        assert d.sent == [p.Pick(pending.prompt_id, 3)]


async def test_replies_kept_from_last_time_can_be_picked_once_the_model_is_there() -> None:
    async with drive(ready=False) as d:
        pending = await d.offer()
        d.worker.post(p.Loading(d.worker.change(phase="loading")))
        await d.settle()
        await d.press("2")
        assert d.sent == []
        d.teach.composer.put("")
        d.worker.ready()
        await d.settle()
        d.clock.seconds += 1
        await d.press("2")
        assert d.sent == [p.Pick(pending.prompt_id, 2)]


async def test_a_read_only_home_teaches_nothing_and_says_so() -> None:
    async with drive() as d:
        d.worker.change(read_only="the journal was written by a newer version")
        await d.offer()
        await d.press("2", "e", "t", "enter")
        assert [c for c in d.sent if not isinstance(c, p.Propose)] == []
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
