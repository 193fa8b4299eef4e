"""Standard streams that are closed, full, or gone: no internal error, no damaged home, no lesson in silence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Ran, Theta
from tests.faults.forking import Forks
from tests.faults.terminal import Program, Start, environment
from theta_tui.base.config import Settings
from theta_tui.store.store import Store

pytest_plugins = ["tests.faults.fixtures"]

TEACH = ("teach", "--for", "hello", "Hi")
CLOSED = [numbers for count in (1, 2, 3) for numbers in combinations(range(3), count)]
FULL = Path("/dev/full")


@pytest.fixture
def theta(forks: Forks, tiny: Path, home: Path, tmp_path: Path) -> Iterator[Theta]:
    """Runs a command line without a terminal. `out` and `err` may be other files than those that are read back."""
    with ExitStack() as stack:

        def run(*arguments: str, stdin: str = "", out: Path | None = None, err: Path | None = None, **how: Any) -> Ran:
            given, said, told = (tmp_path / name for name in ("in", "out", "err"))
            given.write_text(stdin)
            with given.open("rb") as first, (out or said).open("wb") as second, (err or told).open("wb") as third:
                settings = environment(home) | {"THETA_MODEL": str(tiny)}
                standard = [file.fileno() for file in (first, second, third)]
                program = Program(forks, standard, arguments, settings, terminal=False, **how)
            stack.callback(program.close)
            code, _ = program.leave()
            texts = [path.read_text() if path.exists() else "" for path in (said, told)]
            return Ran(code, *texts)

        yield run


def lessons(home: Path) -> int:
    """How many were taught; the journal is sound."""
    record = Store.open(Settings(home=home, lock_wait=0))
    try:
        assert record.read_only is None
        assert record.take_notices() == []
        return len(record.state.lessons)
    finally:
        record.close()


@pytest.mark.parametrize(
    "numbers",
    [pytest.param(each, marks=() if each in {(2,), (0, 1, 2)} else pytest.mark.slow) for each in CLOSED],
    ids=lambda numbers: "".join(map(str, numbers)),
)
def test_closed_streams_change_nothing_and_what_a_library_prints_is_not_in_the_journal(
    theta: Theta, home: Path, numbers: tuple[int, ...]
) -> None:
    """Another file would get the number of a closed one: a native print would go there."""
    ran = theta(*TEACH, scene="tests.faults.scenes:closed", scene_with=[list(numbers)])
    assert ran.code == 0, ran
    assert ("trained." in ran.out) == (1 not in numbers)
    assert ran.err.replace("a warning of C++\n", "") == ""
    for path in home.rglob("*"):
        assert path.is_dir() or b"a warning" not in path.read_bytes(), path
    assert lessons(home) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("ask", "hello"), 0, "", marks=pytest.mark.slow),
        pytest.param(("ask", "-"), 0, "", marks=pytest.mark.slow),
        (("teach", "-"), 2, "standard input is empty"),
        pytest.param(("chat", "--plain"), 0, "", marks=pytest.mark.slow),
        ((), 2, "needs a terminal"),
        pytest.param(("nonsense",), 2, "nonsense", marks=pytest.mark.slow),
    ],
)
def test_a_closed_standard_input_is_an_empty_one(
    theta: Theta, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = theta(*arguments, scene="tests.faults.scenes:closed", scene_with=[[0]])
    assert ran.code == code, ran
    assert "should not have happened" not in ran.err
    assert words in ran.err
    assert theta(*arguments, scene="tests.faults.scenes:closed", scene_with=[[0, 1, 2]]).code == code


needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


DEEDS = (
    (TEACH, "lesson 1 was taught"),
    ((*TEACH, "--json"), "lesson 2 was taught"),
    (("undo",), "lesson 2 was undone"),
    (("redo",), "lesson 2 was redone"),
    (("withdraw", "1"), "lesson 1 was withdrawn"),
    (("prompt", "hello"), "the replies are kept for teach"),
    (("new",), "a new conversation was begun"),
    (("quiz",), "the lessons were checked"),
    (("rebuild",), "everything was learned again"),
    (("export", "trl", "{folder}/trl"), "{folder}/trl was written"),
)


@needs_full
@pytest.mark.parametrize("count", [3, pytest.param(len(DEEDS), marks=pytest.mark.slow)])
def test_what_was_done_is_said_on_stderr_where_stdout_is_full(
    theta: Theta, home: Path, tmp_path: Path, count: int
) -> None:
    for arguments, done in DEEDS[:count]:
        ran = theta(*(word.format(folder=tmp_path) for word in arguments), out=FULL)
        complaint = [line for line in ran.err.splitlines() if "standard output" in line]
        assert (ran.code, len(complaint)) == (1, 1), (arguments, ran)
        assert f"{done.format(folder=tmp_path)} all the same" in complaint[0]
        assert complaint[0].startswith('{"schema":1,"error"' if "--json" in arguments else "theta: ")
    assert lessons(home) == 2


@needs_full
@pytest.mark.parametrize(
    "arguments",
    [
        ("history",),
        ("-h",),
        *(pytest.param(one, marks=pytest.mark.slow) for one in (("lessons", "--json"), ("stats",), ("ask", "hello"))),
    ],
)
def test_what_is_only_read_fails_in_one_line_where_stdout_is_full(theta: Theta, arguments: tuple[str, ...]) -> None:
    ran = theta(*arguments, out=FULL)
    assert ran.code == 1
    assert ran.err.count("\n") == 1, ran.err
    assert "standard output cannot be written (No space left on device)" in ran.err


@needs_full
@pytest.mark.slow
def test_the_loop_ends_in_one_line_where_stdout_is_full(theta: Theta, home: Path) -> None:
    ran = theta("chat", "--plain", stdin="hello\n2\nquit\n", out=FULL)
    assert (ran.code, ran.err.count("\n")) == (1, 1), ran
    assert lessons(home) == 0  # it was told at once that nobody reads, before a reply was shown


@needs_full
def test_a_full_stderr_changes_nothing(theta: Theta, home: Path) -> None:
    for _ in range(2):  # the second one has a notice: it replaces the first
        ran = theta(*TEACH, err=FULL)
        assert (ran.code, "trained." in ran.out) == (0, True), ran
    assert theta("nonsense", err=FULL).code == 2
    assert lessons(home) == 2


def test_a_reader_that_has_gone_is_told_nothing(forks: Forks, tiny: Path, home: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    told = tmp_path / "err"
    with told.open("wb") as err, Path(os.devnull).open("rb") as nothing:
        settings = environment(home) | {"THETA_MODEL": str(tiny)}
        program = Program(forks, [nothing.fileno(), writing, err.fileno()], ["history"], settings, terminal=False)
    os.close(writing)
    try:
        assert program.leave()[0] == 1
    finally:
        program.close()
    assert told.read_text() == ""


# --- terminals that cannot draw ---


@pytest.mark.parametrize("kind", ["dumb", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("unknown", ""))])
def test_a_terminal_that_cannot_draw_gets_the_loop_and_one_line_why(start: Start, home: Path, kind: str) -> None:
    app = start(columns=81, rows=25, environment_more={"TERM": kind, "THETA_ENGINE": "off"})
    app.see(f"TERM={kind} names no terminal that can show")
    app.see("interactive training mode")
    app.press("hello\n")
    app.see("[1-5 or type response] >")
    app.press("2\n")
    app.see("trained.")
    app.press("quit\n")
    assert app.leave()[0] == 0
    app.drain()
    assert b"\x1b" not in app.raw
    assert lessons(home) == 1


def test_a_command_writes_no_controls_to_a_terminal_that_cannot_draw(start: Start) -> None:
    app = start(*TEACH, environment_more={"TERM": "dumb"})
    assert app.leave()[0] == 0
    app.drain()
    assert b"trained." in app.raw
    assert b"\x1b" not in app.raw
