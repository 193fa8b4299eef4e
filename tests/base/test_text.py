"""Untrusted text: nothing that is shown can control a terminal, nothing that is stored is lost."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import theta_tui
from theta_tui.base import text

PAYLOADS = [
    "\x1b]52;c;aGk=\x07", "\x1b[31m", "\x9b2J", "\x9d0;title\x9c", "a\rb", "\x00", "\x08", "\u202eabc\u202c",
    "\u2066x\u2069", "\ud800", "\u200b", "\ufeff", "\u2028", "\x7f", "\U000e0041", "\x1bP1$r\x1b\\",
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("\n  it is full\nand more", "it is full"),
        ("", "ValueError"),
        ("One sentence that says what is wrong. " * 9, "One sentence that says what is wrong"),
        ("word " * 80, "word word"),
        ("the host 'https://somewhere/" + "x" * 300 + "' is not there", "the host…"),
        ("it can't be read, and " * 3 + "the repository `someone/" + "y" * 200 + "` is gone", "the repository…"),
        ("'" + "z" * 300 + "'", "ValueError…"),
    ],
)
def test_the_reason_of_an_error_is_a_line_and_never_ends_within_a_quote(said: str, reason: str) -> None:
    found = text.reason(ValueError(said))
    assert found.startswith(reason) or found.endswith(reason)
    assert len(found) <= 201
    assert found.endswith("…") is (len(said.strip()) > 200)
    assert all(found.count(mark) % 2 == 0 for mark in '"`')
    assert not found.endswith(("'…", "xx…", "yy…", "zz…"))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_control_is_left(payload: str) -> None:
    shown = text.visible(payload)
    assert len(shown) == len(payload)
    assert shown != payload
    assert text.visible(shown) == shown
    shown.encode("utf-8")


def test_ordinary_text_is_untouched() -> None:
    for ordinary in ("Hello, world!\n\tyes", "naïve 東京 🙂 👩‍🚀", "[/] [b] <|end|>", "e\u0301"):
        assert text.visible(ordinary) == ordinary


def test_a_line_stays_a_line() -> None:
    assert text.visible("a\nb\tc", one_line=True) == "a␊b␉c"


@given(st.text(alphabet=st.characters()))
def test_positions_are_kept(original: str) -> None:
    assert len(text.visible(original)) == len(original)
    assert len(text.visible(original, one_line=True)) == len(original)


def test_surrogates_and_length_are_repaired_with_notice() -> None:
    assert text.repair("fine") == ("fine", [])
    repaired, notices = text.repair("a\ud83db")
    assert (repaired, len(notices)) == ("a\ufffdb", 1)
    repaired, notices = text.repair("x" * 200_000)
    assert (len(repaired), len(notices)) == (text.MAX_TEXT, 1)


def test_controls_are_kept_by_repair() -> None:
    assert text.repair("a\x1b[0m\r\n\u202e")[0] == "a\x1b[0m\n\u202e"


@pytest.mark.parametrize("blank", ["", "  ", "\n\t", "\u200b", "\x00", "\u2028\ufeff"])
def test_nothing_to_say_is_blank(blank: str) -> None:
    assert text.is_blank(blank)
    assert not text.is_blank(blank + "x")


def test_replies_that_differ_in_form_only_are_the_same() -> None:
    assert text.normalised("  Hello,  there! ") == text.normalised("hello, there") == "hello, there"
    assert text.normalised("Hello there") != text.normalised("Hello, their")


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0, "<0.01 %"),
        (0.0004, "0.04 %"),
        (0.021, "2.1 %"),
        (0.02, "2 %"),
        (0.31, "31 %"),
        (0.997, "99.7 %"),
        (1, "100 %"),
    ],
)
def test_probabilities_read_well(p: float, shown: str) -> None:
    assert text.percent(p) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 lessons"), (1, "1 lesson"), (2, "2 lessons"), (1200, "1,200 lessons")]
)
def test_one_of_a_thing_is_said_in_the_singular(count: int, shown: str) -> None:
    assert text.plural(count, "lesson") == shown
    assert text.plural(count, "try", "tries") == shown.replace("lessons", "tries").replace("lesson", "try")


COUNTED = re.compile(
    r"^ (?:[a-z-]+ )?(bytes|characters|checkpoints|conversations|documents|files|lessons|lines|parameters|parts|"
    r"prompts|records|replies|rows|samples|steps|tokens|turns|words)\b(?!/)"
)


def test_no_count_stands_before_a_noun_that_is_always_in_the_plural() -> None:
    """`{count} lessons` reads "1 lessons" some day. A constant may stand there."""
    room = Path(theta_tui.__file__).parent
    found = [
        f"{path.relative_to(room)}:{value.lineno}: {noun.group()}"
        for path in sorted(room.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.JoinedStr)
        for value, then in zip(node.values, node.values[1:], strict=False)
        if isinstance(value, ast.FormattedValue)
        and not (isinstance(value.value, ast.Name) and value.value.id.isupper())
        and not (isinstance(value.value, ast.Attribute) and value.value.attr.isupper())
        and isinstance(then, ast.Constant)
        and (noun := COUNTED.match(str(then.value)))
    ]
    assert found == []
