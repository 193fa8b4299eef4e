"""No text from model, person, file or exception is parsed as markup or reaches the terminal as a control."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.events import Paste
from textual.widgets import Static

from tests.support.fakes import Driven, FakeWorker, drive, outcome, snapshot, turn
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.ui.compat.editor import hold, release
from theta_tui.ui.safe import MOST, fit, wrap

MARKUP = "[/ [/b] [b]bold[/b] [@click=app.quit]quit[/] [red]"
CONTROLS = "\x1b]52;c;aGk=\x07\x1b[31m\x9b31m\x00\x08\x0b\x7f\x85\u202e\u2066\u200b\u2028\r"
NASTY = f"{MARKUP}{CONTROLS}end"


def problems(app: App[Any]) -> list[str]:
    """Characters of the screen that a terminal could obey, and styles that a click would run."""
    found = []
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            found += [
                repr(char)
                for char in segment.text
                if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or "\ue000" <= char <= "\uf8ff"
            ]
            meta = segment.style.meta if segment.style is not None else {}
            found += [f"{key}={value}" for key, value in meta.items() if key == "@click"]
    return found


class Careless(App[None]):
    """What happens without care: the positive control of this file."""

    def compose(self) -> ComposeResult:
        yield Static("\x1b[31m", markup=False)
        yield Static("[@click=app.quit]x[/]")


async def test_the_check_itself_finds_controls_and_markup() -> None:
    async with Careless().run_test() as pilot:
        found = problems(pilot.app)
        assert "'\\x1b'" in found
        assert any(item.startswith("@click") for item in found)


async def assert_harmless(d: Driven, *shown: str) -> None:
    await d.settle()
    assert problems(d.app) == []
    for text in shown:
        assert text in d.screen_text()
    assert not d.worker.stopped


@pytest.mark.parametrize("size", [(120, 40), (40, 12), (200, 12)])
async def test_text_of_model_person_and_file_is_shown_letter_for_letter(size: tuple[int, int]) -> None:
    past = (turn(1, NASTY, NASTY, 1), turn(2, NASTY, NASTY))
    worker = FakeWorker(
        snapshot(
            turns=past, turns_total=2, model=NASTY, device=NASTY, activity=NASTY, recipe=NASTY, read_only=None,
            last=outcome(reply=NASTY, prompt=NASTY),
        )
    )  # fmt: skip
    async with drive(size, worker=worker) as d:
        await assert_harmless(d)
        await d.offer(NASTY, texts=[f"{NASTY}{n}" for n in range(5)])
        await assert_harmless(d, "[/ [/b] [b]bold")
        await d.press("f2")
        await assert_harmless(d, "[/ [/b] [b]bold")
        await d.press("escape", "2")
        d.worker.learning()
        await assert_harmless(d, "[/ [/b] [b]bold")
        d.worker.taught(NASTY, NASTY, 2, skipped=NASTY)
        await assert_harmless(d, "[/ [/b] [b]bold")
        d.worker.stream(NASTY, [NASTY] * 5)
        await assert_harmless(d, "[/ [/b] [b]bold")


async def test_messages_and_failures_are_shown_letter_for_letter() -> None:
    async with drive((120, 40)) as d:
        d.worker.notice(NASTY)
        d.worker.failed(NASTY)
        d.worker.post(p.Answered(d.worker.shot, NASTY, NASTY))
        d.worker.undone()
        await assert_harmless(d, "[@click=app.quit]quit")
        d.worker.change(read_only=NASTY)
        d.worker.failed(NASTY, fatal=True)
        await assert_harmless(d, "[@click=app.quit]quit")


async def test_figures_are_shown_letter_for_letter() -> None:
    async with drive((120, 40), worker=FakeWorker(snapshot(model=NASTY, last=outcome(reply=NASTY)))) as d:
        await d.type("/stats\n")
        await assert_harmless(d, "[@click=app.quit]quit")


async def test_what_a_person_pastes_is_shown_harmless_and_sent_as_it_was() -> None:
    pasted = NASTY.replace("\x00", "")
    async with drive((120, 40)) as d:
        d.app.post_message(Paste(pasted))
        await assert_harmless(d, "[@click=app.quit]quit")
        assert d.teach.composer.text == pasted
        await d.press("enter")
        assert d.sent == [c.Propose(pasted)]
        await assert_harmless(d, "[@click=app.quit]quit")
        d.worker.cancelled(pasted)
        await assert_harmless(d)
        assert d.teach.composer.text == pasted


async def test_a_correction_keeps_the_characters_that_it_shows_as_symbols() -> None:
    async with drive() as d:
        pending = await d.offer(texts=["bell\x07", "b", "c", "d", "e"])
        await d.press("f2", "!", "enter")
        assert d.sent == [c.Correct("bell\x07!", pending.prompt_id, 1)]


async def test_mistaken_commands_and_queued_prompts_are_shown_letter_for_letter() -> None:
    async with drive((120, 40), ready=False) as d:
        d.worker.loading(NASTY)
        for line in (f"/{NASTY}", f"/theme {NASTY}", f"/set {NASTY} 1", NASTY):
            d.teach.composer.put(line)
            await d.settle()
            d.teach.composer.close_popup()
            await d.press("enter")
            await assert_harmless(d)
            d.teach.composer.put("")


async def test_a_person_who_types_a_bracket_tag_cannot_make_a_link() -> None:
    async with drive() as d:
        await d.offer(texts=["[@click=app.quit]press me[/]", "b", "c", "d", "e"])
        await d.pilot.click("#reply-1", offset=(24, 0))
        await assert_harmless(d, "[@click=app.quit]press me[/]")


def test_hold_and_release_are_inverse_and_hold_hides_every_control() -> None:
    every = "".join(map(chr, range(0x3000))) + CONTROLS + "\U000e0001\U000e007f\ufeff\ufff9é語🙂"
    assert release(hold(every)) == every
    assert len(hold(every)) == len(every)
    assert not [char for char in hold(every) if unicodedata.category(char) == "Cc" and char not in "\n\t"]
    assert len(hold(every).splitlines()) == 2
    assert release("\U00100041") == "\U00100041"  # stands for nothing: it is what was typed


def test_surrogates_can_be_held_too() -> None:
    assert release(hold("a\ud800b")) == "a\ud800b"
    hold("a\ud800b").encode()


def test_lines_that_are_wrapped_or_cut_hold_no_control_and_no_more_than_is_looked_at() -> None:
    for line in (*wrap(CONTROLS, 9), fit(CONTROLS, 99)):
        assert not [char for char in line if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"}]
    endless = wrap("x" * (2 * MOST), 100)
    assert len(endless) == MOST // 100
    assert endless[-1].endswith("…")
