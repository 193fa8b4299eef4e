"""A reply that was cut: how it is shown, and the key that lets it go on."""

from __future__ import annotations

from msgspec import structs

from tests.support.fakes import Driven, drive
from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.store.records import Pending, Turn


async def offer(d: Driven, *cut: int) -> Pending:
    """Five replies, of which these were cut."""
    waiting = await d.offer()
    waiting = structs.replace(
        waiting, candidates=tuple(structs.replace(one, ended=one.index not in cut) for one in waiting.candidates)
    )
    d.worker.post(p.Changed(d.worker.change(pending=waiting)))
    await d.settle()
    return waiting


async def test_it_has_an_ellipsis_and_ctrl_g_lets_the_marked_one_go_on() -> None:
    async with drive() as d:
        waiting = await offer(d, 2)
        assert f"{waiting.candidates[1].text} …" in d.screen_text()
        assert "go on" in d.lines()[-1]
        await d.press("ctrl+g")
        assert d.sent == []
        assert d.toasts == ["reply 1 was not cut"]
        await d.press("down", "ctrl+g")
        assert d.sent == [c.Continue(waiting.prompt_id, 2)]
        longer = structs.replace(waiting.candidates[1], text=f"{waiting.candidates[1].text} and so on.", ended=True)
        candidates = (waiting.candidates[0], longer, *waiting.candidates[2:])
        drafts = tuple(p.Draft(one.index, one.text, one.index != 2) for one in candidates)
        d.worker.post(p.Streaming(d.worker.change(phase="proposing"), waiting.prompt, drafts))
        await d.settle()
        d.worker.post(
            p.Continued(d.worker.change(phase="choosing", pending=structs.replace(waiting, candidates=candidates)))
        )
        await d.settle()
        assert "and so on." in d.screen_text()
        assert "…" not in d.screen_text().split("and so on.")[1].splitlines()[0]
        assert d.teach.replies.cursor == 2
        assert "go on" not in d.lines()[-1]
        await d.press("ctrl+g")
        assert d.sent == [c.Continue(waiting.prompt_id, 2)]
        await d.press("2")
        assert d.sent[-1] == c.Pick(waiting.prompt_id, 2)


async def test_the_command_names_a_reply_and_a_turn_stays_marked() -> None:
    async with drive() as d:
        waiting = await offer(d, 1, 4)
        await d.type("/continue 4")
        await d.press("enter")
        assert d.sent == [c.Continue(waiting.prompt_id, 4)]
        turn = Turn(1, "hello", "A reply that was", "said", cut=True)
        d.worker.post(p.Changed(d.worker.change(phase="idle", pending=None, turns=(turn,), turns_total=1)))
        await d.settle()
        assert "A reply that was …" in d.screen_text()


async def test_a_caring_reply_is_shown_whole_and_picking_it_says_it() -> None:
    async with drive(size=(60, 24)) as d:
        waiting = await d.offer()
        caring = structs.replace(waiting.candidates[3], text="I hear you. " * 14 + "Call 988.", care=True)
        waiting = structs.replace(waiting, candidates=(*waiting.candidates[:3], caring, waiting.candidates[4]))
        d.worker.post(p.Changed(d.worker.change(pending=waiting)))
        await d.settle()
        assert "Call 988." in d.screen_text()
        await d.press("down", "down", "down")
        assert "enter says 4" in d.screen_text()
        await d.press("4")
        assert d.sent == [c.Say(waiting.prompt_id, 4)]
