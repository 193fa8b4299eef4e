"""Every word on the screen can be read: its contrast with what it stands on, measured on what is drawn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from tests.support.fakes import PLOTS, Driven, drive
from tests.ui.test_lists import open_list, talks
from tests.ui.test_snapshots import choosing, editing, error, learning, loading, stating, streaming
from theta_tui.session import lists
from theta_tui.session import protocol as p
from theta_tui.ui.app import ThetaApp
from theta_tui.ui.themes import OWN, TONES, contrast, legible

GROUNDS = ("marked", "chosen", "raised")
"""Variables that stand behind words."""


def too_faint(app: ThetaApp) -> dict[str, float]:
    """What is drawn with a contrast below 4.5, and that contrast; lines, bars and sparks are no words."""
    found = {}
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            if any(map(str.isalnum, segment.text)):
                assert segment.style is not None
                front, back = segment.style.color, segment.style.bgcolor
                assert front is not None, segment
                assert back is not None, segment
                ratio = contrast(Color.from_rich_color(front), Color.from_rich_color(back))
                if ratio < 4.5:
                    found[segment.text.strip()] = round(ratio, 2)
    return found


async def lessons(d: Driven) -> None:
    await choosing(d)
    await d.press("f7")
    d.worker.ledger()


async def naming(d: Driven) -> None:
    await open_list(d, "/conversations", talks(d))
    await d.press("down", "d", "r", "ctrl+u")


async def importing(d: Driven) -> None:
    d.worker.ready()
    d.worker.post(
        lists.FileRead(d.worker.shot, "faq.csv", 7, (("who?", "me"),), ("1 pair taught already",), ("faq:3: no",))
    )
    await d.settle()


async def completing(d: Driven) -> None:
    d.worker.ready()
    await d.settle()
    await d.type("/")


async def helping(d: Driven) -> None:
    await choosing(d)
    await d.press("f1")


async def counting(d: Driven) -> None:
    d.worker.ready()
    await d.settle()
    await d.type("/stats\n")


async def searching(d: Driven) -> None:
    d.worker.ready()
    await d.settle()
    await d.press("ctrl+p")


async def complaining(d: Driven) -> None:
    d.worker.ready()
    await d.settle()
    await d.type("/nonsense\n")


async def stating_in_the_editor(d: Driven) -> None:
    await stating(d)
    await d.press("f3")


async def comparing(d: Driven) -> None:
    await choosing(d)
    await d.press("2")
    d.worker.change(said_before="Hm.", says_now="Pretty good!")
    d.worker.taught("how are you today?", "Pretty good!", 2)
    await d.settle()
    assert "said before" in d.screen_text()


async def plotting(d: Driven) -> None:
    d.worker.ready()
    d.worker.post(p.Plots(d.worker.shot, PLOTS, 3, False, 12))
    await d.settle()
    assert "lessons taught" in d.screen_text()


async def alarming(d: Driven) -> None:
    d.worker.ready()
    d.worker.reviewed(alarm="teaching #12 cost 2 others (#3, #5)")


@pytest.mark.parametrize(
    "state",
    [
        loading, streaming, choosing, stating, editing, learning, error, lessons, completing, helping, counting,
        searching, complaining, stating_in_the_editor, alarming, comparing,
        plotting, naming, importing,
    ],
    ids=lambda state: state.__name__,
)  # fmt: skip
async def test_every_word_is_legible(state: Callable[[Driven], Awaitable[None]]) -> None:
    async with drive((120, 36)) as d:
        await state(d)
        for theme in OWN:
            d.app.theme = theme.name
            await d.settle()
            assert not too_faint(d.app), theme.name


@pytest.mark.parametrize("theme", [*BUILTIN_THEMES.values(), *OWN], ids=lambda theme: theme.name)
def test_any_theme_gets_tones_that_are_legible(theme: Theme) -> None:
    found = legible(theme)
    if theme.ansi:
        assert found["muted"] == "ansi_default"
        return
    own = theme.to_color_system().generate()
    grounds = [own["background"], own["surface"], own["panel"], *(found[name] for name in GROUNDS)]
    for name in (*TONES, "muted"):
        tone = Color.parse(found[name])
        assert min(contrast(tone, Color.parse(ground)) for ground in grounds) >= 4.5, name
