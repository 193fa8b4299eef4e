"""The table of verbs: what a line means, when a verb applies, and what the worker is then sent. No app, no model."""

from __future__ import annotations

import pytest

from theta_tui.session import commands as c
from theta_tui.session import protocol as p
from theta_tui.session.verbs import BY_NAME, VERBS, Call, Completion, Mistake, Mode, Prompt, complete, read
from theta_tui.store.records import Pending, Stated, Turn

TURN = Turn(1, "hello", "Hi.", "pick", 0.0, None)
WAITS = Pending("id", "hello", ())
STATES = Pending("id", "I live in Oslo.", (), Stated("Where do I live?", "You live in Oslo."))


def command(line: str) -> c.Command:
    meant = read(line)
    assert isinstance(meant, Call), meant
    assert meant.verb.command is not None
    return meant.verb.command(*meant.arguments)


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("/undo", c.TakeBack("undo")),
        ("/redo", c.TakeBack("redo")),
        ("/withdraw  #12", c.TakeBack("withdraw", 12)),
        ("/ask who are you?\nreally", c.Ask("who are you?\nreally")),
        ("/export hf ~/my model", c.Export("hf", "~/my model")),
        ("/set top-p 0.9", c.Configure("top_p", "0.9")),
        ("/clear", c.NewConversation()),
        ("/SAVE", c.Save()),
        ("/quiz", c.Quiz()),
        ("/persona", c.Persona()),
        ("/persona You are\na pirate.", c.Persona("You are\na pirate.")),
        ("/model", c.ShowModels()),
        ("/model smollm2", c.ShowModels("smollm2")),
    ],
)
def test_a_line_is_the_command_that_the_worker_is_sent(line: str, sent: c.Command) -> None:
    assert command(line) == sent


def test_every_name_and_alias_is_read_once_and_nothing_else_is() -> None:
    names = [name for verb in VERBS for name in (verb.name, *verb.aliases)]
    assert len(set(names)) == len(names) == len(BY_NAME)
    assert read("help") == Prompt("help")
    assert read("//help me") == Prompt("/help me")
    assert isinstance(read("/pick 1"), Mistake), "a key and no command"
    assert isinstance(read("/none"), Mistake), "in the app it is a key"
    assert read("/none", plain=True) == Call(BY_NAME["none"])
    assert read("/copy", plain=True) == Mistake("/copy is for the full-screen app; /help lists what there is here")


@pytest.mark.parametrize(
    "line", ["/correct \u200b", "/ask", "/withdraw three", "/export trl", "/export zip x", "/set x"]
)
def test_what_does_not_fit_is_told_with_an_example(line: str) -> None:
    meant = read(line)
    assert isinstance(meant, Mistake)
    assert "needs" in meant.text
    assert ", as in /" in meant.text


APPLIES: list[tuple[str, Mode, p.Snapshot]] = [
    ("pick", "choosing", p.Snapshot(pending=WAITS)),
    ("regen", "choosing", p.Snapshot(pending=WAITS)),
    ("none", "choosing", p.Snapshot(pending=WAITS, read_only="it may not be written")),
    ("fact", "choosing", p.Snapshot(pending=STATES)),
    ("correct", "choosing", p.Snapshot(pending=WAITS)),
    ("correct", "idle", p.Snapshot(turns=(TURN,))),
    ("undo", "choosing", p.Snapshot(undo=3)),
    ("undo", "learning", p.Snapshot()),
    ("redo", "idle", p.Snapshot(redo=True)),
    ("withdraw", "idle", p.Snapshot()),
    ("save", "learning", p.Snapshot()),
    ("copy", "learning", p.Snapshot(turns=(TURN,))),
    ("ask", "loading", p.Snapshot()),
]
REFUSED: list[tuple[str, Mode, p.Snapshot, str]] = [
    ("regen", "idle", p.Snapshot(), "no replies now"),
    ("regen", "choosing", p.Snapshot(pending=WAITS, read_only="it is full"), "nothing can be taught: it is full"),
    ("none", "proposing", p.Snapshot(), "no replies now"),
    ("fact", "choosing", p.Snapshot(pending=WAITS), "no fact was found"),
    ("correct", "idle", p.Snapshot(), "there is nothing to correct yet"),
    ("correct", "learning", p.Snapshot(turns=(TURN,)), "nothing can be taught now: a lesson is being learned"),
    ("correct", "idle", p.Snapshot(turns=(TURN,), read_only="it is full"), "nothing can be taught: it is full"),
    ("undo", "idle", p.Snapshot(lessons=1), "nothing to undo"),
    ("undo", "proposing", p.Snapshot(lessons=1), "nothing to undo"),
    ("redo", "idle", p.Snapshot(redo=True, read_only="it is full"), "nothing to redo"),
    ("withdraw", "proposing", p.Snapshot(lessons=1), "no lesson can be taken out now"),
    ("save", "loading", p.Snapshot(), "nothing to save"),
    ("copy", "idle", p.Snapshot(), "nothing to copy"),
]


@pytest.mark.parametrize(("name", "mode", "shot"), APPLIES)
def test_a_verb_that_applies_is_not_refused(name: str, mode: Mode, shot: p.Snapshot) -> None:
    assert BY_NAME[name].refused(mode, shot) == ""


@pytest.mark.parametrize(("name", "mode", "shot", "words"), REFUSED)
def test_a_verb_that_does_not_apply_says_why(name: str, mode: Mode, shot: p.Snapshot, words: str) -> None:
    assert words in BY_NAME[name].refused(mode, shot)


def test_names_choices_and_themes_are_completed() -> None:
    assert [found.line for found in complete("/ex")] == ["/export "]
    assert [found.shown for found in complete("/export p")] == ["peft", "plot"]
    assert complete("/theme n", ["nord", "dracula"]) == [Completion("/theme nord", "nord", "", True)]
    assert complete("/pi") == complete("/export trl x") == complete("//s") == complete("hello") == []
