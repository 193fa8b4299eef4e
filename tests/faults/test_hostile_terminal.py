"""Hostile text on its way to the terminal: from a model, a person, a file or an exception, to the bytes that arrive."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.hostile import CONTROLS, PAYLOADS, PLACES, harmful, offences
from tests.faults.terminal import Start, Terminal
from theta_tui.base.text import is_blank, visible

pytest_plugins = ["tests.faults.fixtures"]

COLUMNS, ROWS = 100, 40
NAMES = list(PAYLOADS)
FORTY = [name for at, name in enumerate(NAMES) if at % 3 != 2]
"""Two of three, so that all kinds are among them."""


def drawn(start: Start, steps: Sequence[tuple[str, str]], careful: bool = True) -> dict[str, list[str]]:
    """What was wrong with the bytes of a screen that was shown `steps`, by step."""
    app = start(
        columns=COLUMNS, rows=ROWS, scene="tests.faults.hostile:shown", scene_with=[list(steps), careful]
    )  # fmt: skip
    code, _ = app.leave()
    app.drain()
    assert code == 0, app.raw[-2000:].decode(errors="replace")
    assert app.raw.count(b"\x1b]777;") == len(steps)
    return offences(app.raw, COLUMNS, ROWS)


def test_no_place_of_the_screen_lets_a_control_through(start: Start) -> None:
    steps = [
        (place, NAMES[number]) for at, place in enumerate(PLACES) for number in range(5 * at % 53, len(NAMES), 53)
    ]  # fmt: skip
    assert {place for place, _ in steps} == set(PLACES)
    assert drawn(start, steps) == {}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_no_payload_gets_through_anywhere(start: Start, place: str) -> None:
    for at in range(0, len(FORTY), 20):
        assert drawn(start, [(place, name) for name in FORTY[at : at + 20]]) == {}


EDITED = {"editing", "composer", "mistakes", "fact"}
"""Places with an editor: Textual's own cannot hold a control."""


@pytest.mark.slow  # a check of the check
def test_what_is_not_made_visible_is_found_by_this_check_in_every_place(start: Start) -> None:
    places = [place for place in PLACES if place not in EDITED | {"answers"}] + [
        "answers"
    ]  # answers stay on the screen
    found = drawn(start, [(place, "reset") for place in places], careful=False)
    assert {step.partition("|")[0] for step in found} >= set(places)


@pytest.mark.parametrize("name", NAMES)
def test_every_control_is_made_visible_and_every_letter_is_left(name: str) -> None:
    text = PAYLOADS[name]
    shown = visible(text)
    assert len(shown) == len(text)
    assert visible(shown) == shown
    assert list(harmful(shown)) == []
    assert (shown != text) == (name in CONTROLS)


@pytest.mark.parametrize(
    "text", ["می‌خواهم", "क्‍ष क्‌ष", "👨‍👩‍👧", "1️⃣ ☺︎ ☺️", "café naïve ầ", "葛󠄀", "ไก่", "בְּרֵאשִׁית", "ﷺ", "a\tb\nc"]
)  # fmt: skip
def test_signs_that_some_scripts_need_are_left_where_they_need_them(text: str) -> None:
    assert visible(text) == text


def test_what_cannot_be_seen_is_nothing_to_say() -> None:
    assert is_blank("\u3164\u115f\u200b \u00ad\U0001d173")


# --- the commands ---


def printed(program: Terminal) -> tuple[int, bytes]:
    code, _ = program.leave()
    program.drain()
    return code, program.raw


def assert_harmless(raw: bytes) -> None:
    assert offences(raw.replace(b"\r\x1b[2K", b""), COLUMNS, ROWS) == {}


@pytest.fixture
def taught(home: Path) -> Path:
    """A home in which every payload was said, offered, and taught: as prompt, as reply, as a candidate."""
    from theta_tui.base.config import Settings
    from theta_tui.base.text import repair
    from theta_tui.store.records import Begin, Candidate, Exchange, Learned, Outcome, Pending, Stated
    from theta_tui.store.store import Store

    record = Store.open(Settings(home=home, lock_wait=0))
    record.append(Begin("tiny", "0" * 8, "0", None))
    for number, text in enumerate(PAYLOADS.values(), 1):
        said = repair(text)[0]
        candidates = tuple(Candidate(index, said, -1.0, True) for index in range(1, 6))
        entry = record.append(Exchange("pick", said, said, candidates, {}, pick=1, prompt_id=f"p{number}"))
        result = Outcome(
            lesson=number, kind="pick", prompt=said, reply=said, loss_before=2.0, loss_after=1.0, p_before=0.1,
            p_after=0.9, steps=1, step=number, learned=True, seconds=0.1, losses=(2.0, 1.0),
        )  # fmt: skip
        record.append(Learned(entry.seq, result, "here"))
    record.keep(Pending("kept", said, candidates, Stated(said, said)))
    record.write_context()
    record.close()
    return home


@pytest.mark.parametrize("command", [["history"], ["lessons"], ["stats"]], ids=str)
def test_what_is_printed_of_the_past_is_harmless(start: Start, taught: Path, command: list[str]) -> None:
    code, raw = printed(start(*command, columns=COLUMNS, rows=ROWS))
    assert code == 0
    assert_harmless(raw)
    if command == ["history"]:
        assert visible(CONTROLS["OSC 52"]).encode() in raw
        assert b"[@click=app.quit]quit[/]" in raw
        _, told = printed(start("history", "--json"))
        turns = json.loads(told)["turns"]
        assert len(turns) == len(PAYLOADS)
        assert turns[0]["prompt"] == CONTROLS["OSC 52"]
        # JSON is for programs: what a terminal obeys is escaped in it, what cannot be seen is as it was.
        lines = told.decode().replace("\r\n", "\n")
        obeyed = {char for char in lines if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}} - {"\n"}
        assert (
            obeyed | (set(lines) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")) == set()
        )


@pytest.mark.parametrize(
    "name",
    [
        "OSC 52",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("C1 CSI", "bidi overrides", "CR", "markup click")),
    ],
)
def test_what_a_command_is_given_comes_back_harmless(start: Start, tmp_path: Path, name: str) -> None:
    """File names, values of settings, and words that are none: every command that names what it was given."""
    text = PAYLOADS[name]
    path = str(tmp_path / "no such" / text.replace("/", "∕"))
    for arguments in (
        ["--home", path, "lessons"], ["withdraw", text], ["--temperature", text, "lessons"], [text], [f"--{text}"],
        ["--model", path, "ask", "x"], ["teach", "--prompt-id", text, "3"], ["train", path, "--out", path],
        ["bench", path], ["export", text, path], ["--recipe", text, "lessons"], ["teach", text], ["--theme", text],
        ["lessons", "--json", "--home", f"{path}/\udce9"], ["undo", "--json"],
    ):  # fmt: skip
        code, raw = printed(start(*arguments, columns=COLUMNS, rows=ROWS))
        assert code in {0, 1, 2, 3, 4}, raw
        assert b"Traceback" not in raw
        assert_harmless(raw)
