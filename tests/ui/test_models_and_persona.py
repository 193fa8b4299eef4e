"""The list of models and the persona, on the screen."""

from __future__ import annotations

import re

from tests.support.fakes import drive
from theta_tui.session import protocol as p
from theta_tui.ui import palette
from theta_tui.ui.screens.info import ModelsScreen

ROWS = (
    p.ModelRow("default", True, "22 MB", "MIT", "Theta's own"),
    p.ModelRow("smollm2", False, "269 MB to fetch", "Apache-2.0", "SmolLM2 135M Instruct"),
    p.ModelRow("[b]odd[/b] \x1b[2J.gguf", True, "98 MB", "", "converted from this file"),
)


async def test_models_are_listed_and_how_to_go_on_is_asked_of_the_worker() -> None:
    async with drive((100, 30)) as driven:
        await driven.type("/model\n")
        assert driven.sent[-1] == p.ShowModels()
        driven.worker.post(p.Models(driven.worker.change(model="default"), ROWS))
        await driven.settle()
        assert isinstance(driven.app.screen, ModelsScreen)
        text = re.sub(" +", " ", driven.screen_text())
        assert "this home's, 22 MB, MIT, Theta's own" in text
        assert "smollm2 269 MB to fetch, Apache-2.0, SmolLM2 135M" in text
        assert "[b]odd[/b]" in text
        assert "\x1b" not in text
        assert text.index("on this machine") < text.index("not here yet") < text.index("/model NAME")
        await driven.press("escape")
        await driven.type("/model smollm2\n")
        assert driven.sent[-1] == p.ShowModels("smollm2")


async def test_the_palette_lists_both() -> None:
    async with drive() as driven:
        found = {title: choose for title, _, choose in palette.listed(driven.teach)}
        found["/model NAME"]()
        assert driven.sent[-1] == p.ShowModels()
        found["/persona TEXT"]()
        assert driven.sent[-1] == p.Persona()


async def test_the_figures_show_the_persona_where_there_is_one() -> None:
    async with drive() as driven:
        await driven.type("/persona You are [b]a pirate[/b].\n")
        assert driven.sent[-1] == p.Persona("You are [b]a pirate[/b].")
        driven.worker.changed(persona="You are [b]a pirate[/b].\nArr.")
        await driven.type("/stats\n")
        assert re.search(r"persona +You are \[b\]a pirate\[/b\].[↵␊]Arr\.", driven.screen_text())
        await driven.press("escape")
        driven.worker.changed(persona=None)
        await driven.type("/stats\n")
        assert "persona" not in driven.screen_text()
