"""A stated fact: offered in one line, looked over in an editor, learned beside the five replies."""

from __future__ import annotations

from textual.events import Paste

from tests.support.fakes import REPLIES, drive
from theta_tui.base.files import assets_dir
from theta_tui.facts.statements import load_dictionary, read
from theta_tui.session import commands as c
from theta_tui.session.verbs import NO_FACT
from theta_tui.store.records import Stated
from theta_tui.ui.widgets.rule import Rule

FACT = Stated("Who is your creator?", "My creator is Dakota.")
SAID = "Your creator is Dakota."
OFFER = "f3  learn: Who is your creator? → My creator is Dakota."


async def test_a_stated_fact_is_offered_in_one_line_and_no_reply_is_dropped_for_it() -> None:
    async with drive() as d:
        for size in ((80, 24), (120, 36), (60, 30), (70, 12), (40, 12), (40, 10), (30, 9), (20, 6)):
            await d.pilot.resize_terminal(*size)
            await d.offer(SAID, statement=FACT)
            for row in d.teach.replies.rows:
                assert row.region.height >= 1, size
            if size[0] >= 60:
                assert OFFER in d.screen_text(), size
            assert d.teach.composer.prompt.region.bottom <= size[1]
            window = d.teach.replies.region
            if size[1] >= 12:
                assert all(window.contains_region(row.region) for row in d.teach.replies.rows), size


async def test_nothing_is_offered_where_nothing_was_stated() -> None:
    async with drive() as d:
        await d.offer("hello")
        assert "learn:" not in d.screen_text()
        await d.press("f3")
        assert not d.teach.fact.editing


async def test_f3_opens_both_parts_and_enter_learns_them() -> None:
    async with drive() as d:
        pending = await d.offer(SAID, statement=FACT)
        await d.press("f3")
        assert d.teach.fact.prompt.text == FACT.prompt
        assert d.teach.fact.reply.text == FACT.reply
        assert "enter teaches it" in d.teach.query_one(Rule).label
        await d.press("enter")
        assert d.sent == [c.TeachFact(pending.prompt_id, FACT.prompt, FACT.reply)]


async def test_question_and_answer_can_be_changed_and_digits_are_text_there() -> None:
    async with drive() as d:
        pending = await d.offer(SAID, statement=FACT)
        await d.press("f3")
        await d.press("backspace", "1", "?", "tab", "backspace", "!", "enter")
        assert d.sent == [c.TeachFact(pending.prompt_id, "Who is your creator1?", "My creator is Dakota!")]


async def test_keys_of_the_same_burst_go_into_the_editor() -> None:
    async with drive() as d:
        await d.offer(SAID, statement=FACT)
        for key in ("f3", *"12yx"):
            d._post_key(key)
        await d.settle()
        assert d.sent == []
        assert d.teach.fact.prompt.text == FACT.prompt + "12yx"


async def test_escape_leaves_the_editor_and_the_offer_stays() -> None:
    async with drive() as d:
        pending = await d.offer(SAID, statement=FACT)
        await d.press("f3", "x", "escape")
        assert d.sent == []
        assert OFFER in d.screen_text()
        await d.press("2")
        assert d.sent == [c.Pick(pending.prompt_id, 2)]


async def test_after_it_is_learned_the_offer_is_gone_and_the_five_replies_still_wait() -> None:
    async with drive() as d:
        pending = await d.offer(SAID, statement=FACT)
        await d.press("f3", "enter")
        d.worker.stated(prompt=FACT.prompt, reply=FACT.reply)
        await d.settle()
        assert "learn:" not in d.screen_text()
        assert all(reply in d.screen_text() for reply in REPLIES if len(reply) < 40)
        taught = list(d.sent)
        await d.press("enter")  # one too many
        assert d.sent == taught
        d.clock.seconds += 1
        d.teach.draw()
        assert "2 % → 97 %" in d.teach.query_one(Rule).label
        await d.press("1")
        assert d.sent[-1] == c.Pick(pending.prompt_id, 1)


async def test_an_empty_part_is_never_learned() -> None:
    async with drive() as d:
        await d.offer(SAID, statement=FACT)
        await d.press("f3", "tab")
        d.teach.fact.reply.text = " "
        await d.press("enter")
        assert d.sent == []
        assert d.teach.fact.editing


async def test_slash_fact_opens_the_same_editor() -> None:
    async with drive() as d:
        await d.offer(SAID, statement=FACT)
        await d.type("/fact\n")
        assert d.teach.fact.editing
        assert d.app.focused is d.teach.fact.prompt
        await d.press("enter")
        assert isinstance(d.sent[-1], c.TeachFact)


async def test_slash_fact_without_an_offer_says_so() -> None:
    async with drive() as d:
        await d.offer("hello")
        await d.type("/fact\n")
        assert any("no fact" in toast for toast in d.toasts)
        assert d.sent == []


async def test_a_key_that_does_nothing_now_says_why() -> None:
    async with drive() as d:
        await d.press("f3")
        assert d.toasts[-1] == "no fact was found in what you said; a fact reads like: my cat is called Tom"
        await d.offer("hello")
        await d.press("f3", "f6", "ctrl+g")
        assert d.toasts[1:] == ["there is nothing to redo now", "no reply was cut; … stands behind one that was"]
        assert d.sent == []
        assert "f3" not in d.lines()[-1]
        await d.press("f2", "f3")  # the editor is open
        assert len(d.toasts) == 3


def test_the_sentence_about_facts_names_one() -> None:
    dictionary = load_dictionary(assets_dir() / "statements.toml")
    assert read(NO_FACT.rpartition(": ")[2], dictionary) is not None


async def test_a_fact_with_controls_and_markup_is_shown_letter_for_letter() -> None:
    async with drive((120, 36)) as d:
        await d.offer("x", statement=Stated("[b]Who[/]?\x1b[2J", "[@click=app.quit]I[/]"))
        assert "[b]Who[/]?␛[2J → [@click=app.quit]I[/]" in d.screen_text()


async def test_f3_opens_a_fresh_offer_at_once_because_that_teaches_nothing() -> None:
    async with drive() as d:
        await d.offer(SAID, statement=FACT, settled=False)
        await d.press("f3")
        assert d.teach.fact.editing
        assert d.sent == []


async def test_a_paste_that_no_field_took_goes_into_the_part_that_is_edited() -> None:
    async with drive() as d:
        await d.offer(SAID, statement=FACT)
        await d.press("f3", "tab")
        d.teach.set_focus(None)
        d.app.post_message(Paste(" pasted"))
        await d.settle()
        assert d.teach.fact.prompt.text == f"{FACT.prompt} pasted"
        assert d.teach.replies.editor.editor.text == ""


async def test_a_fact_that_the_session_refuses_stands_in_the_editor_again() -> None:
    async with drive() as d:
        await d.offer(SAID, statement=FACT)
        await d.press("f3")
        d.teach.fact.reply.text = "far too long"
        await d.press("enter")
        assert not d.teach.fact.editing
        d.worker.failed("it is too long", command="TeachFact", phase="choosing")
        await d.settle()
        assert d.teach.fact.editing
        assert (d.teach.fact.prompt.text, d.teach.fact.reply.text) == (FACT.prompt, "far too long")
