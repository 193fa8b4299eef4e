"""Suite files: what is read, and what is refused with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from theta_tui.base.errors import ModelError
from theta_tui.bench.metrics import SuiteLesson
from theta_tui.bench.suite import read_suite

FERRY: dict[str, Any] = {
    "type": "lesson", "id": "ferry", "kind": "fact", "prompt": "When does the ferry leave?", "target": "At nine.",
    "paraphrases": ["The ferry leaves when?"], "near": ["When does the bus leave?"],
}  # fmt: skip
UNRELATED = {"type": "unrelated", "prompt": "hello"}


def write(path: Path, *lines: Any) -> Path:
    """Objects as JSON, text as it is."""
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return tmp_path / "suite.jsonl"


def test_lessons_and_unrelated_prompts_are_read_in_order(suite: Path) -> None:
    later = FERRY | {"id": "ferry#2", "target": "  At ten. ", "supersedes": "ferry", "near": [], "extra": [{}]}
    found = read_suite(write(suite, UNRELATED, "", "\ufeff" + json.dumps(FERRY), later, "  "))
    prompt, paraphrases = FERRY["prompt"], ("The ferry leaves when?",)
    assert found.unrelated == ("hello",)
    assert found.lessons == (
        SuiteLesson("ferry", prompt, "At nine.", paraphrases, ("When does the bus leave?",)),
        SuiteLesson("ferry#2", prompt, "At ten.", paraphrases, (), "ferry"),
    )


def test_a_limit_takes_the_first_lessons_and_all_unrelated_prompts(suite: Path) -> None:
    found = read_suite(write(suite, FERRY, FERRY | {"id": "b"}, FERRY | {"id": "c"}, UNRELATED), limit=2)
    assert [lesson.id for lesson in found.lessons] == ["ferry", "b"]
    assert found.unrelated == ("hello",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Expecting property name"),
        ("[1]", "not an object"),
        ('"lesson"', "not an object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"type":"unrelated","prompt":NaN}', "NaN"),
        ('{"type":"unrelated","prompt":"a","prompt":"b"}', "a key appears twice"),
        ('{"type":"unrelated","prompt":"a \\ud800"}', "surrogate"),
        ({"type": "unrelated"}, "'prompt' is missing"),
        ({"type": "unrelated", "prompt": " \n"}, "'prompt' is blank or not text"),
        ({"type": "question", "prompt": "a"}, "its type is 'question'"),
        ({"prompt": "a"}, "its type is 'None'"),
        (FERRY, "the id 'ferry' is already used"),
        (FERRY | {"id": 7}, "'id' is blank or not text"),
        ({key: value for key, value in FERRY.items() if key != "target"} | {"id": "b"}, "'target' is missing"),
        ({key: value for key, value in FERRY.items() if key != "near"} | {"id": "b"}, "the list 'near' is missing"),
        (FERRY | {"id": "b", "paraphrases": "When?"}, "the list 'paraphrases' is missing"),
        (FERRY | {"id": "b", "near": ["When?", 3]}, "an item of 'near' is blank or not text"),
        (FERRY | {"id": "b", "supersedes": "fairy"}, "it supersedes 'fairy'"),
        (FERRY | {"id": "b", "supersedes": "b"}, "it supersedes 'b'"),
    ],
)
def test_a_bad_line_is_named(suite: Path, line: Any, words: str) -> None:
    with pytest.raises(ModelError) as refused:
        read_suite(write(suite, FERRY, "", line, UNRELATED))
    assert str(refused.value).startswith(f"{suite}:3: ")
    assert words in str(refused.value)
    assert (refused.value.code, refused.value.name) == (4, "data")


def test_bytes_that_are_no_text_are_a_bad_line(suite: Path) -> None:
    suite.write_bytes(json.dumps(FERRY).encode() + b'\n{"type":"unrelated","prompt":"\xff"}\n')
    with pytest.raises(ModelError, match=r"suite\.jsonl:2: .*utf-8"):
        read_suite(suite)


def test_what_a_line_says_cannot_reach_the_terminal_as_control_characters(suite: Path) -> None:
    with pytest.raises(ModelError) as refused:
        read_suite(write(suite, {"type": "\x1b[31m\n"}))
    assert "␛[31m" in str(refused.value)
    assert "\x1b" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("lines", [(), (UNRELATED, UNRELATED)])
def test_a_suite_without_lessons_is_refused(suite: Path, lines: tuple[Any, ...]) -> None:
    with pytest.raises(ModelError, match="there are no lessons in it"):
        read_suite(write(suite, *lines))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            read_suite(path)
