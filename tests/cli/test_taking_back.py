"""`theta undo`, `redo`, `withdraw` and `rebuild`: at once, with an exit code that tells, and exact afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Theta, files
from theta_tui.session.verbs import VERBS


def taught(theta: Theta) -> None:
    lines = [
        json.dumps({"prompt": prompt, "reply": reply}) for prompt, reply in (("a b", "c"), ("d", "e f"), ("g", "h"))
    ]
    assert theta("teach", "-", stdin="\n".join(lines)).code == 0


def logprob(theta: Theta, prompt: str = "a b") -> float:
    found: float = theta("ask", prompt, "--no-context", "--json").json["logprob"]
    return found


def test_a_lesson_is_withdrawn_by_its_number_and_brought_back_exactly(theta: Theta) -> None:
    taught(theta)
    before = [logprob(theta, prompt) for prompt in ("a b", "d")]
    gone = theta("withdraw", "2")
    assert (gone.code, gone.out, gone.err) == (0, "withdrawn: lesson 2, d → e f\n", "")
    assert logprob(theta, "a b") == before[0]
    assert logprob(theta, "d") != before[1]
    assert [item["state"] for item in theta("lessons", "--json").json["lessons"]] == [
        "kept", "withdrawn", "kept",
    ]  # fmt: skip
    assert theta("redo").out == "redone: lesson 2, d → e f\n"
    assert [logprob(theta, prompt) for prompt in ("a b", "d")] == before


def test_a_lesson_that_is_always_on_is_withdrawn_beneath_the_later_ones(
    theta: Theta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THETA_RECIPE", "adamw")
    taught(theta)
    before = logprob(theta)
    gone = theta("withdraw", "2")
    assert "the next start learns 1 later lesson again" in gone.err
    assert logprob(theta) != before
    theta("redo")
    assert logprob(theta) == before


@pytest.mark.parametrize(("recipe", "again"), [("default", 0), ("adamw", 2)])
def test_json_says_which_lesson_and_how_many_are_learned_again(
    theta: Theta, monkeypatch: pytest.MonkeyPatch, recipe: str, again: int
) -> None:
    monkeypatch.setenv("THETA_RECIPE", recipe)
    taught(theta)
    rest = {"kind": "correction", "prompt": "a b", "reply": "c", "learned_again": again, "schema": 1}
    assert theta("withdraw", "1", "--json").json == rest | {"withdrawn": 1}
    assert theta("redo", "--json").json == rest | {"redone": 1}
    assert theta("undo", "--json").json == {
        "schema": 1, "undone": 3, "kind": "correction", "prompt": "g", "reply": "h", "learned_again": 0,
    }  # fmt: skip


def test_a_pick_that_is_withdrawn_makes_the_later_picks_be_learned_again(theta: Theta) -> None:
    for number in (1, 2, 3):
        theta("prompt", f"hello {number}")
        theta("teach", "1")
    taught(theta)
    assert theta("withdraw", "2", "--json").json["learned_again"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["withdraw", "9"], 3, "there is no lesson 9: there are 1 to 3; `theta lessons` lists them"),
        (["withdraw", "0"], 3, "there is no lesson 0"),
        (["withdraw", "1"], 3, "lesson 1 is withdrawn already"),
        (["withdraw", "two"], 2, "not the number of a lesson"),
        (["withdraw", "٣"], 2, "not the number of a lesson"),
        (["withdraw", ""], 2, "not the number of a lesson"),
        (["withdraw"], 2, "withdraw needs N (the number of a lesson, as `theta lessons` lists it)"),
        (["withdraw", "-1"], 2, "withdraw has no option -1"),
        (["withdraw", "1", "2"], 2, "withdraw takes 1 argument, and '2' is too much"),
        (["undo", "2"], 2, "undo takes no argument, and '2' is too much"),
    ],
)
def test_what_cannot_be_withdrawn_is_said_in_one_line_and_changes_nothing(
    theta: Theta,
    home: Path,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    taught(theta)
    theta("withdraw", "1")
    before = files(home)
    refused = theta(*arguments)
    assert (refused.code, refused.out) == (code, "")
    assert words in refused.err
    assert refused.err.count("\n") == 1
    assert files(home) == before
    error = json.loads(theta(*arguments, "--json").err)["error"]
    assert error["code"] == code


def test_there_is_nothing_to_redo_or_rebuild_before_anything_was_taught(theta: Theta) -> None:
    for command in ("redo", "rebuild"):
        refused = theta(command)
        assert refused.code == 3
        assert f"nothing to {command}" in refused.err


def test_a_rebuild_is_bit_equal_and_says_so(theta: Theta, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THETA_CHECKPOINT_LESSONS", "2")
    taught(theta)
    theta("withdraw", "3")
    before = logprob(theta)
    said = theta("rebuild")
    assert said.code == 0
    assert said.lines[0].startswith(f"rebuilt 2 lessons on {small_model} in ")
    assert said.lines[1].startswith("bit-equal to ")
    values = theta("rebuild", "--json").json
    assert (values["bit_equal"], values["lessons"], values["why"], values["skipped"]) == (True, 2, None, [])
    assert values["compared_with"].startswith("checkpoint step-")
    assert logprob(theta) == before


def test_the_plain_loop_withdraws_and_brings_back(theta: Theta) -> None:
    taught(theta)
    said = theta("chat", "--plain", stdin="/withdraw 2\n/withdraw 2\n/redo\n/redo\n/withdraw x\nquit\n")
    assert said.code == 0
    assert "withdrawn: d → e f" in said.out
    assert "! lesson 2 is withdrawn already" in said.out
    assert "redone: d → e f" in said.out
    assert "! there is nothing to redo" in said.out
    assert "! /withdraw needs the number of a lesson, as in /withdraw 3" in said.out


def test_the_plain_loop_refuses_what_a_command_does_not_take(theta: Theta) -> None:
    taught(theta)
    lines = [
        "/undo 1",
        "/withdraw",
        "/withdraw 1 2",
        "/export",
        "/ask",
        "/copy",
        "/regen",
        "/fact",
        "/none",
        "/nonsense",
    ]
    said = theta("chat", "--plain", stdin="\n".join([*lines, "quit"]) + "\n")
    assert said.code == 0
    told = [line.removeprefix("> ") for line in said.lines if "! " in line]
    assert told == [
        "! /undo takes nothing after it",
        "! /withdraw needs the number of a lesson, as in /withdraw 3",
        "! /withdraw needs the number of a lesson, as in /withdraw 3",
        "! /export needs hf or gguf (the model), peft (adapters) or trl (the lessons) and a folder, as in /export trl "
        "~/lessons, or plot and a file, as in /export plot ~/lessons.svg",
        "! /ask needs a text, as in /ask Who are you?",
        "! /copy is for the full-screen app; /help lists what there is here",
        "! there are no replies now; say something first",
        "! no fact was found in what you said; a fact reads like: my cat is called Tom",
        "! there are no replies now; say something first",
        "! there is no /nonsense; /help lists what there is, and //nonsense says it as text",
    ]
    assert [item["state"] for item in theta("lessons", "--json").json["lessons"]] == ["kept"] * 3


def test_the_plain_loop_lists_the_verbs_that_it_has(theta: Theta) -> None:
    said = theta("chat", "--plain", stdin="/help\nquit\n")
    for verb in VERBS:
        assert any(verb.about in line for line in said.lines if verb.line in line) == verb.plain, verb.name
