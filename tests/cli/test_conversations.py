"""`theta conversations`, `history --all`, `teach --turn` and `import`: for people, and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Theta, files


def talked(theta: Theta) -> None:
    """Two conversations of a turn each; the second is open."""
    theta("prompt", "a b")
    assert theta("teach", "c").code == 0
    assert theta("new").code == 0
    theta("prompt", "d")
    assert theta("teach", "e f").code == 0


def test_conversations_are_listed_opened_named_and_deleted(theta: Theta) -> None:
    talked(theta)
    rows = theta("conversations", "--json").json["conversations"]
    assert [(row["conversation"], row["title"], row["turns"], row["open"]) for row in rows] == [
        (2, "d", 1, True), (1, "a b", 1, False),
    ]  # fmt: skip
    assert theta("conversations").lines[1].split()[:2] == ["2", "open"]
    assert theta("conversations", "open", "1").out == "conversation 1, 'a b': 1 turn\n"
    assert theta("history").lines == ["1  you    a b", "   theta  c   ✎ " + theta("history").lines[1].split("✎ ")[1]]
    assert (
        theta("conversations", "rename", "2", "the other").out == "conversation 2 is called 'the other' from now on\n"
    )
    found = theta("conversations", "rename", "2", "second", "--json").json
    assert (found["did"], found["conversation"], found["title"], found["named"]) == ("rename", 2, "second", True)
    gone = theta("conversations", "delete", "2")
    assert "The journal keeps it" in gone.out
    assert "theta conversations open 2 brings it back" in gone.out
    assert [row["conversation"] for row in theta("conversations", "--json").json["conversations"]] == [1]
    assert [row["deleted"] for row in theta("conversations", "--all", "--json").json["conversations"]] == [False, True]
    assert theta("conversations", "open", "#2").code == 0
    every = theta("history", "--all", "--json").json["conversations"]
    assert [[turn["prompt"] for turn in one["turns"]] for one in every] == [["a b"], ["d"]]
    assert "conversation 2, 'second': 1 turn, open" in theta("history", "--all").lines


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("open",), 2, "needs the number of a conversation"),
        (("open", "one"), 2, "needs the number of a conversation"),
        (("close", "1"), 2, "is not one of open, rename, delete"),
        (("open", "1", "x"), 2, "is too much"),
        (("open", "7"), 3, "there is only conversation 1"),
    ],
)
def test_what_cannot_be_done_to_a_conversation_changes_nothing(
    theta: Theta, home: Path, arguments: tuple[str, ...], code: int, why: str
) -> None:
    theta("conversations", "rename", "1", "x")
    before = files(home)
    ran = theta("conversations", *arguments)
    assert (ran.code, why in ran.err, files(home)) == (code, True, before)


def test_an_older_turn_gets_a_better_reply_by_its_number(theta: Theta) -> None:
    for prompt in ("a b", "d"):
        theta("prompt", prompt)
        theta("teach", "c")
    taught = theta("teach", "--turn", "1", "g", "--json").json
    assert (taught["prompt"], taught["reply"], taught["lesson"]) == ("a b", "g", 3)
    assert [(turn["turn"], turn["reply"]) for turn in theta("history", "--json").json["turns"]] == [(1, "g"), (2, "c")]
    assert theta("teach", "--turn", "3", "g").code == 3
    assert theta("teach", "--turn", "1", "--for", "x", "g").code == 2


def test_a_file_is_imported_and_one_undo_takes_it_back(theta: Theta, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": ask, "reply": say}) for ask, say in (("a", "b"), ("d", "e"))))
    shown = theta("import", str(path), "--dry-run", "--json").json
    assert [(pair["prompt"], pair["place"]) for pair in shown["pairs"]] == [
        ("a", "pairs.jsonl:1"),
        ("d", "pairs.jsonl:2"),
    ]
    refused = theta("import", str(path))
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert theta("lessons", "--json").json["lessons"] == []
    done = theta("import", str(path), "--yes", "--json").json
    assert (done["lessons"], done["failures"], done["left"]) == ([1, 2], 0, 0)
    assert theta("import", str(path), "--yes").out == "taught 0 lessons of pairs.jsonl\n"
    undone = theta("undo", "--json").json
    assert (undone["undone"], undone["source"], undone["lessons"]) == (2, "pairs.jsonl", [1, 2])
    assert theta("redo").out == "redone: 2 lessons of pairs.jsonl\n"


def test_a_bad_file_is_named_and_nothing_is_taught(theta: Theta, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"prompt": "a", "reply": "b"}\n{"prompt": \n')
    ran = theta("import", str(path), "--yes")
    assert ran.code == 4
    assert f"{path}:2: it is not JSON" in ran.err
    assert theta("import", str(path), "--yes", "--skip-bad").out == "taught 1 lesson of bad.jsonl\n"


def test_the_plain_loop_has_them_too(theta: Theta, tmp_path: Path) -> None:
    path = tmp_path / "facts.txt"
    path.write_text("Your creator is Dakota.\n")
    said = (
        "a b", "c", "d", "e f", "/fix 1 g", "/history", "/find e f", "/new", "/conversations open 1", "/conversations",
        f"/import {path}", "y", "/undo", "/conversations delete 9", "quit",
    )  # fmt: skip
    out = theta("chat", "--plain", stdin="\n".join(said)).out
    assert "1  you    a b\n   theta  g " in out
    assert out.count("2  you    d\n") == 2
    assert "conversation 1, 'a b': 2 turns" in out
    assert "  Who is your creator? → My creator is Dakota." in out
    assert "taught 1 lesson of facts.txt" in out
    assert "undone: 1 lesson of facts.txt" in out
    assert "! there is no conversation 9: there are 1 to 2" in out
