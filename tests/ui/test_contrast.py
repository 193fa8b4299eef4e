"""Every word on the screen can be read: its contrast with what it stands on, measured on what is drawn."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from tests.support.fakes import PLOTS, drive
from tests.ui.test_lists import open_list, talks
from tests.ui.test_snapshots import choosing, error, stating, streaming
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


@pytest.mark.parametrize(
    "theme", [pytest.param(theme.name, marks=pytest.mark.slow if at else ()) for at, theme in enumerate(OWN)]
)
async def test_every_word_is_legible(theme: str) -> None:
    async with drive((120, 36), theme=theme, ready=False) as d:

        async def look(words: str) -> None:
            """`words` are on the screen, and all that is there can be read."""
            await d.settle()
            assert words in d.screen_text()
            assert not too_faint(d.app), words

        d.worker.loading()
        await look("… reading the weights")
        await streaming(d)
        await look("esc stop")
        await choosing(d)
        await look("enter teaches 2")
        await d.press("f1")
        await look("keys, signs and commands")
        await d.press("escape", "f7")
        d.worker.ledger()
        await look("fading")
        await d.press("escape", "f2", "!")
        await look("enter teach")
        await d.press("escape", "2")
        d.worker.learning()
        await look("2 % → 41 %")
        d.worker.change(said_before="Hm.", says_now="Pretty good!")
        d.worker.taught("how are you today?", "Pretty good!", 2)
        await look("said before")
        await error(d)
        await look("not finite")
        d.app.clear_notifications()
        await stating(d)
        await look("f3 learn")
        await d.press("f3")
        await look("Who is your creator?")
        await d.press("escape")
        d.worker.changed(phase="idle", pending=None)
        await d.type("/")
        await look("/correct TEXT")
        await d.type("nonsense\n")
        await look("there is no /nonsense")
        d.teach.composer.put("")
        await d.type("/stats\n")
        await look("esc close")
        await d.press("escape", "ctrl+p")
        await look("Search")
        await d.press("escape")
        d.worker.reviewed(alarm="teaching #12 cost 2 others (#3, #5)")
        await look("cost 2 others")
        d.worker.post(p.Plots(d.worker.shot, PLOTS, 3, False, 12))
        await look("lessons taught")
        await d.press("escape")
        await open_list(d, "/conversations", talks(d))
        await d.press("down", "d", "r", "ctrl+u")
        await look("a name for conversation 1")
        await d.press("escape", "escape")
        d.worker.post(
            lists.FileRead(d.worker.shot, "faq.csv", 7, (("who?", "me"),), ("1 pair taught already",), ("faq:3: no",))
        )
        await look("faq:3: no")


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
