"""Starting, failing, leaving; themes and keys that a person chose."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from rich.color import Color
from textual.events import Key

from tests.support.fakes import REPLIES, FakeWorker, drive
from theta_tui.base.config import Settings
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.ui import app as app_module
from theta_tui.ui.app import ThetaApp, run_app
from theta_tui.ui.bindings import ALL, IDS, listed, unknown
from theta_tui.ui.messages import WorkerEvent


async def test_the_worker_starts_after_the_first_frame() -> None:
    worker = FakeWorker()
    app = ThetaApp(Settings(), worker)
    frames: list[bool] = []
    worker.on_start = lambda: frames.append(app.teach.is_mounted and app.teach.composer.region.area > 0)
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.pause()
    assert frames == [True]


async def test_what_is_typed_before_the_first_frame_is_in_the_composer_and_nothing_overtakes_it() -> None:
    class Early(ThetaApp):
        def on_mount(self) -> None:
            for char in "early":
                self.post_message(Key(char, char))

    worker = FakeWorker()
    app = Early(Settings(), worker)
    worker.on_start = lambda: app.post_message(Key("exclamation_mark", "!"))
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.pause()
        assert app.teach.composer.text == "early!"


def test_progress_replaces_progress_that_was_not_shown_yet_and_nothing_else() -> None:
    shot = p.Snapshot()
    learning = WorkerEvent(p.Learning(shot, 1, 16, 1.0, 0.1, 0.2))
    later = WorkerEvent(p.Learning(shot, 2, 16, 0.9, 0.1, 0.3))
    stream = WorkerEvent(p.Streaming(shot, "a", ()))
    notice = WorkerEvent(p.Notice(shot, "a"))
    assert later.can_replace(learning)
    assert not stream.can_replace(learning)
    assert not notice.can_replace(WorkerEvent(p.Notice(shot, "b")))


# --- failures ---


async def test_a_failure_is_shown_and_the_screen_lives() -> None:
    async with drive() as d:
        await d.type("hello\n")
        d.worker.failed("out of memory: try --dtype bfloat16", phase="idle", pending=None)
        await d.settle()
        assert any("out of memory" in toast for toast in d.toasts)
        assert "problem" in d.screen_text()
        assert d.teach.composer.text == "hello"
        await d.press("enter")
        assert d.sent == [c.Propose("hello")] * 2
        await d.offer()
        assert "problem" not in d.screen_text()


async def test_a_skipped_lesson_is_said_to_have_taught_nothing() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("1")
        d.worker.taught("how are you today?", "I am fine", 1, skipped="the loss was not finite")
        await d.settle()
        assert any("nothing was learned: the loss was not finite" in toast for toast in d.toasts)
        assert "nothing was learned" in d.screen_text()


async def test_a_fatal_failure_stays_on_the_screen_and_is_the_exit_code() -> None:
    async with drive(ready=False) as d:
        d.worker.loading()
        d.worker.failed("no config.json in foo/bar", fatal=True, code=4)
        await d.settle()
        assert "no config.json in foo/bar" in d.screen_text()
        await d.type("hello\n")
        assert d.sent == []
        assert d.teach.composer.text == "hello"
        await d.press("ctrl+q")
    assert d.app.return_code == 4
    assert d.worker.stopped


async def test_a_busy_home_leaves_at_once_with_75() -> None:
    async with drive(ready=False) as d:
        d.worker.failed("process 123 holds the home", fatal=True, code=75)
        await d.settle()
    assert d.app.return_code == 75
    assert d.app.parting == "process 123 holds the home"


async def test_what_is_written_has_the_colours_of_the_present_theme_and_styles() -> None:
    async with drive() as d:
        await d.type("hello")
        prompt = d.teach.composer.prompt

        async def colour() -> Color | None:
            await d.settle()
            style = next(iter(prompt.render_lines(prompt.size.region)[0])).style
            assert style is not None
            assert style.color == prompt.rich_style.color
            return style.color

        dark = await colour()
        d.app.theme = "textual-light"
        light = await colour()
        d.app.stylesheet.add_source("Prompt.red { color: red; }")
        prompt.add_class("red")
        assert len({dark, light, await colour()}) == 3


# --- leaving ---


async def test_keys_with_priority_are_found_wherever_the_person_put_them() -> None:
    async with drive(keymap={"app.quit": "f10", "app.interrupt": "x"}) as d:
        await d.press("ctrl+q", "y")
        assert not d.worker.stopped
        assert d.teach.composer.text == "y"
        await d.press("ctrl+p")
        assert d.app.screen is not d.teach
        await d.press("escape", "x")
        assert any("again to leave" in toast for toast in d.toasts)
        await d.press("f10")
        assert d.worker.stopped


async def test_quit_stops_the_worker_and_waits_for_it() -> None:
    for keys in (["ctrl+q"], ["/", "q", "u", "i", "t", "enter"]):
        async with drive() as d:
            await d.press(*keys)
            assert d.worker.stopped
        assert d.app.return_code == 0


async def test_it_stays_until_the_worker_has_ended() -> None:
    async with drive(worker=FakeWorker(ends=False)) as d:
        pressed = asyncio.create_task(d.press("ctrl+q"))
        while not d.worker.stopped:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert d.app.return_code is None
        d.worker.ends = True
        await pressed
    assert (d.app.return_code, d.app.parting) == (0, "")


async def test_an_event_that_comes_while_the_screen_goes_away_is_no_failure() -> None:
    app = ThetaApp(Settings(), FakeWorker())
    async with app.run_test() as pilot:
        await pilot.pause()
        screen = app.teach
    shot = p.Snapshot("idle")
    for event in (p.Changed(shot), p.Saved(shot, "here", 0.1, asked=False), p.Failed(shot, "no", "Pick")):
        screen.apply(event)
    assert screen.state.snapshot is shot


async def test_a_worker_that_does_not_end_is_mentioned_on_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theta_tui.ui.app.LEAVE_SECONDS", 0.1)
    async with drive(worker=FakeWorker(ends=False)) as d:
        await d.press("ctrl+q")
    assert "journal" in d.app.parting


async def test_ctrl_c_leaves_only_on_the_second_press() -> None:
    async with drive() as d:
        await d.press("ctrl+c")
        assert not d.worker.stopped
        assert any("again" in toast for toast in d.toasts)
        d.clock.seconds += 5
        await d.press("ctrl+c")
        assert not d.worker.stopped
        await d.press("ctrl+c")
        assert d.worker.stopped


async def test_ctrl_c_in_a_lesson_is_over_with_the_lesson() -> None:
    async with drive() as d:
        await d.offer()
        await d.press("1")
        d.worker.learning()
        await d.settle()
        d.app.tell("something else")
        await d.press("ctrl+c")
        assert d.sent[-1] == c.Cancel()
        d.worker.learning(4)
        await d.settle()
        assert "stopping; press ctrl+c again to leave" in d.screen_text()
        d.worker.taught("how are you today?", REPLIES[0], 1)
        await d.settle()
        assert "stopping" not in d.screen_text()
        assert "something else" in d.screen_text()
        await d.press("ctrl+c")
        assert not d.worker.stopped
        assert "press ctrl+c again to leave" in d.screen_text()
        await d.press("ctrl+c")
        assert d.worker.stopped


async def test_ctrl_c_while_replies_are_written_is_over_when_those_of_the_next_prompt_are() -> None:
    async with drive() as d:
        await d.type("hello\nand then?\n")
        await d.press("ctrl+c")
        assert "stopping" in d.screen_text()
        d.worker.cancelled("hello")
        await d.settle()
        assert d.sent[-1] == c.Propose("and then?")
        assert "stopping" not in d.screen_text()
        await d.press("ctrl+c")
        assert not d.worker.stopped
        assert d.sent[-1] == c.Cancel()
        await d.press("ctrl+c")
        assert d.worker.stopped


async def test_ctrl_c_stops_writing_and_copies_a_selection() -> None:
    async with drive() as d:
        await d.type("hello\n")
        await d.press("ctrl+c")
        assert d.sent[-1] == c.Cancel()
        d.worker.cancelled("hello")
        await d.settle()
        d.teach.composer.prompt.select_all()
        await d.press("ctrl+c")
        assert d.app.clipboard == "hello"
        assert not d.worker.stopped


async def test_a_signal_leaves_like_quit_with_its_own_code_and_a_second_at_once() -> None:
    async with drive() as d:
        d.app._signalled(143)
        await d.settle()
        assert d.worker.stopped
    assert d.app.return_code == 143
    async with drive() as d:
        d.app._leaving = True
        d.app._signalled(129)
        await d.settle()
    assert d.app.return_code == 129


def test_run_app_stops_the_worker_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    worker = FakeWorker()

    def explode(self: ThetaApp) -> None:
        raise ValueError("the screen broke")

    monkeypatch.setattr(app_module.ThetaApp, "run", explode)
    with pytest.raises(ValueError, match="the screen broke"):
        run_app(Settings(), worker)
    assert worker.stopped

    def leave(self: ThetaApp) -> None:
        self.code, self.parting = 75, "held by \x1b[31m123"

    monkeypatch.setattr(app_module.ThetaApp, "run", leave)
    assert run_app(Settings(), FakeWorker()) == 75
    assert capfd.readouterr().err == "theta: held by ␛[31m123\n"


# --- what the person chose ---


async def test_a_theme_is_kept_and_used_again() -> None:
    kept: list[tuple[str, object]] = []
    async with drive(persist=lambda name, value: kept.append((name, value))) as d:
        assert d.app.theme == "theta"
        await d.type("/theme gruvbox\n")
        assert kept == [("theme", "gruvbox")]
    async with drive(theme="gruvbox") as d:
        assert d.app.theme == "gruvbox"
    async with drive(theme="nope") as d:
        assert d.app.theme == "theta"
        assert any("no theme nope" in toast for toast in d.toasts)


async def test_a_theme_that_cannot_be_kept_is_no_catastrophe() -> None:
    def fail(name: str, value: object) -> None:
        raise OSError("[/read-only] file system")

    async with drive(persist=fail) as d:
        await d.type("/theme nord\n")
        assert d.app.theme == "nord"
        assert any("could not be kept" in toast for toast in d.toasts)


async def test_themes_of_every_kind_draw() -> None:
    async with drive() as d:
        await d.offer()
        for name in ("theta-light", "ansi-dark", "textual-light"):
            d.app.theme = name
            await d.settle()
            assert REPLIES[1] in d.screen_text()


async def test_no_color_draws_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with drive() as d:
        await d.offer()
        await d.press("down")
        marked = [line for line in d.lines() if "›" in line and "Pretty good" in line]
        assert marked, "the mark is a sign, not only a colour"
        for strip in d.app.screen._compositor.render_strips():
            for segment in d.app._filters[0].apply(list(strip), d.app.screen.background_colors[1]):
                color = segment.style.color if segment.style else None
                if color is not None and color.triplet is not None:
                    assert max(color.triplet) - min(color.triplet) <= 1


async def test_keys_can_be_mapped_and_the_bottom_line_shows_them() -> None:
    async with drive((120, 36), keymap={"pick.edit": "f9", "pick.1": "a", "nope.nope": "z"}) as d:
        pending = await d.offer()
        assert "f9 fix" in d.lines()[-1]
        assert any("nope.nope" in toast for toast in d.toasts)
        await d.press("f2")
        assert "edit reply 1" not in d.screen_text()
        await d.press("f9")
        assert "edit reply 1" in d.screen_text()
        await d.press("escape", "a")
        assert d.sent == [c.Pick(pending.prompt_id, 1)]


def test_an_id_that_is_none_is_named_with_the_nearest_and_all_there_are() -> None:
    assert unknown({"pick.edit": "f9", "pick.say": "x"}) == [], "an id of before is no mistake"
    assert unknown({"pick.edti": "f9"}) == ["keymap: there is no key with the id pick.edti; did you mean pick.edit?"]
    assert unknown({"zzzzz.quit": "q"}) == ["keymap: there is no key with the id zzzzz.quit; did you mean app.quit?"]
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for name in IDS:
        group, _, rest = name.partition(".")
        assert re.search(rf"\b{group}\.[\w ]*\b{rest}\b", listed()), name
        assert re.search(rf"\| `{group}\.` \|[^|]*`{rest}`", readme), f"the README lists {name}"


def test_every_binding_has_an_id_of_its_own() -> None:
    ids = [binding.id for binding in ALL]
    assert all(ids)
    assert len(set(ids)) == len(ids)


async def test_the_bottom_line_names_only_keys_that_apply() -> None:
    async with drive((120, 36)) as d:
        assert "pick" not in d.lines()[-1]
        await d.offer()
        assert "1-5 pick" in d.lines()[-1]
        assert "others" in d.lines()[-1]
        await d.press("f2")
        line = d.lines()[-1]
        assert "enter teach" in line
        assert "esc leave" in line
        assert "pick" not in line
        await d.press("escape", "1")
        d.worker.learning()
        await d.settle()
        assert "pick" not in d.lines()[-1]


async def test_what_happened_in_the_background_is_told() -> None:
    async with drive() as d:
        d.worker.saved(asked=False)
        d.worker.notice("the context was cut to the last 12 turns")
        await d.settle()
        assert d.toasts == ["saved", "the context was cut to the last 12 turns"]
        assert "saved 0:00 ago" in d.lines()[0]
