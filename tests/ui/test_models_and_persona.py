"""The list of models and the persona, on the screen."""

from __future__ import annotations

import re

from tests.support.fakes import drive
from theta_tui.session import commands as c
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
        assert driven.sent[-1] == c.ShowModels()
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
        assert driven.sent[-1] == c.ShowModels("smollm2")


async def test_fetching_a_model_before_the_first_screen_is_ready_is_stopped_by_esc() -> None:
    async with drive((100, 30), ready=False) as driven:
        driven.worker.post(p.Loading(driven.worker.change(phase="loading", activity="reading the model")))
        await driven.settle()
        await driven.press("escape")
        assert driven.sent == []  # that takes a moment
        fetching = driven.worker.change(phase="loading", activity="fetching tiny: 3 MB", stoppable=True)
        driven.worker.post(p.Loading(fetching))
        await driven.settle()
        assert "fetching tiny: 3 MB · esc stops" in driven.screen_text()
        await driven.press("escape")
        assert driven.sent == [c.Cancel()]
        driven.worker.post(
            p.Failed(fetching, "tiny is not loaded, because that was stopped", "load", 1, True, "stopped")
        )
        await driven.settle()
        assert "tiny is not loaded, because that was stopped" in driven.screen_text()


async def test_a_model_is_gone_over_to_with_the_lessons_or_apart_and_esc_stays_or_stops() -> None:
    async with drive((100, 30)) as driven:
        offered = p.ModelOffered(driven.worker.change(lessons=3), ROWS[1], 3, "/homes/theta-smollm2", False)
        for keys, sent in (
            (("enter",), c.SwitchModel("smollm2")),
            (("down", "enter"), c.SwitchModel("smollm2", apart=True)),
            (("down", "down", "enter"), None),
            (("escape",), None),
        ):
            driven.worker.commands.clear()
            driven.worker.post(offered)
            await driven.settle()
            text = driven.screen_text()
            assert "go over to smollm2?" in text
            assert "269 MB to fetch" in text
            assert "with your 3 lessons, learned again on it" in text
            assert "which knows no lesson: /homes/theta-smollm2" in text
            await driven.press(*keys)
            assert driven.sent == ([] if sent is None else [sent])
        driven.worker.changed(phase="learning", activity="fetching smollm2: 3 MB of 269 MB")
        await driven.settle()
        assert "fetching smollm2: 3 MB of 269 MB · esc stops" in driven.screen_text()
        await driven.press("escape")
        assert driven.sent[-1] == c.Cancel()
        driven.worker.post(p.Switched(driven.worker.change(phase="idle", model="smollm2"), "smollm2 speaks now", "/x"))
        await driven.settle()
        assert "smollm2 speaks now" in driven.screen_text()
        assert "--home /x" in driven.app.parting


async def test_nothing_is_asked_where_nothing_was_taught_and_the_model_is_here() -> None:
    async with drive() as driven:
        driven.worker.post(p.ModelOffered(driven.worker.change(lessons=0), ROWS[0], 0, "/x", False))
        await driven.settle()
        assert driven.sent[-1] == c.SwitchModel("default")


async def test_models_complete_and_stand_in_the_palette_with_what_is_known_of_them() -> None:
    async with drive((100, 30)) as driven:
        rows = (p.ModelRow("smollm2", True, "538 MB", "Apache-2.0", "SmolLM2", "23 tokens/s"), *ROWS)
        driven.worker.post(p.Models(driven.worker.shot, rows, asked=False))
        await driven.settle()
        assert driven.app.screen is driven.teach, "nobody wanted to see the list"
        _, about, choose = next(row for row in palette.listed(driven.teach) if row[0] == "/model smollm2")
        assert "538 MB, 23 tokens/s" in about
        choose()
        assert driven.sent[-1] == c.ShowModels("smollm2")
        await driven.type("/model smo")
        assert "538 MB, 23 tokens/s" in driven.screen_text()


async def test_the_palette_lists_both() -> None:
    async with drive() as driven:
        found = {title: choose for title, _, choose in palette.listed(driven.teach)}
        found["/model NAME"]()
        assert driven.sent[-1] == c.ShowModels()
        found["/persona TEXT"]()
        assert driven.sent[-1] == c.Persona()


async def test_the_figures_show_the_persona_where_there_is_one() -> None:
    async with drive() as driven:
        await driven.type("/persona You are [b]a pirate[/b].\n")
        assert driven.sent[-1] == c.Persona("You are [b]a pirate[/b].")
        driven.worker.changed(persona="You are [b]a pirate[/b].\nArr.")
        await driven.type("/stats\n")
        assert re.search(r"persona +You are \[b\]a pirate\[/b\].[↵␊]Arr\.", driven.screen_text())
        await driven.press("escape")
        driven.worker.changed(persona=None)
        await driven.type("/stats\n")
        assert "persona" not in driven.screen_text()
