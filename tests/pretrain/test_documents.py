"""Conversations, tables and Theta's own files: every format reads, every fault is told with its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.pretrain.reading import HI, assistant, fault, file, row_fault, turns, user
from theta_tui.base.errors import JournalError, ModelError
from theta_tui.pretrain.content import ReadReport
from theta_tui.pretrain.documents import Document, read
from theta_tui.store import codec, context
from theta_tui.store.journal import Journal
from theta_tui.store.records import Begin, Candidate, ConversationStarted, Exchange, Failure, Learned, Outcome, Withdraw

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


def test_of_a_home_only_the_journal_is_read(tmp_path: Path) -> None:
    journal(tmp_path, *LESSONS)
    file(tmp_path, context.render((("Hi", "Hello!"),)), "context.md")
    assert [document.line for document in read(tmp_path)] == [2, 9, 14]
    file(tmp_path, '{"text":"no journal"}', "journal.jsonl")
    assert [document.text or document.turns for document in read(tmp_path)] == [HI, "no journal"]


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
