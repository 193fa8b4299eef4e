"""What is part of the prompt is learned with it, as its format means it; what is not understood is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.profiles import examples
from theta_tui.base.errors import ModelError
from theta_tui.pretrain.content import ReadReport
from theta_tui.pretrain.documents import Document, read


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def system(text: str, role: str = "system") -> dict[str, str]:
    return {"role": role, "content": text}


def read_text(tmp_path: Path, text: str, name: str = "data.jsonl") -> tuple[list[Document], ReadReport]:
    (tmp_path / name).write_text(text, "utf-8")
    report = ReadReport()
    return list(read(tmp_path / name, report=report)), report


def read_row(tmp_path: Path, row: object) -> tuple[Document, list[str]]:
    [document], report = read_text(tmp_path, json.dumps(row) + "\n")
    return document, report.lines()


NOTE = "The note was written by Maria."


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"instruction": "Who?", "context": NOTE, "response": "x"}, f"Who?\n{NOTE}"),
        ({"instruction": "Who?", "input": NOTE, "output": "x"}, f"Who?\n{NOTE}"),
        ({"instruction": "Answer.", "query": "Who?", "response": "x"}, "Answer.\nWho?"),
        ({"prompt": "Translate.", "input": "a", "completion": "x"}, "Translate.\na"),
        ({"question": "Who?", "context": NOTE, "answer": "x"}, f"{NOTE}\n\nWho?"),
        ({"question": "Who?", "passage": NOTE, "answer": "x"}, f"{NOTE}\n\nWho?"),
        ({"question": "Who?", "document": [NOTE, "In May."], "answer": "x"}, f"{NOTE}\n\nIn May.\n\nWho?"),
        ({"instruction": "Be brief.", "question": "Who?", "answer": "x"}, "Be brief.\n\nWho?"),
        ({"question": "Who?", "context": NOTE, "chosen": "x", "rejected": "y"}, f"{NOTE}\n\nWho?"),
        ({"question": "Who?", "context": " \n", "answer": "x"}, "Who?"),
        ({"question": f"{NOTE}\nWho?", "context": NOTE, "answer": "x"}, f"{NOTE}\nWho?"),
        ({"prompt": "Say: a b!", "instruction": "Say:", "input": "a b", "completion": "x"}, "Say: a b!"),
        ({"question": "2 + 2?", "choices": ["3", "x"], "answer": "x"}, "2 + 2?\nA. 3\nB. x"),
        ({"question": "2 + 2?", "options": {"A": "3", "B": "x"}, "answer": "x"}, "2 + 2?\nA. 3\nB. x"),
    ],
)
def test_a_prompt_has_all_its_parts(tmp_path: Path, row: object, prompt: str) -> None:
    document, notices = read_row(tmp_path, row)
    assert document.turns == (("user", prompt), ("assistant", "x"))
    assert notices == []


@pytest.mark.parametrize(
    ("row", "reply"),
    [
        ({"context": NOTE, "question": "Who?", "answers": {"text": ["Maria", "M."], "answer_start": [1, 2]}}, "Maria"),
        ({"question": "Who?", "answers": ["Maria", "M."]}, "Maria"),
        ({"question": "Who?", "answer": {"value": "Maria", "aliases": ["M."]}}, "Maria"),
        ({"question": "2 + 2?", "choices": ["3", "4"], "answer": 1}, "B. 4"),
        ({"question": "2 + 2?", "choices": ["3", "4"], "answer": "B"}, "B. 4"),
        ({"question": "2 + 2?", "choices": ["3", "4"], "answer": "4"}, "4"),
        ({"question": "?", "choices": {"text": ["3", "4"], "label": ["1", "2"]}, "answerKey": "2"}, "2. 4"),
        ({"question": "Sort 2, 1.", "answer": "[1, 2]"}, "[1, 2]"),
    ],
)
def test_an_answer_is_what_its_format_means(tmp_path: Path, row: object, reply: str) -> None:
    document, _ = read_row(tmp_path, row)
    assert document.turns[1] == ("assistant", reply)


@pytest.mark.parametrize(
    "history",
    [
        [["a", "b"]],
        [user("a"), assistant("b")],
        [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
        [{"user": "a", "assistant": "b"}],
        ["a", "b"],
    ],
)
def test_a_history_comes_before_its_prompt(tmp_path: Path, history: object) -> None:
    turns = (("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    for row in (
        {"instruction": "c", "output": "d", "history": history},
        {"prompt": "c", "chosen": "d", "rejected": "x", "history": history},
        {"prompt": [user("c")], "completion": [assistant("d")], "history": history},
    ):
        document, notices = read_row(tmp_path, row)
        assert (document.turns, document.context_only, notices) == (turns, frozenset(), [])


def test_the_prompt_said_again_in_the_chosen_list_does_not_push_its_passage_out(tmp_path: Path) -> None:
    row = {"prompt": "Who?", "context": NOTE, "chosen": [user("Who?"), assistant("Maria")], "rejected": []}
    assert read_row(tmp_path, row)[0].turns == (("user", f"{NOTE}\n\nWho?"), ("assistant", "Maria"))


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [system("Be terse."), user("a"), assistant("b")]},
        {"messages": [system("Be terse.", "developer"), user("a"), assistant("b")]},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "system": "Be terse."},
        {"system_prompt": "Be terse.", "question": "a", "response": "b"},
        {"system": "Be terse.", "question": "a", "chosen": "b", "rejected": "x"},
        {"prompt": [system("Be terse."), user("a")], "completion": [assistant("b")]},
        {"chosen": [system("Be terse."), user("a"), assistant("b")], "rejected": []},
        {"prompt": [system("Be terse."), user("a")], "chosen": [system("Be terse."), user("a"), assistant("b")]},
    ],
)
def test_a_system_message_is_kept(tmp_path: Path, row: object) -> None:
    document, notices = read_row(tmp_path, row)
    assert (document.system, document.turns) == ("Be terse.", (("user", "a"), ("assistant", "b")))
    assert notices == []


def test_what_cannot_be_shown_in_its_place_is_named(tmp_path: Path) -> None:
    messages = [assistant("Welcome."), user("a"), assistant("b"), system("now rude"), user("c"), assistant("d")]
    assert read_row(tmp_path, {"messages": messages})[1] == [
        "not used: a system message inside a conversation (1 row), "
        "an assistant message before the first user message (1 row)"
    ]


@pytest.mark.parametrize("chosen", ["b", assistant("b"), [assistant("b")], {"from": "gpt", "value": "b"}])
def test_the_chosen_reply_may_be_one_message(tmp_path: Path, chosen: object) -> None:
    for row in (
        {"conversations": [user("a")], "chosen": chosen, "rejected": assistant("x")},
        {"prompt": "a", "chosen": chosen, "rejected": assistant("x")},
    ):
        document, notices = read_row(tmp_path, row)
        assert (document.turns, notices) == ((("user", "a"), ("assistant", "b")), [])


def test_blocks_of_text_are_text(tmp_path: Path) -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    document, _ = read_row(tmp_path, {"messages": [{"role": "user", "content": blocks}, assistant("c")]})
    assert document.turns[0] == ("user", "a\nb")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (
            {"messages": [user("a"), {"role": "tool", "content": "x"}]},
            "the role of a message is tool, not user, assist",
        ),
        ({"messages": [user("a"), assistant("b") | {"tool_calls": [{"id": 1}]}]}, "a message calls a tool"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}, assistant("b")]},
            "a message holds image_url, which is not text",
        ),
        ({"question": "a", "answer": "b", "context": {"title": ["x"]}}, "context is not text"),
        ({"question": "a", "answers": {"text": []}}, "answers is empty"),
        ({"question": "a", "choices": ["x", "y"], "answer": 5}, "answer is 5, which is not one of the choices"),
        ({"prompt": "a", "response": "b", "history": "x: y"}, "history is not a list of pairs or messages"),
        ({"prompt": "a", "response": "b", "history": [["x", "y", "z"]]}, "history is not a list of pairs or messages"),
        (
            {"role": "prompter", "text": "a"},
            "it is a single message (role prompter) without the message_id and parent_id that join",
        ),
        ({"from": "human", "value": "a"}, "it is a single message (role human)"),
    ],
)
def test_what_would_be_learned_otherwise_than_meant_is_refused(tmp_path: Path, row: object, why: str) -> None:
    with pytest.raises(ModelError, match=r"data\.jsonl:1: ") as caught:
        read_row(tmp_path, row)
    assert why in str(caught.value)


def test_columns_that_are_not_understood_are_named_once_with_their_counts(tmp_path: Path) -> None:
    row: dict[str, Any] = {"question": "a", "answer": "b", "id": 7, "tags": [], "notes": "", "source": "set"}
    rows = [row | {"topic": "x"}] * 2 + [row | {"e\x1bvil": 1, "messages": None}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    documents, report = read_text(tmp_path, text)
    assert len(documents) == 3
    assert report.lines() == ["not used: id (3 rows), topic (2 rows), e␛vil (1 row)"]


def test_parts_of_messages_that_are_not_understood_are_named(tmp_path: Path) -> None:
    messages = [user("a") | {"name": "Ann"}, assistant("b") | {"reasoning": "hm", "tool_calls": None}]
    assert read_row(tmp_path, {"messages": messages, "tools": [{"name": "x"}]})[1] == [
        "not used: messages.name (1 row), messages.reasoning (1 row), tools (1 row)"
    ]


def test_a_damaged_file_of_ever_new_columns_is_named_within_bounds(tmp_path: Path) -> None:
    text = "".join(json.dumps({"q": "a", "a": "b", f"column {n}": 1}) + "\n" for n in range(1000))
    assert len(read_text(tmp_path, text)[1].unused) == 100


def test_a_table_has_the_same_parts(tmp_path: Path) -> None:
    table = (
        "question,context,answer,system,history,choices,topic\n"
        'Who?,"The note, by M.",B,Be terse,"[[""a"", ""b""]]","[""Ann"", ""Maria""]",x\n'
        "When?,,In May,,,,\n"
    )
    [first, second], report = read_text(tmp_path, table, "t.csv")
    assert first.system == "Be terse"
    assert first.turns == (
        ("user", "a"), ("assistant", "b"),
        ("user", "The note, by M.\n\nWho?\nA. Ann\nB. Maria"), ("assistant", "B. Maria"),
    )  # fmt: skip
    assert second.turns == (("user", "When?"), ("assistant", "In May"))
    assert report.lines() == ["not used: topic (1 row)"]


def test_a_table_of_preferences_reads_by_the_chosen_side(tmp_path: Path) -> None:
    [document], report = read_text(tmp_path, "prompt,chosen,rejected\na,b,c\n", "t.csv")
    assert document.turns == (("user", "a"), ("assistant", "b"))
    assert report.lines() == []


# --- whatever comes ---

KEYS = [
    "messages", "conversations", "prompt", "question", "instruction", "input", "completion", "answers", "chosen",
    "label", "weight", "mask", "rating", "system", "history", "context", "choices", "text", "role", "content",
    "message_id", "parent_id", "rank", "labels", "replies", "tree_state", "mapping", "current_node", "chat_messages",
    "sender", "attachments", "author", "message", "metadata", "parts", "uuid", "current_leaf_message_uuid", "spam",
]  # fmt: skip
LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3),
    st.sampled_from(["", "a", "user", "assistant", "system", "[1]", '[["a","b"]]', "{", "0", "true", "bad"]),
)  # fmt: skip
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUE, max_size=7), min_size=1, max_size=4), st.booleans())
@examples(60)
def test_any_row_either_reads_or_is_told(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], skip: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    try:
        documents = list(read(path, skip_bad=skip))
    except ModelError:
        return
    for document in documents:
        roles = [role for role, _ in document.turns]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert bool(roles) != bool(document.text)
        assert document.context_only < set(range(len(roles) + 1))
