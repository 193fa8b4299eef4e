"""What is said where the words of a command are off: one line with what and what to do; and the help of a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Theta
from theta_tui.cli.app import app

COMMANDS = [command.name or "" for command in app.registered_commands]

MISTAKES = {
    "withdraw": "withdraw needs N (the number of a lesson, as `theta lessons` lists it); see: theta withdraw -h",
    "teach": "teach needs N|TEXT (1 to 5, a better reply, or - for JSON lines); see: theta teach -h",
    "export": "export needs hf|gguf|peft|trl|plot (the model, adapters, lessons as data sets, or plots); "
    "see: theta export -h",
    "export hf": "export needs PATH (a folder that is not there yet; for plot an .svg file); see: theta export -h",
    "bench": "bench needs SUITE (lessons and the questions around them, as JSON Lines); see: theta bench -h",
    "train": "train needs FILE[:WEIGHT]… (data sets: files or folders, plain, .gz or .zst); see: theta train -h",
    "prompt": "the prompt is empty; write something that can be seen",
    "teach --for \u200b hi": "the prompt is empty; write something that can be seen",
    "prompt quit": "'quit' leaves the loop and is never asked or learned",
    "teach quit": "'quit' leaves the loop and is never asked or learned; to teach it as a reply say --text quit",
    "teach 6": "there is no reply 6, only 1 to 5; to teach 6 as text say --text 6",
    "stats --home=": "--home: '' is not a value for home; it is a folder",
    "ask": "the question is empty; write something that can be seen",
    "withdraw 1 2": "withdraw takes 1 argument, and '2' is too much; see: theta withdraw -h",
    "export hf a b": "export takes 2 arguments, and 'b' is too much; see: theta export -h",
    "undo 3": "undo takes no argument, and '3' is too much; see: theta undo -h",
    "ask who is it": (
        "ask takes 1 argument, and 'is' is too much; put quotes around a text of several words; see: theta ask -h"
    ),
    "withdraw -1": "withdraw has no option -1; see: theta withdraw -h",
    "teach -5": (
        "teach has no option -5; a text that begins with - goes after --, as in: theta teach -- -5; see: theta teach -h"
    ),
    "undo --hom x": "undo has no option --hom; did you mean --home or --who?; see: theta undo -h",
    "--zzz": "theta has no option --zzz; see: theta -h",
    "lesson": "there is no command 'lesson'; did you mean lessons or persona?; see: theta -h",
    "teach --text": "--text needs a value; see: theta teach -h",
    "undo --json=3": "--json takes no value; see: theta undo -h",
    "prompt hi --seed x": "--seed: the value should be a valid integer; see: theta prompt -h",
    "bench s --orders 0": "--orders: the value should be greater than or equal to 1; see: theta bench -h",
    "teach 1 --text x": "'1' and --text are two replies; give one of them",
    "withdraw x": "'x' is not the number of a lesson; `theta lessons` lists the numbers",
    "export foo x": "'foo' cannot be exported; say hf, gguf (the model), peft (adapters), trl (the lessons) or plot",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_told_in_one_line_and_begins_no_home(theta: Theta, home: Path, line: str) -> None:
    refused = theta(*line.split())
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == f"theta: {MISTAKES[line]}\n"
    error = json.loads(theta("--json", *line.split()).err)["error"]
    assert error == {"code": 2, "name": "usage", "message": MISTAKES[line]}
    assert not home.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_shows_its_own_options_and_one_line_for_the_rest(theta: Theta, command: str) -> None:
    shown = theta(command, "-h")
    assert shown.code == 0
    assert shown.lines[-1] == "And the options of every command: theta --help"
    assert "--lora-rank" not in shown.out
    assert "--home" not in shown.out
    assert theta(command, "--help").out == shown.out


def test_the_help_of_theta_lists_the_commands_and_then_all_options_in_groups(theta: Theta) -> None:
    shown = theta("--help")
    headings = [line for line in shown.lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "Commands:", "Options:", "Options of every command:", "Options of the replies (prompt, ask, chat):",
    ]  # fmt: skip
    shared = shown.out.partition("Options of every command:")[2].partition("Options of the replies")[0]
    for option in ("--home", "--model", "--lora-rank", "--quiet", "--json"):
        assert f"{option} " in shared
    assert "..." not in shown.out.partition("Commands:")[2], "no sentence is cut"


def test_the_options_of_every_command_count_before_and_after_it(theta: Theta, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    for arguments in (["--home", other, "stats", "--json"], ["--json", "stats", "--home", other]):
        assert theta(*arguments).json["home"] == other
