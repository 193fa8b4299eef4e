"""Data sets: every format reads, every fault is told with its file and line, nothing else is raised."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theta_tui.base.errors import JournalError, ModelError, UsageError
from theta_tui.pretrain.content import ReadReport
from theta_tui.pretrain.documents import Document, Source, parse_source, read
from theta_tui.store import codec, context
from theta_tui.store.journal import Journal
from theta_tui.store.records import Begin, Candidate, ConversationStarted, Exchange, Failure, Learned, Outcome, Withdraw

Turns = tuple[tuple[str, str], ...]
HI: Turns = (("user", "Hi"), ("assistant", "Hello!"))


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def file(tmp_path: Path, content: str | bytes, name: str = "data.jsonl") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def turns(tmp_path: Path, *rows: object) -> list[Turns]:
    """The conversations of rows, written one a line."""
    path = file(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    return [document.turns for document in read(path)]


def fault(path: Path) -> str:
    """What a file that cannot be used is told to be; one line."""
    with pytest.raises(ModelError) as caught:
        list(read(path))
    assert (caught.value.name, caught.value.code) == ("data", 4)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


def row_fault(tmp_path: Path, row: object) -> str:
    """The same for a row on the second line."""
    line = row if isinstance(row, str) else json.dumps(row)
    message = fault(file(tmp_path, json.dumps({"messages": [user("Hi"), assistant("Hello!")]}) + f"\n{line}\n"))
    assert message.startswith("FILE:2: ")
    assert message.endswith("; fix the line, or skip bad lines with --skip-bad")
    return message


# --- JSON ---


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [user("Hi"), assistant("Hello!")]},
        {"messages": [user("Hi"), assistant("Hello!")], "text": "no", "licence": {"deep": [1, None]}},
        {"messages": [{"role": "system", "content": "Be kind."}, user("Hi"), assistant("Hello!")]},
        {"messages": [assistant("Welcome."), user("Hi"), assistant("Hello!"), user("Bye")]},
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]},
        {"conversations": [{"from": "system"}, {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]},
        {"prompt": "Hi", "completion": "Hello!"},
        {"prompt": "Hi", "response": "Hello!"},
        {"prompt": "Hi", "reply": "Hello!"},
        {"question": "Hi", "answer": "Hello!"},
        {"instruction": "Hi", "output": "Hello!"},
        {"instruction": "Hi", "input": "", "output": "Hello!"},
        {"prompt": [user("Hi")], "completion": [assistant("Hello!")]},
        {"prompt": [user("Hi")], "completion": "Hello!"},
        {"prompt": "Hi", "chosen": "Hello!", "rejected": "What?"},
        {"prompt": [user("Hi")], "chosen": [assistant("Hello!")], "rejected": [assistant("What?")]},
        {"prompt": [user("Hi")], "chosen": [user("Hi"), assistant("Hello!")], "rejected": []},
        {"prompt": "Hi", "chosen": [user("Hi"), assistant("Hello!")], "rejected": []},
        {"chosen": [user("Hi"), assistant("Hello!")], "rejected": [user("Hi"), assistant("What?")]},
        {"messages": None, "prompt": "Hi", "completion": "Hello!"},
    ],
)  # fmt: skip
def test_every_shape_of_a_conversation_reads(tmp_path: Path, row: object) -> None:
    assert turns(tmp_path, row) == [HI]


def test_neighbours_of_one_role_are_joined(tmp_path: Path) -> None:
    row = {"messages": [user("a"), user("b"), assistant("c"), assistant("d"), user("e"), assistant("f")]}
    assert turns(tmp_path, row) == [(("user", "a\nb"), ("assistant", "c\nd"), ("user", "e"), ("assistant", "f"))]


def test_an_instruction_takes_its_input_along(tmp_path: Path) -> None:
    row = {"instruction": "Translate.", "input": "Hallo", "output": "Hello"}
    assert turns(tmp_path, row) == [(("user", "Translate.\nHallo"), ("assistant", "Hello"))]


def test_a_longer_prompt_of_messages_stands_before_the_chosen_reply(tmp_path: Path) -> None:
    before = [user("a"), assistant("b"), user("c")]
    whole = (("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    rows = [
        {"prompt": before, "chosen": [assistant("d")], "rejected": [assistant("x")]},
        {"prompt": before, "chosen": [*before, assistant("d")], "rejected": [*before, assistant("x")]},
    ]
    assert turns(tmp_path, *rows) == [whole, whole]


def test_a_text_row_is_plain_text(tmp_path: Path) -> None:
    assert list(read(file(tmp_path, '{"text": "Go."}\n'))) == [Document((), "Go.", "data", 1)]


def test_the_source_is_the_rows_own_or_the_files_name(tmp_path: Path) -> None:
    path = file(tmp_path, '{"text":"a"}\n{"text":"b","source":"tatoeba"}\n{"text":"c","source":7}\n', "my.set.jsonl")
    assert [(document.source, document.line) for document in read(path)] == [
        ("my.set", 1),
        ("tatoeba", 2),
        ("my.set", 3),
    ]


def test_a_json_array_reads_as_its_lines_would(tmp_path: Path) -> None:
    data = '[\n  {"prompt": "Hi",\n   "completion": "Hello!"},\n  {"text": "x"}, {"text": "y"}\n]\n'
    documents = list(read(file(tmp_path, data, "data.json")))
    assert [(document.turns, document.text, document.line) for document in documents] == [
        (HI, "", 2), ((), "x", 4), ((), "y", 4),
    ]  # fmt: skip


def test_a_bom_blank_lines_and_crlf_are_no_matter(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf\n\r\n{"text":"a"}\r\n\n{"text":"b"}'
    assert [(document.text, document.line) for document in read(file(tmp_path, data))] == [("a", 3), ("b", 5)]


def test_lines_are_split_on_newline_only(tmp_path: Path) -> None:
    text = "a\u2028b\u0085c\x0cd"
    assert [document.text for document in read(file(tmp_path, json.dumps({"text": text}, ensure_ascii=False)))] == [
        text
    ]


def test_lone_surrogates_are_replaced_and_control_tokens_stay(tmp_path: Path) -> None:
    data = r'{"prompt":"a\ud800b \ud83d\ude00","completion":"<|end|>\r\nc","source":"s\udfff"}'
    assert list(read(file(tmp_path, data))) == [
        Document((("user", "a\ufffdb \U0001f600"), ("assistant", "<|end|>\nc")), "", "s\ufffd", 1)
    ]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{", "it is not JSON (expecting property name"),
        ('{"text": "a"', "it is not JSON"),
        ("hello", "it is not JSON"),
        ("[1]", "it is not a JSON object"),
        ('{"text": "a", "text": "b"}', "a key appears twice"),
        ('{"text": "a", "p": NaN}', "NaN is not a JSON number"),
        ('{"text": "a", "p": -Infinity}', "-Infinity is not a JSON number"),
        ('{"a":' * 100_000, "it is nested too deeply"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"n": ' + "1" * 5000 + "}", "integer"),
        ({"foo": 1, "b\x1bar": 2}, "its keys are foo, b␛ar; it needs messages, conversations, prompt + completion"),
        ({}, "its keys are none"),
        ({"prompt": "Hi"}, "its keys are prompt"),
        ({"chosen": "Hello!", "rejected": "What?"}, "its keys are chosen, rejected"),
        ({"messages": "Hi"}, "its messages are not a list"),
        ({"messages": []}, "no user message in it has a reply"),
        ({"messages": [user("Hi")]}, "no user message in it has a reply"),
        ({"messages": [assistant("Hi")]}, "no user message in it has a reply"),
        ({"messages": ["Hi"]}, "a message is not an object with role and content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "the role of a message is tool, not user"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "the role of a message is ['user'], not user"),
        ({"messages": [user("Hi"), {"role": "assistant"}]}, "a message has no text"),
        ({"messages": [user("Hi"), {"role": "assistant", "content": 3}]}, "a message is not text"),
        ({"messages": [user("Hi"), assistant(" \u200b\n")]}, "a message is blank"),
        ({"prompt": "Hi", "completion": " "}, "completion is blank"),
        ({"prompt": "", "completion": "Hi"}, "prompt is blank"),
        ({"prompt": 1, "completion": "Hi"}, "prompt is not text"),
        ({"text": "\n"}, "text is blank"),
    ],
)
def test_a_bad_row_is_told_with_its_line(tmp_path: Path, row: object, why: str) -> None:
    assert why in row_fault(tmp_path, row)


def test_bad_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    assert fault(file(tmp_path, b'{"text":"a"}\n{"text":"\xff"}\n')).startswith(
        "FILE:2: it is not UTF-8 (byte 0xff); fix"
    )


def test_a_line_above_16_mb_is_bad_and_the_next_one_reads(tmp_path: Path) -> None:
    long = b'{"text":"' + b"x" * (codec.MAX_LINE + (3 << 20)) + b'"}'
    path = file(tmp_path, b'{"text":"a"}\n' + long + b'\n{"text":"b"}\n')
    assert fault(path).startswith("FILE:2: it is longer than 16 MB; ")
    assert [(document.text, document.line) for document in read(path, skip_bad=True)] == [("a", 1), ("b", 3)]


def test_bad_lines_are_skipped_and_counted_when_asked(tmp_path: Path) -> None:
    path = file(tmp_path, b'nonsense\n{"text":"a"}\n\xff\n{"text":""}\n{"text":"b"}\n{"text":"c"}\n{"text":"d"}\n')
    report = ReadReport()
    assert [document.text for document in read(path, skip_bad=True, report=report)] == ["a", "b", "c", "d"]
    assert report.bad == {str(path): 3}
    assert report.lines() == ["3 bad lines skipped"]
    assert [document.text for document in read(path, skip_bad=True)] == ["a", "b", "c", "d"]


def test_a_file_of_bad_lines_only_is_an_error_even_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="all of its 2 lines are bad"):
        list(read(file(tmp_path, '{"text":""}\n{"text":1}\n'), skip_bad=True))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('[{"text":"a"},\n{"text":""}]', "FILE:2: text is blank; fix the line"),
        ('[{"text":"a"}\n{"text":"b"}]', "FILE:1: the JSON array goes on without a comma or is cut short here"),
        ('[{"text":"a"},\n\n{"text":', "FILE:3: it is not JSON"),
        ('[{"text":"a"}', "FILE:1: the JSON array goes on without a comma or is cut short"),
        ('[{"text":"a"},\n', "FILE:2: it is not JSON"),
        ('[{"text":"a"}] x', "FILE:1: there is something after the end"),
        ('["a", "b"]', "FILE:1: it is not a JSON object"),
        ("[" * 100_000, "FILE:1: it is nested too deeply"),
        ('[{"text":NaN}]', "FILE:1: NaN is not a JSON number"),
        (b'[{"text":"a"},\n{"text":"\xff"}]', "FILE:2: it is not UTF-8"),
        ("[]", "FILE: there is nothing in it to learn from"),
    ],
)
def test_a_bad_array_is_told_with_its_place(tmp_path: Path, data: str | bytes, why: str) -> None:
    assert fault(file(tmp_path, data)).startswith(why)


@pytest.mark.parametrize("indent", [0, 1, 4, "\t"])
@pytest.mark.parametrize("size", [1, 200_000])
def test_json_may_go_over_many_lines(tmp_path: Path, indent: int | str, size: int) -> None:
    long = {"messages": [user("x" * size), assistant("y")]}
    rows = [long, {"prompt": "Hi", "completion": "Hello!"}, {"text": "z"}]
    pretty = [json.dumps(row, indent=indent) for row in rows]
    lines = [1, 2 + pretty[0].count("\n"), 3 + sum(text.count("\n") for text in pretty[:2])]
    for data in ("\n".join(pretty), "\n".join(pretty) + "\n \n", "\ufeff" + "\r\n".join(pretty)):
        documents = list(read(file(tmp_path, data)))
        assert [document.line for document in documents] == lines
        assert documents[1].turns == HI
        assert (documents[0].turns[0][1], documents[2].text) == ("x" * size, "z")
    [document] = read(file(tmp_path, pretty[0], "one.json"))
    assert document.turns[1][1] == "y"


def test_lines_and_many_lines_may_be_mixed(tmp_path: Path) -> None:
    data = '{"text":"a"}\n{\n"text": "b"\n}\n{"messages": [\n{"role":"user","content":"Hi"},\n' + (
        '{"role":"assistant","content":"Hello!"}]}\n{"text":"c"}'
    )
    documents = list(read(file(tmp_path, data)))
    assert [(document.text or document.turns, document.line) for document in documents] == [
        ("a", 1), ("b", 2), (HI, 5), ("c", 8),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('{\n "text": "a"\n}\n{\n "text": \n}\n', "FILE:4: it is not JSON (expecting value, character 13); fix the"),
        ('{\n "text": "a"\n}\n{\n "text": "b"\n', "FILE:4: it is not JSON (expecting ','"),
        ('{\n "text": "a"\n}\nmore\n', "FILE:4: it is not JSON"),
        ('{\n "text": "a"\n}\n{\n "text": ""\n}\n', "FILE:4: text is blank; fix the line"),
        ('{\n "text": NaN\n}\n', "FILE:1: NaN is not a JSON number"),
        (b'{\n "text": "a"\n}\n{\n "text": "\xff"\n}\n', "FILE:5: it is not UTF-8"),
    ],
)
def test_bad_json_over_many_lines_is_told_with_its_place(tmp_path: Path, data: str | bytes, why: str) -> None:
    assert fault(file(tmp_path, data)).startswith(why)


def test_json_lines_with_a_bad_line_are_still_lines(tmp_path: Path) -> None:
    for bad in ('{"text": "a"', '{"text": "a', "{", '{"text": ["a",'):
        path = file(tmp_path, f'{bad}\n{{"text":"b"}}\n{bad}\n{{"text":"c"}}\n{{"text":"d"}}\n')
        assert fault(path).startswith("FILE:1: it is not JSON")
        assert [document.text for document in read(path, skip_bad=True)] == ["b", "c", "d"]


def test_an_array_of_any_size_is_read_an_object_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theta_tui.pretrain.formats.MAX_VALUE", 300_000)
    rows = [{"text": f"{number} " + "x" * 50_000} for number in range(60)]
    assert [document.text for document in read(file(tmp_path, json.dumps(rows)))] == [row["text"] for row in rows]
    rows.append({"text": "x" * 3_000_000})
    assert fault(file(tmp_path, json.dumps(rows))).startswith("FILE:1: one of its JSON objects is larger than 0 MB; ")


# --- Theta's own files ---


def exchange(prompt: str, reply: str, **more: object) -> Exchange:
    return Exchange("correction", prompt, reply, (Candidate(1, "x", -1.0),), {}, **more)  # type: ignore[arg-type]


def learned(of: int, skipped: str | None = None) -> Learned:
    return Learned(of, Outcome(1, "correction", "p", "r", 2.5, 0.5, 0.02, 0.97, 3, 7, True, 0.25, (), skipped), "m")


def journal(tmp_path: Path, *records: object) -> Path:
    path = tmp_path / "journal.jsonl"
    written = Journal.open(path)
    for record in records:
        written.append(record)  # type: ignore[arg-type]
    written.close()
    return path


LESSONS = (
    Begin("default", "f" * 16, "0.1.0"),
    exchange("Hi", "Hello!"), learned(2),
    exchange("a", "withdrawn"), learned(4), Withdraw(4),
    exchange("b", "corrected later"), learned(7),
    exchange("b", "right", replaces=7), learned(9),
    exchange("c", "failed"), Failure("it broke", 11),
    ConversationStarted(),
    exchange("d\n\u202e", "alone", conversation=False),
)  # fmt: skip


def test_of_a_journal_the_lessons_that_count_are_read(tmp_path: Path) -> None:
    assert [(document.turns, document.source, document.line) for document in read(journal(tmp_path, *LESSONS))] == [
        (HI, "journal", 2),
        ((("user", "b"), ("assistant", "right")), "journal", 9),
        ((("user", "d\n\u202e"), ("assistant", "alone")), "journal", 14),
    ]


def test_a_packed_journal_under_another_name_reads_too(tmp_path: Path) -> None:
    packed = file(tmp_path, gzip.compress(journal(tmp_path, *LESSONS).read_bytes()), "backup.gz")
    assert [document.line for document in read(packed)] == [2, 9, 14]


def test_a_torn_tail_of_a_journal_is_left_out(tmp_path: Path) -> None:
    path = journal(tmp_path, *LESSONS)
    path.write_bytes(path.read_bytes()[:-9])
    assert [document.line for document in read(path)] == [2, 9]


@pytest.mark.parametrize("skip_bad", [False, True])
def test_a_damaged_journal_is_never_taught_from(tmp_path: Path, skip_bad: bool) -> None:
    path = journal(tmp_path, *LESSONS)
    path.write_bytes(path.read_bytes().replace(b"corrected later", b"corrected lated"))
    with pytest.raises(JournalError) as caught:
        list(read(path, skip_bad=skip_bad))
    assert str(caught.value).startswith(f"{path}:7: the journal cannot be taught from: it is damaged at byte ")
    assert str(caught.value).endswith("(its checksum does not fit); bring the file back from a copy to go on")
    assert "theta-" not in str(caught.value).replace(str(path), "")


def test_a_context_file_is_one_conversation(tmp_path: Path) -> None:
    data = context.render((("Hi", "Hello!"), ("a <|user|>\nb", "c")))
    assert [document.turns for document in read(file(tmp_path, data, "context.md"))] == [
        (*HI, ("user", "a <|user|>\nb"), ("assistant", "c"))
    ]


def test_a_context_file_without_a_turn_is_told(tmp_path: Path) -> None:
    assert fault(file(tmp_path, "<|user|> Hi\n")).startswith("FILE:1: no <|user|> message is followed by")
    assert fault(file(tmp_path, b"<|user|> Hi <|assistant|> a\n\xff")).startswith("FILE:2: it is not UTF-8")
    assert "at most" in fault(file(tmp_path, "<|user|> a <|assistant|> b\n" * 10_001))


# --- tables ---


@pytest.mark.parametrize(
    "data",
    [
        "question,answer\nHi,Hello!\n",
        "\ufeffQuestion,ANSWER\r\nHi,Hello!\r\n",
        "id;prompt;reply\n1;Hi;Hello!\n",
        "q\ta\nHi\tHello!\n",
        "Output,Input\nHello!,Hi\n",
        '"user","assistant"\n"Hi","Hello!"\n\n',
        "instruction,input,output\nHi,,Hello!\n",
        "question, answer\nHi, Hello!\n",
        "Hi\tHello!\n",
    ],
)
def test_a_table_reads_by_its_columns(tmp_path: Path, data: str) -> None:
    assert [document.turns for document in read(file(tmp_path, data, "t"))] == [HI]


def test_a_quoted_cell_may_hold_lines_and_lines_are_still_counted(tmp_path: Path) -> None:
    path = file(tmp_path, 'question,answer\n"a\nb","c ""d"", e"\n\nf,g\n', "t.csv")
    assert [(document.turns, document.line) for document in read(path)] == [
        ((("user", "a\nb"), ("assistant", 'c "d", e')), 2),
        ((("user", "f"), ("assistant", "g")), 5),
    ]


def test_a_quote_in_a_tab_separated_file_is_text_where_it_quotes_nothing(tmp_path: Path) -> None:
    path = file(tmp_path, 'q\ta\n"Hi" she said\tHello!\n"open\tend\n', "t.tsv")
    assert [document.turns[0][1] for document in read(path)] == ['"Hi" she said', '"open']
    path = file(tmp_path, 'q\ta\n"Hi\nyou"\tHello!\n', "t.tsv")
    assert [document.turns[0][1] for document in read(path)] == ["Hi\nyou"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"q,a\nHi,Hello!\nHi\n", "FILE:3: it has 1 column, the header has 2"),
        (b"q,a\nHi,Hello, you\n", "FILE:2: it has 3 columns, the header has 2"),
        (b"q,a\n\nHi,\n", "FILE:3: a is blank"),
        (b"q,a\nHi,\xff\n", "FILE:2: it is not UTF-8"),
        (b'q,a\nHi,"a" b\n', "FILE:2: it is not a table row"),
        (b'q,a\nHi,"a\n', "FILE:2: it is not a table row"),
        (b"q,a\nHi,a\rb\n", "FILE:2: it is not a table row"),
        pytest.param(b"q,a\nHi," + b"x" * (17 << 20) + b"\n", "FILE:2: it is longer than 16 MB", id="long"),
    ],
)
def test_a_bad_row_of_a_table_is_told_with_its_line(tmp_path: Path, data: bytes, why: str) -> None:
    path = file(tmp_path, data + b"y,z\n" * ('"a\n' not in data.decode("latin-1")), "t.csv")
    assert fault(path).startswith(why)
    report = ReadReport()
    if data.count(b'"') != 1:
        assert list(read(path, skip_bad=True, report=report))[-1].turns == (("user", "y"), ("assistant", "z"))
        assert report.lines() == ["1 bad line skipped"]


@pytest.mark.parametrize("name", ["t.csv", "t"])
def test_wrong_columns_are_named_with_those_that_are_wanted(tmp_path: Path, name: str) -> None:
    message = fault(file(tmp_path, "name,birth year\nAda,1815\nAlan,1912\n", name))
    assert message.startswith("FILE:1: its columns are name, birth year; it needs a question (prompt or question or ")
    assert "and an answer (completion or" in message


def test_a_table_of_one_column_has_the_wrong_columns(tmp_path: Path) -> None:
    assert fault(file(tmp_path, "words\nHi\n", "t.csv.gz")).startswith("FILE:1: its columns are words; it needs")


# --- plain text ---


def test_plain_text_is_gathered_into_documents_of_whole_paragraphs(tmp_path: Path) -> None:
    paragraphs = [f"{number} " + "word " * 120 + "\nend" for number in range(9)]
    documents = list(read(file(tmp_path, "\n\n \r\n".join(paragraphs), "book.txt")))
    assert "\n\n".join(document.text for document in documents) == "\n\n".join(paragraphs)
    assert [document.line for document in documents] == [1, 13, 25]
    assert all(len(document.text) <= 2000 and not document.turns for document in documents)
    assert {document.source for document in documents} == {"book"}


def test_text_without_a_blank_line_is_cut_at_line_ends(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(1000)]
    documents = list(read(file(tmp_path, "\r\n".join(lines), "a.log")))
    assert "\n".join(document.text for document in documents).split("\n") == lines
    assert len(documents) > 3
    assert [lines[document.line - 1] for document in documents] == [d.text.split("\n")[0] for d in documents]


@pytest.mark.parametrize(
    "text", ["Hello, world.", "[Chorus] la la", "[[Wiki]] link", "{{Infobox}}", "Roses are red, violets\nare blue, too"]
)
def test_what_looks_a_little_like_another_format_is_text(tmp_path: Path, text: str) -> None:
    assert [document.text for document in read(file(tmp_path, text, "t"))] == [text]


def test_a_bad_byte_in_plain_text_is_told_with_its_line(tmp_path: Path) -> None:
    path = file(tmp_path, b"caf\xc3\xa9\ncaf\xe9\nend", "t.txt")
    assert fault(path).startswith("FILE:2: it is not UTF-8 (byte 0xe9)")
    assert [document.text for document in read(path, skip_bad=True)] == ["café\nend"]


# --- files and folders ---


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_told(tmp_path: Path, data: bytes) -> None:
    assert fault(file(tmp_path, data)).startswith("FILE: there is nothing in it to learn from; leave the file out")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert fault(tmp_path / "no").startswith("FILE: it cannot be read (No such file or directory); check the name")
    assert fault(file(tmp_path, "x") / "y").startswith("FILE: it cannot be read (Not a directory)")
    assert "it cannot be read" in fault(Path("a\0b"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = file(tmp_path, "x")
    path.chmod(0)
    assert "Permission denied" in fault(path)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PAR1\x15\x04", "Parquet"),
        (pickle.dumps({"a": 1}), "a pickle"),
        ((60).to_bytes(8, "little") + b'{"w":{"dtype":"F32"}}', "safetensors"),
        (b"PK\x03\x04", "a zip archive"),
        ("Hi".encode("utf-16"), "UTF-16 text"),
        (b"text \0 text", "binary"),
        (gzip.compress(gzip.compress(b"Hi", mtime=0), mtime=0), "gzip in gzip"),
    ],
)
def test_a_binary_file_is_named_with_the_formats_that_are_read(tmp_path: Path, data: bytes, kind: str) -> None:
    assert fault(file(tmp_path, data)).startswith(f"FILE: it is {kind}, not text; supported are JSON Lines or ")


def test_gzip_is_known_by_its_bytes(tmp_path: Path) -> None:
    data = gzip.compress(b'{"text":"a"}\n', mtime=0) + gzip.compress(b'{"text":"b"}\n')
    assert [document.text for document in read(file(tmp_path, data, "data"))] == ["a", "b"]
    assert {document.source for document in read(file(tmp_path, data, "talk.jsonl.gz"))} == {"talk"}


def rows(count: int) -> bytes:
    return b"".join(b'{"text":"row %d %s"}\n' % (row, os.urandom(20).hex().encode()) for row in range(count))


def test_a_gzip_file_that_is_cut_or_damaged_is_told(tmp_path: Path) -> None:
    packed = gzip.compress(rows(20_000), mtime=0)
    assert "the compressed file is damaged or cut short" in fault(file(tmp_path, packed[:-100]))
    assert "the compressed file is damaged or cut short" in fault(file(tmp_path, packed[:20]))
    middle = len(packed) // 2
    path = file(tmp_path, packed[:middle] + b"\xff" * 99 + packed[middle + 99 :])
    with pytest.raises(ModelError, match="the compressed file is damaged or cut short"):
        list(read(path, skip_bad=True))


def zst(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.compress(data)
    packed: bytes = pytest.importorskip("zstandard").ZstdCompressor().compress(data)
    return packed


def test_zstandard_is_known_by_its_bytes(tmp_path: Path) -> None:
    data = rows(20_000)
    path = file(tmp_path, zst(data) + zst(b'{"text":"last"}\n'), "talk.jsonl.zst")
    documents = list(read(path))
    assert (len(documents), documents[-1]) == (20_001, Document((), "last", "talk", 20_001))


def test_a_zstandard_file_that_is_cut_or_damaged_is_told(tmp_path: Path) -> None:
    packed = zst(rows(20_000))
    for data in (packed[:-1], packed[:-1000], packed[:10], packed + b"garbage", packed[:50] + b"\xff" * 50):
        assert "the compressed file is damaged or cut short" in fault(file(tmp_path, data))


def test_without_the_package_a_zst_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path, b"\x28\xb5\x2f\xfd")
    monkeypatch.setitem(sys.modules, "zstandard" if sys.version_info < (3, 14) else "compression.zstd", None)
    assert "pip install zstandard" in fault(path)


def test_a_folder_is_read_with_all_its_data_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/z.txt", "a/y.jsonl.gz", "c/context.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = "<|user|> Hi <|assistant|> Hello!" if name.endswith("md") else f'{{"text":"{name}"}}'
        file(tmp_path, gzip.compress(text.encode(), mtime=0) if name.endswith("gz") else text, name)
    for name in (
        "README.md", "LICENSE", "LICENSE.txt", "SOURCES.md", "kept.bin", ".hidden.jsonl", "x.py", "config.json",
        "dataset_info.json", "requirements.txt",
    ):  # fmt: skip
        file(tmp_path, "not data", name)
    (tmp_path / ".git").mkdir()
    file(tmp_path, "not data", ".git/x.txt")
    assert [document.text or document.turns for document in read(tmp_path)] == [
        "a/y.jsonl.gz",
        "a/z.txt",
        "b.jsonl",
        HI,
    ]


def test_of_a_home_only_the_journal_is_read(tmp_path: Path) -> None:
    journal(tmp_path, *LESSONS)
    file(tmp_path, context.render((("Hi", "Hello!"),)), "context.md")
    assert [document.line for document in read(tmp_path)] == [2, 9, 14]
    file(tmp_path, '{"text":"no journal"}', "journal.jsonl")
    assert [document.text or document.turns for document in read(tmp_path)] == [HI, "no journal"]


def test_a_folder_without_data_is_told(tmp_path: Path) -> None:
    file(tmp_path, "x", "README.md")
    assert fault(tmp_path).startswith("FILE: there are no data files in this folder; supported are JSON Lines")


def test_a_bad_file_of_a_folder_is_named(tmp_path: Path) -> None:
    file(tmp_path, '{"text":"a"}', "a.jsonl")
    file(tmp_path, '{"text":""}', "b.jsonl")
    assert fault(tmp_path).startswith("FILE/b.jsonl:1: text is blank")


def test_a_file_name_with_controls_is_shown_as_symbols(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        list(read(tmp_path / "a\x1b\nb"))
    assert "a␛␊b" in str(caught.value)


def test_a_file_is_read_as_it_is_asked_for(tmp_path: Path) -> None:
    path = file(tmp_path, b'{"text":"a"}\n' * 200_000 + b"broken\n")
    documents = read(path)
    assert next(documents).text == "a"
    with pytest.raises(ModelError, match=r":200001: it is not JSON"):
        list(documents)


# --- FILE:WEIGHT ---


@pytest.mark.parametrize(
    ("text", "path", "weight"),
    [
        ("a.jsonl", "a.jsonl", 1.0),
        ("a.jsonl:0.3", "a.jsonl", 0.3),
        ("a.jsonl:2", "a.jsonl", 2.0),
        ("a.jsonl:1e-2", "a.jsonl", 0.01),
        ("C:\\x", "C:\\x", 1.0),
        ("C:\\x:0.5", "C:\\x", 0.5),
        ("no such:thing", "no such:thing", 1.0),
        (":2", ":2", 1.0),
    ],
)
def test_a_data_set_is_named_with_its_weight(text: str, path: str, weight: float) -> None:
    assert parse_source(text) == Source(Path(path), weight)


def test_a_file_with_a_colon_in_its_name_is_that_file(tmp_path: Path) -> None:
    path = file(tmp_path, "x", "talk:2")
    assert parse_source(str(path)) == Source(path, 1.0)
    assert parse_source(f"{path}:0.5") == Source(path, 0.5)


@pytest.mark.parametrize("text", ["", " ", "a:0", "a:-1", "a:nan", "a:inf", "a:-0.0", "a:1e999"])
def test_a_weight_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_source(text)


@pytest.mark.parametrize("weight", ["", "x", "0,3", "٣", "1_0", "30%"])
def test_a_weight_that_is_no_number_is_refused(tmp_path: Path, weight: str) -> None:
    with pytest.raises(UsageError, match=r"is not a weight; say FILE:0\.3"):
        parse_source(f"{file(tmp_path, 'x')}:{weight}")


# --- whatever comes ---

_PIECES = [
    b"{", b"}", b"[", b"]", b'{"text":"a"}', b'{"messages":[{"role":"user","content":"a"}]}', b",", b"\n", b"\r", b'"',
    b"q,a\n", b"a\tb\n", b"<|user|>", b"<|assistant|>", b'{"seq":1,"crc":"00000000",', b"\xff", b"\xef\xbb\xbf", b"\0",
    b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\\ud800", b" ", b":", b"PAR1", b"null",
]  # fmt: skip


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(_PIECES), max_size=30).map(b"".join)), st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_bytes_either_read_or_are_told(tmp_path_factory: pytest.TempPathFactory, data: bytes, skip: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    for content in (data, gzip.compress(data, mtime=0)):
        path.write_bytes(content)
        try:
            documents = list(read(path, skip_bad=skip))
        except (ModelError, JournalError):
            continue
        assert documents
        for document in documents:
            roles = [role for role, _ in document.turns]
            assert roles == ["user", "assistant"] * (len(roles) // 2)
            assert bool(roles) != bool(document.text)
            (document.text + "".join(text for _, text in document.turns)).encode()


def test_the_readers_load_nothing_heavy() -> None:
    script = "import sys, theta_tui.pretrain.documents; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "textual", "zstandard", "numpy"}.intersection(run.stdout.split())
