"""What is written, sent, remembered, pasted and commanded."""

from __future__ import annotations

from textual import events

from tests.support.fakes import REPLIES, drive
from theta_tui.base.text import MAX_TEXT
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.ui.screens.info import HelpScreen, StatsScreen


async def test_enter_sends_and_newlines_stay() -> None:
    async with drive() as d:
        await d.press("a", "ctrl+j", "b", "shift+enter", "c", "enter")
        assert d.sent == [c.Propose("a\nb\nc")]
        assert d.teach.composer.text == ""


async def test_a_burst_of_keys_is_sent_whole_and_what_follows_begins_the_next_text() -> None:
    async with drive() as d:
        for key in ("h", "i", "enter", "y", "o"):
            d.app.simulate_key(key)
        await d.settle()
        assert d.sent == [c.Propose("hi")]
        assert d.teach.composer.text == "yo"


async def test_blank_text_is_not_sent() -> None:
    async with drive() as d:
        for text in ("", "   ", "\u200b"):
            d.teach.composer.put(text)
            await d.press("enter")
        assert d.sent == []


async def test_a_prompt_sent_while_loading_waits_and_is_shown() -> None:
    async with drive(ready=False) as d:
        d.worker.loading()
        await d.settle()
        await d.type("hello there\n")
        assert d.sent == []
        assert "hello there" in d.screen_text()
        assert "waits" in d.screen_text()
        d.worker.ready()
        await d.settle()
        assert d.sent == [c.Propose("hello there")]


async def test_text_sent_while_choosing_is_a_new_prompt() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.type("another\n")
        assert d.sent == [c.Say(pending.prompt_id), c.Propose("another")]
        d.worker.said()
        await d.settle()
        assert d.teach.state.prompt == "another"
        assert "○" in d.screen_text()


async def test_text_sent_while_replies_are_written_follows_them() -> None:
    async with drive() as d:
        await d.type("one\n")
        d.worker.stream("one", ["a"] * 5)
        await d.settle()
        await d.type("two\n")
        assert d.sent == [c.Propose("one")]
        pending = await d.offer("one")
        assert d.sent[1:] == [c.Say(pending.prompt_id), c.Propose("two")]


async def test_text_sent_while_learning_waits_for_the_lesson() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("1")
        d.worker.learning()
        await d.settle()
        await d.type("next\n")
        assert len(d.sent) == 1
        d.worker.taught("how are you today?", REPLIES[0], 1)
        await d.settle()
        assert d.sent[-1] == c.Propose("next")


async def test_escape_stops_writing_and_gives_the_prompt_back() -> None:
    async with drive() as d:
        await d.type("hello\n")
        d.worker.stream("hello", ["a"] * 5)
        await d.settle()
        await d.press("escape")
        assert d.sent[-1] == c.Cancel()
        d.worker.cancelled("hello")
        await d.settle()
        assert d.teach.composer.text == "hello"


async def test_up_goes_back_through_what_was_said_and_down_returns_to_the_draft() -> None:
    async with drive() as d:
        await d.type("first\n")
        await d.offer()
        await d.type("draft")
        seen = []
        for key in ("up", "up", "up", "down", "down", "down"):
            await d.press(key)
            seen.append(d.teach.composer.text)
        assert seen == ["first", "do you like music?", "who is your creator?", "do you like music?", "first", "draft"]


async def test_up_moves_within_several_lines_first() -> None:
    async with drive() as d:
        await d.press("a", "ctrl+j", "b", "up")
        assert d.teach.composer.text == "a\nb"
        await d.press("up")
        assert d.teach.composer.text == "do you like music?"


async def test_a_paste_of_many_lines_is_kept_whole() -> None:
    text = "\n".join(f"line {n}" for n in range(300))
    async with drive((80, 24)) as d:
        d.app.post_message(events.Paste(text))
        await d.settle()
        assert d.teach.composer.text == text
        assert d.teach.composer.prompt.size.height == 5
        await d.press("enter")
        assert d.sent == [c.Propose(text)]


async def test_a_paste_into_a_window_without_the_focus_goes_where_typing_would() -> None:
    async with drive() as d:
        for keys, editor in (((), d.teach.composer.prompt), (("f2",), d.teach.replies.editor.editor)):
            await d.offer()
            await d.press(*keys)
            d.app.post_message(events.AppBlur())
            await d.settle()
            assert d.app.focused is None
            d.app.post_message(events.Paste("apples"))
            await d.settle()
            assert editor.text.endswith("apples")
            assert d.sent == []
            d.teach.composer.put("")


async def test_a_huge_paste_is_cut_with_notice_and_the_screen_lives() -> None:
    async with drive((80, 24)) as d:
        d.app.post_message(events.Paste("word " * 200_000))
        await d.settle()
        assert len(d.teach.composer.text) == MAX_TEXT
        assert any("first 100,000 were kept" in toast for toast in d.toasts)
        await d.press("enter")
        assert len(d.sent) == 1
        assert "1 MB" not in d.screen_text()
        assert len(d.lines()) == 24


