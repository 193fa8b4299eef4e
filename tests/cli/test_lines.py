"""`theta teach -` and `theta ask -`: each line is answered before the next is read, and a bad one stops no other."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.running import Theta, files
from theta_tui.base.errors import HomeError
from theta_tui.cli import app as cli
from theta_tui.cli import lines
from theta_tui.session.session import Session

GOOD = '{"prompt":"a b","reply":"c d"}'
OTHER = '{"prompt":"e f","reply":"g h"}'
BAD = {
    "not JSON": b"{",
    "no object": b"[1]",
    "no reply": b'{"prompt":"a"}',
    "no text": b'{"prompt":1,"reply":"b"}',
    "blank": b'{"prompt":"a","reply":" "}',
    "nothing to see": '{"prompt":"\u200b","reply":"b"}'.encode(),
    "NaN": b'{"prompt":NaN,"reply":"b"}',
    "a key twice": b'{"prompt":"a","prompt":"b","reply":"c"}',
    "too deep": b"[" * 100_000,
    "not UTF-8": b'{"prompt":"a","reply":"\xff"}',
    "a byte order mark": b"\xef\xbb\xbf" + OTHER.encode(),
    "too long": b'{"prompt":"a","reply":"' + b"b" * lines.MAX_LINE + b'"}',
    "too long for the model": json.dumps({"prompt": "a", "reply": "word " * 3000}).encode(),
}


def answers(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["teach", "-"], [GOOD, "{", OTHER]),
        (["teach", "-", "--json"], [GOOD, "{", OTHER]),
        (["ask", "-"], ["hello", "\u200b", "who are you?"]),
    ],
)
def test_an_answer_is_there_before_the_next_line_is_read(
    theta: Theta, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: list[str]
) -> None:
    heard, answered, waiting = io.BytesIO(), list[int](), [f"{line}\n".encode() for line in said]

    class Pipe:
        """The writer of standard input, who looks what came out before each line."""

        def readline(self, _limit: int) -> bytes:
            answered.append(heard.getvalue().count(b"\n"))
            return waiting.pop(0) if waiting else b""

    monkeypatch.setattr(sys, "argv", ["theta", *arguments])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(), isatty=lambda: False))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(heard, "utf-8"))
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 1
    assert answered == [0, 1, 2, 3]


def test_lines_of_pairs_are_taught_in_order_and_empty_ones_are_left_out(theta: Theta) -> None:
    pairs = '{"prompt":"a b","reply":"c d"}\r\n\n  \n{"prompt":"e f","reply":"g \\u001b[2J h"}'
    taught = theta("teach", "-", "--json", stdin=pairs)
    assert (taught.code, taught.err) == (0, "")
    assert [(item["line"], item["lesson"]) for item in answers(taught.out)] == [(1, 1), (4, 2)]
    assert [item["reply"] for item in answers(taught.out)] == ["c d", "g \x1b[2J h"]
    assert "\x1b" not in taught.out


def test_a_bad_line_has_an_error_with_its_number_and_the_rest_is_learned(theta: Theta) -> None:
    ran = theta("teach", "-", "--json", stdin=b"\n".join([GOOD.encode(), *BAD.values(), OTHER.encode()]))
    assert ran.code == 1
    first, *bad, last = answers(ran.out)
    assert (first["lesson"], last["lesson"], last["line"]) == (1, 2, len(BAD) + 2)
    assert [item["line"] for item in bad] == [*range(2, len(BAD) + 2)]
    for item in bad:
        assert set(item) == {"schema", "line", "error"}
        assert set(item["error"]) == {"code", "name", "message"}
    assert json.loads(ran.err)["error"]["message"].startswith(f"{len(BAD)} of {len(BAD) + 2} lines failed")


def test_without_json_a_bad_line_is_told_among_the_lessons(theta: Theta) -> None:
    ran = theta("teach", "-", stdin=f'{GOOD}\n{{"prompt":"a\x1b","question":"b"}}\n{{"prompt":"a"}}\n{OTHER}\n')
    assert ran.code == 1
    assert [line.split()[0] for line in ran.lines] == ["trained.", "!", "!", "trained."]
    assert ran.lines[1].startswith("! line 2: the line is not JSON (Invalid control character")
    assert ran.lines[2] == '! line 3: the line has no "reply"; a line is {"prompt": …, "reply": …}'
    assert ran.err == "theta: 2 of 4 lines failed; each has its error on stdout\n"


def test_a_lesson_that_the_disk_refuses_is_told_and_the_next_one_is_learned(
    theta: Theta, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach, refused = Session.teach, iter([True, False])

    def once_full(self: Session, prompt: str, reply: str) -> Any:
        if next(refused):
            raise HomeError("no space left on the disk; nothing was learned")
        return teach(self, prompt, reply)

    monkeypatch.setattr(Session, "teach", once_full)
    ran = theta("teach", "-", stdin=f"{GOOD}\n{OTHER}\n")
    assert ran.code == 1
    assert ran.lines[0] == "! line 1: no space left on the disk; nothing was learned"
    assert ran.lines[1].startswith("trained. ")


def test_what_was_acknowledged_stays_when_it_is_interrupted(
    theta: Theta, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = iter([f"{GOOD}\n".encode()])

    def readline(_limit: int) -> bytes:
        for line in said:
            return line
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["theta", "teach", "-"])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(readline=readline), isatty=lambda: False))
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 130
    capsys.readouterr()
    assert [item["reply"] for item in theta("lessons", "--json").json["lessons"]] == ["c d"]


def test_an_endless_line_is_never_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    class Endless:
        def readline(self, limit: int) -> bytes:
            asked.append(limit)
            return b"x" * limit if len(asked) < 5 else b"\n" if len(asked) == 5 else b""

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Endless(), isatty=lambda: False))
    assert list(lines._lines()) == [(1, None)]
    assert max(asked) <= lines.MAX_LINE + 1


def test_keys_that_are_not_used_are_named_once(theta: Theta) -> None:
    ran = theta(
        "teach", "-", stdin='{"prompt":"a","reply":"b","id":7,"label":true}\n{"prompt":"c","reply":"d","id":8}\n'
    )
    assert ran.code == 0
    assert ran.err == 'theta: line 1: not used, here and further on: id, label; a line is {"prompt": …, "reply": …}\n'


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_all_or_nothing_learns_nothing_where_a_line_is_bad(theta: Theta, home: Path, bad: bytes) -> None:
    said = b"\n".join([GOOD.encode(), b"", bad, OTHER.encode()])
    refused = theta("teach", "-", "--all-or-nothing", stdin=said)
    assert (refused.code, refused.out) == (4, "")
    assert refused.err.startswith("theta: line 3 of standard input: ")
    assert refused.err.endswith("; nothing was learned\n")
    assert refused.err.count("\n") == 1
    assert theta("lessons", "--json").json["lessons"] == []


def test_all_or_nothing_learns_all_where_every_line_is_good(theta: Theta) -> None:
    assert theta("teach", "-", "--all-or-nothing", "--json", stdin=f"{GOOD}\n{OTHER}").out.count('"lesson":') == 2
    assert theta("teach", "--for", "a", "b", "--all-or-nothing").code == 2
    assert theta("teach", "--statement", "--all-or-nothing").code == 2


@pytest.mark.parametrize("arguments", [["teach", "-"], ["teach", "-", "--all-or-nothing"]])
@pytest.mark.parametrize("nothing", ["", "\n \r\n"])
def test_no_lines_at_all_are_a_mistake_and_begin_no_home(
    theta: Theta, home: Path, arguments: list[str], nothing: str
) -> None:
    refused = theta(*arguments, stdin=nothing)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("theta: standard input is empty; give ")
    assert not home.exists()


def test_questions_are_answered_a_line_each_and_nothing_changes(theta: Theta, home: Path) -> None:
    theta("teach", "--for", "a b", "c d")
    before = files(home)
    answered = theta("ask", "-", "--no-context", stdin=b"hello\n\xff\n\na b")
    hello, bad, pair = answers(answered.out)
    assert set(hello) == {"schema", "line", "prompt", "reply", "cut", "logprob", "seconds"}
    assert (hello["line"], hello["prompt"]) == (1, "hello")
    assert (bad["line"], bad["error"]["name"]) == (2, "data")
    assert (pair["line"], pair["reply"]) == (4, "c d")
    assert answered.code == 1
    assert files(home) == before


def test_what_is_wrong_with_the_home_or_the_model_ends_it_at_once(theta: Theta) -> None:
    refused = theta("teach", "-", "--model", "/nonexistent/model", stdin=f"{GOOD}\n{OTHER}\n")
    assert (refused.code, refused.out) == (4, "")
    assert refused.err.count("\n") == 1
