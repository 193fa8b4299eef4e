"""Rows and messages that say "do not learn this" are not learned; a flag that says neither is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from theta_tui.base.errors import ModelError
from theta_tui.pretrain.content import ReadReport
from theta_tui.pretrain.documents import Document, read

PAIR = {"prompt": "Hi", "completion": "Hello!"}
OTHER = {"prompt": "a", "completion": "b"}


def read_rows(tmp_path: Path, *rows: object, name: str = "data.jsonl") -> tuple[list[Document], ReadReport]:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n"
    (tmp_path / name).write_text(text, "utf-8")
    report = ReadReport()
    return list(read(tmp_path / name, report=report)), report


def refusal(tmp_path: Path, *rows: object, name: str = "data.jsonl") -> str:
    with pytest.raises(ModelError) as caught:
        read_rows(tmp_path, *rows, name=name)
    return str(caught.value).removeprefix(str(tmp_path / name))


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ({"label": False}, "label is false"),
        ({"label": 0}, "label is 0"),
        ({"label": 0.0}, "label is 0"),
        ({"label": "bad"}, "label is bad"),
        ({"label": " Rejected "}, "label is rejected"),
        ({"Label": "FALSE"}, "Label is false"),
        ({"weight": 0}, "weight is 0"),
        ({"weight": "0.0"}, "weight is 0.0"),
        ({"train": False}, "train is false"),
        ({"train": "no"}, "train is no"),
        ({"loss": False}, "loss is false"),
        ({"loss_mask": 0}, "loss_mask is 0"),
        ({"train_on_turn": False}, "train_on_turn is false"),
        ({"trainable": 0}, "trainable is 0"),
        ({"kto_tag": False}, "kto_tag is false"),
        ({"chosen": False}, "chosen is false"),
        ({"rejected": True}, "rejected is true"),
        ({"rejected": "true"}, "rejected is true"),
        ({"deleted": True}, "deleted is true"),
        ({"spam": 1}, "spam is 1"),
        ({"keep": "no"}, "keep is no"),
        ({"do_not_learn": True}, "do_not_learn is true"),
        ({"rating": "thumbs-down"}, "rating is thumbs-down"),
        ({"feedback": "👎"}, "feedback is 👎"),
        ({"mask": "assistant"}, "mask is assistant"),
        ({"weight": 1, "label": False}, "label is false"),
    ],
)
def test_a_row_that_says_so_is_left_out_and_counted(tmp_path: Path, flag: dict[str, Any], reason: str) -> None:
    documents, report = read_rows(tmp_path, PAIR | flag, OTHER)
    assert [document.line for document in documents] == [2]
    assert report.lines() == [f"1 row left out: {reason}"]


@pytest.mark.parametrize(
    "flag",
    [
        {"label": True}, {"label": 1}, {"label": "good"}, {"label": None}, {"label": ""}, {"weight": 1.0},
        {"train": "yes"}, {"loss": True}, {"chosen": True}, {"rejected": False}, {"deleted": False}, {"mask": "User"},
        {"rejected": "Go away!"}, {"train_detail": None}, {"train_detail": []},
    ],
)  # fmt: skip
def test_a_row_that_says_to_learn_it_is_learned(tmp_path: Path, flag: dict[str, Any]) -> None:
    documents, report = read_rows(tmp_path, PAIR | flag)
    assert [document.turns[1][1] for document in documents] == ["Hello!"]
    assert report.lines() == []


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ({"weight": 0.5}, "weight is 0.5; it must be 1 or true (learn) or 0 or false (do not learn); fix the line"),
        ({"weight": -1}, "weight is -1; it must be 1 or true"),
        ({"weight": "nan"}, "weight is nan; it must be"),
        ({"weight": 2}, "weight is 2; it must be"),
        ({"weight": [0, 1]}, "weight is [0, 1]; it must be"),
        ({"weight": "low\x1b"}, "weight is low␛; it must be"),
        ({"train": "maybe"}, "train is maybe; it must be"),
        ({"loss": 2.31}, "loss is 2.31; it must be"),
        ({"label": 2}, "label is 2; it must be"),
        ({"label": -1}, "label is -1; it must be"),
        ({"mask": True}, "mask is True: its meaning is unclear; say train: true or train: false"),
        ({"train_detail": [{"begin_offset": 0}]}, "parts of a message cannot be flagged here"),
    ],
)
def test_a_flag_that_says_neither_is_refused_by_name(tmp_path: Path, flag: dict[str, Any], why: str) -> None:
    assert refusal(tmp_path, OTHER, PAIR | flag).startswith(":2: ")
    assert why in refusal(tmp_path, OTHER, PAIR | flag)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"} | flag]
    assert why in refusal(tmp_path, OTHER, {"messages": messages})


def test_a_class_is_no_flag_and_named(tmp_path: Path) -> None:
    documents, report = read_rows(tmp_path, PAIR | {"label": "positive"}, OTHER | {"label": "negative"})
    assert len(documents) == 2
    assert report.lines() == ["not used: label (2 rows)"]


@pytest.mark.parametrize(("first", "second"), [("positive", "bad"), (True, "maybe")])
def test_a_label_is_a_flag_or_a_class_and_not_both(tmp_path: Path, first: object, second: object) -> None:
    message = refusal(tmp_path, PAIR | {"label": first}, OTHER | {"label": second})
    assert message.startswith(f":2: label is {second}, but in other rows it ")


@pytest.mark.parametrize("low", [0, -1, "0", 0.2, {"clear": 0}])
def test_a_scale_is_not_understood_and_named(tmp_path: Path, low: object) -> None:
    documents, report = read_rows(tmp_path, PAIR | {"rating": 1}, OTHER | {"rating": low})
    assert len(documents) == 2
    assert report.lines() == ["not used: rating (2 rows)"]


@pytest.mark.parametrize(("name", "comma"), [("t.csv", ","), ("t.csv", ";"), ("t.tsv", "\t")])
def test_a_column_of_a_table_says_it_too(tmp_path: Path, name: str, comma: str) -> None:
    rows = ["prompt,completion,Label", "a,b,TRUE", "c,d,false", "e,f,0", "g,h,", "i,j,1"]
    documents, report = read_rows(tmp_path, *[row.replace(",", comma) for row in rows], name=name)
    assert [document.line for document in documents] == [2, 5, 6]
    assert report.lines() == ["1 row left out: label is 0", "1 row left out: label is false"]
    assert refusal(tmp_path, "q,a,weight", "a,b,1", "c,d,0.5", name="w.csv").startswith(":3: weight is 0.5; it must be")


def test_an_array_says_it_too(tmp_path: Path) -> None:
    documents, report = read_rows(tmp_path, json.dumps([PAIR | {"label": False}, OTHER], indent=2), name="data.json")
    assert [document.turns[0][1] for document in documents] == ["a"]
    assert report.lines() == ["1 row left out: label is false"]


def test_a_file_of_such_rows_only_is_an_error_that_says_why(tmp_path: Path) -> None:
    message = refusal(tmp_path, PAIR | {"label": False}, OTHER | {"weight": 0}, OTHER | {"weight": 0})
    assert message == (
        ": nothing in it can be learned (1 row left out: label is false; 2 rows left out: weight is 0); "
        "leave the file out"
    )


# --- messages ---


def conversation(*weights: object, key: str = "weight") -> dict[str, Any]:
    return {
        "messages": [
            {"role": "assistant" if number % 2 else "user", "content": str(number)} | ({} if w is None else {key: w})
            for number, w in enumerate(weights)
        ]
    }


@pytest.mark.parametrize(
    ("key", "no", "yes"),
    [("weight", 0, 1), ("weight", 0.0, 1.0), ("train", False, True), ("loss", False, True), ("trainable", "no", "yes")],
)
def test_a_message_that_says_so_is_context_only(tmp_path: Path, key: str, no: object, yes: object) -> None:
    documents, report = read_rows(tmp_path, conversation(None, no, None, yes, no, yes, key=key))
    assert [document.context_only for document in documents] == [{1, 4}]
    assert report.lines() == ["2 messages shown as context and not learned"]


def test_messages_of_other_spellings_are_flagged_too(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b", "weight": 0}]
    reply = [{"role": "assistant", "content": "d"}]
    [shared, preferred], _ = read_rows(
        tmp_path,
        {"conversations": [*turns, {"from": "human", "value": "c"}, {"from": "gpt", "value": "d"}]},
        {"prompt": [*turns, {"role": "user", "content": "c"}], "chosen": reply, "rejected": reply},
    )
    assert shared.turns == preferred.turns
    assert shared.context_only == preferred.context_only == {1}


def test_a_conversation_with_nothing_to_learn_is_left_out(tmp_path: Path) -> None:
    documents, report = read_rows(tmp_path, conversation(1, 0, 1, 0), PAIR)
    assert [document.line for document in documents] == [2]
    assert report.lines() == ["1 row left out: none of its replies may be learned"]


def test_of_joined_neighbours_none_is_learned_when_one_must_not_be(tmp_path: Path) -> None:
    row = conversation(None, None, None, None)
    row["messages"].insert(1, {"role": "assistant", "content": "x", "weight": 0})
    [document], _ = read_rows(tmp_path, row)
    assert (document.turns[1], document.context_only) == (("assistant", "x\n1"), {1})


def test_many_of_a_thing_are_in_the_plural() -> None:
    report = ReadReport()
    for what, why in (("row", "x"), ("exchange", "y"), ("message part", "z"), ("piece", "w"), ("system message", "v")):
        report.leave_out(what, why)
        report.leave_out(what, why)
    report.bad["a"] = report.context_only = report.cut = 2000
    assert report.lines() == [
        "2,000 bad lines skipped", "2 exchanges left out: y", "2 message parts left out: z", "2 pieces left out: w",
        "2 rows left out: x", "2 system messages left out: v", "2,000 messages shown as context and not learned",
        "2,000 conversations cut: a turn is longer than --length",
    ]  # fmt: skip