# --- commands ---


async def test_slash_commands_do_what_they_say() -> None:
    async with drive() as d:
        for line, command in (
            ("/save", c.Save()),
            ("/new", c.NewConversation()),
            ("/ask who are you?", c.Ask("who are you?")),
            ("/set temperature 0.5", c.Configure("temperature", "0.5")),
            ("/UNDO", c.TakeBack("undo")),
            ("/correct I am Theta.", c.Correct("I am Theta.")),
            ("/export trl ~/my lessons", c.Export("trl", "~/my lessons")),
        ):
            await d.type(f"{line}\n")
            assert d.sent[-1] == command
            assert d.teach.composer.text == ""


async def test_two_slashes_say_text_that_begins_with_one() -> None:
    async with drive() as d:
        await d.type("//help me\n")
        assert d.sent == [c.Propose("/help me")]


async def test_correct_and_regen_answer_the_prompt_that_waits() -> None:
    async with drive() as d:
        pending = await d.offer()
        await d.type("/")
        await d.type("regen\n")
        assert d.sent == [c.Regenerate(pending.prompt_id)]
        pending = await d.offer()
        await d.type("/correct Better.\n")
        assert d.sent[-1] == c.Correct("Better.", pending.prompt_id)


async def test_a_mistaken_command_is_explained_kept_and_never_said() -> None:
    async with drive() as d:
        for line, words in (
            ("/frobnicate", "there is no /frobnicate"),
            ("/etc/passwd", "there is no /etc/passwd"),
            ("/correct", "/correct needs a text, as in"),
            ("/withdraw", "/withdraw needs the number of a lesson, as in /withdraw 3"),
            ("/withdraw x", "/withdraw needs the number of a lesson, as in /withdraw 3"),
            ("/withdraw 1 2", "/withdraw needs the number of a lesson, as in /withdraw 3"),
            ("/ask", "/ask needs a text, as in"),
            (
                "/export",
                "/export needs hf or gguf (the model), peft (adapters) or trl (the lessons) and a folder, as in",
            ),
            (
                "/export trl",
                "/export needs hf or gguf (the model), peft (adapters) or trl (the lessons) and a folder, as in",
            ),
            ("/set", "/set needs a name and a value, as in"),
            ("/undo it", "takes nothing"),
            ("/set temperature", "needs a name and a value"),
            ("/set temperature hot", "is not a value"),
            ("/set device cuda", "cannot be changed"),
            ("/theme nope", "no theme nope"),
            ("/regen", "there are no replies now"),
        ):
            d.teach.composer.put(line)
            await d.settle()
            d.teach.composer.close_popup()
            await d.press("enter")
            assert d.sent == []
            assert any(words in toast for toast in d.toasts), (line, d.toasts)
            assert d.teach.composer.text == line


async def test_the_popup_completes_commands_settings_and_themes() -> None:
    async with drive() as d:
        await d.type("/s")
        assert [item.shown for item in d.teach.composer.popup.items] == ["/stats", "/save", "/set NAME VALUE"]
        await d.press("down", "down", "tab")
        assert d.teach.composer.text == "/set "
        await d.type("temp")
        await d.press("tab")
        assert d.teach.composer.text == "/set temperature "
        d.teach.composer.put("/theme dra")
        await d.settle()
        await d.press("enter")
        assert d.app.theme == "dracula"


async def test_enter_runs_the_marked_completion_and_escape_closes_the_popup() -> None:
    async with drive() as d:
        await d.type("/sa")
        await d.press("escape")
        assert not d.teach.composer.popup.display
        await d.type("v")
        assert d.teach.composer.popup.display
        await d.press("enter")
        assert d.sent == [c.Save()]


async def test_help_and_figures_open_and_close() -> None:
    async with drive() as d:
        await d.press("f1")
        assert isinstance(d.app.screen, HelpScreen)
        assert "take back your last lesson" in d.screen_text()
        await d.press("escape")
        await d.type("/stats\n")
        assert isinstance(d.app.screen, StatsScreen)
        assert "10,859,200" in d.screen_text()
        await d.press("escape", "f1")
        assert isinstance(d.app.screen, HelpScreen)


async def test_an_answer_to_ask_stands_beside_the_conversation() -> None:
    async with drive() as d:
        d.worker.post(p.Answered(d.worker.shot, "who are you?", "I am Theta."))
        await d.settle()
        text = d.screen_text()
        assert text.index("do you like music?") < text.index("who are you?") < text.index("I am Theta.")


async def test_the_palette_offers_the_same_verbs() -> None:
    async with drive() as d:
        await d.press("ctrl+p")
        await d.type("save")
        await d.pilot.app.workers.wait_for_complete()
        await d.press("enter")
        assert d.sent == [c.Save()]
