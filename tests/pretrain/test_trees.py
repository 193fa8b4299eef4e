"""Trees of messages: the best-ranked path is a conversation, whatever order the rows stand in."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from theta_tui.base.errors import ModelError
from theta_tui.pretrain import trees
from theta_tui.pretrain.content import ReadReport
from theta_tui.pretrain.documents import Document, read


def row(name: str, parent: str | None, text: str, **more: object) -> dict[str, Any]:
    role = "prompter" if text.startswith("?") else "assistant"
    return {"message_id": name, "parent_id": parent, "role": role, "text": text, "lang": "en", "deleted": False} | more


def read_rows(tmp_path: Path, *rows: object, array: bool = False, **more: Any) -> tuple[list[Document], ReadReport]:
    path = tmp_path / "trees.jsonl"
    path.write_text(json.dumps(rows) if array else "".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    report = ReadReport()
    return list(read(path, report=report, **more)), report


def said(document: Document) -> list[str]:
    return [text for _, text in document.turns]


TREE = (
    row("1", None, "?one"), row("1a", "1", "worse", rank=1), row("1b", "1", "best", rank=0), row("1c", "1", "unranked"),
    row("2", "1b", "?second", rank=1), row("2b", "1b", "?first", rank=0), row("3", "2b", "end"),
    row("4", "3", "?nobody answers"),
)  # fmt: skip
OTHER = (row("o", None, "?other"), row("p", "o", "reply"))


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_rows_in_any_order_make_the_best_ranked_path_of_each_tree(tmp_path: Path, seed: int, array: bool) -> None:
    rows = [*TREE, *OTHER]
    random.Random(seed).shuffle(rows)
    documents, report = read_rows(tmp_path, *rows, array=array)
    assert sorted(map(said, documents)) == [["?one", "best", "?first", "end"], ["?other", "reply"]]
    assert report.lines() == ["3 messages left out: another reply is ranked higher"]
    if not array:
        assert {document.line for document in documents} == {rows.index(TREE[0]) + 1, rows.index(OTHER[0]) + 1}


SPAM: list[dict[str, Any]] = [
    {"deleted": True}, {"review_result": False}, {"labels": {"spam": {"value": 0.7, "count": 3}}},
    {"labels": {"name": ["quality", "spam"], "value": [0.9, 1.0]}},
]  # fmt: skip


@pytest.mark.parametrize("mark", SPAM)
def test_what_is_deleted_or_spam_is_not_learned_and_neither_is_what_follows_it(
    tmp_path: Path, mark: dict[str, Any]
) -> None:
    bad = row("b", "o", "spam", rank=0, **mark)
    [document], report = read_rows(tmp_path, *OTHER, bad, row("c", "b", "?why"), row("d", "c", "because"))
    assert said(document) == ["?other", "reply"]
    assert report.lines() == ["3 messages left out: it, or one before it, is deleted or spam"]
    [document], report = read_rows(tmp_path, *OTHER, row("x", None, "?x"), row("y", "x", "spam", **mark))
    assert said(document) == ["?other", "reply"]
    assert report.lines()[0] == "1 message left out: it has no reply left"


def test_a_message_that_is_not_spam_is_learned(tmp_path: Path) -> None:
    fine = {"labels": {"spam": {"value": 0.1}}, "review_result": True, "synthetic": False}
    [document], report = read_rows(tmp_path, row("o", None, "?other", **fine), row("p", "o", "reply", **fine))
    assert (said(document), report.lines()) == (["?other", "reply"], [])


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([row("x", None, "?alone")], ":3: nothing in the file replies to this message"),
        ([row("x", "gone", "?orphan")], ":3: its parent, gone, is not in the file"),
        ([row("x", "y", "?a"), row("y", "x", "b")], ":3: its parents form a circle"),
        ([row("p", "o", "twice")], ":3: the message_id p is already used in line 2"),
        ([row("x", "o", "a", role="robot")], ":3: the role of a message is robot, not prompter or assistant"),
        ([row("x", "o", " ")], ":3: a message is blank"),
    ],
)
def test_a_message_that_cannot_be_joined_is_refused_by_name(tmp_path: Path, rows: list[object], why: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_rows(tmp_path, *OTHER, *rows)
    assert f"trees.jsonl{why}" in str(caught.value)
    [document], report = read_rows(tmp_path, *OTHER, *rows, skip_bad=True)
    assert said(document) == ["?other", "reply"]
    assert report.bad.total() == len(rows)


def test_rows_above_the_bound_are_told_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MAX_BYTES", 1000)
    with pytest.raises(ModelError, match=r"trees\.jsonl:3: .* split it into several files, and keep each tree in one"):
        read_rows(tmp_path, *OTHER, *TREE)


def nested(message: dict[str, Any], *replies: dict[str, Any]) -> dict[str, Any]:
    return {**{key: value for key, value in message.items() if key != "parent_id"}, "replies": list(replies)}


def test_a_nested_tree_reads_as_its_rows_do(tmp_path: Path) -> None:
    tree = nested(
        TREE[0], nested(TREE[1]),
        nested(TREE[2], nested(TREE[4]), nested(TREE[5], nested(TREE[6], nested(TREE[7])))), nested(TREE[3]),
    )  # fmt: skip
    row = {"message_tree_id": "1", "tree_state": "ready_for_export", "prompt": tree}
    bad = row | {"tree_state": "aborted_low_grade"}
    [document], report = read_rows(tmp_path, row, bad)
    assert said(document) == ["?one", "best", "?first", "end"]
    assert report.lines() == [
        "3 messages left out: another reply is ranked higher",
        "8 messages left out: it, or one before it, is deleted or spam",
    ]


def test_a_tree_without_a_reply_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"trees\.jsonl:1: nothing in the file replies to this message"):
        read_rows(tmp_path, {"message_tree_id": "1", "prompt": nested(TREE[0])})
